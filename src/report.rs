//! The only printer: what a command found and did, as text for people or JSON for machines, and progress on a terminal.
//!
//! Decides nothing: every figure and every sentence comes from the plan or the run.

mod convert;
mod inspect;
mod links;
mod overview;
mod page;
mod progress;
mod rejects;
mod resize;
mod searches;
mod text;
mod verify;

pub use convert::ConvertReport;
pub use inspect::{CheckReport, InspectReport, PartCheck};
pub use links::lines as reference_lines;
pub use overview::page_text;
pub use page::page;
pub use progress::TerminalProgress;
pub use rejects::rejects_text;
pub use searches::{bench_text, compare_text, search_all_text, search_text, tune_text};
pub use text::{Table, bytes, count};
pub use verify::VerifyReport;

use std::io::{self, Write};

use serde::Serialize;

use crate::dataset::index::Built;

/// What was built, for reports.
#[derive(Debug, Clone, Serialize)]
pub struct IndexReport {
    /// Lance's name of the vector index's type; `none`.
    #[serde(rename = "type")]
    pub index_type: &'static str,
    /// The metric.
    pub metric: &'static str,
    /// Partitions.
    pub num_partitions: usize,
    /// Sub-vectors; 0 without product quantisation.
    pub num_sub_vectors: usize,
    /// Bits of a code; 0 without product quantisation.
    pub num_bits: usize,
    /// Vectors that it covers.
    pub vectors: u64,
    /// Why these parameters.
    pub why: Vec<String>,
    /// Names of all indices.
    pub names: Vec<String>,
    /// Seconds of each stage of the vector index; the other indices are built at the same time.
    pub seconds: std::collections::BTreeMap<&'static str, f64>,
}

impl IndexReport {
    /// From what was built.
    #[must_use]
    pub fn of(built: &Built, metric: &'static str) -> Self {
        let choice = &built.vector;
        Self {
            index_type: choice.type_name(),
            metric,
            num_partitions: choice.partitions,
            num_sub_vectors: choice.sub_vectors,
            num_bits: choice.bits,
            vectors: built.usable,
            why: choice.why.iter().chain(&built.notes).cloned().collect(),
            names: built.names.clone(),
            seconds: built.seconds.iter().copied().collect(),
        }
    }

    /// One line: `IVF_PQ, cosine, 7 partitions, 192 sub-vectors, 8 bits, over 63,666 vectors`.
    #[must_use]
    pub fn line(&self) -> String {
        if self.names.is_empty() {
            return "none".to_owned();
        }
        if self.index_type == "none" {
            return "no vector index".to_owned();
        }
        let mut parts = vec![self.index_type.to_owned(), self.metric.to_owned(), text::plural(self.num_partitions as u64, "partition")];
        if self.num_sub_vectors > 0 {
            parts.push(text::plural(self.num_sub_vectors as u64, "sub-vector"));
            parts.push(format!("{} bits", self.num_bits));
        }
        format!("{}, over {}", parts.join(", "), text::plural(self.vectors, "vector"))
    }
}

/// Peak resident memory of this process in bytes, as the system counts it; `None` where the system does not say.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Prints on stdout. A closed stdout is not an error: the work is done, and nobody reads.
///
/// # Errors
/// Stdout cannot be written for another reason.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Prints an error on stderr: `error: …`, and the `help:` line if there is one.
pub fn print_error(error: &crate::error::Error) {
    let mut err = io::stderr().lock();
    // Nowhere is left to say that stderr is closed.
    let _ = writeln!(err, "error: {error}");
    if let Some(help) = error.help_text() {
        let _ = writeln!(err, "help: {help}");
    }
}

/// Prints a line on stderr.
pub fn print_note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A value as pretty JSON with a newline.
pub fn json(value: &impl Serialize) -> String {
    // Reports hold no maps with keys that are no strings, the only thing that could fail.
    serde_json::to_string_pretty(value).map(|t| t + "\n").unwrap_or_default()
}
