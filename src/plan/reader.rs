//! One shard as a sequence of chunks, whatever its framing: what the plan samples is what the pipeline reads.
//!
//! Not decoding. For pipes, the bytes that the plan has looked at are handed on, because they cannot be read twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Mutex;

use super::{Budget, PlannedShard};
use crate::dataset::table::TableReader;
use crate::error::{Error, Result};
use crate::formats::detect::Framing;
use crate::formats::elements::{Elements, Fill};
use crate::formats::npy::Arrays;
use crate::formats::parquet::Rows;
use crate::formats::pieces::{Cut, Pieces, Values};
use crate::formats::{Chunk, csv};
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

/// How far a run has read: everything before it is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Index of the shard in the plan, from 0.
    pub shard: u32,
    /// Plain bytes of the shard (lines), from 0.
    pub offset: u64,
    /// Line ends before it.
    pub lines: u64,
    /// Records before it.
    pub records: u64,
}

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
    /// Pieces that are not lines.
    Pieces {
        /// The reader.
        pieces: Box<Pieces<'static>>,
        /// Bytes of a chunk.
        target: usize,
    },
    /// Parquet rows.
    Rows(Rows),
    /// Rows of NumPy arrays.
    Arrays(Arrays),
    /// Rows of a Lance table.
    Table(Box<TableRows>),
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

    /// As [`Self::open`], but what stands before `from` is passed over: by a seek where there is one, else without decoding it.
    ///
    /// # Errors
    /// As [`Self::open`]; the shard ends before that place.
    pub fn open_at(planned: &PlannedShard, keys: &[String], budget: &Budget, from: &Position) -> Result<Self> {
        if from.offset == 0 && from.records == 0 {
            return Self::open(planned, keys, budget);
        }
        let shard = &planned.shard;
        match planned.framing {
            Framing::Arrays => arrays(shard, planned.batch_rows, from.records).map(Self::Arrays),
            Framing::Table => table(shard, planned.batch_rows, from.records).map(Self::Table),
            Framing::Parquet => {
                let file = File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?;
                Ok(Self::Rows(Rows::open_at(file, &shard.name, planned.batch_rows, from.records)?))
            }
            Framing::Lines => LineChunks::open_at(shard, budget.limits, budget.map, budget.window_log, from.offset).map(Self::Lines),
            Framing::Document => {
                let mut reader = Self::open(planned, keys, budget)?;
                if let Self::Elements { elements, .. } = &mut reader {
                    elements.skip(from.records)?;
                }
                Ok(reader)
            }
            Framing::Values | Framing::Csv(_) => {
                let mut reader = Self::open(planned, keys, budget)?;
                if let Self::Pieces { pieces, .. } = &mut reader {
                    pieces.skip_to(from.offset)?;
                }
                Ok(reader)
            }
        }
    }

    /// The next chunk.
    ///
    /// # Errors
    /// The input cannot be read on.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        match self {
            Self::Lines(lines) => Ok(lines.next_chunk()?.map(Chunk::Lines)),
            Self::Elements { elements, target } => Ok(elements.next_chunk(*target)?.map(Chunk::Elements)),
            Self::Pieces { pieces, target } => Ok(pieces.next_chunk(*target)?.map(Chunk::Elements)),
            Self::Rows(rows) => rows.next_chunk(),
            Self::Arrays(arrays) => arrays.next_chunk(),
            Self::Table(rows) => rows.next_chunk(),
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
        Framing::Arrays => Ok(ShardReader::Arrays(arrays(shard, batch_rows, 0)?)),
        Framing::Table => Ok(ShardReader::Table(table(shard, batch_rows, 0)?)),
        Framing::Parquet => {
            let file = File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?;
            Ok(ShardReader::Rows(Rows::open(file, &shard.name, batch_rows)?))
        }
        Framing::Lines => Ok(ShardReader::Lines(match held {
            Some(opened) => LineChunks::resume(opened.stream, opened.head, opened.ended, budget.limits),
            None => LineChunks::open(shard, budget.limits, budget.map, budget.window_log)?,
        })),
        Framing::Document => {
            let elements = Elements::open(fill(shard, budget, held)?, &shard.name, keys, budget.limits.line)?.with_rows(budget.limits.rows);
            Ok(ShardReader::Elements { elements: Box::new(elements), target: budget.limits.chunk })
        }
        Framing::Values | Framing::Csv(_) => {
            let pieces = Pieces::open(fill(shard, budget, held)?, cut(framing), &shard.name, budget.limits.line, budget.limits.rows)?;
            Ok(ShardReader::Pieces { pieces: Box::new(pieces), target: budget.limits.chunk })
        }
    }
}

/// Rows of a Lance table as chunks.
#[derive(Debug)]
pub struct TableRows {
    rows: TableReader,
    next: u64,
}

impl TableRows {
    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let Some(batch) = self.rows.next_batch()? else { return Ok(None) };
        let first = self.next;
        self.next += batch.num_rows() as u64;
        Ok(Some(Chunk::Rows { batch, first }))
    }
}

/// The arrays that stand beside a shard's path, from this row on.
pub(super) fn arrays(shard: &Shard, rows: usize, first: u64) -> Result<Arrays> {
    let folder = shard.path.parent().unwrap_or(&shard.path);
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("list the folder", folder, &e))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io("list the folder", folder, &e))?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let field = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{}/{field}.npy", shard.name);
        files.push((field, name, File::open(&path).map_err(|e| Error::io("open", &path, &e))?));
    }
    Arrays::open(files, rows, first)
}

/// The rows of the table whose manifest is the shard's path.
pub(super) fn table(shard: &Shard, rows: usize, first: u64) -> Result<Box<TableRows>> {
    let folder = shard.path.ancestors().nth(2).unwrap_or(&shard.path);
    Ok(Box::new(TableRows { rows: TableReader::open(folder, rows, first)?, next: first }))
}

/// What finds the ends of pieces.
pub(super) fn cut(framing: Framing) -> Box<dyn Cut> {
    if let Framing::Csv(dialect) = framing { Box::new(csv::Lines::new(dialect)) } else { Box::new(Values::default()) }
}

/// The shard's plain bytes, those first that the plan has looked at.
fn fill(shard: &Shard, budget: &Budget, held: Option<Opened>) -> Result<Box<Fill<'static>>> {
    let mut opened = match held {
        Some(opened) => opened,
        None => Opened { stream: Stream::open(shard, budget.window_log)?, head: vec![], ended: false },
    };
    Ok(Box::new(move |buffer: &mut Vec<u8>, target: usize| {
        if opened.head.is_empty() {
            if opened.ended {
                return Ok(true);
            }
            return opened.stream.fill(buffer, target);
        }
        buffer.append(&mut opened.head);
        Ok(opened.ended)
    }))
}
