//! BENCH: how long searches take and how many are answered a second: vectors, filtered, words, one record by its id; one client and several;
//! with everything in memory, and with nothing.
//!
//! On real queries or stored vectors. Judges no answer (`compare`, `tune`). What changed since an earlier run is told in `change.rs`.

mod change;
mod cold;
mod machine;

use serde::{Deserialize, Serialize};

pub use change::{Change, changes};
pub use machine::{Machine, machine};

use crate::dataset::Engine;
use crate::dataset::commit::{Opened, open};
use crate::dataset::nearest::{How, Search};
use crate::error::Result;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Clients at the same time, in the second half of the runs.
    pub threads: usize,
    /// How often all queries of a run are asked.
    pub repetitions: usize,
    /// Queries of a cold run, each with nothing in memory.
    pub cold: usize,
}

/// The searches of one kind.
#[derive(Debug, Clone)]
pub struct Kind {
    /// `vector`, `filtered`, `text`, `lookup`.
    pub name: &'static str,
    /// The searches.
    pub searches: Vec<Search>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `vector`, `filtered`, `text`, `lookup`.
    pub kind: String,
    /// Clients at the same time.
    pub threads: usize,
    /// Whether files and indices were in memory.
    pub warm: bool,
    /// Queries of a repetition.
    pub queries: usize,
    /// How often they were asked.
    pub repetitions: usize,
    /// Median milliseconds of a query, over all repetitions.
    pub p50_ms: f64,
    /// 95 of 100 queries take no longer.
    pub p95_ms: f64,
    /// 99 of 100 queries take no longer.
    pub p99_ms: f64,
    /// Queries answered in a second.
    pub qps: f64,
    /// The least and the largest median of a repetition: what is noise.
    pub p50_range: (f64, f64),
    /// The least and the most queries a second of a repetition.
    pub qps_range: (f64, f64),
}

/// The whole result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Benched {
    /// The dataset.
    pub dataset: String,
    /// Its version.
    pub version: u64,
    /// Rows.
    pub rows: u64,
    /// When, in UTC (RFC 3339).
    pub at: String,
    /// On what.
    pub machine: Machine,
    /// The vector index.
    pub index: String,
    /// The settings of vector searches.
    pub settings: String,
    /// Where the queries are from.
    pub queries_from: String,
    /// The runs.
    pub runs: Vec<Run>,
    /// What changed since an earlier run.
    #[serde(default)]
    pub changes: Vec<Change>,
}

/// The value that a share `q` of all values is not above; sorts them. Linear between neighbours (type 7 of Hyndman and Fan 1996, which
/// numpy has too).
#[must_use]
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "numbers of queries")]
    let place = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of values")]
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    values[low] + (values[high] - values[low]) * (place - place.floor())
}

/// The time, in UTC (RFC 3339).
#[must_use]
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Measures all kinds: cold, warm with one client, warm with several.
///
/// # Errors
/// The dataset cannot be read.
pub fn bench(engine: &Engine, path: &std::path::Path, kinds: &[Kind], asked: &Asked, progress: &dyn Fn(&str)) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for kind in kinds.iter().filter(|k| !k.searches.is_empty()) {
        if asked.cold > 0 {
            progress(&format!("{}, cold", kind.name));
            runs.extend(cold_run(engine, path, kind, asked.cold)?);
        }
    }
    let opened = open(engine, path)?;
    for kind in kinds.iter().filter(|k| !k.searches.is_empty()) {
        let mut clients = vec![1, asked.threads];
        clients.dedup();
        for threads in clients {
            progress(&format!("{}, {threads} at a time", kind.name));
            runs.push(warm_run(engine, &opened, kind, threads, asked.repetitions.max(1))?);
        }
    }
    Ok(runs)
}

const COLUMNS: [&str; 2] = ["uuid", "title"];

fn columns(opened: &Opened) -> Vec<&'static str> {
    let schema = opened.schema();
    COLUMNS.into_iter().filter(|c| schema.field_with_name(c).is_ok()).collect()
}

fn warm_run(engine: &Engine, opened: &Opened, kind: &Kind, threads: usize, repetitions: usize) -> Result<Run> {
    let columns = columns(opened);
    // Not measured: reads the index and fills the caches.
    opened.searches(engine, &kind.searches, &columns, threads)?;
    let (mut all, mut p50s, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let begin = std::time::Instant::now();
        let answers = opened.searches(engine, &kind.searches, &columns, threads)?;
        let seconds = begin.elapsed().as_secs_f64();
        let mut times: Vec<f64> = answers.iter().map(|a| a.took.as_secs_f64() * 1e3).collect();
        #[expect(clippy::cast_precision_loss, reason = "numbers of queries")]
        rates.push(times.len() as f64 / seconds);
        p50s.push(quantile(&mut times, 0.5));
        all.append(&mut times);
    }
    Ok(summary(kind, threads, true, repetitions, &mut all, &p50s, &mut rates))
}

/// Each query alone, with a dataset that was just opened and files that the system does not hold. None where the system cannot be asked
/// to let go of them.
fn cold_run(engine: &Engine, path: &std::path::Path, kind: &Kind, queries: usize) -> Result<Option<Run>> {
    let mut times = Vec::new();
    for search in kind.searches.iter().take(queries) {
        if !cold::forget(path) {
            return Ok(None);
        }
        let opened = open(engine, path)?;
        times.push(opened.search(engine, search, &columns(&opened))?.took.as_secs_f64() * 1e3);
    }
    let mut rates: Vec<f64> = times.iter().map(|ms| 1e3 / ms).collect();
    let p50s = times.clone();
    Ok(Some(Run { queries: times.len(), ..summary(kind, 1, false, 1, &mut times, &p50s, &mut rates) }))
}

fn summary(kind: &Kind, threads: usize, warm: bool, repetitions: usize, all: &mut [f64], p50s: &[f64], rates: &mut [f64]) -> Run {
    let range = |values: &[f64]| (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max));
    Run {
        kind: kind.name.to_owned(),
        threads,
        warm,
        queries: kind.searches.len(),
        repetitions,
        p50_ms: quantile(all, 0.5),
        p95_ms: quantile(all, 0.95),
        p99_ms: quantile(all, 0.99),
        qps: quantile(rates, 0.5),
        p50_range: range(p50s),
        qps_range: range(rates),
    }
}

/// Makes the searches of every kind. `vectors` are asked for with `how`; `texts` are words; `ids` are values of `id_column`.
#[must_use]
pub fn kinds(vectors: &[Vec<f32>], texts: &[String], ids: &[String], id_column: &str, how: &How) -> Vec<Kind> {
    // A tenth of the rows: uuids are hashes.
    let filtered = How { filter: Some("uuid < '1999999a'".to_owned()), prefilter: true, ..how.clone() };
    let vector = |how: &How| vectors.iter().map(|v| Search::Vector(v.clone(), how.clone())).collect();
    let lookup = |id: &String| Search::Lookup(format!("{id_column} = '{}'", id.replace('\'', "''")));
    vec![
        Kind { name: "vector", searches: vector(how) },
        Kind { name: "filtered", searches: vector(&filtered) },
        Kind { name: "text", searches: texts.iter().map(|t| Search::Text(t.clone(), "text_content".to_owned(), how.k)).collect() },
        Kind { name: "lookup", searches: ids.iter().map(lookup).collect() },
    ]
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_those_of_numpy() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!([0.0, 0.5, 1.0].map(|q| quantile(&mut values, q).to_bits()), [1.0, 2.5, 4.0].map(f64::to_bits));
        assert!((quantile(&mut values, 0.95) - 3.85).abs() < 1e-12 && quantile(&mut [], 0.5).is_nan());
    }
}
