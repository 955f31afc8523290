//! `compare`: the answers that a real Chroma server gave are found again; every shape of them is read; each kind of damage is named.

use std::path::Path;

use serde_json::{Value, json};

use crate::tool::{Answer, repository, run};

const SPACES: [(&str, &str); 3] = [("cosine", "cosine"), ("l2", "l2"), ("ip", "dot")];

fn recorded(name: &str) -> String {
    std::fs::read_to_string(repository("tests/acceptance/recorded").join(name)).expect("a recorded file")
}

fn points() -> Vec<Value> {
    recorded("points.jsonl").lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

/// Converts records into out.lance of a fresh folder, with an exact index.
fn converted(records: &[Value], metric: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let text: Vec<String> = records.iter().map(Value::to_string).collect();
    std::fs::write(folder.path().join("points.jsonl"), text.join("\n") + "\n").expect("written");
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--from", "chroma", "--metric", metric, "--on-duplicate", "last"]).expect(0);
    folder
}

fn compared(folder: &Path, queries: &str, more: &[&str]) -> (Answer, Value) {
    let answer = run(folder, &[&["compare", "out.lance", "--queries", queries], more].concat());
    let text = std::fs::read_to_string(folder.join("out.compare.json")).unwrap_or_default();
    (answer, serde_json::from_str(&text).unwrap_or_default())
}

fn chroma(space: &str) -> String {
    repository("tests/acceptance/recorded").join(format!("chroma.{space}.json")).display().to_string()
}

#[test]
fn a_real_server_is_found_again_by_every_metric() {
    for (space, metric) in SPACES {
        let folder = converted(&points(), metric);
        let (answer, found) = compared(folder.path(), &chroma(space), &[]);
        let answer = answer.expect(0);
        assert_eq!((&found["reference"], &found["metric"], &found["queries"]), (&json!("source"), &json!(metric), &json!(40)), "{found}");
        assert_eq!(found["scores"], "the distance", "{space}");
        for way in ["plain", "tuned", "exact"] {
            assert_eq!((&found["ways"][way]["recall"], &found["ways"][way]["perfect"]), (&json!(1.0), &json!(40)), "{space} {way}");
            assert!(found["ways"][way]["score_difference"].as_f64().expect("a number") < 1e-5, "{space} {way}");
        }
        assert_eq!(found["causes"], json!([]), "{space}");
        assert!(answer.says("the same is found as there"));
        let csv = std::fs::read_to_string(folder.path().join("out.compare.csv")).expect("the table");
        assert_eq!((csv.lines().count(), found["details"].as_array().map(Vec::len)), (1 + 3 * 40, Some(40)));
    }
}

/// The recorded answers, query by query.
fn answers(space: &str) -> Vec<(Value, Vec<(String, f64)>)> {
    let all: Value = serde_json::from_str(&recorded(&format!("chroma.{space}.json"))).expect("JSON");
    let list = |key: &str, at: usize| all["response"][key][at].as_array().expect("a list").clone();
    let queries = all["request"]["query_embeddings"].as_array().expect("queries");
    let of = |at: usize| {
        list("ids", at).iter().zip(list("distances", at)).map(|(id, d)| (id.as_str().expect("an id").to_owned(), d.as_f64().expect("a number"))).collect()
    };
    queries.iter().enumerate().map(|(at, q)| (q.clone(), of(at))).collect()
}

/// Each database's own shape and measure of the same answer.
fn shapes(query: &Value, found: &[(String, f64)]) -> Vec<(&'static str, Value)> {
    let rows = |make: &dyn Fn(&str, f64) -> Value| -> Value { found.iter().map(|(id, d)| make(id, *d)).collect::<Vec<_>>().into() };
    let scored = rows(&|id, d| json!({"id": id, "score": 1.0 - d, "payload": {"a": 1}}));
    let graph = format!("{{Get{{Points(nearVector:{{vector:{query}}} limit:10){{title}}}}}}");
    vec![
        ("lines", json!({"id": "q1", "vector": query, "k": 10, "results": rows(&|id, d| json!({"id": id, "score": d}))})),
        ("ids alone", json!({"vector": query, "results": rows(&|id, _| json!(id))})),
        ("pinecone", json!({"request": {"vector": query, "topK": 10}, "response": {"matches": scored, "namespace": ""}})),
        ("pinecone, together", json!({"vector": query, "matches": scored})),
        ("qdrant search", json!({"request": {"vector": query, "limit": 10}, "response": {"result": scored, "status": "ok"}})),
        ("qdrant query", json!({"request": {"query": query, "limit": 10}, "response": {"result": {"points": scored}}})),
        ("qdrant batch", json!({"request": {"searches": [{"query": query, "limit": 10}]}, "response": {"result": [{"points": scored}]}})),
        (
            "weaviate",
            json!({"request": {"query": graph}, "response": {"data": {"Get": {"Points": rows(&|id, d| json!({"title": "t", "_additional": {"id": id, "distance": d}}))}}}}),
        ),
        (
            "weaviate client",
            json!({"near_vector": query, "response": {"objects": rows(&|id, d| json!({"uuid": id, "metadata": {"distance": d}, "properties": {}}))}}),
        ),
        (
            "milvus",
            json!({"request": {"data": [query], "limit": 10}, "response": {"code": 0, "data": rows(&|id, d| json!({"distance": 1.0 - d, "id": id})), "topks": [10]}}),
        ),
        ("pymilvus", json!({"request": {"data": [query], "limit": 10}, "response": [rows(&|id, d| json!({"id": id, "distance": 1.0 - d, "entity": {}}))]})),
    ]
}

#[test]
fn every_shape_says_the_same() {
    let folder = converted(&points(), "cosine");
    let all = answers("cosine");
    let names: Vec<&str> = shapes(&all[0].0, &all[0].1).iter().map(|(name, _)| *name).collect();
    for (at, name) in names.iter().enumerate() {
        let lines: Vec<String> = all.iter().map(|(q, found)| shapes(q, found)[at].1.to_string()).collect();
        std::fs::write(folder.path().join("q.jsonl"), lines.join("\n")).expect("written");
        let (answer, found) = compared(folder.path(), "q.jsonl", &[]);
        answer.expect(0);
        assert_eq!((&found["reference"], &found["queries"], &found["ways"]["exact"]["recall"]), (&json!("source"), &json!(40), &json!(1.0)), "{name}");
        assert!(*name == "ids alone" || !found["scores"].is_null(), "{name}: {}", found["scores"]);
    }
}

#[test]
fn responses_may_be_in_a_file_of_their_own() {
    let folder = converted(&points(), "cosine");
    let all = answers("cosine");
    let write = |name: &str, lines: Vec<String>| std::fs::write(folder.path().join(name), lines.join("\n")).expect("written");
    write("q.jsonl", all.iter().map(|(q, _)| json!({"vector": q}).to_string()).collect());
    write("r.jsonl", all.iter().map(|(q, found)| shapes(q, found)[2].1["response"].to_string()).collect());
    let (answer, found) = compared(folder.path(), "q.jsonl", &["--responses", "r.jsonl"]);
    answer.expect(0);
    assert_eq!(found["ways"]["plain"]["recall"], 1.0);
    write("r.jsonl", vec!["{\"matches\":[]}".to_owned()]);
    let (answer, _) = compared(folder.path(), "q.jsonl", &["--responses", "r.jsonl"]);
    assert!(answer.expect(2).says("1 answers, expected 40"));
}

#[test]
fn without_results_the_exact_answer_is_the_reference() {
    let folder = converted(&points(), "l2");
    let lines: Vec<String> = answers("l2").iter().map(|(q, _)| json!({"vector": q, "k": 5}).to_string()).collect();
    std::fs::write(folder.path().join("q.jsonl"), lines.join("\n")).expect("written");
    let (answer, found) = compared(folder.path(), "q.jsonl", &["--json"]);
    assert_eq!(serde_json::from_str::<Value>(&answer.expect(0).stdout).expect("JSON"), found);
    assert_eq!((&found["reference"], &found["k"], &found["ways"]["exact"]["f1"]), (&json!("exact"), &json!(5), &json!(1.0)));
}

/// The sentence of a damaged dataset, compared with the server's answers.
fn cause(records: &[Value], metric: &str, space: &str, spoil: &[&str]) -> String {
    let folder = converted(records, metric);
    if !spoil.is_empty() {
        run(folder.path(), spoil).expect(0);
    }
    let (answer, found) = compared(folder.path(), &chroma(space), &[]);
    answer.expect(1);
    found["causes"].as_array().expect("causes").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_index_of_another_metric_is_named() {
    for (space, metric) in SPACES {
        let other = if metric == "l2" { "dot" } else { "l2" };
        let text = cause(&points(), metric, space, &["index", "out.lance", "--metric", other]);
        assert!(text.contains(&format!("measures by {other}")) && text.contains(&format!("by {metric}")), "{space}: {text}");
    }
    // Converted with the wrong one, the header is wrong as well, and only the scores tell.
    let text = cause(&points(), "cosine", "l2", &[]);
    assert!(text.contains("measures by cosine") && text.contains("l2 (by its scores)"), "{text}");
}

#[test]
fn normalised_vectors_are_named() {
    let mut records = points();
    for record in &mut records {
        let vector: Vec<f64> = record["embedding"].as_array().expect("a vector").iter().filter_map(Value::as_f64).collect();
        let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        record["embedding"] = vector.iter().map(|v| v / length).collect::<Vec<_>>().into();
    }
    for (space, metric) in &SPACES[1..] {
        let text = cause(&records, metric, space, &[]);
        assert!(text.contains("vectors were normalised"), "{space}: {text}");
    }
}

#[test]
fn missing_rows_are_named() {
    let kept: Vec<Value> = points().into_iter().enumerate().filter(|(at, _)| at % 20 != 7).map(|(_, r)| r).collect();
    let text = cause(&kept, "cosine", "cosine", &[]);
    assert!(text.contains("rows are missing") && text.contains("verify"), "{text}");
}

#[test]
fn swapped_fields_are_named() {
    let mut records = points();
    for record in &mut records {
        let document = record["document"].take();
        record["document"] = std::mem::replace(&mut record["metadata"]["title"], document);
    }
    let text = cause(&records, "cosine", "cosine", &[]);
    assert!(text.contains("swapped") && text.contains("title") && text.contains("text_content"), "{text}");
    let mut records = points();
    for record in &mut records {
        let id = record["id"].take();
        record["id"] = std::mem::replace(&mut record["metadata"]["title"], id);
    }
    let text = cause(&records, "cosine", "cosine", &[]);
    assert!(text.contains("id was swapped"), "{text}");
}

#[test]
fn other_vectors_are_named() {
    let mut records = points();
    for record in records.iter_mut().skip(100) {
        record["embedding"].as_array_mut().expect("a vector").reverse();
    }
    let text = cause(&records, "cosine", "cosine", &[]);
    assert!(text.contains("vectors were changed"), "{text}");
}

#[test]
fn bad_queries_are_refused_with_their_place() {
    let folder = converted(&points(), "cosine");
    for (text, words) in [
        ("{\"vector\":[1,2]}", "expected 16"),
        ("{\"vector\":[1,\"x\"]}", "expected a number"),
        ("{\"colour\":1}", "neither a vector nor a text"),
        ("{\"vector\":[1]}\n{nonsense", "q.jsonl:2"),
        ("", "holds no query"),
        ("{\"vector\":[1],\"results\":{\"a\":1}}", "no known shape"),
    ] {
        std::fs::write(folder.path().join("q.jsonl"), text).expect("written");
        let (answer, _) = compared(folder.path(), "q.jsonl", &[]);
        let answer = answer.expect(2);
        assert!(answer.says(words), "{text}: {}", answer.stderr);
    }
}
