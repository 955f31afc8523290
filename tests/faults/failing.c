/* A library for LD_PRELOAD that lets calls of a process fail, be short, be slow, or be told a wrong time.
 *
 * Not a mock of a file system: every call that is not chosen to fail goes through to the real one. Built by faults.py into a
 * temporary folder. Its settings are environment variables:
 *
 *   FAIL_CALLS  names of calls, parted by commas: write fsync rename link create open mkdir unlink read thread
 *   FAIL_PATH   only calls on a path that contains this; threads have none
 *   FAIL_AT     which of them fails, from 1; 0: none, they are only counted
 *   FAIL_MORE   set: all after it fail as well, as on a disk that stays full
 *   FAIL_ERRNO  the errno
 *   FAIL_DELAY  milliseconds to wait after the chosen call, which then succeeds
 *   FAIL_SHORT  set: reads and writes on matching paths move half of what is asked, and every seventh is interrupted first
 *   FAIL_COUNT  a file that gets the number of matching calls when the process ends
 *   FAIL_CLOCK  seconds since 1970 that the wall clock shows at first, or "back": each look shows an earlier time
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* Read once: Rust programs may change their environment later. */
static const char *calls, *wanted, *counted, *faked;
static long at, delay;
static int more, number, shortened;
static atomic_long met, looks, moved;
static struct timespec began;

static long of(const char *name) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

static int chosen(const char *call) {
    size_t length = strlen(call);
    for (const char *found = calls; found && (found = strstr(found, call)); found += length)
        if ((found == calls || found[-1] == ',') && (found[length] == ',' || !found[length]))
            return 1;
    return 0;
}

static int fits(const char *path) {
    return path && wanted && strstr(path, wanted);
}

static int fits_fd(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return fits(path);
}

/* Whether this call, which matches, is one that fails. */
static int turn(void) {
    long now = atomic_fetch_add(&met, 1) + 1;
    return at > 0 && (now == at || (more && now > at));
}

static void wait_a_while(void) {
    struct timespec time = {delay / 1000, delay % 1000 * 1000000};
    while (nanosleep(&time, &time) && errno == EINTR) {}
}

/* The body of a wrapper: `real` is what the call would do, `match` whether its path is meant. */
#define WRAP(type, call, match, real)         \
    do {                                      \
        if (!chosen(call) || !(match) || !turn()) \
            return (real);                    \
        if (delay) {                          \
            type done = (real);               \
            int kept = errno;                 \
            wait_a_while();                   \
            errno = kept;                     \
            return done;                      \
        }                                     \
        errno = number;                       \
        return -1;                            \
    } while (0)

/* NEXT(name) is the function that the program would have called; looked up at its first use, by however many threads. */
#define DECLARE(type, name, ...)                         \
    static type (*name##_next(void))(__VA_ARGS__) {      \
        static type (*_Atomic found)(__VA_ARGS__);       \
        if (!found)                                      \
            found = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name); \
        return found;                                    \
    }
#define NEXT(name) (name##_next())

/* Half of what is asked; now and then nothing at all but an interruption. Gives whether the call ends with that. */
static int shorten(const char *call, int fd, size_t *size) {
    if (!shortened || !chosen(call) || *size < 2 || !fits_fd(fd))
        return 0;
    if (atomic_fetch_add(&moved, 1) % 7 == 6) {
        errno = EINTR;
        return 1;
    }
    *size = (*size + 1) / 2;
    return 0;
}

DECLARE(ssize_t, write, int, const void *, size_t)
ssize_t write(int fd, const void *data, size_t size) {
    if (shorten("write", fd, &size))
        return -1;
    WRAP(ssize_t, "write", fits_fd(fd), NEXT(write)(fd, data, size));
}

DECLARE(ssize_t, writev, int, const struct iovec *, int)
ssize_t writev(int fd, const struct iovec *parts, int count) {
    WRAP(ssize_t, "write", fits_fd(fd), NEXT(writev)(fd, parts, count));
}

DECLARE(ssize_t, pwrite, int, const void *, size_t, off_t)
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    if (shorten("write", fd, &size))
        return -1;
    WRAP(ssize_t, "write", fits_fd(fd), NEXT(pwrite)(fd, data, size, offset));
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return pwrite(fd, data, size, offset); }

DECLARE(ssize_t, read, int, void *, size_t)
ssize_t read(int fd, void *data, size_t size) {
    if (shorten("read", fd, &size))
        return -1;
    WRAP(ssize_t, "read", fits_fd(fd), NEXT(read)(fd, data, size));
}

DECLARE(ssize_t, pread, int, void *, size_t, off_t)
ssize_t pread(int fd, void *data, size_t size, off_t offset) {
    if (shorten("read", fd, &size))
        return -1;
    WRAP(ssize_t, "read", fits_fd(fd), NEXT(pread)(fd, data, size, offset));
}
ssize_t pread64(int fd, void *data, size_t size, off64_t offset) { return pread(fd, data, size, offset); }

DECLARE(int, fsync, int)
int fsync(int fd) { WRAP(int, "fsync", fits_fd(fd), NEXT(fsync)(fd)); }

DECLARE(int, fdatasync, int)
int fdatasync(int fd) { WRAP(int, "fsync", fits_fd(fd), NEXT(fdatasync)(fd)); }

DECLARE(int, rename, const char *, const char *)
int rename(const char *from, const char *to) { WRAP(int, "rename", fits(from) || fits(to), NEXT(rename)(from, to)); }

DECLARE(int, link, const char *, const char *)
int link(const char *from, const char *to) { WRAP(int, "link", fits(from) || fits(to), NEXT(link)(from, to)); }

DECLARE(int, linkat, int, const char *, int, const char *, int)
int linkat(int a, const char *from, int b, const char *to, int flags) {
    WRAP(int, "link", fits(from) || fits(to), NEXT(linkat)(a, from, b, to, flags));
}

DECLARE(int, mkdir, const char *, mode_t)
int mkdir(const char *path, mode_t mode) { WRAP(int, "mkdir", fits(path), NEXT(mkdir)(path, mode)); }

DECLARE(int, unlink, const char *)
int unlink(const char *path) { WRAP(int, "unlink", fits(path), NEXT(unlink)(path)); }

DECLARE(int, openat, int, const char *, int, ...)
static int opened(int folder, const char *path, int flags, mode_t mode) {
    const char *call = flags & O_CREAT ? "create" : "open";
    WRAP(int, call, fits(path), NEXT(openat)(folder, path, flags, mode));
}
#define MODE(last)                        \
    mode_t mode = 0;                      \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list rest;                     \
        va_start(rest, last);             \
        mode = va_arg(rest, mode_t);      \
        va_end(rest);                     \
    }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags | O_LARGEFILE, mode); }

DECLARE(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument) {
    return chosen("thread") && turn() ? number : NEXT(pthread_create)(thread, how, body, argument);
}

/* The wall clock. The monotonic one is left alone: no system changes that. */
DECLARE(int, clock_gettime, clockid_t, struct timespec *)
int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = NEXT(clock_gettime)(clock, time);
    if (done || !faked || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return done;
    if (!strcmp(faked, "back"))
        time->tv_sec -= 60 * atomic_fetch_add(&looks, 1);
    else
        time->tv_sec += strtoll(faked, NULL, 10) - began.tv_sec;
    return 0;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* Lance renames through the system call itself, past the C library, so the kernel is asked to hand renameat over. The handler
 * goes on by renameat2, which is not handed over. Elsewhere than on x86-64, such renames never fail. */
#ifdef __x86_64__
static void handed_over(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const char *from = (const char *)registers[REG_RSI], *to = (const char *)registers[REG_R10];
    int kept = errno, fails = (fits(from) || fits(to)) && turn();
    (void)signal;
    (void)info;
    if (fails && !delay) {
        registers[REG_RAX] = -number;
    } else {
        long done = syscall(SYS_renameat2, registers[REG_RDI], from, registers[REG_RDX], to, 0);
        registers[REG_RAX] = done < 0 ? -errno : done;
        if (fails)
            wait_a_while();
    }
    errno = kept;
}

static void take_renames_over(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct sigaction action = {.sa_sigaction = handed_over, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigaction(SIGSYS, &action, NULL);
    if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
static void take_renames_over(void) {}
#endif

__attribute__((constructor)) static void begin(void) {
    calls = getenv("FAIL_CALLS");
    wanted = getenv("FAIL_PATH");
    counted = getenv("FAIL_COUNT");
    faked = getenv("FAIL_CLOCK");
    at = of("FAIL_AT");
    more = getenv("FAIL_MORE") != NULL;
    number = (int)of("FAIL_ERRNO");
    delay = of("FAIL_DELAY");
    shortened = getenv("FAIL_SHORT") != NULL;
    NEXT(clock_gettime)(CLOCK_REALTIME, &began);
    if (chosen("rename"))
        take_renames_over();
}

__attribute__((destructor)) static void end(void) {
    char text[32];
    if (!counted)
        return;
    int fd = NEXT(openat)(AT_FDCWD, counted, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&met));
    if (fd >= 0 && NEXT(write)(fd, text, length) == length)
        close(fd);
}
