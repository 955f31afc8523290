//! A run that is killed leaves no dataset or a whole one, an interrupted one leaves nothing, and the next run is clean.
//! Unix only: it is about signals. Runs that fail by themselves stand in `made.rs`.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::tool::{Answer, command, count, made_up, names, run};

fn start(folder: &Path, flags: &[&str]) -> Child {
    let mut args = vec!["convert", "points.jsonl", "out.lance", "--index", "ivf_pq", "--sub-vectors", "8"];
    args.extend(flags);
    command(folder, &args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args([name, &child.id().to_string()]).output();
    assert!(done.is_ok(), "kill is part of every Unix");
}

#[expect(clippy::disallowed_methods, reason = "the test is about moments")]
fn wait(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Waits until the run has made this file; false if it ended before.
fn made(child: &mut Child, path: &Path) -> bool {
    while !path.exists() {
        if child.try_wait().expect("a status").is_some() {
            return false;
        }
        wait(1);
    }
    true
}

/// Delays in milliseconds from the run's start past its usual end: dense at first, when files appear, and never the same gap.
fn delays(rounds: usize, longest: u64) -> Vec<u64> {
    let mut state = 4_242_u64;
    let mut delays = Vec::new();
    for round in 0..rounds {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = (round + 1) as u64 * longest / rounds as u64;
        delays.push(part * part / longest + (state >> 33) % (longest / rounds as u64));
    }
    delays
}

/// About 30 MB: 40,000 records, one broken line and one repeated id, so that every file a run may write is written.
fn dump(folder: &Path) -> u64 {
    let text = made_up(0, 10_000, 64) + "not JSON\n" + &made_up(10_000, 30_000, 64) + &made_up(5, 1, 64);
    std::fs::write(folder.join("points.jsonl"), text).expect("written");
    40_001
}

/// How long a whole run takes here, in milliseconds.
fn measure(folder: &Path) -> u64 {
    let begin = std::time::Instant::now();
    Answer::of(&start(folder, &[]).wait_with_output().expect("it ends")).expect(1);
    for name in names(folder) {
        let path = folder.join(&name);
        match name.as_str() {
            "points.jsonl" => Ok(()),
            "out.lance" => std::fs::remove_dir_all(path),
            _ => std::fs::remove_file(path),
        }
        .expect("removed");
    }
    u64::try_from(begin.elapsed().as_millis()).expect("it fits")
}

const WHOLE: [&str; 5] = ["out.duplicates.jsonl", "out.lance", "out.rejects.jsonl", "out.report.json", "points.jsonl"];

#[test]
fn a_kill_at_any_moment_leaves_nothing_or_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = dump(folder.path());
    let dataset = folder.path().join("out.lance");
    let mut killed = 0;
    for delay in delays(12, measure(folder.path())) {
        // Each run meets what the one before has left.
        let mut child = start(folder.path(), &[]);
        wait(delay);
        signal(&child, "-KILL");
        killed += u32::from(child.wait().expect("it ends").code().is_none());
        if dataset.exists() {
            assert_eq!(count(&dataset), rows, "killed after {delay} ms");
            std::fs::remove_dir_all(&dataset).expect("removed");
        }
    }
    assert!(killed > 5, "only {killed} runs were killed");
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--restart"]).expect(1);
    assert_eq!(names(folder.path()), WHOLE);
    assert_eq!(count(&dataset), rows);
}

#[test]
fn an_old_dataset_outlives_the_death_of_the_run_that_should_replace_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = dump(folder.path());
    let longest = measure(folder.path());
    std::fs::write(folder.path().join("old.jsonl"), made_up(0, 100, 8)).expect("written");
    let old = ["convert", "old.jsonl", "out.lance", "--overwrite", "--restart"];
    let dataset = folder.path().join("out.lance");
    run(folder.path(), &old).expect(0);
    let mut killed = 0;
    for delay in delays(6, longest) {
        let mut child = start(folder.path(), &["--overwrite"]);
        wait(delay);
        signal(&child, "-KILL");
        killed += u32::from(child.wait().expect("it ends").code().is_none());
        let found = count(&dataset);
        assert!(found == 101 || found == rows, "killed after {delay} ms: {found} rows");
        if found == rows {
            run(folder.path(), &old).expect(0);
        }
    }
    assert!(killed > 2, "only {killed} runs were killed");
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--overwrite", "--restart"]).expect(1);
    assert_eq!(count(&dataset), rows);
    std::fs::remove_file(folder.path().join("old.jsonl")).expect("removed");
    assert_eq!(names(folder.path()), WHOLE);
}

#[test]
fn what_a_killed_run_has_left_goes_with_the_next_run() {
    let folder = tempfile::tempdir().expect("a folder");
    dump(folder.path());
    let mut child = start(folder.path(), &[]);
    assert!(made(&mut child, &folder.path().join("out.rejects.jsonl.partial")), "the rejects file is written while the run goes on");
    signal(&child, "-KILL");
    child.wait().expect("it ends");
    // The user mends the dump: nothing is rejected any more.
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, 300, 8)).expect("written");
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--restart"]).expect(0);
    assert_eq!(names(folder.path()), ["out.lance", "out.report.json", "points.jsonl"]);
}

#[test]
fn an_interrupt_at_any_moment_is_130_and_nothing_is_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    dump(folder.path());
    let longest = measure(folder.path());
    let mut interrupted = 0;
    for (round, delay) in delays(10, longest).into_iter().enumerate() {
        let mut child = start(folder.path(), &[]);
        // Before that, the program has not asked for the signal yet, and dies of it as any program does.
        assert!(made(&mut child, &folder.path().join("out.lance.partial")), "the run ended before it began to write");
        wait(delay);
        signal(&child, if round % 2 == 0 { "-INT" } else { "-TERM" });
        let answer = Answer::of(&child.wait_with_output().expect("it ends"));
        if answer.status == Some(1) {
            // It came too late.
            assert_eq!(names(folder.path()), WHOLE);
            for name in &WHOLE[..4] {
                let path = folder.path().join(name);
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.expect("removed");
            }
            continue;
        }
        assert_eq!(answer.status, Some(130), "after {delay} ms: {}", answer.stderr);
        assert!(answer.stderr.contains("error: interrupted; nothing was committed"), "after {delay} ms: {}", answer.stderr);
        interrupted += 1;
        let left = names(folder.path());
        assert!(!left.iter().any(|n| n == "out.lance"), "after {delay} ms: {left:?}");
        // Nothing but the dump, or what the same command needs to go on.
        assert_eq!(answer.stderr.contains("the same command goes on from there"), left.len() > 1, "after {delay} ms: {left:?}");
        assert!(left.len() == 1 || left.iter().any(|n| n == "out.lance.journal"), "after {delay} ms: {left:?}");
    }
    assert!(interrupted > 5, "only {interrupted} runs were interrupted");
}

#[test]
fn two_runs_do_not_write_one_dataset() {
    let folder = tempfile::tempdir().expect("a folder");
    dump(folder.path());
    let mut first = start(folder.path(), &[]);
    assert!(made(&mut first, &folder.path().join("out.lance.partial/data")), "the run ended before it began to write");
    let second = run(folder.path(), &["convert", "points.jsonl", "out.lance"]).expect(2);
    assert!(second.stderr.contains("another run is writing"), "{}", second.stderr);
    Answer::of(&first.wait_with_output().expect("it ends")).expect(1);
    assert_eq!(count(&folder.path().join("out.lance")), 40_001);
}
