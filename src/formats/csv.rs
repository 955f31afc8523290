//! CSV (RFC 4180, as `COPY … WITH (FORMAT csv)` writes it) and the text format of `COPY` (TSV): records cut, cells read, rows as JSON.
//!
//! Not which column is what: that is the layout's ([`super::fields`] tells it). A cell has no type: it is kept as text unless it says
//! by itself what it is (see `csv/row.rs`).

mod row;

use std::borrow::Cow;

pub use row::{Rows, is_sparse};

use super::pieces::Cut;
use crate::reject::{Code, Refusal};

/// How cells are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The byte between two cells.
    pub separator: u8,
    /// Cells may stand in quotes, and an empty one without quotes is null. Otherwise `\N` is null and `\` escapes: `COPY`'s text.
    pub quotes: bool,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// Its text, without quotes and escapes.
    Text(Cow<'a, str>),
}

impl Cell<'_> {
    /// The text, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text),
        }
    }
}

/// Cuts records: a line end outside of quotes.
#[derive(Debug)]
pub struct Lines {
    dialect: Dialect,
    seen: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a cell.
    Start,
    /// In a cell without quotes, or after the closing quote of one.
    Plain,
    /// In quotes.
    Quoted,
}

impl Lines {
    /// A cutter for one shard.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, seen: 0, state: State::Start }
    }
}

impl Cut for Lines {
    fn end(&mut self, rest: &[u8], ended: bool) -> Option<usize> {
        let end = self.find(rest);
        if end.is_some() || ended {
            (self.seen, self.state) = (0, State::Start);
        }
        end
    }

    fn between(&self, byte: u8) -> bool {
        matches!(byte, b'\n' | b'\r')
    }

    fn help(&self) -> &'static str {
        "a quote that is never closed looks like this; else raise --memory: a quarter of it may be one record"
    }
}

impl Lines {
    fn find(&mut self, rest: &[u8]) -> Option<usize> {
        let mut at = self.seen;
        while at < rest.len() {
            match self.state {
                State::Quoted => match memchr::memchr(b'"', &rest[at..]) {
                    // A doubled quote closes and opens again, which comes to the same here.
                    Some(offset) => {
                        at += offset + 1;
                        self.state = State::Plain;
                        if rest.get(at) == Some(&b'"') {
                            at += 1;
                            self.state = State::Quoted;
                        } else if at == rest.len() {
                            // Whether the quote is doubled is not known yet.
                            self.state = State::Quoted;
                            self.seen = at - 1;
                            return None;
                        }
                    }
                    None => at = rest.len(),
                },
                State::Start if self.dialect.quotes && rest[at] == b'"' => {
                    self.state = State::Quoted;
                    at += 1;
                }
                State::Start | State::Plain => {
                    self.state = State::Plain;
                    let Some(offset) = memchr::memchr2(self.dialect.separator, b'\n', &rest[at..]) else {
                        at = rest.len();
                        continue;
                    };
                    at += offset;
                    if rest[at] == b'\n' {
                        return Some(at);
                    }
                    at += 1;
                    self.state = State::Start;
                }
            }
        }
        self.seen = at;
        None
    }
}

/// The cells of one record without its line end.
///
/// # Errors
/// A quote that is not closed, or text after a closing one.
pub fn cells(record: &str, dialect: Dialect) -> Result<Vec<Cell<'_>>, Refusal> {
    let record = record.strip_suffix('\r').unwrap_or(record);
    let mut out = Vec::new();
    let mut rest = record;
    loop {
        let quoted = rest.strip_prefix('"').filter(|_| dialect.quotes);
        let (cell, after) = if let Some(inside) = quoted {
            quoted_cell(inside)?
        } else {
            let end = memchr::memchr(dialect.separator, rest.as_bytes()).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            let cell = match (dialect.quotes, text) {
                (true, "") | (false, "\\N") => Cell::Null,
                (true, text) => Cell::Text(Cow::Borrowed(text)),
                (false, text) => Cell::Text(unescaped(text)),
            };
            (cell, after)
        };
        out.push(cell);
        let Some(next) = after.as_bytes().first() else { return Ok(out) };
        if *next != dialect.separator {
            let column = out.len();
            return Err(Refusal::new(Code::BadCsv, format!("column {column}: text after a closing quote; a quote inside of quotes is written twice")));
        }
        rest = &after[1..];
    }
}

/// A cell behind its opening quote, and what follows the closing one.
fn quoted_cell(inside: &str) -> Result<(Cell<'_>, &str), Refusal> {
    let mut at = 0;
    let mut doubled = false;
    loop {
        let Some(offset) = memchr::memchr(b'"', &inside.as_bytes()[at..]) else {
            return Err(Refusal::new(Code::CutOff, "a quote is not closed: the input ends inside of a cell"));
        };
        at += offset;
        if inside.as_bytes().get(at + 1) == Some(&b'"') {
            doubled = true;
            at += 2;
            continue;
        }
        let text = &inside[..at];
        let text = if doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) };
        return Ok((Cell::Text(text), &inside[at + 1..]));
    }
}

/// Text without the escapes of `COPY`'s text format. Bytes given by number that make no UTF-8 stay as they are written.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' || at + 1 == bytes.len() {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = |from: usize, most: usize, radix: u32| bytes[from..].iter().take(most).take_while(|b| (**b as char).is_digit(radix)).count();
        let (byte, length) = match bytes[at + 1] {
            b'b' => (8, 2),
            b'f' => (12, 2),
            b'n' => (b'\n', 2),
            b'r' => (b'\r', 2),
            b't' => (b'\t', 2),
            b'v' => (11, 2),
            b'0'..=b'7' => number(text, at + 1, digits(at + 1, 3, 8), 8, 1),
            b'x' if digits(at + 2, 2, 16) > 0 => number(text, at + 2, digits(at + 2, 2, 16), 16, 2),
            other => (other, 2),
        };
        out.push(byte);
        at += length;
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A byte written by its number, and the length of the escape.
fn number(text: &str, from: usize, digits: usize, radix: u32, before: usize) -> (u8, usize) {
    let value = u32::from_str_radix(&text[from..from + digits], radix).unwrap_or(0) & 0xFF;
    (u8::try_from(value).unwrap_or(0), before + digits)
}

/// The dialect that the first bytes of a file have, if they are of rows and columns. `named` says that the file's name promises it;
/// without that, a vector must stand in the second row, or in the first.
#[must_use]
pub fn dialect(head: &[u8], named: bool) -> Option<Dialect> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let first = *head.trim_ascii_start().first()?;
    if !named && matches!(first, b'{' | b'[' | b'<') {
        return None;
    }
    let valid = std::str::from_utf8(head).map_or_else(|e| e.valid_up_to(), str::len);
    let text = std::str::from_utf8(&head[..valid]).unwrap_or("");
    let candidates = [(b'\t', false), (b',', true), (b';', true), (b'|', true)];
    for dialect in candidates.map(|(separator, quotes)| Dialect { separator, quotes }) {
        let rows = first_rows(text, dialect, 2);
        let counts: Vec<usize> = rows.iter().map(Vec::len).collect();
        let columns = counts.first().copied().unwrap_or(0) > 1 && counts.windows(2).all(|w| w[0] == w[1]);
        let vector = rows.iter().flatten().any(|cell| cell.text().is_some_and(|t| t.starts_with('[') || row::is_sparse(t)));
        if columns && (named || vector) {
            return Some(dialect);
        }
    }
    named.then_some(Dialect { separator: b',', quotes: true })
}

/// The first rows that are whole, or cut off by the end of the text only.
fn first_rows(text: &str, dialect: Dialect, most: usize) -> Vec<Vec<Cell<'_>>> {
    let mut rows = Vec::new();
    let mut rest = text.trim_start_matches(['\n', '\r']);
    while rows.len() < most && !rest.is_empty() {
        let end = Lines::new(dialect).end(rest.as_bytes(), true);
        let Ok(cells) = cells(&rest[..end.unwrap_or(rest.len())], dialect) else { break };
        if end.is_none() && !rows.is_empty() {
            break;
        }
        rows.push(cells);
        rest = rest[end.unwrap_or(rest.len())..].trim_start_matches(['\n', '\r']);
    }
    rows
}

/// Names of the columns, if the first row has them: all different, and none of them empty, a number, or a value of another type.
#[must_use]
pub fn header(head: &[u8], dialect: Dialect) -> Option<Vec<String>> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let valid = std::str::from_utf8(head).map_or_else(|e| e.valid_up_to(), str::len);
    let text = std::str::from_utf8(&head[..valid]).unwrap_or("");
    let rows = first_rows(text, dialect, 1);
    let mut names: Vec<String> = Vec::new();
    for cell in rows.first()? {
        let name = cell.text()?;
        let value = name.is_empty() || name.starts_with(['[', '{', '-']) || name.parse::<f64>().is_ok() || uuid::Uuid::parse_str(name).is_ok();
        if value || names.iter().any(|n| n == name) {
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}

#[cfg(test)]
mod tests;
