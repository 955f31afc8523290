//! The allocator's settings, for a bounded resident set: glibc's malloc only, elsewhere nothing happens. Allocates nothing itself.
//!
//! glibc keeps an arena for each of the dozens of threads that Lance starts, up to eight for each core, and gives little of them
//! back. A variable in the environment that sets the same thing wins.

/// Sets the allocator up for `memory` bytes. For the top of `main`, before any thread is started.
///
/// With little memory there are few arenas. With more, the buffers of batches are kept, which malloc would otherwise give back
/// and take again, page by page, for each batch.
pub fn tune(memory: u64, threads: usize) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const ARENA: u64 = 192 << 20;
        const ROOMY: u64 = 512 << 20;
        let arenas = usize::try_from(memory / ARENA).unwrap_or(usize::MAX).clamp(1, threads.saturating_mul(8));
        let mut settings = vec![("MALLOC_ARENA_MAX", libc::M_ARENA_MAX, i32::try_from(arenas).unwrap_or(i32::MAX))];
        if memory >= ROOMY {
            settings.push(("MALLOC_MMAP_THRESHOLD_", libc::M_MMAP_THRESHOLD, 32 << 20));
            settings.push(("MALLOC_TRIM_THRESHOLD_", libc::M_TRIM_THRESHOLD, i32::try_from(memory / 8).unwrap_or(i32::MAX).min(128 << 20)));
        }
        for (name, setting, value) in settings {
            if std::env::var_os(name).is_none() {
                #[expect(unsafe_code, reason = "settings of the allocator have no other interface once the process runs")]
                // SAFETY: mallopt only stores the number.
                unsafe {
                    libc::mallopt(setting, value);
                }
            }
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = (memory, threads);
}

/// Gives what is free back to the system, between two stages of which each needs much.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "the allocator has no other interface for it")]
        // SAFETY: malloc_trim takes its own locks and touches only what is free.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
