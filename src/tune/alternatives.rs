//! Other vector indices, built in a twin of the dataset and measured: what a plain search finds by each, its size and how long it takes to
//! build.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::trial::Trial;
use crate::dataset::Engine;
use crate::dataset::choose::{IndexKind, Metric, Wishes};
use crate::dataset::commit::{Opened, open};
use crate::dataset::index::Order;
use crate::dataset::index::alone::{VectorIndex, build_vector, twin};
use crate::dataset::nearest::How;
use crate::error::Result;

/// An index that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Alternative {
    /// Type and parameters.
    pub index: String,
    /// What a plain search finds.
    pub recall: f64,
    /// Median milliseconds of a plain search.
    pub p50_ms: f64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Seconds to build.
    pub build_seconds: f64,
    /// How to build it again.
    #[serde(skip)]
    pub order: Option<(IndexKind, Wishes)>,
}

/// `IVF_PQ, 2 partitions, 192 sub-vectors of 8 bits`
#[must_use]
pub fn described(index: &VectorIndex) -> String {
    let codes = index.codes.map(|(m, bits)| format!(", {m} sub-vectors of {bits} bits")).unwrap_or_default();
    format!("{}, {} partition{}{codes}", index.kind, index.partitions, if index.partitions == 1 { "" } else { "s" })
}

/// Where and with what indices are built.
#[derive(Debug)]
pub struct Builder<'a> {
    /// The runtime.
    pub engine: &'a Arc<Engine>,
    /// The dataset.
    pub dataset: &'a Path,
    /// A folder on the same volume that is the caller's to remove.
    pub scratch: PathBuf,
    /// How distance is measured.
    pub metric: Metric,
    /// Bytes that building may hold.
    pub memory: u64,
    /// Values of a vector.
    pub width: usize,
}

/// What is tried, the smallest first: a byte for two dimensions, other quantisers, a byte for each dimension, and whole vectors.
#[must_use]
pub fn candidates(width: usize, memory: u64) -> Vec<(IndexKind, Wishes)> {
    let with = |sub_vectors, bits| Wishes { sub_vectors, bits, memory: Some(memory), ..Wishes::default() };
    let mut all = Vec::new();
    if width.is_multiple_of(2) {
        all.push((IndexKind::IvfPq, with(Some(width / 2), Some(8))));
    }
    all.push((IndexKind::IvfRq, with(None, Some(5))));
    all.push((IndexKind::IvfRq, with(None, Some(8))));
    all.push((IndexKind::IvfPq, with(Some(width), Some(8))));
    all.push((IndexKind::IvfSq, with(None, None)));
    all.push((IndexKind::IvfHnswSq, with(None, None)));
    all.push((IndexKind::IvfFlat, with(None, None)));
    all
}

impl Builder<'_> {
    fn order(&self, (kind, wishes): (IndexKind, Wishes)) -> Order {
        Order { kind, wishes, metric: self.metric, memory: self.memory, named: false }
    }

    /// Builds each candidate in a twin of the dataset and measures it there. `enough` ends the search for one. Those that Lance cannot build
    /// are left out, with a line in the log.
    ///
    /// # Errors
    /// The scratch folder cannot be written, or the twin not be read.
    pub fn alternatives(&self, trial: &Trial, enough: &dyn Fn(&Alternative) -> bool, progress: &dyn Fn(&str)) -> Result<Vec<Alternative>> {
        let path = self.scratch.join("twin.lance");
        let name = self.scratch.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        twin(self.dataset, &path, &name)?;
        let mut opened = open(self.engine, &path)?;
        let present = opened.vector_index(self.engine)?.as_ref().map(described);
        let mut all: Vec<Alternative> = Vec::new();
        for (kind, wishes) in candidates(self.width, self.memory) {
            progress(&format!("trying {kind:?}"));
            let begin = Instant::now();
            if let Err(error) = build_vector(self.engine, &mut opened, &self.order((kind, wishes))) {
                tracing::info!("{kind:?} could not be built: {error}");
                continue;
            }
            let build_seconds = begin.elapsed().as_secs_f64();
            let Some(index) = opened.vector_index(self.engine)? else { continue };
            let index_text = described(&index) + &wishes.bits.filter(|_| kind == IndexKind::IvfRq).map(|b| format!(", {b} bits")).unwrap_or_default();
            if Some(&index_text) == present.as_ref() || all.iter().any(|a| a.index == index_text) {
                continue;
            }
            trial.measure(self.engine, &opened, &How::default())?;
            let found = trial.measure(self.engine, &opened, &How::default())?;
            let made =
                Alternative { index: index_text, recall: found.recall, p50_ms: found.p50_ms, bytes: index.bytes, build_seconds, order: Some((kind, wishes)) };
            let last = enough(&made);
            all.push(made);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Builds an index in the dataset itself.
    ///
    /// # Errors
    /// The disk is full, or the dataset cannot be written.
    pub fn rebuild(&self, opened: &mut Opened, order: (IndexKind, Wishes)) -> Result<()> {
        build_vector(self.engine, opened, &self.order(order)).map(|_| ())
    }
}

/// The fastest of those that reach the target.
#[must_use]
pub fn best(all: &[Alternative], target: f64) -> Option<&Alternative> {
    all.iter().filter(|a| a.recall >= target).min_by(|a, b| a.p50_ms.total_cmp(&b.p50_ms))
}
