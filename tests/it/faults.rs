//! Kills and faults from outside of the program: a part of what the scripts of `tests/faults` try, which print a table of what
//! happened. The whole tables take minutes, so they are commands of their own (README). Only Linux has what they need.
#![cfg(target_os = "linux")]

use std::process::Command;

use crate::tool::{Answer, BINARY, repository};

fn script(name: &str, args: &[&str]) {
    let mut command = Command::new("python3");
    command.arg(repository("tests/faults").join(name)).arg(BINARY).args(args);
    let answer = Answer::of(&command.output().expect("Python 3 is on PATH")).expect(0);
    println!("{}", answer.stdout);
}

#[test]
fn a_write_that_the_disk_refuses_is_never_a_success() {
    script("faults.py", &["--only", "of rows"]);
}

#[test]
fn kills_change_nothing() {
    script("kills.py", &["--kills", "20"]);
}
