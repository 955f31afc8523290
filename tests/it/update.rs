//! Changes to a dataset: `--append`, `--upsert`, `--delete-missing`, and rejects that were mended. What ContextFrame sees of them
//! stands in `tests/acceptance/check_days.py`.

use std::path::Path;

use serde_json::Value;

use crate::tool::{made_up, names, run};

fn convert(folder: &Path, dump: &str, flags: &[&str], status: i32) -> Value {
    let args = [&["convert", dump, "out.lance", "--json"], flags].concat();
    serde_json::from_str(&run(folder, &args).expect(status).stdout).expect("JSON")
}

fn digest(folder: &Path, dataset: &str, dumps: &[&str]) -> Value {
    let args = [&["verify", dataset, "--json"], dumps].concat();
    let report: Value = serde_json::from_str(&run(folder, &args).expect(0).stdout).expect("JSON");
    report["dataset_digest"].clone()
}

fn counts(report: &Value) -> [u64; 4] {
    ["added", "changed", "unchanged", "removed"].map(|key| report[key].as_u64().expect("a count"))
}

/// Day 2: 5 % changed, 5 % new, 5 % gone.
fn days(folder: &Path) {
    let day1 = made_up(0, 1000, 16);
    let day2: String = day1
        .lines()
        .skip(50)
        .enumerate()
        .map(|(at, line)| if at % 19 == 0 { line.replace("some text", "other text") + "\n" } else { format!("{line}\n") })
        .collect();
    std::fs::write(folder.join("day1.jsonl"), day1).expect("written");
    std::fs::write(folder.join("day2.jsonl"), day2 + &made_up(5000, 50, 16)).expect("written");
}

#[test]
fn an_upsert_gives_what_a_fresh_conversion_gives_and_a_second_one_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    days(path);
    let first = convert(path, "day1.jsonl", &["--collection", "c"], 0);
    assert_eq!((&first["dataset_version"], &first["tag"]), (&1.into(), &"day1.jsonl".into()));
    let data = names(&path.join("out.lance/data"));
    let upsert = ["--upsert", "--delete-missing"];
    let second = convert(path, "day2.jsonl", &upsert, 0);
    assert_eq!(counts(&second), [50, 50, 900, 50], "{second}");
    assert_eq!((&second["dataset_version"], &second["tag"]), (&2.into(), &"day2.jsonl".into()));
    // What has not changed was not written again.
    let after = names(&path.join("out.lance/data"));
    assert!(data.iter().all(|file| after.contains(file)) && after.len() == data.len() + 2, "{data:?} {after:?}");
    assert_eq!(names(&path.join("out.lance/_versions")).iter().filter(|n| n.ends_with(".manifest")).count(), 2);
    assert_eq!(names(&path.join("out.lance/_refs/tags")), ["day1.jsonl.json", "day2.jsonl.json"]);
    run(path, &["convert", "day2.jsonl", "fresh.lance", "--collection", "c"]).expect(0);
    assert_eq!(digest(path, "out.lance", &["day2.jsonl"]), digest(path, "fresh.lance", &["day2.jsonl"]));
    let third = convert(path, "day2.jsonl", &upsert, 0);
    assert_eq!((counts(&third), &third["dataset_version"], &third["tag"]), ([0, 0, 1000, 0], &2.into(), &Value::Null), "{third}");
    assert!(third["notes"].to_string().contains("nothing has changed"), "{third}");
    assert_eq!(names(&path.join("out.lance/data")), after);
}

#[test]
fn an_append_adds_and_leaves_the_rest_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    days(path);
    convert(path, "day1.jsonl", &["--collection", "c"], 0);
    let report = convert(path, "day2.jsonl", &["--append"], 0);
    assert_eq!(counts(&report), [50, 0, 950, 0], "{report}");
    assert!(report["notes"].to_string().contains("records that differ from their rows: 50;"), "{report}");
    assert_eq!(counts(&convert(path, "day2.jsonl", &["--append"], 0)), [0, 0, 1000, 0]);
    // Another collection, with a vector of its own, goes beside it and is left alone by the other's upsert.
    let named = "{\"id\":1,\"vector\":{\"default\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],\"extra\":[1,2]},\"payload\":{}}\n";
    std::fs::write(path.join("named.jsonl"), named).expect("written");
    let report = convert(path, "named.jsonl", &["--append", "--collection", "d"], 0);
    assert_eq!(counts(&report), [1, 0, 0, 0], "{report}");
    assert!(report["vectors"].to_string().contains("x_vector_extra"), "{report}");
    let report = convert(path, "day1.jsonl", &["--upsert", "--delete-missing", "--collection", "c"], 0);
    assert_eq!(counts(&report), [0, 0, 1000, 50], "{report}");
    run(path, &["verify", "out.lance", "named.jsonl", "--collection", "d"]).expect(0);
    run(path, &["verify", "out.lance", "day1.jsonl", "--collection", "c"]).expect(0);
}

#[test]
fn a_refused_record_is_no_missing_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("a.jsonl"), made_up(0, 20, 4)).expect("written");
    convert(path, "a.jsonl", &["--collection", "c"], 0);
    let lines: Vec<String> = made_up(0, 20, 4).lines().map(str::to_owned).collect();
    let wrong = "{\"id\":3,\"vector\":[1],\"payload\":{}}".to_owned();
    let write = |lines: &[String]| std::fs::write(path.join("b.jsonl"), lines.join("\n") + "\n").expect("written");
    // Ids 3 (refused) and 4 (gone) are not among the accepted ones.
    write(&[&lines[..3], &[wrong], &lines[5..]].concat());
    let report = convert(path, "b.jsonl", &["--upsert", "--delete-missing"], 1);
    assert_eq!(counts(&report), [0, 0, 18, 1], "{report}");
    assert!(report["notes"].to_string().contains("rows that stay although their records were rejected: 1"), "{report}");
    // A record that nobody can name could be any of them.
    write(&[&lines[..2], &["broken".to_owned()], &lines[5..]].concat());
    let report = convert(path, "b.jsonl", &["--upsert", "--delete-missing"], 1);
    assert_eq!(counts(&report), [0, 0, 17, 0], "{report}");
    assert!(report["findings"].to_string().contains("no row was removed"), "{report}");
}

#[test]
fn mended_rejects_complete_the_dataset() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut dump = made_up(0, 10, 4).into_bytes();
    dump.extend_from_slice(
        b"{\"id\":20,\"vector\":[1,2,3],\"payload\":{\"n\":20}}\n{\"id\":21,\"vector\":[1,2,3,4],\"payload\":{\"t\":\"\xFF\"}}\n{\"id\":22,\n",
    );
    std::fs::write(path.join("points.jsonl"), dump).expect("written");
    let first = convert(path, "points.jsonl", &["--errors-json"], 1);
    assert_eq!((&first["read"], &first["written"], &first["rejected"]), (&13.into(), &10.into(), &3.into()));
    let errors: Value = serde_json::from_str(&std::fs::read_to_string(path.join("migration_errors.json")).expect("the list")).expect("JSON");
    assert_eq!((errors.as_array().map(Vec::len), &errors[0]["id"]), (Some(3), &"20".into()), "{errors}");
    let listed = run(path, &["rejects", "out.rejects.jsonl"]).expect(0).stdout;
    for says in ["vector-dimension: 1", "invalid-utf8: 1", "bad-json: 1", "points.jsonl:11 (byte ", "collection points"] {
        assert!(listed.contains(says), "{says}: {listed}");
    }
    let rejects = std::fs::read_to_string(path.join("out.rejects.jsonl")).expect("the rejects");
    let mended = rejects.replace("[1,2,3],", "[1,2,3,4],").replace('\u{FFFD}', "mended");
    std::fs::write(path.join("out.rejects.jsonl"), &mended).expect("written");
    let second = convert(path, "out.rejects.jsonl", &["--append"], 1);
    assert_eq!((&second["read"], &second["added"], &second["rejected"]), (&3.into(), &2.into(), &1.into()), "{second}");
    assert_eq!(second["rejects_file"], "out.rejects.2.jsonl");
    assert_eq!(std::fs::read_to_string(path.join("out.rejects.jsonl")).expect("still there"), mended);
    let reject: Value = serde_json::from_str(&std::fs::read_to_string(path.join("out.rejects.2.jsonl")).expect("the rest")).expect("one line");
    assert_eq!((&reject["original"], &reject["collection"]), (&"{\"id\":22,".into(), &"points".into()));
    digest(path, "out.lance", &["points.jsonl", "out.rejects.jsonl"]);
}
