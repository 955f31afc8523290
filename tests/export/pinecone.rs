//! Pinecone against a stub that refuses what the real one refuses: namespaces, sparse values, documents, pods, faults, kills.

mod control;
mod documents;
mod faults;
mod kills;
mod stub;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::proxy::{Fault, Proxy};
use crate::server::{Reply, Server};
use crate::tool::{self, Answer};
use stub::{Index, Item, Items, KEY, Kind, Stub};

const DIMENSION: usize = 6;

/// Vectors far from each other: a sweep needs many questions.
fn vector(n: u64) -> (Vec<f64>, String) {
    let mut x = n.wrapping_add(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let values: Vec<f32> = (0..DIMENSION)
        .map(|_| {
            x ^= x >> 29;
            x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
            ((x >> 40) % 4001) as f32 / 1000.0 - 2.0
        })
        .collect();
    let texts: Vec<String> = values.iter().map(f32::to_string).collect();
    (values.into_iter().map(f64::from).collect(), format!("[{}]", texts.join(",")))
}

fn items(kind: Kind, count: u64, mark: &str) -> Items {
    let item = |n: u64| {
        let id = match n {
            0 => format!("{mark}a,b&c=d/e?f#g%20\"q\""),
            1 => format!("{mark} with spaces"),
            n => format!("{mark}{n:06}"),
        };
        let (values, text) = vector(n);
        let genre = if n.is_multiple_of(4) { "drama" } else { "other" };
        let sparse = format!("{{\"indices\": [1, 4294967295, {n}], \"values\": [0.1, 1e-42, 16777216.0]}}");
        let fields = format!("\"genre\": \"{genre}\", \"year\": 2019.0, \"big\": 9007199254740992.0, \"tags\": [\"ü\", \"\\u0001\\n\"]");
        let shown = json!(id);
        let text = match kind {
            Kind::Documents => format!("{{\"_id\": {shown}, \"embedding\": {text}, \"words\": {sparse}, \"body\": \"text {n}\", {fields}}}"),
            Kind::Sparse => format!("{{\"id\": {shown}, \"values\": [], \"sparseValues\": {sparse}, \"metadata\": {{{fields}}}}}"),
            Kind::Serverless if n.is_multiple_of(5) => {
                format!("{{\"id\": {shown}, \"values\": {text}, \"sparseValues\": {sparse}, \"metadata\": {{{fields}}}}}")
            }
            _ => format!("{{\"id\": {shown}, \"values\": {text}, \"metadata\": {{{fields}}}}}"),
        };
        (id, Item { text, vector: values, genre })
    };
    (0..count).map(item).collect()
}

fn index(kind: Kind, metric: &'static str, namespaces: &[(&str, u64)]) -> Index {
    let namespaces = namespaces.iter().map(|(name, count)| ((*name).to_owned(), items(kind, *count, name))).collect();
    Index { kind, metric, dimension: DIMENSION, ready: true, namespaces }
}

fn stub() -> Stub {
    let many: Vec<(String, u64)> = (0..7).map(|n| (format!("tenant/{n}"), 30)).collect();
    let many: Vec<(&str, u64)> = many.iter().map(|(name, count)| (name.as_str(), *count)).chain([("", 1250)]).collect();
    Stub {
        indexes: BTreeMap::from([
            ("dense".to_owned(), index(Kind::Serverless, "dotproduct", &many)),
            ("words".to_owned(), index(Kind::Sparse, "dotproduct", &[("", 130)])),
            ("docs".to_owned(), index(Kind::Documents, "cosine", &[("", 320), ("a b", 40)])),
            ("empty".to_owned(), index(Kind::Serverless, "cosine", &[])),
            ("young".to_owned(), Index { ready: false, ..index(Kind::Serverless, "cosine", &[("", 5)]) }),
        ]),
        ..Stub::default()
    }
}

fn serve(stub: &Arc<Stub>, delay: Duration) -> Server {
    let answering = Arc::clone(stub);
    let server = Server::start(move |request| Reply { delay, ..answering.answer(request) });
    *stub.url.lock().unwrap() = server.url();
    server
}

fn command(url: &str, folder: &Path, more: &[&str]) -> std::process::Command {
    let mut command = tool::command(&["pinecone", folder.to_str().unwrap(), "--url", url, "--quiet"]);
    command.args(more).env("PINECONE_API_KEY", KEY);
    command
}

fn run(url: &str, folder: &Path, more: &[&str]) -> Answer {
    Answer::of(&command(url, folder, more).output().unwrap())
}

/// The line of a record: as the server gives it; of documents, as a page of one.
fn line(kind: Kind, id: &str, item: &Item) -> String {
    // The server spreads its answer over lines, but never inside of a record; what has spaces in its id comes from a query.
    match kind {
        Kind::Documents => format!("{{\"documents\":{{{}:{}}}}}", json!(id), item.text),
        _ => item.text.clone(),
    }
}

/// Every record of an index that this chooses, against the snapshot; in order of ids, byte for byte.
fn compare(stub: &Stub, name: &str, folder: &Path, chosen: &dyn Fn(&str, &Item) -> bool) {
    let index = &stub.indexes[name];
    for (namespace, items) in &index.namespaces {
        let lines = tool::records(folder, name, Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()));
        let wanted: Vec<(&String, &Item)> = items.iter().filter(|(id, item)| chosen(id, item)).collect();
        assert_eq!(lines.len(), wanted.len(), "{name} {namespace}");
        for (found, (id, item)) in lines.iter().zip(wanted) {
            if index.kind != Kind::Documents && id.contains(' ') {
                // It came by a query, whose score was taken away.
                let (found, wanted): (Value, Value) = (serde_json::from_str(found).unwrap(), serde_json::from_str(&item.text).unwrap());
                assert_eq!(found, wanted);
            } else {
                assert_eq!(*found, line(index.kind, id, item), "{name} {namespace}");
            }
        }
    }
    assert_eq!(*stub.violations.lock().unwrap(), Vec::<String>::new());
}

fn entry(folder: &Path, name: &str, namespace: &Value) -> Value {
    let manifest = tool::manifest(folder);
    manifest["collections"].as_array().unwrap().iter().find(|c| c["name"] == name && c["namespace"] == *namespace).unwrap().clone()
}

#[test]
fn everything_comes_as_the_server_gave_it() {
    let stub = Arc::new(stub());
    let server = serve(&stub, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    let answer = run(&server.url(), &snapshot, &["--all", "--record-queries", "3"]).expect(0);
    for name in ["dense", "words", "docs", "empty"] {
        compare(&stub, name, &snapshot, &|_, _| true);
    }
    let manifest = tool::manifest(&snapshot);
    assert!(!answer.stdout.contains(KEY) && !answer.stderr.contains(KEY) && !manifest.to_string().contains(KEY));
    assert_eq!(manifest["skipped"], json!([{ "collection": "young", "namespace": null, "reason": "the index is Initializing" }]));
    let dense = entry(&snapshot, "dense", &Value::Null);
    assert_eq!(dense["schema"]["spec"]["serverless"]["cloud"], "aws");
    assert_eq!((&dense["metric"], &dense["vectors"][0]["dimension"], &dense["vectors"][1]["kind"]), (&json!("dotproduct"), &json!(6), &json!("sparse")));
    assert_eq!(dense["count_before"], json!({ "value": 1250, "by": "describe_index_stats", "exact": false }));
    assert!(dense["notes"].to_string().contains("13 read units were used to list ids"), "{}", dense["notes"]);
    assert_eq!(dense["notes"].to_string().matches("read units were used to fetch records").count(), 1, "{}", dense["notes"]);
    assert!(dense["losses"].to_string().contains("double"));
    let docs = entry(&snapshot, "docs", &json!("a b"));
    assert_eq!(
        (&docs["layout"], &docs["vectors"][0]["name"], &docs["schema"]["schema"]["fields"]["body"]["type"]),
        (&json!("pinecone-documents"), &json!("embedding"), &json!("string"))
    );
    let queries = tool::lines(&snapshot.join("queries.jsonl"));
    // Three of each of the eight namespaces with dense vectors and the two of documents.
    assert_eq!(queries.len(), 30);
    for query in queries {
        let query: Value = serde_json::from_str(&query).unwrap();
        assert_eq!(query["results"][0]["id"], query["id"], "a record is its own nearest neighbour");
    }
}

#[test]
fn what_was_exported_converts() {
    let stub = Arc::new(stub());
    let server = serve(&stub, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    // Indexes of other metrics are other datasets.
    for index in ["dense", "words", "docs"] {
        let snapshot = folder.path().join(index);
        run(&server.url(), &snapshot, &["--index", index]).expect(0);
        tool::convert_and_verify(&snapshot, &[]);
        let parquet = folder.path().join(format!("{index}-parquet"));
        let answer = run(&server.url(), &parquet, &["--index", index, "--parquet"]);
        if index == "docs" {
            assert!(answer.expect(2).says("cannot be written as Parquet"));
        } else {
            answer.expect(0);
            tool::convert_and_verify(&parquet, &[]);
        }
    }
}

#[test]
fn a_filter_selects_on_the_server() {
    let stub = Arc::new(stub());
    let server = serve(&stub, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["dense", "docs"] {
        run(&server.url(), &at(name), &["--index", name, "--filter", r#"{"genre":{"$eq":"drama"}}"#]).expect(0);
        let index = &stub.indexes[name];
        for (namespace, items) in &index.namespaces {
            let lines = tool::records(&at(name), name, Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()));
            let wanted: Vec<String> = items.iter().filter(|(_, item)| item.genre == "drama").map(|(id, item)| line(index.kind, id, item)).collect();
            assert_eq!(lines, wanted, "{name} {namespace}");
        }
    }
    let answer = run(&server.url(), &at("x"), &["--index", "dense", "--filter", "genre = drama"]).expect(2);
    assert!(answer.says("--filter is no JSON") && answer.says("$eq"), "{}", answer.stderr);
}

#[test]
fn what_is_deleted_meanwhile_is_counted() {
    let stub = Arc::new(Stub { vanishing: (100..230).map(|n| format!("{n:06}")).collect(), lag: 3, ..stub() });
    let server = serve(&stub, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    let answer = run(&server.url(), &snapshot, &["--index", "dense", "--namespace", "__default__"]).expect(1);
    assert!(answer.says("130 records were listed and then no longer there"), "{}", answer.stdout);
    let entry = entry(&snapshot, "dense", &Value::Null);
    assert_eq!((&entry["count"], &entry["vanished"]), (&json!(1120), &json!(130)));
    // The count lags, and is not promised to be exact: that alone is no finding.
    assert_eq!(entry["findings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_count_that_lags_is_a_note() {
    let stub = Arc::new(Stub { lag: 3, ..stub() });
    let server = serve(&stub, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    run(&server.url(), &snapshot, &["--index", "words"]).expect(0);
    assert!(entry(&snapshot, "words", &Value::Null)["notes"].to_string().contains("does not promise to be exact"));
}

#[test]
fn pods_are_swept_or_read_by_a_list() {
    let pods = Stub { indexes: BTreeMap::from([("pod".to_owned(), index(Kind::Pod, "cosine", &[("", 400), ("b", 150)]))]), ..Stub::default() };
    let stub = Arc::new(pods);
    let server = serve(&stub, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    run(&server.url(), &at("swept"), &["--all"]).expect(0);
    let swept = entry(&at("swept"), "pod", &Value::Null);
    assert_eq!(swept["count"], 400);
    assert!(swept["notes"].to_string().contains("found 400 of 400 records (100 %)"), "{}", swept["notes"]);
    let answer = run(&server.url(), &at("short"), &["--all", "--sweep-queries", "2"]).expect(1);
    assert!(answer.says("2 queries found"), "{}", answer.stdout);
    let short = entry(&at("short"), "pod", &Value::Null);
    assert!(short["count"].as_u64().unwrap() < 400 && short["notes"].to_string().contains(" %)"), "{short}");
    let ids = at("ids.txt");
    let list: Vec<String> =
        stub.indexes["pod"].namespaces[""].keys().filter(|id| !id.starts_with('a')).cloned().chain(["nosuch".to_owned(), "000003".to_owned()]).collect();
    std::fs::write(
        &ids,
        list.join("\n")
            + "\n\n{\"id\":\"b000007\",\"namespace\":\"b\"}\n"
            + &json!(stub.indexes["pod"].namespaces[""].keys().find(|id| id.starts_with('a'))).to_string(),
    )
    .unwrap();
    // The list knows one record of the other namespace only.
    let answer = run(&server.url(), &at("listed"), &["--all", "--ids", ids.to_str().unwrap()]).expect(1);
    assert!(answer.says("1 records were written, and the source counts 150"), "{}", answer.stdout);
    assert_eq!(entry(&at("listed"), "pod", &Value::Null)["count"], 400);
    run(&server.url(), &at("one"), &["--all", "--namespace", "__default__", "--ids", ids.to_str().unwrap()]).expect(0);
    assert_eq!(*stub.violations.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn faults_pass_and_leave_nothing_out() {
    let stub = Arc::new(stub());
    let server = serve(&stub, Duration::ZERO);
    let faults =
        vec![Fault::Delay(Duration::from_millis(20)), Fault::Reset, Fault::Cut(60), Fault::Cut(2000), Fault::TooMany, Fault::Unavailable, Fault::Drip(900)];
    let proxy = Proxy::random(server.port, 11, 30, faults);
    *stub.url.lock().unwrap() = proxy.url();
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    run(&proxy.url(), &snapshot, &["--all", "--retries", "30"]).expect(0);
    for name in ["dense", "words", "docs"] {
        compare(&stub, name, &snapshot, &|_, _| true);
    }
    assert!(proxy.faults.load(std::sync::atomic::Ordering::Relaxed) > 10);
}
