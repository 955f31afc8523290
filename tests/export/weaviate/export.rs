//! `--server-export`: the server's own Parquet becomes the parts. The files are fixtures, written by the published layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::stub::{Objects, Stub};
use super::{plain, run, serve};
use crate::tool;

/// A server whose export is the fixture `tenants`: a class of two tenants, a third one asleep, and a class without.
fn exporting() -> Stub {
    let index = json!({ "distance": "cosine" });
    let schema = json!({ "classes": [
        { "class": "Package", "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": index, "multiTenancyConfig": { "enabled": true }, "properties": [] },
        { "class": "Note", "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": index, "properties": [] },
    ] });
    let done = |count: u64| json!({ "status": "SUCCESS", "objectsExported": count });
    Stub {
        version: "1.37.2",
        schema,
        data: BTreeMap::from([
            ("Package".to_owned(), BTreeMap::from([("acme".to_owned(), Objects::new()), ("globex".to_owned(), Objects::new())])),
            ("Note".to_owned(), BTreeMap::from([(String::new(), plain("Note", 8, "", 16))])),
        ]),
        tenants: BTreeMap::from([("Package".to_owned(), vec![("acme", "ACTIVE"), ("globex", "ACTIVE"), ("cold", "INACTIVE")])]),
        graphql: true,
        export_enabled: true,
        export_shards: json!({
            "Package": { "acme": done(8), "globex": done(8), "cold": { "status": "SKIPPED", "objectsExported": 0, "skipReason": "tenant is COLD" } },
            "Note": { "q7": done(8) },
        }),
        ..Stub::default()
    }
}

/// A folder with the fixture's files in one that has the export's id for a name.
fn written(id: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join(id);
    std::fs::create_dir(&place).unwrap();
    let from = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/weaviate-export/good/tenants"));
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        std::fs::copy(&entry, place.join(entry.file_name().unwrap())).unwrap();
    }
    let path = folder.path().to_owned();
    (folder, path)
}

#[test]
fn the_files_of_the_server_become_the_parts() {
    let stub = Arc::new(exporting());
    let server = serve(&stub);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("s");
    let (_kept, place) = written("nightly");
    let flags = ["--all", "--server-export", "filesystem", "--export-id", "nightly"];
    let answer = run(&server.url(), &snapshot, &flags).expect(2);
    assert!(answer.says("they lie at /var/lib/exports/nightly") && answer.says("--export-dir DIR --export-id nightly"), "{}", answer.stderr);
    // The second run finds the export that the first one has started; it need not be told which.
    let answer = run(&server.url(), &snapshot, &["--all", "--server-export", "filesystem", "--export-dir", place.to_str().unwrap()]).expect(0);
    assert!(answer.says("24 records"), "{}", answer.stdout);
    let manifest = tool::manifest(&snapshot);
    let told: Vec<Value> = manifest["collections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| json!([c["name"], c["namespace"], c["count"], c["layout"], c["count_after"]["value"]]))
        .collect();
    let layout = "weaviate-export";
    assert_eq!(told, [json!(["Note", null, 8, layout, 8]), json!(["Package", "acme", 8, layout, null]), json!(["Package", "globex", 8, layout, null])]);
    assert_eq!(manifest["skipped"], json!([{ "collection": "Package", "namespace": "cold", "reason": "tenant is COLD" }]));
    assert_eq!(manifest["options"]["export-id"], "nightly");
    for entry in manifest["collections"].as_array().unwrap() {
        for part in entry["parts"].as_array().unwrap() {
            let name = part["path"].as_str().unwrap();
            assert_eq!(std::fs::read(snapshot.join(name)).unwrap(), std::fs::read(place.join("nightly").join(name)).unwrap());
        }
    }
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(snapshot.join("schema.json")).unwrap()).unwrap();
    assert_eq!(schema["classes"][1], stub.schema["classes"][0]);
    assert_eq!(*stub.violations.lock().unwrap(), Vec::<String>::new());
    tool::convert_and_verify(&snapshot, &[]);
    let answer = run(&server.url(), &snapshot, &flags).expect(2);
    assert!(answer.says("holds a whole snapshot already"), "{}", answer.stderr);
}

#[test]
fn fewer_rows_than_the_server_says_are_a_finding() {
    let mut stub = exporting();
    stub.export_shards["Note"]["q7"]["objectsExported"] = json!(9);
    let stub = Arc::new(stub);
    let server = serve(&stub);
    let folder = tempfile::tempdir().unwrap();
    let (_kept, place) = written("x");
    let flags = ["--class", "Note", "--server-export", "filesystem", "--export-dir", place.to_str().unwrap(), "--export-id", "x"];
    let answer = run(&server.url(), &folder.path().join("s"), &flags).expect(1);
    assert!(answer.says("the server says that it exported 9 objects, its files hold 8"), "{}", answer.stdout);
}

#[test]
fn what_the_server_cannot_do_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let flags = ["--all", "--server-export", "s3"];
    let server = serve(&Arc::new(Stub { version: "1.36.1", ..exporting() }));
    assert!(run(&server.url(), &at("old"), &flags).expect(2).says("that came with 1.37"));
    let server = serve(&Arc::new(Stub { export_enabled: false, ..exporting() }));
    let answer = run(&server.url(), &at("off"), &flags).expect(2);
    assert!(answer.says("export is not enabled") && answer.says("EXPORT_ENABLED=true"), "{}", answer.stderr);
    let answer = run(&server.url(), &at("tenant"), &["--all", "--server-export", "s3", "--tenant", "acme"]).expect(2);
    assert!(answer.says("takes whole classes"), "{}", answer.stderr);
    let stub = Stub { export_state: Some("FAILED"), ..exporting() };
    let server = serve(&Arc::new(stub));
    let answer = run(&server.url(), &at("failed"), &flags).expect(2);
    assert!(answer.says("is FAILED: disk is full") && answer.says("--export-id"), "{}", answer.stderr);
}
