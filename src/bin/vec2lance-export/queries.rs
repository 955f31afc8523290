//! `--record-queries`: the source's own search is asked, and its answers are kept in `queries.jsonl` for a later comparison.
//!
//! Queries are records of the snapshot, evenly spread, or the user's own. Nothing is judged here.

use std::io::{BufRead, BufReader};
use std::path::Path;

use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};
use vec2lance::error::{Error, Result};
use vec2lance::manifest::Part;

use crate::cli::Queries;
use crate::journal::{Journal, UnitState};
use crate::source::{Hit, Query, Source, Unit};
use crate::writer::{hex, write_whole};

/// The file's name in the snapshot's folder.
pub(crate) const FILE: &str = "queries.jsonl";
/// Answers that are asked for, unless the query says so.
const K: usize = 10;
/// Searches at the same time.
const AT_ONCE: usize = 4;
/// Queries that are held at most.
const MOST: usize = 100_000;

/// One line of the file.
#[derive(Debug, Serialize)]
struct Line {
    id: String,
    collection: String,
    namespace: Option<String>,
    vector: Vec<Number>,
    k: usize,
    results: Vec<Hit>,
}

/// One line of the user's own queries.
#[derive(Debug, Deserialize)]
struct Asked {
    id: Value,
    vector: Vec<Number>,
    #[serde(default)]
    k: Option<usize>,
    #[serde(default)]
    collection: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
}

/// Id and main vector of a record in a layout whose places do not depend on the schema.
pub(crate) fn sample(unit: &Unit, record: &Value) -> Option<(String, Vec<Number>)> {
    let main = unit.vectors.first().filter(|v| v.kind == "dense")?;
    let vector = match unit.layout.as_str() {
        "chroma" => record.get("embedding"),
        "pinecone" => record.get("values"),
        _ if main.name.is_empty() => record.get("vector"),
        _ => record.get("vector").and_then(|v| v.get(&main.name)).or_else(|| record.get("vectors").and_then(|v| v.get(&main.name))),
    };
    let vector = vector?.as_array()?.iter().map(|v| v.as_number().cloned()).collect::<Option<Vec<_>>>()?;
    (!vector.is_empty()).then_some((text(record.get("id")?), vector))
}

/// An id as text.
fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Asks the source and writes the file. None where it has answered nothing.
///
/// # Errors
/// The user's file is not what it should be; the source fails; the disk does.
pub(crate) async fn record<S: Source>(source: &S, folder: &Path, journal: &Journal, wanted: &Queries) -> Result<Option<Part>> {
    let units = journal.begun().units;
    let own = match wanted {
        Queries::File(path) => read(path)?,
        Queries::Sample(_) => vec![],
    };
    let (mut content, mut rows) = (Vec::new(), 0);
    for (number, unit) in units.iter().enumerate() {
        let queries = match wanted {
            Queries::Sample(n) => spread(source, folder, unit, &journal.unit(number), *n)?,
            Queries::File(_) => fitting(&own, unit),
        };
        let lines: Vec<Option<Line>> = futures::stream::iter(queries)
            .map(|query| async move {
                let results = source.search(unit, &query).await?;
                let (collection, namespace) = (unit.collection.clone(), unit.namespace.clone());
                Ok::<_, Error>(results.map(|results| Line { id: query.id, collection, namespace, vector: query.vector, k: query.k, results }))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for line in lines.into_iter().flatten() {
            serde_json::to_writer(&mut content, &line).map_err(|e| Error::new(format!("cannot write an answer of the search: {e}")))?;
            content.push(b'\n');
            rows += 1;
        }
    }
    if rows == 0 {
        return Ok(None);
    }
    write_whole(folder, FILE, &content)?;
    let sha256 = hex(&Sha256::digest(&content));
    Ok(Some(Part { path: FILE.to_owned(), rows, bytes: content.len() as u64, sha256 }))
}

/// The user's own queries that are meant for this unit, or could be.
fn fitting(own: &[Asked], unit: &Unit) -> Vec<Query> {
    let dimension = unit.vectors.first().filter(|v| v.kind == "dense").and_then(|v| v.dimension);
    let meant = own.iter().filter(|q| q.collection.as_ref().is_none_or(|c| *c == unit.collection));
    let meant = meant.filter(|q| q.namespace.is_none() || q.namespace == unit.namespace).filter(|q| dimension.is_none_or(|d| d == q.vector.len()));
    meant.map(|q| Query { id: text(&q.id), vector: q.vector.clone(), k: q.k.unwrap_or(K) }).collect()
}

fn read(path: &Path) -> Result<Vec<Asked>> {
    let file = std::fs::File::open(path).map_err(|e| Error::io("read", path, &e))?;
    let mut queries = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| Error::io("read", path, &e))?;
        if line.trim().is_empty() {
            continue;
        }
        let query: Asked = serde_json::from_str(&line).map_err(|e| {
            Error::new(format!("{}:{}: not a query: {e}", path.display(), number + 1))
                .help("each line is {\"id\": …, \"vector\": […]}, optionally with \"k\", \"collection\", \"namespace\"")
        })?;
        queries.push(query);
        if queries.len() > MOST {
            return Err(Error::new(format!("{}: more than {MOST} queries", path.display())));
        }
    }
    Ok(queries)
}

/// `n` records of a unit's parts, evenly spread.
fn spread<S: Source>(source: &S, folder: &Path, unit: &Unit, state: &UnitState, n: usize) -> Result<Vec<Query>> {
    let parts: Vec<&Part> = state.ranges.iter().flat_map(|(_, r)| &r.parts).collect();
    let rows: u64 = parts.iter().map(|p| p.rows).sum();
    let n = (n.min(MOST) as u64).min(rows);
    let mut queries = Vec::new();
    let (mut row, mut next) = (0, 0);
    for part in parts {
        if next == n || row + part.rows <= next * rows / n {
            row += part.rows;
            continue;
        }
        crate::writer::lines(&folder.join(&part.path), &mut |line| {
            if next < n && row == next * rows / n {
                next += 1;
                if let Some((id, vector)) = serde_json::from_str(line).ok().and_then(|record| source.sample(unit, &record)) {
                    queries.push(Query { id, vector, k: K });
                }
            }
            row += 1;
        })?;
    }
    Ok(queries)
}
