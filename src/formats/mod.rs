//! MEANING: what the bytes of a chunk say. One trait, one method: a chunk in, a batch and its rejects out.
//!
//! Opens no file, starts no thread, prints nothing. A layout is a TOML in `formats/` first, code only if no TOML can say it.

pub mod apart;
pub mod csv;
pub mod detect;
pub mod elements;
pub mod fields;
pub mod json;
pub mod jsonl;
pub mod milvus;
mod nested;
pub mod npy;
pub mod number;
pub mod pages;
pub mod parquet;
pub mod pieces;
mod reader;
pub mod rejects;
pub mod spec;
pub mod unpack;
mod vector;
mod walk;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::frame::unseen::Unseen;
use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::{Place, Reject};
use crate::source::chunk::LineChunk;

/// The layouts that are compiled in, each a file of `formats/`. One line each; `tests/it/house.rs` holds the list against the folder.
pub const BUILT_IN: [(&str, &str); 17] = [
    ("pinecone", include_str!("../../formats/pinecone.toml")),
    ("weaviate", include_str!("../../formats/weaviate.toml")),
    ("qdrant", include_str!("../../formats/qdrant.toml")),
    ("chroma", include_str!("../../formats/chroma.toml")),
    ("milvus", include_str!("../../formats/milvus.toml")),
    ("weaviate-export", include_str!("../../formats/weaviate-export.toml")),
    ("lancedb", include_str!("../../formats/lancedb.toml")),
    ("vdf", include_str!("../../formats/vdf.toml")),
    ("pinecone-pages", include_str!("../../formats/pinecone-pages.toml")),
    ("pinecone-documents", include_str!("../../formats/pinecone-documents.toml")),
    ("weaviate-pages", include_str!("../../formats/weaviate-pages.toml")),
    ("qdrant-pages", include_str!("../../formats/qdrant-pages.toml")),
    ("chroma-pages", include_str!("../../formats/chroma-pages.toml")),
    ("chroma-data-pipes", include_str!("../../formats/chroma-data-pipes.toml")),
    ("pgvector", include_str!("../../formats/pgvector.toml")),
    ("plain", include_str!("../../formats/plain.toml")),
    ("milvus-pages", include_str!("../../formats/milvus-pages.toml")),
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

impl Chunk {
    /// Throws away all but the first `records`; lines of white space count as one each.
    pub fn keep(&mut self, records: usize) {
        match self {
            Self::Lines(lines) if lines.oversize.is_none() => {
                let bytes = lines.data.bytes();
                if let Some(end) = memchr::memchr_iter(b'\n', bytes).nth(records.saturating_sub(1)).filter(|end| end + 1 < bytes.len()) {
                    lines.data = crate::source::chunk::ChunkData::Owned(bytes[..=end].to_vec());
                    lines.last = false;
                }
            }
            Self::Lines(_) => {}
            Self::Elements(elements) => elements.elements.truncate(records),
            Self::Rows { batch, .. } => *batch = batch.slice(0, records.min(batch.num_rows())),
        }
    }
}

/// Where an accepted record came from, for duplicates.
#[derive(Debug, Clone, Copy)]
pub struct RowOrigin {
    /// The row's uuid.
    pub uuid: [u8; 16],
    /// Its namespace, by its number in [`Decoded::spaces`].
    pub space: u32,
    /// Its place. `line` counts from the start of the chunk for [`Chunk::Lines`] until the pipeline adds what came before.
    pub place: Place,
}

/// Whether pages of answers go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageEnd {
    /// What the last page says comes next, as JSON text; `None` if it is the end.
    pub next: Option<String>,
    /// Whether any page was the end.
    pub ended: bool,
}

/// What became of one chunk.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Accepted records in the dataset's schema, in the chunk's order; `None` if there is none.
    pub batch: Option<RecordBatch>,
    /// One entry for each row of `batch`.
    pub origins: Vec<RowOrigin>,
    /// Namespaces of the rows; the first is the shard's, whether a row has it or not.
    pub spaces: Vec<String>,
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
    /// Values that a column of their own could not hold, so that it is null there, by column.
    pub unfit: BTreeMap<String, u64>,
    /// Rows whose main vector has a value that is no float32 and was rounded to the nearest.
    pub rounded: u64,
    /// How the pages of this chunk end; `None` if there are none that say.
    pub end: Option<PageEnd>,
    /// Named vectors that the layout does not know yet. If there are any, `batch` lacks their values: extend the layout and
    /// decode the chunk again.
    pub unknown: Vec<(String, VectorKind)>,
    /// What the records hold that the rows do not show.
    pub unseen: Unseen,
}

/// Turns a chunk into a batch.
pub trait Decoder: Send + Sync {
    /// Decodes one chunk under a layout. Pure: the same chunk and layout give the same result.
    ///
    /// # Errors
    /// A batch that does not fit the schema: a defect of this program. Bad data are rejects.
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> Result<Decoded, ArrowError>;
}
