//! Eigenvectors of a symmetric matrix: Householder tridiagonalisation, then the implicit QL method.
//!
//! In float64 and in one fixed order of operations, so that the result is the same to the bit on any number of threads. Knows
//! nothing of vectors or variances.

use rayon::prelude::*;

/// Columns of the matrix of rotations that are kept together: one panel fits in a core's own cache.
const PANEL: usize = 32;
/// Rotations that are gathered before they are applied.
const BATCH: usize = 1 << 17;
/// Sweeps for one eigenvalue before it is given up; two are usual.
const SWEEPS: usize = 90;
/// Trailing matrices smaller than this are not worth a second thread.
const ALONE: usize = 192;

/// Some eigenpairs.
#[derive(Debug)]
pub struct Eigen {
    /// All eigenvalues, largest first.
    pub values: Vec<f64>,
    /// The eigenvectors of the first of them, one after another, each of length 1.
    pub vectors: Vec<f64>,
}

/// The sum of the products, in eight lanes: one order, whatever the machine.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (left, right) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (x, y) in left.0.iter().zip(right.0) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    let rest: f64 = left.1.iter().zip(right.1).map(|(x, y)| x * y).sum();
    ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7])) + rest
}

/// All eigenvalues of a symmetric matrix of `n` rows (row-major, all of it filled), and the eigenvectors of the `wanted` largest.
/// `None` if the method does not converge or a value is not finite. Needs as much memory again as the matrix.
#[must_use]
pub fn eigen(mut matrix: Vec<f64>, n: usize, wanted: usize) -> Option<Eigen> {
    let scale = matrix.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    if n == 0 || matrix.len() != n * n || !scale.is_finite() || matrix.iter().any(|v| v.is_nan()) {
        return None;
    }
    // A matrix of zeros has any basis for its eigenvectors.
    let scale = if scale > 0.0 { scale } else { 1.0 };
    for value in &mut matrix {
        *value /= scale;
    }
    let (mut diagonal, mut beside, factors) = tridiagonal(&mut matrix, n);
    let rotated = Rotated::ql(&mut diagonal, &mut beside)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| diagonal[*b].total_cmp(&diagonal[*a]));
    let wanted = wanted.min(n);
    let mut vectors = vec![0.0; wanted * n];
    vectors.par_chunks_mut(n).zip(&order).for_each(|(vector, row)| {
        rotated.row(*row, vector);
        // The reflections in reverse order turn an eigenvector of the tridiagonal matrix into one of the matrix.
        for k in (0..n.saturating_sub(2)).rev() {
            let v = &matrix[k * n + k + 1..(k + 1) * n];
            let part = factors[k] * dot(v, &vector[k + 1..]);
            vector[k + 1..].iter_mut().zip(v).for_each(|(y, v)| *y -= part * v);
        }
    });
    Some(Eigen { values: order.iter().map(|at| diagonal[*at] * scale).collect(), vectors })
}

/// Reduces the matrix to a tridiagonal one. Gives its diagonal, what stands beside that, and the factor of each reflection, whose
/// vector takes the place of the matrix' row right of the diagonal.
fn tridiagonal(matrix: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut diagonal, mut beside, mut factors) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    for k in 0..n {
        diagonal[k] = matrix[k * n + k];
        if k + 2 >= n {
            if k + 1 < n {
                beside[k] = matrix[k * n + k + 1];
            }
            continue;
        }
        let (above, below) = matrix.split_at_mut((k + 1) * n);
        let v = &mut above[k * n + k + 1..];
        let norm = dot(v, v).sqrt();
        // Everything right of the neighbour is zero already, or as good as that.
        if norm <= f64::MIN_POSITIVE.sqrt() || v[1..].iter().all(|x| *x == 0.0) {
            beside[k] = v[0];
            continue;
        }
        let head = if v[0] > 0.0 { -norm } else { norm };
        beside[k] = head;
        v[0] -= head;
        let factor = 2.0 / dot(v, v);
        factors[k] = factor;
        let v = &*v;
        let large = v.len() >= ALONE;
        let tail = |row: &[f64]| factor * dot(&row[k + 1..], v);
        let mut p: Vec<f64> = if large { below.par_chunks(n).map(tail).collect() } else { below.chunks(n).map(tail).collect() };
        let half = factor / 2.0 * dot(v, &p);
        p.iter_mut().zip(v).for_each(|(p, v)| *p -= half * v);
        let change = |(row, (a, b)): (&mut [f64], (&f64, &f64))| {
            row[k + 1..].iter_mut().zip(v.iter().zip(&p)).for_each(|(x, (v, p))| *x -= a * p + b * v);
        };
        if large {
            below.par_chunks_mut(n).zip(v.par_iter().zip(&p)).for_each(change);
        } else {
            below.chunks_mut(n).zip(v.iter().zip(&p)).for_each(change);
        }
    }
    (diagonal, beside, factors)
}

/// The product of all rotations, transposed: its rows are the eigenvectors of the tridiagonal matrix. Kept in panels of columns.
struct Rotated {
    n: usize,
    panels: Vec<f64>,
    waiting: Vec<(usize, f64, f64)>,
}

impl Rotated {
    /// Turns the tridiagonal matrix into a diagonal one. `None` if that does not come to an end.
    fn ql(d: &mut [f64], e: &mut [f64]) -> Option<Self> {
        let n = d.len();
        let mut this = Self { n, panels: vec![0.0; n * n.next_multiple_of(PANEL)], waiting: Vec::with_capacity(BATCH) };
        for at in 0..n {
            this.panels[at / PANEL * n * PANEL + at * PANEL + at % PANEL] = 1.0;
        }
        let norm = d.iter().chain(e.iter()).fold(0.0f64, |most, v| most.max(v.abs()));
        for l in 0..n {
            for sweep in 0.. {
                let small = |m: usize| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs()).max(norm / 128.0);
                let m = (l..n - 1).find(|m| small(*m)).unwrap_or(n - 1);
                if m == l {
                    break;
                }
                if sweep == SWEEPS {
                    return None;
                }
                this.sweep(d, e, l, m);
            }
        }
        this.apply();
        d.iter().all(|v| v.is_finite()).then_some(this)
    }

    #[expect(clippy::many_single_char_names, reason = "the names that every book gives them")]
    /// One implicit QL step with Wilkinson's shift on rows `l` to `m`.
    fn sweep(&mut self, d: &mut [f64], e: &mut [f64], l: usize, m: usize) {
        let shift = (d[l + 1] - d[l]) / (2.0 * e[l]);
        let root = shift.hypot(1.0);
        let mut g = d[m] - d[l] + e[l] / (shift + if shift < 0.0 { -root } else { root });
        let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
        for i in (l..m).rev() {
            let (f, b) = (s * e[i], c * e[i]);
            let r = f.hypot(g);
            e[i + 1] = r;
            if r == 0.0 {
                d[i + 1] -= p;
                e[m] = 0.0;
                return;
            }
            (s, c) = (f / r, g / r);
            g = d[i + 1] - p;
            let r = (d[i] - g) * s + 2.0 * c * b;
            p = s * r;
            d[i + 1] = g + p;
            g = c * r - b;
            self.waiting.push((i, c, s));
        }
        d[l] -= p;
        e[l] = g;
        e[m] = 0.0;
        if self.waiting.len() >= BATCH {
            self.apply();
        }
    }

    /// Applies what waits, every panel by itself.
    fn apply(&mut self) {
        let waiting = &self.waiting;
        self.panels.par_chunks_mut(self.n * PANEL).for_each(|panel| {
            let (rows, _) = panel.as_chunks_mut::<PANEL>();
            for (at, c, s) in waiting {
                let [upper, lower] = &mut rows[*at..*at + 2] else { continue };
                for (x, y) in upper.iter_mut().zip(lower) {
                    let z = *y;
                    *y = s * *x + c * z;
                    *x = c * *x - s * z;
                }
            }
        });
        self.waiting.clear();
    }

    /// Copies one row out of the panels.
    fn row(&self, row: usize, out: &mut [f64]) {
        for (panel, part) in out.chunks_mut(PANEL).enumerate() {
            let from = (panel * self.n + row) * PANEL;
            part.copy_from_slice(&self.panels[from..from + part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, the same in every run.
    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 33).unwrap_or(0)) / f64::from(1u32 << 31) - 0.5
        };
        (0..n).map(next).collect()
    }

    /// V·Λ·Vᵀ is the matrix and VᵀV is the unit matrix, to rounding.
    fn holds(matrix: &[f64], n: usize) {
        let found = eigen(matrix.to_vec(), n, n).expect("it converges");
        assert!(found.values.is_sorted_by(|a, b| a >= b), "{:?}", found.values);
        let scale = matrix.iter().fold(1e-300f64, |most, v| most.max(v.abs()));
        let vector = |k: usize| &found.vectors[k * n..(k + 1) * n];
        for i in 0..n {
            for j in 0..n {
                let unit = f64::from(u8::from(i == j));
                assert!((dot(vector(i), vector(j)) - unit).abs() < 1e-12, "vectors {i} and {j} of {n}");
                let sum: f64 = (0..n).map(|k| found.values[k] * vector(k)[i] * vector(k)[j]).sum();
                assert!((sum - matrix[i * n + j]).abs() <= 1e-11 * scale, "entry {i}, {j} of {n}: {sum} for {}", matrix[i * n + j]);
            }
        }
    }

    #[test]
    fn eigenvectors_give_the_matrix_back() {
        for n in [1, 2, 3, 5, 31, 32, 33, 100] {
            let half = numbers(n * n, n as u64);
            let any: Vec<f64> = (0..n * n).map(|at| half[at] + half[at % n * n + at / n]).collect();
            holds(&any, n);
            holds(&any.iter().map(|v| v * 1e60).collect::<Vec<_>>(), n);
            holds(&any.iter().map(|v| v * 1e-60).collect::<Vec<_>>(), n);
            // A covariance of fewer records than values: many eigenvalues are zero.
            let records = numbers(n * 3, 7);
            let low: Vec<f64> = (0..n * n).map(|at| (0..3).map(|r| records[r * n + at / n] * records[r * n + at % n]).sum()).collect();
            holds(&low, n);
        }
    }

    #[test]
    fn eigenvectors_of_odd_matrices() {
        let n = 40;
        holds(&vec![0.0; n * n], n);
        holds(&vec![1.0; n * n], n);
        let diagonal = |f: &dyn Fn(usize) -> f64| (0..n * n).map(|at| if at / n == at % n { f(at / n) } else { 0.0 }).collect::<Vec<f64>>();
        holds(&diagonal(&|_| 1.0), n);
        holds(&diagonal(&|i| 0.1f64.powi(i32::try_from(i).unwrap_or(0))), n);
        // Two blocks that have nothing to do with each other, with the same eigenvalues; and Wilkinson's matrix.
        holds(&(0..n * n).map(|at| f64::from(u8::from((at / n < 20) == (at % n < 20)))).collect::<Vec<_>>(), n);
        let n = 21usize;
        let entry = |at: usize| match (at / n).abs_diff(at % n) {
            0 => f64::from(u8::try_from((at / n).abs_diff(10)).unwrap_or(0)),
            1 => 1.0,
            _ => 0.0,
        };
        holds(&(0..n * n).map(entry).collect::<Vec<_>>(), n);
        assert!(eigen(vec![f64::NAN], 1, 1).is_none() && eigen(vec![f64::INFINITY], 1, 1).is_none() && eigen(vec![], 0, 0).is_none());
    }

    #[test]
    fn a_known_matrix_has_its_known_values() {
        let found = eigen(vec![2.0, 1.0, 1.0, 2.0], 2, 1).expect("it converges");
        assert!((found.values[0] - 3.0).abs() < 1e-15 && (found.values[1] - 1.0).abs() < 1e-15, "{found:?}");
        assert!((found.vectors[0].abs() - 0.5f64.sqrt()).abs() < 1e-15, "{found:?}");
    }

    #[test]
    fn threads_change_no_bit() {
        let n = 230;
        let half = numbers(n * n, 3);
        let matrix: Vec<f64> = (0..n * n).map(|at| half[at] + half[at % n * n + at / n]).collect();
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let found = pool.install(|| eigen(matrix.clone(), n, 20)).expect("it converges");
            found.vectors.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(with(1), with(5));
    }
}
