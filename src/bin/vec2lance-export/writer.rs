//! Parts: records in, files of bounded size out, each under a temporary name until it is whole and on the disk.
//!
//! A part is cut at the record at which its uncompressed bytes pass the limit, whatever pages the records came in; so the same records
//! give the same bytes, however often the run was killed. Not which records, and not the manifest.

mod parquet;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use vec2lance::error::{Error, Result};
use vec2lance::manifest::Part;

use crate::source::{Record, Unit};
pub(crate) use parquet::Columns;

/// What the name of a part that is not whole ends with.
pub(crate) const PARTIAL: &str = ".partial";
/// Bytes that the compressor is fed at once. The same pieces give the same output.
const PIECE: usize = 256 << 10;
/// Zstandard's level.
const LEVEL: i32 = 3;

/// A file that is summed while it is written.
#[derive(Debug)]
pub(crate) struct Summed {
    file: BufWriter<File>,
    sum: Sha256,
    bytes: u64,
}

impl Summed {
    /// Makes the file anew.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::io("create", path, &e))?;
        Ok(Self { file: BufWriter::with_capacity(PIECE, file), sum: Sha256::new(), bytes: 0 })
    }

    /// Puts everything on the disk; gives size and lower-case hexadecimal SHA-256.
    pub(crate) fn seal(mut self) -> io::Result<(u64, String)> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok((self.bytes, hex(&self.sum.finalize())))
    }
}

impl Write for Summed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write_all(buffer)?;
        self.sum.update(buffer);
        self.bytes += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// JSON lines in one Zstandard frame with a checksum.
struct Lines {
    encoder: zstd::stream::write::Encoder<'static, Summed>,
    piece: Vec<u8>,
}

impl Lines {
    fn new(file: Summed) -> io::Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(file, LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self { encoder, piece: Vec::with_capacity(PIECE + (64 << 10)) })
    }

    fn add(&mut self, line: &str) -> io::Result<()> {
        self.piece.extend_from_slice(line.as_bytes());
        self.piece.push(b'\n');
        let whole = self.piece.len() / PIECE * PIECE;
        for piece in self.piece[..whole].chunks(PIECE) {
            self.encoder.write_all(piece)?;
        }
        self.piece.drain(..whole);
        Ok(())
    }

    fn end(mut self) -> io::Result<Summed> {
        self.encoder.write_all(&self.piece)?;
        self.encoder.finish()
    }
}

/// Where records go.
enum Sink {
    Lines(Box<Lines>),
    Table(Box<parquet::Table>),
}

impl Sink {
    fn new(file: Summed, columns: Option<&Columns>) -> io::Result<Self> {
        match columns {
            None => Lines::new(file).map(|lines| Self::Lines(Box::new(lines))),
            Some(columns) => parquet::Table::new(file, columns).map(|table| Self::Table(Box::new(table))),
        }
    }

    fn add(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Lines(lines) => lines.add(line),
            Self::Table(table) => table.add(line),
        }
    }

    fn end(self) -> io::Result<Summed> {
        match self {
            Self::Lines(lines) => lines.end(),
            Self::Table(table) => table.end(),
        }
    }
}

/// A part under way.
struct Open {
    name: String,
    sink: Sink,
    rows: u64,
    /// Bytes of its records before compression.
    raw: u64,
    key: Value,
}

/// A part that is whole and has its name.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) part: Part,
    /// The key of its last record.
    pub(crate) key: Value,
}

/// The parts of one range, from one of them on.
pub(crate) struct Parts {
    folder: PathBuf,
    prefix: String,
    next: usize,
    size: u64,
    columns: Option<Columns>,
    open: Option<Open>,
}

impl Parts {
    /// Goes on with the part of this number. Names begin with `prefix`; with `columns`, parts are Parquet.
    pub(crate) fn new(folder: &Path, prefix: String, next: usize, size: u64, columns: Option<Columns>) -> Self {
        Self { folder: folder.to_owned(), prefix, next, size, columns, open: None }
    }

    /// Adds a record; gives the part that it has filled.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn add(&mut self, record: Record) -> Result<Option<Finished>> {
        let mut open = if let Some(open) = self.open.take() {
            open
        } else {
            let ending = if self.columns.is_some() { "parquet" } else { "jsonl.zst" };
            let name = format!("{}-{:05}.{ending}", self.prefix, self.next);
            let path = self.partial(&name);
            let sink = Sink::new(Summed::create(&path)?, self.columns.as_ref()).map_err(|e| Error::io("write", &path, &e))?;
            Open { name, sink, rows: 0, raw: 0, key: Value::Null }
        };
        open.sink.add(&record.line).map_err(|e| Error::io("write", &self.partial(&open.name), &e))?;
        open.rows += 1;
        open.raw += record.line.len() as u64 + 1;
        open.key = record.key;
        let full = open.raw >= self.size;
        self.open = Some(open);
        if full { self.finish() } else { Ok(None) }
    }

    /// Ends the part under way, if there is one.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn finish(&mut self) -> Result<Option<Finished>> {
        let Some(open) = self.open.take() else { return Ok(None) };
        let (partial, path) = (self.partial(&open.name), self.folder.join(&open.name));
        let (bytes, sha256) = open.sink.end().and_then(Summed::seal).map_err(|e| Error::io("write", &partial, &e))?;
        fs::rename(&partial, &path).map_err(|e| Error::io("rename", &partial, &e))?;
        sync_folder(&self.folder)?;
        self.next += 1;
        Ok(Some(Finished { part: Part { path: open.name, rows: open.rows, bytes, sha256 }, key: open.key }))
    }

    fn partial(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{PARTIAL}"))
    }
}

/// What names of a range's parts begin with: unit, collection, namespace, range. Only the numbers make it unique.
pub(crate) fn prefix(number: usize, unit: &Unit, range: usize) -> String {
    let namespace = unit.namespace.as_deref().filter(|n| !n.is_empty()).map(|n| format!("-{}", plain(n))).unwrap_or_default();
    format!("{number:04}-{}{namespace}-r{range:02}", plain(&unit.collection))
}

/// Lower-case hexadecimal, two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A name that every file system takes: letters, digits, `_`, at most 40.
pub(crate) fn plain(name: &str) -> String {
    let short: String = name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if short.is_empty() { "_".to_owned() } else { short }
}

/// The records of a part that we have written, as lines.
///
/// # Errors
/// It cannot be read.
pub(crate) fn lines(path: &Path, each: &mut dyn FnMut(&str)) -> Result<()> {
    if path.extension().is_some_and(|e| e == "parquet") {
        return parquet::lines(path, each);
    }
    let failed = |e: io::Error| Error::io("read", path, &e);
    let file = File::open(path).map_err(failed)?;
    let mut reader = BufReader::with_capacity(PIECE, zstd::stream::read::Decoder::new(file).map_err(failed)?);
    let mut line = String::new();
    while reader.read_line(&mut line).map_err(failed)? > 0 {
        each(line.trim_end_matches('\n'));
        line.clear();
    }
    Ok(())
}

/// Writes a file as a whole: under another name, on the disk, renamed.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write_whole(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    let (partial, path) = (folder.join(format!("{name}{PARTIAL}")), folder.join(name));
    let write = || -> io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|e| Error::io("write", &partial, &e))?;
    fs::rename(&partial, &path).map_err(|e| Error::io("rename", &partial, &e))?;
    sync_folder(folder)
}

/// Makes renames in a folder last.
///
/// # Errors
/// The system refuses.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io("flush the folder", folder, &e))
}
