//! Rows of CSV and of `COPY`'s text, and fields that the user names: values, nulls, places, originals.

use serde_json::Value;

use crate::tool::{column, run};

fn written(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), text).expect("written");
    folder
}

fn payloads(folder: &tempfile::TempDir) -> Vec<Value> {
    let texts = column(&folder.path().join("out.lance"), "x_source_payload");
    texts.into_iter().flatten().map(|text| serde_json::from_str(&text).expect("JSON")).collect()
}

#[test]
fn cells_keep_what_they_say() {
    let csv =
        "id,name,emb,meta,n,empty,none,tags\r\n1,\"say \"\"hi\"\",\r\nthere\",\"[1,2]\",\"{\"\"big\"\": 9007199254740993}\",007,\"\",,\"{a,\"\"b c\"\"}\"\r\n";
    let tsv = "id\tname\temb\tmeta\tn\tempty\tnone\ttags\n1\tsay \"hi\",\\r\\nthere\t[1,2]\t{\"big\": 9007199254740993}\t007\t\t\\N\t{a,\"b c\"}\n";
    let wanted = serde_json::json!({
        "name": "say \"hi\",\r\nthere", "meta": {"big": 9_007_199_254_740_993_u64}, "n": "007", "empty": "", "none": null, "tags": ["a", "b c"],
    });
    for (name, text) in [("items.csv", csv), ("items.tsv", tsv), ("items.txt", csv), ("items", tsv)] {
        let folder = written(name, text);
        let answer = run(folder.path(), &["convert", name, "out.lance", "--verify"]).expect(0);
        assert!(answer.stdout.contains("pgvector (rows and columns; id in id, vectors in emb)"), "{}", answer.stdout);
        assert_eq!(payloads(&folder), std::slice::from_ref(&wanted), "{name}");
    }
}

#[test]
fn sparse_vectors_count_from_zero_and_keep_their_dimensions() {
    let folder = written("items.csv", "id,a,b,s\n1,\"[1,2]\",\"[3,4,5]\",\"{1:0.5,3:2}/5\"\n2,\"[1,2]\",,\n");
    let answer = run(folder.path(), &["convert", "items.csv", "out.lance", "--vector", "b", "--verify"]).expect(0);
    assert!(answer.stdout.contains("a → x_vector_a (dense, 2 dimensions)") && answer.stdout.contains("s → x_sparse_s (sparse)"), "{}", answer.stdout);
    assert_eq!(payloads(&folder)[0]["s.dimensions"], 5);
}

#[test]
fn many_rows_in_little_memory_keep_their_places_and_duplicates_their_originals() {
    use std::fmt::Write as _;
    let mut text = String::from("id,content,embedding\n");
    for n in 0..20_000 {
        let _ = writeln!(text, "{n},\"two\nlines, {n}\",\"[{n},1,0]\"");
    }
    text.push_str("7,again,\"[1,1,0]\"\n8,short,\"[1]\"\n9,\"x\"y,\"[1,1,0]\"\n");
    let folder = written("items.csv", &text);
    run(folder.path(), &["convert", "items.csv", "out.lance", "--memory", "128MiB", "--index", "none", "--on-duplicate", "first"]).expect(1);
    let rejects = std::fs::read_to_string(folder.path().join("out.rejects.jsonl")).expect("rejects");
    let rejects: Vec<Value> = rejects.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let told: Vec<_> = rejects.iter().map(|r| (r["line"].as_u64(), r["code"].as_str())).collect();
    assert_eq!(told, [(Some(40_003), Some("vector-dimension")), (Some(40_004), Some("bad-csv"))]);
    for reject in &rejects {
        let at = usize::try_from(reject["byte"].as_u64().expect("a place")).expect("a small file");
        assert_eq!(&text[at..at + 2], ["8,", "9,"][usize::from(reject["code"] == "bad-csv")]);
    }
    run(folder.path(), &["verify", "out.lance", "items.csv", "--memory", "128MiB"]).expect(0);
    run(folder.path(), &["convert", "items.csv", "out.lance", "--append", "--on-duplicate", "first"]).expect(1);
    let lost = run(folder.path(), &["convert", "items.csv", "second.lance", "--index", "none", "--on-duplicate", "reject"]).expect(1);
    assert!(lost.says("duplicate-id"), "{}", lost.stdout);
    let rejects = std::fs::read_to_string(folder.path().join("second.rejects.jsonl")).expect("rejects");
    let again = rejects.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON")).find(|r| r["code"] == "duplicate-id").expect("one");
    assert_eq!(again["original"], "{\"id\":\"7\",\"content\":\"again\",\"embedding\":[1,1,0]}");
}

#[test]
fn fields_are_called_as_the_user_says() {
    let line = "{\"key\":\"a\",\"emb\":[1,2],\"body\":\"the text\",\"info\":{\"x\":1},\"more\":true}\n";
    let folder = written("any.jsonl", line);
    let named = ["--id", "key", "--vector", "emb", "--text", "body", "--metadata", "info"];
    run(folder.path(), &[&["convert", "any.jsonl", "out.lance", "--verify"][..], &named[..]].concat()).expect(0);
    assert_eq!(payloads(&folder), [serde_json::json!({"x": 1})]);
    assert_eq!(column(&folder.path().join("out.lance"), "text_content")[1].as_deref(), Some("the text"));
    assert_eq!(column(&folder.path().join("out.lance"), "x_source_fields")[1].as_deref(), Some("{\"more\":true}"));
    run(folder.path(), &["verify", "out.lance", "any.jsonl"]).expect(0);
    let without = run(folder.path(), &["convert", "any.jsonl", "other.lance", "--vector", "nothing"]).expect(2);
    assert!(without.says("cannot tell"), "{}", without.stderr);
}
