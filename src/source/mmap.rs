//! A read-only map of a window of a file: the only `unsafe` of the data path.
//!
//! Not a map of the whole file: windows are unmapped as soon as their records are converted, so that the resident set stays
//! bounded, whatever the size of the input.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Mmap, MmapOptions};

/// `length` bytes of a file from `offset`.
#[derive(Debug)]
pub(super) struct Window(Mmap);

impl Window {
    /// Maps the window. If another process shortens the file while the window is in use, touching the lost pages ends this
    /// process by SIGBUS, before anything was committed; `--no-mmap` reads instead and reports an error.
    pub(super) fn map(file: &File, offset: u64, length: usize) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "memmap2 cannot know that nobody writes to the file; the doc comment says what happens then")]
        // SAFETY: the map is private and read-only, and lives as long as the bytes that are borrowed from it. Soundness needs
        // that no other process writes to the dump during the run; the README asks for that, and `--no-mmap` does without.
        let map = unsafe { MmapOptions::new().offset(offset).len(length).populate().map_copy_read_only(file)? };
        Ok(Self(map))
    }
}

impl Deref for Window {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
