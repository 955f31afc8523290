//! The files of a server's own export: found, checked, and copied into the snapshot.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use vec2lance::error::{Error, Result};
use vec2lance::manifest::{FILE as MANIFEST, Part};

use crate::writer::{PARTIAL, Summed, sync_folder, write_whole};

/// One file of objects.
#[derive(Debug, Clone)]
pub(super) struct Parquet {
    path: PathBuf,
    name: String,
    rows: u64,
    /// The class, as the file itself says.
    pub(super) collection: String,
    /// The tenant, if it says one.
    pub(super) tenant: Option<String>,
}

/// Makes the snapshot's folder, or finds in it the id of the export that it waits for.
///
/// # Errors
/// It holds something else.
pub(super) fn enter(folder: &Path, waiting: &str) -> Result<Option<String>> {
    fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
    let waits = fs::read_to_string(folder.join(waiting)).ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let entries = fs::read_dir(folder).map_err(|e| Error::io("list the folder", folder, &e))?;
    let names: Vec<String> = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    if names.iter().any(|name| name == MANIFEST) {
        return Err(Error::new(format!("{} holds a whole snapshot already", folder.display())).help("choose another folder; a snapshot is never written over"));
    }
    if waits.is_none() && names.iter().any(|name| !name.ends_with(PARTIAL)) {
        return Err(Error::new(format!("{} is not empty", folder.display())).help("choose a folder that is empty or does not exist"));
    }
    Ok(waits)
}

/// Notes the id of the export that the folder waits for.
///
/// # Errors
/// It cannot be written.
pub(super) fn wait_for(folder: &Path, waiting: &str, id: &str) -> Result<()> {
    write_whole(folder, waiting, id.as_bytes())
}

/// The folder waits no longer.
///
/// # Errors
/// The file cannot be removed.
pub(super) fn forget(folder: &Path, waiting: &str) -> Result<()> {
    let path = folder.join(waiting);
    fs::remove_file(&path).map_err(|e| Error::io("remove", &path, &e))?;
    sync_folder(folder)
}

/// The folder of an export: `dir` itself, or the one in it that has the export's id for a name.
pub(super) fn place(dir: &Path, id: &str) -> Option<PathBuf> {
    [dir.join(id), dir.to_owned()].into_iter().find(|path| path.join("export_metadata.json").is_file())
}

/// The files of objects in a folder, by name.
///
/// # Errors
/// One cannot be read, or does not say its class.
pub(super) fn parquet(folder: &Path) -> Result<Vec<Parquet>> {
    let mut found = Vec::new();
    for name in names(folder, &|name| name.ends_with(".parquet"))? {
        let path = folder.join(&name);
        let file = fs::File::open(&path).map_err(|e| Error::io("read", &path, &e))?;
        let damaged = |why: String| Error::new(format!("{}: {why}", path.display())).help("was the folder copied whole?");
        let reader = SerializedFileReader::new(file).map_err(|e| damaged(format!("the Parquet file is damaged: {e}")))?;
        let metadata = reader.metadata().file_metadata();
        let said = |key: &str| metadata.key_value_metadata()?.iter().find(|pair| pair.key == key)?.value.clone();
        let collection = said("collection").ok_or_else(|| damaged("it does not say its collection".to_owned()))?;
        let rows = u64::try_from(metadata.num_rows()).map_err(|_| damaged("it says a negative number of rows".to_owned()))?;
        let tenant = said("tenant").filter(|tenant| !tenant.is_empty());
        found.push(Parquet { rows, collection, tenant, name, path: path.clone() });
    }
    Ok(found)
}

/// Copies a file of objects into the snapshot.
///
/// # Errors
/// It cannot be read or written.
pub(super) fn take(file: &Parquet, folder: &Path) -> Result<Part> {
    let (bytes, sha256) = copy(&file.path, folder, &file.name)?;
    Ok(Part { path: file.name.clone(), rows: file.rows, bytes, sha256 })
}

/// Copies what the server wrote about the export, by which the converter checks it.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn carry(from: &Path, folder: &Path) -> Result<()> {
    for name in names(from, &|name| name == "export_metadata.json" || (name.starts_with("node_") && name.ends_with("_status.json")))? {
        copy(&from.join(&name), folder, &name)?;
    }
    Ok(())
}

fn names(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<String>> {
    let failed = |e: std::io::Error| Error::io("list the folder", folder, &e);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if wanted(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn copy(from: &Path, folder: &Path, name: &str) -> Result<(u64, String)> {
    let (partial, path) = (folder.join(format!("{name}{PARTIAL}")), folder.join(name));
    let mut source = fs::File::open(from).map_err(|e| Error::io("read", from, &e))?;
    let mut target = Summed::create(&partial)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = source.read(&mut piece).map_err(|e| Error::io("read", from, &e))?;
        if length == 0 {
            break;
        }
        target.write_all(&piece[..length]).map_err(|e| Error::io("write", &partial, &e))?;
    }
    let sealed = target.seal().map_err(|e| Error::io("write", &partial, &e))?;
    fs::rename(&partial, &path).map_err(|e| Error::io("rename", &partial, &e))?;
    sync_folder(folder)?;
    Ok(sealed)
}
