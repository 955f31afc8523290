//! From a path on the command line to the shards behind it, in name order.
//!
//! Reads directories and the first bytes of files; what the shards mean is decided in `plan.rs`.

use std::collections::BTreeMap;
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
    /// Files of CSV or TSV, which are the shards of a folder that has no others.
    pub tables: Vec<Shard>,
    /// Files of the folder that are no shards by name.
    pub ignored: Vec<String>,
}

impl Found {
    /// Decides about the tables, once what only stands beside the data is taken out of the shards: beside shards of another kind, a
    /// table is a list of something else.
    pub fn settle(&mut self) {
        if self.shards.is_empty() {
            self.shards.append(&mut self.tables);
        } else {
            self.ignored.extend(self.tables.drain(..).map(|table| table.name));
        }
    }
}

/// Names that a shard in a folder may end in. A file named on the command line may have any name.
const ENDINGS: [&str; 10] = [".jsonl", ".ndjson", ".json", ".parquet", ".jsonl.zst", ".ndjson.zst", ".json.zst", ".jsonl.gz", ".ndjson.gz", ".json.gz"];

/// And those of tables.
const TABLES: [&str; 6] = [".csv", ".tsv", ".csv.zst", ".tsv.zst", ".csv.gz", ".tsv.gz"];

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
        return Ok(Found { shards: vec![shard], tables: vec![], ignored: vec![] });
    }
    let meta = fs::metadata(dump).map_err(|e| missing(dump, &e))?;
    if !meta.is_dir() {
        let name = dump.display().to_string();
        return Ok(Found { shards: vec![shard(dump.into(), name, None)?], tables: vec![], ignored: vec![] });
    }
    let files = files(dump)?;
    let is_table = |name: &str| TABLES.iter().any(|ending| name.ends_with(ending));
    let mut found = Found { shards: vec![], tables: vec![], ignored: vec![] };
    if let Some(table) = table(dump, &files) {
        found.shards.push(table);
        return Ok(found);
    }
    let mut arrays: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in files {
        let inside = path.strip_prefix(dump).unwrap_or(&path).to_owned();
        let lower = inside.to_string_lossy().to_ascii_lowercase();
        let json = ENDINGS.iter().any(|ending| lower.ends_with(ending)) && !lower.ends_with("manifest.json");
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
            arrays.entry(path.parent().unwrap_or(dump).to_owned()).or_default().push(path);
        } else if json || is_table(&lower) {
            let folder = inside.parent().filter(|p| !p.as_os_str().is_empty()).map(|p| p.to_string_lossy().into_owned());
            let list = if json { &mut found.shards } else { &mut found.tables };
            list.push(shard(path, inside.display().to_string(), folder)?);
        } else {
            found.ignored.push(inside.display().to_string());
        }
    }
    for (folder, files) in arrays {
        found.shards.push(of_arrays(dump, &folder, &files));
    }
    found.shards.sort_by(|a, b| a.path.cmp(&b.path));
    if found.shards.is_empty() && found.tables.is_empty() {
        let shown = printable(&dump.display().to_string());
        return Err(Error::new(format!(
            "{shown}: the folder holds no shard, expected files named *.jsonl, *.ndjson, *.json, *.csv, *.tsv (plain, .zst, .gz), *.parquet or *.npy"
        ))
        .help("a file of another name can be given by its own path"));
    }
    Ok(found)
}

/// The arrays of one folder as a shard: its path is that of the first of them.
fn of_arrays(dump: &Path, folder: &Path, files: &[PathBuf]) -> Shard {
    let inside = |path: &Path| path.strip_prefix(dump).ok().map(|p| p.display().to_string()).filter(|p| !p.is_empty());
    Shard {
        path: files.first().cloned().unwrap_or_default(),
        name: inside(folder).unwrap_or_else(|| dump.display().to_string()),
        size: files.iter().filter_map(|f| fs::metadata(f).ok()).map(|m| m.len()).sum(),
        encoding: Encoding::Arrays,
        folder: inside(folder),
        regular: true,
    }
}

/// A folder that is a Lance table as a shard: its path is that of the newest version's manifest.
fn table(dump: &Path, files: &[PathBuf]) -> Option<Shard> {
    let versions = dump.join("_versions");
    // Newer tables count the versions down in their files' names, so that the newest comes first.
    let number = |path: &Path| path.file_stem().and_then(|n| n.to_string_lossy().parse::<u64>().ok());
    let manifests = files.iter().filter(|f| f.starts_with(&versions) && f.extension().is_some_and(|e| e == "manifest"));
    let newest = manifests.filter_map(|f| number(f).map(|n| (if n > u64::MAX / 2 { u64::MAX - n } else { n }, f))).max()?.1;
    let data = dump.join("data");
    let size = files.iter().filter(|f| f.starts_with(&data)).filter_map(|f| fs::metadata(f).ok()).map(|m| m.len()).sum();
    Some(Shard { path: newest.clone(), name: dump.display().to_string(), size, encoding: Encoding::Table, folder: None, regular: true })
}

/// Every file under a folder, in name order; names that begin with a dot are left out.
///
/// # Errors
/// A folder cannot be listed, or folders are nested too deeply.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    walk(folder, &mut files, 0)?;
    files.sort();
    Ok(files)
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
