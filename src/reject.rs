//! A record that is refused while the run goes on: where it stands, why, and what it was.
//!
//! Not for errors that end the run ([`crate::error`]), and it decides nothing: the decoders do.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};

/// Why a record was refused. The kebab-case text is stable: scripts may rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The text is not one JSON object.
    BadJson,
    /// The input ends in the middle of the record.
    CutOff,
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// A `\uD800`–`\uDFFF` escape without its partner: no UTF-8 string can hold it.
    LoneSurrogate,
    /// `NaN` or `Infinity` written as a bare word, which JSON does not have.
    NonFiniteLiteral,
    /// Nested deeper than [`crate::formats::json::MAX_DEPTH`].
    TooDeep,
    /// The same key twice in the record or in its payload.
    DuplicateKey,
    /// The line is longer than the limit that `--memory` allows.
    LineTooLong,
    /// There is no id, or it is null.
    MissingId,
    /// The id is of a type that this source cannot have.
    IdType,
    /// The id is the empty string.
    EmptyId,
    /// The vector is not an array of numbers.
    VectorType,
    /// The vector has another number of values than its column.
    VectorDimension,
    /// A value of the vector is NaN, infinite, or overflows float32.
    VectorNotFinite,
    /// A sparse vector whose indices and values do not fit together.
    SparseVector,
    /// The payload is neither an object nor null.
    PayloadType,
    /// The record has the shape of another database.
    ForeignRecord,
    /// A row of CSV whose quotes or number of columns are wrong.
    BadCsv,
    /// A page of answers that holds no records: an error of the server's, or something else than was asked for.
    LostPage,
    /// Another record of this run has the same id (`--on-duplicate reject`).
    DuplicateId,
}

impl Code {
    /// The stable kebab-case name, as in the rejects file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad-json",
            Self::CutOff => "cut-off",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::LoneSurrogate => "lone-surrogate",
            Self::NonFiniteLiteral => "non-finite-literal",
            Self::TooDeep => "too-deep",
            Self::DuplicateKey => "duplicate-key",
            Self::LineTooLong => "line-too-long",
            Self::MissingId => "missing-id",
            Self::IdType => "id-type",
            Self::EmptyId => "empty-id",
            Self::VectorType => "vector-type",
            Self::VectorDimension => "vector-dimension",
            Self::VectorNotFinite => "vector-not-finite",
            Self::SparseVector => "sparse-vector",
            Self::PayloadType => "payload-type",
            Self::ForeignRecord => "foreign-record",
            Self::BadCsv => "bad-csv",
            Self::LostPage => "lost-page",
            Self::DuplicateId => "duplicate-id",
        }
    }
}

/// The refusal itself, before anyone knows where the record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// One sentence: the value met and the value expected.
    pub reason: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// Where a record stands in its shard. `None` means that the format has no such coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Index of the shard in the plan, from 0.
    pub shard: u32,
    /// Line, from 1, blank lines counted (text formats).
    pub line: Option<u64>,
    /// Offset of the record's first byte in the decompressed stream, from 0 (text formats).
    pub byte: Option<u64>,
    /// Length of the record in bytes (text formats).
    pub length: u64,
    /// Number of the record in its shard, from 1.
    pub record: u64,
}

/// One refused record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where it stands.
    pub place: Place,
    /// Its id, where it could be read.
    pub id: Option<String>,
    /// The namespace that the record itself names, where it could be read; `None`: its shard's.
    pub namespace: Option<String>,
    /// Why.
    pub refusal: Refusal,
    /// The record's bytes as they were met (JSON text for Parquet rows).
    pub original: Vec<u8>,
}

impl Reject {
    /// `points-003.jsonl:18231 (byte 88213004): vector has 767 values, expected 768 [vector-dimension]`
    #[must_use]
    pub fn message(&self, shard: &str) -> String {
        let id = match &self.id {
            Some(id) => format!("id \"{}\": ", excerpt(id, 60)),
            None => String::new(),
        };
        format!("{}: {id}{} [{}]", place_text(&self.place, shard), self.refusal.reason, self.refusal.code.name())
    }

    /// The line of the rejects file, without the newline. `collection` is (source, name, namespace), `format` the layout's name.
    #[must_use]
    pub fn to_json(&self, shard: &str, collection: (&str, &str, &str), format: &str) -> String {
        let (source, name, namespace) = collection;
        let mut line = serde_json::json!({
            "source": source,
            "collection": name,
            "namespace": namespace,
            "format": format,
            "shard": shard,
            "line": self.place.line,
            "byte": self.place.byte,
            "record": self.place.record,
            "id": self.id,
            "code": self.refusal.code.name(),
            "reason": self.refusal.reason,
        });
        if let Ok(text) = std::str::from_utf8(&self.original) {
            line["original"] = text.into();
        } else {
            line["original"] = String::from_utf8_lossy(&self.original).into();
            line["original_hex"] = hex(&self.original).into();
        }
        line.to_string()
    }
}

/// `file:line (byte n)`, or `file, row n` where there are no lines.
#[must_use]
pub fn place_text(place: &Place, shard: &str) -> String {
    let shard = printable(shard);
    match (place.line, place.byte) {
        (Some(line), Some(byte)) => format!("{shard}:{line} (byte {byte})"),
        _ => format!("{shard}, row {}", place.record),
    }
}

/// Lower-case hexadecimal, two digits a byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// At most `limit` characters of `text` that are safe on a terminal: control and format characters are escaped.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    let short: String = text.chars().take(limit).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", printable(&short))
}

/// `text` with control characters escaped, so that data cannot steer the terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Writes the rejects of a file as one JSON array of `{"id", "error"}`, the list that migration scripts write; an empty array where
/// there are none.
///
/// # Errors
/// A file cannot be read or written.
pub fn write_errors_json(rejects: Option<&Path>, out: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::io("write", out, &e);
    let mut writer = BufWriter::new(File::create(out).map_err(failed)?);
    let mut before = "[";
    if let Some(path) = rejects {
        let file = File::open(path).map_err(|e| Error::io("read", path, &e))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|e| Error::io("read", path, &e))?;
            let reject: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let text = |key: &str| reject.get(key).and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
            let place = match reject.get("line").and_then(serde_json::Value::as_u64) {
                Some(line) => format!("{}:{line}", text("shard")),
                None => format!("{}, row {}", text("shard"), reject.get("record").and_then(serde_json::Value::as_u64).unwrap_or(0)),
            };
            let id = reject.get("id").unwrap_or(&serde_json::Value::Null);
            let error = serde_json::Value::from(format!("{place}: {} [{}]", text("reason"), text("code")));
            write!(writer, "{before}\n  {{\"id\": {id}, \"error\": {error}}}").map_err(failed)?;
            before = ",";
        }
    }
    writeln!(writer, "{}", if before == "[" { "[]" } else { "\n]" }).and_then(|()| writer.flush()).map_err(failed)
}
