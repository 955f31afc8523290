//! Indices of the vectors beside the main one (`--vector-indices`): which of them Lance can index, and how.
//!
//! Built by Lance itself, training included; the main vector's index is [`super`]'s own work.

use std::sync::Arc;

use lance::index::vector::VectorIndexParams;
use lance_index::IndexType;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::pq::PQBuildParams;
use lance_linalg::distance::DistanceType;

use super::{Job, Order};
use crate::dataset::Engine;
use crate::dataset::choose::{IndexKind, Metric, Wishes, choose};
use crate::dataset::commit::Opened;
use crate::error::Result;
use crate::frame::element::Element;
use crate::frame::vectors::{VectorColumn, VectorKind};
use crate::reject::printable;

/// Iterations of k-means at most; Lance's own default.
const ITERATIONS: usize = 50;

/// The jobs, and a sentence for each vector that gets none.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn jobs(engine: &Arc<Engine>, opened: &Opened, order: &Order) -> Result<(Vec<Job>, Vec<String>)> {
    let (mut jobs, mut notes) = (Vec::new(), Vec::new());
    for vector in opened.layout()?.others {
        let shown = printable(&vector.column);
        let Some(metric) = metric(&vector, order.metric) else {
            notes.push(format!("{shown} ({}) has no index: Lance 14 has none for it", vector.kind.describe()));
            continue;
        };
        let rows = opened.filled(engine, &vector.column)?;
        if rows == 0 {
            notes.push(format!("{shown} has no index: no row has this vector"));
            continue;
        }
        jobs.push(Job::new(&vector.column, IndexType::Vector, Box::new(params(&vector, metric, rows, order)?)));
    }
    Ok((jobs, notes))
}

/// Names of the indices that a dataset with these vectors can have, if the vectors are there.
pub(crate) fn names(others: &[VectorColumn]) -> Vec<String> {
    others.iter().filter(|v| metric(v, Metric::Cosine).is_some()).map(|v| format!("{}_idx", v.column)).collect()
}

/// The metric for this vector: the dataset's, Hamming for bits and bytes, cosine for multi-vectors, which Lance has no other for.
fn metric(vector: &VectorColumn, metric: Metric) -> Option<DistanceType> {
    match vector.kind {
        VectorKind::Dense(_, Element::Binary | Element::UInt8) => Some(DistanceType::Hamming),
        VectorKind::Dense(_, Element::Float32 | Element::Float64 | Element::Float16) => Some(match metric {
            Metric::Cosine => DistanceType::Cosine,
            Metric::L2 => DistanceType::L2,
            Metric::Dot => DistanceType::Dot,
        }),
        VectorKind::Multi(_, Element::Float32) => Some(DistanceType::Cosine),
        VectorKind::Dense(_, Element::BFloat16 | Element::Int8) | VectorKind::Multi(..) | VectorKind::Sparse => None,
    }
}

fn params(vector: &VectorColumn, metric: DistanceType, rows: u64, order: &Order) -> Result<VectorIndexParams> {
    let wishes = Wishes { memory: order.wishes.memory, ..Wishes::default() };
    let choice = choose(IndexKind::Auto, wishes, rows, vector.kind.dimension().unwrap_or(1))?;
    if metric == DistanceType::Hamming {
        return Ok(VectorIndexParams::ivf_flat(1, metric));
    }
    let ivf = IvfBuildParams::new(choice.partitions.max(1));
    Ok(if choice.kind == IndexKind::IvfPq {
        let mut pq = PQBuildParams::new(choice.sub_vectors, choice.bits);
        pq.max_iters = ITERATIONS;
        VectorIndexParams::with_ivf_pq_params(metric, ivf, pq)
    } else {
        VectorIndexParams::with_ivf_flat_params(metric, ivf)
    })
}
