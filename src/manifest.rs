//! The snapshot contract: `manifest.json` and what it promises about its parts. `formats/SNAPSHOT.md` is the text of it.
//!
//! Types only; who reads parts and compares is `plan.rs` and `pipeline.rs`, who writes them the exporter.

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
    /// What was exported.
    pub collections: Vec<CollectionEntry>,
    /// What was not, and why.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
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
