//! Messages and help as the user reads them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::tool::{Answer, command, made_up, names, repository, run};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, 20, 4)).expect("written");
    folder
}

#[test]
fn what_cannot_run_says_so_in_one_line_and_is_status_2() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    std::fs::create_dir(folder.path().join("old.lance")).expect("a folder");
    std::fs::create_dir_all(folder.path().join("set.lance/_versions")).expect("a folder");
    let mut texts = String::new();
    for args in [
        &["convert", "gone.jsonl", "out.lance"][..],
        &["convert", "empty", "out.lance"],
        &["convert", "points.jsonl", "old.lance"],
        &["convert", "points.jsonl", "old.lance", "--overwrite"],
        &["convert", "points.jsonl", "set.lance"],
        &["convert", "points.jsonl", "s3://bucket/out.lance"],
        &["convert", "points.jsonl", "out"],
        &["convert", "points.jsonl", "no/such/folder/out.lance"],
        &["convert", "--from", "mongo", "points.jsonl", "out.lance"],
        &["convert", "--vector", "nope", "points.jsonl", "out.lance"],
        &["convert", "--index", "ivf_pq", "--sub-vectors", "3", "points.jsonl", "out.lance"],
        &["convert", "--bits", "5", "--index", "ivf_pq", "points.jsonl", "out.lance"],
        &["convert", "-", "-", "out.lance"],
        &["index", "points.jsonl"],
        &["index", "gone.lance"],
        &["formats", "--print", "mongo"],
    ] {
        let answer = run(folder.path(), args).expect(2);
        assert_eq!(answer.stdout, "", "{args:?}");
        let _ = writeln!(texts, "$ vec2lance {}\n{}", args.join(" "), answer.stderr);
    }
    assert_eq!(names(folder.path()), ["empty", "old.lance", "points.jsonl", "set.lance"]);
    insta::assert_snapshot!("errors", texts);
}

#[test]
fn wrong_flags_are_status_2() {
    let folder = folder();
    let mut texts = String::new();
    for args in [
        &["convert"][..],
        &["convert", "points.jsonl"],
        &["convert", "--nope", "points.jsonl", "out.lance"],
        &["convert", "--memory", "1MiB", "points.jsonl", "out.lance"],
        &["convert", "--max-rejects", "101%", "points.jsonl", "out.lance"],
        &["convert", "--threads", "0", "points.jsonl", "out.lance"],
        &["convert", "--index", "hnsw", "points.jsonl", "out.lance"],
        &["nope"],
    ] {
        let answer = run(folder.path(), args).expect(2);
        assert_eq!(answer.stdout, "", "{args:?}");
        let _ = writeln!(texts, "$ vec2lance {}\n{}", args.join(" "), answer.stderr);
    }
    assert_eq!(names(folder.path()), ["points.jsonl"]);
    insta::assert_snapshot!("wrong-flags", texts);
}

#[test]
fn help_reads_well() {
    let folder = folder();
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help-convert", &["convert", "--help"]),
        ("help-inspect", &["inspect", "--help"]),
        ("help-index", &["index", "--help"]),
        ("help-report", &["report", "--help"]),
        ("help-formats", &["formats", "--help"]),
        ("formats", &["formats"]),
    ] {
        insta::assert_snapshot!(name, run(folder.path(), args).expect(0).stdout);
    }
    assert!(run(folder.path(), &["--version"]).expect(0).stdout.starts_with("vec2lance "));
    assert!(run(folder.path(), &["completions", "bash"]).expect(0).stdout.contains("_vec2lance"));
    let man = run(folder.path(), &["man"]).expect(0).stdout;
    assert!(man.contains(".TH") && man.contains("vec2lance\\-convert"), "{man}");
    assert_eq!(
        run(folder.path(), &["formats", "--print", "qdrant"]).expect(0).stdout,
        std::fs::read_to_string(repository("formats/qdrant.toml")).expect("the file")
    );
}

#[test]
fn the_report_is_the_same_on_stdout_and_on_disk() {
    let folder = folder();
    let answer = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--json"]).expect(0);
    let file = std::fs::read_to_string(folder.path().join("out.report.json")).expect("the report");
    assert_eq!(answer.stdout, file);
    let report: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    for key in [
        "read",
        "written",
        "rejected",
        "deduplicated",
        "without_vector",
        "bytes_read",
        "seconds",
        "mb_per_second",
        "rows_per_second",
        "peak_memory",
        "index",
        "rejects_by_code",
    ] {
        assert!(report.get(key).is_some(), "{key} is not in the report");
    }
    assert_eq!(report["inputs"][0]["detected_by"], "keys id, vector, payload");
    assert!(report["index"]["why"].as_array().is_some_and(|w| !w.is_empty()));
    for args in [
        &["inspect", "points.jsonl", "--json"][..],
        &["inspect", "--check", "points.jsonl", "--json"],
        &["formats", "--json"],
        &["index", "out.lance", "--json"],
    ] {
        let answer = run(folder.path(), args).expect(0);
        assert!(serde_json::from_str::<serde_json::Value>(&answer.stdout).is_ok(), "{args:?}: {}", answer.stdout);
    }
}

#[test]
fn inspect_writes_nothing_and_names_the_plan() {
    let folder = folder();
    let before = names(folder.path());
    let text = run(folder.path(), &["inspect", "points.jsonl"]).expect(0).stdout;
    for words in ["qdrant (keys id, vector, payload)", "dense, 4 dimensions", "cosine (assumed", "1,024 MiB at most", "20 records"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert_eq!(names(folder.path()), before);
}

#[test]
fn a_closed_stdout_is_no_error() {
    let folder = folder();
    let mut child = command(folder.path(), &["convert", "points.jsonl", "out.lance"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    Answer::of(&child.wait_with_output().expect("it ends")).expect(0);
    assert!(folder.path().join("out.lance/_versions").is_dir());
}

#[test]
fn a_mapping_and_a_layout_of_the_users_own_are_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "mine.toml",
        "name = \"mine\"\ntitle = \"Mine\"\nabout = \"a test\"\nid = { at = \"/meta/key\" }\nvector = { at = \"/emb\" }\npayload = \"/meta/data\"\n",
    );
    write("map.toml", "text_fields = [\"body\"]\n[map]\nheadline = \"title\"\nday = \"custom:date\"\n");
    write(
        "dump.jsonl",
        "{\"meta\":{\"key\":\"a\",\"data\":{\"body\":\"the text\",\"headline\":\"the title\",\"day\":\"x\"},\"more\":1},\"emb\":[1,2],\"z\":[]}\n",
    );
    run(folder.path(), &["convert", "--format", "mine.toml", "--map", "map.toml", "dump.jsonl", "out.lance"]).expect(0);
    let column = |name: &str| crate::tool::column(&folder.path().join("out.lance"), name).pop().flatten();
    assert_eq!(column("text_content").as_deref(), Some("the text"));
    assert_eq!(column("title").as_deref(), Some("the title"));
    assert_eq!(column("source_type").as_deref(), Some("mine"));
    assert_eq!(column("x_source_fields").as_deref(), Some("{\"meta/more\":1,\"z\":[]}"));
}

struct Unmount<'p>(&'p Path);
impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0).output();
    }
}

#[test]
fn a_full_disk_is_one_clear_line_and_the_run_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let mount = |args: &[&str]| std::process::Command::new("mount").args(args).output().is_ok_and(|o| o.status.success());
    let small = folder.path().join("small");
    std::fs::create_dir(&small).expect("a folder");
    let path = small.to_str().expect("UTF-8");
    if !mount(&["-t", "tmpfs", "-o", "size=6m", "tmpfs", path]) {
        println!("note: only root can mount a small disk; not tested here");
        return;
    }
    let _unmount = Unmount(&small);
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, 30_000, 64)).expect("written");
    let answer = run(folder.path(), &["convert", "points.jsonl", "small/out.lance"]).expect(2);
    assert!(answer.stderr.contains("no space left") || answer.stderr.contains("No space left"), "{}", answer.stderr);
    assert_eq!(answer.stderr.lines().filter(|l| l.starts_with("error: ")).count(), 1, "{}", answer.stderr);
    assert!(!names(&small).iter().any(|n| n == "out.lance"), "{:?}", names(&small));
    assert!(mount(&["-o", "remount,size=200m", path]), "a tmpfs can grow");
    run(folder.path(), &["convert", "points.jsonl", "small/out.lance"]).expect(0);
    assert_eq!(names(&small), ["out.lance", "out.report.json"]);
    run(folder.path(), &["verify", "small/out.lance", "points.jsonl"]).expect(0);
}
