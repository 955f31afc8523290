"""Faults of single system calls, made by failing.c: the nth write, flush, rename or read fails, is short, or is interrupted.

Every call that a run makes is counted first; then it fails at the first, at the last, and at places between. A run on which a
flush has failed must not say that all is well. Whole disks that fail are in disks.py.
"""

import errno
import shutil

from dumps import mixed, plain
from registry import Faults
from tool import demand, names

FAULTS = Faults()
FLAGS = ("--index", "ivf_pq", "--sub-vectors", "8")


def number_of(program, work, call, path, folder=None, command=None):
    """How many such calls an undisturbed run makes."""
    folder = folder or program.folder()
    counted = program.scratch / "count"
    program.run(folder, *(command or work.command), env=program.preload(calls=call, path=path, at=0, count=counted)).demand(0, 1)
    return int(counted.read_text())


def places(count, most):
    """Numbers from 1 to `count`: all, or `most` of them with both ends and the tenth."""
    if count <= most:
        return list(range(1, count + 1))
    spread = {1 + round(step * (count - 1) / (most - 1)) for step in range(most)}
    return sorted(spread | {2, 10})


# What fails, on which paths, with which errno, and at how many places at most. Every flush and every rename fails once.
@FAULTS("write fails: EIO", "write", "out.", errno.EIO, 12)
@FAULTS("write fails: ENOSPC", "write", "out.", errno.ENOSPC, 12)
@FAULTS("write fails: EDQUOT", "write", "out.", errno.EDQUOT, 4)
@FAULTS("write into an index fails: ENOSPC", "write", "_indices", errno.ENOSPC, 36)
@FAULTS("write of rows fails, no index is built: ENOSPC", "write", "data/", errno.ENOSPC, 200, "none")
@FAULTS("from some write of rows on all fail, no index is built: ENOSPC", "write", "data/", errno.ENOSPC, 200, "none", True)
@FAULTS("flush fails: EIO", "fsync", "out.", errno.EIO, 200)
@FAULTS("flush fails: ENOSPC", "fsync", "out.", errno.ENOSPC, 6)
@FAULTS("rename fails: EIO", "rename", "out.", errno.EIO, 200)
@FAULTS("rename fails: ENOSPC", "rename", "out.", errno.ENOSPC, 6)
@FAULTS("link fails: EIO", "link", "out.", errno.EIO, 8)
@FAULTS("a file cannot be made: ENOSPC", "create", "out.", errno.ENOSPC, 12)
@FAULTS("a file cannot be made: EMFILE", "create", "out.", errno.EMFILE, 6)
@FAULTS("a folder cannot be made: ENOSPC", "mkdir", "out.", errno.ENOSPC, 12)
@FAULTS("a file cannot be removed: EIO", "unlink", "out.", errno.EIO, 12)
@FAULTS("from some write on all fail: ENOSPC", "write,create,mkdir,fsync", "out.", errno.ENOSPC, 12, "ivf_pq", True)
@FAULTS("from some write on all fail: EIO", "write,create,mkdir,fsync,rename,link", "out.", errno.EIO, 12, "ivf_pq", True)
def fails(program, row, call, path, number, most, index="ivf_pq", more=False):
    # Without indices and duplicates, nothing reads the rows again before the dataset gets its name.
    work = program.work("mixed", mixed, *FLAGS) if index == "ivf_pq" else program.work("clean", plain(600), "--index", index)
    silent = 0
    for at in places(number_of(program, work, call, path), most):
        with row.trial(f"call {at}"):
            folder = program.folder()
            settings = {"calls": call, "path": path, "at": at, "errno": number} | ({"more": 1} if more else {})
            answer = work.run(folder, env=program.preload(**settings))
            # Lance does without some of its files; the run may succeed then, and `judge` looks at what it has made.
            work.judge(folder, answer, 2, work.answer.status, row=row, same=call != "unlink")
            silent += answer.status != 2
            demand(call != "fsync" or answer.status == 2, "a flush failed and the run said nothing")
            # Where nothing was left, the next run is like any first one.
            if names(folder) or at % 4 == 1:
                work.again(folder)
    row.state.append(f"in {silent} it did not matter" if silent else "all told")


@FAULTS("the report cannot be written: ENOSPC", "write", "report.json")
@FAULTS("the report cannot be made: EACCES", "create", "report.json")
@FAULTS("the rejects cannot be written: ENOSPC", "write", "rejects.jsonl")
@FAULTS("the duplicates cannot be renamed: EIO", "rename", "duplicates.jsonl")
def one_file_fails(program, row, call, path):
    work = program.work("mixed", mixed, *FLAGS)
    folder = program.folder()
    number = errno.EACCES if call == "create" else errno.ENOSPC
    work.judge(folder, work.run(folder, env=program.preload(calls=call, path=path, at=1, more=1, errno=number)), 2, row=row)
    work.again(folder, row)


@FAULTS("the dump cannot be read: EIO", "points-")
@FAULTS("the dump cannot be read: EIO, --no-mmap", "points-", "--no-mmap")
def reads_fail(program, row, path, *more):
    work = program.work("mixed", mixed, *FLAGS)
    for at in places(number_of(program, work, "read,open", path, command=[*work.command, *more]), 16):
        with row.trial(f"call {at}"):
            folder = program.folder()
            answer = work.run(folder, *more, env=program.preload(calls="read,open", path=path, at=at, errno=errno.EIO))
            work.judge(folder, answer, 2, row=row)
            demand("points-" in answer.message, f"the message does not name the shard: {answer.message}")
            work.again(folder)


@FAULTS("a thread cannot be started: EAGAIN", 0)
@FAULTS("from some thread on none can be started: EAGAIN", 1)
def no_thread(program, row, more):
    """As where the number of processes is limited, which it is in most containers."""
    work = program.work("mixed", mixed, *FLAGS)
    for at in places(number_of(program, work, "thread", ""), 24):
        with row.trial(f"thread {at}"):
            folder = program.folder()
            settings = {"calls": "thread", "path": "", "at": at, "errno": errno.EAGAIN} | ({"more": 1} if more else {})
            # One that hangs is not waited for long: there may be many.
            answer = work.run(folder, env=program.preload(**settings), limit=5)
            work.judge(folder, answer, 2, work.answer.status, row=row)
            work.again(folder)


@FAULTS("short and interrupted reads and writes")
def short(program, row):
    work = program.work("mixed", mixed, *FLAGS)
    for path, more in (("out.", ()), ("points-", ()), ("points-", ("--no-mmap",))):
        folder = program.folder()
        answer = work.run(folder, *more, env=program.preload(calls="read,write", path=path, at=0, short=1))
        work.judge(folder, answer, work.answer.status, row=row)


@FAULTS("index: a write fails: ENOSPC", "write,create,mkdir", errno.ENOSPC, 12)
@FAULTS("index: a rename or link fails: EIO", "rename,link", errno.EIO, 12)
@FAULTS("index: a flush fails: EIO", "fsync", errno.EIO, 12)
def index_fails(program, row, call, number, most):
    work = program.work("mixed", mixed, *FLAGS)
    command = ["index", work.out, *FLAGS]
    count = number_of(program, work, call, "out.", converted(program, work), command)
    demand(count > 0 or "fsync" not in call, "index flushes nothing to the disk, so its version may be lost with the power")
    for at in places(count, most):
        with row.trial(f"call {at}"):
            folder = converted(program, work)
            answer = program.run(folder, *command, env=program.preload(calls=call, path="out.", at=at, errno=number)).demand(0, 2)
            demand(answer.status == 2 or "fsync" not in call, "a flush failed and the run said nothing")
            state = work.state(folder)
            row.saw(answer, state)
            left = [name for name in names(folder / work.out) if name.startswith("_building")]
            demand(program.resumes or not left, "index left its folder _building")
            program.run(folder, *command).demand(0)
            demand(work.state(folder) == "whole", "the next index did not finish")
            demand("_building" not in names(folder / work.out), "the next index left the folder _building")


def converted(program, work):
    """A folder with a dataset of its own."""
    folder = program.folder()
    shutil.copytree(work.sample, folder, dirs_exist_ok=True)
    return folder


@FAULTS("index: mends an index whose file was cut")
def mends(program, row):
    work = program.work("mixed", mixed, *FLAGS)
    for number in range(work.shape["_indices"]):
        with row.trial(f"index {number}"):
            folder = converted(program, work)
            index = folder / work.out / "_indices" / names(folder / work.out / "_indices")[number]
            path = max((p for p in index.iterdir() if p.is_file()), key=lambda p: p.stat().st_size)
            with open(path, "r+b") as file:
                file.truncate(path.stat().st_size // 2)
            answer = program.run(folder, "index", work.out, *FLAGS)
            answer.demand(0)
            row.saw(answer, work.state(folder))
