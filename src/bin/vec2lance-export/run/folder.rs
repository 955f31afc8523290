//! The snapshot's folder: whether it may be written into, what an earlier run has left there, and its seal.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::Value;
use vec2lance::error::{Error, Result};
use vec2lance::manifest::{FILE as MANIFEST, FORMAT, Manifest};

use crate::cli::Common;
use crate::journal::{Begun, FILE as JOURNAL, Journal, State};
use crate::source::{LeftOut, Source, Unit};
use crate::writer::{PARTIAL, sync_folder, write_whole};

/// The folder of lists that the sources keep while they are read.
const WORK: &str = ".work";
/// Version of the journal.
const VERSION: u32 = 1;

/// What was found in the folder.
pub(super) enum Entry {
    /// Nothing.
    Empty(File),
    /// An unfinished export of the same command.
    Left(File, Box<State>),
    /// A whole export of the same command, whose journal only had not been taken away.
    Sealed(Box<Manifest>),
}

/// Options that decide about the content of the parts.
fn options<S: Source>(source: &S, common: &Common) -> BTreeMap<String, Value> {
    let mut options = source.options();
    let mut put = |flag: &str, value: Value| options.insert(flag.to_owned(), value);
    if common.all {
        put("all", true.into());
    }
    if !common.collections.is_empty() {
        put("collection", common.collections.clone().into());
    }
    if !common.namespaces.is_empty() {
        put("namespace", common.namespaces.clone().into());
    }
    if let Some(filter) = &common.filter {
        put("filter", filter.clone().into());
    }
    put("part-size", common.part_size.into());
    put("parquet", common.parquet.into());
    options
}

/// The first line of a new journal.
pub(super) fn begun<S: Source>(source: &S, common: &Common, version: Option<String>, units: Vec<Unit>, left_out: Vec<LeftOut>) -> Begun {
    Begun {
        journal: VERSION,
        started: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        source: source.name().to_owned(),
        source_version: version,
        options: options(source, common),
        units,
        left_out,
    }
}

/// Makes the folder or looks at what is in it; takes away what `--restart` says and what a dead run has left half-written.
///
/// # Errors
/// It holds something else, a whole snapshot, or an unfinished export of another command.
pub(super) fn enter<S: Source>(source: &S, common: &Common) -> Result<Entry> {
    let folder = &common.snapshot;
    let shown = folder.display();
    fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
    let names = names(folder)?;
    let has = |name: &str| names.iter().any(|n| n == name);
    if has(MANIFEST) && !has(JOURNAL) {
        return Err(Error::new(format!("{shown} holds a whole snapshot already")).help("choose another folder; a snapshot is never written over"));
    }
    if let Some(other) = names.iter().find(|n| !n.ends_with(PARTIAL) && *n != WORK).filter(|_| !has(JOURNAL)) {
        return Err(Error::new(format!("{shown} is not empty: it holds {}", crate::http::clean(other))).help("choose a folder that is empty or does not exist"));
    }
    let lock = Journal::lock(folder)?;
    let state = State::load(folder)?;
    if has(MANIFEST) {
        let manifest = manifest(folder)?;
        clean_up(folder)?;
        return Ok(Entry::Sealed(Box::new(manifest)));
    }
    let state = state.filter(|_| !common.restart);
    if let Some(state) = &state {
        check(folder, state, source.name(), &options(source, common))?;
    }
    // A run may have died between giving a part its name and noting it.
    let parts = state.iter().flat_map(|s| &s.units).flat_map(|u| &u.ranges).flat_map(|(_, r)| &r.parts);
    let known: HashSet<&str> = parts.map(|p| p.path.as_str()).collect();
    for name in names.iter().filter(|n| n.ends_with(PARTIAL) || (is_ours(n) && !known.contains(n.as_str()))) {
        remove(&folder.join(name))?;
    }
    let Some(state) = state else {
        remove_work(folder)?;
        lock.set_len(0).map_err(|e| Error::io("write", &folder.join(JOURNAL), &e))?;
        return Ok(Entry::Empty(lock));
    };
    Ok(Entry::Left(lock, Box::new(state)))
}

/// Whether a name is one that parts have.
fn is_ours(name: &str) -> bool {
    let numbered = name.len() > 5 && name.bytes().take(4).all(|b| b.is_ascii_digit()) && name.as_bytes()[4] == b'-';
    numbered && (name.ends_with(".jsonl.zst") || name.ends_with(".parquet"))
}

/// Whether an unfinished export is one of the same command, and all of its parts are there.
fn check(folder: &Path, state: &State, source: &str, options: &BTreeMap<String, Value>) -> Result<()> {
    let shown = folder.display();
    let begun = &state.begun;
    let help = "give the same options, choose another folder, or throw the unfinished export away with --restart";
    if begun.journal != VERSION || begun.source != source {
        return Err(Error::new(format!("{shown} holds an unfinished export of {} by another version or database", begun.source)).help(help));
    }
    if begun.options != *options {
        let keys = begun.options.keys().chain(options.keys());
        let differs = keys.filter(|k| begun.options.get(*k) != options.get(*k)).map(|k| format!("--{k}")).collect::<std::collections::BTreeSet<_>>();
        let differs: Vec<String> = differs.into_iter().collect();
        return Err(Error::new(format!("{shown} holds an unfinished export with another {}", differs.join(", "))).help(help));
    }
    for part in state.units.iter().flat_map(|u| &u.ranges).flat_map(|(_, r)| &r.parts) {
        let path = folder.join(&part.path);
        if !fs::metadata(&path).is_ok_and(|m| m.len() == part.bytes) {
            return Err(Error::new(format!("{} is not what the unfinished export has written", path.display())).help("begin anew with --restart"));
        }
    }
    Ok(())
}

fn manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| Error::new(format!("{}: the manifest is damaged: {e}", path.display())))?;
    if manifest.format == FORMAT { Ok(manifest) } else { Err(Error::new(format!("{} is not a manifest of ours", path.display()))) }
}

/// Writes the manifest, and takes away what only an unfinished export needs.
pub(super) fn seal(folder: &Path, manifest: &Manifest) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(manifest).map_err(|e| Error::new(format!("cannot write the manifest: {e}")))?;
    text.push(b'\n');
    write_whole(folder, MANIFEST, &text)?;
    clean_up(folder)
}

fn clean_up(folder: &Path) -> Result<()> {
    remove_work(folder)?;
    remove(&folder.join(JOURNAL))?;
    sync_folder(folder)
}

/// The folder of a unit's lists.
pub(super) fn workdir(folder: &Path, unit: usize) -> PathBuf {
    folder.join(WORK).join(unit.to_string())
}

/// An empty folder.
pub(super) fn make_anew(folder: &Path) -> Result<()> {
    remove_all(folder)?;
    make(folder)
}

/// A folder, with what may be in it.
pub(super) fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))
}

/// Puts the files of a folder on the disk.
pub(super) fn sync(folder: &Path) -> Result<()> {
    for name in names(folder)? {
        let path = folder.join(name);
        File::open(&path).and_then(|f| f.sync_all()).map_err(|e| Error::io("flush", &path, &e))?;
    }
    sync_folder(folder)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let failed = |e: std::io::Error| Error::io("list the folder", folder, &e);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}

fn remove_work(folder: &Path) -> Result<()> {
    remove_all(&folder.join(WORK))
}

fn remove_all(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}

/// Ends when the user or the system asks the process to stop.
pub(super) fn interrupts() -> Result<impl Future<Output = ()>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second one kills at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&asked)))
            .map_err(|e| Error::new(format!("cannot watch for interrupts: {e}")))?;
    }
    Ok(async move {
        while !asked.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}
