//! What the fuzz targets do with bytes that nobody vouches for: no panic, and the invariants of each parser hold.
//!
//! Shared with `tests/it/mutated.rs`, which runs the same checks on mutated fixtures with every `cargo test`; so this file
//! names nothing but the library, serde_json and tempfile.

use std::io::Write;
use std::sync::Arc;

use vec2lance::formats::elements::Elements;
use vec2lance::formats::json::Cursor;
use vec2lance::formats::jsonl::{Context, TextDecoder};
use vec2lance::formats::number::{f32_array, parse_f32};
use vec2lance::formats::spec::Spec;
use vec2lance::formats::{Chunk, Decoder};
use vec2lance::frame::builder::Membership;
use vec2lance::frame::identity::Collection;
use vec2lance::frame::mapping::Mapping;
use vec2lance::frame::vectors::{Layout, VectorKind};
use vec2lance::manifest::Manifest;
use vec2lance::source::chunk::{ChunkData, LineChunk};
use vec2lance::source::find::shard;
use vec2lance::source::magic::Encoding;
use vec2lance::source::stream::Stream;

/// Any bytes as JSON lines of each layout: no panic, every record is a row or a reject, and payloads that are kept are JSON.
pub(super) fn record(data: &[u8]) {
    for spec in Spec::all().expect("built-in layouts parse").into_iter().filter(|s| s.id.is_some()) {
        let collection = Collection { source: spec.source.clone(), name: "fuzz".into(), namespace: String::new() };
        let context = Context {
            spec: Arc::new(spec),
            mapping: Arc::new(Mapping::default()),
            membership: Arc::new(Membership { collection, relationship: "member_of", vector_type: None }),
            shard: 0,
            foreign: Arc::default(),
        };
        let decoder = TextDecoder::new(context).expect("built-in layouts are consistent");
        let chunk = Chunk::Lines(LineChunk { offset: 0, data: ChunkData::Owned(data.to_vec()), newlines: 0, last: true, oversize: None });
        let mut layout = Layout { main: None, dimension: 2, others: vec![] };
        loop {
            let decoded = decoder.decode(&chunk, &layout).expect("batches fit the schema");
            assert_eq!(decoded.records, (decoded.origins.len() + decoded.rejects.len()) as u64);
            if decoded.unknown.is_empty() {
                assert_eq!(decoded.batch.map_or(0, |b| b.num_rows()), decoded.origins.len());
                break;
            }
            for (name, kind) in decoded.unknown {
                let sparse = kind == VectorKind::Sparse;
                if layout.other(&name, sparse).is_none() {
                    layout.add(&name, kind);
                }
            }
        }
    }
}

fn read(data: &[u8], step: usize) -> Option<Vec<Vec<u8>>> {
    let mut rest = data.to_vec();
    let fill = move |buffer: &mut Vec<u8>, _: usize| {
        let take = step.min(rest.len());
        buffer.extend(rest.drain(..take));
        Ok(rest.is_empty())
    };
    let mut elements = Elements::open(Box::new(fill), "fuzz", &["data".to_owned()], 1 << 16).ok()?;
    let mut out = Vec::new();
    while let Some(chunk) = elements.next_chunk(64).ok()? {
        out.extend(chunk.elements.iter().map(|e| chunk.data[e.start..e.start + e.length].to_vec()));
    }
    Some(out)
}

/// Any bytes as one JSON document, cut at any place: no panic, and the same elements whatever the size of a read.
pub(super) fn elements(data: &[u8]) {
    let whole = read(data, usize::MAX);
    assert_eq!(whole, read(data, 1));
    assert_eq!(whole, read(data, 7));
}

/// Any bytes as a number: what is accepted is JSON, and has the bits that the standard library gives.
pub(super) fn number(data: &[u8]) {
    if let Ok((value, end)) = parse_f32(data, 0) {
        let text = std::str::from_utf8(&data[..end]).expect("numbers are ASCII");
        assert_eq!(value.to_bits(), text.parse::<f32>().expect("a JSON number is a float").to_bits(), "{text}");
    }
}

/// Any text as an array of numbers: taken in runs or one by one, the same values come out, or both refuse it.
pub(super) fn numbers(text: &str) {
    let array = format!("[{text}]");
    let mut taken = Vec::new();
    let closed = f32_array(&mut Cursor::new(&array), &mut taken);
    // Of an array that breaks off, the last number may be part of something that is none.
    let sure = if closed.is_ok() { taken.len() } else { taken.len().saturating_sub(1) };
    for (value, text) in taken[..sure].iter().zip(text.split([',', ']'])) {
        assert_eq!(value.to_bits(), text.trim().parse::<f32>().expect("what was taken is a number").to_bits(), "{text}");
    }
    let other: Option<Vec<serde_json::Number>> = serde_json::from_str(&array).ok();
    if let (Ok(length), Some(other)) = (closed, other) {
        assert_eq!((length, taken.len()), (other.len(), other.len()));
    }
}

/// Any text as a layout's TOML, a snapshot's manifest, or a Milvus schema: an error or a value, no panic.
pub(super) fn settings(text: &str) {
    let _ = Spec::parse(text, "fuzz.toml");
    let _ = serde_json::from_str::<Manifest>(text);
    let _ = vec2lance::formats::milvus::schema(text, "fuzz");
    let _ = vec2lance::formats::detect::framing(text.as_bytes(), &["data".to_owned()]);
}

/// Any bytes as a file: plain, zstd, gzip or Parquet, told by its first bytes. An error or records, no panic, bounded memory.
pub(super) fn container(data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("room for it");
    let Ok(shard) = shard(file.path().into(), "fuzz".into(), None) else { return };
    if shard.encoding == Encoding::Parquet {
        let open = || std::fs::File::open(file.path()).expect("it was just written");
        if vec2lance::formats::parquet::footer(open(), "fuzz").is_ok()
            && let Ok(mut rows) = vec2lance::formats::parquet::Rows::open(open(), "fuzz", 64)
        {
            while let Ok(Some(_)) = rows.next_chunk() {}
        }
        return;
    }
    let Ok(mut stream) = Stream::open(&shard, 20) else { return };
    let mut buffer = Vec::new();
    while let Ok(false) = stream.fill(&mut buffer, 1 << 16) {
        buffer.clear();
    }
}
