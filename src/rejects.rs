//! A rejects file read back: which collections its records belong to, and what was wrong with them, by code.
//!
//! Not the records themselves: [`crate::formats::rejects`] decodes those, once they are mended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::formats::rejects::Origin;
use crate::reject::{excerpt, printable};

/// One line, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Refused {
    #[serde(flatten)]
    origin: Origin,
    shard: String,
    #[serde(default)]
    line: Option<u64>,
    #[serde(default)]
    byte: Option<u64>,
    #[serde(default)]
    record: u64,
    #[serde(default)]
    id: Option<String>,
    code: String,
    reason: String,
    original: serde_json::Value,
}

/// Longest line: a record and its escapes.
const LONGEST: u64 = 4 << 30;

/// Whether the file's first line is one of a rejects file.
///
/// # Errors
/// The file cannot be read.
pub fn is_rejects(path: &Path) -> Result<bool> {
    const ENOUGH: u64 = 64 << 20;
    if !path.is_file() {
        return Ok(false);
    }
    let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    let mut reader = BufReader::new(file.take(ENOUGH));
    let start = reader.fill_buf().map_err(|e| Error::io("read", path, &e))?;
    // Keys stand in the order of the alphabet; a cheap look spares reading the first line of every dump twice.
    if !start.starts_with(b"{") || memchr::memmem::find(start, b"\"code\"").is_none() {
        return Ok(false);
    }
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(|e| Error::io("read", path, &e))?;
    Ok(serde_json::from_slice::<Refused>(&line).is_ok())
}

fn each(path: &Path, take: &mut dyn FnMut(u64, Option<Refused>)) -> Result<()> {
    let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(|e| Error::io("read", path, &e))? == 0 {
            return Ok(());
        }
        number += 1;
        if !line.trim_ascii().is_empty() {
            take(number, serde_json::from_slice(&line).ok());
        }
    }
}

/// Where the records come from, each origin once, in the order of the file.
///
/// # Errors
/// The file cannot be read.
pub fn origins(path: &Path) -> Result<Vec<Origin>> {
    let mut origins: Vec<Origin> = Vec::new();
    each(path, &mut |_, line| {
        if let Some(line) = line
            && !origins.contains(&line.origin)
        {
            origins.push(line.origin);
        }
    })?;
    Ok(origins)
}

/// All rejects of one code.
#[derive(Debug, Clone, Serialize)]
pub struct OfCode {
    /// The code.
    pub code: String,
    /// How many there are.
    pub count: u64,
    /// The first few: place, id, reason, and the beginning of the record.
    pub examples: Vec<Example>,
}

/// One reject.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// `points.jsonl:17 (byte 4711)`
    pub place: String,
    /// Its id, where it could be read.
    pub id: Option<String>,
    /// Why.
    pub reason: String,
    /// The beginning of the record.
    pub original: String,
    /// Its line in the rejects file, from 1.
    pub line: u64,
}

/// What a rejects file holds.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// All records.
    pub count: u64,
    /// By code, the most frequent first.
    pub codes: Vec<OfCode>,
    /// Where they come from.
    pub origins: Vec<Origin>,
    /// Lines that are none of a rejects file, from 1: the first few.
    pub broken: Vec<u64>,
}

/// Groups a rejects file by code, with `examples` of each.
///
/// # Errors
/// The file cannot be read, or no line of it is a reject.
pub fn summary(path: &Path, examples: usize) -> Result<Summary> {
    let mut codes: BTreeMap<String, OfCode> = BTreeMap::new();
    let mut summary = Summary { count: 0, codes: vec![], origins: vec![], broken: vec![] };
    each(path, &mut |number, line| {
        let Some(line) = line else {
            if summary.broken.len() < 10 {
                summary.broken.push(number);
            }
            return;
        };
        summary.count += 1;
        let of = codes.entry(line.code.clone()).or_insert_with(|| OfCode { code: line.code.clone(), count: 0, examples: vec![] });
        of.count += 1;
        if of.examples.len() < examples {
            let shard = printable(&line.shard);
            let place = match (line.line, line.byte) {
                (Some(line), Some(byte)) => format!("{shard}:{line} (byte {byte})"),
                _ => format!("{shard}, row {}", line.record),
            };
            let original = line.original.as_str().map_or_else(|| line.original.to_string(), str::to_owned);
            of.examples.push(Example { place, id: line.id, reason: line.reason, original: excerpt(&original, 160), line: number });
        }
        if !summary.origins.contains(&line.origin) {
            summary.origins.push(line.origin);
        }
    })?;
    if summary.count == 0 && !summary.broken.is_empty() {
        return Err(Error::new(format!("{}: no line is one of a rejects file", printable(&path.display().to_string())))
            .help("give the file OUT.rejects.jsonl that `vec2lance convert` has written"));
    }
    summary.codes = codes.into_values().collect();
    summary.codes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.code.cmp(&b.code)));
    Ok(summary)
}
