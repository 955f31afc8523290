//! One pass over the column `vector`: how many rows hold a real vector, and a sample of those to train an index on.
//!
//! Lance's own sampling takes rows before it drops the NaN placeholders, so a column that is mostly placeholders cannot be
//! trained by it; this one counts and samples finite rows only, and the same dataset gives the same sample.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use futures::TryStreamExt;

use super::commit::Opened;
use super::kernel::Blocks;
use super::kmeans::normalise;
use super::{Engine, lance_error};
use crate::error::{Error, Result};

/// What the pass found.
#[derive(Debug)]
pub(super) struct Survey {
    /// Rows whose vector is finite.
    pub usable: u64,
    /// Of those, rows that are all zero.
    pub zero: u64,
    /// Sampled vectors, up to the limit; under cosine made to have length 1.
    pub sample: Blocks,
}

/// Reads the column once. Under cosine, all-zero vectors are counted but not sampled: it cannot use them.
///
/// # Errors
/// The dataset has no column `vector` of float32, or cannot be read.
pub(super) fn survey(engine: &Engine, opened: &Opened, dimension: usize, limit: usize, cosine: bool) -> Result<Survey> {
    let failed = |e: lance::Error| lance_error("read the vectors back", &e);
    let mut found = Survey { usable: 0, zero: 0, sample: Blocks::new(limit, dimension) };
    let mut random = Random(0x5EED);
    let mut sampled_from = 0u64;
    let mut row = vec![0.0; dimension];
    engine.block_on(async {
        let mut scanner = opened.dataset.scan();
        scanner.project(&["vector"]).map_err(failed)?;
        scanner.batch_size(batch_rows(dimension)).batch_readahead(2).fragment_readahead(1).io_buffer_size(IO_BUFFER);
        let mut stream = scanner.try_into_stream().await.map_err(failed)?;
        while let Some(batch) = stream.try_next().await.map_err(failed)? {
            let wrong = || Error::new("the column vector is no fixed_size_list of float32");
            let lists = batch.column(0).as_fixed_size_list_opt().ok_or_else(wrong)?;
            let values = lists.values().as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.values();
            for (at, vector) in values.chunks_exact(dimension).enumerate() {
                if lists.is_null(at) {
                    continue;
                }
                let (finite, zero) = usable(vector);
                found.usable += u64::from(finite);
                found.zero += u64::from(finite && zero);
                if !finite || (zero && cosine) {
                    continue;
                }
                sampled_from += 1;
                // Algorithm R: every row so far is in the sample with the same probability.
                let place = if sampled_from <= limit as u64 { sampled_from - 1 } else { random.below(sampled_from) };
                if place < limit as u64 {
                    row.copy_from_slice(vector);
                    if cosine {
                        normalise(&mut row);
                    }
                    found.sample.set(usize::try_from(place).unwrap_or(0), &row);
                }
            }
        }
        found.sample.truncate(usize::try_from(sampled_from).unwrap_or(usize::MAX));
        Ok(found)
    })
}

/// Whether every value is finite, and whether every value is zero. Looks at all of them without a branch, because nearly
/// every vector is usable.
pub(super) fn usable(vector: &[f32]) -> (bool, bool) {
    const EXPONENT: u32 = 0x7F80_0000;
    let (bad, any) = vector.iter().fold((0, 0), |(bad, any), value| {
        let bits = value.to_bits();
        (bad | u32::from(bits & EXPONENT == EXPONENT), any | bits << 1)
    });
    (bad == 0, any == 0)
}

/// Bytes that a scan of the vectors reads ahead: enough for a disk, little beside the smallest `--memory`.
pub(super) const IO_BUFFER: u64 = 16 << 20;

/// Rows of a batch of vectors: a few megabytes.
pub(super) fn batch_rows(dimension: usize) -> usize {
    ((2 << 20) / (dimension.max(1) * 4)).clamp(64, 4096)
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

    /// A number from −1 to 1.
    #[cfg(test)]
    pub(super) fn unit(&mut self) -> f32 {
        f32::from(i16::try_from(self.below(1 << 15)).unwrap_or(0)) / 16_384.0 - 1.0
    }
}
