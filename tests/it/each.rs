//! `--per-collection`: one dataset for each collection, each the same as if it alone had been converted; what a death leaves is gone on with.

use std::path::Path;

use serde_json::Value;

use crate::tool::{column, made_up, names, run};

fn write_three(path: &Path) {
    // Three dimensions, which no single dataset could hold.
    for (name, rows, dimension) in [("a", 30, 4), ("b", 20, 8), ("c.d", 10, 3)] {
        std::fs::write(path.join(format!("{name}.jsonl")), made_up(0, rows, dimension)).expect("written");
    }
}

#[test]
fn every_collection_gets_its_own_dataset() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    write_three(path);
    let dumps = ["a.jsonl", "b.jsonl", "c.d.jsonl"];
    let one = run(path, &[&["convert"], &dumps[..], &["all.lance"]].concat()).expect(2);
    assert!(one.says("--per-collection") || one.says("--resize"), "{}", one.stderr);
    let answer = run(path, &[&["convert"], &dumps[..], &["--per-collection", "out", "--json"]].concat()).expect(0);
    let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let written: Vec<_> = report["datasets"].as_array().expect("datasets").iter().map(|d| (d["collection"].clone(), d["written"].clone())).collect();
    assert_eq!(written, [("a".into(), 30.into()), ("b".into(), 20.into()), ("c.d".into(), 10.into())]);
    assert_eq!(names(&path.join("out")), ["a.lance", "a.report.json", "b.lance", "b.report.json", "c.d.lance", "c.d.report.json"]);
    run(path, &["verify", "out/b.lance", "b.jsonl"]).expect(0);
    let again = run(path, &[&["convert"], &dumps[..], &["--per-collection", "out"]].concat()).expect(2);
    assert!(again.says("already exists") && again.says("--overwrite"), "{}", again.stderr);
    run(path, &[&["convert"], &dumps[..], &["--per-collection", "out", "--overwrite"]].concat()).expect(0);
}

#[test]
fn one_that_fails_does_not_keep_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    write_three(path);
    let bad = "{\"id\":1,\"vector\":[1,2],\"payload\":{}}\n{\"id\":2,\"vector\":[1,2,3],\"payload\":{}}\n{\"id\":3,\"vector\":[1,2],\"payload\":{}}\n";
    std::fs::write(path.join("b.jsonl"), bad).expect("written");
    let command = ["convert", "a.jsonl", "b.jsonl", "c.d.jsonl", "--per-collection", "out", "--max-rejects", "0"];
    let answer = run(path, &command).expect(2);
    assert!(answer.stdout.contains("2 of 3 datasets are in out") && answer.says("rejected"), "{}{}", answer.stdout, answer.stderr);
    assert!(path.join("out/a.lance").is_dir() && !path.join("out/b.lance").exists() && path.join("out/c.d.lance").is_dir());
    // Mended, the same command makes what was missing; another one is told apart.
    let other = run(path, &["convert", "a.jsonl", "--per-collection", "out"]).expect(2);
    assert!(other.says("another command was interrupted here"), "{}", other.stderr);
    std::fs::write(path.join("b.jsonl"), made_up(0, 2, 2)).expect("written");
    let answer = run(path, &command).expect(0);
    assert!(answer.stdout.contains("made before the interruption") && answer.stdout.contains("3 of 3"), "{}", answer.stdout);
}

#[test]
fn a_kill_between_two_datasets_is_gone_on_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    for n in 0..6 {
        std::fs::write(path.join(format!("c{n}.jsonl")), made_up(n * 1000, 400, 16)).expect("written");
    }
    let dumps: Vec<String> = (0..6).map(|n| format!("c{n}.jsonl")).collect();
    let mut args = vec!["convert"];
    args.extend(dumps.iter().map(String::as_str));
    args.extend(["--per-collection", "out"]);
    for wait in [60, 120, 180] {
        let mut child = crate::tool::command(path, &args).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(std::time::Duration::from_millis(wait));
        child.kill().expect("killed");
        child.wait().expect("waited");
    }
    let answer = run(path, &args);
    // A run that was through before the kill leaves whole datasets, and says so.
    assert!(answer.status == Some(0) || answer.says("already exists"), "{}{}", answer.stdout, answer.stderr);
    for n in 0..6 {
        let ids = column(&path.join(format!("out/c{n}.lance")), "x_original_id").into_iter().flatten().count();
        assert_eq!(ids, 400);
    }
    assert!(names(&path.join("out")).iter().all(|name| !name.contains("partial") && !name.contains("journal")), "{:?}", names(&path.join("out")));
}

#[test]
fn sources_with_main_vectors_of_different_names_meet_in_one_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("a.jsonl"), made_up(0, 10, 2)).expect("written");
    let named = |n: u32| format!("{{\"id\":{n},\"vector\":{{\"title\":[1,{n}],\"body\":[{n},2]}},\"payload\":{{\"text\":\"t\"}}}}\n");
    std::fs::write(path.join("b.jsonl"), (1..8).map(named).collect::<String>()).expect("written");
    let json = |args: &[&str]| -> Value { serde_json::from_str(&run(path, args).expect(0).stdout).expect("JSON") };
    let report = json(&["convert", "a.jsonl", "b.jsonl", "one.lance", "--json", "--verify"]);
    assert_eq!((&report["without_vector"], &report["verify"]["status"]), (&0.into(), &0.into()), "{report}");
    assert!(report["main_vector_from"].as_str().is_some_and(|by| by.contains("of collection b: title")), "{report}");
    let plan = "[[source]]\npath = \"a.jsonl\"\n[[source]]\npath = \"b.jsonl\"\nvector = \"body\"\n";
    std::fs::write(path.join("plan.toml"), plan).expect("written");
    let report = json(&["convert", "--plan", "plan.toml", "two.lance", "--json"]);
    assert!(report["main_vector_from"].as_str().is_some_and(|by| by.contains("of collection b: body")), "{report}");
    assert_eq!(report["vectors"][1]["column"], "x_vector_title");
    run(path, &["verify", "two.lance", "a.jsonl", "b.jsonl"]).expect(0);
    // And one that comes later does as well.
    let later = json(&["convert", "b.jsonl", "one.lance", "--append", "--collection", "late", "--json"]);
    assert_eq!((&later["added"], &later["without_vector"]), (&7.into(), &0.into()), "{later}");
}
