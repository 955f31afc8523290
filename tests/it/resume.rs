//! A run goes on where an earlier one died, and only with what that one began with. Kills at random moments stand in `kill.rs` and in
//! `tests/faults`.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::tool::{Answer, command, made_up, names, run};

/// Five checkpoints' worth, with rejects and duplicates.
fn dump(folder: &Path) {
    let text = made_up(0, 20_000, 64) + "not JSON\n" + &made_up(20_000, 10_000, 64) + &made_up(5, 3, 64) + "{}\n";
    std::fs::write(folder.join("points.jsonl"), text).expect("written");
}

const CONVERT: [&str; 5] = ["convert", "points.jsonl", "out.lance", "--on-duplicate", "last"];

fn killed(folder: &Path, lines: usize) {
    killed_with(folder, &CONVERT, lines);
}

/// Starts a run and kills it when its journal has so many lines.
pub(crate) fn killed_with(folder: &Path, convert: &[&str], lines: usize) {
    let mut child = command(folder, convert).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let progress = folder.join("out.lance.journal/progress.jsonl");
    while std::fs::read_to_string(&progress).is_ok_and(|t| t.matches('\n').count() >= lines) || child.try_wait().expect("a status").is_none() {
        if std::fs::read_to_string(&progress).is_ok_and(|t| t.matches('\n').count() >= lines) {
            break;
        }
        std::hint::spin_loop();
    }
    let _ = Command::new("kill").args(["-KILL", &child.id().to_string()]).output();
    assert!(child.wait().expect("it ends").code().is_none(), "the run ended before it could be killed");
}

fn digests(folder: &Path) -> (Value, Value) {
    let answer = run(folder, &["verify", "out.lance", "points.jsonl", "--json"]).expect(0);
    let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(report["dump_digest"], report["dataset_digest"]);
    (report["dataset_digest"].clone(), report["line"].clone())
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("out.report.json")).expect("a report")).expect("JSON")
}

#[test]
fn the_same_command_goes_on_and_writes_the_same() {
    let whole = tempfile::tempdir().expect("a folder");
    dump(whole.path());
    run(whole.path(), &CONVERT).expect(1);
    let wanted = digests(whole.path());
    for lines in [1, 3] {
        let folder = tempfile::tempdir().expect("a folder");
        dump(folder.path());
        killed(folder.path(), lines);
        assert!(!folder.path().join("out.lance").exists());
        let answer = run(folder.path(), &CONVERT).expect(1);
        assert!(answer.stdout.contains("were taken over from the interrupted run"), "{}", answer.stdout);
        assert!(report(folder.path())["resumed"].as_u64().is_some_and(|n| n > 1000), "{}", report(folder.path()));
        assert_eq!(digests(folder.path()), wanted);
        assert_eq!(names(folder.path()), names(whole.path()));
        for inside in ["out.lance/data", "out.lance/_versions", "out.lance/_transactions", "out.lance/_indices"] {
            assert_eq!(names(&folder.path().join(inside)).len(), names(&whole.path().join(inside)).len(), "{inside}");
        }
        for file in ["out.rejects.jsonl", "out.duplicates.jsonl"] {
            let text = |folder: &Path| std::fs::read_to_string(folder.join(file)).expect("the file");
            assert_eq!(text(folder.path()), text(whole.path()));
        }
    }
}

#[test]
fn other_input_or_options_are_named_and_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("points.jsonl");
    dump(folder.path());
    killed(folder.path(), 1);
    let refused = |flags: &[&str], says: &str| {
        let args: Vec<&str> = CONVERT.iter().copied().chain(flags.iter().copied()).collect();
        let answer = run(folder.path(), &args).expect(2);
        assert!(answer.stderr.contains(says) && answer.stderr.contains("--restart"), "{flags:?}: {}", answer.stderr);
        assert!(folder.path().join("out.lance.journal/plan.json").is_file(), "{flags:?} took the journal away");
    };
    refused(&["--collection", "other"], "--collection: other now, not given then");
    refused(&["--index", "ivf_pq"], "--index: ivf_pq now, auto then");
    let original = std::fs::read_to_string(&path).expect("the dump");
    std::fs::write(&path, original.replacen("Record 7\"", "Record 8\"", 1)).expect("written");
    refused(&[], "points.jsonl: other content than then");
    std::fs::write(&path, original.clone() + "\n").expect("written");
    refused(&[], &format!("points.jsonl: {} bytes now, {} then", original.len() + 1, original.len()));
    // The same content at another time is the same input.
    std::fs::write(&path, &original).expect("written");
    let answer = run(folder.path(), &[&CONVERT[..], &["--threads", "1", "--memory", "512MiB"]].concat()).expect(1);
    assert!(answer.stdout.contains("taken over"), "{}", answer.stdout);
}

#[test]
fn restart_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    dump(folder.path());
    killed(folder.path(), 1);
    let answer = run(folder.path(), &[&CONVERT[..], &["--restart", "--collection", "other"]].concat()).expect(1);
    assert!(!answer.stdout.contains("taken over"), "{}", answer.stdout);
    assert!(report(folder.path())["resumed"].is_null());
    assert_eq!(names(folder.path()), ["out.duplicates.jsonl", "out.lance", "out.rejects.jsonl", "out.report.json", "points.jsonl"]);
}

#[test]
fn a_broken_dump_leaves_no_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let array = made_up(0, 30_000, 64).trim().replace('\n', ",");
    std::fs::write(folder.path().join("points.jsonl"), format!("[{array},")).expect("written");
    let answer: Answer = run(folder.path(), &CONVERT).expect(2);
    assert!(answer.stderr.contains("cut off"), "{}", answer.stderr);
    assert_eq!(names(folder.path()), ["points.jsonl"]);
}
