//! Records out of a rejects file, once somebody has mended them: each line wraps one record, and says where it came from.
//!
//! `original` is the record: as text, or as the JSON object itself. A line of another collection is passed over; another decoder,
//! of that collection, reads it.

use std::borrow::Cow;

use arrow_schema::ArrowError;
use serde::{Deserialize, Serialize};

use super::elements::{Element, ElementChunk};
use super::json::{Cursor, JsonError, Kind};
use super::jsonl::TextDecoder;
use super::{Chunk, Decoded, Decoder};
use crate::frame::pairs::string_value;
use crate::frame::vectors::Layout;
use crate::reject::{Code, Place, Refusal, Reject};

/// Where a rejected record came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The database.
    pub source: String,
    /// Collection, class or index.
    pub collection: String,
    /// Namespace, tenant or partition; empty where there is none.
    pub namespace: String,
    /// The layout's name.
    pub format: String,
}

/// Decodes the records of one origin.
pub struct RejectsDecoder {
    inner: TextDecoder,
    origin: Origin,
    shard: u32,
    /// Whether lines that cannot be read at all are this decoder's to refuse.
    first: bool,
    /// Top-level key of the payload, which Parquet may hold as JSON in a string.
    payload: Option<String>,
}

impl RejectsDecoder {
    /// A decoder of the records of `origin`; `payload` is the layout's path.
    #[must_use]
    pub fn new(inner: TextDecoder, origin: Origin, shard: u32, first: bool, payload: &str) -> Self {
        let payload = payload.strip_prefix('/').filter(|p| !p.contains('/')).map(str::to_owned);
        Self { inner, origin, shard, first, payload }
    }

    /// The record of one line; `None` if it is of another origin.
    fn unwrap<'l>(&self, line: &'l str) -> Result<Option<Cow<'l, [u8]>>, JsonError> {
        let mut cursor = Cursor::new(line);
        let mut origin = Origin { source: String::new(), collection: String::new(), namespace: String::new(), format: String::new() };
        let (mut original, mut hex, mut lined) = (None, None, false);
        cursor.object(|key, cursor| -> Result<(), JsonError> {
            let key = key.value();
            let value = cursor.value()?;
            let text = || string_value(value.raw).into_owned();
            match (key.as_ref(), value.kind) {
                ("source", Kind::String) => origin.source = text(),
                ("collection", Kind::String) => origin.collection = text(),
                ("namespace", Kind::String) => origin.namespace = text(),
                ("format", Kind::String) => origin.format = text(),
                ("byte", kind) => lined = kind == Kind::Number,
                ("original", Kind::String) => original = Some(string_value(value.raw)),
                ("original", _) => original = Some(Cow::Borrowed(value.raw)),
                ("original_hex", Kind::String) => hex = Some(text()),
                _ => {}
            }
            Ok(())
        })?;
        cursor.end()?;
        if origin != self.origin {
            return Ok(None);
        }
        let Some(original) = original else { return Cursor::new("").fail("the key \"original\" is missing") };
        // The bytes count as long as nobody has touched the text that was made of them.
        if let Some(bytes) = hex.as_deref().and_then(bytes_of)
            && String::from_utf8_lossy(&bytes) == original
        {
            return Ok(Some(Cow::Owned(bytes)));
        }
        if !lined && let Some(text) = self.payload.as_deref().and_then(|key| unquoted(&original, key)) {
            return Ok(Some(Cow::Owned(text.into_bytes())));
        }
        Ok(Some(match original {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }))
    }
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()).collect()
}

/// A row of Parquet whose payload is an object in a string: the same with the object itself.
fn unquoted(record: &str, key: &str) -> Option<String> {
    let mut found = None;
    Cursor::new(record)
        .object(|name, cursor| -> Result<(), JsonError> {
            let value = cursor.value()?;
            if name.value() == key && value.kind == Kind::String {
                let end = cursor.position();
                found = Some((end - value.raw.len()..end, string_value(value.raw).into_owned()));
            }
            Ok(())
        })
        .ok()?;
    let (range, text) = found?;
    let mut cursor = Cursor::new(&text);
    let object = cursor.value().is_ok_and(|v| v.kind == Kind::Object) && cursor.end().is_ok();
    object.then(|| format!("{}{text}{}", &record[..range.start], &record[range.end..]))
}

impl Decoder for RejectsDecoder {
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> Result<Decoded, ArrowError> {
        let Chunk::Lines(lines) = chunk else { return self.inner.decode(chunk, layout) };
        if lines.oversize.is_some() {
            return if self.first { self.inner.decode(chunk, layout) } else { Ok(Decoded { lines: 1, ..Decoded::default() }) };
        }
        let (mut data, mut elements, mut places, mut broken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut count = 0u64;
        let bytes = lines.data.bytes();
        let mut at = 0;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |e| at + e);
            count += 1;
            let line = bytes[at..end].trim_ascii();
            let mut place = Place { shard: self.shard, line: Some(count), byte: Some(lines.offset + at as u64), length: line.len() as u64, record: 0 };
            let text = std::str::from_utf8(line);
            match text.map(|text| self.unwrap(text)) {
                _ if line.is_empty() => {}
                Ok(Ok(None)) => {}
                Ok(Ok(Some(record))) => {
                    let start = data.len();
                    data.extend_from_slice(&record);
                    elements.push(Element { start, length: data.len() - start, line: count });
                    place.record = places.len() as u64 + 1;
                    places.push(place);
                }
                _ if !self.first => {}
                Ok(Err(error)) => broken.push(Reject { place, id: None, namespace: None, refusal: error.refusal(false), original: line.to_vec() }),
                Err(_) => {
                    let refusal = Refusal::new(Code::InvalidUtf8, "the line of the rejects file is not UTF-8");
                    broken.push(Reject { place, id: None, namespace: None, refusal, original: line.to_vec() });
                }
            }
            at = end + 1;
        }
        let mut decoded = self.inner.decode(&Chunk::Elements(ElementChunk { offset: 0, data, elements }), layout)?;
        let settle = |place: &mut Place| {
            if let Some(own) = usize::try_from(place.record).ok().and_then(|n| places.get(n.wrapping_sub(1))) {
                *place = *own;
            }
        };
        decoded.origins.iter_mut().for_each(|o| settle(&mut o.place));
        decoded.rejects.iter_mut().for_each(|r| settle(&mut r.place));
        decoded.records += broken.len() as u64;
        decoded.rejects.append(&mut broken);
        decoded.lines = count;
        Ok(decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_in_a_string_is_taken_out_of_it() {
        let record = r#"{"id":"a","metadata":"{\"n\":1}","values":[1]}"#;
        assert_eq!(unquoted(record, "metadata").as_deref(), Some(r#"{"id":"a","metadata":{"n":1},"values":[1]}"#));
        for other in [r#"{"id":"a","metadata":"text"}"#, r#"{"id":"a","metadata":{"n":1}}"#, "{"] {
            assert_eq!(unquoted(other, "metadata"), None, "{other}");
        }
        assert_eq!(bytes_of("00ff"), Some(vec![0, 255]));
        assert_eq!(bytes_of("0"), None);
    }
}
