//! Sorts more entries than memory holds: an external merge sort over entries of a fixed size.
//!
//! Knows nothing of what the entries mean: [`crate::dedupe`] looks for repeated ids with it, [`crate::verify`] holds a dump
//! against a dataset.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// An entry that can be spilled.
pub trait Fixed: Copy {
    /// What entries are sorted by.
    type Key: Ord + Copy;
    /// Bytes of a spilled entry.
    const BYTES: usize;
    /// The key.
    fn key(&self) -> Self::Key;
    /// Writes the entry into [`Self::BYTES`] bytes.
    fn put(&self, bytes: &mut [u8]);
    /// Reads it back.
    fn get(bytes: &[u8]) -> Self;
}

/// Gathers entries in any order.
#[derive(Debug)]
pub struct Sorter<T> {
    buffer: Vec<T>,
    limit: usize,
    runs: Vec<File>,
    folder: PathBuf,
}

impl<T: Fixed> Sorter<T> {
    /// Keeps at most `bytes` in memory and spills sorted runs into unnamed files of `folder`.
    #[must_use]
    pub fn new(folder: &Path, bytes: u64) -> Self {
        let limit = usize::try_from(bytes / size_of::<T>() as u64).unwrap_or(usize::MAX).max(1024);
        Self { buffer: Vec::new(), limit, runs: Vec::new(), folder: folder.to_owned() }
    }

    /// As [`Self::new`], with the number of entries that memory may hold.
    #[cfg(test)]
    pub(crate) fn with_limit(folder: &Path, limit: usize) -> Self {
        Self { limit, ..Self::new(folder, 0) }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// The disk is full.
    pub fn push(&mut self, entry: T) -> Result<()> {
        if self.buffer.len() >= self.limit {
            self.spill().map_err(|e| Error::io("write a sorted list in", &self.folder, &e))?;
        }
        self.buffer.push(entry);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        self.buffer.sort_unstable_by_key(Fixed::key);
        let name = format!(".sorted-{}-{}.run", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = self.folder.join(name);
        let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
        // Unlinked at once: whatever happens to this process, nothing is left behind.
        std::fs::remove_file(&path)?;
        let mut out = BufWriter::with_capacity(1 << 18, &mut file);
        let mut bytes = vec![0; T::BYTES];
        for entry in self.buffer.drain(..) {
            entry.put(&mut bytes);
            out.write_all(&bytes)?;
        }
        out.flush()?;
        drop(out);
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    /// All entries in the order of their keys.
    ///
    /// # Errors
    /// The spilled files cannot be read back.
    pub fn finish(mut self) -> Result<Sorted<T>> {
        self.buffer.sort_unstable_by_key(Fixed::key);
        let mut sources: Vec<Source<T>> = self.runs.drain(..).map(|f| Source::Run(BufReader::with_capacity(1 << 16, f), vec![0; T::BYTES])).collect();
        sources.push(Source::Memory(std::mem::take(&mut self.buffer).into_iter()));
        let mut sorted = Sorted { sources, heads: Vec::new(), heap: BinaryHeap::new(), folder: self.folder };
        for at in 0..sorted.sources.len() {
            sorted.heads.push(None);
            sorted.advance(at)?;
        }
        Ok(sorted)
    }
}

/// Entries in the order of their keys.
#[derive(Debug)]
pub struct Sorted<T: Fixed> {
    sources: Vec<Source<T>>,
    heads: Vec<Option<T>>,
    heap: BinaryHeap<Reverse<(T::Key, usize)>>,
    folder: PathBuf,
}

impl<T: Fixed> Sorted<T> {
    fn advance(&mut self, at: usize) -> Result<()> {
        let head = self.sources[at].next().map_err(|e| Error::io("read a sorted list in", &self.folder, &e))?;
        if let Some(entry) = &head {
            self.heap.push(Reverse((entry.key(), at)));
        }
        self.heads[at] = head;
        Ok(())
    }

    /// The next entry.
    ///
    /// # Errors
    /// The spilled files cannot be read back.
    pub fn next_entry(&mut self) -> Result<Option<T>> {
        let Some(Reverse((_, at))) = self.heap.pop() else { return Ok(None) };
        let entry = self.heads[at].take();
        self.advance(at)?;
        Ok(entry)
    }
}

#[derive(Debug)]
enum Source<T> {
    /// A spilled run, and room for one entry of it.
    Run(BufReader<File>, Vec<u8>),
    Memory(std::vec::IntoIter<T>),
}

impl<T: Fixed> Source<T> {
    fn next(&mut self) -> io::Result<Option<T>> {
        match self {
            Self::Memory(entries) => Ok(entries.next()),
            Self::Run(file, bytes) => match file.read_exact(bytes) {
                Ok(()) => Ok(Some(T::get(bytes))),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(e) => Err(e),
            },
        }
    }
}
