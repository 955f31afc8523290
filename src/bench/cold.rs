//! Asks the system to let go of a dataset's files, so that the next search reads them from the disk. Changes nothing in them.

use std::path::Path;

/// Whether the system was asked for every file. What it holds for other programs, or below its own file cache, is not known.
#[cfg(target_os = "linux")]
pub(super) fn forget(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().all(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return forget(&path);
        }
        // POSIX_FADV_DONTNEED drops clean pages only, so what is not on the disk yet is written first.
        std::fs::File::open(&path).is_ok_and(|file| file.sync_data().is_ok() && rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).is_ok())
    })
}

/// Other systems cannot be asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn forget(_: &Path) -> bool {
    false
}
