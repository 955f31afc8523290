//! The main vectors in figures: lengths, values, what each dimension holds, and which vectors are missing, zero or of length 1.

use serde::Serialize;

use super::histogram::{Bin, Histogram};
use super::real;
use super::sample::Sample;

/// Lengths that count as 1: float32 vectors that somebody has normalised.
const UNIT: f64 = 1e-3;
/// Narrowest bins of lengths: 2^-10.
const LENGTHS: i32 = -10;
/// Narrowest bins of values: 2^-20.
const VALUES: i32 = -20;

/// What the column `vector` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vectors {
    /// Values of a vector.
    pub dimension: usize,
    /// Records with a vector.
    pub present: u64,
    /// Records with the NaN placeholder instead of one.
    pub missing: u64,
    /// Vectors that are all zero.
    pub zero: u64,
    /// Vectors whose length is 1, to a thousandth.
    pub unit: u64,
    /// Lengths (Euclidean norms) of all vectors.
    pub norms: Spread,
    /// Values of the sampled vectors, all dimensions together.
    pub values: Spread,
    /// Vectors that the values were taken from.
    pub sampled: u64,
    /// Dimensions in which all vectors have the same value, from 0.
    pub constant: Vec<usize>,
    /// Each dimension, over all vectors, from 0.
    pub dimensions: Vec<Dimension>,
}

/// How numbers are spread; zeros throughout where there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The smallest.
    pub smallest: f64,
    /// The largest.
    pub largest: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation, of all of them (divided by their number).
    pub deviation: f64,
    /// Their histogram.
    pub bins: Vec<Bin>,
}

/// One dimension.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Dimension {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// The smallest value.
    pub smallest: f32,
    /// The largest value.
    pub largest: f32,
}

/// Sums about numbers.
#[derive(Debug, Clone)]
struct Sums {
    count: u64,
    sum: f64,
    squares: f64,
    smallest: f64,
    largest: f64,
    histogram: Histogram,
}

impl Sums {
    fn new(narrowest: i32) -> Self {
        Self { count: 0, sum: 0.0, squares: 0.0, smallest: f64::INFINITY, largest: f64::NEG_INFINITY, histogram: Histogram::new(narrowest) }
    }

    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
        self.smallest = self.smallest.min(value);
        self.largest = self.largest.max(value);
        self.histogram.add(value);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
        self.smallest = self.smallest.min(other.smallest);
        self.largest = self.largest.max(other.largest);
        self.histogram.merge(other.histogram);
    }

    fn spread(self) -> Spread {
        if self.count == 0 {
            return Spread::default();
        }
        let (mean, deviation) = moments(self.count, self.sum, self.squares);
        Spread { count: self.count, smallest: self.smallest, largest: self.largest, mean, deviation, bins: self.histogram.bins() }
    }
}

/// Mean and standard deviation by the sums of the values and of their squares.
fn moments(count: u64, sum: f64, squares: f64) -> (f64, f64) {
    let n = real(count.max(1));
    let mean = sum / n;
    (mean, (squares / n - mean * mean).max(0.0).sqrt())
}

/// What has been counted of the vectors.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    missing: u64,
    zero: u64,
    unit: u64,
    norms: Sums,
    sums: Vec<f64>,
    squares: Vec<f64>,
    smallest: Vec<f32>,
    largest: Vec<f32>,
}

/// What a vector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A NaN or an infinity: the placeholder.
    Missing,
    /// All zero.
    Zero,
    /// Any other.
    Usual,
}

impl Tally {
    /// No vector yet.
    #[must_use]
    pub(super) fn new(dimension: usize) -> Self {
        Self {
            missing: 0,
            zero: 0,
            unit: 0,
            norms: Sums::new(LENGTHS),
            sums: vec![0.0; dimension],
            squares: vec![0.0; dimension],
            smallest: vec![f32::INFINITY; dimension],
            largest: vec![f32::NEG_INFINITY; dimension],
        }
    }

    /// Counts one record's vector.
    pub(super) fn add(&mut self, vector: &[f32]) -> Sort {
        let norm = length(vector);
        if !norm.is_finite() {
            self.missing += 1;
            return Sort::Missing;
        }
        for (at, value) in vector.iter().enumerate() {
            let wide = f64::from(*value);
            self.sums[at] += wide;
            self.squares[at] += wide * wide;
            self.smallest[at] = self.smallest[at].min(*value);
            self.largest[at] = self.largest[at].max(*value);
        }
        self.norms.add(norm);
        self.unit += u64::from((norm - 1.0).abs() <= UNIT);
        if vector.iter().all(|v| *v == 0.0) {
            self.zero += 1;
            return Sort::Zero;
        }
        Sort::Usual
    }

    /// Takes in what was counted of later rows.
    pub(super) fn merge(&mut self, other: Self) {
        self.missing += other.missing;
        self.zero += other.zero;
        self.unit += other.unit;
        self.norms.merge(other.norms);
        self.sums.iter_mut().zip(other.sums).for_each(|(a, b)| *a += b);
        self.squares.iter_mut().zip(other.squares).for_each(|(a, b)| *a += b);
        self.smallest.iter_mut().zip(other.smallest).for_each(|(a, b)| *a = a.min(b));
        self.largest.iter_mut().zip(other.largest).for_each(|(a, b)| *a = a.max(b));
    }

    /// Vectors that are there and not zero: those that have a direction.
    #[must_use]
    pub(super) fn usual(&self) -> u64 {
        self.norms.count - self.zero
    }

    /// Vectors that are there.
    #[must_use]
    pub(super) fn present(&self) -> u64 {
        self.norms.count
    }

    /// As reported; the values are those of the sample.
    #[must_use]
    pub(super) fn vectors(self, sample: &Sample) -> Vectors {
        let count = self.norms.count;
        let mut values = Sums::new(VALUES);
        // In the order of the rows' mixed addresses, so the sums are the same in every run.
        sample.rows().flat_map(|row| &row.vector).for_each(|v| values.add(f64::from(*v)));
        let dimension = |at: usize| {
            let (mean, deviation) = moments(count, self.sums[at], self.squares[at]);
            Dimension { mean, deviation, smallest: self.smallest[at], largest: self.largest[at] }
        };
        let dimensions: Vec<Dimension> = if count == 0 { vec![] } else { (0..self.sums.len()).map(dimension).collect() };
        let constant = dimensions.iter().enumerate().filter(|(_, d)| count > 1 && d.smallest.to_bits() == d.largest.to_bits()).map(|(at, _)| at).collect();
        Vectors {
            dimension: self.sums.len(),
            present: count,
            missing: self.missing,
            zero: self.zero,
            unit: self.unit,
            norms: self.norms.spread(),
            values: values.spread(),
            sampled: sample.len() as u64,
            constant,
            dimensions,
        }
    }
}

/// The Euclidean norm, in float64: the square of a float32 does not overflow there.
#[must_use]
pub(super) fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Candidate;
    use super::*;

    #[test]
    fn figures_of_a_few_vectors() {
        let mut tally = Tally::new(2);
        assert_eq!(tally.add(&[0.6, 0.8]), Sort::Usual);
        assert_eq!(tally.add(&[0.0, 0.0]), Sort::Zero);
        assert_eq!(tally.add(&[f32::NAN, f32::NAN]), Sort::Missing);
        let mut more = Tally::new(2);
        more.add(&[3.0, 0.8]);
        tally.merge(more);
        assert_eq!((tally.usual(), tally.present()), (2, 3));
        let mut sample = Sample::new(9);
        sample.offer(Candidate { key: 1, address: 1, vector: vec![3.0, -4.0] });
        let found = tally.vectors(&sample);
        assert_eq!((found.present, found.missing, found.zero, found.unit, found.dimension, found.sampled), (3, 1, 1, 1, 2, 1));
        assert!((found.dimensions[0].mean - 1.2).abs() < 1e-7 && found.dimensions[1].largest.to_bits() == 0.8f32.to_bits(), "{found:?}");
        assert_eq!((found.values.smallest, found.values.largest, found.values.mean, found.values.deviation), (-4.0, 3.0, -0.5, 3.5));
        assert_eq!(found.norms.bins.iter().map(|b| b.count).sum::<u64>(), 3);
        assert!(found.constant.is_empty());
        assert_eq!(Tally::new(2).vectors(&Sample::new(1)).norms, Spread::default());
    }
}
