//! `search`, `tune` and `bench` as a user runs them. Their figures are held against numpy in `acceptance.rs`.

use std::path::Path;

use serde_json::{Value, json};

use crate::tool::{made_up, run};

const ROWS: u64 = 1500;

fn dataset(flags: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, ROWS, 16)).expect("written");
    run(folder.path(), &[&["convert", "points.jsonl", "out.lance"], flags].concat()).expect(0);
    folder
}

fn json_of(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&run(folder, args).expect(0).stdout).expect("JSON")
}

#[test]
fn search_looks_by_row_vector_and_words() {
    let folder = dataset(&["--metric", "l2"]);
    let like = json_of(folder.path(), &["search", "out.lance", "--like", "7", "-k", "3", "--json"]);
    let hits = like["hits"].as_array().expect("rows");
    assert_eq!((hits.len(), hits[0]["rank"].as_u64()), (3, Some(1)));
    assert!(hits.iter().all(|h| h["id"] != "7"), "the row itself is no answer");
    let exact = json_of(folder.path(), &["search", "out.lance", "--like", "7", "-k", "3", "--exact", "--json"]);
    assert_eq!(exact["hits"][0]["id"], hits[0]["id"]);
    std::fs::write(folder.path().join("q.json"), json!([0.5; 16].to_vec()).to_string()).expect("written");
    let by_vector = run(folder.path(), &["search", "out.lance", "--vector", "q.json", "--filter", "uuid < '8'"]).expect(0);
    assert!(by_vector.says("rank") && by_vector.says("10 rows") && by_vector.says("Record "));
    let words = json_of(folder.path(), &["search", "out.lance", "--text", "word12", "--json"]);
    assert_eq!(words["hits"][0]["id"], "12");
    assert!(run(folder.path(), &["search", "out.lance", "--like", "nobody"]).expect(2).says("no row has the id nobody"));
    assert!(run(folder.path(), &["search", "out.lance"]).expect(2).says("--like"));
}

#[test]
fn tune_recommends_stores_and_rebuilds() {
    let folder = dataset(&["--index", "ivf_pq", "--sub-vectors", "1", "--partitions", "8", "--metric", "l2"]);
    let args = ["tune", "out.lance", "--sample", "100", "--target-recall", "0.995", "--json"];
    let tuned = json_of(folder.path(), &args);
    let chosen = &tuned["chosen"];
    assert!(tuned["plain"]["recall"].as_f64().expect("a number") < 0.995 && chosen["recall"].as_f64().expect("a number") >= 0.995, "{tuned}");
    assert!(tuned["points"].as_array().expect("points").len() > 8);
    // One row of a hundred is fewer than k here.
    assert_eq!(tuned["filtered"].as_array().expect("filters").len(), 2);
    assert_eq!(tuned["full_text"]["recall"], 1.0);
    let nprobes = format!("\"nprobes\": {}", chosen["nprobes"]);
    assert!(tuned["python"]["pylance"].as_str().expect("a line").contains(&nprobes));
    assert!(!tuned["alternatives"].as_array().expect("alternatives").is_empty());
    assert!(!folder.path().join("out.lance/_building").exists());
    assert_eq!(serde_json::from_str::<Value>(&std::fs::read_to_string(folder.path().join("out.tune.json")).expect("kept")).expect("JSON"), tuned);
    // Where it is stored, others find it.
    let looked = run(folder.path(), &["search", "out.lance", "--like", "3"]).expect(0);
    assert!(looked.says(&format!("nprobes {}", chosen["nprobes"])), "{}", looked.stdout);

    let rebuilt = json_of(folder.path(), &[&args[..], &["--rebuild"]].concat());
    assert!(rebuilt["plain"]["recall"].as_f64().expect("a number") >= 0.995, "{rebuilt}");
    assert!(rebuilt["rebuilt"].is_string());
    let again = json_of(folder.path(), &args);
    assert_eq!(again["alternatives"], json!([]), "a plain search is enough now");
    run(folder.path(), &["verify", "out.lance", "points.jsonl"]).expect(0);
}

#[test]
fn a_target_that_cannot_be_reached_is_a_finding() {
    let folder = dataset(&["--index", "ivf_pq", "--sub-vectors", "1", "--partitions", "8", "--metric", "l2"]);
    std::fs::write(folder.path().join("q.jsonl"), json!({"vector": vec![0.25; 16]}).to_string()).expect("written");
    run(folder.path(), &["tune", "out.lance", "--queries", "q.jsonl", "--dry-run", "--no-alternatives", "--target-recall", "1"]);
    assert!(run(folder.path(), &["tune", "out.lance", "--target-recall", "1.5"]).expect(2).says("not above 1"));
}

#[test]
fn convert_builds_the_index_that_reaches_a_target() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, ROWS, 16)).expect("written");
    let args = ["convert", "points.jsonl", "out.lance", "--index", "auto", "--target-recall", "0.95"];
    let answer = run(folder.path(), &args).expect(0);
    assert!(answer.says("of the true 10 nearest"), "{}", answer.stdout);
    let refused = run(folder.path(), &["convert", "points.jsonl", "b.lance", "--index", "ivf_pq", "--target-recall", "0.9"]).expect(2);
    assert!(refused.says("--target-recall"));
}

#[test]
fn bench_measures_every_kind_and_tells_changes() {
    let folder = dataset(&[]);
    let args = ["bench", "out.lance", "--sample", "20", "--repetitions", "2", "--cold", "2", "--threads", "2"];
    let first = run(folder.path(), &args).expect(0);
    assert!(first.says("p95 ms") && !first.says("changed"));
    let found = json_of(folder.path(), &[&args[..], &["--json"]].concat());
    let runs = found["runs"].as_array().expect("runs");
    for kind in ["vector", "filtered", "text", "lookup"] {
        let own: Vec<&Value> = runs.iter().filter(|r| r["kind"] == kind && r["warm"] == true).collect();
        assert_eq!(own.iter().map(|r| r["threads"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2)], "{kind}");
        assert!(
            own.iter().all(|r| r["p50_ms"].as_f64() <= r["p95_ms"].as_f64() && r["p95_ms"].as_f64() <= r["p99_ms"].as_f64() && r["qps"].as_f64() > Some(0.0))
        );
    }
    assert!(!found["machine"]["cpu"].as_str().expect("a name").is_empty());
    assert_eq!(found["changes"].as_array().map(Vec::is_empty), Some(false));
    let third = run(folder.path(), &[&args[..], &["--against", "out.bench.history.jsonl"]].concat()).expect(0);
    assert!(third.says("since "), "{}", third.stdout);
    let history = std::fs::read_to_string(folder.path().join("out.bench.history.jsonl")).expect("the history");
    assert_eq!(history.lines().count(), 3);
    assert!(run(folder.path(), &["bench", "out.lance", "--against", "points.jsonl"]).expect(2).says("no result of"));
}
