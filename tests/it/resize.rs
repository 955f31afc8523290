//! `--dimension N --resize …`: what becomes of vectors, what is said about it, and that later runs use the same components. Whether the
//! components are right, `tests/acceptance/check_resize.py` holds against numpy.

use std::path::Path;

use serde_json::Value;

use crate::tool::{made_up, names, run};

fn convert(folder: &Path, args: &[&str], status: i32) -> Value {
    let args = [&["convert", "--json"], args].concat();
    serde_json::from_str(&run(folder, &args).expect(status).stdout).expect("JSON")
}

/// Three collections: 24, 8 and 4 values.
fn dumps() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, dimension) in [("wide.jsonl", 24), ("right.jsonl", 8), ("narrow.jsonl", 4)] {
        std::fs::write(folder.path().join(name), made_up(0, 300, dimension)).expect("written");
    }
    folder
}

const ALL: [&str; 3] = ["wide.jsonl", "right.jsonl", "narrow.jsonl"];

#[test]
fn two_dimensions_need_a_decision() {
    let folder = dumps();
    for (flags, words) in [
        (&[][..], "in wide.jsonl and dense, 8 dimensions in right.jsonl"),
        (&["--dimension", "8", "--resize", "pca"], "collection narrow: the vectors have 4 values, fewer than --dimension 8"),
        (&["--dimension", "8", "--resize", "pad"], "collection wide: the vectors have 24 values, more than --dimension 8"),
        (&["--dimension", "8", "--resize", "pca,truncate"], "both are for vectors of more"),
        (&["--dimension", "8"], "--resize"),
        (&["--dimension", "0", "--resize", "pad"], "expected a number from 1"),
    ] {
        let answer = run(folder.path(), &[&["convert"], &ALL[..], &["out.lance"], flags].concat()).expect(2);
        assert!(answer.says(words), "{flags:?}: {}", answer.stderr);
        assert!(!flags.is_empty() || answer.says("--dimension N --resize pca"), "{}", answer.stderr);
    }
    assert_eq!(names(folder.path()), ["narrow.jsonl", "right.jsonl", "wide.jsonl"]);
}

#[test]
fn three_dimensions_become_one_and_every_row_verifies() {
    for longer in ["pca", "truncate"] {
        let folder = dumps();
        let path = folder.path();
        let both = format!("{longer},pad");
        let flags = ["out.lance", "--dimension", "8", "--resize", &both, "--verify"];
        let report = convert(path, &[&ALL[..], &flags].concat(), 0);
        assert_eq!((&report["verify"]["verified"], &report["verify"]["different"]), (&900.into(), &0.into()), "{report}");
        let resized = report["resized"].as_array().expect("a list");
        let shown: Vec<_> = resized.iter().map(|r| (r["collection"].as_str(), r["from"].as_u64(), r["method"].as_str())).collect();
        assert_eq!(shown, [(Some("wide"), Some(24), Some(longer)), (Some("narrow"), Some(4), Some("pad"))]);
        assert!(resized[0]["cosine"]["worst"].as_f64().expect("measured") > 0.0, "{report}");
        assert!(report["notes"].to_string().contains("are not kept"), "{report}");
        let kept = resized[0]["variance_kept"].as_f64();
        assert_eq!((kept.is_some_and(|k| k > 0.3 && k <= 1.0), path.join("out.pca.npz").is_file()), (longer == "pca", longer == "pca"), "{report}");
        let checked = run(path, &[&["inspect", "--check"], &ALL[..], &flags[1..5]].concat()).expect(0);
        assert!(checked.says("900 records, 0 of them would be rejected"), "{}", checked.stdout);
    }
}

#[test]
fn nothing_is_fitted_anew_on_a_change() {
    let folder = dumps();
    let path = folder.path();
    convert(path, &["wide.jsonl", "out.lance", "--dimension", "8", "--resize", "pca,pad", "--collection", "c", "--threads", "1"], 0);
    let components = std::fs::read(path.join("out.pca.npz")).expect("components");
    assert_eq!(std::fs::read(path.join("out.lance/_vec2lance/pca.npz")).ok().as_ref(), Some(&components));
    // Any number of threads, any pieces, the same bytes.
    convert(path, &["wide.jsonl", "again.lance", "--dimension", "8", "--resize", "pca,pad", "--collection", "c", "--threads", "7", "--no-mmap"], 0);
    assert_eq!(std::fs::read(path.join("again.pca.npz")).ok().as_ref(), Some(&components));
    std::fs::write(path.join("more.jsonl"), made_up(1000, 50, 24)).expect("written");
    let report = convert(path, &["more.jsonl", "out.lance", "--append"], 0);
    assert_eq!((&report["added"], &report["resized"][0]["fitted_on"]), (&50.into(), &300.into()), "{report}");
    assert_eq!(std::fs::read(path.join("out.pca.npz")).ok().as_ref(), Some(&components));
    run(path, &["verify", "out.lance", "wide.jsonl", "more.jsonl"]).expect(0);
    // The same again changes nothing; another collection gets components of its own, beside the first.
    let report = convert(path, &["wide.jsonl", "out.lance", "--upsert"], 0);
    assert_eq!((&report["changed"], &report["unchanged"]), (&0.into(), &300.into()), "{report}");
    std::fs::write(path.join("other.jsonl"), made_up(7, 100, 12)).expect("written");
    convert(path, &["other.jsonl", "out.lance", "--append", "--collection", "d"], 0);
    run(path, &["verify", "out.lance", "other.jsonl", "--collection", "d"]).expect(0);
    run(path, &["verify", "out.lance", "wide.jsonl", "more.jsonl", "--collection", "c"]).expect(0);
    // Vectors of the collection with another number of values were never projected.
    std::fs::write(path.join("odd.jsonl"), made_up(5000, 50, 16)).expect("written");
    let answer = run(path, &["convert", "odd.jsonl", "out.lance", "--append", "--collection", "c"]).expect(2);
    assert!(answer.says("the vectors have 16 values, those of collection c had 24"), "{}", answer.stderr);
    std::fs::remove_dir_all(path.join("out.lance/_vec2lance")).expect("removed");
    let answer = run(path, &["verify", "out.lance", "wide.jsonl", "more.jsonl", "--collection", "c"]).expect(2);
    assert!(answer.says("no components for vectors of 24 values"), "{}", answer.stderr);
}

#[test]
fn what_cannot_be_resized_is_refused() {
    let folder = dumps();
    let path = folder.path();
    let mut lines: Vec<String> = made_up(0, 40, 24).lines().map(str::to_owned).collect();
    lines[20] = r#"{"id":20,"vector":[1,2,3],"payload":{}}"#.to_owned();
    lines[21] = lines[21].replacen('[', "[NaN,", 1);
    std::fs::write(path.join("bad.jsonl"), lines.join("\n")).expect("written");
    let report = convert(path, &["bad.jsonl", "out.lance", "--dimension", "8", "--resize", "pca"], 1);
    assert_eq!((&report["written"], &report["resized"][0]["fitted_on"]), (&38.into(), &38.into()), "{report}");
    assert_eq!(report["rejects_by_code"]["vector-dimension"], 1, "{report}");
    let rejects = std::fs::read_to_string(path.join("out.rejects.jsonl")).expect("rejects");
    assert!(rejects.contains("vector has 3 values, expected 24 or 8"), "{rejects}");
    std::fs::write(path.join("few.jsonl"), made_up(0, 8, 24)).expect("written");
    let answer = run(path, &["convert", "few.jsonl", "few.lance", "--dimension", "8", "--resize", "pca"]).expect(2);
    assert!(answer.says("need more than 8 vectors, and there are 8"), "{}", answer.stderr);
    assert!(!names(path).iter().any(|n| n.starts_with("few.") && n != "few.jsonl"), "{:?}", names(path));
}
