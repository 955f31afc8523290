//! MEANING: what the bytes of a chunk say. One trait, one method: a chunk in, a batch and its rejects out.
//!
//! Opens no file, starts no thread, prints nothing. A layout is a TOML in `formats/` first, code only if no TOML can say it.

pub mod detect;
pub mod elements;
pub mod json;
pub mod jsonl;
pub mod milvus;
pub mod number;
pub mod parquet;
mod reader;
pub mod spec;
mod vector;
mod walk;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::{Place, Reject};
use crate::source::chunk::LineChunk;

/// The layouts that are compiled in, each a file of `formats/`. One line each; `tests/it/house.rs` holds the list against the folder.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("pinecone", include_str!("../../formats/pinecone.toml")),
    ("weaviate", include_str!("../../formats/weaviate.toml")),
    ("qdrant", include_str!("../../formats/qdrant.toml")),
    ("chroma", include_str!("../../formats/chroma.toml")),
    ("milvus", include_str!("../../formats/milvus.toml")),
];

/// A piece of a shard that holds whole records.
#[derive(Debug)]
pub enum Chunk {
    /// Lines of text, one record each.
    Lines(LineChunk),
    /// Elements of one JSON array.
    Elements(elements::ElementChunk),
    /// Rows of a Parquet file.
    Rows {
        /// The rows in the file's own schema.
        batch: RecordBatch,
        /// Number of the first row in the shard, from 0.
        first: u64,
    },
}

/// Where an accepted record came from, for duplicates.
#[derive(Debug, Clone, Copy)]
pub struct RowOrigin {
    /// The row's uuid.
    pub uuid: [u8; 16],
    /// Its place. `line` counts from the start of the chunk for [`Chunk::Lines`] until the pipeline adds what came before.
    pub place: Place,
}

/// What became of one chunk.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Accepted records in the dataset's schema, in the chunk's order; `None` if there is none.
    pub batch: Option<RecordBatch>,
    /// One entry for each row of `batch`.
    pub origins: Vec<RowOrigin>,
    /// Refused records, in the chunk's order.
    pub rejects: Vec<Reject>,
    /// Records met: rows and rejects.
    pub records: u64,
    /// Lines that end in this chunk, blank ones counted ([`Chunk::Lines`] only).
    pub lines: u64,
    /// Rows whose main vector is the placeholder.
    pub without_vector: u64,
    /// Rows whose main vector is all zero.
    pub zero_vectors: u64,
    /// Named vectors that the layout does not know yet. If there are any, `batch` lacks their values: extend the layout and
    /// decode the chunk again.
    pub unknown: Vec<(String, VectorKind)>,
}

/// Turns a chunk into a batch.
pub trait Decoder: Send + Sync {
    /// Decodes one chunk under a layout. Pure: the same chunk and layout give the same result.
    ///
    /// # Errors
    /// A batch that does not fit the schema: a defect of this program. Bad data are rejects.
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> Result<Decoded, ArrowError>;
}
