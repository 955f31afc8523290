//! A shard as a stream of plain bytes, decompressed on the way, with an error for every way in which a stream can end badly.
//!
//! Not chunks and not records. Memory is bounded: a zstd window beyond the budget is refused, never allocated.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::find::{Shard, is_stdin};
use super::magic::{self, Encoding};
use crate::error::{Error, Result};
use crate::reject::printable;

/// Plain bytes of a shard.
pub struct Stream {
    inner: Box<dyn Read + Send>,
    encoding: Encoding,
    name: String,
    /// Plain bytes delivered so far.
    offset: u64,
    /// Bytes that a plain file had when it was found; 0 for pipes.
    size: u64,
    window_log: u32,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("name", &self.name).field("encoding", &self.encoding).field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// The largest zstd window (as a power of two) that a budget of `memory` bytes allows: an eighth of it, at most 128 MiB.
#[must_use]
pub fn window_log(memory: u64) -> u32 {
    (memory / 8).max(1 << 23).ilog2().min(27)
}

impl Stream {
    /// Opens the shard.
    ///
    /// # Errors
    /// It cannot be opened, or is of a kind that cannot be streamed.
    pub fn open(shard: &Shard, window_log: u32) -> Result<Self> {
        let raw: Box<dyn Read + Send> =
            if is_stdin(&shard.path) { Box::new(io::stdin()) } else { Box::new(File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?) };
        let mut raw = BufReader::with_capacity(1 << 17, raw);
        let mut encoding = shard.encoding;
        if !shard.regular {
            let head = raw.fill_buf().map_err(|e| Error::io("read", &shard.path, &e))?;
            encoding = magic::detect(&head[..head.len().min(magic::HEAD)], &shard.path)?;
        }
        let inner: Box<dyn Read + Send> = match encoding {
            Encoding::Plain => Box::new(raw),
            Encoding::Gzip => Box::new(MultiGzDecoder::new(raw)),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(|e| Error::io("open", &shard.path, &e))?;
                decoder.window_log_max(window_log).map_err(|e| Error::io("open", &shard.path, &e))?;
                Box::new(decoder)
            }
            Encoding::Arrays | Encoding::Table => {
                return Err(Error::new(format!("{}: {} data are no stream", printable(&shard.name), encoding.name())));
            }
            Encoding::Parquet => {
                return Err(Error::new(format!("{}: Parquet cannot be read from a pipe: its index is at its end", printable(&shard.name)))
                    .help("save it to a file first"));
            }
        };
        Ok(Self { inner, encoding, name: shard.name.clone(), offset: 0, size: shard.size, window_log })
    }

    /// How the bytes were wrapped; known for pipes only once they are open.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Reads until `buffer` holds `target` bytes more, or the input ends. Gives whether it ended.
    ///
    /// # Errors
    /// The medium fails, or the compressed stream is cut off, corrupt, or wants too much memory.
    pub fn fill(&mut self, buffer: &mut Vec<u8>, target: usize) -> Result<bool> {
        let mut filled = buffer.len();
        let wanted = filled + target;
        // Room once for all reads: a decompressor gives its output in many small pieces.
        buffer.resize(wanted, 0);
        let ended = loop {
            if filled == wanted {
                break Ok(false);
            }
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) if self.encoding == Encoding::Plain && self.offset < self.size => {
                    break Err(Error::new(format!("{}: the file shrank from {} to {} bytes while it was read", printable(&self.name), self.size, self.offset))
                        .help("convert a copy that nobody writes to"));
                }
                Ok(0) => break Ok(true),
                Ok(count) => {
                    filled += count;
                    self.offset += count as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(self.broken(&e)),
            }
        };
        buffer.truncate(filled);
        ended
    }

    /// Passes over so many plain bytes. Gives whether the input ended with them.
    ///
    /// # Errors
    /// As [`Self::fill`]; it ended before.
    pub fn skip(&mut self, count: u64) -> Result<bool> {
        const STEP: u64 = 1 << 20;
        let mut buffer = Vec::new();
        let mut left = count;
        let mut ended = false;
        while left > 0 && !ended {
            buffer.clear();
            ended = self.fill(&mut buffer, usize::try_from(left.min(STEP)).unwrap_or(0))?;
            left -= buffer.len() as u64;
        }
        if left > 0 {
            return Err(Error::new(format!("{}: {} plain bytes, expected at least {count}", printable(&self.name), count - left)));
        }
        Ok(ended)
    }

    fn broken(&self, error: &io::Error) -> Error {
        let name = printable(&self.name);
        let at = self.offset;
        let text = error.to_string();
        let kind = self.encoding.name();
        if self.encoding == Encoding::Plain {
            return Error::new(format!("cannot read {name} after byte {at}: {}", crate::error::os_text(error)));
        }
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Error::new(format!("{name}: the compressed stream is cut off: the {kind} data ends in the middle of a frame, after {at} plain bytes"))
                .help("copy the file again from its source; nothing of it was converted");
        }
        if text.contains("too much memory") {
            return Error::new(format!("{name}: this zstd file needs a window over the limit of {} MiB", 1u64 << (self.window_log - 20)))
                .help("it was made with zstd --long; raise --memory (an eighth of it may be the window, at most 128 MiB), or decompress it first: zstd -d --long=31 FILE");
        }
        if text.contains("Unknown frame descriptor") || text.contains("invalid gzip header") {
            return Error::new(format!("{name}: bytes after the last {kind} frame are no {kind} data (after {at} plain bytes)"))
                .help("the file was appended to or damaged; copy it again from its source");
        }
        Error::new(format!("{name}: the {kind} data is corrupt after {at} plain bytes: {text}"))
            .help("copy the file again from its source and compare checksums; nothing of it was converted")
    }
}
