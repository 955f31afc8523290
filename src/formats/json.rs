//! A cursor over the text of one JSON value: it validates everything, copies nothing, and says where it stopped.
//!
//! Not a tree and not serde: records keep the source's own text (the digits of a number, the order of keys), which a parsed
//! tree would lose, and a vector goes straight into `f32` ([`super::number`]). RFC 8259 is followed to the letter, with two
//! limits of ours: nesting up to [`MAX_DEPTH`], and no lone surrogate escapes, because no UTF-8 string can hold them.

use std::borrow::Cow;

use crate::reject::{Code, Refusal};

/// Deepest nesting accepted. Databases stop far earlier; the cursor keeps one bit a level, so no input can exhaust the stack.
pub const MAX_DEPTH: usize = 512;

mod canonical;
mod scan;
mod text;

pub use canonical::canonical;
use scan::find_special;
pub(super) use scan::first_char;
pub use scan::number_end;
pub use text::{compact, push_string};

/// What kind of value stands at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The word used in messages and in `custom_metadata`'s `_types`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Null => "null",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// Where and why the text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Offset in the text, in bytes from 0.
    pub at: usize,
    /// The text ended where more was expected.
    pub at_end: bool,
    /// The reject code.
    pub code: Code,
    /// What was expected or refused.
    pub what: String,
}

impl JsonError {
    /// The refusal's sentence; `cut` says that the input itself ends here.
    #[must_use]
    pub fn refusal(self, cut: bool) -> Refusal {
        if self.at_end && cut {
            return Refusal::new(Code::CutOff, format!("the file is cut off: unexpected end of input at byte {} of this record, {}", self.at, self.what));
        }
        let end = if self.at_end { "unexpected end, " } else { "" };
        Refusal::new(self.code, format!("{end}{} at byte {} of this record", self.what, self.at))
    }
}

type Result<T> = std::result::Result<T, JsonError>;

/// A string as it stands between its quotes.
#[derive(Debug, Clone, Copy)]
pub struct RawString<'a> {
    /// The text between the quotes, escapes untouched.
    pub raw: &'a str,
    /// Whether it holds a backslash.
    pub escaped: bool,
}

impl<'a> RawString<'a> {
    /// The string's value. Escapes were validated when it was read.
    #[must_use]
    pub fn value(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(text::unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// One value with its own text.
#[derive(Debug, Clone, Copy)]
pub struct RawValue<'a> {
    /// The value's text, exactly as in the source.
    pub raw: &'a str,
    /// Its kind.
    pub kind: Kind,
}

/// Reads one JSON text from front to back.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, pos: 0 }
    }

    /// Offset in bytes from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Moves to `pos`, which a caller's own reader (the number parser) has reached.
    pub fn set_position(&mut self, pos: usize) {
        self.pos = pos;
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte that is not white space, without taking it.
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.bytes();
        while let Some(&byte) = bytes.get(self.pos) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.pos += 1;
        }
        None
    }

    /// An error here.
    pub fn fail<T>(&self, what: impl Into<String>) -> Result<T> {
        self.fail_with(Code::BadJson, what)
    }

    fn fail_with<T>(&self, code: Code, what: impl Into<String>) -> Result<T> {
        Err(JsonError { at: self.pos, at_end: self.pos >= self.text.len(), code, what: what.into() })
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T> {
        if self.pos >= self.text.len() {
            return self.fail(format!("expected {expected}"));
        }
        let rest = self.text.get(self.pos..).unwrap_or("");
        let word = rest.trim_start_matches('-');
        if word.starts_with("NaN") || word.starts_with("Infinity") {
            let word: String = rest.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '-').collect();
            return self.fail_with(Code::NonFiniteLiteral, format!("{word} is not JSON, expected {expected}"));
        }
        self.fail(format!("found `{}`, expected {expected}", first_char(rest)))
    }

    /// Takes `byte` after white space.
    ///
    /// # Errors
    /// Something else stands there; `expected` names what should.
    pub fn expect(&mut self, byte: u8, expected: &str) -> Result<()> {
        if self.peek() == Some(byte) {
            self.pos += 1;
            Ok(())
        } else {
            self.unexpected(expected)
        }
    }

    /// The end of the text after white space.
    ///
    /// # Errors
    /// More than one value stands on the line.
    pub fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(b'{' | b'[' | b'"') => self.fail("more than one value, expected the end of the record"),
            Some(_) => self.unexpected("the end of the record"),
        }
    }

    /// The string at the cursor.
    ///
    /// # Errors
    /// No string, a raw control character, a bad escape, a lone surrogate.
    pub fn string(&mut self) -> Result<RawString<'a>> {
        self.expect(b'"', "a string")?;
        let bytes = self.bytes();
        let start = self.pos;
        let mut escaped = false;
        loop {
            self.pos = find_special(bytes, self.pos);
            match bytes.get(self.pos) {
                None => return self.fail("expected the string's closing quote"),
                Some(b'"') => {
                    let raw = &self.text[start..self.pos];
                    self.pos += 1;
                    return Ok(RawString { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(byte) => return self.fail(format!("raw control character 0x{byte:02x} in a string, expected an escape")),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        match self.bytes().get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 2;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.unit()?;
                if (0xDC00..=0xDFFF).contains(&unit) {
                    self.pos -= 6;
                    return self.fail_with(Code::LoneSurrogate, format!("lone surrogate \\u{unit:04x}, which no UTF-8 string can hold,"));
                }
                if (0xD800..=0xDBFF).contains(&unit) {
                    let low = self.bytes().get(self.pos..self.pos + 2) == Some(b"\\u");
                    if !low || !(0xDC00..=0xDFFF).contains(&self.unit()?) {
                        return self.fail_with(Code::LoneSurrogate, format!("lone surrogate \\u{unit:04x}, which no UTF-8 string can hold,"));
                    }
                }
                Ok(())
            }
            None => {
                self.pos += 1;
                self.fail("expected an escape")
            }
            Some(_) => self.fail("bad escape in a string"),
        }
    }

    /// Reads `\uXXXX` at the cursor.
    fn unit(&mut self) -> Result<u32> {
        let mut unit = 0;
        for offset in 2..6 {
            let Some(&byte) = self.bytes().get(self.pos + offset) else {
                self.pos = self.text.len();
                return self.fail("expected four hexadecimal digits");
            };
            let Some(digit) = (byte as char).to_digit(16) else {
                return self.fail("bad \\u escape, expected four hexadecimal digits");
            };
            unit = unit * 16 + digit;
        }
        self.pos += 6;
        Ok(unit)
    }

    fn number(&mut self) -> Result<()> {
        match number_end(self.bytes(), self.pos) {
            Ok(end) => {
                self.pos = end;
                Ok(())
            }
            Err(at) => {
                if at == self.pos + 1 && self.text[at..].starts_with("Inf") {
                    return self.unexpected("a number");
                }
                self.pos = at;
                self.unexpected("a digit")
            }
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        let rest = &self.bytes()[self.pos..];
        if rest.starts_with(word.as_bytes()) {
            self.pos += word.len();
            Ok(())
        } else if word.as_bytes().starts_with(rest) {
            self.pos = self.text.len();
            self.fail(format!("expected `{word}`"))
        } else {
            self.unexpected("a value")
        }
    }

    /// The kind of the value at the cursor, without taking it.
    ///
    /// # Errors
    /// No value starts here.
    pub fn kind(&mut self) -> Result<Kind> {
        match self.peek() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-') if self.text[self.pos..].starts_with("-I") => self.unexpected("a value"),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            _ => self.unexpected("a value"),
        }
    }

    fn scalar(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::String => self.string().map(|_| ()),
            Kind::Number => self.number(),
            Kind::Null => self.word("null"),
            Kind::Bool if self.peek() == Some(b't') => self.word("true"),
            Kind::Bool => self.word("false"),
            Kind::Array | Kind::Object => Ok(()),
        }
    }

    /// Takes one value of any kind and gives its text.
    ///
    /// # Errors
    /// The value is not valid JSON, or nested deeper than [`MAX_DEPTH`].
    pub fn value(&mut self) -> Result<RawValue<'a>> {
        let kind = self.kind()?;
        let start = self.pos;
        if matches!(kind, Kind::Array | Kind::Object) {
            self.container()?;
        } else {
            self.scalar(kind)?;
        }
        Ok(RawValue { raw: &self.text[start..self.pos], kind })
    }

    /// Takes an array or object. Iterative: `open` keeps one bit a level, set for objects.
    fn container(&mut self) -> Result<()> {
        let mut open = [0u64; MAX_DEPTH / 64];
        let mut depth = 0usize;
        loop {
            // A value starts here.
            let kind = self.kind()?;
            if let Kind::Array | Kind::Object = kind {
                if depth == MAX_DEPTH {
                    return self.fail_with(Code::TooDeep, format!("nested deeper than {MAX_DEPTH} levels"));
                }
                self.pos += 1;
                let object = kind == Kind::Object;
                let bit = 1u64 << (depth % 64);
                if object {
                    open[depth / 64] |= bit;
                } else {
                    open[depth / 64] &= !bit;
                }
                depth += 1;
                let close = if object { b'}' } else { b']' };
                if self.peek() == Some(close) {
                    self.pos += 1;
                    depth -= 1;
                } else {
                    if object {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar(kind)?;
            }
            // A value ended here.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = open[(depth - 1) / 64] >> ((depth - 1) % 64) & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.pos += 1;
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if object => self.pos += 1,
                    Some(b']') if !object => self.pos += 1,
                    _ => return self.unexpected(if object { "`,` or `}`" } else { "`,` or `]`" }),
                }
                depth -= 1;
            }
        }
    }

    /// A key and its colon.
    ///
    /// # Errors
    /// No string, or no colon after it.
    pub fn key(&mut self) -> Result<RawString<'a>> {
        if self.peek() != Some(b'"') {
            return self.unexpected("a key in quotes");
        }
        let key = self.string()?;
        self.expect(b':', "`:`")?;
        Ok(key)
    }

    /// Calls `each` at every value of the object at the cursor, with its key; `each` must take the value.
    ///
    /// # Errors
    /// Not an object, or what `each` returns.
    pub fn object<E: From<JsonError>>(&mut self, mut each: impl FnMut(RawString<'a>, &mut Self) -> std::result::Result<(), E>) -> std::result::Result<(), E> {
        self.expect(b'{', "an object")?;
        if self.peek() == Some(b'}') {
            self.pos += 1;
            return Ok(());
        }
        loop {
            let key = self.key()?;
            each(key, self)?;
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => self.unexpected::<()>("`,` or `}`")?,
            }
        }
    }

    /// Calls `each` at every value of the array at the cursor; `each` must take the value.
    ///
    /// # Errors
    /// Not an array, or what `each` returns.
    pub fn array<E: From<JsonError>>(&mut self, mut each: impl FnMut(&mut Self) -> std::result::Result<(), E>) -> std::result::Result<(), E> {
        self.expect(b'[', "an array")?;
        if self.peek() == Some(b']') {
            self.pos += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b']') => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => self.unexpected::<()>("`,` or `]`")?,
            }
        }
    }
}

#[cfg(test)]
mod tests;
