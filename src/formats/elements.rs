//! One large JSON document, array or wrapped array, cut into chunks of whole elements while it streams by.
//!
//! Not the elements' meaning, and not a validator of them: it only counts brackets outside of strings, and the decoder
//! refuses an element that is no record. What stands around the elements is checked here, and a break there ends the run,
//! because nothing after it can be trusted.

use std::collections::BTreeMap;

use super::json::Cursor;
use crate::error::{Error, Result};
use crate::reject::{excerpt, printable};

/// One element of the array.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    /// Offset in the chunk's data.
    pub start: usize,
    /// Length in bytes.
    pub length: usize,
    /// Line in the shard, from 1.
    pub line: u64,
}

/// Whole elements.
#[derive(Debug)]
pub struct ElementChunk {
    /// Offset of `data` in the plain stream.
    pub offset: u64,
    /// The bytes.
    pub data: Vec<u8>,
    /// The elements in them.
    pub elements: Vec<Element>,
}

/// Reads bytes: appends up to so many to the buffer and says whether the input ended.
pub type Fill<'f> = dyn FnMut(&mut Vec<u8>, usize) -> Result<bool> + Send + 'f;

/// Bytes asked for at a time.
const STEP: usize = 1 << 18;
/// Largest value of a field beside the records (a schema, a name).
const FIELD_LIMIT: usize = 16 << 20;

/// The reader.
pub struct Elements<'f> {
    fill: Box<Fill<'f>>,
    name: String,
    keys: Vec<String>,
    limit: usize,
    rows: usize,
    buffer: Vec<u8>,
    at: usize,
    base: u64,
    lines: u64,
    counted: usize,
    ended: bool,
    wrapped: bool,
    finished: bool,
    /// Start in the buffer of the value that is being passed, and how long it may be.
    guard: Option<(usize, usize)>,
    /// Fields of the wrapping object beside the records: key → JSON text.
    pub info: BTreeMap<String, String>,
    /// Elements so far.
    pub count: u64,
}

impl std::fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elements").field("name", &self.name).field("base", &self.base).field("count", &self.count).finish_non_exhaustive()
    }
}

impl<'f> Elements<'f> {
    /// Starts reading: an array, or an object one of whose `keys` holds the array. `limit` is the longest element.
    ///
    /// # Errors
    /// The input cannot be read or is neither.
    pub fn open(fill: Box<Fill<'f>>, name: &str, keys: &[String], limit: usize) -> Result<Self> {
        let mut this = Self {
            fill,
            name: printable(name),
            keys: keys.to_vec(),
            limit,
            rows: usize::MAX,
            buffer: Vec::new(),
            at: 0,
            base: 0,
            lines: 0,
            counted: 0,
            ended: false,
            wrapped: false,
            finished: false,
            guard: None,
            info: BTreeMap::new(),
            count: 0,
        };
        // A mark that comes in pieces is one all the same.
        while this.buffer.len() < 3 && !this.ended {
            this.ended = (this.fill)(&mut this.buffer, STEP)?;
        }
        if this.buffer.starts_with(b"\xEF\xBB\xBF") {
            this.at = 3;
        }
        match this.skip_space()? {
            Some(b'[') => this.at += 1,
            Some(b'{') => {
                this.at += 1;
                this.wrapped = true;
                if this.skip_space()? == Some(b'}') {
                    this.at += 1;
                    this.no_records()?;
                }
                this.fields()?;
            }
            _ => return this.broken("an array of records, or an object that holds one"),
        }
        Ok(this)
    }

    /// Sets how many elements a chunk may hold; by default, any number.
    #[must_use]
    pub fn with_rows(mut self, rows: usize) -> Self {
        self.rows = rows.max(1);
        self
    }

    /// The next chunk of about `target` bytes, or `None` when the array and what follows it are read.
    ///
    /// # Errors
    /// The document is cut off or broken between elements.
    pub fn next_chunk(&mut self, target: usize) -> Result<Option<ElementChunk>> {
        if self.finished {
            return Ok(None);
        }
        self.drop_consumed();
        let mut elements = Vec::new();
        while (self.at < target && elements.len() < self.rows) || elements.is_empty() {
            match self.skip_space()? {
                Some(b']') => {
                    self.at += 1;
                    self.finish()?;
                    break;
                }
                Some(b',') if self.count > 0 => {
                    self.at += 1;
                    if self.skip_space()? == Some(b']') {
                        return self.broken("a record after the comma");
                    }
                }
                _ if self.count > 0 => return self.broken("`,` or `]` after a record"),
                _ => {}
            }
            let line = self.line_here();
            let start = self.at;
            self.value(self.limit)?;
            elements.push(Element { start, length: self.at - start, line });
            self.count += 1;
        }
        if elements.is_empty() {
            return Ok(None);
        }
        let end = elements.last().map_or(0, |e: &Element| e.start + e.length);
        let chunk = ElementChunk { offset: self.base, data: self.buffer[..end].to_vec(), elements };
        Ok(Some(chunk))
    }

    /// Passes over so many elements.
    ///
    /// # Errors
    /// As [`Self::next_chunk`]; there are not so many.
    pub fn skip(&mut self, count: u64) -> Result<()> {
        let rows = self.rows;
        while self.count < count {
            self.rows = usize::try_from(count - self.count).unwrap_or(usize::MAX);
            if self.next_chunk(STEP * 16)?.is_none() {
                return Err(Error::new(format!("{}: {} records, expected at least {count}", self.name, self.count)));
            }
        }
        self.rows = rows;
        Ok(())
    }

    /// Reads on to the end of the document, throwing elements away, so that every field of the wrapping object is known.
    ///
    /// # Errors
    /// As [`Self::next_chunk`].
    pub fn skip_all(&mut self) -> Result<()> {
        while self.next_chunk(STEP * 16)?.is_some() {}
        Ok(())
    }

    /// After the array: the rest of the wrapping object, then nothing but white space.
    fn finish(&mut self) -> Result<()> {
        self.finished = true;
        if self.wrapped {
            match self.skip_space()? {
                Some(b',') => {
                    self.at += 1;
                    self.fields()?;
                }
                Some(b'}') => self.at += 1,
                _ => return self.broken("`,` or `}` after the records"),
            }
        }
        match self.skip_space()? {
            None => Ok(()),
            Some(_) => self.broken("the end of the file after the records"),
        }
    }

    /// Fields of the wrapping object: up to the records' `[`, or to the object's end once the records are read.
    fn fields(&mut self) -> Result<()> {
        loop {
            if self.skip_space()? != Some(b'"') {
                return self.broken("a key in quotes");
            }
            let start = self.at;
            self.value(FIELD_LIMIT)?;
            let key = self.text(start, self.at)?;
            if self.skip_space()? != Some(b':') {
                return self.broken("`:`");
            }
            self.at += 1;
            let first = self.skip_space()?;
            if first == Some(b'[') && !self.finished && self.keys.contains(&key) {
                self.at += 1;
                return Ok(());
            }
            if self.finished && self.keys.contains(&key) {
                return self.broken("one array of records, not two");
            }
            let start = self.at;
            self.value(FIELD_LIMIT)?;
            let raw = String::from_utf8_lossy(&self.buffer[start..self.at]).into_owned();
            let mut cursor = Cursor::new(&raw);
            if cursor.value().and_then(|_| cursor.end()).is_err() {
                return self.broken(&format!("valid JSON in the field \"{}\"", excerpt(&key, 40)));
            }
            self.info.insert(key, raw);
            match self.skip_space()? {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return if self.finished { Ok(()) } else { self.no_records() };
                }
                _ => return self.broken("`,` or `}`"),
            }
        }
    }

    fn no_records<T>(&self) -> Result<T> {
        let keys = self.keys.join("\" or \"");
        Err(Error::new(format!("{}: the object holds no array of records under \"{keys}\"", self.name))
            .help("give --from for another database, or write one record a line"))
    }

    /// The string at `start..end` without its quotes and escapes.
    fn text(&self, start: usize, end: usize) -> Result<String> {
        let raw = String::from_utf8_lossy(&self.buffer[start..end]);
        match Cursor::new(&raw).string() {
            Ok(string) => Ok(string.value().into_owned()),
            Err(_) => self.broken("a key in quotes"),
        }
    }

    /// Moves past one value of any kind, of at most `limit` bytes (give or take one read).
    fn value(&mut self, limit: usize) -> Result<()> {
        self.guard = Some((self.at, limit));
        let passed = self.unguarded_value();
        self.guard = None;
        passed
    }

    fn unguarded_value(&mut self) -> Result<()> {
        let start = self.at;
        let mut depth = 0usize;
        loop {
            let Some(byte) = self.byte()? else {
                return self.cut_off();
            };
            match byte {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return if self.at == start { self.broken("a value") } else { Ok(()) },
                _ => self.at += 1,
            }
            if depth == 0 {
                match byte {
                    b'"' | b'}' | b']' => return Ok(()),
                    // A bare word or number ends before the next delimiter.
                    _ if matches!(self.byte()?, None | Some(b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t')) => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    /// Moves past the string at the cursor.
    fn string(&mut self) -> Result<()> {
        self.at += 1;
        loop {
            if let Some(offset) = memchr::memchr2(b'"', b'\\', &self.buffer[self.at..]) {
                self.at += offset;
                if self.buffer[self.at] == b'"' {
                    self.at += 1;
                    return Ok(());
                }
                self.at += 1;
                if self.byte()?.is_none() {
                    return self.cut_off();
                }
                self.at += 1;
            } else {
                self.at = self.buffer.len();
                if self.byte()?.is_none() {
                    return self.cut_off();
                }
            }
        }
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        while self.at >= self.buffer.len() && !self.ended {
            if let Some((start, limit)) = self.guard
                && self.buffer.len() - start > limit
            {
                self.at = start;
                return Err(
                    Error::new(format!("{}: a record is longer than {limit} bytes", self.place())).help("raise --memory: a quarter of it may be one record")
                );
            }
            self.ended = (self.fill)(&mut self.buffer, STEP)?;
        }
        Ok(self.buffer.get(self.at).copied())
    }

    fn skip_space(&mut self) -> Result<Option<u8>> {
        loop {
            match self.byte()? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return Ok(other),
            }
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

    fn place(&self) -> String {
        let lines = self.lines + memchr::memchr_iter(b'\n', &self.buffer[self.counted..self.at.min(self.buffer.len())]).count() as u64;
        format!("{}:{} (byte {})", self.name, lines + 1, self.base + self.at as u64)
    }

    fn broken<T>(&self, expected: &str) -> Result<T> {
        if self.at >= self.buffer.len() && self.ended {
            return self.cut_off();
        }
        let rest = String::from_utf8_lossy(&self.buffer[self.at..(self.at + 8).min(self.buffer.len())]).into_owned();
        Err(Error::new(format!("{}: found `{}`, expected {expected}", self.place(), super::json::first_char(&rest)))
            .help("the document is broken here, so nothing of it was converted; write one record a line to keep the good ones"))
    }

    fn cut_off<T>(&self) -> Result<T> {
        Err(Error::new(format!("{}: the file is cut off: unexpected end of input in the JSON document", self.place()))
            .help("copy the file again from its source; nothing of it was converted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Elements as (line, byte, text), and the fields beside them.
    type Read = (Vec<(u64, u64, String)>, BTreeMap<String, String>);

    fn read(text: &str, step: usize, target: usize) -> Result<Read> {
        let mut rest = text.as_bytes().to_vec();
        let fill = move |buffer: &mut Vec<u8>, _: usize| {
            let take = step.min(rest.len());
            buffer.extend(rest.drain(..take));
            Ok(rest.is_empty())
        };
        let mut elements = Elements::open(Box::new(fill), "t.json", &["data".to_owned()], 1 << 20)?;
        let mut out = Vec::new();
        while let Some(chunk) = elements.next_chunk(target)? {
            for e in &chunk.elements {
                let text = String::from_utf8(chunk.data[e.start..e.start + e.length].to_vec()).unwrap();
                out.push((e.line, chunk.offset + e.start as u64, text));
            }
        }
        Ok((out, elements.info))
    }

    const TEXT: &str = "{ \"n\": \"a]\\\"[\",\n \"data\" : [ {\"a\":\"}]\\\\\"},\n\n[1,{}] , 7,\"x,y\", null ]\n, \"total\": 5 } \n";

    proptest! {
        #[test]
        fn any_step_and_chunk_size_gives_the_same_elements(step in 1usize..90, target in 1usize..90) {
            let (elements, info) = read(TEXT, step, target).unwrap();
            let texts: Vec<_> = elements.iter().map(|(_, _, t)| t.as_str()).collect();
            prop_assert_eq!(texts, ["{\"a\":\"}]\\\\\"}", "[1,{}]", "7", "\"x,y\"", "null"]);
            for (line, at, text) in &elements {
                let at = usize::try_from(*at).unwrap();
                prop_assert_eq!(&TEXT[at..at + text.len()], text.as_str());
                prop_assert_eq!(*line, TEXT[..at].matches('\n').count() as u64 + 1);
            }
            prop_assert_eq!(&info["total"], "5");
        }

        #[test]
        fn a_document_cut_anywhere_is_an_error(cut in 0usize..TEXT.trim_end().len(), step in 1usize..90) {
            prop_assert!(read(&TEXT[..cut], step, 10).is_err());
        }
    }

    #[test]
    fn breaks_between_elements_name_the_place() {
        for (text, says) in [
            ("[1 2]", "t.json:1 (byte 3): found `2`, expected `,` or `]`"),
            ("[1,]", "expected a record after the comma"),
            ("[1]x", "expected the end of the file"),
            ("{\"x\":1}", "no array of records under \"data\""),
            ("[,1]", "expected a value"),
        ] {
            let error = read(text, 3, 10).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
