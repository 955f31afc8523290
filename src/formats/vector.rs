//! The values of a record's vectors: dense, multi, sparse, by name or not, each to the column that the layout gives it.
//!
//! A vector is never repaired: what is no array of finite numbers of the right dimension is refused.

use std::ops::Range;

use super::json::{Cursor, Kind};
use super::number::{VectorError, f32_array, parse_f32};
use super::reader::{RecordReader, Stop, duplicate};
use crate::frame::record::Other;
use crate::frame::vectors::VectorKind;
use crate::reject::{Code, Refusal, excerpt};

impl<'a> RecordReader<'a> {
    /// A vector value: a list, or whatever the layout allows beside it. Gives the text of a null or empty one.
    pub(super) fn vector(&mut self, cursor: &mut Cursor<'a>, name: Option<&str>) -> std::result::Result<Option<&'a str>, Stop> {
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
    pub(super) fn named(&mut self, cursor: &mut Cursor<'a>) -> std::result::Result<Option<&'a str>, Stop> {
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
    pub(super) fn sparse(&mut self, cursor: &mut Cursor<'a>, name: &str) -> std::result::Result<(), Stop> {
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
                    f32_array(cursor, &mut self.record.floats).map(|_| ()).map_err(|e| sparse_error(e, name))
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
        self.place_sparse(name, indices, values);
        Ok(())
    }

    pub(super) fn place_sparse(&mut self, name: &str, indices: Range<usize>, values: Range<usize>) {
        match self.layout.other(name, true) {
            Some(index) => self.record.others.push((index, Other::Sparse { indices, values })),
            None => self.unknown.push((name.to_owned(), VectorKind::Sparse)),
        }
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
