//! Parquet rows to a batch: the same layouts as for text, a column for each top-level key.
//!
//! Opens no file: it is handed one. Columns that the layout does not name are kept as JSON, like a text record's other keys.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader, StringArray, StructArray};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType, Field as ArrowField, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use uuid::Uuid;

use super::json::{Kind, push_string};
use super::jsonl::Context;
use super::reader::{RecordReader, Stop};
use super::walk::{Node, Slot};
use super::{Chunk, Decoded, Decoder, RowOrigin};
use crate::error::{Error, Result};
use crate::frame::builder::FrameBuilder;
use crate::frame::record::{Field, Payload};
use crate::frame::vectors::Layout;
use crate::reject::{Code, Place, Refusal, Reject, excerpt, hex, printable};

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
        let reader = guarded(name, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(name, &e.to_string()))?;
            builder.with_batch_size(rows.max(1)).build().map_err(|e| broken(name, &e.to_string()))
        })?;
        Ok(Self { reader, name: name.to_owned(), first: 0 })
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
    uuid: Box<dyn Fn(&str) -> Uuid + Send + Sync>,
}

impl ParquetDecoder {
    /// A decoder for one shard.
    ///
    /// # Errors
    /// The layout contradicts itself.
    pub fn new(context: Context) -> Result<Self> {
        let root = Node::of(&context.spec)?;
        let uuid = Box::new(context.membership.collection.member_uuids());
        Ok(Self { context, root, uuid })
    }
}

/// A column, prepared once a batch.
enum Column {
    Id(StringArray, Kind),
    Dense(Option<String>, ArrayRef),
    Sparse(String, SparseColumn),
    PayloadText(StringArray),
    PayloadStruct(ArrayRef),
    Text(StringArray),
    Other(String, ArrayRef),
}

struct SparseColumn {
    parent: StructArray,
    indices: ArrayRef,
    values: ArrayRef,
}

impl Decoder for ParquetDecoder {
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> std::result::Result<Decoded, ArrowError> {
        let Chunk::Rows { batch, first } = chunk else { return Ok(Decoded::default()) };
        let columns = self.prepare(batch)?;
        let mut builder = FrameBuilder::new(&self.context.membership, &self.context.mapping, layout);
        let mut reader = RecordReader::new(&self.context, &self.root, layout);
        let mut out = Decoded::default();
        for row in 0..batch.num_rows() {
            out.records += 1;
            let place = Place { shard: self.context.shard, line: None, byte: None, length: 0, record: first + row as u64 + 1 };
            reader.clear();
            match read_row(&mut reader, &columns, row) {
                Ok(()) => {
                    let uuid = (self.uuid)(reader.record.id.as_deref().unwrap_or_default());
                    match &reader.record.main {
                        None => out.without_vector += 1,
                        Some(range) if reader.record.floats[range.clone()].iter().all(|v| *v == 0.0) => out.zero_vectors += 1,
                        Some(_) => {}
                    }
                    out.unknown.append(&mut reader.unknown);
                    builder.append(uuid, &reader.record);
                    out.origins.push(RowOrigin { uuid: uuid.into_bytes(), place });
                }
                Err(stop) => {
                    let refusal = match stop {
                        Stop::Refused(refusal) => refusal,
                        Stop::Json(error) => error.refusal(false),
                    };
                    let id = columns.iter().find_map(|c| match c {
                        Column::Id(ids, _) if ids.is_valid(row) => Some(ids.value(row).to_owned()),
                        _ => None,
                    });
                    out.rejects.push(Reject { place, id, refusal, original: row_text(batch, row).into_bytes() });
                }
            }
        }
        if builder.rows() > 0 && out.unknown.is_empty() {
            out.batch = Some(builder.finish()?);
        }
        Ok(out)
    }
}

impl ParquetDecoder {
    fn prepare(&self, batch: &RecordBatch) -> std::result::Result<Vec<Column>, ArrowError> {
        let floats = DataType::List(ArrowField::new("item", DataType::Float32, true).into());
        let indices = DataType::List(ArrowField::new("item", DataType::UInt32, true).into());
        let texts =
            |array: &ArrayRef| -> std::result::Result<StringArray, ArrowError> { Ok(arrow_cast::cast(array, &DataType::Utf8)?.as_string::<i32>().clone()) };
        let mut columns = Vec::new();
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name();
            let slot = self.root.child(name).and_then(|node| node.slot.as_ref());
            let kind = kind_of(field.data_type());
            let column = match slot {
                Some(Slot::Id) => Column::Id(texts(array)?, kind),
                Some(Slot::Vector | Slot::Named) if kind == Kind::Object && array.as_struct_opt().is_some() => {
                    for (child, values) in array.as_struct().fields().iter().zip(array.as_struct().columns()) {
                        columns.push(Column::Dense(Some(child.name().clone()), arrow_cast::cast(values, &floats)?));
                    }
                    continue;
                }
                Some(Slot::Vector) if kind == Kind::Array => Column::Dense(None, arrow_cast::cast(array, &floats)?),
                Some(Slot::Dense(name)) if kind == Kind::Array => Column::Dense(Some(name.clone()), arrow_cast::cast(array, &floats)?),
                Some(Slot::Sparse(name))
                    if array.as_struct_opt().is_some_and(|s| s.column_by_name("indices").is_some() && s.column_by_name("values").is_some()) =>
                {
                    let parent = array.as_struct().clone();
                    let child = |key: &str, to: &DataType| arrow_cast::cast(parent.column_by_name(key).unwrap_or(array), to);
                    let (indices, values) = (child("indices", &indices)?, child("values", &floats)?);
                    Column::Sparse(name.clone(), SparseColumn { parent, indices, values })
                }
                Some(Slot::Payload) if kind == Kind::String => Column::PayloadText(texts(array)?),
                Some(Slot::Payload) if kind == Kind::Object => Column::PayloadStruct(array.clone()),
                Some(Slot::Text) if kind == Kind::String => Column::Text(texts(array)?),
                _ => Column::Other(name.clone(), array.clone()),
            };
            columns.push(column);
        }
        Ok(columns)
    }
}

fn read_row<'a>(reader: &mut RecordReader<'a>, columns: &'a [Column], row: usize) -> std::result::Result<(), Stop> {
    let rest_is_payload = reader.rest_is_payload();
    for column in columns {
        match column {
            Column::Id(ids, kind) => {
                if ids.is_valid(row) {
                    reader.set_id(ids.value(row), *kind)?;
                }
            }
            Column::Dense(name, lists) => {
                if let Some(range) = floats(reader, lists, row, "vector")?
                    && !range.is_empty()
                {
                    reader.place_dense(name.as_deref(), range)?;
                }
            }
            Column::Sparse(name, sparse) => {
                if sparse.parent.is_valid(row) {
                    sparse_row(reader, name, sparse, row)?;
                }
            }
            Column::PayloadText(texts) => {
                // A null or empty string is no metadata: Parquet has no way to leave a key out.
                if texts.is_valid(row) && !texts.value(row).is_empty() {
                    reader.payload_text(texts.value(row))?;
                }
            }
            Column::PayloadStruct(array) => {
                if array.is_valid(row) {
                    let mut text = String::new();
                    push_value(&mut text, array, row);
                    reader.payload_owned(&text)?;
                }
            }
            Column::Text(texts) => {
                if texts.is_valid(row) {
                    reader.record.text = Some(Cow::Borrowed(texts.value(row)));
                } else {
                    reader.rest("document", "null");
                }
            }
            Column::Other(name, array) => {
                if array.is_null(row) && !rest_is_payload {
                    continue;
                }
                let mut raw = String::new();
                push_value(&mut raw, array, row);
                if rest_is_payload {
                    let kind = if array.is_null(row) { Kind::Null } else { kind_of(array.data_type()) };
                    reader.record.fields.push(Field { key: Cow::Borrowed(name), raw: raw.into(), kind });
                } else {
                    reader.rest(name, &raw);
                }
            }
        }
        reader.met(column_name(column));
    }
    if matches!(reader.record.payload, Payload::Missing) {
        reader.no_payload();
    }
    reader.complete()
}

fn column_name(column: &Column) -> Option<&str> {
    if let Column::Other(name, _) = column { Some(name) } else { None }
}

/// The floats of one row, checked; `None` where the list is null.
fn floats(reader: &mut RecordReader<'_>, lists: &ArrayRef, row: usize, what: &str) -> std::result::Result<Option<Range<usize>>, Refusal> {
    if lists.is_null(row) {
        return Ok(None);
    }
    let list = lists.as_list::<i32>().value(row);
    let values = list.as_primitive::<Float32Type>();
    if let Some(index) = (0..values.len()).find(|i| values.is_null(*i)) {
        return Err(Refusal::new(Code::VectorType, format!("{what} value at index {index} is null, expected a number")));
    }
    if let Some(index) = values.values().iter().position(|v| !v.is_finite()) {
        let reason = format!("{what} value at index {index} is {} as float32, expected a finite number", values.value(index));
        return Err(Refusal::new(Code::VectorNotFinite, reason));
    }
    let start = reader.record.floats.len();
    reader.record.floats.extend_from_slice(values.values());
    Ok(Some(start..start + values.len()))
}

fn sparse_row(reader: &mut RecordReader<'_>, name: &str, sparse: &SparseColumn, row: usize) -> std::result::Result<(), Stop> {
    let bad = |what: String| Stop::from(Refusal::new(Code::SparseVector, format!("sparse vector \"{}\": {what}", excerpt(name, 40))));
    if sparse.indices.is_null(row) && sparse.values.is_null(row) {
        return Ok(());
    }
    let values = floats(reader, &sparse.values, row, "sparse").map_err(|r| bad(r.reason))?.unwrap_or(0..0);
    let start = reader.record.indices.len();
    if sparse.indices.is_valid(row) {
        let list = sparse.indices.as_list::<i32>().value(row);
        let indices = list.as_primitive::<UInt32Type>();
        if indices.null_count() > 0 {
            return Err(bad("an index is null or no unsigned integer of 32 bits".to_owned()));
        }
        reader.record.indices.extend_from_slice(indices.values());
    }
    let indices = start..reader.record.indices.len();
    if indices.len() != values.len() {
        return Err(bad(format!("{} indices and {} values, expected as many of both", indices.len(), values.len())));
    }
    reader.place_sparse(name, indices, values);
    Ok(())
}

/// The JSON kind that a column's values have.
fn kind_of(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Boolean => Kind::Bool,
        DataType::Null => Kind::Null,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::ListView(_) | DataType::LargeListView(_) => Kind::Array,
        DataType::Struct(_) | DataType::Map(..) => Kind::Object,
        t if t.is_numeric() && !t.is_decimal() => Kind::Number,
        _ => Kind::String,
    }
}

/// A row as a JSON object: how a rejected Parquet record is kept.
#[must_use]
pub fn row_text(batch: &RecordBatch, row: usize) -> String {
    let mut out = String::from("{");
    for (index, (field, array)) in batch.schema().fields().iter().zip(batch.columns()).enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(&mut out, field.name());
        out.push(':');
        push_value(&mut out, array, row);
    }
    out.push('}');
    out
}

/// Appends one value as JSON. Floats keep their shortest exact text; what JSON cannot hold (NaN, bytes, dates) is a string.
fn push_value(out: &mut String, array: &ArrayRef, row: usize) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    let list = |out: &mut String, values: &ArrayRef| {
        out.push('[');
        for index in 0..values.len() {
            if index > 0 {
                out.push(',');
            }
            push_value(out, values, index);
        }
        out.push(']');
    };
    match array.data_type() {
        DataType::List(_) => list(out, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(out, &array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(out, &array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            out.push('{');
            for (index, (field, child)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_string(out, field.name());
                out.push(':');
                push_value(out, child, row);
            }
            out.push('}');
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            out.push('{');
            for index in 0..entries.len() {
                if index > 0 {
                    out.push(',');
                }
                push_string(out, &array_value_to_string(entries.column(0), index).unwrap_or_default());
                out.push(':');
                push_value(out, entries.column(1), index);
            }
            out.push('}');
        }
        DataType::Float32 => {
            push_float(out, array.as_primitive::<Float32Type>().value(row).is_finite(), &format!("{:?}", array.as_primitive::<Float32Type>().value(row)));
        }
        DataType::Float64 => {
            let value = array.as_primitive::<arrow_array::types::Float64Type>().value(row);
            push_float(out, value.is_finite(), &format!("{value:?}"));
        }
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView => {
            let bytes = arrow_cast::cast(array, &DataType::Binary).ok();
            push_string(out, &bytes.map(|b| hex(b.as_binary::<i32>().value(row))).unwrap_or_default());
        }
        t => {
            let text = array_value_to_string(array, row).unwrap_or_default();
            if matches!(kind_of(t), Kind::Number | Kind::Bool) && *t != DataType::Float16 { out.push_str(&text) } else { push_string(out, &text) }
        }
    }
}

fn push_float(out: &mut String, finite: bool, text: &str) {
    if finite { out.push_str(text) } else { push_string(out, text) }
}
