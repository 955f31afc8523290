//! EXACT: the true nearest rows, by comparing every query with every vector of a dataset. The reference that all figures on search are held
//! against.
//!
//! Blocked (`block.rs`), on all threads, in memory that does not depend on the dataset's size. No index is used. Reads only.

mod block;
mod kernel;

use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use roaring::RoaringTreemap;

pub use block::{Finder, Hit, Queries, distance};
pub use kernel::Cpu;

use crate::dataset::Engine;
use crate::dataset::choose::Metric;
use crate::dataset::commit::Opened;
use crate::dataset::read::{ADDRESS, Work};
use crate::error::{Error, Result};

/// What to look for.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// How distance is measured.
    pub metric: Metric,
    /// The column of fixed-size float32 lists: `vector`, or a named one.
    pub column: &'a str,
    /// Neighbours of each query.
    pub k: usize,
    /// Only these rows; `None` for all.
    pub only: Option<Arc<RoaringTreemap>>,
    /// Bytes that the search may hold beside what the scan holds.
    pub memory: u64,
}

/// Neighbours that are kept beside the k, so that those as far as the k-th are known.
const TIES: usize = 16;
/// Bytes of a batch of vectors.
const BATCH: usize = 4 << 20;

/// The true neighbours of one query.
#[derive(Debug, Clone, Default)]
pub struct Neighbours {
    /// The k nearest; fewer only where fewer rows can be found.
    pub nearest: Vec<Hit>,
    /// Rows after them that are as near as the last of them, as far as float32 can tell.
    pub ties: Vec<Hit>,
}

impl Neighbours {
    /// Whether a row is one of the nearest, or as near as the last of them.
    #[must_use]
    pub fn has(&self, address: u64) -> bool {
        self.nearest.iter().chain(&self.ties).any(|hit| hit.address == address)
    }

    /// The k nearest without one row, which is the query itself.
    #[must_use]
    pub fn without(self, address: u64, k: usize) -> Self {
        let left = self.nearest.into_iter().chain(self.ties).filter(|hit| hit.address != address).collect();
        settle(left, k)
    }

    /// The share of the nearest that was found; 1 where there are none to find.
    #[must_use]
    pub fn recall(&self, found: impl Iterator<Item = u64>) -> f64 {
        let hits = found.take(self.nearest.len()).filter(|address| self.has(*address)).count();
        if self.nearest.is_empty() { 1.0 } else { share(hits, self.nearest.len()) }
    }
}

/// `part` of `whole`, 0 of nothing.
#[must_use]
pub fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of results are far below 2^52")]
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Finds the true neighbours of every query. `queries` holds whole vectors of `width` values, one after the other.
///
/// # Errors
/// The column is not there or of another type, or the dataset cannot be read.
pub fn neighbours(engine: &Engine, opened: &Opened, queries: &[f32], width: usize, ask: &Ask<'_>) -> Result<Vec<Neighbours>> {
    let keep = ask.k + TIES;
    let threads = rayon::current_num_threads().max(2);
    // Queries are held as they are and packed.
    let each = 2 * width * size_of::<f32>() + threads * Finder::bytes(keep);
    let group = usize::try_from(ask.memory / each as u64).unwrap_or(usize::MAX).clamp(64, 1 << 16);
    let mut all = Vec::with_capacity(queries.len() / width.max(1));
    for part in queries.chunks(group * width.max(1)) {
        let part = Arc::new(Queries::new(ask.metric, width, part.to_vec()));
        let finders = pass(engine, opened, &part, width, keep, ask)?;
        all.extend(Finder::merge(finders).into_iter().map(|hits| settle(hits, ask.k)));
    }
    Ok(all)
}

/// Reads all vectors once.
fn pass(engine: &Engine, opened: &Opened, queries: &Arc<Queries>, width: usize, keep: usize, ask: &Ask<'_>) -> Result<Vec<Finder>> {
    let idle: Arc<Mutex<Vec<Finder>>> = Arc::default();
    let (finders, queries, only, column) = (Arc::clone(&idle), Arc::clone(queries), ask.only.clone(), ask.column.to_owned());
    let work: Work<()> = Arc::new(move |batch: &RecordBatch| {
        let waiting = finders.lock().map_err(|_| Error::new("a thread of the exact search died"))?.pop();
        let mut finder = waiting.unwrap_or_else(|| Finder::new(&queries, keep));
        look(&mut finder, &queries, batch, &column, width, only.as_deref())?;
        finders.lock().map_err(|_| Error::new("a thread of the exact search died"))?.push(finder);
        Ok(())
    });
    let rows = (BATCH / (width.max(1) * size_of::<f32>())).clamp(64, 8192);
    opened.scan(engine, &[ask.column.to_owned()], rows, &work, &mut |()| Ok(()))?;
    drop(work);
    let mut found = idle.lock().map_err(|_| Error::new("a thread of the exact search died"))?;
    Ok(std::mem::take(&mut *found))
}

fn look(finder: &mut Finder, queries: &Queries, batch: &RecordBatch, column: &str, width: usize, only: Option<&RoaringTreemap>) -> Result<()> {
    let wrong = || Error::new(format!("the column {column} is no fixed_size_list of float32"));
    let lists = batch.column_by_name(column).and_then(|c| c.as_fixed_size_list_opt()).ok_or_else(wrong)?;
    let values = lists.values().as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
    if usize::try_from(lists.value_length()).ok() != Some(width) {
        return Err(Error::new(format!("the vectors of {column} have {} values and the queries {width}", lists.value_length())));
    }
    let addresses = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(wrong)?;
    let from = lists.value_offset(0);
    let values = &values.values()[usize::try_from(from).unwrap_or(0)..][..lists.len() * width];
    finder.look(queries, values, |row| {
        let address = addresses.value(row);
        (lists.is_valid(row) && only.is_none_or(|only| only.contains(address))).then_some(address)
    });
    Ok(())
}

/// Splits what was kept into the k nearest and those that float32 cannot tell from the last of them.
fn settle(mut hits: Vec<Hit>, k: usize) -> Neighbours {
    let mut ties = hits.split_off(hits.len().min(k));
    let last = hits.last().map_or(f64::NEG_INFINITY, |hit| hit.distance);
    ties.retain(|hit| hit.distance <= last + TIE * last.abs().max(1.0));
    Neighbours { nearest: hits, ties }
}

/// Two distances that differ by less, relative to the larger of 1 and the distance, are the same to float32.
const TIE: f64 = 2e-7;

#[cfg(test)]
mod tests;
