//! Runs the commands that search a dataset. What they find and what they say is decided in the library.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod search;
pub(crate) mod tune;

use std::path::{Path, PathBuf};

use serde::Serialize;
use vec2lance::error::Result;
use vec2lance::report;

/// A file beside the dataset: OUT.lance → OUT.compare.json.
fn beside(dataset: &Path, ending: &str) -> PathBuf {
    dataset.with_extension(ending)
}

/// Leaves a result where `report` looks for it. An archive that cannot be written is no reason to fail.
fn leave(path: &Path, text: &str) {
    if let Err(error) = std::fs::write(path, text) {
        tracing::warn!("The result was not kept at {}: {error}.", vec2lance::reject::printable(&path.display().to_string()));
    }
}

/// JSON beside the dataset, and JSON or text on stdout.
fn hand_over(dataset: &Path, ending: &str, result: &impl Serialize, json: bool, text: &str) -> Result<()> {
    let made = report::json(result);
    leave(&beside(dataset, ending), &made);
    super::print(if json { &made } else { text }).map(|_| ())
}

/// What is under way, for whoever asked for it with -v.
fn progress(stage: &str) {
    tracing::info!("{stage}");
}

fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get), usize::from)
}
