//! Text records, one JSON object each, to a batch: the decoder of every layout that a TOML can say.
//!
//! Not the cutting into records: lines come from [`crate::source::chunk`], array elements from [`super::elements`].

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::ArrowError;
use uuid::Uuid;

use super::json::{Cursor, JsonError, Kind, push_string};
use super::number::{VectorError, f32_array};
use super::spec::{IdType, Spec};
use super::walk::{Node, Seen, Slot};
use super::{Chunk, Decoded, Decoder, RowOrigin};
use crate::error::Result;
use crate::frame::builder::{FrameBuilder, Membership};
use crate::frame::mapping::Mapping;
use crate::frame::record::{Field, Other, Payload, Record};
use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::{Code, Place, Refusal, Reject, excerpt};

/// What a decoder of any encoding needs to know.
#[derive(Clone)]
pub struct Context {
    /// The layout's TOML, with what a schema or flags have added.
    pub spec: Arc<Spec>,
    /// Fields to columns.
    pub mapping: Arc<Mapping>,
    /// The collection.
    pub membership: Arc<Membership>,
    /// Index of the shard.
    pub shard: u32,
    /// Keys that records of other layouts have and this one's do not.
    pub foreign: Arc<Vec<String>>,
}

/// Decodes text records.
pub struct TextDecoder {
    context: Context,
    root: Node,
    uuid: Box<dyn Fn(&str) -> Uuid + Send + Sync>,
}

impl TextDecoder {
    /// A decoder for one shard.
    ///
    /// # Errors
    /// The layout contradicts itself.
    pub fn new(context: Context) -> Result<Self> {
        let root = Node::of(&context.spec)?;
        let uuid = Box::new(context.membership.collection.member_uuids());
        Ok(Self { context, root, uuid })
    }
}

impl Decoder for TextDecoder {
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> std::result::Result<Decoded, ArrowError> {
        let mut pass = Pass {
            builder: FrameBuilder::new(&self.context.membership, &self.context.mapping, layout),
            reader: RecordReader::new(&self.context, &self.root, layout),
            uuid: &self.uuid,
            out: Decoded::default(),
            shard: self.context.shard,
        };
        match chunk {
            Chunk::Lines(lines) => pass.lines(lines),
            Chunk::Elements(elements) => {
                for element in &elements.elements {
                    let bytes = &elements.data[element.start..element.start + element.length];
                    pass.record(bytes, element.line, elements.offset + element.start as u64, false);
                }
            }
            Chunk::Rows { .. } => {}
        }
        pass.finish()
    }
}

/// One pass over a chunk.
struct Pass<'a> {
    builder: FrameBuilder<'a>,
    reader: RecordReader<'a>,
    uuid: &'a (dyn Fn(&str) -> Uuid + Send + Sync),
    out: Decoded,
    shard: u32,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl<'a> Pass<'a> {
    fn lines(&mut self, chunk: &'a crate::source::chunk::LineChunk) {
        let bytes = chunk.data.bytes();
        if let Some(length) = chunk.oversize {
            self.out.lines = 1;
            self.out.records = 1;
            let place = Place { shard: self.shard, line: Some(1), byte: Some(chunk.offset), length, record: 1 };
            let refusal = Refusal::new(Code::LineTooLong, format!("the line is {length} bytes long, over the limit that --memory allows; only its beginning is kept here"));
            self.out.rejects.push(Reject { place, id: None, refusal, original: bytes.to_vec() });
            return;
        }
        let mut at = 0;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |e| at + e);
            self.out.lines += 1;
            let mut line = &bytes[at..end];
            // A byte-order mark may start the file, or any file that was appended to it.
            line = line.strip_prefix(BOM).unwrap_or(line).trim_ascii();
            if !line.is_empty() {
                let cut = chunk.last && end == bytes.len();
                self.record(line, self.out.lines, chunk.offset + at as u64, cut);
            }
            at = end + 1;
        }
    }

    /// `cut`: the input ends with this record, without a line end.
    fn record(&mut self, bytes: &'a [u8], line: u64, byte: u64, cut: bool) {
        self.out.records += 1;
        let place = Place { shard: self.shard, line: Some(line), byte: Some(byte), length: bytes.len() as u64, record: self.out.records };
        let refused = match std::str::from_utf8(bytes) {
            Err(e) => {
                let at = e.valid_up_to();
                let met = bytes.get(at).copied().unwrap_or_default();
                Err(Refusal::new(Code::InvalidUtf8, format!("byte 0x{met:02x} at byte {at} of this record is not UTF-8")))
            }
            Ok(text) => self.reader.read(text, cut),
        };
        match refused {
            Ok(()) => {
                let record = &self.reader.record;
                let uuid = (self.uuid)(record.id.as_deref().unwrap_or_default());
                match &record.main {
                    None => self.out.without_vector += 1,
                    Some(range) if record.floats[range.clone()].iter().all(|v| *v == 0.0) => self.out.zero_vectors += 1,
                    Some(_) => {}
                }
                self.out.unknown.append(&mut self.reader.unknown);
                self.builder.append(uuid, record);
                self.out.origins.push(RowOrigin { uuid: uuid.into_bytes(), place });
            }
            Err(refusal) => {
                let id = std::str::from_utf8(bytes).ok().and_then(|text| self.reader.find_id(text));
                self.out.rejects.push(Reject { place, id, refusal, original: bytes.to_vec() });
            }
        }
    }

    fn finish(mut self) -> std::result::Result<Decoded, ArrowError> {
        if self.builder.rows() > 0 && self.out.unknown.is_empty() {
            self.out.batch = Some(self.builder.finish()?);
        }
        Ok(self.out)
    }
}

/// Why a record stops being read.
pub(super) enum Stop {
    Json(JsonError),
    Refused(Refusal),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<VectorError> for Stop {
    fn from(error: VectorError) -> Self {
        match error {
            VectorError::Json(e) => Self::Json(e),
            VectorError::Refused(r) => Self::Refused(r),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Reads one record's text into a [`Record`].
pub(super) struct RecordReader<'a> {
    context: &'a Context,
    root: &'a Node,
    layout: &'a Layout,
    pub(super) record: Record<'a>,
    pub(super) unknown: Vec<(String, VectorKind)>,
    keys: Seen<'a>,
    payload_keys: Seen<'a>,
    has_payload: bool,
}

impl<'a> RecordReader<'a> {
    pub(super) fn new(context: &'a Context, root: &'a Node, layout: &'a Layout) -> Self {
        Self {
            context,
            root,
            layout,
            record: Record::default(),
            unknown: vec![],
            keys: Seen::default(),
            payload_keys: Seen::default(),
            has_payload: false,
        }
    }

    pub(super) fn clear(&mut self) {
        self.record.clear();
        self.unknown.clear();
        self.keys.clear();
        self.payload_keys.clear();
        self.has_payload = false;
    }

    fn read(&mut self, text: &'a str, cut: bool) -> std::result::Result<(), Refusal> {
        self.clear();
        let mut cursor = Cursor::new(text);
        self.object(&mut cursor).map_err(|stop| match stop {
            Stop::Json(error) => error.refusal(cut),
            Stop::Refused(refusal) => refusal,
        })
    }

    fn object(&mut self, cursor: &mut Cursor<'a>) -> std::result::Result<(), Stop> {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            cursor.value()?;
            cursor.end()?;
            return Err(Refusal::new(Code::BadJson, format!("the record is a JSON {}, expected an object", kind.name())).into());
        }
        let root = self.root;
        cursor.object(|key, cursor| {
            let key = key.value();
            if !self.keys.add(key.clone()) {
                return Err(duplicate(&key, "record"));
            }
            self.field(root, key, "", cursor)
        })?;
        cursor.end()?;
        self.complete()
    }

    /// What can be said only when the whole record is read.
    pub(super) fn complete(&mut self) -> std::result::Result<(), Stop> {
        let whole = self.record.main.is_some() && (self.has_payload || self.context.spec.payload == "*");
        if !whole && let Some(key) = self.context.foreign.iter().find(|key| self.keys.contains(key)) {
            let expected: Vec<_> = self.context.spec.top_keys().collect();
            let reason = format!("a record of another database: it has the key \"{key}\", expected {}", expected.join(", "));
            return Err(Refusal::new(Code::ForeignRecord, reason).into());
        }
        if self.record.id.is_none() {
            let at = self.context.spec.id.as_ref().map_or("/id", |id| &id.at);
            return Err(Refusal::new(Code::MissingId, format!("no id: the key \"{}\" is missing or null", &at[1..])).into());
        }
        if self.context.spec.payload == "*" {
            let mut text = String::from("{");
            for field in &self.record.fields {
                if text.len() > 1 {
                    text.push(',');
                }
                push_string(&mut text, &field.key);
                text.push(':');
                text.push_str(&super::json::compact(&field.raw));
            }
            text.push('}');
            self.record.payload = Payload::Text(text.into());
        }
        Ok(())
    }

    /// One field; `prefix` is the path above it, for fields that have no place of their own.
    fn field(&mut self, node: &Node, key: Cow<'a, str>, prefix: &str, cursor: &mut Cursor<'a>) -> std::result::Result<(), Stop> {
        let Some(child) = node.child(&key) else {
            let value = cursor.value()?;
            if self.context.spec.payload == "*" && prefix.is_empty() {
                self.record.fields.push(Field { key, raw: value.raw.into(), kind: value.kind });
            } else {
                self.rest(&format!("{prefix}{key}"), value.raw);
            }
            return Ok(());
        };
        let Some(slot) = &child.slot else {
            if cursor.kind()? != Kind::Object {
                let value = cursor.value()?;
                self.rest(&format!("{prefix}{key}"), value.raw);
                return Ok(());
            }
            let path = format!("{prefix}{key}/");
            return cursor.object(|inner, cursor| {
                let inner = inner.value();
                // Keys of nested containers share one list; the path keeps them apart.
                if !self.keys.add(Cow::Owned(format!("{path}{inner}"))) {
                    return Err(duplicate(&inner, "record"));
                }
                self.field(child, inner, &path, cursor)
            });
        };
        match slot {
            Slot::Id => self.id(cursor),
            Slot::Payload => self.payload(cursor),
            Slot::Text => {
                let value = cursor.value()?;
                if value.kind == Kind::String {
                    self.record.text = Some(string(value.raw));
                } else {
                    self.rest(&key, value.raw);
                }
                Ok(())
            }
            Slot::Vector => {
                let empty = self.vector(cursor, None)?;
                self.rest_of_empty(&key, empty);
                Ok(())
            }
            Slot::Named => {
                let empty = self.named(cursor)?;
                self.rest_of_empty(&key, empty);
                Ok(())
            }
            Slot::Dense(name) => {
                let empty = self.vector(cursor, Some(name))?;
                self.rest_of_empty(&key, empty);
                Ok(())
            }
            Slot::Sparse(name) => {
                let start = cursor.kind().map(|kind| (kind, cursor.position()))?;
                if start.0 == Kind::Null {
                    cursor.value()?;
                    self.rest(&key, "null");
                    return Ok(());
                }
                self.sparse(cursor, name)
            }
        }
    }

    /// Keeps a top-level field that has no place of its own.
    pub(super) fn rest(&mut self, key: &str, raw: &str) {
        if !self.record.rest.is_empty() {
            self.record.rest.push(',');
        }
        push_string(&mut self.record.rest, key);
        self.record.rest.push(':');
        self.record.rest.push_str(raw);
    }

    fn rest_of_empty(&mut self, key: &str, empty: Option<&str>) {
        if let Some(raw) = empty {
            self.rest(key, raw);
        }
    }

    fn id(&mut self, cursor: &mut Cursor<'a>) -> std::result::Result<(), Stop> {
        let value = cursor.value()?;
        self.record.id = self.id_of(value.raw, value.kind)?;
        Ok(())
    }

    pub(super) fn id_of(&self, raw: &'a str, kind: Kind) -> std::result::Result<Option<Cow<'a, str>>, Refusal> {
        let types = self.context.spec.id.as_ref().map_or(&[][..], |id| &id.types);
        let wanted: Vec<_> = types.iter().map(|t| if *t == IdType::String { "a string" } else { "an integer of 64 bits" }).collect();
        let wrong = |met: &str| Refusal::new(Code::IdType, format!("the id is {met}, expected {}", wanted.join(" or ")));
        match kind {
            Kind::Null => Ok(None),
            Kind::String if types.contains(&IdType::String) => {
                let id = string(raw);
                if id.is_empty() {
                    return Err(Refusal::new(Code::EmptyId, "the id is the empty string"));
                }
                Ok(Some(id))
            }
            Kind::Number if types.contains(&IdType::Integer) => {
                if raw.parse::<u64>().is_ok() || (raw.parse::<i64>().is_ok() && raw != "-0") {
                    Ok(Some(Cow::Borrowed(raw)))
                } else {
                    Err(wrong(&format!("the number {}", excerpt(raw, 30))))
                }
            }
            Kind::Bool => Err(wrong(raw)),
            kind => Err(wrong(&format!("{} {}", if matches!(kind, Kind::Array | Kind::Object) { "an" } else { "a" }, kind.name()))),
        }
    }

    fn payload(&mut self, cursor: &mut Cursor<'a>) -> std::result::Result<(), Stop> {
        let kind = cursor.kind()?;
        let start = cursor.position();
        if kind == Kind::Object {
            cursor.object(|key, cursor| {
                let key = key.value();
                if !self.payload_keys.add(key.clone()) {
                    return Err(duplicate(&key, "payload"));
                }
                let value = cursor.value()?;
                self.record.fields.push(Field { key, raw: Cow::Borrowed(value.raw), kind: value.kind });
                Ok(())
            })?;
        } else {
            cursor.value()?;
            if kind != Kind::Null {
                let article = if kind == Kind::Array { "an" } else { "a" };
                return Err(Refusal::new(Code::PayloadType, format!("the payload is {article} {}, expected an object or null", kind.name())).into());
            }
        }
        self.has_payload = true;
        self.record.payload = Payload::Text(Cow::Borrowed(&cursor.text()[start..cursor.position()]));
        Ok(())
    }

    /// Reads payload JSON that came as a string of its own (Parquet). Nothing but white space after it.
    pub(super) fn payload_text(&mut self, text: &'a str) -> std::result::Result<(), Stop> {
        let mut cursor = Cursor::new(text);
        self.payload(&mut cursor)?;
        cursor.end()?;
        Ok(())
    }

    /// Whether every field that is nothing else belongs to the payload.
    pub(super) fn rest_is_payload(&self) -> bool {
        self.context.spec.payload == "*"
    }

    /// An id that came as a value of its own type; `kind` is the column's.
    pub(super) fn set_id(&mut self, text: &'a str, kind: Kind) -> std::result::Result<(), Refusal> {
        if kind == Kind::String {
            if text.is_empty() {
                return Err(Refusal::new(Code::EmptyId, "the id is the empty string"));
            }
            self.record.id = Some(Cow::Borrowed(text));
        } else {
            self.record.id = self.id_of(text, kind)?;
        }
        Ok(())
    }

    /// Notes a key that the layout does not know.
    pub(super) fn met(&mut self, key: Option<&'a str>) {
        if let Some(key) = key {
            self.keys.add(Cow::Borrowed(key));
        }
    }

    /// A payload that is null where the format cannot leave it out.
    pub(super) fn no_payload(&mut self) {
        self.has_payload = true;
    }

    /// As [`Self::payload_text`], for JSON text made on the way.
    pub(super) fn payload_owned(&mut self, text: &str) -> std::result::Result<(), Stop> {
        Cursor::new(text).object(|key, cursor| -> std::result::Result<(), Stop> {
            let key = key.value().into_owned();
            if !self.payload_keys.add(Cow::Owned(key.clone())) {
                return Err(duplicate(&key, "payload"));
            }
            let value = cursor.value()?;
            self.record.fields.push(Field { key: Cow::Owned(key), raw: Cow::Owned(value.raw.to_owned()), kind: value.kind });
            Ok(())
        })?;
        self.has_payload = true;
        self.record.payload = Payload::Text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    /// A vector value: a list, or whatever the layout allows beside it. Gives the text of a null or empty one.
    fn vector(&mut self, cursor: &mut Cursor<'a>, name: Option<&str>) -> std::result::Result<Option<&'a str>, Stop> {
        let spec = self.context.spec.vector.as_ref();
        let own = name.is_none();
        match cursor.kind()? {
            Kind::Null => {
                cursor.value()?;
                Ok(Some("null"))
            }
            Kind::Array => self.array(cursor, name, own && spec.is_some_and(|v| v.multi)),
            Kind::Object if own && spec.is_some_and(|v| v.named) => self.named(cursor),
            kind => {
                cursor.value()?;
                Err(Refusal::new(Code::VectorType, format!("the vector is {} {}, expected an array of numbers", article(kind), kind.name())).into())
            }
        }
    }

    /// A map of named vectors.
    fn named(&mut self, cursor: &mut Cursor<'a>) -> std::result::Result<Option<&'a str>, Stop> {
        if cursor.kind()? == Kind::Null {
            cursor.value()?;
            return Ok(Some("null"));
        }
        let mut names = Vec::new();
        cursor.object(|key, cursor| {
            let name = key.value();
            if names.contains(&name) {
                return Err(duplicate(&name, "map of vectors"));
            }
            let kind = cursor.kind()?;
            let empty = match kind {
                Kind::Array => self.array(cursor, Some(&name), true)?,
                Kind::Object => self.sparse(cursor, &name).map(|()| None)?,
                Kind::Null => cursor.value().map(|_| Some("null"))?,
                kind => {
                    let reason = format!("vector \"{}\" is {} {}, expected an array of numbers", excerpt(&name, 40), article(kind), kind.name());
                    return Err(Refusal::new(Code::VectorType, reason).into());
                }
            };
            if let Some(raw) = empty {
                self.rest(&format!("vector/{name}"), raw);
            }
            names.push(name);
            Ok(())
        })?;
        Ok(if names.is_empty() { Some("{}") } else { None })
    }

    /// A list of numbers, or a list of such lists where `multi` allows it.
    fn array(&mut self, cursor: &mut Cursor<'a>, name: Option<&str>, multi: bool) -> std::result::Result<Option<&'a str>, Stop> {
        let mut ahead = cursor.clone();
        ahead.expect(b'[', "an array")?;
        if multi && ahead.peek() == Some(b'[') {
            return self.multi(cursor, name.unwrap_or("default")).map(|()| None);
        }
        let start = self.record.floats.len();
        let length = f32_array(cursor, &mut self.record.floats)?;
        if length == 0 {
            return Ok(Some("[]"));
        }
        self.place_dense(name, start..start + length)?;
        Ok(None)
    }

    /// Gives a dense vector, whose values are at `range` of the record's floats, to its column.
    pub(super) fn place_dense(&mut self, name: Option<&str>, range: Range<usize>) -> std::result::Result<(), Refusal> {
        let length = range.len();
        if self.layout.is_main(name) {
            if length != self.layout.dimension {
                return Err(dimension(None, length, self.layout.dimension));
            }
            if self.record.main.is_some() {
                return Err(Refusal::new(Code::DuplicateKey, "the record has its main vector twice"));
            }
            self.record.main = Some(range);
            return Ok(());
        }
        let name = name.unwrap_or("default");
        let Some(index) = self.layout.other(name, false) else {
            self.unknown.push((name.to_owned(), VectorKind::Dense(length)));
            return Ok(());
        };
        match self.layout.others[index].kind {
            VectorKind::Dense(d) if d == length => self.record.others.push((index, Other::Dense(range))),
            VectorKind::Dense(d) => return Err(dimension(Some(name), length, d)),
            kind => return Err(kind_differs(name, "dense", kind)),
        }
        Ok(())
    }

    fn multi(&mut self, cursor: &mut Cursor<'a>, name: &str) -> std::result::Result<(), Stop> {
        let mut rows: Vec<Range<usize>> = Vec::new();
        cursor.array(|cursor| -> std::result::Result<(), Stop> {
            let start = self.record.floats.len();
            let length = f32_array(cursor, &mut self.record.floats)?;
            if let Some(first) = rows.first()
                && first.len() != length
            {
                return Err(dimension(Some(name), length, first.len()).into());
            }
            rows.push(start..start + length);
            Ok(())
        })?;
        let length = rows.first().map_or(0, ExactSizeIterator::len);
        let Some(index) = self.layout.other(name, false) else {
            self.unknown.push((name.to_owned(), VectorKind::Multi(length)));
            return Ok(());
        };
        match self.layout.others[index].kind {
            VectorKind::Multi(d) if d == length => self.record.others.push((index, Other::Multi(rows))),
            VectorKind::Multi(d) => return Err(dimension(Some(name), length, d).into()),
            kind => return Err(kind_differs(name, "a multi-vector", kind).into()),
        }
        Ok(())
    }

    /// `{"indices": […], "values": […]}`, or Milvus' `{"index": value}`.
    fn sparse(&mut self, cursor: &mut Cursor<'a>, name: &str) -> std::result::Result<(), Stop> {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            cursor.value()?;
            return Err(Refusal::new(Code::SparseVector, format!("sparse vector \"{}\" is {} {}, expected an object", excerpt(name, 40), article(kind), kind.name())).into());
        }
        let (first_index, first_value) = (self.record.indices.len(), self.record.floats.len());
        let bad = |what: String| Stop::from(Refusal::new(Code::SparseVector, format!("sparse vector \"{}\": {what}", excerpt(name, 40))));
        let mut lists = (false, false);
        let mut pairs = false;
        cursor.object(|key, cursor| {
            let key = key.value();
            match key.as_ref() {
                "indices" if !lists.0 => {
                    lists.0 = true;
                    cursor.array(|cursor| {
                        let value = cursor.value()?;
                        let index = value.raw.parse::<u32>().map_err(|_| bad(format!("index {} is no unsigned integer of 32 bits", excerpt(value.raw, 24))))?;
                        self.record.indices.push(index);
                        Ok::<(), Stop>(())
                    })
                }
                "values" if !lists.1 => {
                    lists.1 = true;
                    f32_array(cursor, &mut self.record.floats).map(|_| ()).map_err(|e| sparse_error(e, name))
                }
                key => {
                    let index = key.parse::<u32>().map_err(|_| bad(format!("the key \"{}\" is neither indices, values nor an index", excerpt(key, 24))))?;
                    let at = cursor.position();
                    let value = cursor.value()?;
                    let parsed = super::number::parse_f32(value.raw.as_bytes(), 0).ok().filter(|(v, _)| value.kind == Kind::Number && v.is_finite());
                    let (float, _) = parsed.ok_or_else(|| bad(format!("the value at byte {at} is no finite number")))?;
                    pairs = true;
                    self.record.indices.push(index);
                    self.record.floats.push(float);
                    Ok(())
                }
            }
        })?;
        let indices = first_index..self.record.indices.len();
        let values = first_value..self.record.floats.len();
        if indices.len() != values.len() || (pairs && (lists.0 || lists.1)) || lists.0 != lists.1 {
            return Err(bad(format!("{} indices and {} values, expected as many of both", indices.len(), values.len())));
        }
        self.place_sparse(name, indices, values)?;
        Ok(())
    }

    pub(super) fn place_sparse(&mut self, name: &str, indices: Range<usize>, values: Range<usize>) -> std::result::Result<(), Refusal> {
        match self.layout.other(name, true) {
            Some(index) => self.record.others.push((index, Other::Sparse { indices, values })),
            None => self.unknown.push((name.to_owned(), VectorKind::Sparse)),
        }
        Ok(())
    }

    /// The id of a record that was refused, if it can be read at all.
    fn find_id(&self, text: &'a str) -> Option<String> {
        let mut id = None;
        // What stops the walk is known already; the id may stand before it.
        let _ = Cursor::new(text).object(|key, cursor| -> std::result::Result<(), JsonError> {
            let key = key.value();
            let value = cursor.value()?;
            if self.root.child(&key).is_some_and(|node| node.slot == Some(Slot::Id)) && matches!(value.kind, Kind::String | Kind::Number) {
                id = Some(if value.kind == Kind::String { string(value.raw).into_owned() } else { value.raw.to_owned() });
            }
            Ok(())
        });
        id
    }
}

fn article(kind: Kind) -> &'static str {
    if matches!(kind, Kind::Array | Kind::Object) { "an" } else { "a" }
}

/// The value of a JSON string given with its quotes.
fn string(quoted: &str) -> Cow<'_, str> {
    crate::frame::pairs::string_value(quoted)
}

fn duplicate(key: &str, place: &str) -> Stop {
    Refusal::new(Code::DuplicateKey, format!("the key \"{}\" stands twice in the {place}", excerpt(key, 40))).into()
}

pub(super) fn dimension(name: Option<&str>, met: usize, expected: usize) -> Refusal {
    let name = name.map(|n| format!(" \"{}\"", excerpt(n, 40))).unwrap_or_default();
    Refusal::new(Code::VectorDimension, format!("vector{name} has {met} values, expected {expected}"))
}

fn kind_differs(name: &str, met: &str, expected: VectorKind) -> Refusal {
    Refusal::new(Code::VectorType, format!("vector \"{}\" is {met}, expected {}", excerpt(name, 40), expected.describe()))
}

fn sparse_error(error: VectorError, name: &str) -> Stop {
    match error {
        VectorError::Refused(refusal) => {
            Refusal::new(Code::SparseVector, format!("sparse vector \"{}\": {}", excerpt(name, 40), refusal.reason)).into()
        }
        VectorError::Json(error) => error.into(),
    }
}
