//! What changed between two runs beyond noise. The noise of a figure is the range that it had over the repetitions of one run.

use serde::{Deserialize, Serialize};

use super::{Benched, Run};

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `vector`, `filtered`, `text`, `lookup`.
    pub kind: String,
    /// Clients at the same time.
    pub threads: usize,
    /// Whether it was warm.
    pub warm: bool,
    /// `p50_ms` or `qps`.
    pub figure: String,
    /// The earlier value.
    pub before: f64,
    /// The value now.
    pub now: f64,
    /// Whether the ranges do not meet and the values differ by more than a twentieth.
    pub beyond_noise: bool,
}

impl Change {
    /// `vector, 1 at a time, warm: p50_ms 1.20 → 2.40 (+100 %)`
    #[must_use]
    pub fn line(&self) -> String {
        let state = if self.warm { "warm" } else { "cold" };
        let percent = (self.now / self.before - 1.0) * 100.0;
        format!("{}, {} at a time, {state}: {} {:.2} → {:.2} ({percent:+.0} %)", self.kind, self.threads, self.figure, self.before, self.now)
    }
}

/// Every figure that both runs have.
#[must_use]
pub fn changes(before: &Benched, now: &[Run]) -> Vec<Change> {
    let mut out = Vec::new();
    for run in now {
        let Some(old) = before.runs.iter().find(|o| o.kind == run.kind && o.threads == run.threads && o.warm == run.warm) else { continue };
        let mut add = |figure: &str, before: f64, now: f64, old: (f64, f64), new: (f64, f64)| {
            let apart = old.1 < new.0 || new.1 < old.0;
            let much = (now / before - 1.0).abs() > 0.05;
            out.push(Change {
                kind: run.kind.clone(),
                threads: run.threads,
                warm: run.warm,
                figure: figure.to_owned(),
                before,
                now,
                beyond_noise: apart && much,
            });
        };
        add("p50_ms", old.p50_ms, run.p50_ms, old.p50_range, run.p50_range);
        add("qps", old.qps, run.qps, old.qps_range, run.qps_range);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ranges_that_do_not_meet_are_a_change() {
        let run = |p50: f64, range| Run {
            kind: "vector".to_owned(),
            threads: 1,
            warm: true,
            queries: 10,
            repetitions: 5,
            p50_ms: p50,
            p95_ms: p50,
            p99_ms: p50,
            qps: 1000.0 / p50,
            p50_range: range,
            qps_range: (900.0 / p50, 1100.0 / p50),
        };
        let before = |p50, range| Benched {
            dataset: String::new(),
            version: 1,
            rows: 1,
            at: String::new(),
            machine: super::super::machine(),
            index: String::new(),
            settings: String::new(),
            queries_from: String::new(),
            runs: vec![run(p50, range)],
            changes: vec![],
        };
        let told = |old: Benched| changes(&old, &[run(2.0, (1.9, 2.1))]).iter().map(|c| c.beyond_noise).collect::<Vec<_>>();
        assert_eq!(told(before(1.0, (0.9, 1.1))), [true, true]);
        assert_eq!(told(before(1.9, (1.7, 2.0))), [false, false]);
        assert_eq!(told(before(2.0, (1.9, 2.2))), [false, false]);
    }
}
