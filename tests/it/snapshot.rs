//! Snapshots with a manifest: read through it, and held against it.

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
