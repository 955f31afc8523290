//! The records of one collection among those of several, where each record says its own: Weaviate's `class`.
//!
//! Wraps what takes records out of chunks; the records themselves are read as those of every other dump. Which collections there are is
//! the plan's business.

use std::borrow::Cow;

use super::Chunk;
use super::json::{Cursor, JsonError, Kind};
use super::unpack::{Records, Unpack};
use crate::frame::pairs::string_value;
use crate::reject::{Code, Refusal};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Takes the records of one collection out of chunks.
pub struct Apart {
    inner: Option<Box<dyn Unpack>>,
    /// The key of a record that says its collection.
    key: String,
    name: String,
    /// Whether records that say none, and what holds no record, are this collection's.
    rest: bool,
}

impl Apart {
    /// `inner` takes records out of chunks that do not hold them as they are.
    #[must_use]
    pub fn new(inner: Option<Box<dyn Unpack>>, key: &str, name: &str, rest: bool) -> Self {
        Self { inner, key: key.to_owned(), name: name.to_owned(), rest }
    }
}

/// The collection that a record says, if it says one before it breaks off.
#[must_use]
pub fn said<'a>(record: &'a [u8], key: &str) -> Option<Cow<'a, str>> {
    let text = std::str::from_utf8(record).ok()?;
    let mut found = None;
    // It stands near the front of real objects; the walk ends there.
    let _ = Cursor::new(text).object(|met, cursor| -> Result<(), JsonError> {
        let value_of = met.value() == key;
        let value = cursor.value()?;
        if value_of {
            found = (value.kind == Kind::String).then(|| string_value(value.raw));
            return cursor.fail("found");
        }
        Ok(())
    });
    found
}

/// Every record of a chunk as it stands there, with its place.
#[must_use]
pub fn records(inner: Option<&dyn Unpack>, chunk: &Chunk, shard: u32) -> Records {
    if let Some(inner) = inner {
        return inner.unpack(chunk, shard);
    }
    let mut out = Records::of(shard);
    match chunk {
        Chunk::Lines(lines) => {
            let bytes = lines.data.bytes();
            if let Some(length) = lines.oversize {
                out.lines = 1;
                let place = crate::reject::Place { length, ..out.place(1, lines.offset, 0) };
                let reason = format!("the line is {length} bytes long, over the limit that --memory allows; only its beginning is kept here");
                out.refuse(place, Refusal::new(Code::LineTooLong, reason), bytes);
                return out;
            }
            let mut at = 0;
            while at < bytes.len() {
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |e| at + e);
                out.lines += 1;
                let line = &bytes[at..end];
                let line = line.strip_prefix(BOM).unwrap_or(line).trim_ascii();
                if !line.is_empty() {
                    let start = at + (line.as_ptr() as usize - bytes[at..].as_ptr() as usize);
                    let place = out.place(out.lines, lines.offset + start as u64, line.len());
                    out.add(place, |data| data.extend_from_slice(line));
                }
                at = end + 1;
            }
        }
        Chunk::Elements(chunk) => {
            for e in &chunk.elements {
                let place = out.place(e.line, chunk.offset + e.start as u64, e.length);
                out.add(place, |data| data.extend_from_slice(&chunk.data[e.start..e.start + e.length]));
            }
        }
        Chunk::Rows { .. } => {}
    }
    out
}

impl Unpack for Apart {
    fn unpack(&self, chunk: &Chunk, shard: u32) -> Records {
        let all = records(self.inner.as_deref(), chunk, shard);
        let mut own = Records::of(shard);
        for (at, place) in all.places.iter().enumerate() {
            let text = all.text(at);
            if said(text, &self.key).map_or(self.rest, |name| name == self.name) {
                own.add(*place, |data| data.extend_from_slice(text));
            }
        }
        if self.rest {
            (own.broken, own.end) = (all.broken, all.end);
        }
        own.lines = all.lines;
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::chunk::{ChunkData, LineChunk};

    #[test]
    fn every_record_is_of_one_collection() {
        let text = b"{\"class\":\"A\",\"id\":1}\n\n{\"id\":2,\"class\":\"B\"}\n{\"id\":3}\nbroken\n{\"class\":7}\n".to_vec();
        let chunk = Chunk::Lines(LineChunk { offset: 10, newlines: 6, data: ChunkData::Owned(text), last: true, oversize: None });
        let of = |name: &str, rest: bool| {
            let records = Apart::new(None, "class", name, rest).unpack(&chunk, 0);
            records.places.iter().map(|p| (p.line, p.byte)).collect::<Vec<_>>()
        };
        assert_eq!(of("A", true), [(Some(1), Some(10)), (Some(4), Some(53)), (Some(5), Some(62)), (Some(6), Some(69))]);
        assert_eq!(of("B", false), [(Some(3), Some(32))]);
        assert_eq!(said(br#"{"x":{"class":"no"},"class":"a\u0062"}"#, "class").as_deref(), Some("ab"));
    }
}
