//! `custom_metadata`: a list of (key, value) string pairs a row, in an encoding from which the payload comes back, field by field.
//!
//! Strings stand verbatim; numbers, booleans, arrays and objects as the source's JSON text without white space; null is left
//! out. Three pairs of our own, only where they are needed, tell the rest: `_types` the kind of every value that was no string,
//! `_columns` which field went to a column of another name, `_renamed` which field stands under another key. Keys that would
//! collide with ours are escaped ([`super::mapping::RESERVED`]). `formats/METADATA.md` is the description, with the way back.
//! `x_source_payload` is the typed truth; this column is what survives ContextFrame's own updates.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::Field;

use super::mapping::{Constant, ESCAPE, Mapping};
use super::record::Field as PayloadField;
use super::schema::pair_fields;
use crate::formats::json::{Kind, RawString, compact, push_string};

/// Our own pair that names the kind of each value that was no string.
pub const TYPES: &str = "_types";
/// Our own pair that names the field of each column that holds one of another name.
pub const COLUMNS: &str = "_columns";
/// Our own pair that names the field of each key that is not its own.
pub const RENAMED: &str = "_renamed";

/// Builds the column row by row.
#[derive(Debug)]
pub struct PairsBuilder {
    keys: StringBuilder,
    values: StringBuilder,
    offsets: Vec<i32>,
    /// Fields of the row's `_types`, `_columns` and `_renamed`: JSON text without the braces.
    types: String,
    columns: String,
    renamed: String,
    /// Keys that mapping has renamed to in this row.
    taken: Vec<String>,
}

impl Default for PairsBuilder {
    fn default() -> Self {
        Self {
            keys: StringBuilder::new(),
            values: StringBuilder::new(),
            offsets: vec![0],
            types: String::new(),
            columns: String::new(),
            renamed: String::new(),
            taken: Vec::new(),
        }
    }
}

impl PairsBuilder {
    /// One of our own pairs.
    pub fn push(&mut self, key: &str, value: &str) {
        self.keys.append_value(key);
        self.values.append_value(value);
    }

    /// A payload field that goes to no column. `rename` is the mapping's key for it; it is used only where no other field of
    /// the row has or gets that key.
    pub fn push_field(&mut self, field: &PayloadField<'_>, rename: Option<&str>, fields: &[PayloadField<'_>], mapping: &Mapping) {
        let other = |key: &&str| self.taken.iter().any(|r| r == key) || fields.iter().any(|f| f.key == **key);
        let rename = rename.filter(|key| field.key != **key && !other(key));
        let plain = rename.unwrap_or(&field.key);
        let key = if mapping.is_ours(plain) { Cow::Owned(format!("{ESCAPE}{plain}")) } else { Cow::Borrowed(plain) };
        if let Some(plain) = rename {
            self.taken.push(plain.to_owned());
            entry(&mut self.renamed, &key, Some(&field.key));
        }
        if field.kind != Kind::String {
            entry(&mut self.types, &key, Some(field.kind.name()));
        }
        match field.kind {
            Kind::Null => {}
            Kind::String => self.push(&key, &string_value(&field.raw)),
            Kind::Array | Kind::Object => self.push(&key, &compact(&field.raw)),
            Kind::Number | Kind::Bool => self.push(&key, &field.raw),
        }
    }

    /// A pair that every record gets, whatever its payload.
    pub fn push_constant(&mut self, key: &str, value: &Constant) {
        let Constant::Json(raw, kind) = value else { return };
        entry(&mut self.renamed, key, None);
        if *kind != Kind::String {
            entry(&mut self.types, key, Some(kind.name()));
        }
        self.push(key, &if *kind == Kind::String { string_value(raw) } else { raw.into() });
    }

    /// Notes that a column of this row holds the value of this field; `None`: a value that is not the payload's. Not needed where
    /// the column is named like the field.
    pub fn note_column(&mut self, column: &str, field: Option<&str>) {
        entry(&mut self.columns, column, field);
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        for (key, at) in [(TYPES, 0), (COLUMNS, 1), (RENAMED, 2)] {
            let text = std::mem::take([&mut self.types, &mut self.columns, &mut self.renamed][at]);
            if !text.is_empty() {
                self.push(key, &format!("{{{text}}}"));
            }
        }
        self.taken.clear();
        self.offsets.push(i32::try_from(arrow_array::builder::ArrayBuilder::len(&self.keys)).unwrap_or(i32::MAX));
    }

    /// The column.
    #[must_use]
    pub fn finish(mut self) -> ArrayRef {
        let children = StructArray::new(pair_fields(), vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())], None);
        let item = Arc::new(Field::new("item", arrow_schema::DataType::Struct(pair_fields()), true));
        Arc::new(ListArray::new(item, OffsetBuffer::new(ScalarBuffer::from(self.offsets)), Arc::new(children), None))
    }
}

/// Appends `"key":"value"` to the inside of an object.
fn entry(object: &mut String, key: &str, value: Option<&str>) {
    if !object.is_empty() {
        object.push(',');
    }
    push_string(object, key);
    object.push(':');
    match value {
        Some(value) => push_string(object, value),
        None => object.push_str("null"),
    }
}

/// The value of a JSON string given with its quotes.
#[must_use]
pub fn string_value(quoted: &str) -> Cow<'_, str> {
    let raw = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
    RawString { raw, escaped: memchr::memchr(b'\\', raw.as_bytes()).is_some() }.value()
}
