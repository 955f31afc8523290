//! Parquet parts: the same records as in lines, member by member, digit for digit; floats bit for bit.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::stub::start;
use super::{export, held, world};
use crate::tool::{convert_and_verify, files, manifest, verify};

fn batches(snapshot: &Path, collection: usize) -> Vec<RecordBatch> {
    let manifest = manifest(snapshot);
    let parts = manifest["collections"][collection]["parts"].as_array().unwrap().clone();
    let paths = parts.iter().map(|p| snapshot.join(p["path"].as_str().unwrap()));
    paths
        .flat_map(|path| {
            assert!(path.extension().is_some_and(|e| e == "parquet"));
            let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap().build().unwrap();
            reader.map(Result::unwrap).collect::<Vec<_>>()
        })
        .collect()
}

/// The text of a column in each row.
fn texts(batches: &[RecordBatch], name: &str) -> Vec<Option<String>> {
    let columns = batches.iter().map(|b| b.column_by_name(name).unwrap_or_else(|| panic!("no {name}")).as_string::<i32>().clone());
    columns.flat_map(|c| c.iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>()).collect()
}

/// The raw text behind a key, which is the last one or is followed by `next`.
fn raw<'a>(line: &'a str, key: &str, next: Option<&str>) -> &'a str {
    let from = line.find(&format!("\"{key}\":")).unwrap() + key.len() + 3;
    next.map_or(&line[from..line.len() - 1], |next| &line[from..line.find(&format!(",\"{next}\":")).unwrap()])
}

#[test]
fn parquet_holds_every_digit() {
    let state = world(500);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("parquet");
    export(&server.url(), &out, &["--all", "--parquet", "--part-size", "16K", "--batch", "30", "--record-queries", "4"]).expect(0);
    let found = batches(&out, 0);
    let lines = held(&state, "docs", 0);
    let some = |key, next| lines.iter().map(|l| Some(raw(l, key, next).to_owned())).collect::<Vec<_>>();
    assert_eq!(texts(&found, "id"), some("id", Some("payload")));
    assert_eq!(texts(&found, "payload"), some("payload", Some("vector")));
    assert!(texts(&found, "$rest").iter().all(Option::is_none));
    let lists = found.iter().map(|b| b.column_by_name("vector").unwrap().as_list::<i32>().clone());
    let floats: Vec<u32> = lists.flat_map(|l| l.values().as_primitive::<Float32Type>().values().iter().map(|f| f.to_bits()).collect::<Vec<_>>()).collect();
    let parsed =
        lines.iter().flat_map(|l| raw(l, "vector", None).trim_matches(['[', ']']).split(',').map(|v| v.parse::<f32>().unwrap().to_bits()).collect::<Vec<_>>());
    assert_eq!(floats, parsed.collect::<Vec<_>>());
    // Named vectors stay a map, as text.
    let lines = held(&state, "named vectors", 0);
    assert_eq!(texts(&batches(&out, 2), "vector"), lines.iter().map(|l| Some(raw(l, "vector", None).to_owned())).collect::<Vec<_>>());
    let queries: Vec<Value> = crate::tool::lines(&out.join("queries.jsonl")).iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(queries.len(), 16);
    // Both encodings give the same dataset.
    let plain = folder.path().join("lines");
    export(&server.url(), &plain, &["--all"]).expect(0);
    if let Some(dataset) = convert_and_verify(&out, &["--metric", "cosine"]) {
        verify(&dataset, &plain);
    }
    let again = folder.path().join("again");
    export(&server.url(), &again, &["--all", "--parquet", "--part-size", "16K", "--batch", "99", "--record-queries", "4"]).expect(0);
    assert_eq!(files(&again), files(&out), "whatever the pages were");
}

#[test]
fn a_vector_that_is_no_float32_stays_text() {
    let state = world(4);
    {
        let mut state = state.lock().unwrap();
        let docs = state.collections.get_mut("docs").unwrap();
        docs.params = serde_json::json!({"vectors": {"size": 5, "distance": "Cosine"}});
        let shard = &mut docs.shards[0].1;
        for text in shard.values_mut() {
            *text = text.replace("\"vector\":[", "\"vector\":[0.12345678901234567,").replace("\"id\":0,", "\"id\":0,\"other\":[1.50,\"\\u00e9\"],");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    export(&start(&state, |_, _| None).url(), &out, &["--collection", "docs", "--parquet"]).expect(0);
    let found = batches(&out, 0);
    assert!(found.iter().all(|b| b.column_by_name("vector").unwrap().null_count() == b.num_rows()));
    let rest = texts(&found, "$rest");
    assert!(rest[0].as_ref().is_some_and(|t| t.contains("\"other\":[1.50,\"\\u00e9\"]")), "{rest:?}");
    assert!(rest.iter().all(|t| t.as_ref().is_some_and(|t| t.contains("\"vector\":[0.12345678901234567,"))), "{rest:?}");
    convert_and_verify(&out, &[]);
}
