//! From a path on the command line to the shards behind it, in name order.
//!
//! Reads directories and the first bytes of files; what the shards mean is decided in `plan.rs`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::magic::{self, Encoding};
use crate::error::{Error, Result};
use crate::reject::printable;

/// One input file.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// As messages show it: the path as given, or the path inside the given folder.
    pub name: String,
    /// Size on disk in bytes; 0 for standard input and pipes.
    pub size: u64,
    /// How it is wrapped.
    pub encoding: Encoding,
    /// Sub-folder of the dump that it lies in, where there is one.
    pub folder: Option<String>,
    /// Whether it can be opened again and read at any offset.
    pub regular: bool,
}

/// What stands behind one argument.
#[derive(Debug, Clone)]
pub struct Found {
    /// The shards.
    pub shards: Vec<Shard>,
    /// Files of the folder that are no shards by name.
    pub ignored: Vec<String>,
}

/// Names that a shard in a folder may end in. A file named on the command line may have any name.
const ENDINGS: [&str; 10] = [".jsonl", ".ndjson", ".json", ".parquet", ".jsonl.zst", ".ndjson.zst", ".json.zst", ".jsonl.gz", ".ndjson.gz", ".json.gz"];

/// Standard input's path.
#[must_use]
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Finds the shards of one dump.
///
/// # Errors
/// The path does not exist or cannot be read, a folder without shards, a file of a kind that is refused.
pub fn find(dump: &Path) -> Result<Found> {
    if is_stdin(dump) {
        // Compression of a stream is told when it is opened.
        let shard = Shard { path: dump.into(), name: "-".into(), size: 0, encoding: Encoding::Plain, folder: None, regular: false };
        return Ok(Found { shards: vec![shard], ignored: vec![] });
    }
    let meta = fs::metadata(dump).map_err(|e| missing(dump, &e))?;
    if !meta.is_dir() {
        let name = dump.display().to_string();
        return Ok(Found { shards: vec![shard(dump.into(), name, None)?], ignored: vec![] });
    }
    let mut files = Vec::new();
    walk(dump, &mut files, 0)?;
    files.sort();
    let mut found = Found { shards: vec![], ignored: vec![] };
    for path in files {
        let inside = path.strip_prefix(dump).unwrap_or(&path).to_owned();
        let lower = inside.to_string_lossy().to_ascii_lowercase();
        if ENDINGS.iter().any(|ending| lower.ends_with(ending)) && !lower.ends_with("manifest.json") {
            let folder = inside.parent().filter(|p| !p.as_os_str().is_empty()).map(|p| p.to_string_lossy().into_owned());
            found.shards.push(shard(path, inside.display().to_string(), folder)?);
        } else {
            found.ignored.push(inside.display().to_string());
        }
    }
    if found.shards.is_empty() {
        let shown = printable(&dump.display().to_string());
        return Err(Error::new(format!("{shown}: the folder holds no shard, expected files named *.jsonl, *.ndjson, *.json (plain, .zst, .gz) or *.parquet"))
            .help("a file of another name can be given by its own path"));
    }
    Ok(found)
}

/// Describes one file as a shard.
///
/// # Errors
/// It cannot be read, or is of a kind that is refused.
pub fn shard(path: PathBuf, name: String, folder: Option<String>) -> Result<Shard> {
    let meta = fs::metadata(&path).map_err(|e| missing(&path, &e))?;
    if !meta.is_file() {
        // A pipe: looking at its first bytes would take them away.
        return Ok(Shard { path, name, size: 0, encoding: Encoding::Plain, folder, regular: false });
    }
    let mut head = Vec::new();
    let mut file = File::open(&path).map_err(|e| Error::io("open", &path, &e))?;
    file.by_ref().take(magic::HEAD as u64).read_to_end(&mut head).map_err(|e| Error::io("read", &path, &e))?;
    let encoding = magic::detect(&head, &path)?;
    Ok(Shard { path, name, size: meta.len(), encoding, folder, regular: true })
}

fn missing(path: &Path, error: &std::io::Error) -> Error {
    let made = Error::io("read", path, error);
    if error.kind() == std::io::ErrorKind::NotFound { made.help("check the spelling; paths are relative to the current folder") } else { made }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    if depth > 16 {
        return Err(Error::new(format!("{}: folders nested deeper than 16 levels", printable(&folder.display().to_string()))));
    }
    let entries = fs::read_dir(folder).map_err(|e| Error::io("list the folder", folder, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("list the folder", folder, &e))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() { walk(&path, files, depth + 1)? } else { files.push(path) }
    }
    Ok(())
}
