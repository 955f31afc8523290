//! What a database must be able to do to be exported: name its units, count them, and give them page by page.
//!
//! The order of an export (counts, ranges, parts, counts again, manifest) is `run.rs`'s business, retries are `http.rs`'s. A source
//! only asks and reads answers; it writes no file and prints nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vec2lance::error::Result;
use vec2lance::manifest::{FileEntry, VectorEntry};

use crate::http::Failure;

/// One collection, or one namespace, tenant or partition of one: what has a count and parts of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unit {
    /// Collection, class or index, verbatim.
    pub(crate) collection: String,
    /// Namespace, tenant or partition.
    pub(crate) namespace: Option<String>,
    /// Layout of the parts, by its name in `formats/`.
    pub(crate) layout: String,
    /// Metric in the source's own word.
    pub(crate) metric: Option<String>,
    /// Vectors, the main one first.
    pub(crate) vectors: Vec<VectorEntry>,
    /// The source's own schema, verbatim.
    pub(crate) schema: Value,
    /// What the source's interface does not give back exactly, one sentence each.
    pub(crate) losses: Vec<String>,
    /// What this source needs to page the unit (an internal id, a host, a primary key). Kept in the journal, not in the manifest; no credential.
    pub(crate) private: Value,
}

/// A part of a unit that is paged on its own, from its first key to its last. The bounds are fixed in the journal before the first
/// page is read, so that a resumed run reads the same ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// Where it begins, inclusive; null: at the beginning. Its meaning is the source's.
    pub(crate) from: Value,
    /// Where it ends, exclusive; null: at the end.
    pub(crate) to: Value,
}

impl Range {
    /// The whole unit.
    #[must_use]
    pub(crate) fn whole() -> Self {
        Self { from: Value::Null, to: Value::Null }
    }
}

/// One record as the source gave it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// The record as one line of JSON, without the newline, in the unit's layout. Numbers keep the digits of the answer.
    pub(crate) line: String,
    /// The key after which the next record begins: given to [`Source::page`] as `after`, it gives what follows this record.
    pub(crate) key: Value,
}

impl Record {
    /// From the value as it stands in an answer, digit for digit.
    #[must_use]
    pub(crate) fn of(raw: &serde_json::value::RawValue, key: Value) -> Self {
        let text = raw.get();
        // A string of JSON holds no raw newline: those that are there stand between values.
        let line = if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], "") } else { text.to_owned() };
        Self { line, key }
    }
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Page {
    /// Records in the source's order, without doubles. A page without records is the last one of its range: a source whose answer holds
    /// none of what it asked for asks on by itself.
    pub(crate) records: Vec<Record>,
    /// No page follows in this range.
    pub(crate) last: bool,
    /// Records that the source listed and then did not have any more.
    pub(crate) vanished: u64,
    /// What happened and belongs in the manifest, one sentence each (a field refetched, a vector missing).
    pub(crate) notes: Vec<String>,
}

/// What was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// Collection, class or index.
    pub(crate) collection: String,
    /// Namespace, tenant or partition.
    pub(crate) namespace: Option<String>,
    /// Why, as one sentence.
    pub(crate) reason: String,
}

/// What the user chose; empty lists choose everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Selection {
    /// Collections, classes or indexes.
    pub(crate) collections: Vec<String>,
    /// Namespaces, tenants or partitions.
    pub(crate) namespaces: Vec<String>,
    /// A filter in the database's own language.
    pub(crate) filter: Option<String>,
}

/// One query for `queries.jsonl`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// Its id: that of the record whose vector it is, or the user's own.
    pub(crate) id: String,
    /// Dense vector, as JSON numbers in the digits of the source.
    pub(crate) vector: Vec<serde_json::Number>,
    /// Number of answers asked for.
    pub(crate) k: usize,
}

/// One answer of the source's search, the best one first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Hit {
    /// Id as it stands in the exported record, as text.
    pub(crate) id: String,
    /// The source's own score or distance.
    pub(crate) score: Option<f64>,
}

/// A count, and how the source came to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    /// Records.
    pub(crate) value: u64,
    /// The call that gave it: `points/count exact`, `count(*)`, …
    pub(crate) by: String,
    /// Whether the source promises that it is exact at that moment. A difference to one that is not exact is a warning.
    pub(crate) exact: bool,
}

/// How large a page should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageSize {
    /// Records of a page at most, unless `--batch` says so. The source may ask its server for fewer.
    pub(crate) records: usize,
    /// Bytes of its records that a page should have, where `--batch` allows it: pages grow to that from a small first one. Up to five times
    /// as much is in memory for each of `--concurrency`, of which more than four share what four need.
    pub(crate) bytes: usize,
}

/// A running database. Every call may be repeated; none changes the source.
pub(crate) trait Source: Send + Sync + 'static {
    /// Its name in the manifest: `qdrant`, `chroma`, …
    fn name(&self) -> &'static str;

    /// Options of its own that decide about the content (a consistency level, a database's name), by flag. They stand in the manifest, and
    /// a run with others does not go on with an unfinished export. No credential.
    fn options(&self) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    /// How large a page should be.
    fn page_size(&self) -> PageSize {
        PageSize { records: 1000, bytes: 4 << 20 }
    }

    /// Records of the first page of a range, by which the size of a record is learnt. More where the source has learnt it already.
    fn first_page(&self) -> usize {
        200
    }

    /// The server's version in its own word, if it says one. The first call of a run: wrong credentials end here.
    fn version(&self) -> impl Future<Output = Result<Option<String>>> + Send;

    /// Everything that was chosen, in a fixed order, and what cannot be read.
    ///
    /// # Errors
    /// A chosen collection or namespace that does not exist; its message lists those that do.
    fn units(&self, chosen: &Selection) -> impl Future<Output = Result<(Vec<Unit>, Vec<LeftOut>)>> + Send;

    /// Number of records by the strongest counting call that the source has; none where it has none (a filter it cannot count by).
    fn count(&self, unit: &Unit) -> impl Future<Output = Result<Option<Count>>> + Send;

    /// Something that changes when the unit is written to, beside the count; null where the source has no such thing.
    fn marker(&self, _unit: &Unit) -> impl Future<Output = Result<Value>> + Send {
        async { Ok(Value::Null) }
    }

    /// Whether [`Source::ranges`] goes on with what a run that died in it has left in `workdir`. Otherwise it finds the folder empty.
    fn resumes_lists(&self) -> bool {
        false
    }

    /// Prepares paging and gives up to `parallel` ranges that hold every record once. `workdir` is a folder of the snapshot that is
    /// removed at its end: lists of ids belong there. The result is in the journal: a resumed run does not ask again.
    fn ranges(&self, unit: &Unit, workdir: &Path, parallel: usize) -> impl Future<Output = Result<Vec<Range>>> + Send;

    /// Up to `limit` records of a range that follow `after`, or its first ones. May give fewer without being the last.
    ///
    /// # Errors
    /// As `http.rs` classes them; an answer that is too large is [`Failure::TooLarge`], upon which `run.rs` asks for fewer.
    fn page(&self, unit: &Unit, workdir: &Path, range: &Range, after: Option<&Value>, limit: usize) -> impl Future<Output = Result<Page, Failure>> + Send;

    /// Id and main vector of an exported record, for `--record-queries`; none where it has no dense one.
    fn sample(&self, unit: &Unit, record: &Value) -> Option<(String, Vec<serde_json::Number>)> {
        crate::queries::sample(unit, record)
    }

    /// Files that the source makes itself beside the parts, when it is asked to: downloads them into `folder`, the snapshot's.
    fn files(&self, _units: &[Unit], _folder: &Path) -> impl Future<Output = Result<Vec<FileEntry>>> + Send {
        async { Ok(vec![]) }
    }

    /// The source's own search over the unit's main vector. None where it cannot be asked.
    fn search(&self, unit: &Unit, query: &Query) -> impl Future<Output = Result<Option<Vec<Hit>>>> + Send;
}
