//! Text in chunks of whole lines, mapped or streamed.
//!
//! Not what the lines mean: `decode.rs`.

use vec2lance::error::Result;
use vec2lance::source::chunk::{Limits, LineChunk, LineChunks};
use vec2lance::source::find::{Shard, shard};
use vec2lance::source::magic::Encoding;
use vec2lance::source::stream::Stream;

use super::check::{file, newlines, said};

/// Bytes of the input that set limits and the like.
const SETTINGS: usize = 5;
/// Limits from here on are strict.
const STRICT: usize = 1 << 20;

/// Any bytes after five that set the sizes: the chunks joined are the input, each ends with a line, none has too many lines,
/// lines over the limit are counted, mapped and streamed say the same, and so does who begins at a later chunk or with a head
/// that was read before.
pub fn split(data: &[u8]) {
    let Some((settings, text)) = data.split_first_chunk::<SETTINGS>() else { return };
    let [mode, chunk, line, rows, head] = settings.map(usize::from);
    // Real sizes take long lines, so some inputs are blown up: the program's smallest chunk, a line longer than what is read on
    // at once, and what lies around them.
    let large = mode == 1;
    let (text, limits) = if large {
        let line = (1 << 20) + 1 + line;
        (blown_up(text), Limits { chunk: (256 << 10) + chunk, line, rows: 1 + rows })
    } else {
        let chunk = 1 + chunk;
        (text.to_vec(), Limits { chunk, line: chunk + line, rows: 1 + rows % 16 })
    };
    let file = file(&text);
    let Some(mut shard) = said(shard(file.path().into(), "fuzz".into(), None)) else { return };
    // Whatever its first bytes say: this is about lines.
    shard.encoding = Encoding::Plain;
    let mapped = read(LineChunks::open(&shard, limits, true, 20), &text, limits, 0);
    let streamed = read(LineChunks::open(&shard, limits, false, 20), &text, limits, 0);
    agree(&mapped, &streamed, limits);
    for map in [true, false].into_iter().filter(|_| !large) {
        let at = mapped.get(head % mapped.len().max(1)).map_or(0, |piece| piece.offset);
        let later = read(LineChunks::open_at(&shard, limits, map, 20, at as u64), &text, limits, at);
        let before = mapped.iter().take_while(|piece| piece.offset < at).count();
        agree(&mapped[before..], &later, limits);
    }
    let resumed = resume(&shard, if large { head << 10 } else { head }, limits);
    agree(&mapped, &read(resumed, &text, limits, 0), limits);
}

/// Each byte 0xFF stands for 64 KiB, up to forty of them.
fn blown_up(text: &[u8]) -> Vec<u8> {
    let mut left = 40;
    let mut out = Vec::new();
    for byte in text {
        let length = if *byte == 0xFF && left > 0 { 1 << 16 } else { 1 };
        left -= usize::from(length > 1);
        out.resize(out.len() + length, if length > 1 { b'x' } else { *byte });
    }
    out
}

fn resume(shard: &Shard, head: usize, limits: Limits) -> Result<LineChunks> {
    let mut stream = Stream::open(shard, 20)?;
    let mut read = Vec::new();
    let ended = stream.fill(&mut read, head)?;
    Ok(LineChunks::resume(stream, read, ended, limits))
}

/// A chunk, or a line over the limit.
#[derive(Debug, PartialEq)]
struct Piece {
    offset: usize,
    length: usize,
    oversize: bool,
}

fn read(chunks: Result<LineChunks>, text: &[u8], limits: Limits, from: usize) -> Vec<Piece> {
    let mut chunks = chunks.expect("the file is there");
    let mut pieces: Vec<Piece> = Vec::new();
    let mut last = false;
    while let Some(chunk) = chunks.next_chunk().expect("nobody else writes to the file") {
        assert!(!last, "a chunk comes after the last");
        last = chunk.last;
        let piece = piece(&chunk, text, limits);
        assert_eq!(piece.offset, end(&pieces, from), "a gap or a step back");
        assert!(!last || piece.offset + piece.length == text.len(), "the last chunk is not at the end: {piece:?}");
        pieces.push(piece);
    }
    assert_eq!(end(&pieces, from), text.len(), "something is left");
    pieces
}

fn end(pieces: &[Piece], from: usize) -> usize {
    pieces.last().map_or(from, |piece| piece.offset + piece.length)
}

fn piece(chunk: &LineChunk, text: &[u8], limits: Limits) -> Piece {
    let (offset, bytes) = (usize::try_from(chunk.offset).expect("a small offset"), chunk.data.bytes());
    let rest = &text[offset..];
    assert!(rest.starts_with(bytes), "the bytes are those of the file");
    let Some(length) = chunk.oversize else {
        let newlines = newlines(bytes);
        assert_eq!(newlines, chunk.newlines);
        assert!(!bytes.is_empty() && newlines <= limits.rows);
        let lines = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]).scan(0, |from, to| Some(to - std::mem::replace(from, to + 1)));
        assert!(limits.line < STRICT || lines.max() <= Some(limits.line), "a line over the limit is taken");
        assert!(bytes.ends_with(b"\n") || offset + bytes.len() == text.len(), "cut inside of a line");
        return Piece { offset, length: bytes.len(), oversize: false };
    };
    let line = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    assert_eq!(length, line as u64, "the length of a line over the limit");
    assert!(line > limits.line, "a line of {line} bytes is refused, with a limit of {}", limits.line);
    Piece { offset, length: line + usize::from(rest.get(line) == Some(&b'\n')), oversize: true }
}

/// Real limits are strict: both ways refuse the same lines, and every line over the limit. Smaller ones are looser, because a
/// line that is in the buffer as a whole is taken.
fn agree(one: &[Piece], other: &[Piece], limits: Limits) {
    let over = |pieces: &[Piece]| pieces.iter().filter(|piece| piece.oversize).map(|piece| piece.offset).collect::<Vec<_>>();
    assert!(limits.line < STRICT || over(one) == over(other), "two ways of reading refuse other lines: {:?}, {:?}", over(one), over(other));
}
