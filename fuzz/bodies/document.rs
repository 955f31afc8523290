//! One JSON document, cut into elements while it streams by.
//!
//! Not what the elements mean: `decode.rs`.

use std::collections::BTreeMap;

use vec2lance::formats::detect::{Framing, framing};
use vec2lance::formats::elements::Elements;
use vec2lance::formats::json::Cursor;

use super::check::{newlines, said};

/// Elements as (line, byte, text), and the fields beside them.
type Read = (Vec<(u64, u64, Vec<u8>)>, BTreeMap<String, String>);

fn open(data: &[u8], step: usize, limit: usize) -> Option<Elements<'static>> {
    let mut rest = data.to_vec();
    let fill = move |buffer: &mut Vec<u8>, _: usize| {
        let take = step.min(rest.len());
        buffer.extend(rest.drain(..take));
        Ok(rest.is_empty())
    };
    said(Elements::open(Box::new(fill), "fuzz", &["data".to_owned(), "rows".to_owned()], limit))
}

fn read(mut elements: Elements<'_>, target: usize, rows: usize) -> Option<Read> {
    elements = elements.with_rows(rows);
    let mut out = Vec::new();
    while let Some(chunk) = said(elements.next_chunk(target))? {
        assert!(!chunk.elements.is_empty() && chunk.elements.len() <= rows);
        out.extend(chunk.elements.iter().map(|e| (e.line, chunk.offset + e.start as u64, chunk.data[e.start..e.start + e.length].to_vec())));
    }
    Some((out, elements.info))
}

/// Any bytes as one JSON document, cut at any place: no panic, the same elements whatever the size of a read and of a chunk,
/// each where it says, and beside them nothing but JSON.
pub fn elements(data: &[u8]) {
    let keys = ["data".to_owned(), "rows".to_owned()];
    let limit = data.len() + 1;
    let whole = open(data, usize::MAX, limit).and_then(|e| read(e, 64, usize::MAX));
    for (step, target, rows) in [(1, 1, 1), (7, 20, 3), (usize::MAX, 1 << 20, 2)] {
        assert_eq!(whole, open(data, step, limit).and_then(|e| read(e, target, rows)), "steps of {step}, chunks of {target}");
    }
    // A limit that is passed is an error, never something else.
    if let Some(short) = open(data, 3, 9).and_then(|e| read(e, 64, usize::MAX)) {
        assert_eq!(Some(short), whole);
    }
    for head in [data, &data[..data.len() / 2]] {
        let told = framing(head, &keys);
        assert!(!head.trim_ascii_start().starts_with(b"[") || told == Framing::Document);
    }
    let Some((found, info)) = whole else { return };
    for (line, at, text) in &found {
        let at = usize::try_from(*at).expect("a small offset");
        assert_eq!(&data[at..at + text.len()], text);
        assert_eq!(*line, newlines(&data[..at]) as u64 + 1);
    }
    for (key, text) in &info {
        let mut cursor = Cursor::new(text);
        assert!(cursor.value().and_then(|_| cursor.end()).is_ok(), "the field {key:?} beside the records is kept and no JSON: {text}");
    }
    // Whoever begins later meets the same elements.
    let from = found.len() / 2;
    let mut later = open(data, 5, limit).expect("it was opened before").with_rows(2);
    later.skip(from as u64).expect("there are so many");
    let rest = read(later, 16, usize::MAX).map(|(rest, _)| rest);
    assert_eq!(rest.as_deref(), Some(&found[from..]));
}
