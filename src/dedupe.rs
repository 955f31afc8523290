//! Finds records of one run that share an id, in bounded memory: sorted by (uuid, row).
//!
//! Deletes nothing and reads no record: it says which rows lose, and against which.

use std::collections::BinaryHeap;
use std::path::Path;

use roaring::RoaringTreemap;

use crate::error::Result;
use crate::reject::Place;
use crate::sorted::{Fixed, Sorter};

/// Who wins among records of one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDuplicate {
    /// The last one, as a re-export over an update would have it.
    Last,
    /// The first one.
    First,
    /// The first one; the others are rejects.
    Reject,
}

/// One accepted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its uuid.
    pub uuid: [u8; 16],
    /// Its row among all accepted records, from 0.
    pub row: u64,
    /// Number of its (source, collection, namespace).
    pub space: u32,
    /// Where it came from.
    pub place: Place,
}

/// Losers whose places are kept for the list.
pub const LISTED: usize = 10_000;

/// Gathers entries in row order.
#[derive(Debug)]
pub struct Dedupe(Sorter<Entry>);

/// The answer.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// Rows that lose.
    pub rows: RoaringTreemap,
    /// The first [`LISTED`] losers by row, each with the winner.
    pub listed: Vec<(Entry, Entry)>,
    /// Losers by [`Entry::space`].
    pub by_space: std::collections::BTreeMap<u32, u64>,
}

impl Dedupe {
    /// Keeps at most `bytes` in memory and spills sorted runs into unnamed files of `folder`.
    #[must_use]
    pub fn new(folder: &Path, bytes: u64) -> Self {
        Self(Sorter::new(folder, bytes))
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// The disk is full.
    pub fn push(&mut self, entry: Entry) -> Result<()> {
        self.0.push(entry)
    }

    /// Sorts, merges and decides.
    ///
    /// # Errors
    /// The spilled files cannot be read back.
    pub fn finish(self, rule: OnDuplicate) -> Result<Duplicates> {
        let mut sorted = self.0.finish()?;
        let mut out = Collector::default();
        let mut group: Option<Entry> = None;
        while let Some(entry) = sorted.next_entry()? {
            // Entries of one uuid come in row order, so one entry of the group is enough to decide.
            group = Some(match group {
                Some(held) if held.uuid == entry.uuid => {
                    let (loser, winner) = if rule == OnDuplicate::Last { (held, entry) } else { (entry, held) };
                    out.add(loser, winner);
                    winner
                }
                _ => entry,
            });
        }
        Ok(out.finish())
    }
}

#[derive(Default)]
struct Collector {
    found: Duplicates,
    /// The losers with the smallest rows so far; the largest of them on top.
    smallest: BinaryHeap<(u64, usize)>,
    pairs: Vec<(Entry, Entry)>,
}

impl Collector {
    fn add(&mut self, loser: Entry, winner: Entry) {
        self.found.rows.insert(loser.row);
        *self.found.by_space.entry(loser.space).or_default() += 1;
        if self.pairs.len() < LISTED {
            self.smallest.push((loser.row, self.pairs.len()));
            self.pairs.push((loser, winner));
        } else if let Some((top, at)) = self.smallest.peek().copied()
            && loser.row < top
        {
            self.smallest.pop();
            self.smallest.push((loser.row, at));
            self.pairs[at] = (loser, winner);
        }
    }

    fn finish(mut self) -> Duplicates {
        self.pairs.sort_unstable_by_key(|(loser, _)| loser.row);
        self.found.listed = self.pairs;
        self.found
    }
}

impl Fixed for Entry {
    type Key = ([u8; 16], u64);
    const BYTES: usize = 16 + 8 + 4 + PLACE;

    fn key(&self) -> Self::Key {
        (self.uuid, self.row)
    }

    fn put(&self, bytes: &mut [u8]) {
        bytes[..16].copy_from_slice(&self.uuid);
        bytes[16..24].copy_from_slice(&self.row.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.space.to_le_bytes());
        put_place(&self.place, &mut bytes[28..]);
    }

    fn get(bytes: &[u8]) -> Self {
        Self {
            uuid: array(bytes),
            row: u64::from_le_bytes(array(&bytes[16..])),
            space: u32::from_le_bytes(array(&bytes[24..])),
            place: get_place(&bytes[28..]),
        }
    }
}

/// Bytes of a place.
pub const PLACE: usize = 4 + 8 + 8 + 8 + 8;

/// Writes a place into [`PLACE`] bytes.
pub fn put_place(place: &Place, bytes: &mut [u8]) {
    bytes[..4].copy_from_slice(&place.shard.to_le_bytes());
    let numbers = [place.line.unwrap_or(u64::MAX), place.byte.unwrap_or(u64::MAX), place.length, place.record];
    for (number, bytes) in numbers.iter().zip(bytes[4..].chunks_exact_mut(8)) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
}

/// Reads a place back.
#[must_use]
pub fn get_place(bytes: &[u8]) -> Place {
    let number = |at: usize| u64::from_le_bytes(array(&bytes[4 + 8 * at..]));
    let some = |n: u64| (n != u64::MAX).then_some(n);
    Place { shard: u32::from_le_bytes(array(bytes)), line: some(number(0)), byte: some(number(1)), length: number(2), record: number(3) }
}

/// The first bytes as an array.
#[must_use]
pub fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(id: u8, row: u64) -> Entry {
        Entry {
            uuid: [id; 16],
            row,
            space: u32::from(id),
            place: Place { shard: u32::from(id), line: Some(row + 1), byte: row.is_multiple_of(2).then_some(row), length: 3, record: row },
        }
    }

    proptest! {
        #[test]
        fn any_memory_gives_the_losers_of_a_plain_search(ids in prop::collection::vec(0u8..6, 0..200), limit in 1usize..50) {
            let folder = tempfile::tempdir().unwrap();
            for rule in [OnDuplicate::Last, OnDuplicate::First] {
                let mut dedupe = Dedupe(Sorter::with_limit(folder.path(), limit));
                for (row, id) in ids.iter().enumerate() {
                    dedupe.push(entry(*id, row as u64)).unwrap();
                }
                let found = dedupe.finish(rule).unwrap();
                let loses = |row: usize| match rule {
                    OnDuplicate::Last => ids[row + 1..].contains(&ids[row]),
                    _ => ids[..row].contains(&ids[row]),
                };
                let expected: Vec<u64> = (0..ids.len()).filter(|r| loses(*r)).map(|r| r as u64).collect();
                prop_assert_eq!(found.rows.iter().collect::<Vec<_>>(), expected.clone());
                prop_assert_eq!(found.listed.iter().map(|(l, _)| l.row).collect::<Vec<_>>(), expected);
                for (loser, winner) in &found.listed {
                    prop_assert_eq!(*loser, entry(loser.uuid[0], loser.row));
                    prop_assert_eq!(loser.uuid, winner.uuid);
                }
            }
        }
    }
}
