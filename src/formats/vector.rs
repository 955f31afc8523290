//! The values of a record's vectors: dense, multi, sparse, by name or not, each to the column that the layout gives it.
//!
//! A vector is never repaired: what is no array of finite numbers of the right dimension is refused. Values are float32, unless the
//! layout, the schema or the column's own type says otherwise ([`Element`]).

use std::ops::Range;

use base64::Engine as _;

use super::json::{Cursor, Kind};
use super::number::{VectorError, f32_array, parse_f32, plain_f32_array};
use super::reader::{RecordReader, Stop, duplicate};
use crate::frame::element::Element;
use crate::frame::record::Other;
use crate::frame::vectors::VectorKind;
use crate::reject::{Code, Refusal, excerpt};

impl RecordReader<'_> {
    /// A vector value: a list, or whatever the layout allows beside it. Gives the text of a null or empty one.
    pub(super) fn vector<'t>(&mut self, cursor: &mut Cursor<'t>, name: Option<&str>) -> std::result::Result<Option<&'t str>, Stop> {
        let spec = self.context.spec.vector.as_ref();
        let own = name.is_none();
        match cursor.kind()? {
            Kind::Null => {
                cursor.value()?;
                Ok(Some("null"))
            }
            Kind::Array => self.array(cursor, name, !own || spec.is_some_and(|v| v.multi)),
            Kind::Object if own && spec.is_some_and(|v| v.named) => self.named(cursor),
            Kind::String if self.declared(name).is_some() => {
                self.base64(cursor, name)?;
                Ok(None)
            }
            kind => {
                cursor.value()?;
                Err(Refusal::new(Code::VectorType, format!("the vector is {} {}, expected an array of numbers", article(kind), kind.name())).into())
            }
        }
    }

    /// A map of named vectors.
    pub(super) fn named<'t>(&mut self, cursor: &mut Cursor<'t>) -> std::result::Result<Option<&'t str>, Stop> {
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
                Kind::String if self.declared(Some(&name)).is_some() => self.base64(cursor, Some(&name)).map(|()| None)?,
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

    /// Whether a vector of this name goes to the column `vector`: the collection's own choice wins over the dataset's name for it.
    fn is_main(&self, name: Option<&str>) -> bool {
        match self.context.spec.main.as_deref() {
            Some(own) => own == name.unwrap_or("default"),
            None => self.layout.is_main(name),
        }
    }

    /// The type that the layout gives the values of this vector.
    fn declared(&self, name: Option<&str>) -> Option<Element> {
        self.context.spec.types.get(name.unwrap_or("default")).copied()
    }

    /// A list of numbers, appended to the record's floats; gives how many.
    fn numbers(&mut self, cursor: &mut Cursor<'_>) -> std::result::Result<usize, VectorError> {
        if self.context.plain { plain_f32_array(cursor, &mut self.record.floats) } else { f32_array(cursor, &mut self.record.floats) }
    }

    /// A list of numbers of another type than float32, appended to the record's bytes; gives how many.
    fn typed_numbers(&mut self, cursor: &mut Cursor<'_>, element: Element) -> std::result::Result<usize, Stop> {
        let mut count = 0;
        cursor.array(|cursor| -> std::result::Result<(), Stop> {
            let value = cursor.value()?;
            let expected = match value.kind {
                Kind::Number => element.push_number(value.raw, &mut self.record.bytes),
                _ => Err("a number"),
            };
            if let Err(expected) = expected {
                let reason = format!("vector value at index {count} is {}, expected {expected} ({})", excerpt(value.raw, 24), element.name());
                return Err(Refusal::new(Code::VectorType, reason).into());
            }
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    /// A list of numbers, or a list of such lists where `multi` allows it.
    fn array<'t>(&mut self, cursor: &mut Cursor<'t>, name: Option<&str>, multi: bool) -> std::result::Result<Option<&'t str>, Stop> {
        let mut ahead = cursor.clone();
        ahead.expect(b'[', "an array")?;
        if multi && ahead.peek() == Some(b'[') {
            return self.multi(cursor, name.unwrap_or("default"));
        }
        if let Some(element) = self.declared(name).filter(|e| *e != Element::Float32) {
            let start = self.record.bytes.len();
            if self.typed_numbers(cursor, element)? == 0 {
                return Ok(Some("[]"));
            }
            self.place_typed(name, element, start)?;
            return Ok(None);
        }
        let start = self.record.floats.len();
        let length = self.numbers(cursor)?;
        if length == 0 {
            return Ok(Some("[]"));
        }
        self.place_dense(name, start..start + length)?;
        Ok(None)
    }

    /// A vector's bytes as base64, as a server writes what JSON has no number for.
    fn base64(&mut self, cursor: &mut Cursor<'_>, name: Option<&str>) -> std::result::Result<(), Stop> {
        let text = cursor.string()?.value();
        let element = self.declared(name).unwrap_or_default();
        let start = self.record.bytes.len();
        if let Err(error) = base64::engine::general_purpose::STANDARD.decode_vec(text.as_bytes(), &mut self.record.bytes) {
            let reason = format!("the vector is the string \"{}\", expected base64 of {}: {error}", excerpt(&text, 24), element.name());
            return Err(Refusal::new(Code::VectorType, reason).into());
        }
        self.place_typed(name, element, start)?;
        Ok(())
    }

    /// Gives a dense vector of any type to its column; its little-endian bytes are the record's from `start` on.
    pub(super) fn place_typed(&mut self, name: Option<&str>, element: Element, start: usize) -> std::result::Result<(), Refusal> {
        let bytes = &self.record.bytes[start..];
        let shown = || name.map(|n| format!(" \"{}\"", excerpt(n, 40))).unwrap_or_default();
        let Some(length) = element.values(bytes.len()) else {
            let reason = format!("vector{} has {} bytes, expected a multiple of {} ({})", shown(), bytes.len(), element.width(), element.name());
            return Err(Refusal::new(Code::VectorDimension, reason));
        };
        if let Some(index) = element.first_not_finite(bytes) {
            return Err(Refusal::new(Code::VectorNotFinite, format!("vector{} value at index {index} is no finite {}", shown(), element.name())));
        }
        let is_main = self.is_main(name) && element != Element::Binary;
        if element == Element::Float32 || is_main {
            let from = self.record.floats.len();
            let inexact = element.widen(bytes, &mut self.record.floats);
            if let Some(index) = self.record.floats[from..].iter().position(|v| !v.is_finite()) {
                let reason = format!("vector{} value at index {index} is too large for float32, expected a finite number", shown());
                return Err(Refusal::new(Code::VectorNotFinite, reason));
            }
            self.record.rounded |= is_main && inexact > 0;
            self.record.bytes.truncate(start);
            return self.place_dense(name, from..from + length);
        }
        let name = name.unwrap_or("default");
        let Some(index) = self.layout.other(name, false) else {
            self.unknown.push((name.to_owned(), VectorKind::Dense(length, element)));
            return Ok(());
        };
        self.once(index, name)?;
        let end = self.record.bytes.len();
        match self.layout.others[index].kind {
            VectorKind::Dense(d, e) if d == length && e == element => self.record.others.push((index, Other::Typed(start..end))),
            VectorKind::Dense(d, e) if d == length => return self.place_converted(index, element, start..end, e),
            VectorKind::Dense(d, _) => return Err(dimension(Some(name), length, d)),
            kind => return Err(kind_differs(name, "dense", kind)),
        }
        Ok(())
    }

    /// A vector of another type than its column's: files of one dump may differ. Nothing is rounded.
    fn place_converted(&mut self, index: usize, element: Element, range: Range<usize>, to: Element) -> std::result::Result<(), Refusal> {
        let mut bytes = Vec::new();
        if let Err((at, text)) = element.convert(&self.record.bytes[range], to, &mut bytes) {
            let name = excerpt(&self.layout.others[index].name, 40);
            let reason = format!("vector \"{name}\" value at index {at} is {}, a {} that no {} is", excerpt(&text, 24), element.name(), to.name());
            return Err(Refusal::new(Code::VectorType, reason));
        }
        let other = if to == Element::Float32 {
            let start = self.record.floats.len();
            to.widen(&bytes, &mut self.record.floats);
            Other::Dense(start..self.record.floats.len())
        } else {
            let start = self.record.bytes.len();
            self.record.bytes.extend_from_slice(&bytes);
            Other::Typed(start..self.record.bytes.len())
        };
        self.record.others.push((index, other));
        Ok(())
    }

    /// Gives a dense vector, whose values are at `range` of the record's floats, to its column.
    pub(super) fn place_dense(&mut self, name: Option<&str>, range: Range<usize>) -> std::result::Result<(), Refusal> {
        if self.is_main(name) {
            let range = match &self.context.resize {
                Some(resize) => resize.apply(&mut self.record.floats, range)?,
                None => range,
            };
            let length = range.len();
            if length != self.layout.dimension {
                return Err(dimension(None, length, self.layout.dimension));
            }
            if self.record.main.is_some() {
                return Err(Refusal::new(Code::DuplicateKey, "the record has its main vector twice"));
            }
            self.record.main = Some(range);
            return Ok(());
        }
        let length = range.len();
        let name = name.unwrap_or("default");
        let Some(index) = self.layout.other(name, false) else {
            self.unknown.push((name.to_owned(), VectorKind::Dense(length, Element::Float32)));
            return Ok(());
        };
        self.once(index, name)?;
        match self.layout.others[index].kind {
            VectorKind::Dense(d, Element::Float32) if d == length => self.record.others.push((index, Other::Dense(range))),
            VectorKind::Dense(d, to) if d == length => {
                let start = self.record.bytes.len();
                self.record.bytes.extend(self.record.floats[range].iter().flat_map(|v| v.to_le_bytes()));
                return self.place_converted(index, Element::Float32, start..self.record.bytes.len(), to);
            }
            VectorKind::Dense(d, _) => return Err(dimension(Some(name), length, d)),
            kind => return Err(kind_differs(name, "dense", kind)),
        }
        Ok(())
    }

    /// A list of lists. Gives the text of one without values.
    fn multi<'t>(&mut self, cursor: &mut Cursor<'t>, name: &str) -> std::result::Result<Option<&'t str>, Stop> {
        let element = self.declared(Some(name)).unwrap_or_default();
        let (text, from) = (cursor.text(), cursor.position());
        let mut rows: Vec<Range<usize>> = Vec::new();
        let mut length = None;
        cursor.array(|cursor| -> std::result::Result<(), Stop> {
            let start = if element == Element::Float32 { self.record.floats.len() } else { self.record.bytes.len() };
            let count = if element == Element::Float32 { self.numbers(cursor)? } else { self.typed_numbers(cursor, element)? };
            let first = *length.get_or_insert(count);
            if first != count {
                return Err(dimension(Some(name), count, first).into());
            }
            rows.push(start..if element == Element::Float32 { self.record.floats.len() } else { self.record.bytes.len() });
            Ok(())
        })?;
        let Some(length) = length.filter(|l| *l > 0) else { return Ok(Some(&text[from..cursor.position()])) };
        let length = if element == Element::Binary { length * 8 } else { length };
        let Some(index) = self.layout.other(name, false) else {
            self.unknown.push((name.to_owned(), VectorKind::Multi(length, element)));
            return Ok(None);
        };
        self.once(index, name)?;
        match self.layout.others[index].kind {
            VectorKind::Multi(d, e) if d == length && e == element => {
                let other = if element == Element::Float32 { Other::Multi(rows) } else { Other::TypedMulti(rows) };
                self.record.others.push((index, other));
            }
            VectorKind::Multi(d, _) if d != length => return Err(dimension(Some(name), length, d).into()),
            kind => return Err(kind_differs(name, "a multi-vector", kind).into()),
        }
        Ok(None)
    }

    /// `{"indices": […], "values": […]}`, or Milvus' `{"index": value}`.
    pub(super) fn sparse(&mut self, cursor: &mut Cursor<'_>, name: &str) -> std::result::Result<(), Stop> {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            cursor.value()?;
            return Err(Refusal::new(
                Code::SparseVector,
                format!("sparse vector \"{}\" is {} {}, expected an object", excerpt(name, 40), article(kind), kind.name()),
            )
            .into());
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
                    self.numbers(cursor).map(|_| ()).map_err(|e| sparse_error(e, name))
                }
                key => {
                    let index = key.parse::<u32>().map_err(|_| bad(format!("the key \"{}\" is neither indices, values nor an index", excerpt(key, 24))))?;
                    let at = cursor.position();
                    let value = cursor.value()?;
                    let parsed = parse_f32(value.raw.as_bytes(), 0).ok().filter(|(v, _)| value.kind == Kind::Number && v.is_finite());
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

    /// A vector that stands in two places of one record has no one value.
    fn once(&self, index: usize, name: &str) -> std::result::Result<(), Refusal> {
        if self.record.others.iter().any(|(at, _)| *at == index) {
            return Err(Refusal::new(Code::DuplicateKey, format!("the record has its vector \"{}\" twice", excerpt(name, 40))));
        }
        Ok(())
    }

    pub(super) fn place_sparse(&mut self, name: &str, indices: Range<usize>, values: Range<usize>) -> std::result::Result<(), Refusal> {
        match self.layout.other(name, true) {
            Some(index) => {
                self.once(index, name)?;
                self.record.others.push((index, Other::Sparse { indices, values }));
            }
            None => self.unknown.push((name.to_owned(), VectorKind::Sparse)),
        }
        Ok(())
    }
}

fn article(kind: Kind) -> &'static str {
    if matches!(kind, Kind::Array | Kind::Object) { "an" } else { "a" }
}

fn dimension(name: Option<&str>, met: usize, expected: usize) -> Refusal {
    let name = name.map(|n| format!(" \"{}\"", excerpt(n, 40))).unwrap_or_default();
    Refusal::new(Code::VectorDimension, format!("vector{name} has {met} values, expected {expected}"))
}

fn kind_differs(name: &str, met: &str, expected: VectorKind) -> Refusal {
    Refusal::new(Code::VectorType, format!("vector \"{}\" is {met}, expected {}", excerpt(name, 40), expected.describe()))
}

fn sparse_error(error: VectorError, name: &str) -> Stop {
    match error {
        VectorError::Refused(refusal) => Refusal::new(Code::SparseVector, format!("sparse vector \"{}\": {}", excerpt(name, 40), refusal.reason)).into(),
        VectorError::Json(error) => error.into(),
    }
}
