//! The nearest of k centroids for sixteen points at a time: the loop that all of index building spends its time in.
//!
//! One plain Rust body, compiled once for any CPU and once each for AVX2 and AVX-512; which one runs is decided at run time.
//! Every lane adds its products in the same order and nothing is fused, so all of them give the same bits: an index does
//! not depend on the machine that built it. Not the k-means itself (`kmeans.rs`).

use rayon::prelude::*;

/// Points that one call looks at.
pub const LANES: usize = 16;

/// Centroids with what the kernel wants to know about them.
#[derive(Debug, Clone)]
pub struct Centroids {
    /// k × width, one after the other.
    pub values: Vec<f32>,
    /// What is added to a centroid's negated product: half its squared norm for L2; 0 to find the largest product.
    bias: Vec<f32>,
    width: usize,
}

impl Centroids {
    /// Nearest means the smallest Euclidean distance.
    #[must_use]
    pub fn l2(values: Vec<f32>, width: usize) -> Self {
        let bias = values.chunks_exact(width).map(|c| c.iter().map(|v| v * v).sum::<f32>() / 2.0).collect();
        Self { values, bias, width }
    }

    /// Nearest means the largest product.
    #[must_use]
    pub fn dot(values: Vec<f32>, width: usize) -> Self {
        let bias = vec![0.0; values.len() / width];
        Self { values, bias, width }
    }

    /// One centroid.
    #[must_use]
    pub fn get(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..][..self.width]
    }

    /// The number (from 0) of the nearest centroid of each of sixteen points, the lowest of several equally near ones. `points`
    /// holds width × 16 values, component by component.
    ///
    /// # Panics
    /// `points` has another length.
    #[must_use]
    pub fn nearest(&self, points: &[f32]) -> [u32; LANES] {
        assert_eq!(points.len(), self.width * LANES, "sixteen points of the centroids' width");
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            // Everything that the function is compiled for: there are CPUs with the first of these only.
            if has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq") {
                #[expect(unsafe_code, reason = "a function compiled for AVX-512 may only be called where the CPU has it")]
                // SAFETY: the line above has asked the CPU.
                return unsafe { nearest_avx512(self, points) };
            }
            if has!("avx2") {
                #[expect(unsafe_code, reason = "a function compiled for AVX2 may only be called where the CPU has it")]
                // SAFETY: the line above has asked the CPU.
                return unsafe { nearest_avx2(self, points) };
            }
        }
        nearest(self, points)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
fn nearest_avx512(centroids: &Centroids, points: &[f32]) -> [u32; LANES] {
    nearest(centroids, points)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn nearest_avx2(centroids: &Centroids, points: &[f32]) -> [u32; LANES] {
    nearest(centroids, points)
}

/// The usual widths of a sub-vector are compiled apart, so that their loop over components is unrolled.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the body must be compiled inside each of the functions for a kind of CPU")]
fn nearest(centroids: &Centroids, points: &[f32]) -> [u32; LANES] {
    match centroids.width {
        1 => body(centroids, points, 1),
        2 => body(centroids, points, 2),
        4 => body(centroids, points, 4),
        8 => body(centroids, points, 8),
        16 => body(centroids, points, 16),
        width => body(centroids, points, width),
    }
}

/// Four centroids at once: each component of the points is loaded once for all four, their sums do not wait for each other,
/// and only the best of the four is held against what was found before. Without a branch, and with each array under a name of
/// its own, so that the compiler keeps all of it in vector registers.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the body must be compiled inside each of the functions for a kind of CPU")]
fn body(centroids: &Centroids, points: &[f32], width: usize) -> [u32; LANES] {
    let (mut score, mut nearest) = ([f32::INFINITY; LANES], [0u32; LANES]);
    let mut number = 0u32;
    let (points, _) = points.as_chunks::<LANES>();
    let groups = centroids.values.chunks_exact(4 * width);
    let rest = groups.remainder();
    let (biases, rest_biases) = centroids.bias.as_chunks::<4>();
    for (group, bias) in groups.zip(biases) {
        let (a, group) = group.split_at(width);
        let (b, group) = group.split_at(width);
        let (c, d) = group.split_at(width);
        let (mut sum_a, mut sum_b, mut sum_c, mut sum_d) = ([0f32; LANES], [0f32; LANES], [0f32; LANES], [0f32; LANES]);
        for ((((lanes, a), b), c), d) in points.iter().zip(a).zip(b).zip(c).zip(d) {
            for lane in 0..LANES {
                sum_a[lane] += lanes[lane] * a;
                sum_b[lane] += lanes[lane] * b;
                sum_c[lane] += lanes[lane] * c;
                sum_d[lane] += lanes[lane] * d;
            }
        }
        for lane in 0..LANES {
            let (a, b) = (bias[0] - sum_a[lane], bias[1] - sum_b[lane]);
            let (c, d) = (bias[2] - sum_c[lane], bias[3] - sum_d[lane]);
            let (low, low_number) = if b < a { (b, number | 1) } else { (a, number) };
            let (high, high_number) = if d < c { (d, number | 3) } else { (c, number | 2) };
            let (best, best_number) = if high < low { (high, high_number) } else { (low, low_number) };
            let nearer = best < score[lane];
            score[lane] = if nearer { best } else { score[lane] };
            nearest[lane] = if nearer { best_number } else { nearest[lane] };
        }
        number = number.wrapping_add(4);
    }
    for (centroid, bias) in rest.chunks_exact(width).zip(rest_biases) {
        let mut sum = [0f32; LANES];
        for (value, lanes) in centroid.iter().zip(points) {
            for lane in 0..LANES {
                sum[lane] += lanes[lane] * value;
            }
        }
        for lane in 0..LANES {
            let nearer = bias - sum[lane] < score[lane];
            score[lane] = if nearer { bias - sum[lane] } else { score[lane] };
            nearest[lane] = if nearer { number } else { nearest[lane] };
        }
        number = number.wrapping_add(1);
    }
    nearest
}

/// Rows in the kernel's order: blocks of sixteen, each component by component.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// For each block, width × 16 values. Lanes past the last row are zero.
    values: Vec<f32>,
    width: usize,
    rows: usize,
}

impl Blocks {
    /// Room for `rows` rows, all zero.
    #[must_use]
    pub fn new(rows: usize, width: usize) -> Self {
        Self { values: vec![0.0; rows.div_ceil(LANES) * width * LANES], width, rows }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Forgets the rows from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.rows = rows.min(self.rows);
        self.values.truncate(self.rows.div_ceil(LANES) * self.width * LANES);
    }

    /// Puts one row.
    pub fn set(&mut self, at: usize, row: &[f32]) {
        let block = self.block_mut(at / LANES);
        for (lanes, value) in block.as_chunks_mut::<LANES>().0.iter_mut().zip(row) {
            lanes[at % LANES] = *value;
        }
    }

    /// Copies one row out.
    pub fn get(&self, at: usize, row: &mut [f32]) {
        let block = &self.values[at / LANES * self.width * LANES..][..self.width * LANES];
        for (lanes, value) in block.as_chunks::<LANES>().0.iter().zip(row) {
            *value = lanes[at % LANES];
        }
    }

    /// One block.
    #[must_use]
    pub fn block_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.values[at * self.width * LANES..][..self.width * LANES]
    }

    /// All blocks.
    #[must_use]
    pub fn blocks(&self) -> impl IndexedParallelIterator<Item = &[f32]> {
        self.values.par_chunks_exact(self.width * LANES)
    }

    /// Components `from` to `from + width` of each block, with the number of its first row and of its rows.
    pub fn parts(&self, from: usize, width: usize) -> impl Iterator<Item = (usize, usize, &[f32])> {
        self.values.chunks_exact(self.width * LANES).enumerate().map(move |(at, block)| {
            let first = at * LANES;
            (first, LANES.min(self.rows - first), &block[from * LANES..][..width * LANES])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Random;
    use super::*;

    fn of(flat: &[f32], width: usize) -> Blocks {
        let mut blocks = Blocks::new(flat.len() / width, width);
        flat.chunks_exact(width).enumerate().for_each(|(at, row)| blocks.set(at, row));
        blocks
    }

    fn random(n: usize, seed: u64) -> Vec<f32> {
        let mut random = Random(seed);
        (0..n).map(|_| random.unit()).collect()
    }

    #[test]
    fn finds_the_nearest_for_every_width_and_number() {
        for width in [1, 2, 3, 4, 5, 8, 16, 33] {
            for k in [1, 3, 4, 7, 16, 256] {
                let (points, values) = (random(LANES * width, 1), random(k * width, 2));
                let found = Centroids::l2(values.clone(), width).nearest(of(&points, width).block_mut(0));
                for (lane, point) in points.chunks_exact(width).enumerate() {
                    let distance = |c: &[f32]| c.iter().zip(point).map(|(c, p)| f64::from(c - p).powi(2)).sum::<f64>();
                    let best = values.chunks_exact(width).map(distance).fold(f64::INFINITY, f64::min);
                    let at = found[lane] as usize;
                    assert!(distance(&values[at * width..][..width]) <= best + 1e-5, "width {width}, {k} centroids");
                }
            }
        }
    }

    #[test]
    fn every_cpu_gives_the_same_bits() {
        for width in [2, 3, 8, 64] {
            let (points, values) = (random(LANES * width, 3), random(61 * width, 4));
            let (mut blocks, centroids) = (of(&points, width), Centroids::l2(values, width));
            let block = blocks.block_mut(0);
            let (here, plain) = (centroids.nearest(block), nearest(&centroids, block));
            assert_eq!(here, plain);
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                #[expect(unsafe_code, reason = "a function compiled for AVX2 may only be called where the CPU has it")]
                // SAFETY: the line above has asked the CPU.
                let narrow = unsafe { nearest_avx2(&centroids, block) };
                assert_eq!(narrow, plain);
            }
        }
    }
}
