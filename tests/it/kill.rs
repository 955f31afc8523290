//! A killed run leaves no dataset or a whole one, and the next run is clean. Unix only: it is about signals.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::tool::{Answer, command, made_up, names, run};

fn start(folder: &Path, flags: &[&str]) -> Child {
    let mut args = vec!["convert", "points.jsonl", "out.lance", "--index", "ivf_pq"];
    args.extend(flags);
    command(folder, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(done.is_ok(), "kill is part of every Unix");
}

#[expect(clippy::disallowed_methods, reason = "the test is about a random moment")]
fn wait(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

#[test]
fn a_kill_at_any_moment_leaves_nothing_or_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, 30_000, 64)).expect("written");
    let whole = 30_001;
    let mut delay = 3;
    let mut interrupted = 0;
    for _ in 0..14 {
        let mut child = start(folder.path(), &[]);
        wait(delay);
        signal(&child, "-KILL");
        let status = child.wait().expect("it ends");
        interrupted += u32::from(!status.success());
        let dataset = folder.path().join("out.lance");
        if dataset.exists() {
            assert_eq!(crate::tool::column(&dataset, "uuid").len(), whole, "killed after {delay} ms");
            std::fs::remove_dir_all(&dataset).expect("removed");
        }
        delay = delay * 3 / 2 + 2;
    }
    assert!(interrupted > 3, "the machine is too fast for this test: only {interrupted} runs were killed");
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--index", "none"]).expect(0);
    assert_eq!(names(folder.path()), ["out.lance", "out.report.json", "points.jsonl"]);
    assert_eq!(crate::tool::column(&folder.path().join("out.lance"), "uuid").len(), whole);

    // An old dataset stays whole when the run that should replace it is killed.
    for delay in [20, 100, 300] {
        let mut child = start(folder.path(), &["--overwrite"]);
        wait(delay);
        signal(&child, "-KILL");
        child.wait().expect("it ends");
        assert_eq!(crate::tool::column(&folder.path().join("out.lance"), "uuid").len(), whole, "killed after {delay} ms");
    }
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--index", "none", "--overwrite"]).expect(0);
    assert_eq!(names(folder.path()), ["out.lance", "out.report.json", "points.jsonl"]);
}

#[test]
fn an_interrupt_is_130_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, 60_000, 64)).expect("written");
    let args = ["convert", "points.jsonl", "out.lance", "--index", "ivf_pq", "--sub-vectors", "32"];
    let child = command(folder.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait(250);
    signal(&child, "-INT");
    let answer = Answer::of(&child.wait_with_output().expect("it ends")).expect(130);
    assert!(answer.stderr.contains("interrupted; nothing was committed"), "{}", answer.stderr);
    assert_eq!(names(folder.path()), ["points.jsonl"]);
}

#[test]
fn two_runs_do_not_write_one_dataset() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, 60_000, 64)).expect("written");
    let mut first = start(folder.path(), &[]);
    let staging = folder.path().join("out.lance.partial/.vec2lance-lock");
    while !staging.exists() {
        wait(5);
    }
    wait(20);
    let second = run(folder.path(), &["convert", "points.jsonl", "out.lance"]).expect(2);
    assert!(second.stderr.contains("another run is writing"), "{}", second.stderr);
    assert!(first.wait().expect("it ends").success());
}
