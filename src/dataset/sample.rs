//! One pass over the column `vector`: how many rows hold a real vector, and a sample of those to train an index on.
//!
//! Lance's own sampling takes rows before it drops the NaN placeholders, so a column that is mostly placeholders cannot be
//! trained by it; this one counts and samples finite rows only, and the same dataset gives the same sample.

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use futures::TryStreamExt;

use super::commit::Opened;
use super::{Engine, lance_error};
use crate::error::{Error, Result};

/// What the pass found.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    /// Rows whose vector is finite.
    pub usable: u64,
    /// Of those, rows that are all zero.
    pub zero: u64,
    /// Values of a vector.
    pub dimension: usize,
    /// Sampled vectors, flat: up to `limit` × dimension values.
    pub sample: Vec<f32>,
}

/// Reads the column once. All-zero vectors are counted but not sampled when `skip_zero` is set: cosine cannot use them.
///
/// # Errors
/// The dataset has no column `vector` of float32, or cannot be read.
pub(super) fn survey(engine: &Engine, opened: &Opened, limit: usize, skip_zero: bool) -> Result<Survey> {
    let failed = |e: lance::Error| lance_error("read the vectors back", &e);
    let mut found = Survey::default();
    let mut random = Random(0x5EED);
    let mut sampled_from = 0u64;
    engine.block_on(async {
        let mut scanner = opened.dataset.scan();
        scanner.project(&["vector"]).map_err(failed)?;
        scanner.batch_size(1024).batch_readahead(2).fragment_readahead(1).io_buffer_size(32 << 20);
        let mut stream = scanner.try_into_stream().await.map_err(failed)?;
        while let Some(batch) = stream.try_next().await.map_err(failed)? {
            let wrong = || Error::new("the column vector is no fixed_size_list of float32");
            let lists = batch.column(0).as_fixed_size_list_opt().ok_or_else(wrong)?;
            let values = lists.values().as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.values();
            found.dimension = usize::try_from(lists.value_length()).unwrap_or(0).max(1);
            for vector in values.chunks_exact(found.dimension) {
                if !vector.iter().all(|v| v.is_finite()) {
                    continue;
                }
                found.usable += 1;
                if vector.iter().all(|v| *v == 0.0) {
                    found.zero += 1;
                    if skip_zero {
                        continue;
                    }
                }
                sampled_from += 1;
                // Algorithm R: every row so far is in the sample with the same probability.
                if found.sample.len() < limit * found.dimension {
                    found.sample.extend_from_slice(vector);
                } else {
                    let at = usize::try_from(random.below(sampled_from)).unwrap_or(usize::MAX);
                    if at < limit {
                        found.sample[at * found.dimension..][..found.dimension].copy_from_slice(vector);
                    }
                }
            }
        }
        Ok(found)
    })
}

/// SplitMix64: small, seeded, good enough for a sample.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `n` − 1.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(n)) >> 64).unwrap_or(0)
    }
}
