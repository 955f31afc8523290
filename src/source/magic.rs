//! What a file is, told by its first bytes and never by its name; and which kinds are refused by name.
//!
//! Not what the text means: that is [`crate::formats::detect`].

use std::path::Path;

use crate::error::{Error, Result};
use crate::reject::printable;

/// How a shard's bytes are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Text as it is.
    Plain,
    /// Zstandard frames (RFC 8878).
    Zstd,
    /// Gzip members (RFC 1952).
    Gzip,
    /// A Parquet file.
    Parquet,
    /// A folder of NumPy arrays.
    Arrays,
    /// A Lance table.
    Table,
}

impl Encoding {
    /// The word for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Parquet => "parquet",
            Self::Arrays => "numpy",
            Self::Table => "lance",
        }
    }
}

/// Bytes that [`detect`] wants to see.
pub const HEAD: usize = 16;

/// Tells the encoding from the first bytes; `path` is used for messages, and for a promise made by the name `.parquet`.
///
/// # Errors
/// Something that is recognised and cannot be read: another compressor, an archive, UTF-16, a false `.parquet`.
pub fn detect(head: &[u8], path: &Path) -> Result<Encoding> {
    let shown = printable(&path.display().to_string());
    let refuse = |what: &str, help: &str| Err(Error::new(format!("{shown}: this is {what}, which vec2lance does not read")).help(help));
    let starts = |magic: &[u8]| head.starts_with(magic);
    let skippable = head.len() >= 4 && head[1..4] == [0x2A, 0x4D, 0x18] && head[0] & 0xF0 == 0x50;
    if starts(&[0x28, 0xB5, 0x2F, 0xFD]) || skippable {
        return Ok(Encoding::Zstd);
    }
    if starts(&[0x1F, 0x8B]) {
        return Ok(Encoding::Gzip);
    }
    if starts(b"PAR1") {
        return Ok(Encoding::Parquet);
    }
    if starts(b"PARE") {
        return refuse("an encrypted Parquet file", "decrypt it first");
    }
    if starts(&[0xFD, b'7', b'z', b'X', b'Z', 0]) {
        return refuse("xz data", "decompress it first: xz -dk FILE");
    }
    if starts(b"BZh") {
        return refuse("bzip2 data", "decompress it first: bzip2 -dk FILE");
    }
    if starts(&[0x04, 0x22, 0x4D, 0x18]) {
        return refuse("lz4 data", "decompress it first: lz4 -d FILE");
    }
    if starts(b"PK\x03\x04") {
        return refuse("a zip archive", "unpack it first and give the folder");
    }
    if starts(b"7z\xBC\xAF\x27\x1C") {
        return refuse("a 7z archive", "unpack it first and give the folder");
    }
    if starts(b"SQLite format 3\0") {
        return refuse("an SQLite database", "export its records to JSONL first");
    }
    if starts(b"PGCOPY\n") {
        return refuse("PostgreSQL's binary COPY", "export as text: COPY … TO … WITH (FORMAT csv, HEADER)");
    }
    if starts(b"PGDMP") {
        return refuse("an archive of pg_dump", "restore it, then export: COPY … TO … WITH (FORMAT csv, HEADER)");
    }
    if starts(b"\x93NUMPY") {
        return Err(Error::new(format!("{shown}: this is one NumPy array, which is one field of the records"))
            .help("give the folder that holds it, with one .npy file for each field: ids, vectors, metadata"));
    }
    if starts(&[0xFF, 0xFE, 0, 0]) || starts(&[0, 0, 0xFE, 0xFF]) {
        return refuse("UTF-32 text", "convert it to UTF-8 first: iconv -f UTF-32 -t UTF-8 FILE");
    }
    let utf16 = starts(&[0xFF, 0xFE]) || starts(&[0xFE, 0xFF]) || starts(&[b'{', 0]) || starts(&[0, b'{']) || starts(&[b'[', 0]) || starts(&[0, b'[']);
    if utf16 {
        return refuse("UTF-16 text", "convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE");
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")) {
        return Err(Error::new(format!("{shown}: not a Parquet file: it does not start with PAR1"))
            .help("if it holds JSON lines, rename it to .jsonl; otherwise copy it again from its source"));
    }
    Ok(Encoding::Plain)
}
