//! One record on its way from a decoder to the columns: borrowed text, nothing converted yet.
//!
//! Knows no format: every decoder fills the same struct.

use std::borrow::Cow;
use std::ops::Range;

use crate::formats::json::Kind;

/// One field of the payload.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// The key, unescaped.
    pub key: Cow<'a, str>,
    /// The value's JSON text, as in the source.
    pub raw: Cow<'a, str>,
    /// The value's kind.
    pub kind: Kind,
}

/// The payload's own text.
#[derive(Debug, Clone, Default)]
pub enum Payload<'a> {
    /// The source record has no such key.
    #[default]
    Missing,
    /// The key is there; this is its JSON text (`null` included).
    Text(Cow<'a, str>),
}

/// Values of a vector beside the main one. Ranges point into [`Record::floats`], [`Record::bytes`] and [`Record::indices`].
#[derive(Debug, Clone, PartialEq)]
pub enum Other {
    /// Dense values.
    Dense(Range<usize>),
    /// Rows of a multi-vector, one range each.
    Multi(Vec<Range<usize>>),
    /// Dense values of another type than float32, as their little-endian bytes.
    Typed(Range<usize>),
    /// Rows of a multi-vector of such values, one range of bytes each.
    TypedMulti(Vec<Range<usize>>),
    /// Sparse indices and their values, the same number of both.
    Sparse {
        /// Range of the indices.
        indices: Range<usize>,
        /// Range of the values.
        values: Range<usize>,
    },
}

/// One record. Buffers are reused from record to record: call [`Record::clear`] first.
#[derive(Debug, Default)]
pub struct Record<'a> {
    /// The source id as text; `None` until met.
    pub id: Option<Cow<'a, str>>,
    /// The namespace that the record itself names; `None`: its shard's.
    pub namespace: Option<Cow<'a, str>>,
    /// Text from a field of its own (Chroma's `document`).
    pub text: Option<Cow<'a, str>>,
    /// The payload's text.
    pub payload: Payload<'a>,
    /// The payload's fields.
    pub fields: Vec<Field<'a>>,
    /// Fields that the mapping has taken out of the payload.
    pub dropped: Vec<String>,
    /// Top-level fields that have no place of their own, as `"key":value` joined by commas.
    pub rest: String,
    /// All float32 values of the record's vectors.
    pub floats: Vec<f32>,
    /// All values of other types than float32, as little-endian bytes.
    pub bytes: Vec<u8>,
    /// Whether a value of the main vector was no float32 and is rounded.
    pub rounded: bool,
    /// All sparse indices.
    pub indices: Vec<u32>,
    /// The main vector's values; `None` where the record has none.
    pub main: Option<Range<usize>>,
    /// The other vectors, with their index in the layout.
    pub others: Vec<(usize, Other)>,
}

impl Record<'_> {
    /// Forgets everything but the buffers' capacity.
    pub fn clear(&mut self) {
        self.id = None;
        self.namespace = None;
        self.text = None;
        self.payload = Payload::Missing;
        self.fields.clear();
        self.dropped.clear();
        self.rest.clear();
        self.floats.clear();
        self.bytes.clear();
        self.rounded = false;
        self.indices.clear();
        self.main = None;
        self.others.clear();
    }
}
