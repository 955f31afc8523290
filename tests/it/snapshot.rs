//! Snapshots with a manifest: read through it, and held against it. Dumps without one stand elsewhere.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::tool::{Answer, made_up, names, run};

/// A snapshot of two parts in `snap/`.
fn snapshot(folder: &Path, change: impl Fn(&mut Value)) {
    let snap = folder.join("snap");
    std::fs::create_dir_all(&snap).expect("a folder");
    let mut parts = Vec::new();
    for (name, first, rows) in [("points-0.jsonl", 0, 30), ("points-1.jsonl.zst", 30, 20)] {
        let text = made_up(first, rows, 4);
        let bytes = if name.ends_with("zst") { zstd::encode_all(text.as_bytes(), 1).expect("packed") } else { text.into_bytes() };
        std::fs::write(snap.join(name), &bytes).expect("written");
        let sum = vec2lance::reject::hex(&Sha256::digest(&bytes));
        parts.push(json!({"path": name, "rows": rows, "bytes": bytes.len(), "sha256": sum}));
    }
    let mut manifest = json!({
        "format": "vec2lance-snapshot", "version": 1, "source": "qdrant", "source_version": "1.19.0", "exported_at": "2026-11-24T02:13:05Z",
        "collections": [{"name": "points", "count": 50, "metric": "Euclid", "vectors": [{"name": "", "kind": "dense", "dimension": 4, "type": "float32"}],
            "schema": {"params": {"size": 4}}, "parts": parts}],
        "skipped": [{"collection": "other", "reason": "not loaded"}],
    });
    change(&mut manifest);
    std::fs::write(snap.join("manifest.json"), manifest.to_string()).expect("written");
}

fn convert(change: impl Fn(&mut Value)) -> (Answer, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(folder.path(), change);
    (run(folder.path(), &["convert", "snap", "out.lance"]), folder)
}

#[test]
fn a_snapshot_is_read_through_its_manifest() {
    let (answer, folder) = convert(|_| {});
    let answer = answer.expect(0);
    assert!(answer.stdout.contains("l2 (snap's manifest says Euclid)"), "{}", answer.stdout);
    assert!(answer.stdout.contains("the export skipped other: not loaded"), "{}", answer.stdout);
    assert!(answer.stdout.contains("50 records, and 1 collection header"), "{}", answer.stdout);
    run(folder.path(), &["inspect", "--check", "snap"]).expect(0);
    // Parts can be converted without their promises.
    run(folder.path(), &["convert", "snap/points-0.jsonl", "snap/points-1.jsonl.zst", "two.lance"]).expect(0);
    let report = std::fs::read_to_string(folder.path().join("out.report.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&report["metric"], &report["index"]["metric"]), (&"l2".into(), &"l2".into()));
    assert_eq!((&report["written"], &report["headers"], &report["inputs"][0]["collection"]), (&50.into(), &1.into(), &"points".into()));
    // A flag wins, and a later exporter may say more.
    let (answer, _) = convert(|m| m["later"] = json!({"key": 1}));
    answer.expect(0);
    let answer = run(folder.path(), &["convert", "snap", "cosine.lance", "--metric", "cosine", "--json"]).expect(0);
    assert_eq!(serde_json::from_str::<Value>(&answer.stdout).expect("JSON")["metric"], "cosine");
}

#[test]
fn each_collection_of_a_snapshot_has_its_header() {
    let (answer, folder) = convert(|m| {
        let mut second = m["collections"][0].clone();
        second["name"] = "others".into();
        let parts = second["parts"].as_array_mut().expect("parts").split_off(1);
        second["parts"] = parts.into();
        second["count"] = 20.into();
        m["collections"][0]["parts"].as_array_mut().expect("parts").truncate(1);
        m["collections"][0]["count"] = 30.into();
        m["collections"].as_array_mut().expect("collections").push(second);
    });
    answer.expect(0);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("out.report.json")).expect("the report")).expect("JSON");
    assert_eq!((&report["read"], &report["headers"]), (&50.into(), &2.into()));
    let collections = crate::tool::column(&folder.path().join("out.lance"), "collection");
    let count = |name: &str| collections.iter().filter(|c| c.as_deref() == Some(name)).count();
    assert_eq!((count("points"), count("others")), (31, 21));
}

type Change = Box<dyn Fn(&mut Value)>;

#[test]
fn what_differs_from_the_manifest_commits_nothing() {
    let part = |m: &mut Value, key: &str, value: Value| m["collections"][0]["parts"][1][key] = value;
    let cases: Vec<(Change, i32, &str)> = vec![
        (Box::new(move |m| part(m, "rows", 21.into())), 1, "51"),
        (
            Box::new(move |m| {
                part(m, "rows", 21.into());
                m["collections"][0]["count"] = 51.into();
            }),
            1,
            "20 records, expected 21",
        ),
        (Box::new(move |m| part(m, "sha256", "00".into())), 1, "SHA-256"),
        (Box::new(move |m| part(m, "bytes", 7.into())), 1, "bytes, expected 7"),
        (Box::new(|m| m["collections"][0]["count"] = 51.into()), 1, "counts 51 records"),
        (Box::new(move |m| part(m, "path", "../points-1.jsonl.zst".into())), 2, "outside of the snapshot's folder"),
        (Box::new(move |m| part(m, "path", "/etc/hostname".into())), 2, "outside of the snapshot's folder"),
        (Box::new(move |m| part(m, "path", "sub/../../points-1.jsonl.zst".into())), 2, "outside of the snapshot's folder"),
        (Box::new(move |m| part(m, "path", "gone.jsonl".into())), 2, "gone.jsonl"),
        (Box::new(|m| m["version"] = 2.into()), 2, "snapshot version 2, expected 1"),
        (Box::new(|m| m["collections"] = 5.into()), 2, "manifest is damaged"),
    ];
    for (change, status, words) in cases {
        let (answer, folder) = convert(change);
        let answer = answer.expect(status);
        assert!(answer.stderr.contains(words), "{words}: {}", answer.stderr);
        assert_eq!(names(folder.path()), ["snap"], "{words}");
    }
}

#[test]
fn the_yearly_check_lists_every_part_that_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(folder.path(), |m| {
        m["collections"][0]["parts"][0]["sha256"] = "00".into();
        m["collections"][0]["parts"][1]["rows"] = 19.into();
        m["collections"][0]["parts"][0]["rows"] = 31.into();
    });
    let answer = run(folder.path(), &["inspect", "--check", "--json", "snap"]).expect(1);
    let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let parts = report["check"]["parts"].as_array().expect("parts");
    assert_eq!(parts[0]["findings"].as_array().map(Vec::len), Some(2), "{}", answer.stdout);
    assert_eq!(parts[1]["findings"][0], "20 records, expected 19");
    assert_eq!(names(folder.path()), ["snap"]);
}

/// Something that happens to a part's bytes.
type Damage = fn(&mut Vec<u8>);

#[test]
fn a_part_that_was_damaged_on_its_way_commits_nothing() {
    let cases: [(&str, &str, Damage); 8] = [
        ("cut off", "points-0.jsonl", |b| b.truncate(b.len() - 40)),
        ("cut off at a line end", "points-0.jsonl", |b| b.truncate(b[..b.len() - 1].iter().rposition(|c| *c == b'\n').expect("a line end") + 1)),
        ("one digit changed", "points-0.jsonl", |b| {
            let at = b.iter().rposition(u8::is_ascii_digit).expect("a digit");
            b[at] = if b[at] == b'1' { b'2' } else { b'1' };
        }),
        ("first byte changed", "points-0.jsonl", |b| b[0] = b'x'),
        ("first byte changed", "points-1.jsonl.zst", |b| b[0] = b'x'),
        ("one bit flipped", "points-1.jsonl.zst", |b| {
            let at = b.len() / 2;
            b[at] ^= 1;
        }),
        ("cut off", "points-1.jsonl.zst", |b| b.truncate(b.len() / 2)),
        ("empty", "points-1.jsonl.zst", Vec::clear),
    ];
    let mut problems = Vec::new();
    for (what, name, damage) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        snapshot(folder.path(), |_| {});
        let path = folder.path().join("snap").join(name);
        let mut bytes = std::fs::read(&path).expect("the part");
        damage(&mut bytes);
        std::fs::write(&path, bytes).expect("written");
        let answer = run(folder.path(), &["convert", "snap", "out.lance"]);
        if answer.status != Some(1) || !answer.stderr.starts_with("error: ") || !answer.stderr.contains(name) {
            problems.push(format!("convert, {name} {what}: {answer:?}"));
        }
        let answer = run(folder.path(), &["inspect", "--check", "snap"]);
        if answer.status != Some(1) || !answer.stdout.contains(name) || !answer.stdout.contains("SHA-256") {
            problems.push(format!("inspect, {name} {what}: {answer:?}"));
        }
        if names(folder.path()) != ["snap"] {
            problems.push(format!("{name} {what}: left {:?}", names(folder.path())));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_folder_without_its_manifest_is_no_snapshot() {
    // The manifest is written last: an export that died has none. What is there can be converted, but nothing vouches for it.
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(folder.path(), |_| {});
    std::fs::remove_file(folder.path().join("snap/manifest.json")).expect("removed");
    let answer = run(folder.path(), &["convert", "snap", "out.lance"]).expect(0);
    assert!(!answer.stdout.contains("manifest"), "{}", answer.stdout);
    std::fs::write(folder.path().join("snap/manifest.json"), "{\"format\":").expect("written");
    let answer = run(folder.path(), &["convert", "snap", "cut.lance"]).expect(2);
    assert!(answer.says("manifest"), "{answer:?}");
    assert_eq!(names(folder.path()), ["out.lance", "out.report.json", "snap"]);
}
