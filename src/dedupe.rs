//! Finds records of one run that share an id, in bounded memory: an external merge sort over (uuid, row).
//!
//! Deletes nothing and reads no record: it says which rows lose, and against which.

use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use roaring::RoaringTreemap;

use crate::error::{Error, Result};
use crate::reject::Place;

/// Who wins among records of one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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
    /// Where it came from.
    pub place: Place,
}

/// Bytes of a spilled entry.
const ENTRY: usize = 16 + 8 + 4 + 8 + 8 + 8 + 8;
/// Losers whose places are kept for the list.
pub const LISTED: usize = 10_000;

/// Gathers entries in row order.
#[derive(Debug)]
pub struct Dedupe {
    buffer: Vec<Entry>,
    limit: usize,
    runs: Vec<File>,
    folder: PathBuf,
}

/// The answer.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// Rows that lose.
    pub rows: RoaringTreemap,
    /// The first [`LISTED`] losers by row, each with the winner.
    pub listed: Vec<(Entry, Entry)>,
    /// Losers per shard, by the shard's index.
    pub by_shard: std::collections::BTreeMap<u32, u64>,
}

impl Dedupe {
    /// Keeps at most `bytes` in memory and spills sorted runs into unnamed files of `folder`.
    #[must_use]
    pub fn new(folder: &Path, bytes: u64) -> Self {
        let limit = usize::try_from(bytes / size_of::<Entry>() as u64).unwrap_or(usize::MAX).max(1024);
        Self { buffer: Vec::new(), limit, runs: Vec::new(), folder: folder.to_owned() }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// The disk is full.
    pub fn push(&mut self, entry: Entry) -> Result<()> {
        if self.buffer.len() == self.limit {
            self.spill().map_err(|e| Error::io("write the list of ids in", &self.folder, &e))?;
        }
        self.buffer.push(entry);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.buffer.sort_unstable_by_key(|e| (e.uuid, e.row));
        let path = self.folder.join(format!("ids-{}.run", self.runs.len()));
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        // Unlinked at once: whatever happens to this process, nothing is left behind.
        std::fs::remove_file(&path)?;
        let mut out = BufWriter::with_capacity(1 << 18, &mut file);
        for entry in self.buffer.drain(..) {
            out.write_all(&encode(&entry))?;
        }
        out.flush()?;
        drop(out);
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    /// Sorts, merges and decides.
    ///
    /// # Errors
    /// The spilled files cannot be read back.
    pub fn finish(mut self, rule: OnDuplicate) -> Result<Duplicates> {
        self.buffer.sort_unstable_by_key(|e| (e.uuid, e.row));
        let mut sources: Vec<Source> = self.runs.drain(..).map(|f| Source::Run(BufReader::with_capacity(1 << 16, f))).collect();
        sources.push(Source::Memory(std::mem::take(&mut self.buffer).into_iter()));
        let failed = |e: io::Error| Error::io("read the list of ids in", &self.folder, &e);
        let mut heap: BinaryHeap<std::cmp::Reverse<([u8; 16], u64, usize)>> = BinaryHeap::new();
        let mut heads: Vec<Option<Entry>> = Vec::new();
        for (at, source) in sources.iter_mut().enumerate() {
            let head = source.next().map_err(failed)?;
            if let Some(e) = &head {
                heap.push(std::cmp::Reverse((e.uuid, e.row, at)));
            }
            heads.push(head);
        }
        let mut out = Collector::default();
        let mut group: Option<Entry> = None;
        while let Some(std::cmp::Reverse((_, _, at))) = heap.pop() {
            let Some(entry) = heads[at].take() else { continue };
            heads[at] = sources[at].next().map_err(failed)?;
            if let Some(e) = &heads[at] {
                heap.push(std::cmp::Reverse((e.uuid, e.row, at)));
            }
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
        *self.found.by_shard.entry(loser.place.shard).or_default() += 1;
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

enum Source {
    Run(BufReader<File>),
    Memory(std::vec::IntoIter<Entry>),
}

impl Source {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        match self {
            Self::Memory(entries) => Ok(entries.next()),
            Self::Run(file) => {
                let mut bytes = [0; ENTRY];
                match file.read_exact(&mut bytes) {
                    Ok(()) => Ok(Some(decode(&bytes))),
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                    Err(e) => Err(e),
                }
            }
        }
    }
}

fn encode(entry: &Entry) -> [u8; ENTRY] {
    let mut out = [0; ENTRY];
    let place = &entry.place;
    let numbers = [entry.row, u64::from(place.shard), place.line.unwrap_or(u64::MAX), place.byte.unwrap_or(u64::MAX), place.length, place.record];
    out[..16].copy_from_slice(&entry.uuid);
    let mut at = 16;
    for (index, number) in numbers.into_iter().enumerate() {
        let width = if index == 1 { 4 } else { 8 };
        out[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        at += width;
    }
    out
}

fn decode(bytes: &[u8; ENTRY]) -> Entry {
    let mut at = 16;
    let mut number = |width: usize| {
        let mut le = [0; 8];
        le[..width].copy_from_slice(&bytes[at..at + width]);
        at += width;
        u64::from_le_bytes(le)
    };
    let some = |n: u64| (n != u64::MAX).then_some(n);
    let (row, shard, line, byte, length, record) = (number(8), number(4), number(8), number(8), number(8), number(8));
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&bytes[..16]);
    let place = Place { shard: u32::try_from(shard).unwrap_or(u32::MAX), line: some(line), byte: some(byte), length, record };
    Entry { uuid, row, place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(id: u8, row: u64) -> Entry {
        Entry {
            uuid: [id; 16],
            row,
            place: Place { shard: u32::from(id), line: Some(row + 1), byte: row.is_multiple_of(2).then_some(row), length: 3, record: row },
        }
    }

    proptest! {
        #[test]
        fn any_memory_gives_the_losers_of_a_plain_search(ids in prop::collection::vec(0u8..6, 0..200), limit in 1usize..50) {
            let folder = tempfile::tempdir().unwrap();
            for rule in [OnDuplicate::Last, OnDuplicate::First] {
                let mut dedupe = Dedupe::new(folder.path(), 0);
                dedupe.limit = limit;
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
