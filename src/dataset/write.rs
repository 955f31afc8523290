//! Batches to fragments: uncommitted data files, in order, in the staging folder.
//!
//! Commits nothing: until [`super::commit::commit`], no reader can see a row.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use lance::dataset::transaction::Operation;
use lance::dataset::{InsertBuilder, WriteMode, WriteParams};
use lance_file::version::LanceFileVersion;
use lance_table::format::Fragment;
use tokio::task::JoinHandle;

use super::{Engine, lance_error};
use crate::error::{Error, Result};

/// The storage version that every output has. 2.2, the library's default, breaks ContextFrame's blob column.
pub const STORAGE: LanceFileVersion = LanceFileVersion::V2_1;
/// Rows of a fragment at most: Lance's own default.
const FRAGMENT_ROWS: usize = 1 << 20;
/// Batches that wait for the writer.
const WAITING: usize = 1;

/// A written fragment that is not committed yet.
#[derive(Debug, Clone)]
pub struct Written(pub(super) Fragment);

impl Written {
    /// Rows in it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.physical_rows.unwrap_or(0) as u64
    }
}

/// Writes batches in the order in which they come. When their schema grows, the next fragment has it.
pub struct FragmentWriter {
    engine: Arc<Engine>,
    uri: String,
    params: WriteParams,
    open: Option<Open>,
    written: Vec<Written>,
}

impl std::fmt::Debug for FragmentWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FragmentWriter").field("uri", &self.uri).field("written", &self.written.len()).finish_non_exhaustive()
    }
}

struct Open {
    schema: SchemaRef,
    sender: SyncSender<RecordBatch>,
    task: JoinHandle<Result<Vec<Fragment>>>,
}

impl FragmentWriter {
    /// A writer into the dataset at `uri`. `cache` bounds the bytes that Lance's file writer gathers before it writes pages.
    #[must_use]
    pub fn new(engine: Arc<Engine>, uri: &str, cache: u64) -> Self {
        let params = WriteParams {
            mode: WriteMode::Create,
            data_storage_version: Some(STORAGE),
            max_rows_per_file: FRAGMENT_ROWS,
            file_writer_options: Some(lance_file::writer::FileWriterOptions { data_cache_bytes: Some(cache), ..Default::default() }),
            ..Default::default()
        };
        Self { engine, uri: uri.to_owned(), params, open: None, written: vec![] }
    }

    /// Hands over one batch; waits while the writer is behind.
    ///
    /// # Errors
    /// The disk is full, or Lance refuses the batch.
    pub fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.schema != batch.schema()) {
            self.close()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(start(&self.engine, &self.uri, &self.params, batch.schema())),
        };
        if open.sender.send(batch).is_err() {
            self.close()?;
            return Err(Error::new("the dataset's writer stopped without a reason"));
        }
        Ok(())
    }

    /// Ends the open fragment and waits for it.
    fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        drop(open.sender);
        let fragments = self.engine.block_on(open.task).map_err(|e| Error::new(format!("the dataset's writer died: {e}")))??;
        self.written.extend(fragments.into_iter().map(Written));
        Ok(())
    }

    /// Ends writing and gives the fragments in order.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<Vec<Written>> {
        self.close()?;
        Ok(std::mem::take(&mut self.written))
    }
}

impl Drop for FragmentWriter {
    /// After an error elsewhere: Lance must have stopped writing before anybody takes the folder away.
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            drop(open.sender);
            // The run has an error already; this one would add nothing.
            let _ = self.engine.block_on(open.task);
        }
    }
}

fn start(engine: &Engine, uri: &str, params: &WriteParams, schema: SchemaRef) -> Open {
    let (sender, receiver) = sync_channel(WAITING);
    let reader: Box<dyn RecordBatchReader + Send> = Box::new(ChannelReader { schema: Arc::clone(&schema), receiver });
    let (uri, params) = (uri.to_owned(), params.clone());
    let task = engine.spawn(async move {
        let builder = InsertBuilder::new(uri.as_str()).with_params(&params);
        let transaction = builder.execute_uncommitted_stream(reader).await.map_err(|e| lance_error("write the dataset", &e))?;
        match transaction.operation {
            Operation::Overwrite { fragments, .. } | Operation::Append { fragments } => Ok(fragments),
            _ => Err(Error::new("Lance answered a write with an operation that is none")),
        }
    });
    Open { schema, sender, task }
}

struct ChannelReader {
    schema: SchemaRef,
    receiver: Receiver<RecordBatch>,
}

impl Iterator for ChannelReader {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.recv().ok().map(Ok)
    }
}

impl RecordBatchReader for ChannelReader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
