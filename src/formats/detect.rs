//! Which framing and which layout a dump has, told by its first records.
//!
//! Reads no file: the plan hands over the first bytes. Never guesses in silence: what was found, and by what, is text for
//! the report.

use super::Chunk;
use super::csv::Dialect;
use super::json::{Cursor, JsonError, Kind};
use super::spec::Spec;
use crate::error::{Error, Result};
use crate::reject::{excerpt, printable};

/// How records are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One record a line.
    Lines,
    /// One JSON document: an array of records, or an object that holds one.
    Document,
    /// JSON objects or arrays, one after the other, whatever stands between them: pages of answers.
    Values,
    /// Rows of CSV or of `COPY`'s text.
    Csv(Dialect),
    /// Rows of a Parquet file.
    Parquet,
    /// NumPy arrays of one folder, one a field.
    Arrays,
    /// Rows of a Lance table.
    Table,
}

impl Framing {
    /// The words for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "JSON lines",
            Self::Document => "one JSON document",
            Self::Values => "JSON values",
            Self::Csv(Dialect { quotes: true, .. }) => "CSV",
            Self::Csv(_) => "TSV",
            Self::Parquet => "Parquet",
            Self::Arrays => "NumPy arrays",
            Self::Table => "Lance table",
        }
    }
}

/// Tells lines from a document by the first bytes of the plain text. `keys` are those that may wrap an array of records.
#[must_use]
pub fn framing(head: &[u8], keys: &[String]) -> Framing {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let valid = std::str::from_utf8(head).map_or_else(|e| e.valid_up_to(), str::len);
    let text = std::str::from_utf8(&head[..valid]).unwrap_or("");
    if text.starts_with('[') {
        return Framing::Document;
    }
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let next_is_record = after.trim_start().starts_with('{') && after.lines().find(|l| !l.trim().is_empty()).is_some_and(|l| l.starts_with('{'));
    let mut cursor = Cursor::new(line);
    let whole = cursor.value().is_ok_and(|v| v.kind == Kind::Object) && cursor.end().is_ok();
    if whole && !after.trim().is_empty() {
        return Framing::Lines;
    }
    if wraps_records(text, keys) {
        return Framing::Document;
    }
    // An object that goes on over several lines is a document; a line that is merely broken is followed by the next record.
    let goes_on = !whole && !after.trim().is_empty() && !next_is_record && text.starts_with('{');
    if goes_on && is_prefix_of_object(text) { Framing::Document } else { Framing::Lines }
}

/// Whether the object at the start of `text` holds an array of objects under one of `keys`, as far as `text` reaches.
fn wraps_records(text: &str, keys: &[String]) -> bool {
    let mut found = false;
    let _ = Cursor::new(text).object(|key, cursor| -> std::result::Result<(), JsonError> {
        if keys.iter().any(|k| *k == key.value()) {
            let mut ahead = cursor.clone();
            if ahead.expect(b'[', "").is_ok() && matches!(ahead.peek(), Some(b'{' | b']')) {
                found = true;
                return cursor.fail("enough");
            }
        }
        cursor.value().map(|_| ())
    });
    found
}

fn is_prefix_of_object(text: &str) -> bool {
    match Cursor::new(text).value() {
        Ok(_) => true,
        Err(error) => error.at_end,
    }
}

/// The records' texts, as far as they are UTF-8.
#[must_use]
pub fn texts(chunk: &Chunk) -> Vec<&str> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    match chunk {
        Chunk::Lines(lines) => {
            let split = lines.data.bytes().split(|b| *b == b'\n');
            split.map(|l| l.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(l).trim_ascii()).filter(|l| !l.is_empty()).filter_map(text).collect()
        }
        Chunk::Elements(e) => e.elements.iter().filter_map(|x| text(&e.data[x.start..x.start + x.length])).collect(),
        Chunk::Rows { .. } => vec![],
    }
}

/// Top-level keys of each record that is a JSON object.
#[must_use]
pub fn keys_of(chunk: &Chunk) -> Vec<Vec<String>> {
    if let Chunk::Rows { batch, .. } = chunk {
        return vec![batch.schema().fields().iter().map(|f| f.name().clone()).collect()];
    }
    let keys = |text: &str| {
        let mut keys = Vec::new();
        let read = Cursor::new(text).object(|key, cursor| -> std::result::Result<(), JsonError> {
            keys.push(key.value().into_owned());
            cursor.value().map(|_| ())
        });
        read.ok().map(|()| keys)
    };
    texts(chunk).into_iter().filter_map(keys).collect()
}

/// The layout that most of the records have, and the sentence that says by what it was told.
#[must_use]
pub fn layout(records: &[Vec<String>], specs: &[Spec]) -> Option<(Spec, String)> {
    let matches = |spec: &Spec, keys: &[String]| {
        let has = |k: &String| keys.contains(k);
        let d = &spec.detect;
        // Pages are told by more than their keys.
        spec.page.is_none() && !d.all.is_empty() && d.all.iter().all(has) && (d.any.is_empty() || d.any.iter().any(has))
    };
    let score = |spec: &Spec| records.iter().filter(|keys| matches(spec, keys)).count();
    let best = specs.iter().max_by_key(|spec| (score(spec), spec.detect.all.len() + spec.detect.any.len())).filter(|s| score(s) > 0)?;
    let first = records.iter().find(|keys| matches(best, keys))?;
    let known: Vec<&str> = first.iter().map(String::as_str).filter(|k| best.top_keys().any(|t| t == *k)).collect();
    Some((best.clone(), format!("keys {}", known.join(", "))))
}

/// A column of lists of bytes, which can be vectors of several types.
#[must_use]
pub fn untold_bytes(chunk: &Chunk) -> Option<String> {
    use arrow_schema::DataType::{FixedSizeList, LargeList, List, UInt8};
    let Chunk::Rows { batch, .. } = chunk else { return None };
    let schema = batch.schema();
    let bytes = |f: &&std::sync::Arc<arrow_schema::Field>| matches!(f.data_type(), List(i) | LargeList(i) | FixedSizeList(i, _) if *i.data_type() == UInt8);
    schema.fields().iter().find(bytes).map(|f| f.name().clone())
}

/// A key and a vector field for entities without a schema: the fields named so by the user, else the only field that can be.
///
/// # Errors
/// None or several fields could be it; the message lists them.
pub fn entity_fields(chunk: &Chunk, id: Option<&str>, vector: Option<&str>, name: &str) -> Result<(String, String, bool)> {
    if let (Some(id), Some(vector)) = (id, vector) {
        return Ok((id.to_owned(), vector.to_owned(), false));
    }
    let mut fields: Vec<(String, bool, bool)> = Vec::new();
    for text in texts(chunk).into_iter().take(100) {
        let _ = Cursor::new(text).object(|key, cursor| -> std::result::Result<(), JsonError> {
            let key = key.value().into_owned();
            let value = cursor.value()?;
            let mut floats = Vec::new();
            let numbers = value.kind == Kind::Array && super::number::f32_array(&mut Cursor::new(value.raw), &mut floats).is_ok_and(|n| n > 1);
            let scalar = matches!(value.kind, Kind::String | Kind::Number);
            match fields.iter_mut().find(|(k, ..)| *k == key) {
                Some((_, vector, id)) => {
                    *vector &= numbers;
                    *id &= scalar;
                }
                None => fields.push((key, numbers, scalar)),
            }
            Ok(())
        });
    }
    if let Chunk::Rows { batch, .. } = chunk {
        use arrow_schema::DataType::{FixedSizeList, LargeList, List};
        for field in batch.schema().fields() {
            let list = matches!(field.data_type(), List(f) | LargeList(f) | FixedSizeList(f, _) if f.data_type().is_floating());
            fields.push((field.name().clone(), list, !field.data_type().is_nested() && !field.data_type().is_floating()));
        }
    }
    let name = printable(name);
    let all = fields.iter().map(|(k, ..)| excerpt(k, 30)).collect::<Vec<_>>().join(", ");
    let vectors: Vec<&String> = fields.iter().filter(|(_, v, _)| *v).map(|(k, ..)| k).collect();
    let vector = match (vector, vectors.as_slice()) {
        (Some(vector), _) => vector.to_owned(),
        (None, [only]) => (*only).clone(),
        (None, _) => {
            return Err(Error::new(format!("{name}: cannot tell which field is the vector, {} of them could be; fields: {all}", vectors.len()))
                .help("name it with --vector-field, and the key with --id-field"));
        }
    };
    let keys = ["pk", "id", "_id", "primary_key", "uuid", "auto_id"];
    let found = keys.iter().find(|k| fields.iter().any(|(f, _, id)| f == *k && *id));
    match id.or(found.copied()) {
        Some(id) => Ok((id.to_owned(), vector, true)),
        None => Err(Error::new(format!("{name}: cannot tell which field is the primary key; fields: {all}")).help("name it with --id-field")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_documents_are_told_apart() {
        let keys = ["data".to_owned(), "vectors".to_owned()];
        for (head, expected) in [
            ("{\"id\":1}\n{\"id\":2}\n", Framing::Lines),
            ("{\"id\":1}", Framing::Lines),
            ("{\"id\":1,\n{\"id\":2}\n", Framing::Lines),
            ("{\"id\":\"a\",\"values\":[1,2", Framing::Lines),
            ("\n [ {\"id\":1},", Framing::Document),
            ("[\n  {\n", Framing::Document),
            ("{\n  \"schema\": [\n {\"name\":", Framing::Document),
            ("{\"schema\":[],\"data\":[{\"pk\":1},{", Framing::Document),
            ("{\"vectors\":[{\"id\":1}]}", Framing::Document),
            ("{\"data\":[{\"a\":1}],\"pk\":1}\n{\"data\":[],\"pk\":2}\n", Framing::Lines),
            ("{\"vectors\":[1,2]}\n", Framing::Lines),
        ] {
            assert_eq!(framing(head.as_bytes(), &keys), expected, "{head}");
        }
    }
}
