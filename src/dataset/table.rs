//! A Lance table that somebody else has written, row by row: a dump like any other.
//!
//! Reads only, and in the table's own order, so that a run that goes on finds its place.

use std::path::Path;

use arrow_array::RecordBatch;
use futures::{Stream, StreamExt};

use super::commit::open;
use super::{Engine, lance_error};
use crate::error::Result;

/// The rows of the newest version, in batches.
pub struct TableReader {
    // Dropped before the runtime that it runs on.
    stream: std::pin::Pin<Box<dyn Stream<Item = lance::Result<RecordBatch>> + Send>>,
    engine: Engine,
}

impl std::fmt::Debug for TableReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableReader").finish_non_exhaustive()
    }
}

impl TableReader {
    /// Starts at the row with this number, from 0; batches have at most `rows` rows.
    ///
    /// # Errors
    /// There is no table at this path, or it cannot be read.
    pub fn open(path: &Path, rows: usize, first: u64) -> Result<Self> {
        let engine = Engine::new(2)?;
        let opened = open(&engine, path)?;
        let failed = |e: lance::Error| lance_error("read the table", &e);
        let mut scanner = opened.dataset.scan();
        scanner.batch_size(rows.max(1)).batch_readahead(2).fragment_readahead(1).io_buffer_size(super::sample::IO_BUFFER).scan_in_order(true);
        if first > 0 {
            scanner.limit(None, i64::try_from(first).ok()).map_err(failed)?;
        }
        let stream = engine.block_on(scanner.try_into_stream()).map_err(failed)?;
        Ok(Self { stream: Box::pin(stream), engine })
    }

    /// Rows and bytes of the newest version's files, without reading them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn size(path: &Path) -> Result<u64> {
        let engine = Engine::new(2)?;
        open(&engine, path)?.rows(&engine)
    }

    /// The next rows.
    ///
    /// # Errors
    /// A file of the table cannot be read.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.engine.block_on(self.stream.next()).transpose().map_err(|e| lance_error("read the table", &e))
    }
}
