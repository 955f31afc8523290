//! Fingerprints of rows: what a record says, as 32 bytes, and what was derived from it, as 16.
//!
//! The same function for a row that was just decoded from a dump and for one that was read back from a dataset; it knows columns
//! and nothing of where they come from. The byte string that is hashed is described in `formats/DIGEST.md`.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Schema};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::formats::json::{canonical, push_string};
use crate::frame::dates::{CREATED, UPDATED, timestamp};
use crate::frame::element::Element;
use crate::frame::pairs::{COLUMNS, RENAMED, TYPES};
use crate::frame::promote::FIELD_NAME;
use crate::frame::schema::{NAMESPACE, ORIGINAL_ID, SOURCE_FIELDS, SOURCE_PAYLOAD, VECTOR_NAME};

/// The fingerprint of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// SHA-256 over id, main vector, payload, other top-level fields, text, and the other vectors.
    pub content: [u8; 32],
    /// The first half of SHA-256 over the columns that were derived from those: title, tags, metadata, links, …
    pub derived: [u8; 16],
}

/// Columns that hold the content; the other vectors are told by their prefix.
const CONTENT: [&str; 5] = [ORIGINAL_ID, "vector", SOURCE_PAYLOAD, SOURCE_FIELDS, "text_content"];
/// The other columns that this program writes, but `uuid`, by which rows are found, and `raw_data`, which is always null.
pub(super) const DERIVED: [&str; 26] = [
    "title",
    "version",
    "context",
    "uri",
    "local_path",
    "cid",
    "collection",
    "collection_id",
    "collection_id_type",
    "position",
    "author",
    "contributors",
    "created_at",
    "updated_at",
    "tags",
    "status",
    "source_file",
    "source_type",
    "source_url",
    "relationships",
    "custom_metadata",
    "record_type",
    "raw_data_type",
    CREATED,
    UPDATED,
    NAMESPACE,
];

/// The columns of a schema that fingerprints need, other vectors last and sorted by name.
#[derive(Debug)]
pub struct Columns {
    content: Vec<usize>,
    others: Vec<(String, usize)>,
    /// Promoted columns, by the field that they hold.
    promoted: Vec<(String, usize)>,
    derived: Vec<usize>,
}

impl Columns {
    /// Finds them.
    ///
    /// # Errors
    /// One of this program's own columns is missing.
    pub fn of(schema: &Schema) -> Result<Self> {
        let find = |name: &&str| schema.index_of(name).map_err(|_| Error::new(format!("the dataset has no column {name}")));
        let content = CONTENT.iter().map(find).collect::<Result<_>>()?;
        let derived = DERIVED.iter().map(find).collect::<Result<_>>()?;
        let mut others: Vec<(String, usize)> = schema.fields().iter().enumerate().filter_map(|(at, field)| Some((other_name(field)?, at))).collect();
        others.sort();
        let promoted = |(at, field): (usize, &std::sync::Arc<arrow_schema::Field>)| Some((field.metadata().get(FIELD_NAME)?.clone(), at));
        let mut promoted: Vec<(String, usize)> = schema.fields().iter().enumerate().filter_map(promoted).collect();
        promoted.sort();
        Ok(Self { content, others, promoted, derived })
    }

    /// Names of the columns that must be read for [`Self::of`] to find all it needs.
    #[must_use]
    pub fn names(schema: &Schema) -> Vec<String> {
        let fixed = CONTENT.iter().chain(&DERIVED).map(|n| (*n).to_owned());
        fixed.chain(schema.fields().iter().filter(|f| other_name(f).is_some() || f.metadata().contains_key(FIELD_NAME)).map(|f| f.name().clone())).collect()
    }
}

/// The source's name of a vector beside the main one, with its family in front; `None` for other columns.
fn other_name(field: &arrow_schema::Field) -> Option<String> {
    let family = ["x_vector_", "x_sparse_"].into_iter().find(|prefix| field.name().starts_with(prefix))?;
    let name = field.metadata().get(VECTOR_NAME).map_or_else(|| &field.name()[family.len()..], String::as_str);
    Some(format!("{family}{name}"))
}

/// What a column holds, whatever its name: a vector's column may be called otherwise in another dataset.
#[must_use]
pub(super) fn label(field: &arrow_schema::Field) -> String {
    other_name(field).unwrap_or_else(|| field.name().clone())
}

/// Whether one column says the same on both sides. `None` where there is no such column.
pub(super) fn same_cell(name: &str, a: Option<(&ArrayRef, usize)>, b: Option<(&ArrayRef, usize)>) -> Result<bool> {
    let sum = |cell: Option<(&ArrayRef, usize)>| -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        match cell {
            None => hash.update([0]),
            Some((column, row)) if name == SOURCE_PAYLOAD || name == SOURCE_FIELDS => json(column, row, &mut hash)?,
            Some((column, row)) if name == "custom_metadata" => pairs(column, row, &mut hash)?,
            Some((column, row)) => value(column, row, &mut hash)?,
        }
        Ok(hash.finalize().into())
    };
    Ok(sum(a)? == sum(b)?)
}

/// Fingerprints of all rows of a batch.
///
/// # Errors
/// A column has a type that this program does not write.
pub fn prints(batch: &RecordBatch) -> Result<Vec<Print>> {
    let columns = Columns::of(batch.schema_ref())?;
    let mut out = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut content = Sha256::new();
        for (at, name) in columns.content.iter().zip(CONTENT) {
            let column = batch.column(*at);
            if name == SOURCE_PAYLOAD || name == SOURCE_FIELDS { json(column, row, &mut content)? } else { value(column, row, &mut content)? }
        }
        for (name, at) in columns.others.iter().filter(|(_, at)| !absent(batch.column(*at), row)) {
            text(name.as_bytes(), &mut content);
            value(batch.column(*at), row, &mut content)?;
        }
        let mut derived = Sha256::new();
        for (at, name) in columns.derived.iter().zip(DERIVED) {
            let column = batch.column(*at);
            if name == "custom_metadata" { pairs(column, row, &mut derived)? } else { value(column, row, &mut derived)? }
        }
        for (name, at) in columns.promoted.iter().filter(|(_, at)| !absent(batch.column(*at), row)) {
            text(name.as_bytes(), &mut derived);
            value(batch.column(*at), row, &mut derived)?;
        }
        out.push(Print { content: content.finalize().into(), derived: crate::dedupe::array(&derived.finalize()) });
    }
    Ok(out)
}

/// Null, or a struct of nothing but nulls: what a format without a place for a struct's own null makes of it.
fn absent(column: &ArrayRef, row: usize) -> bool {
    column.is_null(row) || column.as_struct_opt().is_some_and(|s| s.columns().iter().all(|child| child.is_null(row)))
}

fn text(bytes: &[u8], hash: &mut Sha256) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// JSON text in its canonical form; what is no JSON, as it stands.
fn json(column: &ArrayRef, row: usize, hash: &mut Sha256) -> Result<()> {
    let texts = strings(column)?;
    if texts.is_null(row) {
        hash.update([0]);
        return Ok(());
    }
    hash.update([1]);
    let raw = texts.value(row);
    text(canonical(raw).as_deref().unwrap_or(raw).as_bytes(), hash);
    Ok(())
}

/// Pairs of metadata, sorted: their order is that of the payload's keys, and says nothing.
fn pairs(column: &ArrayRef, row: usize, hash: &mut Sha256) -> Result<()> {
    let lists = column.as_list_opt::<i32>().ok_or_else(|| unexpected(column))?;
    if lists.is_null(row) {
        hash.update([0]);
        return Ok(());
    }
    hash.update([1]);
    let sorted = sorted_pairs(lists, row).ok_or_else(|| unexpected(column))?;
    hash.update((sorted.len() as u64).to_le_bytes());
    for (key, value) in sorted {
        text(key.as_bytes(), hash);
        match value {
            None => hash.update([0]),
            Some(value) => {
                hash.update([1]);
                text(value.as_bytes(), hash);
            }
        }
    }
    Ok(())
}

/// Our own pairs that hold JSON.
const OWN_JSON: [&str; 3] = [TYPES, COLUMNS, RENAMED];

/// Pairs of one row by key; JSON among the values in its canonical form: what `_types` calls an array or object, and our own.
fn sorted_pairs(lists: &ListArray, row: usize) -> Option<Vec<(String, Option<String>)>> {
    let items = lists.value(row);
    let pairs = items.as_struct_opt().filter(|s| s.num_columns() == 2)?;
    let (keys, values) = (pairs.column(0).as_string_opt::<i32>()?, pairs.column(1).as_string_opt::<i32>()?);
    let of = |i: usize| (keys.value(i).to_owned(), values.is_valid(i).then(|| values.value(i).to_owned()));
    let mut sorted: Vec<(String, Option<String>)> = (0..pairs.len()).map(of).collect();
    sorted.sort();
    let types = sorted.iter().find(|(key, _)| key == TYPES).and_then(|(_, value)| value.as_deref());
    let types: BTreeMap<String, String> = types.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for (key, value) in &mut sorted {
        let json = OWN_JSON.contains(&key.as_str()) || matches!(types.get(key.as_str()).map(String::as_str), Some("array" | "object"));
        if let Some(text) = value.as_deref().filter(|_| json).and_then(canonical) {
            *value = Some(text);
        }
    }
    Some(sorted)
}

fn strings(column: &ArrayRef) -> Result<&StringArray> {
    column.as_string_opt::<i32>().ok_or_else(|| unexpected(column))
}

fn unexpected(column: &ArrayRef) -> Error {
    Error::new(format!("a column has the type {}, which vec2lance does not write", column.data_type()))
}

/// One value of any type that this program writes: a byte for null or not, then lengths and little-endian bytes.
fn value(column: &ArrayRef, row: usize, hash: &mut Sha256) -> Result<()> {
    if absent(column, row) {
        hash.update([0]);
        return Ok(());
    }
    hash.update([1]);
    match column.data_type() {
        DataType::Utf8 => text(strings(column)?.value(row).as_bytes(), hash),
        DataType::Int32 => hash.update(column.as_primitive::<Int32Type>().value(row).to_le_bytes()),
        DataType::UInt32 => hash.update(column.as_primitive::<UInt32Type>().value(row).to_le_bytes()),
        DataType::Float32 => hash.update(column.as_primitive::<Float32Type>().value(row).to_bits().to_le_bytes()),
        DataType::Int64 => hash.update(column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::UInt64 => hash.update(column.as_primitive::<UInt64Type>().value(row).to_le_bytes()),
        DataType::Float64 => hash.update(column.as_primitive::<Float64Type>().value(row).to_bits().to_le_bytes()),
        DataType::Boolean => hash.update([u8::from(column.as_boolean().value(row))]),
        kind if *kind == timestamp() => hash.update(column.as_primitive::<TimestampMicrosecondType>().value(row).to_le_bytes()),
        DataType::Float16 => hash.update(column.as_primitive::<Float16Type>().value(row).to_bits().to_le_bytes()),
        DataType::Int8 => hash.update(column.as_primitive::<Int8Type>().value(row).to_le_bytes()),
        DataType::UInt8 => hash.update([column.as_primitive::<UInt8Type>().value(row)]),
        DataType::FixedSizeBinary(_) => hash.update(column.as_fixed_size_binary().value(row)),
        DataType::List(_) => items(&column.as_list::<i32>().value(row), hash)?,
        DataType::FixedSizeList(..) => items(&column.as_fixed_size_list().value(row), hash)?,
        DataType::Struct(_) => {
            for child in column.as_struct().columns() {
                value(child, row, hash)?;
            }
        }
        _ => return Err(unexpected(column)),
    }
    Ok(())
}

/// The items of a list: their number, then each; numbers without nulls at once.
fn items(items: &ArrayRef, hash: &mut Sha256) -> Result<()> {
    hash.update((items.len() as u64).to_le_bytes());
    if items.null_count() == 0 {
        let width = match items.data_type() {
            DataType::UInt32 => Some(4),
            other => Element::of(other).map(Element::width),
        };
        if let Some(width) = width {
            let data = items.to_data();
            let bytes = data.buffers().first().and_then(|b| b.as_slice().get(data.offset() * width..(data.offset() + items.len()) * width));
            if cfg!(target_endian = "little") {
                hash.update(bytes.unwrap_or_default());
            } else {
                bytes.unwrap_or_default().chunks_exact(width).for_each(|b| hash.update(b.iter().rev().copied().collect::<Vec<u8>>()));
            }
            return Ok(());
        }
    }
    for at in 0..items.len() {
        value(items, at, hash)?;
    }
    Ok(())
}

/// A value as people read it, at most `limit` characters: for lists of what differs.
#[must_use]
pub fn shown(column: &ArrayRef, row: usize, limit: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    if let Some(sorted) = column.as_list_opt::<i32>().and_then(|lists| sorted_pairs(lists, row)) {
        let pairs: Vec<String> = sorted.into_iter().map(|(key, value)| format!("{key}={}", value.as_deref().unwrap_or("null"))).collect();
        return crate::reject::excerpt(&pairs.join(", "), limit);
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        let mut quoted = String::new();
        push_string(&mut quoted, texts.value(row));
        return crate::reject::excerpt(&quoted, limit);
    }
    let text = arrow_cast::display::array_value_to_string(column, row).unwrap_or_default();
    crate::reject::excerpt(&text, limit)
}
