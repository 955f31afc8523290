//! Reads queries, with what the source answered where the file says so: JSON lines, one JSON document, or Parquet; plain or compressed.
//!
//! What one value means is told in `answers.rs`. No search is made here.

use std::fs::File;
use std::path::Path;

use serde_json::Value;

use super::answers;
use crate::error::{Error, Result};
use crate::formats::Chunk;
use crate::formats::parquet::{Rows, row_text};
use crate::reject::printable;
use crate::source::find;
use crate::source::magic::Encoding;
use crate::source::stream::{Stream, window_log};

/// A row that the source found.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its id in the source, as text.
    pub id: String,
    /// Score or distance, in the source's own measure.
    pub score: Option<f64>,
    /// Its other fields, where the answer carries them.
    pub fields: Option<Value>,
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Its id; its number, from 1, where it has none.
    pub id: String,
    /// The vector; empty where only words are asked for.
    pub vector: Vec<f32>,
    /// The words.
    pub text: Option<String>,
    /// How many rows were asked for.
    pub k: Option<usize>,
    /// SQL as text, or the source's own language as an object.
    pub filter: Option<Value>,
    /// What the source answered, best first.
    pub results: Option<Vec<Told>>,
}

/// Plain bytes of a file of queries at most.
const LARGEST: usize = 1 << 30;
/// Rows of Parquet at a time.
const ROWS: usize = 256;

/// Reads a file of queries. `answers` is a second file with the source's raw responses, in the queries' order.
///
/// # Errors
/// A file cannot be read, a line is no JSON, a value is no query, or numbers of queries and answers differ.
pub fn read(path: &Path, answers: Option<&Path>) -> Result<Vec<Query>> {
    let mut queries = Vec::new();
    for (place, value) in values(path)? {
        let failed = |why: String| Error::new(format!("{place}: {why}")).help(SHAPES);
        let made = answers::queries(&value, answers.is_none()).map_err(failed)?;
        queries.extend(made);
    }
    if let Some(path) = answers {
        let mut lists = Vec::new();
        for (place, value) in values(path)? {
            let found = answers::lists(&value, None).ok_or_else(|| Error::new(format!("{place}: this is no answer of a search")).help(SHAPES))?;
            lists.extend(found);
        }
        if lists.len() != queries.len() {
            let shown = printable(&path.display().to_string());
            return Err(Error::new(format!("{shown}: {} answers, expected {}, the number of queries", lists.len(), queries.len()))
                .help("give one answer for each query, in the same order"));
        }
        for (query, list) in queries.iter_mut().zip(lists) {
            query.results = Some(list);
        }
    }
    if queries.is_empty() {
        return Err(Error::new(format!("{}: holds no query", printable(&path.display().to_string()))).help(SHAPES));
    }
    for (number, query) in queries.iter_mut().enumerate().filter(|(_, q)| q.id.is_empty()) {
        query.id = (number + 1).to_string();
    }
    Ok(queries)
}

const SHAPES: &str = "expected JSON lines of {\"id\",\"vector\",\"text\"?,\"k\"?,\"filter\"?,\"results\":[{\"id\",\"score\"}…]}, Parquet with such columns, or a raw search response with its request: {\"request\":…,\"response\":…}";

/// Every value of a file, with its place.
fn values(path: &Path) -> Result<Vec<(String, Value)>> {
    let name = printable(&path.display().to_string());
    let shard = find::shard(path.to_owned(), name.clone(), None)?;
    if shard.encoding == Encoding::Parquet {
        return parquet(path, &name);
    }
    let mut bytes = Vec::new();
    let mut stream = Stream::open(&shard, window_log(LARGEST as u64))?;
    while !stream.fill(&mut bytes, 1 << 20)? {
        if bytes.len() > LARGEST {
            return Err(Error::new(format!("{name}: more than {} MiB, expected queries", LARGEST >> 20)).help("split the file"));
        }
    }
    let text = std::str::from_utf8(&bytes).map_err(|e| Error::new(format!("{name} (byte {}): this is no UTF-8", e.valid_up_to())))?;
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<(usize, &str)> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let mut values = Vec::new();
    for (number, line) in &lines {
        match serde_json::from_str(line) {
            Ok(value) => values.push((format!("{name}:{}", number + 1), value)),
            // The first line alone is no value: the file may be one document over many lines.
            Err(_) if values.is_empty() && lines.len() > 1 => {
                let value = serde_json::from_str(text).map_err(|e| Error::new(format!("{name}:{}: this is no JSON: {e}", e.line())).help(SHAPES))?;
                return Ok(vec![(name, value)]);
            }
            Err(e) => return Err(Error::new(format!("{name}:{}: this is no JSON: {e}", number + 1)).help(SHAPES)),
        }
    }
    Ok(values)
}

fn parquet(path: &Path, name: &str) -> Result<Vec<(String, Value)>> {
    let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    let mut reader = Rows::open(file, name, ROWS)?;
    let mut values = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        let Chunk::Rows { batch, .. } = chunk else { continue };
        for row in 0..batch.num_rows() {
            let value = serde_json::from_str(&row_text(&batch, row)).map_err(|e| Error::new(format!("{name}: row {}: {e}", values.len() + 1)))?;
            values.push((format!("{name}: row {}", values.len() + 1), value));
        }
    }
    Ok(values)
}
