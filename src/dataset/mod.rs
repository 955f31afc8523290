//! LANCE: writes fragments, commits them once, builds indices, reads back. The only room that knows lance and tokio.
//!
//! Knows nothing of where a batch came from.

mod canonical;
mod cardinality;
mod change;
pub mod choose;
pub mod commit;
mod encode;
pub mod index;
pub mod kernel;
pub mod kmeans;
pub mod nearest;
pub mod read;
mod sample;
pub mod table;
mod train;
pub mod version;
pub mod write;

use std::future::Future;
use std::path::Path;

use crate::error::{Error, Result};
use crate::reject::printable;

/// The asynchronous runtime that Lance runs on, sized to the run.
#[derive(Debug)]
pub struct Engine {
    runtime: tokio::runtime::Runtime,
}

/// Blocking threads of the runtime. Local file reads and writes run on them; four keep two cores busy, and forty would only
/// cost memory.
const BLOCKING: usize = 6;

impl Engine {
    /// Starts the runtime.
    ///
    /// # Errors
    /// The system refuses more threads.
    pub fn new(threads: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(2))
            .max_blocking_threads(BLOCKING.max(threads))
            .enable_time()
            .build()
            .map_err(|e| Error::new(format!("cannot start worker threads: {e}")))?;
        Ok(Self { runtime })
    }

    /// Runs `work` to its end on this thread.
    fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    fn spawn<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(work)
    }
}

/// Lance's error as one of ours: without the source-code places that its messages end in, and with the cause named where the
/// cause is the disk.
fn lance_error(what: &str, error: &lance::Error) -> Error {
    let full = error.to_string();
    let text = full.split(", /").next().unwrap_or(&full);
    let text = match text.find(".rs:") {
        Some(at) => text[..at].rsplit_once(", ").map_or(text, |(before, _)| before),
        None => text,
    };
    tracing::debug!(error = %printable(&full), "Lance refused.");
    if full.contains("No space left") || full.contains("StorageFull") || full.contains("os error 28") {
        return Error::new(format!("cannot {what}: no space left on the output's volume"))
            .help("free some space there, or choose another output folder; nothing was committed")
            .passing();
    }
    if full.contains("Permission denied") {
        return Error::new(format!("cannot {what}: permission denied")).help("check the permissions of the output folder").passing();
    }
    Error::new(format!("cannot {what}: {}", printable(text.trim()))).passing()
}

/// A path as the URI that Lance expects: absolute.
///
/// # Errors
/// The current folder is gone.
pub fn uri(path: &Path) -> Result<String> {
    let absolute = std::path::absolute(path).map_err(|e| Error::io("find", path, &e))?;
    absolute
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::new(format!("{}: the path is not UTF-8, which Lance needs", printable(&path.display().to_string()))))
}
