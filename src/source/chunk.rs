//! Line-delimited text in chunks of whole lines: mapped windows of a plain file, or buffers filled from a stream.
//!
//! Cuts at `\n` and nothing cleverer: a raw newline is illegal inside a JSON string. Knows no JSON.

use std::fs::File;

use memchr::{memchr, memchr_iter, memrchr};

use super::find::Shard;
use super::magic::Encoding;
use super::mmap::Window;
use super::stream::Stream;
use crate::error::{Error, Result};
use crate::reject::printable;

/// The bytes of one chunk.
#[derive(Debug)]
pub enum ChunkData {
    /// A window of a mapped file.
    Mapped(MappedBytes),
    /// A buffer of our own.
    Owned(Vec<u8>),
}

/// Mapped bytes; the type keeps the map private to this room.
#[derive(Debug)]
pub struct MappedBytes {
    window: Window,
    length: usize,
}

impl ChunkData {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => &mapped.window[..mapped.length],
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Whole lines of one shard.
#[derive(Debug)]
pub struct LineChunk {
    /// Offset of the first byte in the plain stream.
    pub offset: u64,
    /// The bytes; for an over-long line, only its beginning.
    pub data: ChunkData,
    /// Newlines in the bytes.
    pub newlines: usize,
    /// The input ends with this chunk.
    pub last: bool,
    /// The chunk is one line longer than the limit; this is its whole length without the newline.
    pub oversize: Option<u64>,
}

/// How large chunks (bytes and lines) and lines (bytes) may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a chunk, unless one line is longer.
    pub chunk: usize,
    /// Longest line accepted.
    pub line: usize,
    /// Lines of a chunk: a row costs memory of its own, however short its line.
    pub rows: usize,
}

/// Bytes kept of a line that is too long, for the rejects file.
const OVERSIZE_KEPT: usize = 4096;

/// Reads a shard chunk by chunk.
#[derive(Debug)]
pub struct LineChunks {
    input: Input,
    limits: Limits,
    offset: u64,
    done: bool,
}

#[derive(Debug)]
enum Input {
    Mapped { file: File, size: u64, name: String },
    Stream { stream: Box<Stream>, carry: Vec<u8>, ended: bool },
}

impl LineChunks {
    /// Starts a shard. Plain regular files are mapped if `map`; all else is streamed.
    ///
    /// # Errors
    /// The shard cannot be opened.
    pub fn open(shard: &Shard, limits: Limits, map: bool, window_log: u32) -> Result<Self> {
        let input = if map && shard.regular && shard.encoding == Encoding::Plain {
            let file = File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?;
            let size = file.metadata().map_err(|e| Error::io("read", &shard.path, &e))?.len();
            Input::Mapped { file, size, name: shard.name.clone() }
        } else {
            Input::Stream { stream: Box::new(Stream::open(shard, window_log)?), carry: Vec::new(), ended: false }
        };
        Ok(Self { input, limits, offset: 0, done: false })
    }

    /// Starts at this offset of the plain bytes, which must be the start of a line. A compressed shard is unpacked up to there.
    ///
    /// # Errors
    /// The shard cannot be opened, or ends before the offset.
    pub fn open_at(shard: &Shard, limits: Limits, map: bool, window_log: u32, offset: u64) -> Result<Self> {
        let mut this = Self::open(shard, limits, map, window_log)?;
        if let Input::Stream { stream, ended, .. } = &mut this.input {
            *ended = stream.skip(offset)?;
        }
        this.offset = offset;
        Ok(this)
    }

    /// Goes on with a stream of which `head` was read before.
    #[must_use]
    pub fn resume(stream: Stream, head: Vec<u8>, ended: bool, limits: Limits) -> Self {
        Self { input: Input::Stream { stream: Box::new(stream), carry: head, ended }, limits, offset: 0, done: false }
    }

    /// The next chunk, or `None` at the end.
    ///
    /// # Errors
    /// The input cannot be read on.
    pub fn next_chunk(&mut self) -> Result<Option<LineChunk>> {
        if self.done {
            return Ok(None);
        }
        let chunk = match &mut self.input {
            Input::Mapped { file, size, name } => mapped(file, *size, name, self.offset, self.limits)?,
            Input::Stream { stream, carry, ended } => streamed(stream, carry, ended, self.offset, self.limits)?,
        };
        match chunk {
            None => {
                self.done = true;
                Ok(None)
            }
            Some((chunk, consumed)) => {
                self.offset += consumed;
                self.done = chunk.last;
                Ok(Some(chunk))
            }
        }
    }
}

/// The chunk at `offset` and the bytes to move on by.
fn mapped(file: &File, size: u64, name: &str, offset: u64, limits: Limits) -> Result<Option<(LineChunk, u64)>> {
    if offset >= size {
        return Ok(None);
    }
    let mut length = limits.chunk;
    loop {
        let rest = size - offset;
        let window_length = usize::try_from(rest.min(length as u64)).unwrap_or(length);
        let now = file.metadata().map_or(0, |m| m.len());
        if now < size {
            return Err(Error::new(format!("{}: the file shrank from {size} to {now} bytes while it was read", printable(name)))
                .help("convert a copy that nobody writes to"));
        }
        let window = Window::map(file, offset, window_length)
            .map_err(|e| Error::new(format!("cannot map {} at byte {offset}: {e}", printable(name))).help("try --no-mmap"))?;
        // Counting is several times as fast as stopping at each, and seldom are there too many.
        let newlines = memchr_iter(b'\n', &window).count();
        if newlines >= limits.rows
            && let Some(end) = memchr_iter(b'\n', &window).nth(limits.rows - 1)
            && ((end + 1) as u64) < rest
        {
            let data = ChunkData::Mapped(MappedBytes { window, length: end + 1 });
            return Ok(Some((LineChunk { offset, data, newlines: limits.rows, last: false, oversize: None }, end as u64 + 1)));
        }
        if window_length as u64 == rest {
            let data = ChunkData::Mapped(MappedBytes { window, length: window_length });
            return Ok(Some((LineChunk { offset, data, newlines, last: true, oversize: None }, rest)));
        }
        if let Some(end) = memrchr(b'\n', &window) {
            let data = ChunkData::Mapped(MappedBytes { window, length: end + 1 });
            return Ok(Some((LineChunk { offset, data, newlines, last: false, oversize: None }, end as u64 + 1)));
        }
        if length > limits.line {
            return oversize_mapped(file, size, name, offset, &window);
        }
        length = (length * 2).min(limits.line + 1);
    }
}

/// An over-long line in a mapped file: find its end window by window.
fn oversize_mapped(file: &File, size: u64, name: &str, offset: u64, head: &[u8]) -> Result<Option<(LineChunk, u64)>> {
    const STEP: u64 = 8 << 20;
    let kept = head[..head.len().min(OVERSIZE_KEPT)].to_vec();
    let mut at = offset + head.len() as u64;
    let mut line = None;
    while at < size && line.is_none() {
        let length = usize::try_from((size - at).min(STEP)).unwrap_or(0);
        let window = Window::map(file, at, length).map_err(|e| Error::new(format!("cannot map {} at byte {at}: {e}", printable(name))))?;
        match memchr(b'\n', &window) {
            Some(end) => line = Some(at + end as u64 - offset),
            None => at += length as u64,
        }
    }
    let length = line.unwrap_or(size - offset);
    let consumed = line.map_or(size - offset, |l| l + 1);
    let last = offset + consumed >= size;
    Ok(Some((LineChunk { offset, data: ChunkData::Owned(kept), newlines: 0, last, oversize: Some(length) }, consumed)))
}

fn streamed(stream: &mut Stream, carry: &mut Vec<u8>, ended: &mut bool, offset: u64, limits: Limits) -> Result<Option<(LineChunk, u64)>> {
    let mut data = std::mem::take(carry);
    let mut target = limits.chunk;
    loop {
        if !*ended && data.len() < target {
            let wanted = target - data.len();
            *ended = stream.fill(&mut data, wanted)?;
        }
        let newlines = memchr_iter(b'\n', &data).count();
        if newlines >= limits.rows
            && let Some(end) = memchr_iter(b'\n', &data).nth(limits.rows - 1)
            && (end + 1 < data.len() || !*ended)
        {
            *carry = data.split_off(end + 1);
            let consumed = data.len() as u64;
            return Ok(Some((LineChunk { offset, data: ChunkData::Owned(data), newlines: limits.rows, last: false, oversize: None }, consumed)));
        }
        if *ended {
            if data.is_empty() {
                return Ok(None);
            }
            let consumed = data.len() as u64;
            if data.len() > limits.line {
                // What an over-long line has left in the buffer may itself be too long at the end of the input.
                let body = data.strip_suffix(b"\n").unwrap_or(&data);
                let Some(end) = memrchr(b'\n', body) else {
                    if body.len() <= limits.line {
                        return Ok(Some((LineChunk { offset, data: ChunkData::Owned(data), newlines, last: true, oversize: None }, consumed)));
                    }
                    let length = body.len() as u64;
                    data.truncate(OVERSIZE_KEPT);
                    return Ok(Some((LineChunk { offset, data: ChunkData::Owned(data), newlines: 0, last: true, oversize: Some(length) }, consumed)));
                };
                *carry = data.split_off(end + 1);
                let consumed = data.len() as u64;
                let newlines = memchr_iter(b'\n', &data).count();
                return Ok(Some((LineChunk { offset, data: ChunkData::Owned(data), newlines, last: false, oversize: None }, consumed)));
            }
            return Ok(Some((LineChunk { offset, data: ChunkData::Owned(data), newlines, last: true, oversize: None }, consumed)));
        }
        if let Some(end) = memrchr(b'\n', &data) {
            *carry = data.split_off(end + 1);
            let consumed = data.len() as u64;
            return Ok(Some((LineChunk { offset, data: ChunkData::Owned(data), newlines, last: false, oversize: None }, consumed)));
        }
        if data.len() > limits.line {
            return oversize_streamed(stream, carry, ended, offset, data);
        }
        target = (target * 2).min(limits.line + 1);
    }
}

fn oversize_streamed(stream: &mut Stream, carry: &mut Vec<u8>, ended: &mut bool, offset: u64, mut data: Vec<u8>) -> Result<Option<(LineChunk, u64)>> {
    let mut length = data.len() as u64;
    let kept = data[..data.len().min(OVERSIZE_KEPT)].to_vec();
    loop {
        data.clear();
        *ended = stream.fill(&mut data, 1 << 20)?;
        if let Some(end) = memchr(b'\n', &data) {
            length += end as u64;
            *carry = data.split_off(end + 1);
            let chunk = LineChunk { offset, data: ChunkData::Owned(kept), newlines: 0, last: false, oversize: Some(length) };
            return Ok(Some((chunk, length + 1)));
        }
        length += data.len() as u64;
        if *ended {
            let chunk = LineChunk { offset, data: ChunkData::Owned(kept), newlines: 0, last: true, oversize: Some(length) };
            return Ok(Some((chunk, length)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn lines_of(text: &[u8], limits: Limits, map: bool) -> Vec<(u64, Vec<u8>, Option<u64>)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let shard = super::super::find::shard(file.path().into(), "t".into(), None).unwrap();
        let mut chunks = LineChunks::open(&shard, limits, map, 27).unwrap();
        let mut out = Vec::new();
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            if chunk.oversize.is_some() {
                out.push((chunk.offset, vec![], chunk.oversize));
                continue;
            }
            let mut at = chunk.offset;
            for line in chunk.data.bytes().split_inclusive(|b| *b == b'\n') {
                out.push((at, line.to_vec(), None));
                at += line.len() as u64;
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_chunk_size_gives_the_same_lines(text in "[a-c\n]{0,200}", chunk in 1usize..40, rows in 1usize..9, map in any::<bool>()) {
            let whole = lines_of(text.as_bytes(), Limits { chunk: 1 << 20, line: 1 << 20, rows: 1 << 20 }, false);
            let parts = lines_of(text.as_bytes(), Limits { chunk, line: 1 << 20, rows }, map);
            prop_assert_eq!(&whole, &parts);
            let joined: Vec<u8> = parts.into_iter().flat_map(|(_, line, _)| line).collect();
            prop_assert_eq!(joined, text.as_bytes());
        }
    }

    #[test]
    fn an_over_long_line_is_passed_over_and_the_next_one_is_whole() {
        for map in [false, true] {
            let text = format!("ab\n{}\ncd\n{}", "x".repeat(5000), "y".repeat(3000));
            let limits = Limits { chunk: 16, line: 64, rows: 9 };
            let lines = lines_of(text.as_bytes(), limits, map);
            let shape: Vec<_> = lines.iter().map(|(at, line, over)| (*at, line.len(), *over)).collect();
            assert_eq!(shape, [(0, 3, None), (3, 0, Some(5000)), (5004, 3, None), (5007, 0, Some(3000))], "map {map}");
        }
    }
}
