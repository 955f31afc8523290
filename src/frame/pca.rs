//! Principal components of vectors: sums taken over every vector that is given, components made of the sums, vectors projected.
//!
//! As scikit-learn's `PCA` does it: the mean is subtracted, variances are divided by the number of vectors less one, nothing is
//! whitened or normalised. Reads no dump and writes no file.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::eigen::{dot, eigen};
use crate::error::{Error, Result};

/// Vectors whose products are summed at a time.
const BLOCK: usize = 256;
/// Values of a vector that are held together.
const LANES: usize = 4;

/// What projects the vectors of one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Components {
    /// The database.
    pub source: String,
    /// The collection.
    pub collection: String,
    /// Values of a vector in the dump.
    pub from: usize,
    /// Values of a vector in the dataset.
    pub to: usize,
    /// Vectors that the components were made of.
    pub rows: u64,
    /// Variance of those, all values together.
    pub total: f64,
    /// Their mean, `from` values.
    #[serde(skip)]
    pub mean: Vec<f64>,
    /// The components, `to` rows of `from` values; the value of largest size is positive in each.
    #[serde(skip)]
    pub components: Vec<f64>,
    /// The variance along each component.
    #[serde(skip)]
    pub variances: Vec<f64>,
}

impl Components {
    /// Appends the projection of a vector of `from` values: `components · (vector − mean)`, in float64, rounded once.
    pub fn project(&self, vector: &[f32], out: &mut Vec<f32>) {
        let centred: Vec<f64> = vector.iter().zip(&self.mean).map(|(v, mean)| f64::from(*v) - mean).collect();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rounded to the dataset's float32; what is too large becomes an infinity, which the caller refuses"
        )]
        out.extend(self.components.chunks_exact(self.from).map(|component| dot(component, &centred) as f32));
    }

    /// The part of the variance that the projection keeps, from 0 to 1.
    #[must_use]
    pub fn kept(&self) -> f64 {
        if self.total > 0.0 { (self.variances.iter().sum::<f64>() / self.total).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Sums over vectors, in memory that does not depend on their number: `dimension`² float64 and one block of vectors.
#[derive(Debug)]
pub struct Moments {
    dimension: usize,
    /// Rounded up, so that every panel is full.
    width: usize,
    rows: u64,
    /// About the mean; taking it off first keeps the digits that a sum of squares would lose.
    shift: Vec<f64>,
    sum: Vec<f64>,
    /// Sums of products, upper triangle of `width` rows.
    products: Vec<f64>,
    block: Vec<f64>,
}

impl Moments {
    /// Bytes that sums and components of so many values take.
    #[must_use]
    pub fn bytes(dimension: usize) -> u64 {
        let d = dimension as u64;
        d * d * 16 + d * (BLOCK as u64 * 16 + 64)
    }

    /// No vector yet.
    #[must_use]
    pub fn new(dimension: usize) -> Self {
        let width = dimension.next_multiple_of(LANES);
        let block = Vec::with_capacity(dimension * BLOCK);
        Self { dimension, width, rows: 0, shift: vec![], sum: vec![0.0; dimension], products: vec![0.0; width * width], block }
    }

    /// Takes in vectors, one after another in one slice. The order decides about the last bits, nothing else does.
    pub fn add(&mut self, values: &[f32]) {
        for vector in values.chunks_exact(self.dimension) {
            self.block.extend(vector.iter().map(|v| f64::from(*v)));
            self.rows += 1;
            if self.block.len() == self.dimension * BLOCK {
                self.flush();
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a block has few rows")]
    fn flush(&mut self) {
        let (dimension, width) = (self.dimension, self.width);
        let rows = self.block.len() / dimension;
        if rows == 0 {
            return;
        }
        if self.shift.is_empty() {
            self.shift = vec![0.0; dimension];
            for row in self.block.chunks_exact(dimension) {
                self.shift.iter_mut().zip(row).for_each(|(s, v)| *s += v / rows as f64);
            }
        }
        // Panels of a few values of all rows: the sums below go through memory in order.
        let mut panels = vec![0.0; width * rows];
        for (row, values) in self.block.chunks_exact(dimension).enumerate() {
            for (at, (value, (shift, sum))) in values.iter().zip(self.shift.iter().zip(&mut self.sum)).enumerate() {
                let centred = value - shift;
                *sum += centred;
                panels[(at / LANES * rows + row) * LANES + at % LANES] = centred;
            }
        }
        let panel = |at: usize| panels[at * rows * LANES..(at + 1) * rows * LANES].as_chunks::<LANES>().0;
        self.products.par_chunks_mut(width * LANES).enumerate().for_each(|(i, strip)| {
            for j in i..width / LANES {
                let sums = products(panel(i), panel(j));
                for (row, sums) in strip.chunks_exact_mut(width).zip(sums) {
                    row[j * LANES..].iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                }
            }
        });
        self.block.clear();
    }

    /// The `to` principal components.
    ///
    /// # Errors
    /// Too few vectors for so many components, vectors that are all the same, or a method that does not come to an end.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    pub fn components(mut self, source: &str, collection: &str, to: usize) -> Result<Components> {
        self.flush();
        let (from, rows) = (self.dimension, self.rows);
        if rows <= to as u64 {
            return Err(Error::new(format!("{to} principal components need more than {to} vectors, and there are {rows} of {from} values"))
                .help("choose a smaller --dimension, or --resize truncate"));
        }
        let n = rows as f64;
        let delta: Vec<f64> = self.sum.iter().map(|s| s / n).collect();
        let mean: Vec<f64> = self.shift.iter().zip(&delta).map(|(s, d)| s + d).collect();
        // The covariance takes the place of the sums.
        let (mut matrix, width) = (self.products, self.width);
        for i in 0..from {
            for j in i..from {
                matrix[i * from + j] = (matrix[i * width + j] - n * delta[i] * delta[j]) / (n - 1.0);
            }
        }
        matrix.truncate(from * from);
        for i in 0..from {
            for j in 0..i {
                matrix[i * from + j] = matrix[j * from + i];
            }
        }
        let total: f64 = (0..from).map(|i| matrix[i * from + i]).sum();
        if total <= 0.0 {
            return Err(Error::new(format!("all {rows} vectors of {from} values are the same, so they have no principal components"))
                .help("use --resize truncate, or leave these records away"));
        }
        let found = eigen(matrix, from, to).ok_or_else(|| Error::new("the principal components cannot be computed: the method did not converge"))?;
        let mut components = found.vectors;
        for component in components.chunks_exact_mut(from) {
            let mut largest = component[0];
            for value in component.iter() {
                if value.abs() > largest.abs() {
                    largest = *value;
                }
            }
            if largest < 0.0 {
                for value in component {
                    *value = -*value;
                }
            }
        }
        let variances = found.values.iter().take(to).map(|v| v.max(0.0)).collect();
        Ok(Components { source: source.to_owned(), collection: collection.to_owned(), from, to, rows, total, mean, components, variances })
    }
}

/// Sums of the products of each value of one panel with each of another, over the rows.
fn products(left: &[[f64; LANES]], right: &[[f64; LANES]]) -> [[f64; LANES]; LANES] {
    let mut sums = [[0.0; LANES]; LANES];
    for (a, b) in left.iter().zip(right) {
        for (sums, a) in sums.iter_mut().zip(a) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors along two directions, far from zero.
    fn vectors(rows: usize) -> Vec<f32> {
        let mut out = Vec::new();
        for row in 0..rows {
            let (a, b) = (f32::from(u8::try_from(row * 37 % 101).unwrap_or(0)) - 50.0, f32::from(u8::try_from(row * 53 % 97).unwrap_or(0)) / 50.0);
            out.extend([1000.0 + a, 1000.0 - a, 500.0 + b, 500.0, 500.0 + b]);
        }
        out
    }

    #[test]
    fn components_are_the_directions_in_which_vectors_differ() {
        let mut moments = Moments::new(5);
        moments.add(&vectors(1000));
        let found = moments.components("s", "c", 2).expect("components");
        let h = 0.5f64.sqrt();
        for (value, wanted) in found.components.iter().zip([h, -h, 0.0, 0.0, 0.0, 0.0, 0.0, h, 0.0, h]) {
            assert!((value - wanted).abs() < 1e-3, "{found:?}");
        }
        assert!(found.kept() > 0.999_999 && found.rows == 1000, "{found:?}");
        let mut out = Vec::new();
        found.project(&[1010.0, 990.0, 500.0, 500.0, 500.0], &mut out);
        assert!((out[0] - 10.0 * 2f32.sqrt()).abs() < 1.0 && out.len() == 2, "{out:?}");
    }

    #[test]
    fn pieces_and_threads_change_no_bit() {
        let all = vectors(700);
        let fit = |piece: usize, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let mut moments = Moments::new(5);
                all.chunks(5 * piece).for_each(|some| moments.add(some));
                moments.components("s", "c", 3).expect("components")
            })
        };
        assert_eq!(fit(700, 1), fit(13, 4));
    }

    #[test]
    fn what_has_no_components_is_refused() {
        let few = Moments::new(4).components("s", "c", 2).expect_err("no vectors");
        assert!(few.to_string().contains("need more than 2 vectors, and there are 0"), "{few}");
        let mut same = Moments::new(2);
        same.add(&[1.0, 2.0].repeat(9));
        assert!(same.components("s", "c", 1).expect_err("no variance").to_string().contains("all 9 vectors"), "refused");
    }
}
