//! Killed at any point and run again: while ids are listed, swept or selected, and while records are fetched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::stub::{Kind, Stub};
use super::{command, compare, index, run, serve, stub};
use crate::tool;

/// Exports once as a whole and once with so many kills; the files must be the same.
fn killed(stub: Stub, times: u32, flags: &[&str]) -> (Arc<Stub>, tempfile::TempDir) {
    let stub = Arc::new(stub);
    let server = serve(&stub, Duration::from_millis(3));
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let status = run(&server.url(), &whole, flags).status.unwrap();
    let mut kills = 0;
    for n in 0..400 {
        if kills == times {
            break;
        }
        kills += u32::from(tool::run_and_kill(command(&server.url(), &killed, flags), Duration::from_millis(30 + n * 11 % 120)));
        if killed.join("manifest.json").exists() {
            // It was faster than the kill.
            std::fs::remove_dir_all(&killed).unwrap();
        }
    }
    assert_eq!(kills, times);
    run(&server.url(), &killed, flags).expect(status);
    assert_eq!(tool::files(&whole), tool::files(&killed));
    (stub, folder)
}

#[test]
fn killed_twenty_times_it_is_the_same_snapshot() {
    let (stub, folder) = killed(stub(), 20, &["--all", "--batch", "20", "--part-size", "8K"]);
    compare(&stub, "dense", &folder.path().join("killed"), &|_, _| true);
}

#[test]
fn killed_in_a_sweep_or_a_selection_it_is_the_same_snapshot() {
    let pods = Stub { indexes: BTreeMap::from([("pod".to_owned(), index(Kind::Pod, "cosine", &[("", 700)]))]), ..Stub::default() };
    killed(pods, 10, &["--all", "--batch", "30", "--part-size", "8K"]);
    killed(stub(), 10, &["--all", "--batch", "30", "--part-size", "4K", "--filter", r#"{"genre":{"$eq":"drama"}}"#]);
}
