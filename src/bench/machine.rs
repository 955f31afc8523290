//! What a figure was measured on, as the system tells it.

use serde::{Deserialize, Serialize};

/// The machine and the programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// The system and its version.
    pub system: String,
    /// Version of this program.
    pub vec2lance: String,
    /// Version of Lance.
    pub lance: String,
}

/// Asks.
#[must_use]
pub fn machine() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| text.lines().find_map(|l| l.strip_prefix(name)?.split_once(':').map(|(_, v)| v.trim().to_owned()));
    let release = read("/proc/sys/kernel/osrelease");
    let kib = |text: String| text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).map(|n| n * 1024);
    Machine {
        cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory: field(&read("/proc/meminfo"), "MemTotal").and_then(kib),
        system: format!("{} {}", std::env::consts::OS, release.trim()).trim().to_owned(),
        vec2lance: env!("CARGO_PKG_VERSION").to_owned(),
        lance: "14.0.2".to_owned(),
    }
}
