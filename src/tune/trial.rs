//! Queries with their true neighbours, and what a way of searching finds of them and how fast.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use roaring::RoaringTreemap;

use crate::dataset::Engine;
use crate::dataset::choose::Metric;
use crate::dataset::commit::Opened;
use crate::dataset::nearest::{Answer, How, Search};
use crate::dataset::read::{ADDRESS, Work};
use crate::error::{Error, Result};
use crate::exact::{Ask, Neighbours, neighbours};

/// A query.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The vector.
    pub vector: Vec<f32>,
    /// The row that it was taken from, which does not count among its neighbours.
    pub own: Option<u64>,
}

/// Stored vectors to ask for, spread evenly over the dataset: real ones, because uniform random ones are near nothing.
///
/// # Errors
/// The dataset cannot be read, or no row has a vector.
pub fn sample(engine: &Engine, opened: &Opened, wanted: usize) -> Result<Vec<Probe>> {
    let rows = opened.rows(engine)?;
    let step = (rows / wanted.max(1) as u64).max(1);
    let work: Work<RecordBatch> = Arc::new(|batch: &RecordBatch| Ok(batch.clone()));
    let mut probes: Vec<Probe> = Vec::new();
    // The first row of a dataset is a header without a vector.
    let (mut at, mut next) = (0u64, step / 2);
    opened.scan(engine, &["vector".to_owned()], 2048, &work, &mut |batch| {
        let wrong = || Error::new("the column vector is no fixed_size_list of float32");
        let lists = batch.column_by_name("vector").and_then(|c| c.as_fixed_size_list_opt()).ok_or_else(wrong)?;
        let addresses = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(wrong)?;
        for row in 0..lists.len() {
            at += 1;
            if at <= next || probes.len() >= wanted || lists.is_null(row) {
                continue;
            }
            let values = lists.value(row);
            let vector = values.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.values().to_vec();
            // Rows without a vector hold NaN, and an all-zero one has no direction: the next row is taken instead.
            if vector.iter().all(|v| v.is_finite()) && vector.iter().any(|v| *v != 0.0) {
                probes.push(Probe { vector, own: Some(addresses.value(row)) });
                next += step;
            }
        }
        Ok(())
    })?;
    if probes.is_empty() { Err(Error::new("no row has a vector, so there is nothing to search")) } else { Ok(probes) }
}

/// Queries with their true neighbours.
#[derive(Debug)]
pub struct Trial {
    /// The queries.
    pub probes: Vec<Probe>,
    /// The true neighbours of each.
    pub truth: Vec<Neighbours>,
    /// How many of them count.
    pub k: usize,
    /// Seconds that finding them took.
    pub seconds: f64,
}

/// What a way of searching gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Mean share of the true neighbours.
    pub recall: f64,
    /// Median milliseconds of a query, one at a time.
    pub p50_ms: f64,
}

impl Trial {
    /// Finds the true neighbours, among `only` where that is given.
    ///
    /// # Errors
    /// The queries do not fit, or the dataset cannot be read.
    pub fn new(engine: &Engine, opened: &Opened, probes: Vec<Probe>, k: usize, metric: Metric, memory: u64, only: Option<Arc<RoaringTreemap>>) -> Result<Self> {
        let begin = std::time::Instant::now();
        let width = opened.layout()?.dimension;
        let flat: Vec<f32> = probes.iter().flat_map(|p| p.vector.iter().copied()).collect();
        let extra = usize::from(probes.iter().any(|p| p.own.is_some()));
        let found = neighbours(engine, opened, &flat, width, &Ask { metric, column: "vector", k: k + extra, only, memory: memory / 4 })?;
        let truth = probes.iter().zip(found).map(|(probe, found)| found.without(probe.own.unwrap_or(u64::MAX), k)).collect();
        Ok(Self { probes, truth, k, seconds: begin.elapsed().as_secs_f64() })
    }

    /// Searches in one way, query after query.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn measure(&self, engine: &Engine, opened: &Opened, how: &How) -> Result<Measured> {
        let ask = |probe: &Probe| Search::Vector(probe.vector.clone(), How { k: self.k + usize::from(probe.own.is_some()), ..how.clone() });
        let searches: Vec<Search> = self.probes.iter().map(ask).collect();
        let answers = opened.searches(engine, &searches, &["uuid"], 1)?;
        let recall = |((answer, truth), probe): ((&Answer, &Neighbours), &Probe)| {
            let found = answer.hits().into_iter().map(|(address, _)| address).filter(|a| Some(*a) != probe.own).take(self.k);
            truth.recall(found)
        };
        let recalls: Vec<f64> = answers.iter().zip(&self.truth).zip(&self.probes).map(recall).collect();
        let mut times: Vec<f64> = answers.iter().map(|a| a.took.as_secs_f64() * 1e3).collect();
        #[expect(clippy::cast_precision_loss, reason = "a number of queries")]
        let mean = recalls.iter().sum::<f64>() / recalls.len().max(1) as f64;
        Ok(Measured { recall: mean, p50_ms: crate::bench::quantile(&mut times, 0.5) })
    }
}

/// Uniform random vectors, the same in every run.
#[must_use]
pub fn random(width: usize, count: usize) -> Vec<Probe> {
    let mut state = 0x5EED_u64;
    let mut next = move || {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f32::from(u16::try_from((z ^ (z >> 31)) >> 48).unwrap_or(0)) / 32_768.0 - 1.0
    };
    (0..count).map(|_| Probe { vector: (0..width).map(|_| next()).collect(), own: None }).collect()
}
