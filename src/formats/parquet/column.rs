//! Parquet columns as the parts of a record: prepared once a batch, read row by row.
//!
//! A vector's column keeps its own element type. Values that came as JSON text (a map of vectors, a sparse vector, a payload) go
//! through the text reader, so that both encodings mean the same.

use std::borrow::Cow;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field as ArrowField};

use super::value::{kind_of, push_value};
use crate::formats::json::{Cursor, Kind};
use crate::formats::reader::{RecordReader, Stop};
use crate::formats::spec::Spec;
use crate::formats::walk::{Node, Slot};
use crate::frame::element::Element;
use crate::frame::record::{Field, Payload};
use crate::reject::{Code, Refusal, excerpt};

/// A column, prepared once a batch.
pub(super) enum Column {
    Id(StringArray, Kind),
    /// Lists of float32.
    Dense(Option<String>, ArrayRef),
    /// Lists of another type.
    Typed(Option<String>, Element, ArrayRef),
    /// Raw little-endian values.
    Bytes(Option<String>, Element, BinaryArray),
    /// Bytes, and nobody says of what.
    Untold(Option<String>),
    Sparse(String, SparseColumn),
    /// JSON text of a vector, or of a map of vectors.
    Json(Place, String, Texts),
    PayloadText(Texts),
    PayloadStruct(ArrayRef),
    Text(StringArray),
    Namespace(StringArray),
    /// JSON text of a member of the record, as it would stand in a line; `true` for the id.
    Member(String, bool, StringArray),
    /// JSON text of an object whose members are the record's.
    Members(StringArray),
    Other(String, ArrayRef),
}

/// The key of a column's metadata by which `vec2lance-export` says what its text is: `json` or `rest`.
pub(super) const MARK: &str = "vec2lance";

/// What a JSON text in a column is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Vector(Option<String>),
    Named,
    Sparse(String),
}

/// Strings, or bytes that should be UTF-8.
pub(super) enum Texts {
    Strings(StringArray),
    Bytes(BinaryArray),
    /// Nested values, written as JSON.
    Values(ArrayRef),
}

pub(super) struct SparseColumn {
    parent: StructArray,
    indices: ArrayRef,
    values: ArrayRef,
}

impl Column {
    /// The id in this row, if this is the id's column.
    pub(super) fn id(&self, row: usize) -> Option<String> {
        match self {
            Self::Id(ids, _) if ids.is_valid(row) => Some(ids.value(row).to_owned()),
            Self::Member(_, true, texts) if texts.is_valid(row) => {
                let text = texts.value(row);
                Some(serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned()))
            }
            _ => None,
        }
    }
}

impl Column {
    /// The namespace in this row, if this is the namespace's column.
    pub(super) fn namespace(&self, row: usize) -> Option<String> {
        match self {
            Self::Namespace(names) if names.is_valid(row) => Some(names.value(row).to_owned()),
            _ => None,
        }
    }
}

impl Texts {
    /// Strings or bytes; `None` for other columns.
    fn of(array: &ArrayRef) -> std::result::Result<Option<Self>, ArrowError> {
        Ok(match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Self::Strings(strings(array)?)),
            DataType::Dictionary(_, values) if kind_of(values) == Kind::String => Some(Self::Strings(strings(array)?)),
            t if is_bytes(t) => Some(Self::Bytes(bytes(array)?)),
            _ => None,
        })
    }

    /// The text of a row; `None` for null.
    fn get(&self, row: usize) -> std::result::Result<Option<Cow<'_, str>>, Refusal> {
        match self {
            Self::Strings(texts) => Ok(texts.is_valid(row).then(|| texts.value(row).into())),
            Self::Bytes(texts) if texts.is_null(row) => Ok(None),
            Self::Bytes(texts) => match std::str::from_utf8(texts.value(row)) {
                Ok(text) => Ok(Some(text.into())),
                Err(e) => Err(Refusal::new(Code::InvalidUtf8, format!("byte {} of the value is not UTF-8", e.valid_up_to()))),
            },
            Self::Values(array) if array.is_null(row) => Ok(None),
            Self::Values(array) => {
                let mut text = String::new();
                push_value(&mut text, array, row);
                Ok(Some(text.into()))
            }
        }
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView)
}

fn is_fixed_floats(data_type: &DataType) -> bool {
    matches!(data_type, DataType::FixedSizeList(item, _) if item.data_type().is_floating())
}

fn strings(array: &ArrayRef) -> std::result::Result<StringArray, ArrowError> {
    Ok(arrow_cast::cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn bytes(array: &ArrayRef) -> std::result::Result<BinaryArray, ArrowError> {
    Ok(arrow_cast::cast(array, &DataType::Binary)?.as_binary::<i32>().clone())
}

fn list_of(item: DataType) -> DataType {
    DataType::List(ArrowField::new("item", item, true).into())
}

/// The columns of a batch, by what the layout says of their names.
pub(super) fn prepare(root: &Node, spec: &Spec, batch: &RecordBatch) -> std::result::Result<Vec<Column>, ArrowError> {
    let mut columns = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = field.name();
        let slot = root.child(name).and_then(|node| node.slot.as_ref());
        match field.metadata().get(MARK).map(String::as_str) {
            Some("json") => {
                columns.push(Column::Member(name.clone(), matches!(slot, Some(Slot::Id)), strings(array)?));
                continue;
            }
            Some("rest") => {
                columns.push(Column::Members(strings(array)?));
                continue;
            }
            _ => {}
        }
        let kind = kind_of(field.data_type());
        let text = || Texts::of(array);
        // A column without a single value has no type; a vector that is nowhere is none.
        if *field.data_type() == DataType::Null && !matches!(slot, None | Some(Slot::Id | Slot::Payload | Slot::Text)) {
            continue;
        }
        let column = match slot {
            Some(Slot::Id) => Column::Id(strings(array)?, kind),
            Some(Slot::Vector) => {
                vector(None, name, array, spec, &mut columns)?;
                continue;
            }
            Some(Slot::Dense(dense)) => {
                vector(Some(dense), name, array, spec, &mut columns)?;
                continue;
            }
            Some(Slot::Named) => {
                named(name, array, spec, &mut columns)?;
                continue;
            }
            Some(Slot::Sparse(sparse)) => sparse_column(sparse, name, array)?,
            // No schema says it, but lists of one length of floats are a vector.
            None if spec.payload == "*" && is_fixed_floats(field.data_type()) => {
                vector(Some(name), name, array, spec, &mut columns)?;
                continue;
            }
            Some(Slot::Payload) => match text()? {
                Some(texts) => Column::PayloadText(texts),
                None if kind == Kind::Object => Column::PayloadStruct(array.clone()),
                None => Column::Other(name.clone(), array.clone()),
            },
            Some(Slot::Text) if kind == Kind::String => Column::Text(strings(array)?),
            Some(Slot::Namespace) if kind == Kind::String => {
                // It stays what it was, too: a column of the source.
                columns.push(Column::Namespace(strings(array)?));
                Column::Other(name.clone(), array.clone())
            }
            _ => Column::Other(name.clone(), array.clone()),
        };
        columns.push(column);
    }
    Ok(columns)
}

/// A column of one vector, of a map of vectors, or of nothing that a vector could be.
fn vector(own: Option<&str>, column: &str, array: &ArrayRef, spec: &Spec, out: &mut Vec<Column>) -> std::result::Result<(), ArrowError> {
    let name = own.map(str::to_owned);
    let declared = spec.types.get(own.unwrap_or("default")).copied();
    let made = match array.data_type() {
        DataType::Struct(_) if sparse_parts(array).is_none() => return named(column, array, spec, out),
        DataType::Map(..) => Column::Json(if own.is_none() { Place::Named } else { Place::Vector(name) }, column.to_owned(), Texts::Values(array.clone())),
        DataType::Struct(_) => sparse_column(own.unwrap_or("default"), column, array)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => lists(name, column, array, item.data_type(), declared)?,
        t if is_bytes(t) => match declared {
            Some(element) => Column::Bytes(name, element, bytes(array)?),
            None => Column::Untold(name),
        },
        _ => match Texts::of(array)? {
            Some(texts) => Column::Json(Place::Vector(name), column.to_owned(), texts),
            None => Column::Other(column.to_owned(), array.clone()),
        },
    };
    out.push(made);
    Ok(())
}

/// A column of lists, by the type of their items.
fn lists(name: Option<String>, column: &str, array: &ArrayRef, item: &DataType, declared: Option<Element>) -> std::result::Result<Column, ArrowError> {
    let cast = |to: DataType| arrow_cast::cast(array, &list_of(to));
    Ok(match item {
        DataType::Float32 => Column::Dense(name, cast(DataType::Float32)?),
        // A list of bytes is whatever the layout or the schema says that they are.
        DataType::UInt8 => Column::Typed(name, declared.unwrap_or(Element::UInt8), cast(DataType::UInt8)?),
        DataType::FixedSizeBinary(2) => Column::Typed(name, Element::BFloat16, array_of_lists(array)?),
        other if Element::of(other).is_some() => Column::Typed(name, Element::of(other).unwrap_or_default(), cast(other.clone())?),
        other if other.is_numeric() || *other == DataType::Null => Column::Typed(name, Element::Float64, cast(DataType::Float64)?),
        other if kind_of(other) == Kind::Array => Column::Json(Place::Vector(name), column.to_owned(), Texts::Values(array.clone())),
        _ => Column::Other(column.to_owned(), array.clone()),
    })
}

/// Lists of any shape as plain lists, their items untouched.
fn array_of_lists(array: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::FixedSizeList(item, _) | DataType::LargeList(item) => arrow_cast::cast(array, &DataType::List(item.clone())),
        _ => Ok(array.clone()),
    }
}

/// A map of named vectors.
fn named(column: &str, array: &ArrayRef, spec: &Spec, out: &mut Vec<Column>) -> std::result::Result<(), ArrowError> {
    if let Some(parts) = array.as_struct_opt() {
        for (child, values) in parts.fields().iter().zip(parts.columns()) {
            vector(Some(child.name()), &format!("{column}/{}", child.name()), values, spec, out)?;
        }
        return Ok(());
    }
    out.push(match (array.data_type(), Texts::of(array)?) {
        (DataType::Map(..), _) => Column::Json(Place::Named, column.to_owned(), Texts::Values(array.clone())),
        (_, Some(texts)) => Column::Json(Place::Named, column.to_owned(), texts),
        _ => Column::Other(column.to_owned(), array.clone()),
    });
    Ok(())
}

fn sparse_parts(array: &ArrayRef) -> Option<(&ArrayRef, &ArrayRef)> {
    let parts = array.as_struct_opt()?;
    Some((parts.column_by_name("indices")?, parts.column_by_name("values")?))
}

fn sparse_column(name: &str, column: &str, array: &ArrayRef) -> std::result::Result<Column, ArrowError> {
    if let Some((indices, values)) = sparse_parts(array) {
        let (indices, values) = (arrow_cast::cast(indices, &list_of(DataType::UInt32))?, arrow_cast::cast(values, &list_of(DataType::Float32))?);
        return Ok(Column::Sparse(name.to_owned(), SparseColumn { parent: array.as_struct().clone(), indices, values }));
    }
    let place = Place::Sparse(name.to_owned());
    Ok(match (kind_of(array.data_type()), Texts::of(array)?) {
        (_, Some(texts)) => Column::Json(place, column.to_owned(), texts),
        (Kind::Object, None) => Column::Json(place, column.to_owned(), Texts::Values(array.clone())),
        _ => Column::Other(column.to_owned(), array.clone()),
    })
}

pub(super) fn read_row<'a>(reader: &mut RecordReader<'a>, columns: &'a [Column], row: usize) -> std::result::Result<(), Stop> {
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
            Column::Typed(name, element, lists) => {
                let start = reader.record.bytes.len();
                if push_items(&mut reader.record.bytes, lists, row)? {
                    reader.place_typed(name.as_deref(), *element, start)?;
                }
            }
            Column::Bytes(name, element, bytes) => {
                if bytes.is_valid(row) && !bytes.value(row).is_empty() {
                    let start = reader.record.bytes.len();
                    reader.record.bytes.extend_from_slice(bytes.value(row));
                    reader.place_typed(name.as_deref(), *element, start)?;
                }
            }
            Column::Untold(name) => {
                let name = excerpt(name.as_deref().unwrap_or("default"), 40);
                let reason = format!("the vector \"{name}\" is bytes, and nothing says of which type; name it in the layout's table [types]");
                return Err(Refusal::new(Code::VectorType, reason).into());
            }
            Column::Sparse(name, sparse) => {
                if sparse.parent.is_valid(row) {
                    sparse_row(reader, name, sparse, row)?;
                }
            }
            Column::Json(place, name, texts) => {
                if let Some(text) = texts.get(row)?.filter(|t| !t.is_empty()) {
                    json(reader, place, name, &text)?;
                }
            }
            Column::PayloadText(texts) => {
                // A null or empty string is no metadata: Parquet has no way to leave a key out.
                match texts.get(row)? {
                    Some(Cow::Borrowed(text)) if !text.is_empty() => reader.payload_text(text)?,
                    Some(text) if !text.is_empty() => reader.payload_owned(&text)?,
                    _ => {}
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
            Column::Namespace(names) => {
                if names.is_valid(row) {
                    reader.record.namespace = Some(Cow::Borrowed(names.value(row)));
                }
            }
            Column::Member(name, _, texts) => {
                if texts.is_valid(row) {
                    let mut cursor = Cursor::new(texts.value(row));
                    reader.member(Cow::Borrowed(name), &mut cursor)?;
                    cursor.end()?;
                }
            }
            Column::Members(texts) => {
                if texts.is_valid(row) {
                    let mut cursor = Cursor::new(texts.value(row));
                    cursor.object(|key, cursor| reader.member(key.value(), cursor))?;
                    cursor.end()?;
                }
            }
            Column::Other(name, array) => {
                if array.is_null(row) && !rest_is_payload {
                    continue;
                }
                let mut raw = String::new();
                push_value(&mut raw, array, row);
                if rest_is_payload {
                    // By the value's own text: a null stands in many places, and a NaN is a string.
                    let kind = Cursor::new(&raw).kind().unwrap_or(Kind::String);
                    reader.record.fields.push(Field { key: Cow::Borrowed(name), raw: raw.into(), kind });
                } else {
                    reader.rest(name, &raw);
                }
            }
        }
        reader.met(column_name(column));
    }
    let told = columns.iter().any(|c| matches!(c, Column::Member(..) | Column::Members(_)));
    if !told && matches!(reader.record.payload, Payload::Missing) {
        reader.no_payload();
    }
    reader.complete()
}

fn column_name(column: &Column) -> Option<&str> {
    if let Column::Other(name, _) = column { Some(name) } else { None }
}

/// A vector, a map of vectors or a sparse vector that came as JSON text.
fn json(reader: &mut RecordReader<'_>, place: &Place, column: &str, text: &str) -> std::result::Result<(), Stop> {
    let mut cursor = Cursor::new(text);
    let empty = match place {
        Place::Vector(name) => reader.vector(&mut cursor, name.as_deref())?,
        Place::Named => reader.named(&mut cursor)?,
        Place::Sparse(_) if cursor.kind()? == Kind::Null => Some(cursor.value()?.raw),
        Place::Sparse(name) => reader.sparse(&mut cursor, name).map(|()| None)?,
    };
    cursor.end()?;
    if let Some(raw) = empty {
        reader.rest(column, raw);
    }
    Ok(())
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

/// Appends the items of one row as little-endian bytes; `false` where the list is null or empty.
fn push_items(out: &mut Vec<u8>, lists: &ArrayRef, row: usize) -> std::result::Result<bool, Refusal> {
    if lists.is_null(row) {
        return Ok(false);
    }
    let items = lists.as_list::<i32>().value(row);
    if let Some(index) = (0..items.len()).find(|i| items.is_null(*i)) {
        return Err(Refusal::new(Code::VectorType, format!("vector value at index {index} is null, expected a number")));
    }
    let Some(width) =
        items.data_type().primitive_width().or(if let DataType::FixedSizeBinary(w) = items.data_type() { usize::try_from(*w).ok() } else { None })
    else {
        return Err(Refusal::new(Code::VectorType, format!("the vector is a list of {}, expected numbers", items.data_type())));
    };
    let data = items.to_data();
    let (from, length) = (data.offset() * width, items.len() * width);
    let Some(bytes) = data.buffers().first().and_then(|b| b.as_slice().get(from..from + length)) else { return Ok(false) };
    if cfg!(target_endian = "little") {
        out.extend_from_slice(bytes);
    } else {
        bytes.chunks_exact(width).for_each(|b| out.extend(b.iter().rev()));
    }
    Ok(length > 0)
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
    reader.place_sparse(name, indices, values)?;
    Ok(())
}
