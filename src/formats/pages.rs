//! Answers of a server, kept as they came: one page of records each, a line a page or one after the other.
//!
//! The layout's `page` says where the records stand. Not the records' meaning: they go on as JSON text. A page that holds no
//! records where they should be is refused as a whole; nobody knows how many records it would have had.

mod detect;

use std::borrow::Cow;

pub use detect::{Start, start};

use super::Chunk;
use super::elements::ElementChunk;
use super::json::{Cursor, JsonError, Kind, RawValue, push_string};
use super::spec::{PAGE_NAMESPACE, PageShape, PageSpec, Spec};
use super::unpack::{Records, Unpack};
use crate::reject::{Code, Refusal, excerpt};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Takes the records out of pages.
#[derive(Debug, Clone)]
pub struct Pages {
    page: PageSpec,
    /// Paths, in the order of [`PageSpec::paths`].
    paths: Vec<Vec<String>>,
    /// The key that holds a record's id.
    id: String,
}

/// A value of the page and its offset in the text.
type Found<'a> = Option<(RawValue<'a>, usize)>;

enum Stop {
    Json(JsonError),
    Refused(Refusal),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl Pages {
    /// The pages of a layout; `None` if it has none.
    #[must_use]
    pub fn of(spec: &Spec) -> Option<Self> {
        let page = spec.page.clone()?;
        let paths = page.paths().map(segments).collect();
        let id = spec.id.as_ref().map_or_else(|| "id".to_owned(), |id| segments(&id.at).join("/"));
        Some(Self { page, paths, id })
    }

    /// One page or several of them, without anything between them; `cut` says that the input ends here.
    fn text(&self, bytes: &[u8], (line, byte): (u64, u64), cut: bool, out: &mut Records) {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => {
                let at = e.valid_up_to();
                let met = bytes.get(at).copied().unwrap_or_default();
                let reason = format!("byte 0x{met:02x} at byte {at} of this page is not UTF-8");
                return out.refuse(out.place(line, byte, bytes.len()), Refusal::new(Code::InvalidUtf8, reason), bytes);
            }
        };
        let mut at = 0;
        while let Some(start) = text[at..].find(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\n' | ',')).map(|s| at + s) {
            let mut cursor = Cursor::new(&text[start..]);
            let page = (line + text[..start].matches('\n').count() as u64, byte + start as u64);
            match self.page(&mut cursor, page, out) {
                Ok(()) => at = start + cursor.position(),
                Err(Stop::Refused(refusal)) => {
                    at = start + cursor.position();
                    out.refuse(out.place(page.0, page.1, at - start), refusal, &text.as_bytes()[start..at]);
                }
                Err(Stop::Json(error)) => {
                    let rest = &text[start..];
                    let mut refusal = error.refusal(cut);
                    refusal.reason = refusal.reason.replace("of this record", "of this page");
                    return out.refuse(out.place(page.0, page.1, rest.len()), refusal, rest.as_bytes());
                }
            }
        }
    }

    /// Reads one page. The cursor stands behind it afterwards unless it is broken.
    fn page<'a>(&self, cursor: &mut Cursor<'a>, (line, byte): (u64, u64), out: &mut Records) -> Result<(), Stop> {
        if cursor.kind()? != Kind::Object {
            let value = cursor.value()?;
            return Err(lost(&format!("the page is a JSON {}", value.kind.name()), value.raw));
        }
        let text = cursor.text();
        let found = self.find(cursor)?;
        let whole = &text[..cursor.position()];
        self.check(&found, whole)?;
        let of = |path: &Option<String>| -> Found<'a> {
            let at = self.page.paths().position(|p| Some(p) == path.as_deref())?;
            found.get(at).copied().flatten()
        };
        // The namespace stands in the page once; each record takes it along.
        let namespace = of(&self.page.namespace).filter(|(v, _)| v.kind == Kind::String && v.raw != "\"\"").map(|(v, _)| v.raw);
        let Some((records, start)) = found[0] else { return Err(lost("the page holds no records", whole)) };
        let lines = Lines { text: whole, line, byte };
        match (self.page.shape, records.kind) {
            (PageShape::List, Kind::Array) => {
                let mut inner = Cursor::new(records.raw);
                inner.array(|inner| -> Result<(), Stop> {
                    let value = inner.value()?;
                    let at = start + inner.position() - value.raw.len();
                    out.add(lines.place(out, at, value.raw.len()), |data| with_namespace(data, value.raw.as_bytes(), namespace));
                    Ok(())
                })?;
            }
            (PageShape::Map, Kind::Object) => {
                let mut inner = Cursor::new(records.raw);
                inner.object(|key, inner| -> Result<(), Stop> {
                    let value = inner.value()?;
                    let at = start + inner.position() - value.raw.len();
                    let key = key.value();
                    let place = lines.place(out, at, value.raw.len());
                    out.add(place, |data| with_namespace(data, &with_id(value, &self.id, &key), namespace));
                    Ok(())
                })?;
            }
            (PageShape::Columns, Kind::Array) => self.columns(&found, &lines, out)?,
            _ => return Err(lost("the page holds no records", whole)),
        }
        if self.page.next.is_some() {
            let next = of(&self.page.next).filter(|(v, _)| v.kind != Kind::Null && v.raw != "\"\"").map(|(v, _)| excerpt(v.raw, 80));
            let end = out.end.get_or_insert_default();
            end.ended |= next.is_none();
            end.next = next;
        }
        Ok(())
    }

    /// The values at the layout's paths. Takes the whole page.
    fn find<'a>(&self, cursor: &mut Cursor<'a>) -> Result<Vec<Found<'a>>, Stop> {
        let mut found = vec![None; self.paths.len()];
        let all: Vec<usize> = (0..self.paths.len()).collect();
        self.level(cursor, 0, &all, &mut found)?;
        Ok(found)
    }

    fn level<'a>(&self, cursor: &mut Cursor<'a>, depth: usize, wanted: &[usize], found: &mut [Found<'a>]) -> Result<(), Stop> {
        cursor.object(|key, cursor| {
            let key = key.value();
            let here: Vec<usize> = wanted.iter().copied().filter(|at| self.paths[*at].get(depth).is_some_and(|part| *part == key)).collect();
            let (ends, deeper): (Vec<usize>, Vec<usize>) = here.into_iter().partition(|at| self.paths[*at].len() == depth + 1);
            if !deeper.is_empty() && cursor.kind()? == Kind::Object {
                return self.level(cursor, depth + 1, &deeper, found);
            }
            let value = cursor.value()?;
            for at in ends {
                if found[at].is_some() {
                    let reason = format!("the key \"{}\" stands twice in the page", excerpt(&key, 40));
                    return Err(Stop::Refused(Refusal::new(Code::DuplicateKey, reason)));
                }
                found[at] = Some((value, cursor.position() - value.raw.len()));
            }
            Ok(())
        })
    }

    /// What a good answer has.
    fn check(&self, found: &[Found<'_>], whole: &str) -> Result<(), Stop> {
        let first = self.paths.len() - self.page.ok.len();
        for (at, (path, good)) in (first..).zip(&self.page.ok) {
            // A page that somebody has cut down to its records says nothing of its state.
            if let Some((value, _)) = found[at]
                && !good.iter().any(|g| g == value.raw)
            {
                return Err(lost(&format!("the server answered {} = {}", &path[1..], excerpt(value.raw, 60)), whole));
            }
        }
        Ok(())
    }

    /// Parallel lists: one record a place in them.
    fn columns(&self, found: &[Found<'_>], lines: &Lines<'_>, out: &mut Records) -> Result<(), Stop> {
        let mut lists: Vec<(&str, Vec<(&str, usize)>)> = Vec::new();
        let keys = std::iter::once(self.id.as_str()).chain(self.page.columns.keys().map(String::as_str));
        for (key, value) in keys.zip(found) {
            let Some((value, start)) = value.filter(|(v, _)| v.kind != Kind::Null) else { continue };
            if value.kind != Kind::Array {
                return Err(lost(&format!("\"{key}\" is a JSON {}, expected a list", value.kind.name()), lines.text));
            }
            let mut list = Vec::new();
            let mut cursor = Cursor::new(value.raw);
            cursor.array(|cursor| -> Result<(), Stop> {
                let value = cursor.value()?;
                list.push((value.raw, start + cursor.position() - value.raw.len()));
                Ok(())
            })?;
            lists.push((key, list));
        }
        let count = lists.first().map_or(0, |(_, list)| list.len());
        if let Some((key, list)) = lists.iter().find(|(_, list)| list.len() != count) {
            let reason = format!("{count} ids and {} values of \"{key}\", expected as many of both", list.len());
            return Err(Stop::Refused(Refusal::new(Code::LostPage, reason)));
        }
        for row in 0..count {
            let (id, at) = lists[0].1[row];
            out.add(lines.place(out, at, id.len()), |data| {
                for (number, (key, list)) in lists.iter().enumerate() {
                    data.extend_from_slice(if number == 0 { b"{\"" } else { b",\"" });
                    data.extend_from_slice(key.as_bytes());
                    data.extend_from_slice(b"\":");
                    data.extend_from_slice(list[row].0.as_bytes());
                }
                data.push(b'}');
            });
        }
        Ok(())
    }
}

/// The place of a page, and so of what stands in it.
struct Lines<'a> {
    text: &'a str,
    line: u64,
    byte: u64,
}

impl Lines<'_> {
    fn place(&self, out: &Records, at: usize, length: usize) -> crate::reject::Place {
        // Pages on one line, by far the most, are not counted through for each record.
        let line = if self.text.contains('\n') { self.text[..at].matches('\n').count() as u64 } else { 0 };
        out.place(self.line + line, self.byte + at as u64, length)
    }
}

/// The record of a map, with its id where it only stands in the map's key.
fn with_id<'a>(value: RawValue<'a>, id: &str, key: &str) -> Cow<'a, [u8]> {
    let bytes = value.raw.as_bytes();
    let has = value.kind != Kind::Object || {
        let mut has = false;
        // It stands first in real answers; the walk ends there.
        let _ = Cursor::new(value.raw).object(|key, cursor| -> Result<(), JsonError> {
            if key.value() == id {
                has = true;
                return cursor.fail("found");
            }
            cursor.value().map(|_| ())
        });
        has
    };
    if has {
        return Cow::Borrowed(bytes);
    }
    let mut start = String::from("{");
    push_string(&mut start, id);
    start.push(':');
    push_string(&mut start, key);
    let rest = value.raw[1..].trim_start();
    if !rest.starts_with('}') {
        start.push(',');
    }
    start.push_str(rest);
    Cow::Owned(start.into_bytes())
}

/// The record with its page's namespace, under a key that no record of a database has.
fn with_namespace(data: &mut Vec<u8>, record: &[u8], namespace: Option<&str>) {
    let Some((namespace, rest)) = namespace.zip(record.strip_prefix(b"{")) else { return data.extend_from_slice(record) };
    data.extend_from_slice(format!("{{\"{PAGE_NAMESPACE}\":").as_bytes());
    data.extend_from_slice(namespace.as_bytes());
    if !rest.trim_ascii_start().starts_with(b"}") {
        data.push(b',');
    }
    data.extend_from_slice(rest);
}

fn lost(what: &str, page: &str) -> Stop {
    let reason = format!("{what}, so its records are lost: {}; ask the server for it again", excerpt(page, 120));
    Stop::Refused(Refusal::new(Code::LostPage, reason))
}

/// A path's keys.
fn segments(path: &str) -> Vec<String> {
    path.trim_start_matches('/').split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

impl Unpack for Pages {
    fn unpack(&self, chunk: &Chunk, shard: u32) -> Records {
        let mut out = Records::of(shard);
        match chunk {
            Chunk::Lines(lines) => {
                let bytes = lines.data.bytes();
                if let Some(length) = lines.oversize {
                    out.lines = 1;
                    let mut place = out.place(1, lines.offset, 0);
                    place.length = length;
                    let reason = format!("the page is {length} bytes long, over the limit that --memory allows; only its beginning is kept here");
                    out.refuse(place, Refusal::new(Code::LineTooLong, reason), bytes);
                    return out;
                }
                let mut at = 0;
                while at < bytes.len() {
                    let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |e| at + e);
                    out.lines += 1;
                    let mut line = &bytes[at..end];
                    line = line.strip_prefix(BOM).unwrap_or(line).trim_ascii();
                    let start = at + (line.as_ptr() as usize - bytes[at..].as_ptr() as usize);
                    let place = (out.lines, lines.offset + start as u64);
                    self.text(line, place, lines.last && end == bytes.len(), &mut out);
                    at = end + 1;
                }
            }
            Chunk::Elements(ElementChunk { offset, data, elements }) => {
                for e in elements {
                    // The splitter ends a piece in the middle only where the input ends.
                    self.text(&data[e.start..e.start + e.length], (e.line, offset + e.start as u64), true, &mut out);
                }
            }
            Chunk::Rows { .. } => {}
        }
        out
    }
}

#[cfg(test)]
mod tests;
