//! Fields whose text is JSON: what a schema calls JSON and a file can only hold as a string. They become values again.
//!
//! Only where the layout names them (`json`): a string that looks like JSON is a string.

use std::borrow::Cow;

use super::json::{Cursor, JsonError, Kind};
use super::milvus::DYNAMIC;
use super::reader::RecordReader;
use crate::frame::pairs::string_value;
use crate::frame::record::Field;

impl RecordReader<'_> {
    /// Replaces strings by the JSON values that they hold, and puts the fields of `$meta` beside the others, as Milvus' own client
    /// does. What is no JSON stays the string that it is; `$meta` stays whole where one of its fields is named like another one.
    pub(super) fn unfold(&mut self) {
        let names = &self.context.spec.json;
        if names.is_empty() {
            return;
        }
        let mut dynamic = None;
        for (index, field) in self.record.fields.iter_mut().enumerate() {
            if !names.iter().any(|name| *name == field.key) {
                continue;
            }
            if field.kind == Kind::String
                && let Some((text, kind)) = value(&field.raw)
            {
                field.raw = Cow::Owned(text);
                field.kind = kind;
            }
            if field.key == DYNAMIC && field.kind == Kind::Object {
                dynamic = Some(index);
            }
        }
        if let Some(index) = dynamic {
            self.spread(index);
        }
    }

    fn spread(&mut self, index: usize) {
        let raw = self.record.fields[index].raw.clone().into_owned();
        let mut inner: Vec<(String, String, Kind)> = Vec::new();
        let read = Cursor::new(&raw).object(|key, cursor| -> Result<(), JsonError> {
            let value = cursor.value()?;
            inner.push((key.value().into_owned(), value.raw.to_owned(), value.kind));
            Ok(())
        });
        let taken = |key: &str| self.is_slot(key) || key == DYNAMIC || self.record.fields.iter().any(|f| f.key == key);
        let mut names: Vec<&str> = inner.iter().map(|(key, ..)| key.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
        if read.is_err() || twice || inner.iter().any(|(key, ..)| taken(key)) {
            return;
        }
        self.record.fields.remove(index);
        self.record.fields.extend(inner.into_iter().map(|(key, raw, kind)| Field { key: Cow::Owned(key), raw: Cow::Owned(raw), kind }));
    }
}

/// The JSON value in a quoted string, and its kind.
fn value(quoted: &str) -> Option<(String, Kind)> {
    let text = string_value(quoted);
    let mut cursor = Cursor::new(&text);
    let value = cursor.value().ok()?;
    let (raw, kind) = (value.raw.to_owned(), value.kind);
    cursor.end().ok()?;
    Some((raw, kind))
}
