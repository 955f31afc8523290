//! The staging folder: everything is built beside the output and appears under its name by one rename, or not at all.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::journal::{Journal, kept};
use crate::dataset::write::Written;
use crate::error::{Error, Result};
use crate::plan::Output;
use crate::reject::printable;

/// A staging folder that nobody else uses. Dropped before [`Staging::publish`], it takes everything away again, unless a journal
/// knows what of it is worth keeping.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
    journal: PathBuf,
    lock: File,
    /// Whether a run had locked the folder before: then a dataset was being built in it.
    found: bool,
    keep: bool,
    published: bool,
}

/// Held while a run works in the folder; another run sees by it whether the folder is somebody's or was left by a death.
const LOCK: &str = ".vec2lance-lock";

impl Staging {
    /// Makes the folder, or takes over the one that a killed run has left.
    pub(super) fn claim(output: &Output) -> Result<Self> {
        let path = output.staging.clone();
        let (lock, found) = lock(&path)?;
        Ok(Self { path, journal: output.journal.clone(), lock, found, keep: false, published: false })
    }

    /// Whether a killed run has left its unfinished dataset here.
    pub(super) fn found(&self) -> bool {
        self.found
    }

    /// Takes away what earlier runs have left, the journal too.
    pub(super) fn wipe(&self, output: &Output) -> Result<()> {
        Journal::remove(&output.journal)?;
        self.keep_only(&[])
    }

    /// Takes away everything but the files of these fragments.
    pub(super) fn keep_only(&self, fragments: &[Written]) -> Result<()> {
        let kept: HashSet<PathBuf> = fragments.iter().flat_map(Written::files).map(|(file, _)| self.path.join(file)).collect();
        for path in entries(&self.path)? {
            let known = path.file_name().is_some_and(|n| n == super::components::FOLDER) && !kept.is_empty();
            if known || path.file_name().is_some_and(|n| n == LOCK) {
                continue;
            }
            if path.file_name().is_some_and(|n| n == "data") && path.is_dir() && !kept.is_empty() {
                for file in entries(&path)?.into_iter().filter(|file| !kept.contains(file)) {
                    remove(&file)?;
                }
            } else {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Leaves everything where it is.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }

    /// What lies in the folder is the dataset that has given way.
    pub(super) fn discard(&mut self) {
        clean(&self.path);
        self.published = true;
    }

    /// Makes everything in the folder durable.
    pub(super) fn sync(&self) -> Result<()> {
        sync(&self.path)
    }

    /// Gives the dataset its name. One that is there is exchanged for the new one in one step where the system can do that.
    pub(super) fn publish(&mut self, output: &Output) -> Result<()> {
        let target = &output.dataset;
        if target.symlink_metadata().is_ok() {
            if !output.replaces() {
                return Err(Error::new(format!("{}: appeared while the run was under way", printable(&target.display().to_string())))
                    .help("choose another name, or use --overwrite"));
            }
            exchange(&self.path, target)?;
            self.published = true;
            take_away(&self.path).map_err(|e| Error::io("remove", &self.path, &e))?;
        } else {
            fs::rename(&self.path, target).map_err(|e| Error::io("rename", &self.path, &e))?;
            self.published = true;
        }
        Self::settled(output)
    }

    /// What follows the rename; again, where a run died between the two.
    pub(super) fn settled(output: &Output) -> Result<()> {
        let target = &output.dataset;
        let lock = target.join(LOCK);
        if lock.is_file() {
            remove(&lock)?;
        }
        sync_one(target)?;
        sync_one(target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    /// The run has failed for good.
    pub(super) fn abandon(&mut self, output: &Output) -> Result<()> {
        self.keep = false;
        Journal::remove(&output.journal)
    }

    /// The run is over: takes away the journal, and the folder if nothing came of it.
    pub(super) fn end(mut self, output: &Output) -> Result<()> {
        Journal::remove(&output.journal)?;
        self.keep = false;
        Ok(())
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| Error::io("list the folder", folder, &e);
    fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|e| e.path()).map_err(failed)).collect()
}

fn remove(path: &Path) -> Result<()> {
    let folder = path.symlink_metadata().is_ok_and(|m| m.is_dir());
    let done = if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    done.map_err(|e| Error::io("remove", path, &e))
}

/// A second name for every file below `from` in the folder `to`, or a copy where the file system has no second names. Files of Lance
/// never change, so both names may be kept.
pub(super) fn link(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(|e| Error::io("create the folder", to, &e))?;
    for path in entries(from)? {
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            if name != "_building" {
                link(&path, &target)?;
            }
        } else if name != LOCK && fs::hard_link(&path, &target).is_err() {
            fs::copy(&path, &target).map_err(|e| Error::io("copy", &path, &e))?;
        }
    }
    Ok(())
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

/// Makes a folder that only this run uses, and locks it. What a killed run has left in it is removed first.
fn claim(path: &Path) -> Result<File> {
    let (file, found) = lock(path)?;
    if found {
        tracing::warn!("Removing what an interrupted run has left at {}.", printable(&path.display().to_string()));
        for path in entries(path)?.iter().filter(|p| p.file_name().is_none_or(|n| n != LOCK)) {
            remove(path)?;
        }
    }
    Ok(file)
}

/// Whether the path still leads to the open file: a lock on a file that was moved away locks nothing.
#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |m: fs::Metadata| (m.dev(), m.ino());
    file.metadata().ok().map(place) == fs::metadata(path).ok().map(place)
}

#[cfg(not(unix))]
fn same_file(_: &File, path: &Path) -> bool {
    path.is_file()
}

/// Makes the folder if it is not there, and locks it. Gives whether it had been locked before.
fn lock(path: &Path) -> Result<(File, bool)> {
    let lock_path = path.join(LOCK);
    let shown = || printable(&path.display().to_string());
    match fs::create_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let ours = lock_path.is_file() || path.join("data").is_dir() || fs::read_dir(path).is_ok_and(|mut d| d.next().is_none());
            if !ours {
                return Err(Error::new(format!("{}: exists and was not made by vec2lance", shown())).help("move it away; the run needs this name"));
            }
        }
        made => made.map_err(|e| Error::io("create the folder", path, &e))?,
    }
    let found = lock_path.is_file();
    let busy = || Error::new(format!("{}: another run is writing this dataset", shown())).help("wait for it, or choose another output name");
    let file = match File::options().write(true).create(true).truncate(false).open(&lock_path) {
        // The other run has just given the folder its name.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(busy()),
        opened => opened.map_err(|e| Error::io("create", &lock_path, &e))?,
    };
    // A file system without locks cannot tell two runs apart, which is no reason not to run.
    if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
        return Err(busy());
    }
    if !same_file(&file, &lock_path) {
        return Err(busy());
    }
    Ok((file, found))
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published && !self.keep && !kept() {
            clean(&self.path);
            let _ = Journal::remove(&self.journal);
        }
        let _ = self.lock.unlock();
    }
}

/// Takes away what is unfinished, folder or file; for moments in which nothing more can be reported.
pub fn clean(path: &Path) {
    let _ = if path.is_dir() { take_away(path) } else { fs::remove_file(path) };
}

/// Removes a folder. What tells that it is ours goes last, so that a death on the way leaves one that the next run knows.
fn take_away(folder: &Path) -> std::io::Result<()> {
    let last = ["data", LOCK];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if last.iter().any(|name| path.file_name().is_some_and(|n| n == *name)) {
            continue;
        }
        if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    for path in last.map(|name| folder.join(name)) {
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if path.exists() {
            fs::remove_file(&path)?;
        }
    }
    fs::remove_dir(folder)
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

pub(super) fn sync_one(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::io("flush to the disk", path, &e))
}

/// Makes what an index run has written durable.
///
/// # Errors
/// The disk refuses.
pub fn flush(dataset: &Path) -> Result<()> {
    for folder in ["_indices", "_transactions", "_versions"].map(|name| dataset.join(name)) {
        if folder.is_dir() {
            sync(&folder)?;
        }
    }
    sync_one(dataset)
}

/// Bytes of all files below.
pub(super) fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|e| if e.path().is_dir() { bytes_below(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}
