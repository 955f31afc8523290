//! `verify` on what the program itself can make: clean, and different in ways that need no other tool. Datasets that are damaged from
//! outside stand in `tests/acceptance/check_verify.py`.

use std::path::Path;

use serde_json::Value;

use crate::tool::{expectations, flags, made_up, repository, run};

fn verify(folder: &Path, args: &[&str], status: i32) -> Value {
    let args = [&["verify", "out.lance"], args, &["--json"]].concat();
    serde_json::from_str(&run(folder, &args).expect(status).stdout).expect("JSON")
}

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), text).expect("written");
    folder
}

#[test]
fn every_good_fixture_is_clean() {
    for (format, expected) in expectations() {
        let good = expected["good"].as_object().expect("good fixtures");
        for (name, expected) in good {
            let folder = tempfile::tempdir().expect("a folder");
            let dump = repository("fixtures").join(&format).join("good").join(name);
            let dump = dump.to_str().expect("UTF-8");
            run(folder.path(), &[&["convert", dump, "out.lance"], &flags(expected)[..]].concat()).expect(0);
            let report = verify(folder.path(), &[dump], 0);
            assert_eq!((&report["verified"], &report["read"]), (&expected["ids"], &expected["records"]), "{format}/{name}: {report}");
            assert_eq!(report["dump_digest"], report["dataset_digest"], "{format}/{name}");
            let sample = verify(folder.path(), &[dump, "--sample", "5"], 0);
            assert!(sample["verified"].as_u64().is_some_and(|n| n > 0 && n <= 5), "{format}/{name}: {sample}");
        }
    }
}

#[test]
fn what_differs_is_named_with_place_and_both_values() {
    let text = made_up(0, 300, 8);
    let folder = folder(&text);
    run(folder.path(), &["convert", "points.jsonl", "out.lance"]).expect(0);
    let changed = |text: String| {
        std::fs::write(folder.path().join("points.jsonl"), text).expect("written");
        verify(folder.path(), &["points.jsonl"], 1)
    };
    let line = text.lines().nth(17).expect("a line");

    let report = changed(text.replace("\"n\":17,", "\"n\":18,"));
    let difference = &report["differences"][0];
    assert_eq!((&difference["kind"], &difference["id"], &report["different"]), (&"different".into(), &"17".into(), &1.into()), "{report}");
    assert!(difference["place"].as_str().is_some_and(|p| p.starts_with("points.jsonl:18 (byte ")), "{report}");
    let fields: Vec<&str> = difference["fields"].as_array().expect("fields").iter().filter_map(|f| f["field"].as_str()).collect();
    assert_eq!(fields, ["custom_metadata", "x_source_payload"]);
    assert!(difference["fields"][1]["dump"].as_str().is_some_and(|d| d.contains("\"n\\\":18") || d.contains("\"n\":18") || d.contains(":18")), "{report}");

    let report = changed(text.replacen(&line[line.find('[').expect("a vector")..][..9], "[0.123456", 1));
    assert_eq!(report["differences"][0]["fields"][0]["field"], "vector[0]", "{report}");

    let report = changed(text.replacen(&format!("{line}\n"), "", 1));
    assert_eq!((&report["unexpected"], &report["differences"][0]["id"]), (&1.into(), &"17".into()), "{report}");
    let report = changed(text.clone() + &made_up(1000, 1, 8));
    assert_eq!((&report["missing"], &report["differences"][0]["id"]), (&1.into(), &"1000".into()), "{report}");
    assert!(report["findings"].as_array().is_some_and(|f| f.iter().any(|f| f.as_str().is_some_and(|f| f.contains("report says read 300")))), "{report}");
}

#[test]
fn the_digest_depends_on_the_records_alone() {
    let text = made_up(0, 2000, 16) + &made_up(3, 2, 16) + "broken\n";
    let folder = folder(&text);
    let mut digests = Vec::new();
    let mut lines: Vec<&str> = text.lines().collect();
    for (at, flags) in [&["--threads", "1"][..], &["--threads", "3", "--no-mmap"], &["--memory", "128MiB"], &["--index", "none"], &[]].into_iter().enumerate() {
        if at == 4 {
            // Other order, other encoding; the last of each id stays the last.
            lines[..1000].reverse();
            let packed = zstd::encode_all((lines.join("\n") + "\n").as_bytes(), 1).expect("packed");
            std::fs::write(folder.path().join("points.jsonl"), packed).expect("written");
        }
        let convert = ["convert", "points.jsonl", "out.lance", "--overwrite", "--on-duplicate", "last"];
        run(folder.path(), &[&convert[..], flags].concat()).expect(1);
        let report = verify(folder.path(), &["points.jsonl"], 0);
        assert_eq!((&report["read"], &report["verified"], &report["deduplicated"]), (&2003.into(), &2000.into(), &2.into()));
        digests.push(report["dataset_digest"].clone());
        digests.push(verify(folder.path(), &["points.jsonl", "--threads", "2", "--memory", "4GiB"], 0)["dump_digest"].clone());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[test]
fn convert_verifies_on_request() {
    let folder = folder(&made_up(0, 50, 8));
    let answer = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--verify"]).expect(0);
    let last = answer.stdout.lines().last().expect("a line");
    assert!(last.starts_with("VERIFIED     50 read, 50 written, 0 rejected, 0 deduplicated, 50 verified; dump sha256:"), "{last}");
    let answer = run(folder.path(), &["convert", "points.jsonl", "other.lance", "--verify", "--json", "--collection", "c"]).expect(0);
    let report: Value = serde_json::from_str(&answer.stdout).expect("one JSON document");
    assert_eq!((&report["written"], &report["verify"]["verified"]), (&50.into(), &50.into()));
    let refused = run(folder.path(), &["convert", "-", "stdin.lance", "--verify"]).expect(2);
    assert!(refused.stderr.contains("--verify reads the dump a second time"), "{}", refused.stderr);
}
