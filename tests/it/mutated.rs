//! Small real dumps with bytes changed at random, through the checks of the fuzz targets. Runs in this process, because it is
//! about parsers, and thousands of them. `fuzz/README.md` says what each check promises and how to run it with coverage feedback.
//!
//! Not whole conversions: `bad.rs` and `properties.rs`.

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
        rounds(60, &few_lines(path), bodies::record);
    }
    rounds(500, b"{\"id\":1,\"vector\":{\"a\":[1,2],\"s\":{\"indices\":[1],\"values\":[2]},\"m\":[[1],[2]]},\"payload\":{\"a\":[null,{}]}}", bodies::record);
}

#[test]
fn mutated_rejects_are_refused_again() {
    for path in ["pinecone/bad/text/invalid_utf8_id.jsonl", "qdrant/bad/vectors/qdrant_named_order_differs.jsonl"] {
        rounds(100, &fixture(path), bodies::rejects);
    }
    rounds(200, &fixture("../fuzz/corpus/rejects/file-hex"), bodies::rejects);
}

#[test]
fn mutated_dumps_are_the_same_by_every_way() {
    for path in
        ["milvus/bad/milvus/package_sparse_f16_binary.json", "pinecone/bad/shape/json_array_pretty.json", "qdrant/bad/vectors/qdrant_sparse_and_multi.jsonl"]
    {
        rounds(150, &fixture(path), bodies::decoders);
    }
}

#[test]
fn mutated_documents_are_the_same_at_every_step() {
    rounds(700, b"{\"schema\":[{\"name\":\"a\"}],\n\"data\":[{\"a\":\"]\\\"\"},\n[1,{}],7,\"x\"],\"total\":4}", bodies::elements);
}

#[test]
fn mutated_lines_are_cut_at_their_ends() {
    rounds(300, b"\x02\x05\x07\x03\x04ab\n\ncdefghijklmnopqrstuvwxyz\n0123456789\n0123456789a\nz", bodies::split);
    // Sizes as a run has them: lines of about a mebibyte.
    rounds(10, b"\x01\x05\x07\x03\x04ab\n\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF01234567\ncd\n\xFF\xFF", bodies::split);
}

#[test]
fn mutated_numbers_are_read_or_refused() {
    rounds(5000, b"-123.456e-7", bodies::number);
    let array = "0.05178779363632202,-0.02445707470178604, 0.5,1,-12.5,0.0031,9.9e-05,-0.000312198448227718473,".repeat(3) + "7";
    rounds(10_000, array.as_bytes(), bodies::numbers);
}

#[test]
fn mutated_settings_are_read_or_refused() {
    for text in [&fixture("../formats/weaviate.toml"), &b"[{\"name\":\"v\",\"type\":101,\"is_primary\":true,\"dimension\":\"8\"}]"[..].to_vec()] {
        rounds(300, text, bodies::spec);
    }
    let part = "{\"path\":\"a.jsonl\",\"rows\":1,\"bytes\":2,\"sha256\":\"00\"}";
    let manifest = format!(
        "{{\"format\":\"vec2lance-snapshot\",\"version\":1,\"source\":\"qdrant\",\"collections\":[{{\"name\":\"a\",\"count\":1,\"parts\":[{part}]}}]}}"
    );
    rounds(500, manifest.as_bytes(), bodies::manifest);
}

#[test]
fn mutated_answers_tables_and_arrays_are_read_or_refused() {
    let answers: [&[u8]; 3] = [
        b"{\"result\":{\"points\":[{\"id\":1,\"vector\":[1,2],\"payload\":{}}],\"next_page_offset\":2},\"status\":\"ok\"}\n{\"error\":1}",
        b"{\"ids\":[\"a\",\"b\"],\"embeddings\":[[1,2],null],\"documents\":[null,\"x\"]}",
        b"{\"objects\":[{\"class\":\"A\",\"id\":\"1\"},{\"class\":\"B\",\"id\":\"2\"}]}{\"objects\":[]}",
    ];
    for answer in answers {
        rounds(200, answer, bodies::pages);
    }
    for (dialect, text) in [(0u8, "id,emb,body\n1,\"[1,2]\",\"a \"\"b\"\"\"\n2,,x\n"), (3, "1\t[1,2]\ta\\tb\n2\t\\N\t{1:0.5}/4\n")] {
        let data: Vec<u8> = std::iter::once(dialect).chain(text.bytes()).collect();
        rounds(400, &data, bodies::table);
    }
    let header = format!("{:<117}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
    let array: Vec<u8> = [&b"\x93NUMPY\x01\x00\x76\x00"[..], header.as_bytes(), &[7; 24]].concat();
    rounds(400, &array, bodies::arrays);
}

#[test]
fn mutated_containers_are_read_or_refused() {
    for path in ["pinecone/bad/container/no_content_size.jsonl.zst", "qdrant/good/points-small.jsonl.gz"] {
        rounds(60, &fixture(path)[..20_000], bodies::container);
    }
}

#[test]
fn mutated_columns_are_rows_or_rejects() {
    for path in ["pinecone/bad/parquet/good.parquet", "pinecone/bad/parquet/codec_none.parquet", "pinecone/bad/parquet/null_element.parquet"] {
        rounds(100, &fixture(path), bodies::parquet);
    }
    // Any bytes are a recipe.
    rounds(400, &fixture("pinecone/bad/parquet/good.parquet")[100..200], bodies::rows);
}

/// What a fuzz target has found, and what it reaches all of the code with.
#[test]
fn kept_inputs_pass() {
    let (mut replayed, mut failed) = (0, Vec::new());
    for (target, check) in bodies::TARGETS {
        let mut paths: Vec<std::path::PathBuf> = Vec::new();
        for (folder, start) in [("fuzz/found".to_owned(), format!("{target}-")), (format!("fuzz/corpus/{target}"), String::new())] {
            let Ok(entries) = std::fs::read_dir(repository(&folder)) else { continue };
            paths.extend(entries.map(|e| e.expect("an entry").path()).filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&start))));
        }
        paths.sort();
        replayed += paths.len();
        for path in paths {
            let bytes = std::fs::read(&path).expect("a file");
            let passed = std::panic::catch_unwind(|| check(&bytes));
            if passed.is_err() {
                failed.push(format!("{target}: {}", path.display()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(replayed > 100, "the folders of fuzz/ are not where they were");
}
