//! Trains the two models of an IVF index on a sample: partition centroids, and the product quantiser's codebook.
//!
//! Lance would do both itself, unseeded and on 65,536 rows for 50 rounds, which takes minutes and buys no recall. Here the
//! k-means are Lance's, seeded and short, and the results are handed over. The geometry must be the one that Lance's
//! encoder uses: under cosine, vectors are normalised first and everything after is L2; the codebook is of residuals
//! (vector − nearest centroid) for cosine and L2, of the vectors themselves for dot.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{FixedSizeListArray, Float32Array};
use arrow_schema::{DataType, Field};
use lance_index::vector::kmeans::{KMeans, KMeansParams, compute_partitions_arrow_array};
use lance_linalg::distance::DistanceType;
use rayon::prelude::*;

use super::choose::{Choice, IndexKind, Metric};
use crate::error::{Error, Result};

/// Rounds of k-means for the partitions.
const IVF_ROUNDS: u32 = 20;
/// Rounds of k-means for each sub-vector's codebook.
const PQ_ROUNDS: u32 = 10;
/// Training vectors per codebook centroid.
const PQ_SAMPLE: usize = 64;
/// Training vectors per partition.
const IVF_SAMPLE: usize = 128;
const SEED: u64 = 7;

/// The models.
#[derive(Debug)]
pub(super) struct Models {
    /// Partitions × dimension.
    pub centroids: Arc<FixedSizeListArray>,
    /// `[sub-vector][centroid][dimension / sub-vectors]`, flat; empty without product quantisation.
    pub codebook: Vec<f32>,
}

/// Vectors that training can use at most, for a budget of `bytes`.
pub(super) fn sample_limit(choice_partitions: usize, bits: usize, dimension: usize, bytes: u64) -> usize {
    let wanted = (choice_partitions * IVF_SAMPLE).max(PQ_SAMPLE << bits);
    let affordable = usize::try_from(bytes / (dimension as u64 * 4)).unwrap_or(usize::MAX);
    wanted.min(affordable).max(256)
}

/// Trains on `sample` (flat, finite, not zero under cosine).
///
/// # Errors
/// The sample is smaller than the number of centroids.
pub(super) fn train(mut sample: Vec<f32>, dimension: usize, choice: &Choice, metric: Metric) -> Result<Models> {
    if metric == Metric::Cosine {
        sample.par_chunks_exact_mut(dimension).for_each(normalise);
    }
    let distance = if metric == Metric::Dot { DistanceType::Dot } else { DistanceType::L2 };
    let vectors = list(sample, dimension)?;
    let params = KMeansParams::new(None, IVF_ROUNDS, 1, distance).with_seed(SEED);
    let kmeans = KMeans::new_with_params(&vectors, choice.partitions, &params).map_err(|e| failed(&e))?;
    let centroids = list(kmeans.centroids.as_primitive::<Float32Type>().values().to_vec(), dimension)?;
    let codebook = if choice.kind == IndexKind::IvfPq {
        let mut rows = vectors.values().as_primitive::<Float32Type>().values().to_vec();
        rows.truncate((PQ_SAMPLE << choice.bits) * dimension);
        if metric != Metric::Dot {
            subtract_nearest(&mut rows, &centroids, dimension)?;
        }
        codebook(&rows, dimension, choice.sub_vectors, 1 << choice.bits, distance)?
    } else {
        Vec::new()
    };
    Ok(Models { centroids: Arc::new(centroids), codebook })
}

fn normalise(vector: &mut [f32]) {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        for value in vector {
            *value /= norm;
        }
    }
}

fn subtract_nearest(rows: &mut [f32], centroids: &FixedSizeListArray, dimension: usize) -> Result<()> {
    let vectors = list(rows.to_vec(), dimension)?;
    let (nearest, _) = compute_partitions_arrow_array(centroids, &vectors, DistanceType::L2).map_err(|e| failed(&e))?;
    let values = centroids.values().as_primitive::<Float32Type>().values();
    for (row, nearest) in rows.chunks_exact_mut(dimension).zip(nearest) {
        let Some(nearest) = nearest else { continue };
        let centroid = &values[nearest as usize * dimension..][..dimension];
        row.iter_mut().zip(centroid).for_each(|(v, c)| *v -= c);
    }
    Ok(())
}

/// One k-means for each sub-vector, side by side.
fn codebook(rows: &[f32], dimension: usize, sub_vectors: usize, centroids: usize, distance: DistanceType) -> Result<Vec<f32>> {
    let width = dimension / sub_vectors;
    let parts = (0..sub_vectors).into_par_iter().map(|m| -> Result<Vec<f32>> {
        let part: Vec<f32> = rows.chunks_exact(dimension).flat_map(|row| row[m * width..(m + 1) * width].iter().copied()).collect();
        let params = KMeansParams::new(None, PQ_ROUNDS, 1, distance).with_seed(SEED + m as u64);
        let kmeans = KMeans::new_with_params(&list(part, width)?, centroids, &params).map_err(|e| failed(&e))?;
        Ok(kmeans.centroids.as_primitive::<Float32Type>().values().to_vec())
    });
    Ok(parts.collect::<Result<Vec<_>>>()?.concat())
}

fn list(values: Vec<f32>, dimension: usize) -> Result<FixedSizeListArray> {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let size = i32::try_from(dimension).map_err(|_| Error::new("the dimension is over 2^31"))?;
    FixedSizeListArray::try_new(item, size, Arc::new(Float32Array::from(values)), None).map_err(|e| failed(&e))
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::new(format!("cannot train the vector index: {error}"))
}
