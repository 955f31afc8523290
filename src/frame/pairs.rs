//! `custom_metadata`: a list of (key, value) string pairs a row, in an encoding from which the payload's values come back.
//!
//! Strings stand verbatim; numbers, booleans, arrays and objects as the source's JSON text without white space; null is left
//! out. `_types` (one JSON object, only when needed) names the kind of every value that was no string, null included. Keys
//! that would collide with ours are escaped ([`super::mapping::RESERVED`]). `x_source_payload` is the typed truth; this
//! column is what survives ContextFrame's own updates.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::Field;

use super::mapping::{ESCAPE, RESERVED};
use super::record::Field as PayloadField;
use super::schema::pair_fields;
use crate::formats::json::{Kind, RawString, compact, push_string};

/// Builds the column row by row.
#[derive(Debug)]
pub struct PairsBuilder {
    keys: StringBuilder,
    values: StringBuilder,
    offsets: Vec<i32>,
    types: String,
    /// Keys that mapping has renamed to in this row.
    renamed: Vec<String>,
}

impl Default for PairsBuilder {
    fn default() -> Self {
        Self { keys: StringBuilder::new(), values: StringBuilder::new(), offsets: vec![0], types: String::new(), renamed: Vec::new() }
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
    pub fn push_field(&mut self, field: &PayloadField<'_>, rename: Option<&str>, fields: &[PayloadField<'_>]) {
        let rename = rename.filter(|key| !self.renamed.iter().any(|r| r == key) && !fields.iter().any(|f| f.key == *key));
        if let Some(key) = rename {
            self.renamed.push(key.to_owned());
        }
        let key = rename.unwrap_or(&field.key);
        let escaped;
        let key = if RESERVED.contains(&key) || key.starts_with(ESCAPE) {
            escaped = format!("{ESCAPE}{key}");
            &escaped
        } else {
            key
        };
        if field.kind != Kind::String {
            if !self.types.is_empty() {
                self.types.push(',');
            }
            push_string(&mut self.types, key);
            self.types.push(':');
            push_string(&mut self.types, field.kind.name());
        }
        match field.kind {
            Kind::Null => {}
            Kind::String => self.push(key, &string_value(&field.raw)),
            Kind::Array | Kind::Object => self.push(key, &compact(&field.raw)),
            Kind::Number | Kind::Bool => self.push(key, &field.raw),
        }
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        if !self.types.is_empty() {
            let types = format!("{{{}}}", self.types);
            self.push("_types", &types);
            self.types.clear();
        }
        self.renamed.clear();
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

/// The value of a JSON string given with its quotes.
#[must_use]
pub fn string_value(quoted: &str) -> std::borrow::Cow<'_, str> {
    let raw = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
    RawString { raw, escaped: memchr::memchr(b'\\', raw.as_bytes()).is_some() }.value()
}
