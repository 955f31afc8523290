//! TUNE: which settings of a search find enough of the true neighbours, at what cost; and where a plain search cannot, which index would.
//!
//! Reads the dataset, and builds other indices in a twin of it (`alternatives.rs`). What is chosen is stored by the caller.

pub mod alternatives;
mod extra;
mod python;
mod reach;
pub mod settings;
mod trial;

use serde::Serialize;

pub use alternatives::{Alternative, Builder};
pub use extra::{Filtered, FullText};
pub use python::Python;
pub use reach::reach;
pub use settings::Settings;
pub use trial::{Measured, Probe, Trial, random, sample};

use crate::dataset::Engine;
use crate::dataset::choose::Metric;
use crate::dataset::commit::Opened;
use crate::dataset::nearest::How;
use crate::error::Result;

/// What to tune for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Neighbours.
    pub k: usize,
    /// The recall to reach.
    pub target: f64,
    /// How distance is measured; by default as the index does.
    pub metric: Option<Metric>,
    /// Bytes that may be held.
    pub memory: u64,
}

/// A way of searching, measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Partitions that are looked into; null for Lance's own choice.
    pub nprobes: Option<usize>,
    /// So many times k rows are compared by their whole vectors; null for none.
    pub refine_factor: Option<u32>,
    /// Mean recall.
    pub recall: f64,
    /// Median milliseconds.
    pub p50_ms: f64,
}

/// A search without settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Plain {
    /// Mean recall.
    pub recall: f64,
    /// Median milliseconds.
    pub p50_ms: f64,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Tuned {
    /// The dataset.
    pub dataset: String,
    /// Neighbours.
    pub k: usize,
    /// The metric.
    pub metric: &'static str,
    /// The recall to reach.
    pub target_recall: f64,
    /// Number of queries.
    pub queries: usize,
    /// Where they are from.
    pub queries_from: String,
    /// The vector index: type, partitions, sub-vectors, bits.
    pub index: String,
    /// Seconds that the exact search of all queries took.
    pub exact_seconds: f64,
    /// As ContextFrame's `knn_search` does it.
    pub plain: Plain,
    /// The curve.
    pub points: Vec<Point>,
    /// The cheapest point that reaches the target; null if none does.
    pub chosen: Option<Point>,
    /// Searches with a selective filter.
    pub filtered: Vec<Filtered>,
    /// Words that are in few texts.
    pub full_text: Option<FullText>,
    /// Other indices, where a plain search does not reach the target.
    pub alternatives: Vec<Alternative>,
    /// The index that was built, with --rebuild.
    pub rebuilt: Option<String>,
    /// Ready lines.
    pub python: Python,
    /// The sentences of the recommendation.
    pub advice: Vec<String>,
}

/// Values of refine_factor that are tried, after none.
const REFINE: [u32; 5] = [2, 5, 10, 20, 50];
/// Values of nprobes that are tried, as far as there are partitions; and all of them.
const PROBES: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];
/// Above this, more effort gains nothing.
const WHOLE: f64 = 0.9999;

/// The metric of a dataset's searches.
///
/// # Errors
/// The dataset cannot be read.
pub fn metric(engine: &Engine, opened: &Opened, asked: Option<Metric>) -> Result<Metric> {
    let by_index = opened.vector_index(engine)?.and_then(|i| Metric::parse(&i.metric));
    Ok(asked.or(by_index).unwrap_or(Metric::L2))
}

/// A search without settings, and the curve.
///
/// # Errors
/// The dataset cannot be read.
pub fn curve(engine: &Engine, opened: &Opened, trial: &Trial, progress: &dyn Fn(&str)) -> Result<(Plain, Vec<Point>)> {
    // Once for nothing: the index is read at its first use.
    let plain = How::default();
    trial.measure(engine, opened, &plain)?;
    let measured = trial.measure(engine, opened, &plain)?;
    let plain = Plain { recall: measured.recall, p50_ms: measured.p50_ms };
    let Some(index) = opened.vector_index(engine)? else { return Ok((plain, vec![])) };
    let mut probes: Vec<usize> = PROBES.into_iter().filter(|n| *n < index.partitions).collect();
    probes.push(index.partitions.max(1));
    let flat = index.kind.ends_with("FLAT");
    let mut points = Vec::new();
    let mut refined: Vec<Option<u32>> = vec![None];
    refined.extend(REFINE.into_iter().filter(|_| !flat).map(Some));
    for refine_factor in refined {
        let mut best = 0.0f64;
        for nprobes in &probes {
            progress(&format!("nprobes {nprobes}, refine_factor {}", refine_factor.unwrap_or(0)));
            let how = How { nprobes: Some(*nprobes), refine_factor, ..How::default() };
            let found = trial.measure(engine, opened, &how)?;
            points.push(Point { nprobes: Some(*nprobes), refine_factor, recall: found.recall, p50_ms: found.p50_ms });
            best = best.max(found.recall);
            if found.recall >= WHOLE {
                break;
            }
        }
        if best >= WHOLE {
            break;
        }
    }
    Ok((plain, points))
}

/// The cheapest point that reaches the target. Of points that cost the same within a twentieth, the one that finds more.
#[must_use]
pub fn choose(points: &[Point], target: f64) -> Option<Point> {
    let good: Vec<&Point> = points.iter().filter(|p| p.recall >= target).collect();
    let cheapest = good.iter().map(|p| p.p50_ms).fold(f64::INFINITY, f64::min);
    good.into_iter().filter(|p| p.p50_ms <= cheapest * 1.05).max_by(|a, b| a.recall.total_cmp(&b.recall).then(b.p50_ms.total_cmp(&a.p50_ms))).copied()
}

/// Tunes. `builder` makes other indices where a plain search does not reach the target; without it, none is tried.
///
/// # Errors
/// The queries do not fit the dataset, or it cannot be read.
pub fn tune(
    engine: &Engine,
    opened: &Opened,
    trial: &Trial,
    asked: &Asked,
    (dataset, from): (&std::path::Path, &str),
    progress: &dyn Fn(&str),
) -> Result<Tuned> {
    let metric = metric(engine, opened, asked.metric)?;
    let (plain, points) = curve(engine, opened, trial, progress)?;
    let chosen = choose(&points, asked.target);
    progress("filtered searches");
    let filtered = extra::filtered(engine, opened, trial, metric, chosen.as_ref(), asked.memory)?;
    progress("full text");
    let full_text = extra::full_text(engine, opened)?;
    let index = opened.vector_index(engine)?;
    let described = index.as_ref().map_or_else(|| "none".to_owned(), alternatives::described);
    let mut tuned = Tuned {
        dataset: dataset.display().to_string(),
        k: asked.k,
        metric: metric.name(),
        target_recall: asked.target,
        queries: trial.probes.len(),
        queries_from: from.to_owned(),
        index: described,
        exact_seconds: trial.seconds,
        plain,
        points,
        chosen,
        filtered,
        full_text,
        alternatives: vec![],
        rebuilt: None,
        python: python::lines(dataset, metric, asked.k, chosen.as_ref(), plain.recall >= asked.target),
        advice: vec![],
    };
    tuned.advise();
    Ok(tuned)
}

impl Tuned {
    /// Says what is recommended, by what is known so far.
    pub fn advise(&mut self) {
        let target = self.target_recall;
        let mut advice = Vec::new();
        let plain = self.plain.recall;
        advice.push(if plain >= target {
            format!("a plain search, such as ContextFrame's knn_search, reaches {plain:.4}: no settings are needed")
        } else {
            format!("a plain search, such as ContextFrame's knn_search, reaches {plain:.4}, less than {target}")
        });
        advice.push(match &self.chosen {
            Some(p) => {
                let refine = p.refine_factor.map_or_else(|| "no refine_factor".to_owned(), |r| format!("refine_factor {r}"));
                format!("tuned: nprobes {}, {refine} reach {:.4} in {:.2} ms", p.nprobes.unwrap_or(0), p.recall, p.p50_ms)
            }
            None => format!("no nprobes and refine_factor that were tried reach {target} with this index"),
        });
        if let Some(best) = self.alternatives.iter().filter(|a| a.recall >= target).min_by(|a, b| a.p50_ms.total_cmp(&b.p50_ms)) {
            advice.push(format!("for plain searches, {} reaches {:.4}: `vec2lance tune OUT.lance --rebuild` builds it", best.index, best.recall));
        }
        if let Some(rebuilt) = &self.rebuilt {
            advice.push(format!("the index was rebuilt: {rebuilt}"));
        }
        let post = self.filtered.iter().filter(|f| !f.prefilter && f.recall < target).map(|f| f.share).fold(0.0, f64::max);
        if post > 0.0 {
            advice.push(format!("a filter that selects {:.0} % or less must come before the search: prefilter=True", post * 100.0));
        }
        self.advice = advice;
    }

    /// What the dataset is to remember.
    #[must_use]
    pub fn settings(&self) -> Settings {
        // Where a plain search is enough, and where nothing is, no setting is better than a wrong one.
        let point = self.chosen.filter(|_| self.plain.recall < self.target_recall);
        Settings {
            k: self.k,
            metric: self.metric.to_owned(),
            nprobes: point.and_then(|p| p.nprobes),
            refine_factor: point.and_then(|p| p.refine_factor),
            target_recall: self.target_recall,
            recall: point.map_or(self.plain.recall, |p| p.recall),
            plain_recall: self.plain.recall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_that_reaches_the_target() {
        let point = |nprobes, recall, p50_ms| Point { nprobes: Some(nprobes), refine_factor: None, recall, p50_ms };
        let points = [point(1, 0.8, 1.0), point(2, 0.96, 2.0), point(5, 0.99, 2.05), point(10, 1.0, 4.0)];
        assert_eq!(choose(&points, 0.95).unwrap().nprobes, Some(5), "costs the same and finds more");
        assert_eq!(choose(&points, 0.7).unwrap().nprobes, Some(1));
        assert_eq!(choose(&points[..1], 0.95), None);
    }
}
