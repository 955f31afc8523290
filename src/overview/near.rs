//! Near-duplicates: for a sample of the vectors, the most similar other vector of the whole dataset, found exactly.
//!
//! Comparing every vector with every other one would take days on a large dataset. A sample that is held against all of them says
//! how frequent near-duplicates are, with the error of that estimate; it does not find every one.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};
use serde::Serialize;

use super::histogram::{Bin, Histogram};
use super::pass::{batch, floats};
use super::rows::Shown;
use super::sample::Sample;
use super::vectors::length;
use super::{part, real};
use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::dataset::kernel::{Blocks, Centroids, LANES};
use crate::dataset::read::{ADDRESS, Work};
use crate::error::{Error, Result};

/// Products of two numbers that may be spent: about ten seconds on two cores.
const BUDGET: u64 = 100_000_000_000;
/// Most vectors of the sample that are held against all others, and fewest.
const MOST: u64 = 2048;
const FEWEST: u64 = 64;
/// Cosines above which two vectors are counted as near.
const LEVELS: [f64; 5] = [0.9999, 0.999, 0.99, 0.95, 0.9];
/// Pairs that are shown.
const PAIRS: usize = 12;
/// Narrowest bins of cosines: 2^-6.
const COSINES: i32 = -6;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Near {
    /// Vectors of the sample that were held against all others.
    pub sampled: u64,
    /// Vectors that are neither missing nor zero: those that the sample stands for.
    pub of: u64,
    /// How many of the sample have another vector as similar as this, whatever else they have.
    pub levels: Vec<Level>,
    /// The cosine of each with its nearest other vector.
    pub bins: Vec<Bin>,
    /// The most similar pairs of the sample.
    pub pairs: Vec<Pair>,
}

/// How frequent a similarity is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// At least this cosine.
    pub cosine: f64,
    /// Vectors of the sample.
    pub vectors: u64,
    /// The part of the sample, from 0 to 1.
    pub share: f64,
    /// Where that part of all vectors lies with 95 % confidence (Wilson's score interval); the share itself where all were looked at.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Two records with similar vectors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Their cosine.
    pub cosine: f64,
    /// The one of the sample.
    pub one: Shown,
    /// The other.
    pub other: Shown,
}

/// The sampled vectors, made to have length 1.
struct Queries {
    blocks: Blocks,
    rows: Vec<(u64, Vec<f32>)>,
}

/// The best of a batch for each query: cosine, and the address of the row.
type Best = Vec<Option<(f64, u64)>>;

impl Queries {
    fn of(sample: &Sample, count: usize, dimension: usize) -> Self {
        let rows: Vec<(u64, Vec<f32>)> = sample.rows().take(count).map(|row| (row.address, direction(&row.vector))).collect();
        let mut blocks = Blocks::new(rows.len(), dimension);
        rows.iter().enumerate().for_each(|(at, (_, row))| blocks.set(at, row));
        Self { blocks, rows }
    }

    fn search(&self, found: &RecordBatch, dimension: usize) -> Result<Best> {
        let missing = || Error::new("the scan gave no vectors");
        let column = found.column_by_name("vector").ok_or_else(missing)?;
        let addresses = found.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(missing)?;
        let (mut values, mut places) = (Vec::with_capacity(column.len() * dimension), Vec::with_capacity(column.len()));
        for row in 0..column.len() {
            let Some(vector) = floats(column, row, dimension) else { continue };
            let norm = length(vector);
            if norm.is_finite() && norm > 0.0 {
                values.extend(direction(vector));
                places.push(addresses.value(row));
            }
        }
        if places.is_empty() {
            return Ok(vec![None; self.rows.len()]);
        }
        let rows = Centroids::dot(values, dimension);
        let mut best = Vec::with_capacity(self.rows.len());
        for (first, count, block) in self.blocks.parts(0, dimension) {
            let nearest = rows.nearest(block);
            for (lane, at) in nearest.iter().enumerate().take(count.min(LANES)) {
                let (own, query) = &self.rows[first + lane];
                let at = *at as usize;
                // A vector is its own nearest, in the one batch that it stands in; there, the next is looked for one by one.
                let found = if places[at] == *own {
                    let others = (0..places.len()).filter(|other| places[*other] != *own);
                    others.map(|other| (cosine(query, rows.get(other)), places[other])).reduce(|a, b| if b.0 > a.0 { b } else { a })
                } else {
                    Some((cosine(query, rows.get(at)), places[at]))
                };
                best.push(found);
            }
        }
        Ok(best)
    }
}

fn direction(vector: &[f32]) -> Vec<f32> {
    let norm = length(vector);
    #[expect(clippy::cast_possible_truncation, reason = "a component of a vector of length 1")]
    vector.iter().map(|v| (f64::from(*v) / norm) as f32).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let products: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    products.clamp(-1.0, 1.0)
}

/// Vectors of the sample that there is time for.
fn affordable(vectors: u64, dimension: usize) -> u64 {
    (BUDGET / (vectors.max(1) * dimension.max(1) as u64)).clamp(FEWEST, MOST)
}

/// Looks for the nearest other vector of each; `None` where there are not two vectors.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn near(engine: &Engine, opened: &Opened, sample: &Sample, vectors: u64, dimension: usize) -> Result<Option<Near>> {
    if vectors < 2 || sample.is_empty() {
        return Ok(None);
    }
    let count = usize::try_from(affordable(vectors, dimension)).unwrap_or(usize::MAX).min(sample.len());
    let queries = Arc::new(Queries::of(sample, count, dimension));
    let theirs = Arc::clone(&queries);
    let work: Work<Best> = Arc::new(move |batch| theirs.search(batch, dimension));
    let mut best: Best = vec![None; count];
    opened.scan(engine, &["vector".to_owned()], batch(dimension), &work, &mut |found| {
        for (best, found) in best.iter_mut().zip(found) {
            if let Some((cosine, _)) = found
                && best.is_none_or(|(before, _)| cosine > before)
            {
                *best = found;
            }
        }
        Ok(())
    })?;
    let mut histogram = Histogram::new(COSINES);
    best.iter().flatten().for_each(|(cosine, _)| histogram.add(*cosine));
    let whole = count as u64 == vectors;
    let level = |bound: f64| {
        let near = best.iter().flatten().filter(|(cosine, _)| *cosine >= bound).count() as u64;
        let share = part(near, count as u64);
        let (low, high) = if whole { (share, share) } else { wilson(near, count as u64) };
        Level { cosine: bound, vectors: near, share, low, high }
    };
    let levels = LEVELS.map(level).to_vec();
    let mut pairs: Vec<(f64, u64, u64)> =
        queries.rows.iter().zip(&best).filter_map(|((own, _), found)| found.map(|(cosine, other)| (cosine, *own, other))).collect();
    pairs.retain(|(cosine, ..)| *cosine >= LEVELS[4]);
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut met = std::collections::BTreeSet::new();
    pairs.retain(|(_, a, b)| met.insert((*a.min(b), *a.max(b))));
    pairs.truncate(PAIRS);
    let addresses: Vec<u64> = pairs.iter().flat_map(|(_, a, b)| [*a, *b]).collect();
    let mut shown = super::rows::shown(engine, opened, &addresses)?.into_iter();
    let pairs = pairs.into_iter().filter_map(|(cosine, ..)| Some(Pair { cosine, one: shown.next()?, other: shown.next()? })).collect();
    Ok(Some(Near { sampled: count as u64, of: vectors, levels, bins: histogram.bins(), pairs }))
}

/// Wilson's score interval for a part of a sample, at 95 % (Wilson 1927, JASA 22, 209–212).
fn wilson(hits: u64, of: u64) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    let (n, p) = (real(of.max(1)), part(hits, of));
    let scale = 1.0 + Z * Z / n;
    let middle = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        let (low, high) = wilson(10, 100);
        assert!((low - 0.055_23).abs() < 1e-4 && (high - 0.174_37).abs() < 1e-4, "{low} {high}");
        assert!(wilson(0, 50).0 == 0.0 && wilson(50, 50).1 > 0.999_999, "at the ends");
    }

    #[test]
    fn the_sample_shrinks_as_the_dataset_grows() {
        assert_eq!((affordable(1000, 384), affordable(1_000_000, 384), affordable(100_000_000, 1536)), (2048, 260, 64));
    }
}
