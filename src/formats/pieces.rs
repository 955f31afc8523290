//! A stream of text cut into pieces that are not lines: whole answers of a server one after the other, records of CSV.
//!
//! Not the pieces' meaning: a [`Cut`] only finds where one ends, and the decoder refuses what is broken. Memory holds one chunk, or
//! one piece where that is longer.

use super::elements::{Element, ElementChunk, Fill};
use crate::error::{Error, Result};
use crate::reject::printable;

/// Bytes asked for at a time.
const STEP: usize = 1 << 18;

/// Finds the end of a piece.
pub trait Cut: Send {
    /// How many bytes from the start of `rest` belong to its first piece; `None` if it goes on beyond `rest`. Called again with more
    /// bytes from the same start until it finds the end, so it may remember how far it has looked.
    fn end(&mut self, rest: &[u8], ended: bool) -> Option<usize>;
    /// Whether this byte, between two pieces, belongs to none.
    fn between(&self, byte: u8) -> bool;
    /// What to do about a piece that is too long.
    fn help(&self) -> &'static str;
}

/// The reader.
pub struct Pieces<'f> {
    fill: Box<Fill<'f>>,
    cut: Box<dyn Cut>,
    name: String,
    limit: usize,
    rows: usize,
    buffer: Vec<u8>,
    at: usize,
    base: u64,
    lines: u64,
    counted: usize,
    ended: bool,
}

impl std::fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("name", &self.name).field("base", &self.base).finish_non_exhaustive()
    }
}

impl<'f> Pieces<'f> {
    /// Starts reading. `limit` is the longest piece in bytes, `rows` the most pieces of a chunk.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn open(fill: Box<Fill<'f>>, cut: Box<dyn Cut>, name: &str, limit: usize, rows: usize) -> Result<Self> {
        let mut this = Self { fill, cut, name: printable(name), limit, rows, buffer: vec![], at: 0, base: 0, lines: 0, counted: 0, ended: false };
        // A mark that comes in small reads is one all the same.
        while this.buffer.len() < 3 && !this.ended {
            this.ended = (this.fill)(&mut this.buffer, STEP)?;
        }
        if this.buffer.starts_with(b"\xEF\xBB\xBF") {
            this.at = 3;
        }
        Ok(this)
    }

    /// The next chunk of about `target` bytes, or `None` at the end. What stands after the last whole piece is a piece too.
    ///
    /// # Errors
    /// The input cannot be read on, or a piece is longer than the limit.
    pub fn next_chunk(&mut self, target: usize) -> Result<Option<ElementChunk>> {
        self.drop_consumed();
        let mut elements = Vec::new();
        while (self.at < target && elements.len() < self.rows) || elements.is_empty() {
            let Some(length) = self.piece()? else { break };
            let line = self.line_here();
            elements.push(Element { start: self.at, length, line });
            self.at += length;
        }
        let Some(last) = elements.last() else { return Ok(None) };
        let end = last.start + last.length;
        Ok(Some(ElementChunk { offset: self.base, data: self.buffer[..end].to_vec(), elements }))
    }

    /// Passes over everything before this offset of the plain bytes, which must be the end of a piece.
    ///
    /// # Errors
    /// As [`Self::next_chunk`]; the input ends before.
    pub fn skip_to(&mut self, offset: u64) -> Result<()> {
        while self.base + (self.at as u64) < offset {
            let Some(length) = self.piece()? else {
                return Err(Error::new(format!("{}: {} plain bytes, expected at least {offset}", self.name, self.base + self.at as u64)));
            };
            if self.base + self.at as u64 >= offset {
                return Ok(());
            }
            self.at += length;
            if self.at > STEP {
                self.drop_consumed();
            }
        }
        Ok(())
    }

    /// Moves to the next piece and gives its length.
    fn piece(&mut self) -> Result<Option<usize>> {
        loop {
            while self.at >= self.buffer.len() && !self.ended {
                self.ended = (self.fill)(&mut self.buffer, STEP)?;
            }
            match self.buffer.get(self.at) {
                None => return Ok(None),
                Some(byte) if self.cut.between(*byte) => self.at += 1,
                Some(_) => break,
            }
        }
        loop {
            if let Some(length) = self.cut.end(&self.buffer[self.at..], self.ended) {
                return Ok(Some(length.max(1)));
            }
            if self.ended {
                return Ok(Some(self.buffer.len() - self.at));
            }
            if self.buffer.len() - self.at > self.limit {
                let line = self.line_here();
                let place = format!("{}:{line} (byte {})", self.name, self.base + self.at as u64);
                return Err(Error::new(format!("{place}: a record or page is longer than {} bytes", self.limit)).help(self.cut.help()));
            }
            self.ended = (self.fill)(&mut self.buffer, STEP)?;
        }
    }

    /// Line of the cursor, from 1.
    fn line_here(&mut self) -> u64 {
        self.lines += memchr::memchr_iter(b'\n', &self.buffer[self.counted..self.at]).count() as u64;
        self.counted = self.at;
        self.lines + 1
    }

    fn drop_consumed(&mut self) {
        self.line_here();
        self.base += self.at as u64;
        self.buffer.drain(..self.at);
        self.at = 0;
        self.counted = 0;
    }
}

/// JSON objects and arrays one after the other, whatever stands between them. It counts brackets outside of strings. What is
/// neither (the text of a proxy's error) is a piece up to the next object, so that it is refused and not passed over.
#[derive(Debug, Default)]
pub struct Values {
    seen: usize,
    depth: usize,
    quoted: bool,
}

impl Cut for Values {
    fn end(&mut self, rest: &[u8], ended: bool) -> Option<usize> {
        let end = if matches!(rest.first(), Some(b'{' | b'[')) { self.brackets(rest) } else { junk(rest, ended) };
        if end.is_some() || ended {
            *self = Self::default();
        }
        end
    }

    fn between(&self, byte: u8) -> bool {
        // A comma between two answers is what a hand that pasted them together leaves.
        matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',')
    }

    fn help(&self) -> &'static str {
        "raise --memory: a quarter of it may be one page; if an answer is cut off in the middle, write one answer a line to keep the others"
    }
}

impl Values {
    fn brackets(&mut self, rest: &[u8]) -> Option<usize> {
        let mut at = self.seen;
        while at < rest.len() {
            if self.quoted {
                let Some(offset) = memchr::memchr2(b'"', b'\\', &rest[at..]) else { break };
                at += offset;
                if rest[at] == b'"' {
                    self.quoted = false;
                    at += 1;
                } else if at + 1 < rest.len() {
                    at += 2;
                } else {
                    // The escaped byte is not here yet.
                    self.seen = at;
                    return None;
                }
                continue;
            }
            match rest[at] {
                b'"' => self.quoted = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.seen = rest.len();
        None
    }
}

/// Text that is no JSON ends before an object with a key.
fn junk(rest: &[u8], ended: bool) -> Option<usize> {
    for at in memchr::memchr_iter(b'{', rest).filter(|at| *at > 0) {
        match rest[at + 1..].iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'"') => return Some(at),
            None if !ended => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(text: &str, step: usize) -> Pieces<'static> {
        let mut rest = text.as_bytes().to_vec();
        let fill = move |buffer: &mut Vec<u8>, _: usize| {
            let take = step.min(rest.len());
            buffer.extend(rest.drain(..take));
            Ok(rest.is_empty())
        };
        Pieces::open(Box::new(fill), Box::new(Values::default()), "t.json", 1 << 20, usize::MAX).unwrap()
    }

    fn read(pieces: &mut Pieces<'_>, target: usize) -> Vec<(u64, u64, String)> {
        let mut out = Vec::new();
        while let Some(chunk) = pieces.next_chunk(target).unwrap() {
            for e in &chunk.elements {
                let text = String::from_utf8(chunk.data[e.start..e.start + e.length].to_vec()).unwrap();
                out.push((e.line, chunk.offset + e.start as u64, text));
            }
        }
        out
    }

    const TEXT: &str = "\u{feff}{\"a\":\"}]\\\\\"}{\n \"b\": [1,{}]\n}\n\n502 {Bad} Gateway {\"c\":\"\\\"{\"},\n[7]  {\"d\":[";

    proptest! {
        #[test]
        fn any_step_and_chunk_size_gives_the_same_pieces(step in 1usize..90, target in 1usize..90) {
            let pieces = read(&mut open(TEXT, step), target);
            let texts: Vec<_> = pieces.iter().map(|(_, _, t)| t.as_str()).collect();
            prop_assert_eq!(texts, ["{\"a\":\"}]\\\\\"}", "{\n \"b\": [1,{}]\n}", "502 {Bad} Gateway ", "{\"c\":\"\\\"{\"}", "[7]", "{\"d\":["]);
            for (number, (line, at, text)) in pieces.iter().enumerate() {
                let start = usize::try_from(*at).unwrap();
                prop_assert_eq!(&TEXT[start..start + text.len()], text.as_str());
                prop_assert_eq!(*line, TEXT[..start].matches('\n').count() as u64 + 1);
                let mut rest = open(TEXT, step);
                rest.skip_to(at + text.len() as u64).unwrap();
                prop_assert_eq!(read(&mut rest, target), pieces[number + 1..].to_vec());
            }
        }
    }

    #[test]
    fn a_piece_that_never_ends_is_an_error_with_its_place() {
        let text = format!("{{}}\n{{\"a\":\"{}", "x".repeat(3000));
        let mut rest = text.into_bytes();
        let fill = move |buffer: &mut Vec<u8>, _: usize| {
            let take = rest.len().min(100);
            buffer.extend(rest.drain(..take));
            Ok(rest.is_empty())
        };
        let mut pieces = Pieces::open(Box::new(fill), Box::new(Values::default()), "t.json", 1000, 1).unwrap();
        assert!(pieces.next_chunk(10).unwrap().is_some());
        let error = pieces.next_chunk(10).unwrap_err().to_string();
        assert!(error.starts_with("t.json:2 (byte 3): a record or page is longer than 1000 bytes"), "{error}");
    }
}
