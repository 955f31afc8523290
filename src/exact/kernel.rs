//! Which rows may be near which queries, a tile at a time: the loop that exact search spends its time in.
//!
//! The shape is that of every fast matrix product (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): rows
//! are packed so that a vector register holds the same component of several rows, a component of a query is broadcast, and the sums of a
//! whole tile stay in registers. They never leave them: each is held against the query's limit there, and a bit is all that is told.
//! What a bit means, and the distance that counts, is for [`super::block`].

/// Rows of a packed panel: two registers of AVX-512, four of AVX2.
pub(super) const ROWS: usize = 32;
/// Queries of a packed panel: with two registers of rows, what AVX-512 has registers for.
pub(super) const QUERIES: usize = 12;

/// One bit for each row of a panel, for each query.
pub(super) type Near = [u32; QUERIES];

/// Packed rows, and what their products are made to: `product × scale + bias` is compared. Rows that cannot be found have a bias that is no
/// number.
pub(super) struct Panel<'a> {
    /// width × [`ROWS`] values, component by component.
    pub(super) values: &'a [f32],
    pub(super) scale: &'a [f32; ROWS],
    pub(super) bias: &'a [f32; ROWS],
}

/// The widest instructions that this CPU has and that the kernel knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpu {
    /// AVX-512F.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// Any other.
    Plain,
}

impl Cpu {
    /// Asks the CPU.
    #[must_use]
    pub fn here() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx512f") {
                return Self::Avx512;
            }
            if has!("avx2") && has!("fma") {
                return Self::Avx2;
            }
        }
        Self::Plain
    }
}

/// Bits of the rows whose value is not above the query's limit. `queries` holds width × [`QUERIES`] values, component by component. `cpu`
/// must be what [`Cpu::here`] has said, or less.
pub(super) fn near(cpu: Cpu, queries: &[f32], rows: &Panel<'_>, limits: &[f32; QUERIES]) -> Near {
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx512 => {
            #[expect(unsafe_code, reason = "a function compiled for AVX-512 may only be called where the CPU has it")]
            // SAFETY: `Cpu::here` has asked the CPU.
            unsafe {
                x86::avx512(queries, rows, limits)
            }
        }
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2 => {
            #[expect(unsafe_code, reason = "a function compiled for AVX2 may only be called where the CPU has it")]
            // SAFETY: `Cpu::here` has asked the CPU.
            unsafe {
                x86::avx2(queries, rows, limits)
            }
        }
        _ => plain(queries, rows, limits),
    }
}

fn plain(queries: &[f32], rows: &Panel<'_>, limits: &[f32; QUERIES]) -> Near {
    let mut sums = [[0f32; ROWS]; QUERIES];
    for (query, lanes) in queries.as_chunks::<QUERIES>().0.iter().zip(rows.values.as_chunks::<ROWS>().0) {
        for (sums, value) in sums.iter_mut().zip(query) {
            for (sum, lane) in sums.iter_mut().zip(lanes) {
                *sum += value * lane;
            }
        }
    }
    let mut near = [0; QUERIES];
    for ((near, sums), limit) in near.iter_mut().zip(&sums).zip(limits) {
        for (lane, sum) in sums.iter().enumerate() {
            *near |= u32::from(sum * rows.scale[lane] + rows.bias[lane] <= *limit) << lane;
        }
    }
    near
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "loads and stores of vector registers take pointers")]
mod x86 {
    use std::arch::x86_64::{
        __m256, _CMP_LE_OQ, _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_movemask_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm512_cmp_ps_mask,
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
    };

    use super::{Near, Panel, QUERIES, ROWS};

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(queries: &[f32], rows: &Panel<'_>, limits: &[f32; QUERIES]) -> Near {
        // SAFETY: each array has 32 values.
        let halves = |lanes: &[f32; ROWS]| unsafe { [_mm512_loadu_ps(lanes.as_ptr()), _mm512_loadu_ps(lanes.as_ptr().add(16))] };
        let mut sums = [[_mm512_setzero_ps(); 2]; QUERIES];
        for (query, lanes) in queries.as_chunks::<QUERIES>().0.iter().zip(rows.values.as_chunks::<ROWS>().0) {
            let [a, b] = halves(lanes);
            for (sum, value) in sums.iter_mut().zip(query) {
                let value = _mm512_set1_ps(*value);
                sum[0] = _mm512_fmadd_ps(value, a, sum[0]);
                sum[1] = _mm512_fmadd_ps(value, b, sum[1]);
            }
        }
        let (scale, bias) = (halves(rows.scale), halves(rows.bias));
        let mut near = [0; QUERIES];
        for ((near, sums), limit) in near.iter_mut().zip(sums).zip(limits) {
            let limit = _mm512_set1_ps(*limit);
            let low = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(_mm512_fmadd_ps(sums[0], scale[0], bias[0]), limit);
            let high = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(_mm512_fmadd_ps(sums[1], scale[1], bias[1]), limit);
            *near = u32::from(low) | u32::from(high) << 16;
        }
        near
    }

    /// Sixteen registers hold six queries and sixteen rows, so the tile is done in quarters.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(queries: &[f32], rows: &Panel<'_>, limits: &[f32; QUERIES]) -> Near {
        let mut near = [0; QUERIES];
        for first in [0, QUERIES / 2] {
            for lane in [0, ROWS / 2] {
                // SAFETY: each array has 32 values, and `lane` is at most 16.
                let halves = |lanes: &[f32; ROWS]| unsafe { [_mm256_loadu_ps(lanes.as_ptr().add(lane)), _mm256_loadu_ps(lanes.as_ptr().add(lane + 8))] };
                let mut sums = [[_mm256_setzero_ps(); 2]; QUERIES / 2];
                for (query, lanes) in queries.as_chunks::<QUERIES>().0.iter().zip(rows.values.as_chunks::<ROWS>().0) {
                    let [a, b] = halves(lanes);
                    for (sum, value) in sums.iter_mut().zip(&query[first..]) {
                        let value = _mm256_set1_ps(*value);
                        sum[0] = _mm256_fmadd_ps(value, a, sum[0]);
                        sum[1] = _mm256_fmadd_ps(value, b, sum[1]);
                    }
                }
                let (scale, bias) = (halves(rows.scale), halves(rows.bias));
                for ((near, sums), limit) in near[first..].iter_mut().zip(sums).zip(&limits[first..]) {
                    let limit = _mm256_set1_ps(*limit);
                    let bits = |sum: __m256, half: usize| {
                        let value = _mm256_fmadd_ps(sum, scale[half], bias[half]);
                        _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(value, limit)).cast_unsigned()
                    };
                    *near |= (bits(sums[0], 0) | bits(sums[1], 1) << 8) << lane;
                }
            }
        }
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_says_the_same_of_whole_numbers() {
        for width in [1, 2, 5, 384] {
            let values = |n: usize, by: usize| -> Vec<f32> { (0..n).map(|i| f32::from(u8::try_from(i * by % 17).unwrap()) - 8.0).collect() };
            let (queries, packed) = (values(width * QUERIES, 7), values(width * ROWS, 5));
            let (scale, mut bias) = ([-2.0; ROWS], [3.0; ROWS]);
            bias[4] = f32::NAN;
            let rows = Panel { values: &packed, scale: &scale, bias: &bias };
            let mut limits = [0.0; QUERIES];
            limits[2] = f32::INFINITY;
            let wanted = plain(&queries, &rows, &limits);
            assert_eq!(wanted[2], !(1 << 4), "an infinite limit lets all pass but what is no number");
            let have = Cpu::here();
            assert_eq!(near(have, &queries, &rows, &limits), wanted, "{have:?}");
            if have != Cpu::Plain {
                assert_eq!(near(Cpu::Avx2, &queries, &rows, &limits), wanted, "AVX2");
            }
        }
    }
}
