//! A random sample of rows that is the same in every run: the rows whose addresses, mixed, are the smallest numbers.
//!
//! So it does not depend on threads or on the order of reading, and every row has the same chance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One row that may belong to the sample.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The mixed address.
    pub key: u64,
    /// The row's address.
    pub address: u64,
    /// Its vector.
    pub vector: Vec<f32>,
}

/// The sample so far.
#[derive(Debug)]
pub(super) struct Sample {
    limit: usize,
    rows: BTreeMap<u64, Candidate>,
    bound: Arc<AtomicU64>,
}

impl Sample {
    /// No row yet; at most `limit`.
    #[must_use]
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, rows: BTreeMap::new(), bound: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// No key above this number can get in any more. Other threads read it to spare copying vectors; an old value is only slower.
    #[must_use]
    pub(super) fn bound(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bound)
    }

    /// Takes the row if it belongs to the sample so far.
    pub(super) fn offer(&mut self, row: Candidate) {
        self.rows.insert(row.key, row);
        if self.rows.len() > self.limit {
            self.rows.pop_last();
        }
        if self.rows.len() == self.limit
            && let Some((last, _)) = self.rows.last_key_value()
        {
            self.bound.store(*last, Ordering::Relaxed);
        }
    }

    /// The rows in random order: any first part of them is a sample, too.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Candidate> {
        self.rows.values()
    }

    /// How many rows there are.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Mixes an address so that every bit depends on every other: the finaliser of SplitMix64, which maps no two numbers to one.
#[must_use]
pub(super) fn mixed(address: u64) -> u64 {
    let z = address.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_depends_on_the_rows_alone() {
        let of = |rows: &mut dyn Iterator<Item = u64>| {
            let mut sample = Sample::new(50);
            for address in rows {
                sample.offer(Candidate { key: mixed(address), address, vector: vec![] });
            }
            sample.rows().map(|r| r.address).collect::<Vec<_>>()
        };
        let forwards = of(&mut (0..10_000));
        assert_eq!(forwards, of(&mut (0..10_000).rev()));
        assert_eq!(forwards.len(), 50);
        let mean = forwards.iter().sum::<u64>() / 50;
        assert!((3500..6500).contains(&mean), "spread over the rows: {mean}");
        assert_eq!(of(&mut (0..7)).len(), 7);
    }
}
