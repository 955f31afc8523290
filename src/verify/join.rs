//! Two sorted lists of fingerprints, of a dump and of a dataset, side by side: what is on both sides, on one, or twice.
//!
//! Reads neither side and prints nothing: it tells its caller of every pair, in the order of the uuids.

use sha2::{Digest, Sha256};

use super::print::Print;
use crate::dedupe::{OnDuplicate, PLACE, array, get_place, put_place};
use crate::error::Result;
use crate::reject::{Place, hex};
use crate::sorted::{Fixed, Sorted};

/// One row of either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its uuid.
    pub uuid: [u8; 16],
    /// Dump: number among all accepted records, from 0. Dataset: the row's address.
    pub row: u64,
    /// Its fingerprint.
    pub print: Print,
    /// Number of its (source, collection, namespace).
    pub group: u32,
    /// Where it stands in the dump; nothing on the side of the dataset.
    pub place: Place,
}

impl Fixed for Row {
    type Key = ([u8; 16], u64);
    const BYTES: usize = 16 + 8 + 32 + 16 + 4 + PLACE;

    fn key(&self) -> Self::Key {
        (self.uuid, self.row)
    }

    fn put(&self, bytes: &mut [u8]) {
        bytes[..16].copy_from_slice(&self.uuid);
        bytes[16..24].copy_from_slice(&self.row.to_le_bytes());
        bytes[24..56].copy_from_slice(&self.print.content);
        bytes[56..72].copy_from_slice(&self.print.derived);
        bytes[72..76].copy_from_slice(&self.group.to_le_bytes());
        put_place(&self.place, &mut bytes[76..]);
    }

    fn get(bytes: &[u8]) -> Self {
        Self {
            uuid: array(bytes),
            row: u64::from_le_bytes(array(&bytes[16..])),
            print: Print { content: array(&bytes[24..]), derived: array(&bytes[56..]) },
            group: u32::from_le_bytes(array(&bytes[72..])),
            place: get_place(&bytes[76..]),
        }
    }
}

/// What one uuid came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// On both sides, the same.
    Same(Row, Row),
    /// On both sides, and they differ: the dump's, the dataset's.
    Different(Row, Row),
    /// In the dump only.
    Missing(Row),
    /// In the dataset only.
    Unexpected(Row),
    /// In the dataset a second time.
    Doubled(Row),
    /// A record of the dump that lost against another of the same id.
    Lost(Row),
}

/// SHA-256 over (uuid, content) of every row, in the order of the uuids.
#[derive(Debug, Default)]
pub struct Sum(Sha256);

impl Sum {
    /// Adds a row.
    pub fn add(&mut self, row: &Row) {
        self.0.update(row.uuid);
        self.0.update(row.print.content);
    }

    /// `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        format!("sha256:{}", hex(&self.0.finalize()))
    }
}

/// Goes through both sides. Of several records of one uuid in the dump, `rule` says which one counts.
///
/// # Errors
/// A spilled list cannot be read back, or `each` fails.
pub fn join(mut dump: Sorted<Row>, mut dataset: Sorted<Row>, rule: OnDuplicate, each: &mut dyn FnMut(Pair) -> Result<()>) -> Result<()> {
    let mut here = dump.next_entry()?;
    let mut there = dataset.next_entry()?;
    loop {
        let uuid = match (&here, &there) {
            (None, None) => return Ok(()),
            (Some(row), None) | (None, Some(row)) => row.uuid,
            (Some(a), Some(b)) => a.uuid.min(b.uuid),
        };
        let mut winner: Option<Row> = None;
        while let Some(row) = here.filter(|row| row.uuid == uuid) {
            // Records of one uuid come in the order of the dump.
            match winner {
                Some(held) if rule == OnDuplicate::Last => {
                    each(Pair::Lost(held))?;
                    winner = Some(row);
                }
                Some(_) => each(Pair::Lost(row))?,
                None => winner = Some(row),
            }
            here = dump.next_entry()?;
        }
        let mut met = false;
        while let Some(row) = there.filter(|row| row.uuid == uuid) {
            each(match winner {
                _ if std::mem::replace(&mut met, true) => Pair::Doubled(row),
                None => Pair::Unexpected(row),
                Some(own) if own.print == row.print => Pair::Same(own, row),
                Some(own) => Pair::Different(own, row),
            })?;
            there = dataset.next_entry()?;
        }
        if let Some(own) = winner.filter(|_| !met) {
            each(Pair::Missing(own))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sorted::Sorter;
    use proptest::prelude::*;

    fn row(id: u8, row: u64, content: u8) -> Row {
        let print = Print { content: [content; 32], derived: [0; 16] };
        Row { uuid: [id; 16], row, print, group: u32::from(id), place: Place { line: Some(row), ..Place::default() } }
    }

    proptest! {
        #[test]
        fn every_row_of_both_sides_is_told_once(
            dump in prop::collection::vec((0u8..8, 0u8..2), 0..60),
            dataset in prop::collection::vec((0u8..8, 0u8..2), 0..60),
            limit in 1usize..40,
        ) {
            let folder = tempfile::tempdir().unwrap();
            for rule in [OnDuplicate::Last, OnDuplicate::First] {
                let sorted = |rows: &[(u8, u8)]| {
                    let mut sorter = Sorter::with_limit(folder.path(), limit);
                    for (at, (id, content)) in rows.iter().enumerate() {
                        sorter.push(row(*id, at as u64, *content)).unwrap();
                    }
                    sorter.finish().unwrap()
                };
                let mut pairs = Vec::new();
                join(sorted(&dump), sorted(&dataset), rule, &mut |pair| { pairs.push(pair); Ok(()) }).unwrap();
                for id in 0..8u8 {
                    let of = |rows: &[(u8, u8)]| rows.iter().enumerate().filter(|(_, r)| r.0 == id).map(|(at, r)| row(id, at as u64, r.1)).collect::<Vec<_>>();
                    let (own, other) = (of(&dump), of(&dataset));
                    let winner = if rule == OnDuplicate::Last { own.last() } else { own.first() };
                    let mut wanted: Vec<Pair> = own.iter().filter(|r| Some(*r) != winner).map(|r| Pair::Lost(*r)).collect();
                    for (at, there) in other.iter().enumerate() {
                        wanted.push(match winner {
                            _ if at > 0 => Pair::Doubled(*there),
                            None => Pair::Unexpected(*there),
                            Some(w) if w.print == there.print => Pair::Same(*w, *there),
                            Some(w) => Pair::Different(*w, *there),
                        });
                    }
                    if other.is_empty() && let Some(w) = winner {
                        wanted.push(Pair::Missing(*w));
                    }
                    let uuid = |pair: &Pair| match pair {
                        Pair::Same(r, _) | Pair::Different(r, _) | Pair::Missing(r) | Pair::Unexpected(r) | Pair::Doubled(r) | Pair::Lost(r) => r.uuid[0],
                    };
                    let found: Vec<Pair> = pairs.iter().filter(|p| uuid(p) == id).copied().collect();
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }
}
