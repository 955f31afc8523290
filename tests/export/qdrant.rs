//! Qdrant: everything that the stub holds comes out, digit for digit; killed, disturbed and refused in every way that we know.

mod faults;
mod kills;
mod parquet;
mod stub;
mod throughput;

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::server::Reply;
use crate::tool::{Answer, convert_and_verify, files, manifest, records, run};
use stub::{Collection, Points, Shared, State, points, start};

/// Values that a careless reader changes.
const PAYLOADS: [&str; 8] = [
    r#"{"n":9007199254740993,"u":18446744073709551615,"i":-9223372036854775808}"#,
    r#"{"f":1.0,"e":1e-42,"z":-0.0,"d":0.1000000000000000055511151231257827,"t":2.5}"#,
    r#"{"text":"a \"quoted\" \\ line\nbreak \u00e9 ü 漢字 🦀","title":"x"}"#,
    r#"{"nested":{"a":[1,2.0,null,{"b":[]}],"c":{}},"null":null}"#,
    "{}",
    "null",
    r#"{"text":"plain","tags":["a","b"],"flag":true}"#,
    r#"{"":"empty key","a.b":1,"$x":2}"#,
];

/// A number in the digits of a float32.
fn float(n: u64) -> String {
    format!("{}", ((n * 7919 % 20011) as f32 - 10005.0) / 9973.0)
}

fn vector(n: u64, dimension: u64) -> String {
    let values: Vec<String> = (0..dimension).map(|d| float(n * 31 + d)).collect();
    format!("[{}]", values.join(","))
}

/// The id of the n-th point: numbers from both ends, and UUIDs.
fn id(n: u64) -> String {
    match n % 3 {
        0 => (n * 1000).to_string(),
        1 => (u64::MAX - n + 1).to_string(),
        _ => format!("\"{}\"", uuid::Uuid::from_u128((u128::from(n) << 96) | (u128::from(n) * 77))),
    }
}

fn plain(n: u64) -> String {
    let payload = PAYLOADS[usize::try_from(n % 8).unwrap()];
    format!("{{\"id\":{},\"payload\":{payload},\"vector\":{}}}", id(n), vector(n, 4))
}

fn named(n: u64) -> String {
    let mut vectors = vec![format!("\"small\":{}", vector(n, 4))];
    if !n.is_multiple_of(5) {
        vectors.push(format!("\"words\":{{\"indices\":[{},{}],\"values\":[0.5,{}]}}", n % 9, n % 9 + 4_000_000_000, float(n)));
    }
    if !n.is_multiple_of(4) {
        vectors.push(format!("\"late\":[{},{}]", vector(n, 2), vector(n + 1, 2)));
    }
    format!("{{\"id\":{},\"payload\":{{\"lang\":\"{}\"}},\"vector\":{{{}}}}}", id(n), if n.is_multiple_of(2) { "en" } else { "fr" }, vectors.join(","))
}

fn single(points: Points) -> Vec<(Value, Points)> {
    vec![(Value::Null, points)]
}

/// Four collections: one vector, many, custom shards with the same ids, and none.
fn world(count: u64) -> Shared {
    let cosine = json!({"size": 4, "distance": "Cosine"});
    let many = json!({"small": {"size": 4, "distance": "Dot"}, "late": {"size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}});
    let sharded = |key: &str| points((0..30).map(|n| plain(n).replace("\"payload\"", &format!("\"shard_key\":{key},\"payload\""))));
    let mut state = State::default();
    let mut put = |name: &str, params: Value, shards| state.collections.insert(name.to_owned(), Collection { params, shards });
    put("docs", json!({"vectors": cosine, "shard_number": 1}), single(points((0..count).map(plain))));
    put("named vectors", json!({"vectors": many, "sparse_vectors": {"words": {}}}), single(points((0..200).map(named))));
    put("shards", json!({"vectors": cosine, "sharding_method": "custom"}), vec![(json!("eu"), sharded("\"eu\"")), (json!(7), sharded("7"))]);
    put("empty", json!({"vectors": cosine}), single(Points::new()));
    Arc::new(Mutex::new(state))
}

/// What the stub holds, in its order.
fn held(state: &Shared, collection: &str, shard: usize) -> Vec<String> {
    state.lock().unwrap().collections[collection].shards[shard].1.values().cloned().collect()
}

fn export(url: &str, out: &Path, more: &[&str]) -> Answer {
    run(&[&["qdrant", "--url", url, out.to_str().unwrap()], more].concat())
}

#[test]
fn everything_comes_out_digit_for_digit() {
    let state = world(1000);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    for (name, flags) in
        [("one", vec![]), ("small", vec!["--batch", "7", "--part-size", "9K", "--concurrency", "1"]), ("many", vec!["--batch", "50", "--part-size", "16K"])]
    {
        let out = folder.path().join(name);
        let answer = export(&server.url(), &out, &[&["--all"], flags.as_slice()].concat()).expect(0);
        assert!(answer.says("vec2lance convert"), "{answer:?}");
        for (collection, namespace, shard) in
            [("docs", None, 0), ("named vectors", None, 0), ("shards", Some("eu"), 0), ("shards", Some("7"), 1), ("empty", None, 0)]
        {
            assert_eq!(records(&out, collection, namespace), held(&state, collection, shard), "{name}: {collection}");
        }
        assert!(!out.join("export.journal").exists() && !out.join(".work").exists());
        convert_and_verify(&out, &["--metric", "cosine"]);
    }
    let manifest = manifest(&folder.path().join("many"));
    let docs = &manifest["collections"][0];
    assert_eq!((docs["count_before"]["value"].as_u64(), docs["count_after"]["by"].as_str()), (Some(1000), Some("points/count exact")));
    assert_eq!((docs["vectors"][0]["normalized"].as_bool(), docs["losses"].as_array().unwrap().len()), (Some(true), 1));
    assert_eq!(docs["schema"]["config"]["params"]["vectors"]["distance"], "Cosine");
    assert!(docs["parts"].as_array().unwrap().len() > 4, "{docs}");
    assert_eq!(manifest["source_version"], "1.19.0");
}

#[test]
fn chosen_collections_shards_filters_and_consistency() {
    let state = world(50);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = start(&state, move |request, _| {
        seen.lock().unwrap().push((request.path.clone(), request.one("consistency").map(str::to_owned)));
        None
    });
    let folder = tempfile::tempdir().unwrap();
    let filter = r#"{"must":[{"key":"lang","match":{"value":"fr"}}]}"#;
    let out = folder.path().join("filtered");
    export(&server.url(), &out, &["--collection", "named vectors", "--filter", filter, "--consistency", "majority"]).expect(0);
    let wanted: Vec<String> = held(&state, "named vectors", 0).into_iter().filter(|t| t.contains("\"fr\"")).collect();
    assert_eq!(records(&out, "named vectors", None), wanted);
    assert_eq!(manifest(&out)["options"]["consistency"], "majority");
    assert!(asked.lock().unwrap().iter().all(|(path, level)| !path.contains("/points/") || level.as_deref() == Some("majority")));
    let out = folder.path().join("shard");
    export(&server.url(), &out, &["--collection", "shards", "--namespace", "7"]).expect(0);
    assert_eq!(records(&out, "shards", Some("7")), held(&state, "shards", 1));
    assert_eq!(manifest(&out)["collections"].as_array().unwrap().len(), 1);
    let answer = export(&server.url(), &folder.path().join("a"), &["--collection", "dosc"]).expect(2);
    assert!(answer.says("there is no collection dosc") && answer.says("docs, empty, named vectors"), "{answer:?}");
    assert!(export(&server.url(), &folder.path().join("b"), &["--all", "--namespace", "asia"]).expect(2).says("shard key asia"));
    assert!(export(&server.url(), &folder.path().join("c"), &["--all", "--filter", "x = 1"]).expect(2).says("--filter is no JSON"));
    export(&server.url(), &folder.path().join("d"), &[]).expect(2);
}

#[test]
fn a_source_that_changes_meanwhile_is_status_1_and_in_the_manifest() {
    let state = world(300);
    let folder = tempfile::tempdir().unwrap();
    for (name, what) in [("added", "it changed meanwhile"), ("deleted", "it changed meanwhile")] {
        let state = Arc::new(Mutex::new(state.lock().unwrap().clone()));
        let server = start(&state, move |request, state| {
            if request.path.ends_with("/docs/points/scroll") && request.number % 3 == 0 {
                let points = &mut state.collections.get_mut("docs").unwrap().shards[0].1;
                if name == "added" {
                    points.extend(stub::points([plain(1000 + request.number as u64)]));
                } else {
                    points.pop_last();
                }
            }
            None
        });
        let out = folder.path().join(name);
        let answer = export(&server.url(), &out, &["--all", "--batch", "20"]).expect(1);
        assert!(answer.says(what), "{answer:?}");
        let docs = &manifest(&out)["collections"][0];
        assert!(!docs["findings"].as_array().unwrap().is_empty(), "{docs}");
        assert_ne!(docs["count_before"], docs["count_after"]);
        let json: Value =
            serde_json::from_str(&export(&server.url(), &folder.path().join(format!("{name}-json")), &["--all", "--batch", "20", "--json"]).expect(1).stdout)
                .unwrap();
        assert_eq!(json["status"], 1);
    }
}

#[test]
fn the_folder_is_never_written_over() {
    let state = world(20);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    export(&server.url(), &out, &["--all"]).expect(0);
    let before = files(&out);
    for flags in [vec!["--all"], vec!["--all", "--restart"]] {
        assert!(export(&server.url(), &out, &flags).expect(2).says("holds a whole snapshot already"));
    }
    assert_eq!(files(&out), before);
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("mine.txt"), "x").unwrap();
    assert!(export(&server.url(), &other, &["--all"]).expect(2).says("mine.txt"));
    // An unfinished export goes on with the same options only.
    let left = folder.path().join("left");
    let cut = start(&state, |request, _| (request.path.ends_with("/scroll") && request.number > 20).then(|| Reply::text(403, "no more")));
    let args = ["--all", "--batch", "2", "--part-size", "1K"];
    assert!(export(&cut.url(), &left, &args).expect(2).says("access denied (403): no more"));
    assert!(left.join("export.journal").exists() && !left.join("manifest.json").exists());
    let differs = export(&server.url(), &left, &["--all", "--batch", "2", "--part-size", "2K"]).expect(2);
    assert!(differs.says("another --part-size") && differs.says("--restart"), "{differs:?}");
    let restarted = folder.path().join("restarted");
    std::fs::create_dir(&restarted).unwrap();
    for (name, bytes) in files(&left) {
        std::fs::write(restarted.join(name), bytes).unwrap();
    }
    export(&server.url(), &restarted, &["--all", "--part-size", "2K", "--restart"]).expect(0);
    assert_eq!(records(&restarted, "docs", None), held(&state, "docs", 0));
    export(&server.url(), &left, &args).expect(0);
    assert_eq!(records(&left, "docs", None), held(&state, "docs", 0));
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_there_is() {
    let state = world(100);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let answer = export(&server.url(), &out, &["--all", "--dry-run"]).expect(0);
    assert!(answer.says("docs: 100 records") && answer.says("named vectors: 200 records") && answer.says("shards/eu: 30 records"), "{answer:?}");
    assert!(answer.says("late multi 2") && answer.says("words sparse") && answer.says("nothing was written"), "{answer:?}");
    assert!(!out.exists());
    let json: Value = serde_json::from_str(&export(&server.url(), &out, &["--all", "--dry-run", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(json["collections"][0]["count"]["value"], 100);
    assert!(json["collections"][0]["estimated_bytes"].as_u64().unwrap() > 5000);
}

#[test]
fn queries_are_answered_by_the_source() {
    let state = world(100);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    export(&server.url(), &out, &["--all", "--record-queries", "5"]).expect(0);
    let lines: Vec<Value> = crate::tool::lines(&out.join("queries.jsonl")).iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 5 * 4, "five of each collection but the empty one");
    assert!(lines.iter().all(|l| l["results"].as_array().unwrap().len() == 10 && l["k"] == 10));
    assert!(lines.iter().any(|l| l["collection"] == "named vectors" && l["vector"].as_array().unwrap().len() == 4));
    assert_eq!(manifest(&out)["queries"]["rows"], 20);
    let own = folder.path().join("own.jsonl");
    std::fs::write(&own, "{\"id\":\"q1\",\"vector\":[0.1,0.2,0.3,0.4],\"k\":3,\"collection\":\"docs\"}\n").unwrap();
    let out = folder.path().join("own");
    export(&server.url(), &out, &["--all", "--record-queries", own.to_str().unwrap()]).expect(0);
    let lines = crate::tool::lines(&out.join("queries.jsonl"));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("\"vector\":[0.1,0.2,0.3,0.4]"), "{lines:?}");
}

#[test]
fn the_servers_own_snapshot_is_downloaded_and_only_ours_is_deleted() {
    let state = world(20);
    state.lock().unwrap().snapshots.insert(("docs".to_owned(), "theirs.snapshot".to_owned()), vec![1]);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    export(&server.url(), &out, &["--collection", "docs", "--snapshot-file"]).expect(0);
    let file = &manifest(&out)["files"][0];
    assert_eq!(file["bytes"], 200_000);
    assert_eq!(std::fs::metadata(out.join(file["path"].as_str().unwrap())).unwrap().len(), 200_000);
    assert_eq!(state.lock().unwrap().snapshots.len(), 2);
    export(&server.url(), &folder.path().join("deleted"), &["--collection", "docs", "--snapshot-file", "--delete-snapshot"]).expect(0);
    assert_eq!(state.lock().unwrap().snapshots.len(), 2, "ours is gone, theirs and the one before are not");
    state.lock().unwrap().wrong_checksum = true;
    let wrong = folder.path().join("wrong");
    assert!(export(&server.url(), &wrong, &["--collection", "docs", "--snapshot-file"]).expect(2).says("checksum"));
    assert!(!wrong.join("manifest.json").exists());
}
