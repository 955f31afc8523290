//! Batches to fragments: uncommitted data files, in order, in the staging folder.
//!
//! Commits nothing: until [`super::commit::commit`], no reader can see a row.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, ListArray, RecordBatch, RecordBatchReader, StructArray};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema, SchemaRef};
use lance::dataset::transaction::Operation;
use lance::dataset::{InsertBuilder, WriteMode, WriteParams};
use lance_file::version::LanceFileVersion;
use lance_table::format::Fragment;
use tokio::task::JoinHandle;

use super::{Engine, lance_error};
use crate::error::{Error, Result};
use crate::reject::printable;

/// The storage version that every output has. 2.2, the library's default, breaks ContextFrame's blob column.
pub const STORAGE: LanceFileVersion = LanceFileVersion::V2_1;
/// Rows of a fragment at most: Lance's own default.
pub(super) const FRAGMENT_ROWS: usize = 1 << 20;
/// Batches that wait for the writer.
const WAITING: usize = 4;

/// How strings are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Compression {
    /// As they are: fastest, and the same bytes in every run. Columns of few values are dictionaries all the same.
    #[default]
    None,
    /// Lance's own default. It learns from a random sample, so the bytes differ from run to run.
    Fsst,
    /// Each page by LZ4.
    Lz4,
    /// Each page by Zstandard: smallest.
    Zstd,
}

impl Compression {
    /// Lance's word for it, the value of the key `lance-encoding:compression` in a field's metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fsst => "fsst",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The schema with every string field, at any depth, marked to be stored this way.
    #[must_use]
    pub fn mark(self, schema: &SchemaRef) -> SchemaRef {
        let fields: Vec<FieldRef> = schema.fields().iter().map(|field| self.mark_field(field)).collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }

    fn mark_field(self, field: &FieldRef) -> FieldRef {
        let field = field.as_ref().clone();
        let kind = match field.data_type() {
            DataType::Struct(children) => DataType::Struct(children.iter().map(|child| self.mark_field(child)).collect()),
            DataType::List(item) => DataType::List(self.mark_field(item)),
            DataType::Utf8 => {
                let mut metadata = field.metadata().clone();
                metadata.insert("lance-encoding:compression".to_owned(), self.name().to_owned());
                return Arc::new(field.with_metadata(metadata));
            }
            other => other.clone(),
        };
        Arc::new(field.with_data_type(kind))
    }
}

/// The batch under a schema that differs in the metadata of fields only.
fn retype(batch: &RecordBatch, schema: &SchemaRef) -> std::result::Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| retype_array(column, field.data_type()));
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<std::result::Result<_, _>>()?)
}

fn retype_array(array: &ArrayRef, kind: &DataType) -> std::result::Result<ArrayRef, ArrowError> {
    Ok(match kind {
        DataType::Struct(fields) => {
            let (_, children, nulls) = array.as_struct().clone().into_parts();
            let children = fields.iter().zip(&children).map(|(field, child)| retype_array(child, field.data_type()));
            Arc::new(StructArray::try_new(fields.clone(), children.collect::<std::result::Result<_, _>>()?, nulls)?)
        }
        DataType::List(item) => {
            let (_, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
            Arc::new(ListArray::try_new(Arc::clone(item), offsets, retype_array(&values, item.data_type())?, nulls)?)
        }
        _ => Arc::clone(array),
    })
}

/// A written fragment that is not committed yet. As JSON, it is Lance's own description of a fragment.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Written(pub(super) Fragment);

impl Written {
    /// Rows in it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.physical_rows.unwrap_or(0) as u64
    }

    /// Its data files: paths inside of the dataset's folder, and their bytes where they are known.
    pub fn files(&self) -> impl Iterator<Item = (String, Option<u64>)> {
        self.0.files.iter().map(|file| (format!("data/{}", file.path), file.file_size_bytes.get().map(std::num::NonZero::get)))
    }
}

/// The bytes that every file of Lance's ends in.
const MAGIC: &[u8] = b"LANC";

/// Holds a file that Lance has written against what it says of it: its writer for local files throws away the error of the last write, so
/// that a full disk leaves a file that is cut off, and no error.
///
/// # Errors
/// The file is not as long as it should be, or does not end as it should.
pub(super) fn whole(path: &Path, bytes: Option<u64>) -> Result<()> {
    let failed = |e: std::io::Error| Error::io("read back", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let met = file.metadata().map_err(failed)?.len();
    let mut end = [0; MAGIC.len()];
    if met >= MAGIC.len() as u64 {
        file.seek(SeekFrom::End(-4)).and_then(|_| file.read_exact(&mut end)).map_err(failed)?;
    }
    if bytes.is_none_or(|bytes| bytes == met) && end == MAGIC {
        return Ok(());
    }
    let name = printable(&path.display().to_string());
    let expected = bytes.map_or_else(|| "one that ends in its mark".to_owned(), |b| b.to_string());
    Err(Error::new(format!("{name}: the disk has not taken the file: {met} bytes of it are there, expected {expected}"))
        .help("see whether the volume is full or failing; nothing was committed")
        .passing())
}

/// Writes batches in the order in which they come. When their schema grows, the next fragment has it.
pub struct FragmentWriter {
    engine: Arc<Engine>,
    uri: String,
    params: WriteParams,
    compression: Compression,
    open: Option<Open>,
    /// Fragments that are being finished while the next one is written, and the marks between them.
    closing: VecDeque<Closing>,
    written: Vec<Written>,
}

enum Closing {
    Task(JoinHandle<Result<Vec<Fragment>>>),
    Mark(u64),
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
    pub fn new(engine: Arc<Engine>, uri: &str, cache: u64, compression: Compression) -> Self {
        Self::with_rows(engine, uri, cache, compression, FRAGMENT_ROWS)
    }

    /// A writer whose fragments have at most so many rows.
    #[must_use]
    pub fn with_rows(engine: Arc<Engine>, uri: &str, cache: u64, compression: Compression, rows: usize) -> Self {
        let params = WriteParams {
            mode: WriteMode::Create,
            data_storage_version: Some(STORAGE),
            max_rows_per_file: rows,
            file_writer_options: Some(lance_file::writer::FileWriterOptions { data_cache_bytes: Some(cache), ..Default::default() }),
            ..Default::default()
        };
        Self { engine, uri: uri.to_owned(), params, compression, open: None, closing: VecDeque::new(), written: vec![] }
    }

    /// Hands over one batch; waits while the writer is behind.
    ///
    /// # Errors
    /// The disk is full, or Lance refuses the batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = retype(batch, &self.compression.mark(batch.schema_ref())).map_err(|e| Error::new(format!("a batch does not fit the dataset: {e}")))?;
        if self.open.as_ref().is_some_and(|open| open.schema != batch.schema()) {
            self.close();
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(start(&self.engine, &self.uri, &self.params, batch.schema())),
        };
        if open.sender.send(batch).is_err() {
            self.close();
            self.settle(0)?;
            return Err(Error::new("the dataset's writer stopped without a reason"));
        }
        Ok(())
    }

    /// Ends the open fragment; it is finished while the next one is written.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            drop(open.sender);
            self.closing.push_back(Closing::Task(open.task));
        }
    }

    /// Waits until at most so many fragments are being finished. Stops at a mark.
    fn settle(&mut self, most: usize) -> Result<()> {
        while self.closing.iter().filter(|c| matches!(c, Closing::Task(_))).count() > most
            && let Some(Closing::Task(_)) = self.closing.front()
        {
            self.finish_one()?;
        }
        Ok(())
    }

    fn finish_one(&mut self) -> Result<()> {
        if let Some(Closing::Task(task)) = self.closing.pop_front() {
            let fragments = self.engine.block_on(task).map_err(|e| Error::new(format!("the dataset's writer died: {e}")))??;
            for written in fragments.into_iter().map(Written) {
                for (file, bytes) in written.files() {
                    whole(&Path::new(&self.uri).join(file), bytes)?;
                }
                self.written.push(written);
            }
        }
        Ok(())
    }

    /// Ends the open fragment here, so that [`Self::marked`] can tell when all rows so far are in finished fragments.
    pub fn mark(&mut self, mark: u64) {
        self.close();
        self.closing.push_back(Closing::Mark(mark));
    }

    /// The next mark before which everything is finished, with the fragments since the mark before it. Waits only while more than
    /// `most` fragments are being finished; `None` if the next mark is not reached.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn marked(&mut self, most: usize) -> Result<Option<(u64, Vec<Written>)>> {
        self.settle(most)?;
        while let Some(Closing::Task(task)) = self.closing.front() {
            if !task.is_finished() {
                return Ok(None);
            }
            self.finish_one()?;
        }
        match self.closing.pop_front() {
            Some(Closing::Mark(mark)) => Ok(Some((mark, std::mem::take(&mut self.written)))),
            _ => Ok(None),
        }
    }

    /// Ends writing and gives the fragments since the last mark in order.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<Vec<Written>> {
        self.close();
        while !self.closing.is_empty() {
            match self.closing.front() {
                Some(Closing::Task(_)) => self.finish_one()?,
                _ => drop(self.closing.pop_front()),
            }
        }
        Ok(std::mem::take(&mut self.written))
    }
}

impl Drop for FragmentWriter {
    /// After an error elsewhere: Lance must have stopped writing before anybody takes the folder away.
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            drop(open.sender);
            self.closing.push_back(Closing::Task(open.task));
        }
        for closing in self.closing.drain(..) {
            if let Closing::Task(task) = closing {
                // The run has an error already; this one would add nothing.
                let _ = self.engine.block_on(task);
            }
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
