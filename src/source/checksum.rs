//! Checksums of files: SHA-256, as snapshot manifests carry it; CRC-32 and samples, by which an interrupted run knows its input again.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::reject::hex;

/// Lower-case hexadecimal SHA-256 of the file's bytes, and their number.
///
/// # Errors
/// The file cannot be read.
pub fn sha256(path: &Path) -> Result<(String, u64)> {
    let mut file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(|e| Error::io("read", path, &e))?;
        if read == 0 {
            return Ok((hex(&hasher.finalize()), bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// CRC-32 (IEEE) of the first bytes of a file, taken piece by piece while the file is read elsewhere.
#[derive(Debug, Default)]
pub struct Crc {
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Crc {
    /// Takes in the file from where the last call ended up to `upto`, or to its end.
    ///
    /// # Errors
    /// The file cannot be read, or ends before.
    pub fn read_on(&mut self, path: &Path, upto: Option<u64>) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("read", path, &e);
        let mut file = File::open(path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.bytes)).map_err(failed)?;
        let mut buffer = vec![0; 1 << 18];
        while upto.is_none_or(|upto| self.bytes < upto) {
            let most = upto.map_or(buffer.len(), |upto| usize::try_from(upto - self.bytes).unwrap_or(usize::MAX).min(buffer.len()));
            let read = file.read(&mut buffer[..most]).map_err(failed)?;
            if read == 0 {
                return if upto.is_none() { Ok(()) } else { Err(Error::new(format!("the file ends at byte {}", self.bytes))) };
            }
            self.hasher.update(&buffer[..read]);
            self.bytes += read as u64;
        }
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The checksum so far.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.hasher.clone().finalize()
    }
}

/// SHA-256 of samples of a file: its first and last 64 KiB, and 16 pieces of 4 KiB between them.
///
/// # Errors
/// The file cannot be read.
pub fn samples(path: &Path) -> Result<String> {
    const END: u64 = 64 << 10;
    const PIECE: u64 = 4 << 10;
    const PIECES: u64 = 16;
    let failed = |e: std::io::Error| Error::io("read", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut hasher = Sha256::new();
    let mut take = |at: u64, length: u64| -> Result<()> {
        let mut buffer = Vec::new();
        file.seek(SeekFrom::Start(at)).and_then(|_| file.by_ref().take(length).read_to_end(&mut buffer)).map_err(failed)?;
        hasher.update(&buffer);
        Ok(())
    };
    take(0, END)?;
    for piece in 1..=PIECES {
        take(size / (PIECES + 1) * piece, PIECE)?;
    }
    take(size.saturating_sub(END), END)?;
    Ok(hex(&hasher.finalize()))
}

/// When a file was last written, in nanoseconds since 1970; `None` where the system does not say.
#[must_use]
pub fn modified(path: &Path) -> Option<u64> {
    let time = std::fs::metadata(path).and_then(|m| m.modified()).ok()?;
    time.duration_since(std::time::UNIX_EPOCH).ok().and_then(|d| u64::try_from(d.as_nanos()).ok())
}
