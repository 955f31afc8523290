//! `--promote`: typed columns and their indices, what stays JSON and why, and the same again by verify, append, upsert and index.

use std::path::Path;

use serde_json::Value;

use crate::tool::{column, repository, run, shown};

fn records(payloads: &[&str]) -> String {
    let line = |(at, payload): (usize, &&str)| format!("{{\"id\":{at},\"vector\":[{at},1],\"payload\":{payload}}}\n");
    payloads.iter().enumerate().map(line).collect()
}

/// A folder with `points.jsonl` of these payloads, converted; and the report.
fn converted(payloads: &[&str], promote: &str, status: i32) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), records(payloads)).expect("written");
    let answer = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--promote", promote, "--verify", "--json"]).expect(status);
    (folder, serde_json::from_str(&answer.stdout).expect("JSON"))
}

fn columns(report: &Value) -> Vec<String> {
    let text = |column: &Value, key: &str| column[key].as_str().unwrap_or_default().to_owned();
    report["promoted"].as_array().expect("a list").iter().map(|c| format!("{} {}", text(c, "column"), text(c, "kind"))).collect()
}

fn said(report: &Value, list: &str, what: &str) -> bool {
    report[list].as_array().is_some_and(|all| all.iter().any(|s| s.as_str().is_some_and(|s| s.contains(what))))
}

fn ids(folder: &Path, filter: &str) -> Vec<String> {
    shown(&folder.join("out.lance"), "x_original_id", filter)
}

#[test]
fn auto_gives_each_field_the_type_of_all_its_values() {
    let (folder, report) = converted(
        &[
            r#"{"n":1,"big":1,"f":1,"ok":true,"s":"a","when":"2024-01-03T03:23:20Z","list":[1,2],"text":"t","tags":["x"],"odd":1,"deep":{"n":1}}"#,
            r#"{"n":-5,"big":18446744073709551615,"f":2.5,"ok":null,"s":"","when":"2024-01-04 00:00:00+02:00","list":[],"odd":2}"#,
            r#"{"n":null,"list":null,"odd":"three","exact":9007199254740993,"many":[{"a":1}]}"#,
        ],
        "auto",
        0,
    );
    let wanted = ["x_n int64", "x_big uint64", "x_f float64", "x_ok bool", "x_s string", "x_when timestamp", "x_list list<int64>", "x_exact int64"];
    assert_eq!(columns(&report), wanted);
    assert!(said(&report, "notes", "the field \"odd\" stays JSON: an integer first, then a string at points.jsonl:3 (byte "), "{}", report["notes"]);
    assert!(said(&report, "notes", "the field \"deep\" stays JSON: objects"), "{}", report["notes"]);
    let shown = |name: &str| shown(&folder.path().join("out.lance"), name, "x_original_id IS NOT NULL");
    assert_eq!(shown("x_big"), ["1", "18446744073709551615", "null"]);
    assert_eq!(shown("x_when"), ["2024-01-03T03:23:20Z", "2024-01-03T22:00:00Z", "null"]);
    assert_eq!(shown("x_list"), ["[1, 2]", "[]", "null"]);
    assert_eq!(shown("x_s"), ["\"a\"", "\"\"", "null"]);
    for (filter, found) in
        [("x_n < 0", "1"), ("x_ok", "0"), ("x_when > timestamp '2024-01-03 12:00:00'", "1"), ("array_has_any(x_list, [2])", "0"), ("x_big > 5", "1")]
    {
        assert_eq!(ids(folder.path(), filter), [format!("\"{found}\"")], "{filter}");
    }
}

#[test]
fn a_type_that_changes_in_the_last_row_loses_nothing() {
    let last = |value: &str| {
        let mut payloads = vec!["{\"n\":1,\"m\":1}".to_owned(); 3000];
        payloads.push(format!("{{\"n\":{value},\"m\":2}}"));
        payloads
    };
    for (value, column) in [("2.5", Some("x_n float64")), ("9223372036854775808", Some("x_n uint64")), ("\"x\"", None), ("[1]", None), ("{}", None)] {
        let payloads = last(value);
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        let (folder, report) = converted(&payloads, "auto", 0);
        let all: Vec<String> = column.into_iter().chain(["x_m int64"]).map(str::to_owned).collect();
        assert_eq!(columns(&report), all, "{value}");
        assert_eq!(said(&report, "notes", "at points.jsonl:3001 (byte "), column.is_none(), "{}", report["notes"]);
        // A type that the user gave does not fail either: the value is null there, counted, and kept beside it.
        let answer = run(folder.path(), &["convert", "points.jsonl", "typed.lance", "--promote", "n:int64", "--verify", "--json"]).expect(1);
        let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
        assert!(said(&report, "findings", "values of \"n\" that are no int64: 1; x_n is null there"), "{}", report["findings"]);
        let typed = folder.path().join("typed.lance");
        assert_eq!(shown(&typed, "x_source_payload", "x_n IS NULL AND x_original_id IS NOT NULL").len(), 1);
        assert!(shown(&typed, "x_source_payload", "x_original_id = '3000'")[0].contains(&value.replace('"', "\\\"")), "{value}");
    }
}

#[test]
fn the_columns_of_a_dataset_stay_when_it_changes() {
    let (folder, _) = converted(&["{\"n\":1,\"a\":{\"b\":true}}", "{\"n\":2}"], "n,a.b:bool,gone", 0);
    let out = folder.path().join("out.lance");
    assert_eq!(shown(&out, "x_a_b", "x_original_id IS NOT NULL"), ["true", "null"]);
    let more = records(&["{\"n\":1,\"a\":{\"b\":true}}", "{\"n\":3,\"a.b\":false}", "{\"n\":\"new\"}"]);
    std::fs::write(folder.path().join("points.jsonl"), more).expect("written");
    let verify = |status: i32| run(folder.path(), &["verify", "out.lance", "points.jsonl"]).expect(status);
    verify(1);
    let refused = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--upsert", "--promote", "m"]).expect(2);
    assert!(refused.stderr.contains("columns are decided when a dataset is made"), "{}", refused.stderr);
    let answer = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--upsert", "--json"]).expect(1);
    let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((&report["added"], &report["changed"], &report["unchanged"]), (&1.into(), &1.into(), &1.into()));
    assert!(said(&report, "findings", "values of \"n\" that are no int64: 1"), "{}", report["findings"]);
    verify(0);
    assert_eq!(shown(&out, "x_a_b", "x_original_id = '1'"), ["false"]);
    assert_eq!(ids(folder.path(), "x_n = 3"), ["\"1\""]);
    let index = run(folder.path(), &["index", "out.lance", "--json"]).expect(0);
    assert!(index.stdout.contains("\"x_n_idx\"") && index.stdout.contains("\"x_a_b_idx\""), "{}", index.stdout);
    verify(0);
    run(folder.path(), &["index", "out.lance", "--index", "none"]).expect(0);
    assert!(verify(1).stdout.contains("the index x_n_idx is missing"));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), records(&["{\"n\":1}"])).expect("written");
    let wrong = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--promote", "n:integer"]).expect(2);
    assert!(wrong.stderr.contains("\"integer\" is no type") && wrong.stderr.contains("list<…>"), "{}", wrong.stderr);
}

#[test]
fn columns_of_the_samples_have_the_types_of_the_source() {
    for (dump, field) in [("weaviate/good/objects.jsonl.zst", "installedSize"), ("qdrant/good/points.jsonl.zst", "num_id")] {
        let dump = repository("fixtures").join(dump);
        let folder = tempfile::tempdir().expect("a folder");
        let answer = run(folder.path(), &["convert", dump.to_str().expect("UTF-8"), "out.lance", "--promote", "auto", "--verify", "--json"]).expect(0);
        let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
        assert!(columns(&report).contains(&format!("x_{field} int64")), "{:?}", columns(&report));
        let payloads = column(&folder.path().join("out.lance"), "x_source_payload");
        let size = |text: &String| {
            let payload: Value = serde_json::from_str(text).ok()?;
            payload[field].as_i64().filter(|n| *n > 5000)
        };
        let wanted = payloads.iter().flatten().filter_map(size).count();
        assert!(wanted > 0);
        assert_eq!(ids(folder.path(), &format!("x_{field} > 5000")).len(), wanted, "{}", dump.display());
    }
}
