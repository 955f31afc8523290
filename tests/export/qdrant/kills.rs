//! Killed (SIGKILL) at many moments and resumed by the same command, the snapshot is the same byte for byte.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::stub::start;
use super::{export, held, world};
use crate::tool::{Answer, command, files, manifest, records, run_and_kill};

#[test]
fn killed_at_any_moment_and_resumed_it_is_the_same_snapshot() {
    let state = world(2000);
    let slow = start(&state, |request, _| {
        // A page takes its time, so that the kill meets every stage.
        std::thread::sleep(Duration::from_micros(if request.path.ends_with("/scroll") { 1500 } else { 200 }));
        None
    });
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let flags = ["--all", "--batch", "20", "--part-size", "8K", "--quiet"];
    export(&slow.url(), &whole, &flags).expect(0);
    let expected = files(&whole);
    assert!(expected.len() > 20, "{:?}", expected.keys());
    let mut kills = 0;
    for seed in 0..40_u64 {
        let out = folder.path().join(format!("killed-{seed}"));
        let url = slow.url();
        let args = [&["qdrant", "--url", &url, out.to_str().unwrap()], flags.as_slice()].concat();
        // Each run is killed a little later than the one before, so that all get somewhere.
        let mut wait = 5 + seed * 13 % 300;
        while run_and_kill(command(&args), Duration::from_millis(wait)) {
            kills += 1;
            assert!(!out.join("manifest.json").exists() || !out.join("export.journal").exists() || files(&out).len() > expected.len());
            wait += 40 + seed;
        }
        let answer = export(&slow.url(), &out, &flags);
        assert!(answer.status == Some(0) || answer.says("holds a whole snapshot already"), "{answer:?}");
        assert_eq!(files(&out), expected, "seed {seed}");
        assert_eq!(manifest(&out)["collections"], manifest(&whole)["collections"], "seed {seed}");
        if kills >= 60 {
            break;
        }
    }
    assert!(kills >= 20, "{kills} kills");
    println!("{kills} kills, all resumed to identical snapshots");
}

#[test]
fn interrupted_it_says_how_to_go_on_and_goes_on() {
    let state = world(2000);
    let slow = start(&state, |_, _| {
        std::thread::sleep(Duration::from_millis(3));
        None
    });
    let folder = tempfile::tempdir().unwrap();
    for signal in ["INT", "TERM"] {
        let out = folder.path().join(signal);
        let url = slow.url();
        let args = ["qdrant", "--url", &url, out.to_str().unwrap(), "--all", "--batch", "5", "--part-size", "8K"];
        let child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !out.join("export.journal").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(200));
        assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
        let answer = Answer::of(&child.wait_with_output().unwrap()).expect(130);
        assert!(answer.says("interrupted") && answer.says("the same command goes on"), "{answer:?}");
        assert!(!out.join("manifest.json").exists());
        let done = export(&url, &out, &["--all", "--part-size", "8K"]).expect(0);
        assert!(done.says("by an earlier run"), "{done:?}");
        assert_eq!(records(&out, "docs", None), held(&state, "docs", 0));
    }
}
