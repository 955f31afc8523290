//! Small real dumps with bytes changed at random, through the checks of the fuzz targets. Runs in this process, because it is
//! about parsers, and thousands of them. With coverage feedback: `cargo +nightly fuzz run record`.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

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

fn fixture(path: &str) -> Vec<u8> {
    std::fs::read(repository("fixtures").join(path)).expect("the fixture")
}

/// The first lines of a fixture: enough to hold every construct, few enough for thousands of rounds.
fn few_lines(path: &str) -> Vec<u8> {
    fixture(path).split_inclusive(|b| *b == b'\n').take(2).flatten().copied().collect()
}

fn rounds(rounds: u32, original: &[u8], check: impl Fn(&[u8])) {
    let mut state = u64::from(rounds);
    for _ in 0..rounds {
        let mut bytes = original.to_vec();
        mutate(&mut bytes, &mut state);
        check(&bytes);
    }
}

#[test]
fn mutated_records_are_rows_or_rejects() {
    for path in [
        "pinecone/good/index_sparse-small.jsonl",
        "qdrant/good/points_named-small.jsonl",
        "chroma/good/collection_gaps-small.jsonl",
        "weaviate/good/objects_v4-small.jsonl",
    ] {
        rounds(300, &few_lines(path), bodies::record);
    }
    rounds(2000, b"{\"id\":1,\"vector\":{\"a\":[1,2],\"s\":{\"indices\":[1],\"values\":[2]},\"m\":[[1],[2]]},\"payload\":{\"a\":[null,{}]}}", bodies::record);
}

#[test]
fn mutated_documents_are_the_same_at_every_step() {
    rounds(1000, b"{\"schema\":[{\"name\":\"a\"}],\n\"data\":[{\"a\":\"]\\\"\"},\n[1,{}],7,\"x\"],\"total\":4}", bodies::elements);
}

#[test]
fn mutated_numbers_and_settings_are_read_or_refused() {
    rounds(5000, b"-123.456e-7", bodies::number);
    let array = "0.05178779363632202,-0.02445707470178604, 0.5,1,-12.5,0.0031,9.9e-05,-0.000312198448227718473,".repeat(3) + "7";
    rounds(20_000, array.as_bytes(), |bytes| bodies::numbers(&String::from_utf8_lossy(bytes)));
    for text in [&fixture("../formats/weaviate.toml"), &b"[{\"name\":\"v\",\"type\":101,\"is_primary\":true,\"dimension\":\"8\"}]"[..].to_vec()] {
        rounds(500, text, |bytes| bodies::settings(&String::from_utf8_lossy(bytes)));
    }
}

#[test]
fn mutated_containers_are_read_or_refused() {
    for path in ["pinecone/bad/parquet/good.parquet", "pinecone/bad/container/no_content_size.jsonl.zst", "qdrant/good/points-small.jsonl.gz"] {
        let original = fixture(path);
        rounds(150, &original[..original.len().min(40_000)], bodies::container);
    }
}
