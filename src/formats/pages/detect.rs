//! Tells pages of answers from records by the first bytes of a file, which may hold less than one page.
//!
//! Not the pages' records ([`super::Pages`]), and not the framing of anything else ([`crate::formats::detect`]).

use crate::formats::json::{Cursor, JsonError, Kind};
use crate::formats::spec::{PageShape, PageSpec, Spec};

/// How the pages of a file begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The layout, by its place in the list.
    pub spec: usize,
    /// Whether each page so far is a line of its own.
    pub lines: bool,
    /// Whether the bytes end in the middle of the page, and it may still be a line of its own.
    pub open: bool,
    /// Whether the page is whole in the bytes.
    pub whole: bool,
}

/// Looks for the first page of any of these layouts. Answers that are none of theirs (errors) may stand before it.
#[must_use]
pub fn start(head: &[u8], specs: &[Spec]) -> Option<Start> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let valid = std::str::from_utf8(head).map_or_else(|e| e.valid_up_to(), str::len);
    let text = std::str::from_utf8(&head[..valid]).unwrap_or("");
    let mut at = 0;
    let mut lines = true;
    // An error is short; what comes after the first hundred of them is not looked for.
    for _ in 0..100 {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = text.get(at..).filter(|rest| rest.starts_with('{'))?;
        let mut cursor = Cursor::new(rest);
        let whole = cursor.value().is_ok();
        let end = at + cursor.position();
        let after = &text[end..];
        if whole {
            let ends_line = after.trim_start_matches([' ', '\t', '\r']).starts_with('\n') || after.trim().is_empty();
            lines &= ends_line && !text[at..end].contains('\n');
        } else {
            // A line that is broken is followed by another; a page over several lines is not.
            lines &= text[at..].split_once('\n').is_some_and(|(_, next)| next.starts_with("{\""));
        }
        if let Some(spec) = specs.iter().position(|spec| spec.page.as_ref().is_some_and(|page| begins(rest, page, spec))) {
            let open = !whole && !rest.contains('\n');
            return Some(Start { spec, lines, open, whole });
        }
        if !whole {
            // A line that is broken or cut is one lost page; the next line may be whole.
            at += rest.find('\n')? + 1;
            continue;
        }
        at = end;
    }
    None
}

/// Whether the object at the start of `text` is a page, as far as `text` reaches.
fn begins(text: &str, page: &PageSpec, spec: &Spec) -> bool {
    let path: Vec<&str> = page.at[1..].split('/').collect();
    let mut met = Met { keys: vec![], records: false };
    // The text may end in the middle of the page; what was met until then counts.
    let _ = walk(&mut Cursor::new(text), &path, page, spec, &mut met);
    let own = |key: &str| met.keys.iter().any(|k| k == key);
    // A record that has such a field is a record; and `data` alone could be anything's.
    met.records && !["id", "pk", "_id", "uuid"].iter().any(|key| own(key)) && spec.detect.all.iter().all(|key| own(key))
}

struct Met {
    keys: Vec<String>,
    records: bool,
}

fn walk(cursor: &mut Cursor<'_>, path: &[&str], page: &PageSpec, spec: &Spec, met: &mut Met) -> Result<(), JsonError> {
    let (first, rest) = (path[0], &path[1..]);
    cursor.object(|key, cursor| {
        let key = key.value();
        if key == first {
            if rest.is_empty() {
                met.records |= records(&mut cursor.clone(), page, spec);
            } else if cursor.kind()? == Kind::Object {
                let mut inner = Met { keys: vec![], records: false };
                let _ = walk(&mut cursor.clone(), rest, page, spec, &mut inner);
                met.records |= inner.records;
            }
        }
        met.keys.push(key.into_owned());
        cursor.value().map(|_| ())
    })
}

/// Whether what stands at the cursor begins as the records of this layout do.
fn records(cursor: &mut Cursor<'_>, page: &PageSpec, spec: &Spec) -> bool {
    match page.shape {
        PageShape::List => cursor.expect(b'[', "").is_ok() && (cursor.peek() == Some(b']') || is_record(cursor, spec)),
        PageShape::Columns => cursor.expect(b'[', "").is_ok() && matches!(cursor.peek(), Some(b']' | b'"')),
        PageShape::Map => {
            if cursor.expect(b'{', "").is_err() {
                return false;
            }
            cursor.peek() == Some(b'}') || (cursor.key().is_ok() && is_record(cursor, spec))
        }
    }
}

fn is_record(cursor: &mut Cursor<'_>, spec: &Spec) -> bool {
    if cursor.peek() != Some(b'{') {
        return false;
    }
    let mut known = spec.payload == "*";
    let _ = cursor.object(|key, cursor| -> Result<(), JsonError> {
        known |= spec.top_keys().any(|top| top == key.value());
        cursor.value().map(|_| ())
    });
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_by_their_beginnings() {
        let specs = Spec::all().unwrap();
        let told = |head: &str| start(head.as_bytes(), &specs).map(|s| (specs[s.spec].name.as_str(), s.lines));
        for (head, expected) in [
            ("{\"result\":{\"points\":[{\"id\":1,\"pay", Some(("qdrant-pages", false))),
            ("{\"result\":{\"points\":[]},\"status\":\"ok\"}\n{\"res", Some(("qdrant-pages", true))),
            ("{\"result\":{\"points\":[]},\"status\":\"ok\"}{\"result\":{}}\n", Some(("qdrant-pages", false))),
            ("{\n  \"result\": {\n \"points\": [\n {\n \"id\": 1", Some(("qdrant-pages", false))),
            ("{\"status\":{\"error\":\"x\"}}\n{\"result\":{\"points\":[{\"id\":1}]}}\n", Some(("qdrant-pages", true))),
            ("{\"deprecations\":null,\"objects\":[{\"class\":\"C\",\"id\":\"a\",", Some(("weaviate-pages", false))),
            ("{\"vectors\":{\"a\":{\"id\":\"a\",\"values\":[1", Some(("pinecone-pages", false))),
            ("{\"documents\":{\"a\":{\"_id\":\"a\"}},\"namespace\":\"n\"}", Some(("pinecone-documents", true))),
            ("{\"ids\":[\"a\",\"b\"],\"embeddings\":[[1,2]", Some(("chroma-pages", false))),
            ("{\"code\":0,\"cost\":0,\"data\":[{\"pk\":1", Some(("milvus-pages", false))),
            ("{\"result\":{\"points\":[{\"id\":1\n{\"result\":{\"points\":[]}}\n", Some(("qdrant-pages", true))),
            ("{\"data\":[{\"pk\":1}]}", None),
            ("{\"schema\":[],\"data\":[{\"pk\":1}]}", None),
            ("{\"ids\":[[\"a\"]],\"distances\":[[1]]}", None),
            ("{\"id\":1,\"objects\":[{\"class\":\"C\"}]}", None),
            ("{\"objects\":[{\"colour\":\"red\"}]}", None),
            ("{\"vectors\":{\"text\":{\"indices\":[1]}},\"payload\":{}}", None),
            ("{\"vectors\":[{\"id\":\"a\"}]}", None),
            ("{\"id\":1,\"vector\":[1,2]}\n", None),
            ("", None),
        ] {
            assert_eq!(told(head), expected, "{head}");
        }
    }
}
