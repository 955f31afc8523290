//! The staging folder: everything is built beside the output and appears under its name by one rename, or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::plan::Output;
use crate::reject::printable;

/// A staging folder that nobody else uses. Dropped before [`Staging::publish`], it takes everything away again.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
    lock: File,
    published: bool,
}

/// Held while a run works in the folder; another run sees by it whether the folder is somebody's or was left by a death.
const LOCK: &str = ".vec2lance-lock";

impl Staging {
    /// Makes the folder. One that a killed run has left is removed first.
    pub(super) fn create(output: &Output) -> Result<Self> {
        let path = output.staging.clone();
        let lock = claim(&path)?;
        Ok(Self { path, lock, published: false })
    }

    /// Makes everything durable and gives the dataset its name. With `--overwrite`, the old dataset is exchanged for the new
    /// one in one step where the system can do that.
    pub(super) fn publish(mut self, output: &Output) -> Result<()> {
        let lock = self.path.join(LOCK);
        fs::remove_file(&lock).map_err(|e| Error::io("remove", &lock, &e))?;
        sync(&self.path)?;
        let target = &output.dataset;
        if target.symlink_metadata().is_ok() {
            if !output.overwrite {
                return Err(Error::new(format!("{}: appeared while the run was under way", printable(&target.display().to_string())))
                    .help("choose another name, or use --overwrite"));
            }
            exchange(&self.path, target)?;
            fs::remove_dir_all(&self.path).map_err(|e| Error::io("remove the old dataset at", &self.path, &e))?;
        } else {
            fs::rename(&self.path, target).map_err(|e| Error::io("rename", &self.path, &e))?;
        }
        self.published = true;
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_one(parent)?;
        Ok(())
    }
}

/// Where `index` keeps what Lance and the encoder spill: inside of the dataset's folder, because that volume has the room.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Its path for this dataset.
    #[must_use]
    pub fn path(dataset: &Path) -> PathBuf {
        dataset.join("_building")
    }

    /// Makes it. One that a killed run has left is removed first.
    ///
    /// # Errors
    /// Another run is at work in it, or the folder cannot be written.
    pub fn create(dataset: &Path) -> Result<Self> {
        let path = Self::path(dataset);
        let lock = claim(&path)?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        clean(&self.path);
    }
}

/// Makes a folder that only this run uses, and locks it. One that a killed run has left is removed first.
fn claim(path: &Path) -> Result<File> {
    let lock_path = path.join(LOCK);
    let shown = || printable(&path.display().to_string());
    if path.symlink_metadata().is_ok() {
        let busy = || Error::new(format!("{}: another run is writing this dataset", shown())).help("wait for it, or choose another output name");
        let ours = lock_path.is_file() || path.join("data").is_dir() || fs::read_dir(path).is_ok_and(|mut d| d.next().is_none());
        if !ours {
            return Err(Error::new(format!("{}: exists and was not made by vec2lance", shown())).help("move it away; the run needs this name"));
        }
        if let Ok(lock) = File::open(&lock_path)
            && lock.try_lock().is_err()
        {
            return Err(busy());
        }
        tracing::warn!("Removing what an interrupted run has left at {}.", shown());
        fs::remove_dir_all(path).map_err(|e| Error::io("remove", path, &e))?;
    }
    fs::create_dir(path).map_err(|e| Error::io("create the folder", path, &e))?;
    let lock = File::create(&lock_path).map_err(|e| Error::io("create", &lock_path, &e))?;
    // A file system without locks cannot tell two runs apart, which is no reason not to run.
    let _ = lock.try_lock();
    Ok(lock)
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published {
            clean(&self.path);
        }
        let _ = self.lock.unlock();
    }
}

/// Takes away what is unfinished, folder or file; for moments in which nothing more can be reported.
pub fn clean(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

#[cfg(target_os = "linux")]
fn exchange(new: &Path, old: &Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(_) => swap(new, old),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(new: &Path, old: &Path) -> Result<()> {
    swap(new, old)
}

/// Two renames, for systems that cannot exchange: the old dataset is kept under another name until the new one has its own.
fn swap(new: &Path, old: &Path) -> Result<()> {
    let mut kept = old.as_os_str().to_owned();
    kept.push(".replaced");
    let kept = PathBuf::from(kept);
    fs::rename(old, &kept).map_err(|e| Error::io("rename", old, &e))?;
    fs::rename(new, old).map_err(|e| Error::io("rename", new, &e))?;
    fs::rename(&kept, new).map_err(|e| Error::io("rename", &kept, &e))
}

/// Flushes every file and folder below to the disk: Lance does not.
fn sync(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io("list the folder", folder, &e))?;
    for entry in entries {
        let path = entry.map_err(|e| Error::io("list the folder", folder, &e))?.path();
        if path.is_dir() { sync(&path)? } else { sync_one(&path)? }
    }
    sync_one(folder)
}

fn sync_one(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::io("flush to the disk", path, &e))
}

/// Bytes of all files below.
pub(super) fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|e| if e.path().is_dir() { bytes_below(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}
