//! Parquet rows to a batch: the same layouts as for text, a column for each top-level key.
//!
//! Opens no file: it is handed one. Columns that the layout does not name are kept as JSON, like a text record's other keys.

mod column;
#[cfg(test)]
mod tests;
mod value;

use std::fs::File;

use arrow_array::RecordBatchReader;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::jsonl::Context;
use super::reader::{RecordReader, Stop};
use super::walk::Node;
use super::{Chunk, Decoded, Decoder, RowOrigin};
use crate::error::{Error, Result};
use crate::frame::builder::FrameBuilder;
use crate::frame::vectors::Layout;
use crate::reject::{Place, Reject, excerpt, printable};
use column::{prepare, read_row};
pub use value::row_text;

/// What a file's footer says.
#[derive(Debug, Clone)]
pub struct Footer {
    /// The columns.
    pub schema: SchemaRef,
    /// Rows in all row groups.
    pub rows: u64,
    /// Row groups.
    pub groups: usize,
    /// Uncompressed bytes of all row groups.
    pub bytes: u64,
    /// Keys and values that the writer has put beside the rows.
    pub pairs: Vec<(String, String)>,
}

/// Reads the footer.
///
/// # Errors
/// The file is cut off, damaged, or no Parquet.
pub fn footer(file: File, name: &str) -> Result<Footer> {
    guarded(name, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(name, &e.to_string()))?;
        let meta = builder.metadata();
        let total = |f: fn(&parquet::file::metadata::RowGroupMetaData) -> i64| meta.row_groups().iter().map(|g| u64::try_from(f(g)).unwrap_or(0)).sum::<u64>();
        Ok(Footer {
            schema: builder.schema().clone(),
            rows: total(parquet::file::metadata::RowGroupMetaData::num_rows),
            groups: meta.num_row_groups(),
            bytes: total(parquet::file::metadata::RowGroupMetaData::total_byte_size),
            pairs: meta.file_metadata().key_value_metadata().into_iter().flatten().filter_map(|p| Some((p.key.clone(), p.value.clone()?))).collect(),
        })
    })
}

/// The rows of a file, in order, in batches of at most `rows`.
pub struct Rows {
    reader: parquet::arrow::arrow_reader::ParquetRecordBatchReader,
    name: String,
    first: u64,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).field("schema", &self.reader.schema()).field("first", &self.first).finish()
    }
}

impl Rows {
    /// Starts at the first row.
    ///
    /// # Errors
    /// As [`footer`].
    pub fn open(file: File, name: &str, rows: usize) -> Result<Self> {
        Self::open_at(file, name, rows, 0)
    }

    /// Starts at the row with this number, from 0.
    ///
    /// # Errors
    /// As [`footer`].
    pub fn open_at(file: File, name: &str, rows: usize, first: u64) -> Result<Self> {
        let reader = guarded(name, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(name, &e.to_string()))?;
            let offset = usize::try_from(first).unwrap_or(usize::MAX);
            builder.with_batch_size(rows.max(1)).with_offset(offset).build().map_err(|e| broken(name, &e.to_string()))
        })?;
        Ok(Self { reader, name: name.to_owned(), first })
    }

    /// The next rows.
    ///
    /// # Errors
    /// A page does not decode.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let (reader, name) = (&mut self.reader, &self.name);
        let batch = guarded(name, || reader.next().transpose().map_err(|e| broken(name, &e.to_string())))?;
        Ok(batch.map(|batch| {
            let first = self.first;
            self.first += batch.num_rows() as u64;
            Chunk::Rows { batch, first }
        }))
    }
}

/// Damaged files can make the Parquet reader panic; that is bad input, not a defect of the run.
fn guarded<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| Err(broken(name, "the reader gave up on it")))
}

fn broken(name: &str, why: &str) -> Error {
    Error::new(format!("{}: the Parquet file is damaged or cut off: {}", printable(name), excerpt(why, 200)))
        .help("copy the file again from its source and compare checksums; nothing of it was converted")
}

/// Decodes Parquet rows.
pub struct ParquetDecoder {
    context: Context,
    root: Node,
}

impl ParquetDecoder {
    /// A decoder for one shard.
    ///
    /// # Errors
    /// The layout contradicts itself.
    pub fn new(context: Context) -> Result<Self> {
        let root = Node::of(&context.spec)?;
        Ok(Self { context, root })
    }
}

impl Decoder for ParquetDecoder {
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> std::result::Result<Decoded, ArrowError> {
        let Chunk::Rows { batch, first } = chunk else { return Ok(Decoded::default()) };
        let columns = prepare(&self.root, &self.context.spec, batch)?;
        let mut builder = FrameBuilder::new(&self.context.membership, &self.context.mapping, layout);
        let mut reader = RecordReader::new(&self.context, &self.root, layout);
        let mut out = Decoded::default();
        for row in 0..batch.num_rows() {
            out.records += 1;
            let place = Place { shard: self.context.shard, line: None, byte: None, length: 0, record: first + row as u64 + 1 };
            reader.clear();
            match read_row(&mut reader, &columns, row) {
                Ok(()) => {
                    match &reader.record.main {
                        None => out.without_vector += 1,
                        Some(range) if reader.record.floats[range.clone()].iter().all(|v| *v == 0.0) => out.zero_vectors += 1,
                        Some(_) => {}
                    }
                    out.rounded += u64::from(reader.record.rounded);
                    out.unknown.append(&mut reader.unknown);
                    let (uuid, space) = builder.append(&reader.record);
                    out.origins.push(RowOrigin { uuid: uuid.into_bytes(), space, place });
                }
                Err(stop) => {
                    let refusal = match stop {
                        Stop::Refused(refusal) => refusal,
                        Stop::Json(error) => error.refusal(false),
                    };
                    let id = columns.iter().find_map(|c| c.id(row));
                    let namespace = columns.iter().find_map(|c| c.namespace(row));
                    out.rejects.push(Reject { place, id, namespace, refusal, original: row_text(batch, row).into_bytes() });
                }
            }
        }
        out.spaces = builder.spaces();
        if builder.rows() > 0 && out.unknown.is_empty() {
            out.unseen = builder.take_unseen();
            out.unfit = builder.unfit();
            out.batch = Some(builder.finish()?);
        }
        Ok(out)
    }
}
