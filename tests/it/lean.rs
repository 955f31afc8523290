//! `--schema lancedb`: what the lean table holds, and what it cannot be asked for. What LanceDB itself sees of it stands in
//! `tests/acceptance/check_lancedb.py`.

use serde_json::Value;

use crate::tool::{Converted, column, made_up, repository, run, shown};

#[test]
fn a_lean_table_has_typed_columns_and_keeps_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let lines = [
        r#"{"id":1,"vector":[1.0,0.5],"payload":{"text":"one","n":9007199254740993,"f":1.5,"tags":["a"],"deep":{"x":[1.0]},"mixed":1}}"#,
        r#"{"id":"3f2504e0-4f89-11d3-9a0c-0305e82c3301","vector":[0.0,1.0],"payload":{"text":"two","n":null,"f":2,"mixed":"x","at":"2024-01-02T03:04:05Z"}}"#,
        r#"{"id":3,"vector":{},"payload":null}"#,
    ];
    std::fs::write(path.join("d.jsonl"), lines.join("\n") + "\n").expect("written");
    let answer = run(path, &["convert", "d.jsonl", "t.lance", "--schema", "lancedb", "--json"]).expect(0);
    let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((&report["written"], &report["headers"], &report["without_vector"]), (&3.into(), &0.into(), &1.into()));
    let names: Vec<&str> = report["promoted"].as_array().expect("columns").iter().filter_map(|c| c["column"].as_str()).collect();
    assert_eq!(names, ["n", "f", "tags", "at"]);
    let table = path.join("t.lance");
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(column(&table, "id"), [some("1"), some("3f2504e0-4f89-11d3-9a0c-0305e82c3301"), some("3")]);
    assert_eq!(column(&table, "text"), [some("one"), some("two"), None]);
    assert_eq!(
        column(&table, "metadata"),
        [some(r#"{"deep":{"x":[1.0]},"mixed":1}"#), some(r#"{"n":null,"mixed":"x","at":"2024-01-02T03:04:05Z"}"#), some(r#"{"_fields":{"vector":{}}}"#)]
    );
    assert_eq!(shown(&table, "id", "n = 9007199254740993"), ["\"1\""]);
    assert_eq!(shown(&table, "id", "f > 1.7"), ["\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\""]);
    assert_eq!(shown(&table, "id", "vector is null"), ["\"3\""]);
}

#[test]
fn sparse_and_named_vectors_have_columns_and_collections_are_told_apart() {
    let dumps = [repository("fixtures/qdrant/good/points_named-small.jsonl"), repository("fixtures/pinecone/good/index-small.jsonl")];
    let paths: Vec<&std::path::Path> = dumps.iter().map(std::path::PathBuf::as_path).collect();
    let made = Converted::of(&paths, &["--schema", "lancedb", "--vector", "text", "--vector-indices"]);
    assert_eq!(made.answer.status, Some(0), "{}{}", made.answer.stdout, made.answer.stderr);
    let report = made.report();
    let columns: Vec<&str> = report["vectors"].as_array().expect("vectors").iter().filter_map(|v| v["column"].as_str()).collect();
    assert!(columns.contains(&"vector_small") && columns.iter().any(|c| c.starts_with("sparse_")), "{columns:?}");
    let collections: std::collections::BTreeSet<_> = column(&made.path("out.lance"), "collection").into_iter().flatten().collect();
    assert_eq!(collections.len(), 2, "{collections:?}");
    // Built again, over the same columns.
    let answer = run(made.folder.path(), &["index", "out.lance", "--index", "ivf_pq", "--json"]).expect(0);
    assert!(answer.stdout.contains("IVF_PQ"), "{}", answer.stdout);
}

#[test]
fn a_lean_table_is_refused_where_records_must_be_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("d.jsonl"), made_up(0, 20, 4)).expect("written");
    let answer = run(path, &["convert", "d.jsonl", "t.lance", "--schema", "lancedb", "--verify"]).expect(2);
    assert!(answer.says("--verify needs ContextFrame's columns"), "{}", answer.stderr);
    run(path, &["convert", "d.jsonl", "t.lance", "--schema", "lancedb"]).expect(0);
    for args in [&["convert", "d.jsonl", "t.lance", "--append"][..], &["verify", "t.lance", "d.jsonl"]] {
        let answer = run(path, args).expect(2);
        assert!(answer.says("a lean table (--schema lancedb) cannot be"), "{}", answer.stderr);
    }
}
