//! Counts of values in bins of one width, which grows with the range that is met: bounded, whatever the values are.
//!
//! The width is a power of two, and bins begin at multiples of it: the result does not depend on the order of the values.

use std::collections::BTreeMap;

use serde::Serialize;

/// Most bins.
const BINS: i64 = 40;
/// Numbers of bins stay below 2^this, where a float64 still counts exactly.
const LARGEST: f64 = 1_099_511_627_776.0;

/// One bin: values from `from`, included, to `to`, excluded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Smallest value that belongs here.
    pub from: f64,
    /// Smallest value that does not any more.
    pub to: f64,
    /// Values met.
    pub count: u64,
}

/// A histogram that finds its range by itself.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    /// Bins are 2^this wide.
    exponent: i32,
    counts: BTreeMap<i64, u64>,
}

impl Histogram {
    /// No value yet; bins are at least 2^`narrowest` wide, so that rounding errors do not look like a distribution.
    #[must_use]
    pub(super) fn new(narrowest: i32) -> Self {
        Self { exponent: narrowest, counts: BTreeMap::new() }
    }

    /// Counts a value, which must be finite.
    pub(super) fn add(&mut self, value: f64) {
        while value.abs() * 2f64.powi(-self.exponent) >= LARGEST {
            self.widen();
        }
        #[expect(clippy::cast_possible_truncation, reason = "held below 2^40 by the loop above")]
        let bin = (value * 2f64.powi(-self.exponent)).floor() as i64;
        *self.counts.entry(bin).or_default() += 1;
        self.fit();
    }

    /// Takes in what another one has counted.
    pub(super) fn merge(&mut self, mut other: Self) {
        while self.exponent < other.exponent {
            self.widen();
        }
        while other.exponent < self.exponent {
            other.widen();
        }
        for (bin, count) in other.counts {
            *self.counts.entry(bin).or_default() += count;
        }
        self.fit();
    }

    /// The bins from the first value to the last, empty ones between them included.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers of bins are below 2^40")]
    pub(super) fn bins(&self) -> Vec<Bin> {
        let width = 2f64.powi(self.exponent);
        let (Some((first, _)), Some((last, _))) = (self.counts.first_key_value(), self.counts.last_key_value()) else { return vec![] };
        let bin = |at: i64| Bin { from: at as f64 * width, to: (at + 1) as f64 * width, count: self.counts.get(&at).copied().unwrap_or(0) };
        (*first..=*last).map(bin).collect()
    }

    fn fit(&mut self) {
        while let (Some((first, _)), Some((last, _))) = (self.counts.first_key_value(), self.counts.last_key_value())
            && last - first >= BINS
        {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.exponent += 1;
        let mut wider = BTreeMap::new();
        for (bin, count) in std::mem::take(&mut self.counts) {
            // An arithmetic shift: negative numbers go down as well.
            *wider.entry(bin >> 1).or_default() += count;
        }
        self.counts = wider;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Vec<Bin> {
        let mut all = Histogram::new(-10);
        for v in values {
            all.add(*v);
        }
        all.bins()
    }

    #[test]
    fn every_value_is_in_its_bin_in_whatever_order() {
        let mut values: Vec<f64> = (0..1000).map(|n| f64::from(n * 37 % 1000) / 7.0 - 30.0).collect();
        let bins = of(&values);
        assert!(bins.len() <= 40 && bins.len() > 20, "{}", bins.len());
        for bin in &bins {
            let inside = values.iter().filter(|v| (bin.from..bin.to).contains(*v)).count() as u64;
            assert_eq!(bin.count, inside, "{bin:?}");
        }
        assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), 1000);
        values.reverse();
        assert_eq!(of(&values), bins);
        let (left, right) = values.split_at(13);
        let half = |values: &[f64]| {
            let mut one = Histogram::new(-10);
            for v in values {
                one.add(*v);
            }
            one
        };
        let mut both = half(left);
        both.merge(half(right));
        assert_eq!(both.bins(), bins);
    }

    #[test]
    fn odd_ranges() {
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[1.0, 1.000_000_1]), [Bin { from: 1.0, to: 1.0 + 2f64.powi(-10), count: 2 }]);
        assert_eq!(of(&[-1e30, 1e30]).iter().map(|b| b.count).sum::<u64>(), 2);
        assert!(of(&[3e38, 1e-38]).len() <= 40);
    }
}
