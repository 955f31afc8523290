//! Progress on stderr, only where stderr is a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pipeline::Progress;

/// A bar over the bytes of the input, and a line for each later stage.
#[derive(Debug)]
pub struct TerminalProgress(Option<ProgressBar>);

impl TerminalProgress {
    /// For an input of `bytes` plain or compressed bytes; draws nothing if stderr is no terminal.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(5));
        let style = ProgressStyle::with_template("{msg:<24} {bytes:>10} {binary_bytes_per_sec:>12} {elapsed:>5}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(Some(bar))
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Progress for TerminalProgress {
    fn stage(&self, name: &str) {
        tracing::info!("{}.", name);
        if let Some(bar) = &self.0 {
            bar.set_message(name.to_owned());
        }
    }

    fn advance(&self, bytes: u64, records: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
            bar.set_message(format!("{} records", super::count(records)));
        }
    }
}
