//! Trains the two models of an IVF index on a sample: partition centroids, and the product quantiser's codebook.
//!
//! Lance would do both itself, unseeded and on 65,536 rows for 50 rounds, which takes minutes and buys no recall. The geometry
//! must be the one that Lance's reader uses: under cosine, vectors are normalised first and everything after is L2; the
//! codebook is of residuals (vector − nearest centroid) for cosine and L2, of the vectors themselves for dot. Not the k-means
//! (`kmeans.rs`), and not the encoding of all rows (`encode.rs`).

use rayon::prelude::*;

use super::choose::{Choice, IndexKind, Metric};
use super::kernel::{Blocks, Centroids};
use super::kmeans::{Space, assign, partitions, sub_vector};

/// Rounds of k-means for the partitions.
const IVF_ROUNDS: usize = 20;
/// Training vectors per partition.
const IVF_SAMPLE: usize = 256;
/// Rounds of k-means for each sub-vector's codebook.
const PQ_ROUNDS: usize = 10;
const SEED: u64 = 7;

/// The models of an index.
#[derive(Debug)]
pub(super) struct Models {
    /// One centroid per partition.
    pub partitions: Centroids,
    /// 2^bits centroids per sub-vector; empty without product quantisation.
    pub codebook: Vec<Centroids>,
    /// Bits of a code.
    pub bits: usize,
    /// Under which metric.
    pub metric: Metric,
}

impl Models {
    /// `[sub-vector][centroid][component]`, flat: Lance's order of a codebook.
    pub(super) fn flat_codebook(&self) -> Vec<f32> {
        self.codebook.iter().flat_map(|c| c.values.iter().copied()).collect()
    }
}

/// Training vectors for each centroid of a codebook. Measured on two corpora (`benches/README.md`): fewer cost up to a point of
/// recall, more gain nothing that can be told from the luck of a seed.
const PQ_SAMPLE: usize = 64;

/// Training vectors for a codebook; one of 16 centroids is too coarse to take so few.
fn pq_sample(choice: &Choice) -> usize {
    (PQ_SAMPLE << choice.bits).max(4096)
}

/// Vectors that training can use at most, for a budget of `bytes`.
pub(super) fn sample_limit(choice: &Choice, dimension: usize, bytes: u64) -> usize {
    let wanted = (choice.partitions * IVF_SAMPLE).max(pq_sample(choice));
    let affordable = usize::try_from(bytes / (dimension as u64 * 4)).unwrap_or(usize::MAX);
    wanted.min(affordable).max(256)
}

/// Trains on a sample of finite vectors (under cosine: of length 1), which is not empty.
pub(super) fn train(sample: Blocks, choice: &Choice, metric: Metric) -> Models {
    let dimension = sample.width();
    // Under dot, Lance's search ranks partitions by their product with the query; with centroids of one length that means by
    // direction, and no partition swallows the others.
    let space = if metric == Metric::Dot { Space::Spherical } else { Space::Euclidean };
    let begin = std::time::Instant::now();
    let centroids = partitions(&sample, choice.partitions, IVF_ROUNDS, space, SEED);
    tracing::debug!(seconds = begin.elapsed().as_secs_f64(), rows = sample.rows(), "Trained the partitions.");
    let mut codebook = Vec::new();
    if choice.kind == IndexKind::IvfPq {
        let rows = residuals(sample, pq_sample(choice), &centroids, metric);
        let width = dimension / choice.sub_vectors;
        codebook = (0..choice.sub_vectors).into_par_iter().map(|m| sub_vector(&rows, m * width, width, 1 << choice.bits, PQ_ROUNDS, SEED + m as u64)).collect();
        tracing::debug!(seconds = begin.elapsed().as_secs_f64(), rows = rows.rows(), "Trained the codebook.");
    }
    Models { partitions: centroids, codebook, bits: choice.bits, metric }
}

/// Up to `most` rows, spread over the whole sample, as the codebook sees them.
fn residuals(sample: Blocks, most: usize, centroids: &Centroids, metric: Metric) -> Blocks {
    let mut chosen = sample;
    let (count, rows) = (chosen.rows(), chosen.rows().min(most));
    let mut row = vec![0.0; chosen.width()];
    // In place: a row's new place is never after its old one.
    for at in 0..rows {
        chosen.get(at * count / rows, &mut row);
        chosen.set(at, &row);
    }
    chosen.truncate(rows);
    if metric != Metric::Dot {
        let nearest = assign(&chosen, centroids);
        for (at, nearest) in nearest.into_iter().enumerate() {
            chosen.get(at, &mut row);
            row.iter_mut().zip(centroids.get(nearest as usize)).for_each(|(v, c)| *v -= c);
            chosen.set(at, &row);
        }
    }
    chosen
}
