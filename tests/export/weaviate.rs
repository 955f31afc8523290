//! Weaviate against a stub that refuses what the real one refuses: classes, tenants, named and multi-vectors, references, faults, kills.

mod export;
mod faults;
mod stub;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::proxy::{Fault, Proxy};
use crate::server::{Reply, Server};
use crate::tool::{self, Answer};
use stub::{KEY, Object, Objects, Stub};

/// Something like a UUID of version 5, different for each number, in no order.
fn uuid(number: u64) -> String {
    let mut x = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        x ^= x >> 30;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^= x >> 27;
        x
    };
    let (a, b) = (next(), next());
    format!("{:08x}-{:04x}-5{:03x}-8{:03x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff, b >> 52, b & 0xffff_ffff_ffff)
}

fn vector(number: u64, dimension: u64) -> (Vec<f64>, String) {
    let values: Vec<f32> = (0..dimension).map(|d| ((number * 31 + d * number * 17) % 20011) as f32 / 10_000.0 - 1.0).collect();
    // As Go writes a float32: its shortest text.
    let text: Vec<String> = values.iter().map(f32::to_string).collect();
    (values.into_iter().map(f64::from).collect(), format!("[{}]", text.join(",")))
}

/// A class with one vector without a name.
fn plain(class: &str, count: u64, tenant: &str, dimension: u64) -> Objects {
    let field = if tenant.is_empty() { String::new() } else { format!(",\"tenant\":\"{tenant}\"") };
    let object = |n: u64| {
        let id = uuid(n);
        let (values, text) = vector(n, dimension);
        let target = uuid((n + 1) % count);
        let whole = format!(
            "{{\"class\":\"{class}\",\"creationTimeUnix\":1764150000{:03},\"id\":\"{id}\",\"lastUpdateTimeUnix\":1764150000999,\"properties\":{{\"big\":9007199254740993,\"float\":1e-07,\"text\":\"\\u003cb\\u003e {n} ü \\\"q\\\"\\n\",\"nested\":{{\"a\":[1,2.50]}},\"of\":[{{\"beacon\":\"weaviate://localhost/{class}/{target}\",\"href\":\"/v1/objects/{class}/{target}\"}}]}}{field},\"vector\":{text},\"vectorWeights\":null}}",
            n % 1000
        );
        (id, Object { listed: whole.clone(), whole, vector: values })
    };
    (0..count).map(object).collect()
}

/// A class with named vectors, one of them a multi-vector. Every third object lies on another node, whose listing lacks one of them;
/// every seventh has none of it at all.
fn named(class: &str, count: u64) -> Objects {
    let object = |n: u64| {
        let id = uuid(n);
        let (values, title) = vector(n, 4);
        let (_, body) = vector(n + 7, 6);
        let parts = format!("[{},{}]", vector(n, 3).1, vector(n + 1, 3).1);
        let text = |body: &str| {
            format!("{{\"class\":\"{class}\",\"id\":\"{id}\",\"properties\":{{\"n\":{n}}},\"vectors\":{{{body}\"default\":{title},\"parts\":{parts}}}}}")
        };
        let whole = if n.is_multiple_of(7) { text("") } else { text(&format!("\"body\":{body},")) };
        let listed = if n.is_multiple_of(3) { text("") } else { whole.clone() };
        (id, Object { whole, listed, vector: values })
    };
    (0..count).map(object).collect()
}

/// Two plain classes, one of tenants, one of named vectors.
fn stub() -> Stub {
    let index = json!({ "distance": "l2-squared" });
    let schema = json!({ "classes": [
        { "class": "Note", "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": index, "properties": [{ "name": "text", "dataType": ["text"] }] },
        { "class": "Empty", "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": index, "properties": [] },
        { "class": "Shop", "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": { "distance": "cosine" }, "multiTenancyConfig": { "enabled": true }, "properties": [] },
        { "class": "Page", "vectorConfig": {
            "default": { "vectorizer": { "none": {} }, "vectorIndexType": "hnsw", "vectorIndexConfig": { "distance": "dot" } },
            "body": { "vectorizer": { "none": {} }, "vectorIndexType": "flat", "vectorIndexConfig": { "distance": "cosine" } },
            "parts": { "vectorizer": { "none": {} }, "vectorIndexType": "hnsw", "vectorIndexConfig": { "distance": "cosine", "multivector": { "enabled": true } } },
        }, "properties": [] },
    ] });
    let single = |objects| BTreeMap::from([(String::new(), objects)]);
    let shop = ["acme", "globex", "nobody"].map(|tenant| (tenant.to_owned(), plain("Shop", if tenant == "nobody" { 0 } else { 120 }, tenant, 8)));
    Stub {
        version: "1.40.0",
        schema,
        data: BTreeMap::from([
            ("Note".to_owned(), single(plain("Note", 2500, "", 8))),
            ("Empty".to_owned(), single(Objects::new())),
            ("Page".to_owned(), single(named("Page", 210))),
            ("Shop".to_owned(), BTreeMap::from(shop)),
        ]),
        tenants: BTreeMap::from([(
            "Shop".to_owned(),
            vec![("globex", "ACTIVE"), ("acme", "HOT"), ("nobody", "ACTIVE"), ("cold", "INACTIVE"), ("far", "OFFLOADED")],
        )]),
        graphql: true,
        export_enabled: true,
        ..Stub::default()
    }
}

fn serve(stub: &Arc<Stub>) -> Server {
    let stub = Arc::clone(stub);
    Server::start(move |request| stub.answer(request))
}

fn command(url: &str, folder: &Path, more: &[&str]) -> std::process::Command {
    let mut command = tool::command(&["weaviate", folder.to_str().unwrap(), "--url", url, "--quiet"]);
    command.args(more).env("WEAVIATE_API_KEY", KEY);
    command
}

fn run(url: &str, folder: &Path, more: &[&str]) -> Answer {
    Answer::of(&command(url, folder, more).output().unwrap())
}

/// Every object of the stub, against the snapshot, byte for byte and in order of ids.
fn compare(stub: &Stub, folder: &Path) {
    for (class, shards) in &stub.data {
        for (tenant, objects) in shards {
            let wanted: Vec<&String> = objects.values().map(|object| &object.whole).collect();
            let lines = tool::records(folder, class, Some(tenant.as_str()).filter(|tenant| !tenant.is_empty()));
            assert_eq!(lines.iter().collect::<Vec<_>>(), wanted, "{class} {tenant}");
        }
    }
    assert_eq!(*stub.violations.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn everything_comes_as_the_server_gave_it() {
    let stub = Arc::new(stub());
    let server = serve(&stub);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    let answer = run(&server.url(), &snapshot, &["--all", "--record-queries", "5"]).expect(0);
    compare(&stub, &snapshot);
    assert!(!answer.stdout.contains(KEY) && !answer.stderr.contains(KEY));
    let manifest = tool::manifest(&snapshot);
    assert!(!manifest.to_string().contains(KEY));
    assert_eq!(manifest["source_version"], "1.40.0");
    let skipped: Vec<(&str, &str)> =
        manifest["skipped"].as_array().unwrap().iter().map(|s| (s["namespace"].as_str().unwrap(), s["reason"].as_str().unwrap())).collect();
    assert_eq!(skipped, [("cold", "the tenant is INACTIVE"), ("far", "the tenant is OFFLOADED")]);
    let page = manifest["collections"].as_array().unwrap().iter().find(|c| c["name"] == "Page").unwrap();
    assert_eq!(page["schema"], stub.schema["classes"][3]);
    assert_eq!(page["count_before"], json!({ "value": 210, "by": "POST /v1/aggregate", "exact": true }));
    let vectors: Vec<Value> =
        page["vectors"].as_array().unwrap().iter().map(|v| json!([v["name"], v["kind"], v["dimension"], v["metric"], v["normalized"]])).collect();
    assert_eq!(
        vectors,
        [json!(["default", "dense", 4, "dot", false]), json!(["body", "dense", 6, "cosine", false]), json!(["parts", "multi", 3, "cosine", false])]
    );
    let notes = page["notes"].to_string();
    // 70 of those on other nodes, 20 of the others, that have none: ten are both.
    assert!(notes.contains("90 objects came without a named vector") && notes.contains("60 then had one more"), "{notes}");
    assert!(notes.contains("30 objects have no vector body"), "{notes}");
    let queries = tool::lines(&snapshot.join("queries.jsonl"));
    // Five each of Note, Page, and two tenants.
    assert_eq!(queries.len(), 20);
    for query in queries {
        let query: Value = serde_json::from_str(&query).unwrap();
        assert_eq!(query["results"].as_array().unwrap().len(), 10);
        assert_eq!(query["results"][0]["id"], query["id"], "a record is its own nearest neighbour");
    }
}

#[test]
fn what_was_exported_converts() {
    let stub = Arc::new(stub());
    let server = serve(&stub);
    let folder = tempfile::tempdir().unwrap();
    // Classes of other dimensions are other datasets.
    for class in ["Note", "Page", "Shop"] {
        let snapshot = folder.path().join(class);
        run(&server.url(), &snapshot, &["--class", class]).expect(0);
        tool::convert_and_verify(&snapshot, &[]);
        let parquet = folder.path().join(format!("{class}-parquet"));
        run(&server.url(), &parquet, &["--class", class, "--parquet"]).expect(0);
        tool::convert_and_verify(&parquet, &[]);
    }
}

#[test]
fn older_servers_count_in_other_ways() {
    for (version, graphql, by, exact) in
        [("1.30.2", true, "GraphQL Aggregate meta count", true), ("1.30.2", false, "GET /v1/nodes output=verbose objectCount", false)]
    {
        let stub = Arc::new(Stub { version, graphql, ..stub() });
        let server = serve(&stub);
        let folder = tempfile::tempdir().unwrap();
        let snapshot = folder.path().join("s");
        run(&server.url(), &snapshot, &["--class", "shop", "--class", "Page"]).expect(0);
        let manifest = tool::manifest(&snapshot);
        let entries = manifest["collections"].as_array().unwrap();
        assert_eq!(entries.len(), 4);
        for entry in entries {
            assert_eq!(entry["count_after"], json!({ "value": entry["count"], "by": by, "exact": exact }));
        }
    }
}

#[test]
fn short_pages_are_not_the_end() {
    let stub = Arc::new(Stub { short: 37, ..stub() });
    let server = serve(&stub);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    run(&server.url(), &snapshot, &["--all", "--batch", "50"]).expect(0);
    compare(&stub, &snapshot);
}

#[test]
fn one_tenant_and_what_does_not_exist() {
    let stub = Arc::new(stub());
    let server = serve(&stub);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    run(&server.url(), &at("a"), &["--class", "Shop", "--tenant", "globex"]).expect(0);
    assert_eq!(tool::records(&at("a"), "Shop", Some("globex")).len(), 120);
    assert_eq!(tool::manifest(&at("a"))["collections"].as_array().unwrap().len(), 1);
    let answer = run(&server.url(), &at("b"), &["--class", "Shop", "--tenant", "nosuch"]).expect(2);
    assert!(answer.says("there is no tenant nosuch") && answer.says("acme, cold, far, globex, nobody"), "{}", answer.stderr);
    let answer = run(&server.url(), &at("c"), &["--class", "Nosuch"]).expect(2);
    assert!(answer.says("there is no class Nosuch") && answer.says("Empty, Note, Page, Shop"), "{}", answer.stderr);
    let answer = run(&server.url(), &at("d"), &["--all", "--filter", "{}"]).expect(2);
    assert!(answer.says("its cursor refuses `where`"), "{}", answer.stderr);
    let answer = run(&server.url(), &at("e"), &["--all", "--dry-run"]).expect(0);
    assert!(answer.says("2,500") && !at("e").exists(), "{}", answer.stdout);
}

#[test]
fn killed_twenty_times_it_is_the_same_snapshot() {
    let stub = Arc::new(stub());
    let server = Server::start({
        let stub = Arc::clone(&stub);
        move |request| Reply { delay: Duration::from_millis(2), ..stub.answer(request) }
    });
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let flags = ["--all", "--batch", "40", "--part-size", "20K"];
    run(&server.url(), &whole, &flags).expect(0);
    let mut kills = 0;
    for n in 0..200 {
        if kills == 20 {
            break;
        }
        kills += u32::from(tool::run_and_kill(command(&server.url(), &killed, &flags), Duration::from_millis(25 + n * 7 % 60)));
        if killed.join("manifest.json").exists() {
            // It was faster than the kill.
            std::fs::remove_dir_all(&killed).unwrap();
        }
    }
    assert_eq!(kills, 20);
    run(&server.url(), &killed, &flags).expect(0);
    assert_eq!(tool::files(&whole), tool::files(&killed));
    compare(&stub, &killed);
}

#[test]
fn faults_pass_and_leave_nothing_out() {
    let stub = Arc::new(stub());
    let server = serve(&stub);
    let faults =
        vec![Fault::Delay(Duration::from_millis(30)), Fault::Reset, Fault::Cut(60), Fault::Cut(4000), Fault::TooMany, Fault::Unavailable, Fault::Drip(700)];
    let proxy = Proxy::random(server.port, 7, 30, faults);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    run(&proxy.url(), &snapshot, &["--all", "--batch", "100", "--retries", "30"]).expect(0);
    compare(&stub, &snapshot);
    assert!(proxy.faults.load(std::sync::atomic::Ordering::Relaxed) > 5);
}
