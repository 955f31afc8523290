//! Progress on stderr: a bar with rate and time left where that is a terminal, a quiet line now and then where it is not.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two lines where there is no terminal.
const BETWEEN: Duration = Duration::from_secs(30);

/// How far the export is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    started: Instant,
    last: Mutex<Instant>,
    expected: AtomicU64,
    /// Records, those of earlier runs among them.
    records: AtomicU64,
    /// Records of this run.
    new: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// Draws on a terminal, unless it is to be quiet.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
            let style = ProgressStyle::with_template("{msg:<24} {wide_bar} {human_pos}/{human_len} {per_sec:>12} {eta:>5} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let now = Instant::now();
        let zero = || AtomicU64::new(0);
        Self { bar, quiet, started: now, last: Mutex::new(now), expected: zero(), records: zero(), new: zero(), bytes: zero() }
    }

    /// So many more records are to be read, and so many of them earlier runs have read.
    pub(crate) fn expect(&self, records: u64, done: u64) {
        let total = self.expected.fetch_add(records, Ordering::Relaxed) + records;
        self.records.fetch_add(done, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.inc(done);
            bar.reset_eta();
        }
    }

    /// What is at work now.
    pub(crate) fn stage(&self, name: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(name.chars().filter(|c| !c.is_control()).take(24).collect::<String>());
        }
    }

    /// A page was written.
    pub(crate) fn advance(&self, records: u64, bytes: u64) {
        let all = self.records.fetch_add(records, Ordering::Relaxed) + records;
        let new = self.new.fetch_add(records, Ordering::Relaxed) + records;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(records);
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.quiet && last.elapsed() >= BETWEEN {
            *last = Instant::now();
            let (expected, seconds) = (self.expected.load(Ordering::Relaxed), self.started.elapsed().as_secs().max(1));
            // Nowhere is left to say that stderr is closed.
            let _ = writeln!(std::io::stderr().lock(), "{all} of {expected} records, {} a second", new / seconds);
        }
    }

    /// Records and bytes of records that this run has written.
    pub(crate) fn written(&self) -> (u64, u64) {
        (self.new.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
