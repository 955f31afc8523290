//! What is no record yet: answers of servers, rows of tables, NumPy's arrays.
//!
//! Not what the records mean: `decode.rs`.

use vec2lance::formats::Chunk;
use vec2lance::formats::apart::{Apart, records, said as collection};
use vec2lance::formats::csv::{self, Dialect, Rows};
use vec2lance::formats::elements::{Element, ElementChunk};
use vec2lance::formats::npy::Arrays;
use vec2lance::formats::pages::Pages;
use vec2lance::formats::pieces::{Cut, Pieces, Values};
use vec2lance::formats::unpack::{Records, Unpack, UnpackDecoder};
use vec2lance::frame::mapping::Mapping;
use vec2lance::frame::vectors::Layout;

use super::check::{file, is_json, said, settle};
use super::decode::{BUILT_IN, lines};

/// Pieces as (line, byte, text).
type Read = Vec<(u64, u64, Vec<u8>)>;

fn cut(data: &[u8], how: Box<dyn Cut>, step: usize, target: usize) -> Option<Read> {
    let mut rest = data.to_vec();
    let fill = move |buffer: &mut Vec<u8>, _: usize| {
        let take = step.min(rest.len());
        buffer.extend(rest.drain(..take));
        Ok(rest.is_empty())
    };
    let mut pieces = said(Pieces::open(Box::new(fill), how, "fuzz", data.len() + 1, usize::MAX))?;
    let mut out = Vec::new();
    while let Some(chunk) = said(pieces.next_chunk(target))? {
        out.extend(chunk.elements.iter().map(|e| (e.line, chunk.offset + e.start as u64, chunk.data[e.start..e.start + e.length].to_vec())));
    }
    Some(out)
}

/// All pieces as one chunk.
fn chunk(read: &Read) -> Chunk {
    let (mut data, mut elements) = (Vec::new(), Vec::new());
    for (line, _, text) in read {
        elements.push(Element { start: data.len(), length: text.len(), line: *line });
        data.extend_from_slice(text);
    }
    Chunk::Elements(ElementChunk { offset: 0, data, elements })
}

/// Every record and every refused piece has a place inside of the input.
fn placed(records: &Records, length: usize) {
    assert_eq!(records.texts.elements.len(), records.places.len());
    let places = records.places.iter().chain(records.broken.iter().map(|reject| &reject.place));
    for place in places {
        assert!(place.byte.is_some_and(|byte| byte as usize <= length), "{place:?} lies outside of {length} bytes");
    }
}

/// Any bytes as answers of each database, a line an answer or one after the other: the same pieces whatever the size of a read, every
/// record a row or a reject; and taken apart by collection, every record once.
pub fn pages(data: &[u8]) {
    let whole = cut(data, Box::new(Values::default()), usize::MAX, 64);
    for (step, target) in [(1, 1), (7, 1 << 20)] {
        assert_eq!(whole, cut(data, Box::new(Values::default()), step, target), "steps of {step}, chunks of {target}");
    }
    for decoders in BUILT_IN.iter().filter(|d| d.spec.page.is_some()) {
        let Some(pages) = Pages::of(&decoders.spec) else { continue };
        let of_lines = pages.unpack(&lines(data), 0);
        placed(&of_lines, data.len());
        if let Some(read) = &whole {
            let length = read.iter().map(|(.., text)| text.len()).sum();
            placed(&pages.unpack(&chunk(read), 0), length);
        }
        let decoder = UnpackDecoder::new(decoders.another_text(), Box::new(pages.clone()), 0);
        let decoded = settle(&decoder, &lines(data), &mut Layout { main: None, dimension: 2, ..Layout::default() });
        assert_eq!(decoded.records as usize, of_lines.places.len() + of_lines.broken.len());
        apart(data, Some(&pages));
    }
    apart(data, None);
}

fn apart(data: &[u8], pages: Option<&Pages>) {
    let inner = || pages.map(|pages| Box::new(pages.clone()) as Box<dyn Unpack>);
    let all = records(inner().as_deref(), &lines(data), 0);
    let mut names: Vec<String> = (0..all.places.len()).filter_map(|at| collection(all.text(at), "class").map(std::borrow::Cow::into_owned)).collect();
    names.sort();
    names.dedup();
    let first = names.first().cloned().unwrap_or_default();
    if names.is_empty() {
        names.push(first.clone());
    }
    let of = |name: &String| Apart::new(inner(), "class", name, *name == first).unpack(&lines(data), 0);
    let parts: Vec<Records> = names.iter().map(of).collect();
    assert_eq!(parts.iter().map(|part| part.places.len()).sum::<usize>(), all.places.len(), "a record is of no collection, or of two");
    assert_eq!(parts.iter().map(|part| part.broken.len()).sum::<usize>(), all.broken.len());
}

/// Any bytes as a table, after a byte that chooses how cells are set apart: the same rows whatever the size of a read; each is JSON, or
/// refused.
pub fn table(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let dialect = Dialect { separator: [b',', b';', b'|', b'\t'][usize::from(*first) % 4], quotes: *first % 4 != 3 };
    let whole = cut(data, Box::new(csv::Lines::new(dialect)), usize::MAX, 64);
    for (step, target) in [(1, 1), (7, 1 << 20)] {
        assert_eq!(whole, cut(data, Box::new(csv::Lines::new(dialect)), step, target), "steps of {step}, chunks of {target}");
    }
    let Some(read) = whole else { return };
    let header = csv::header(data, dialect);
    for decoders in BUILT_IN.iter().filter(|d| d.spec.csv || d.spec.name == "milvus") {
        let rows = Rows::new(dialect, header.as_deref(), &decoders.spec, &Mapping::default());
        let out = rows.unpack(&chunk(&read), 0);
        placed(&out, data.len());
        for at in 0..out.places.len() {
            let text = std::str::from_utf8(out.text(at)).expect("records are UTF-8");
            assert!(is_json(text), "a row became what is no JSON: {text}");
        }
    }
    let _ = csv::dialect(data, first.is_multiple_of(2));
}

/// Any bytes as a NumPy array: an error, or the same rows in batches of any size.
pub fn arrays(data: &[u8]) {
    let rows = |batch: usize| {
        let file = file(data).reopen().expect("it is there");
        let mut arrays = said(Arrays::open(vec![("f".to_owned(), "f.npy".to_owned(), file)], batch, 0))?;
        let mut rows = 0;
        // A header may promise more rows than anybody has time for.
        while let Some(Chunk::Rows { batch, first }) = said(arrays.next_chunk())? {
            assert_eq!(first, rows);
            rows += batch.num_rows() as u64;
            if rows > 10_000 {
                break;
            }
        }
        Some(rows)
    };
    if let (Some(one), Some(other)) = (rows(1), rows(7)) {
        assert!(one == other || one.min(other) > 10_000 - 7, "{one} rows one by one, {other} by sevens");
    }
}
