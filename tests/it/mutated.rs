//! Small real dumps with bytes changed at random: the program's parsers neither panic nor lose count. Runs in this process,
//! because it is about parsers, and thousands of them.

use std::sync::Arc;

use vec2lance::formats::jsonl::{Context, TextDecoder};
use vec2lance::formats::spec::Spec;
use vec2lance::formats::{Chunk, Decoder};
use vec2lance::frame::builder::Membership;
use vec2lance::frame::identity::Collection;
use vec2lance::frame::mapping::Mapping;
use vec2lance::frame::vectors::{Layout, VectorKind};
use vec2lance::source::chunk::{ChunkData, LineChunk};

use crate::tool::repository;

fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).expect("31 bits")
}

fn mutate(bytes: &mut Vec<u8>, state: &mut u64) {
    const PIECES: [&[u8]; 14] = [b"\"", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\xFF", b"\\ud800", b"1e999", b"null", b"NaN"];
    for _ in 0..=next(state) % 4 {
        let at = next(state) % bytes.len().max(1);
        match next(state) % 4 {
            0 => bytes.truncate(at.max(1)),
            1 => {
                bytes.remove(at);
            }
            2 => bytes.splice(at..at, PIECES[next(state) % PIECES.len()].iter().copied()).for_each(drop),
            _ => bytes[at] = u8::try_from(next(state) % 256).expect("a byte"),
        }
        if bytes.is_empty() {
            bytes.push(b'{');
        }
    }
}

#[test]
fn mutated_records_are_rows_or_rejects() {
    let mut state = 7;
    for (format, file) in [
        ("pinecone", "index_sparse-small.jsonl"),
        ("qdrant", "points_named-small.jsonl"),
        ("chroma", "collection_gaps-small.jsonl"),
        ("weaviate", "objects_v4-small.jsonl"),
    ] {
        let spec = Spec::built_in(format).expect("built in");
        let collection = Collection { source: format.into(), name: "m".into(), namespace: String::new() };
        let membership = Membership { collection, relationship: "member_of", vector_type: None };
        let context =
            Context { spec: Arc::new(spec), mapping: Arc::new(Mapping::default()), membership: Arc::new(membership), shard: 0, foreign: Arc::default() };
        let decoder = TextDecoder::new(context).expect("consistent");
        let text = std::fs::read(repository("fixtures").join(format).join("good").join(file)).expect("the fixture");
        let few: Vec<u8> = text.split_inclusive(|b| *b == b'\n').take(3).flatten().copied().collect();
        for _ in 0..800 {
            let mut bytes = few.clone();
            mutate(&mut bytes, &mut state);
            let chunk = Chunk::Lines(LineChunk { offset: 0, data: ChunkData::Owned(bytes), last: true, oversize: None });
            let mut layout = Layout { main: None, dimension: 384, others: vec![] };
            loop {
                let decoded = decoder.decode(&chunk, &layout).expect("a batch that fits");
                assert_eq!(decoded.records as usize, decoded.origins.len() + decoded.rejects.len());
                if decoded.unknown.is_empty() {
                    assert_eq!(decoded.batch.map_or(0, |b| b.num_rows()), decoded.origins.len());
                    break;
                }
                for (name, kind) in decoded.unknown {
                    if layout.other(&name, kind == VectorKind::Sparse).is_none() {
                        layout.add(&name, kind);
                    }
                }
            }
        }
    }
}

#[test]
fn mutated_parquet_is_read_or_refused() {
    let original = std::fs::read(repository("fixtures/pinecone/bad/parquet/good.parquet")).expect("the fixture");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.parquet");
    let mut state = 11;
    for _ in 0..400 {
        let mut bytes = original.clone();
        mutate(&mut bytes, &mut state);
        std::fs::write(&path, &bytes).expect("written");
        let open = || std::fs::File::open(&path).expect("it is there");
        if vec2lance::formats::parquet::footer(open(), "m").is_ok()
            && let Ok(mut rows) = vec2lance::formats::parquet::Rows::open(open(), "m", 64)
        {
            while let Ok(Some(_)) = rows.next_chunk() {}
        }
    }
}
