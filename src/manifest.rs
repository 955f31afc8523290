//! The snapshot contract: `manifest.json` and what it promises about its parts. `formats/SNAPSHOT.md` is the text of it.
//!
//! Types only; who reads parts and compares is `plan.rs` and `pipeline.rs`, who writes them the exporter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The value of `format`.
pub const FORMAT: &str = "vec2lance-snapshot";
/// The version that this program reads and writes.
pub const VERSION: u32 = 1;
/// The file's name in the snapshot's folder.
pub const FILE: &str = "manifest.json";

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// The database: `pinecone`, `weaviate`, `qdrant`, `chroma`, `milvus`.
    pub source: String,
    /// Version of the server, as it says itself.
    #[serde(default)]
    pub source_version: Option<String>,
    /// RFC 3339 time at which the export ended.
    #[serde(default)]
    pub exported_at: Option<String>,
    /// Program and version that wrote it.
    #[serde(default)]
    pub exporter: Option<String>,
    /// RFC 3339 time at which it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Options of the export that decide about its content, by flag: a filter, a consistency level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, serde_json::Value>,
    /// What was exported.
    pub collections: Vec<CollectionEntry>,
    /// What was not, and why.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Queries that the source itself has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<Part>,
    /// Other files of the source that lie beside the parts: its own snapshots or exports. The converter does not read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
}

/// One collection, or one namespace of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionEntry {
    /// Collection, class or index.
    pub name: String,
    /// Namespace, tenant or partition.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Name of the layout of its parts; by default, the source's.
    #[serde(default)]
    pub layout: Option<String>,
    /// Exact number of records.
    pub count: u64,
    /// Metric in the source's own word.
    #[serde(default)]
    pub metric: Option<String>,
    /// Its vectors, the main one first.
    #[serde(default)]
    pub vectors: Vec<VectorEntry>,
    /// The source's own schema, verbatim.
    #[serde(default)]
    pub schema: Option<serde_json::Value>,
    /// Its files, in order.
    pub parts: Vec<Part>,
    /// Count by the source itself before the first record was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_before: Option<CountEntry>,
    /// The same after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_after: Option<CountEntry>,
    /// Something of the source that changes when the collection is written to, before the first record was read.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub marker_before: serde_json::Value,
    /// The same after the last one.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub marker_after: serde_json::Value,
    /// Records that the source listed and then did not have any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vanished: u64,
    /// Why this may not be what the source held: a count that differs, a source that changed meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// What the source's interface does not give back exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<String>,
    /// What else is worth knowing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A count of the source's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountEntry {
    /// Records.
    pub value: u64,
    /// The call that gave it.
    #[serde(default)]
    pub by: String,
    /// Whether the source promises that it is exact at that moment.
    #[serde(default)]
    pub exact: bool,
}

/// A file that the source has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path inside the snapshot's folder.
    pub path: String,
    /// The collection that it belongs to.
    #[serde(default)]
    pub collection: Option<String>,
    /// What it is.
    #[serde(default)]
    pub what: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One vector of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VectorEntry {
    /// Its name; empty where the source has one unnamed vector.
    #[serde(default)]
    pub name: String,
    /// `dense`, `multi` or `sparse`.
    pub kind: String,
    /// Values per vector; none for sparse ones.
    #[serde(default)]
    pub dimension: Option<usize>,
    /// Type of a value in the source: `float32`, `float16`, …
    #[serde(default, rename = "type")]
    pub data_type: Option<String>,
    /// Metric in the source's own word.
    #[serde(default)]
    pub metric: Option<String>,
    /// Whether the source normalises vectors when it stores them.
    #[serde(default)]
    pub normalized: Option<bool>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Path inside the snapshot's folder.
    pub path: String,
    /// Records in it.
    pub rows: u64,
    /// Its size in bytes, as it lies on disk.
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256 of those bytes.
    pub sha256: String,
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Collection.
    pub collection: String,
    /// Namespace, tenant or partition.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Why.
    pub reason: String,
}
