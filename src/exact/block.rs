//! Exact distances between many queries and blocks of rows, and the best of each query so far. Pure; reads no dataset.
//!
//! The kernel works in float32 and only rules rows out: by the bound on the rounding of a sum of n products (Higham, "Accuracy and Stability
//! of Numerical Algorithms", section 3.1: n·u·Σ|xy| with u = 2⁻²⁴), a row that it rules out is not among the nearest. The distance of every
//! other row is computed anew in float64 from the values as they are stored, so that nothing depends on the CPU.

use std::collections::BinaryHeap;

use super::kernel::{Cpu, Panel, QUERIES, ROWS, near};
use crate::dataset::choose::Metric;

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Distance as Lance defines it: squared for L2, 1 − cosine, 1 − product.
    pub distance: f64,
    /// The row's address.
    pub address: u64,
}

impl Eq for Hit {}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hit {
    /// The nearer first; of equally near ones, the row that comes first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.distance.total_cmp(&other.distance).then(self.address.cmp(&other.address))
    }
}

/// The exact distance of two vectors; no number under cosine where one of them is all zero.
#[must_use]
pub fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    match metric {
        Metric::L2 => sum(a, b, |a, b| (a - b) * (a - b)),
        Metric::Dot => 1.0 - sum(a, b, |a, b| a * b),
        Metric::Cosine => {
            let norms = (sum(a, a, |a, b| a * b) * sum(b, b, |a, b| a * b)).sqrt();
            if norms == 0.0 { f64::NAN } else { 1.0 - sum(a, b, |a, b| a * b) / norms }
        }
    }
}

/// Sums in eight lanes, which the compiler makes vector registers of; always in the same order.
fn sum(a: &[f32], b: &[f32], of: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0f64; 8];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] += of(f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    lanes.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| of(f64::from(*a), f64::from(*b))).sum::<f64>()
}

/// Queries in the kernel's order.
#[derive(Debug)]
pub struct Queries {
    metric: Metric,
    width: usize,
    count: usize,
    /// As they were given, one after the other.
    flat: Vec<f32>,
    /// Panels of [`QUERIES`], component by component; under cosine and dot of length 1.
    packed: Vec<f32>,
    /// Length of each.
    norms: Vec<f64>,
    /// Relative rounding of a sum of so many products.
    rounding: f64,
    cpu: Cpu,
}

impl Queries {
    /// `flat` holds whole queries of `width` values. A query that is not finite, or all zero under cosine, finds nothing.
    #[must_use]
    pub fn new(metric: Metric, width: usize, flat: Vec<f32>) -> Self {
        Self::on(Cpu::here(), metric, width, flat)
    }

    fn on(cpu: Cpu, metric: Metric, width: usize, flat: Vec<f32>) -> Self {
        let count = flat.len() / width.max(1);
        let norms: Vec<f64> = flat.chunks_exact(width.max(1)).map(|q| sum(q, q, |a, b| a * b).sqrt()).collect();
        let mut packed = vec![0f32; count.div_ceil(QUERIES) * QUERIES * width];
        for (at, (query, norm)) in flat.chunks_exact(width.max(1)).zip(&norms).enumerate() {
            let panel = &mut packed[at / QUERIES * QUERIES * width..][..QUERIES * width];
            let scale = if metric == Metric::L2 || *norm == 0.0 { 1.0 } else { 1.0 / norm };
            for (lanes, value) in panel.as_chunks_mut::<QUERIES>().0.iter_mut().zip(query) {
                lanes[at % QUERIES] = narrow(f64::from(*value) * scale);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^52")]
        let rounding = (width as f64 + 16.0) * f64::from(f32::EPSILON);
        Self { metric, width, count, flat, packed, norms, rounding, cpu }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn get(&self, at: usize) -> &[f32] {
        &self.flat[at * self.width..][..self.width]
    }

    /// The value, as the kernel compares it, above which no row of this query is wanted whose distance must not be above `distance`.
    fn limit(&self, at: usize, distance: f64) -> f32 {
        let norm = self.norms[at];
        if !norm.is_finite() || (norm == 0.0 && self.metric == Metric::Cosine) {
            return f32::NAN;
        }
        let value = match self.metric {
            Metric::Cosine => distance - 1.0 + self.rounding,
            // Half of the bound is in the rows' bias: (|x| + |q|)² ≤ 2|x|² + 2|q|².
            Metric::L2 => distance - norm * norm + 4.0 * self.rounding * norm * norm,
            Metric::Dot => (distance - 1.0) / if norm == 0.0 { 1.0 } else { norm },
        };
        // The next float up, because rounding to float32 must not rule a row out.
        narrow(value).next_up()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float64 to float32 rounds, which is meant")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// What one thread has found, and its room for packed rows.
#[derive(Debug)]
pub struct Finder {
    keep: usize,
    best: Vec<BinaryHeap<Hit>>,
    limits: Vec<[f32; QUERIES]>,
    packed: Vec<f32>,
    panels: Vec<([f32; ROWS], [f32; ROWS])>,
}

/// Bytes of packed rows: less than the second-level cache of one core.
const BLOCK: usize = 512 << 10;

impl Finder {
    /// Keeps the `keep` nearest rows of each query.
    #[must_use]
    pub fn new(queries: &Queries, keep: usize) -> Self {
        let limits = (0..queries.count.div_ceil(QUERIES) * QUERIES).map(|at| if at < queries.count { queries.limit(at, f64::INFINITY) } else { f32::NAN });
        let limits: Vec<f32> = limits.collect();
        let best = (0..queries.count).map(|_| BinaryHeap::with_capacity(keep + 1)).collect();
        Self { keep, best, limits: limits.as_chunks().0.to_vec(), packed: Vec::new(), panels: Vec::new() }
    }

    /// Bytes that a finder holds for each query.
    #[must_use]
    pub fn bytes(keep: usize) -> usize {
        (keep + 1) * size_of::<Hit>() + size_of::<BinaryHeap<Hit>>() + size_of::<f32>()
    }

    /// Looks at rows of the queries' width; `address` gives the address of each, `None` for one that must not be found.
    pub fn look(&mut self, queries: &Queries, rows: &[f32], address: impl Fn(usize) -> Option<u64>) {
        let width = queries.width;
        let block = (BLOCK / (width * ROWS * size_of::<f32>())).max(1) * ROWS;
        for (number, rows) in rows.chunks(block * width).enumerate() {
            let first = number * block;
            self.pack(queries, rows, &|row| address(first + row).is_some());
            for (group, panel) in queries.packed.chunks_exact(width * QUERIES).enumerate() {
                for (at, (values, (scale, bias))) in self.packed.chunks_exact(width * ROWS).zip(&self.panels).enumerate() {
                    let found = near(queries.cpu, panel, &Panel { values, scale, bias }, &self.limits[group]);
                    for (lane, mut bits) in found.into_iter().enumerate().filter(|(_, bits)| *bits != 0) {
                        let query = group * QUERIES + lane;
                        while bits != 0 {
                            let row = at * ROWS + bits.trailing_zeros() as usize;
                            bits &= bits - 1;
                            let Some(address) = address(first + row) else { continue };
                            let hit = Hit { distance: distance(queries.metric, queries.get(query), &rows[row * width..][..width]), address };
                            if let Some(limit) = keep_best(&mut self.best[query], self.keep, hit) {
                                self.limits[group][lane] = queries.limit(query, limit);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Packs a block of rows.
    fn pack(&mut self, queries: &Queries, rows: &[f32], wanted: &dyn Fn(usize) -> bool) {
        let width = queries.width;
        let panels = (rows.len() / width).div_ceil(ROWS);
        self.packed.resize(panels * ROWS * width, 0.0);
        self.panels.clear();
        for (number, (rows, packed)) in rows.chunks(ROWS * width).zip(self.packed.chunks_exact_mut(ROWS * width)).enumerate() {
            let (mut scale, mut bias) = ([0f32; ROWS], [f32::NAN; ROWS]);
            for (lane, row) in rows.chunks_exact(width).enumerate() {
                if wanted(number * ROWS + lane) {
                    (scale[lane], bias[lane]) = queries.factors(row);
                }
            }
            transpose(rows, packed, width);
            self.panels.push((scale, bias));
        }
    }

    /// The best rows of each query, the nearest first, of what several finders have found.
    #[must_use]
    pub fn merge(finders: Vec<Self>) -> Vec<Vec<Hit>> {
        let mut finders = finders.into_iter();
        let Some(mut all) = finders.next() else { return vec![] };
        for other in finders {
            for (mine, theirs) in all.best.iter_mut().zip(other.best) {
                for hit in theirs {
                    keep_best(mine, all.keep, hit);
                }
            }
        }
        all.best.into_iter().map(BinaryHeap::into_sorted_vec).collect()
    }
}

impl Queries {
    /// What a row's products are multiplied with and what is added; the second is no number for a row that cannot be found.
    fn factors(&self, row: &[f32]) -> (f32, f32) {
        let square = squares(row);
        if self.metric == Metric::Cosine && square < TINY {
            // Squares of such small values have lost digits, or are zero though the values are not.
            let exact = sum(row, row, |a, b| a * b).sqrt();
            return if exact > 0.0 { (narrow(-1.0 / exact), 0.0) } else { (0.0, f32::NAN) };
        }
        if !square.is_finite() {
            // A value that is no number, or a length whose square float32 does not hold.
            return (0.0, f32::NAN);
        }
        match self.metric {
            Metric::Cosine => (-1.0 / square.sqrt(), 0.0),
            Metric::L2 => (-2.0, square - narrow(4.0 * self.rounding) * square),
            Metric::Dot => (-1.0, -narrow(2.0 * self.rounding) * square.sqrt()),
        }
    }
}

/// Below this, a sum of squares may be made of numbers that float32 keeps with fewer digits.
const TINY: f32 = 1e-28;

/// The squared length, in float32.
fn squares(row: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for lane in 0..16 {
            lanes[lane] += chunk[lane] * chunk[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|v| v * v).sum::<f32>()
}

/// Rows to columns, eight components of all rows at a time, so that what is written stays in the first-level cache. Lanes without a row
/// keep what they held; their bias rules them out.
fn transpose(rows: &[f32], packed: &mut [f32], width: usize) {
    const STEP: usize = 16;
    for (number, packed) in packed.chunks_mut(STEP * ROWS).enumerate() {
        let from = number * STEP;
        let columns = packed.as_chunks_mut::<ROWS>().0;
        for (lane, row) in rows.chunks_exact(width).enumerate() {
            for (column, value) in columns.iter_mut().zip(&row[from..]) {
                column[lane] = *value;
            }
        }
    }
}

/// Puts a row among the best if it is one of them. Gives the distance that the next must not be above, once there are enough.
fn keep_best(best: &mut BinaryHeap<Hit>, keep: usize, hit: Hit) -> Option<f64> {
    if hit.distance.is_nan() {
        return None;
    }
    best.push(hit);
    if best.len() > keep {
        best.pop();
    }
    (best.len() == keep).then(|| best.peek().map_or(f64::INFINITY, |worst| worst.distance))
}
