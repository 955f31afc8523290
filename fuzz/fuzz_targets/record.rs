//! Any bytes as JSON lines of each layout: no panic, every record is a row or a reject, and payloads that are kept are JSON.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use vec2lance::formats::jsonl::{Context, TextDecoder};
use vec2lance::formats::spec::Spec;
use vec2lance::formats::{Chunk, Decoder};
use vec2lance::frame::builder::Membership;
use vec2lance::frame::identity::Collection;
use vec2lance::frame::mapping::Mapping;
use vec2lance::frame::vectors::Layout;
use vec2lance::source::chunk::{ChunkData, LineChunk};

fuzz_target!(|data: &[u8]| {
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
        let chunk = Chunk::Lines(LineChunk { offset: 0, data: ChunkData::Owned(data.to_vec()), last: true, oversize: None });
        let mut layout = Layout { main: None, dimension: 2, others: vec![] };
        loop {
            let decoded = decoder.decode(&chunk, &layout).expect("batches fit the schema");
            assert_eq!(decoded.records, (decoded.origins.len() + decoded.rejects.len()) as u64);
            if decoded.unknown.is_empty() {
                assert_eq!(decoded.batch.map_or(0, |b| b.num_rows()), decoded.origins.len());
                break;
            }
            for (name, kind) in decoded.unknown {
                let sparse = kind == vec2lance::frame::vectors::VectorKind::Sparse;
                if layout.other(&name, sparse).is_none() {
                    layout.add(&name, kind);
                }
            }
        }
    }
});
