//! One shard as a sequence of chunks, whatever its framing: what the plan samples is what the pipeline reads.
//!
//! Not decoding. For pipes, the bytes that the plan has looked at are handed on, because they cannot be read twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Mutex;

use super::{Budget, PlannedShard};
use crate::error::{Error, Result};
use crate::formats::Chunk;
use crate::formats::detect::Framing;
use crate::formats::elements::Elements;
use crate::formats::parquet::Rows;
use crate::source::chunk::LineChunks;
use crate::source::find::Shard;
use crate::source::stream::Stream;

/// A pipe that was opened for the plan, with what was read of it.
#[derive(Debug)]
pub struct Opened {
    pub(super) stream: Stream,
    pub(super) head: Vec<u8>,
    pub(super) ended: bool,
}

/// A pipe on its way from the plan to the pipeline.
pub type Held = Mutex<Option<Opened>>;

/// The chunks of one shard.
#[derive(Debug)]
pub enum ShardReader {
    /// Lines.
    Lines(LineChunks),
    /// Elements of a document.
    Elements {
        /// The reader.
        elements: Box<Elements<'static>>,
        /// Bytes of a chunk.
        target: usize,
    },
    /// Parquet rows.
    Rows(Rows),
}

impl ShardReader {
    /// Opens a planned shard. `keys` may wrap an array of records.
    ///
    /// # Errors
    /// It cannot be opened, or does not begin as its framing asks.
    pub fn open(planned: &PlannedShard, keys: &[String], budget: &Budget) -> Result<Self> {
        let held = planned.held.lock().map(|mut held| held.take()).unwrap_or_default();
        open(&planned.shard, planned.framing, planned.batch_rows, keys, budget, held)
    }

    /// The next chunk.
    ///
    /// # Errors
    /// The input cannot be read on.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        match self {
            Self::Lines(lines) => Ok(lines.next_chunk()?.map(Chunk::Lines)),
            Self::Elements { elements, target } => Ok(elements.next_chunk(*target)?.map(Chunk::Elements)),
            Self::Rows(rows) => rows.next_chunk(),
        }
    }

    /// Fields beside the records of a wrapping object, as far as they were met.
    #[must_use]
    pub fn info(&self) -> BTreeMap<String, String> {
        if let Self::Elements { elements, .. } = self { elements.info.clone() } else { BTreeMap::new() }
    }

    /// Elements met so far, for documents.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        if let Self::Elements { elements, .. } = self { Some(elements.count) } else { None }
    }
}

pub(super) fn open(shard: &Shard, framing: Framing, batch_rows: usize, keys: &[String], budget: &Budget, held: Option<Opened>) -> Result<ShardReader> {
    match framing {
        Framing::Parquet => {
            let file = File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?;
            Ok(ShardReader::Rows(Rows::open(file, &shard.name, batch_rows)?))
        }
        Framing::Lines => Ok(ShardReader::Lines(match held {
            Some(opened) => LineChunks::resume(opened.stream, opened.head, opened.ended, budget.limits),
            None => LineChunks::open(shard, budget.limits, budget.map, budget.window_log)?,
        })),
        Framing::Document => {
            let mut opened = match held {
                Some(opened) => opened,
                None => Opened { stream: Stream::open(shard, budget.window_log)?, head: vec![], ended: false },
            };
            let fill = move |buffer: &mut Vec<u8>, target: usize| {
                if opened.head.is_empty() {
                    if opened.ended {
                        return Ok(true);
                    }
                    return opened.stream.fill(buffer, target);
                }
                buffer.append(&mut opened.head);
                Ok(opened.ended)
            };
            let elements = Elements::open(Box::new(fill), &shard.name, keys, budget.limits.line)?.with_rows(budget.limits.rows);
            Ok(ShardReader::Elements { elements: Box::new(elements), target: budget.limits.chunk })
        }
    }
}
