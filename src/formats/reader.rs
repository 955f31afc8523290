//! One record's JSON text to a [`Record`]: walks its keys once, whatever their order, and refuses what is no record.
//!
//! Not the values of vectors ([`super::vector`]), and not the batch: that is the decoders'.

use std::borrow::Cow;

use super::json::{Cursor, JsonError, Kind, push_string};
use super::jsonl::Context;
use super::number::VectorError;
use super::spec::{IdType, PAGE_NAMESPACE};
use super::walk::{Node, Seen, Slot};
use crate::frame::record::{Field, Payload, Record};
use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::{Code, Refusal, excerpt};

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
    pub(super) context: &'a Context,
    root: &'a Node,
    pub(super) layout: &'a Layout,
    pub(super) record: Record<'a>,
    pub(super) unknown: Vec<(String, VectorKind)>,
    keys: Seen<'a>,
    payload_keys: Seen<'a>,
    has_payload: bool,
}

impl<'a> RecordReader<'a> {
    pub(super) fn new(context: &'a Context, root: &'a Node, layout: &'a Layout) -> Self {
        Self { context, root, layout, record: Record::default(), unknown: vec![], keys: Seen::default(), payload_keys: Seen::default(), has_payload: false }
    }

    pub(super) fn clear(&mut self) {
        self.record.clear();
        self.unknown.clear();
        self.keys.clear();
        self.payload_keys.clear();
        self.has_payload = false;
    }

    pub(super) fn read(&mut self, text: &'a str, cut: bool) -> std::result::Result<(), Refusal> {
        self.clear();
        let mut cursor = Cursor::new(text);
        self.object(&mut cursor).map_err(|stop| match stop {
            Stop::Json(error) => error.refusal(cut),
            // A text that is no JSON is that first of all; what it seemed to say before the break does not count.
            Stop::Refused(refusal) => {
                let mut whole = Cursor::new(text);
                match whole.value().and_then(|_| whole.end()) {
                    Err(error) if !matches!(error.code, Code::NonFiniteLiteral) => error.refusal(cut),
                    _ => refusal,
                }
            }
        })
    }

    fn object(&mut self, cursor: &mut Cursor<'a>) -> std::result::Result<(), Stop> {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            cursor.value()?;
            cursor.end()?;
            return Err(Refusal::new(Code::BadJson, format!("the record is a JSON {}, expected an object", kind.name())).into());
        }
        cursor.object(|key, cursor| self.member(key.value(), cursor))?;
        cursor.end()?;
        self.complete()
    }

    /// One member of the record's object.
    pub(super) fn member(&mut self, key: Cow<'a, str>, cursor: &mut Cursor<'a>) -> std::result::Result<(), Stop> {
        if !self.keys.add(key.clone()) {
            return Err(duplicate(&key, "record"));
        }
        self.field(self.root, key, "", cursor)
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
            return Err(Refusal::new(Code::MissingId, format!("no id: the key \"{}\" is missing or null", excerpt(&at[1..], 60))).into());
        }
        self.drop_fields();
        if self.context.spec.payload == "*" {
            self.unfold();
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

    /// Takes out what the mapping drops, before anybody else sees the record.
    fn drop_fields(&mut self) {
        let mapping = &self.context.mapping;
        if mapping.dropped().is_empty() || !self.record.fields.iter().any(|f| mapping.drops(&f.key)) {
            return;
        }
        let dropped = &mut self.record.dropped;
        self.record.fields.retain(|field| {
            let drops = mapping.drops(&field.key);
            if drops {
                dropped.push(field.key.to_string());
            }
            !drops
        });
        let mut text = String::from("{");
        for field in &self.record.fields {
            if text.len() > 1 {
                text.push(',');
            }
            push_string(&mut text, &field.key);
            text.push(':');
            text.push_str(&field.raw);
        }
        text.push('}');
        self.record.payload = Payload::Text(text.into());
    }

    /// One field; `prefix` is the path above it, for fields that have no place of their own.
    fn field(&mut self, node: &Node, key: Cow<'a, str>, prefix: &str, cursor: &mut Cursor<'a>) -> std::result::Result<(), Stop> {
        let Some(child) = node.child(&key) else {
            let value = cursor.value()?;
            self.keep(key, prefix, value.raw, value.kind);
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
            Slot::Namespace => {
                let value = cursor.value()?;
                if value.kind == Kind::String {
                    self.record.namespace = Some(string(value.raw));
                }
                // The source says it here, so here it is found again; what a page says is said once, in the record's namespace.
                if key != PAGE_NAMESPACE {
                    self.keep(key, prefix, value.raw, value.kind);
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

    /// Keeps a field without a place of its own: as payload if all such fields are that, else among the rest.
    fn keep(&mut self, key: Cow<'a, str>, prefix: &str, raw: &'a str, kind: Kind) {
        if self.context.spec.payload == "*" && prefix.is_empty() {
            self.record.fields.push(Field { key, raw: raw.into(), kind });
        } else {
            self.rest(&format!("{prefix}{key}"), raw);
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

    /// Whether the layout has a place of its own for this key of the record.
    pub(super) fn is_slot(&self, key: &str) -> bool {
        self.root.child(key).is_some()
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

    /// Id and namespace of a record that was refused, as far as they can be read.
    pub(super) fn find_id(&self, text: &'a str) -> (Option<String>, Option<String>) {
        let (mut id, mut namespace) = (None, None);
        // What stops the walk is known already; both may stand before it.
        let _ = Cursor::new(text).object(|key, cursor| -> std::result::Result<(), JsonError> {
            let key = key.value();
            let value = cursor.value()?;
            let text = || if value.kind == Kind::String { string(value.raw).into_owned() } else { value.raw.to_owned() };
            match self.root.child(&key).and_then(|node| node.slot.as_ref()) {
                Some(Slot::Id) if matches!(value.kind, Kind::String | Kind::Number) => id = Some(text()),
                Some(Slot::Namespace) if value.kind == Kind::String => namespace = Some(text()),
                _ => {}
            }
            Ok(())
        });
        (id, namespace)
    }
}

/// The value of a JSON string given with its quotes.
fn string(quoted: &str) -> Cow<'_, str> {
    crate::frame::pairs::string_value(quoted)
}

pub(super) fn duplicate(key: &str, place: &str) -> Stop {
    Refusal::new(Code::DuplicateKey, format!("the key \"{}\" stands twice in the {place}", excerpt(key, 40))).into()
}
