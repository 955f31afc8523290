//! `tests/it/mutated.rs` without the program around it: the same tests in minutes, because nothing here waits for Lance.
//!
//! No test of its own.

#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a failure here is a message for a developer")]

#[path = "../../tests/it/mutated.rs"]
mod mutated;

/// What that file takes from the program's tests.
mod tool {
    use std::path::{Path, PathBuf};

    pub(crate) fn repository(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
    }
}
