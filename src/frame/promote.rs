//! Payload fields as native typed columns, `x_<field>`: their types and names, and which JSON value fits which type.
//!
//! Not the choice of a type by looking at all values of a field ([`super::infer`]). A value that does not fit is null in its column,
//! and counted; the payload and the metadata keep it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt64Builder};
use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use serde::{Deserialize, Serialize};

use super::dates::timestamp;
use super::lean::{Lean, METADATA};
use super::moment::of_iso;
use super::pairs::string_value;
use super::record::Record;
use super::schema::SOURCE_PAYLOAD;
use super::vectors::Layout;
use crate::formats::json::{Cursor, JsonError, Kind};

/// The key of a promoted column's field metadata that holds the name or path of the payload's field.
pub const FIELD_NAME: &str = "vec2lance:field";

/// The type of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// Integers from −2^63 to 2^63 − 1.
    Int64,
    /// Integers from 0 to 2^64 − 1.
    UInt64,
    /// Numbers; integers only where float64 holds them exactly.
    Float64,
    /// `true` and `false`.
    Bool,
    /// Strings.
    String,
    /// RFC 3339 or ISO 8601 strings, as microseconds in UTC.
    Timestamp,
}

const NAMES: [(&str, Scalar); 6] = [
    ("int64", Scalar::Int64),
    ("uint64", Scalar::UInt64),
    ("float64", Scalar::Float64),
    ("bool", Scalar::Bool),
    ("string", Scalar::String),
    ("timestamp", Scalar::Timestamp),
];

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PromotedType {
    /// Whether each value is a list.
    pub list: bool,
    /// The type of a value, or of a list's items.
    pub scalar: Scalar,
}

impl PromotedType {
    /// `int64`, `list<int64>`, …; `None` if there is no such type.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("list<").and_then(|t| t.strip_suffix('>'));
        let scalar = NAMES.iter().find(|(name, _)| *name == inner.unwrap_or(text))?.1;
        Some(Self { list: inner.is_some(), scalar })
    }

    /// As [`Self::parse`] reads it.
    #[must_use]
    pub fn name(self) -> String {
        let name = NAMES.iter().find(|(_, scalar)| *scalar == self.scalar).map_or("", |(name, _)| name);
        if self.list { format!("list<{name}>") } else { name.to_owned() }
    }

    fn data_type(self) -> DataType {
        let scalar = match self.scalar {
            Scalar::Int64 => DataType::Int64,
            Scalar::UInt64 => DataType::UInt64,
            Scalar::Float64 => DataType::Float64,
            Scalar::Bool => DataType::Boolean,
            Scalar::String => DataType::Utf8,
            Scalar::Timestamp => timestamp(),
        };
        if self.list { DataType::List(Arc::new(Field::new("item", scalar, true))) } else { scalar }
    }

    fn of(data_type: &DataType) -> Option<Self> {
        let types = NAMES.iter().flat_map(|(_, scalar)| [false, true].map(|list| Self { list, scalar: *scalar }));
        let item = |list: &DataType| if let DataType::List(item) = list { Some(item.data_type().clone()) } else { None };
        types.into_iter().find(|t| if t.list { item(&t.data_type()) == item(data_type) && item(data_type).is_some() } else { t.data_type() == *data_type })
    }
}

impl From<PromotedType> for String {
    fn from(kind: PromotedType) -> Self {
        kind.name()
    }
}

impl TryFrom<String> for PromotedType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("no type is called {text}"))
    }
}

/// One promoted field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotedColumn {
    /// The payload's field: its name, or a path with dots if no field is called so.
    pub field: String,
    /// The dataset's column.
    pub column: String,
    /// Its type.
    pub kind: PromotedType,
}

impl PromotedColumn {
    /// The Arrow field, nullable, with the source's name in its metadata.
    #[must_use]
    pub fn arrow(&self) -> Field {
        Field::new(&self.column, self.kind.data_type(), true).with_metadata([(FIELD_NAME.to_owned(), self.field.clone())].into())
    }

    /// What an Arrow field says, if it is one of a promoted column.
    #[must_use]
    pub fn of(field: &Field) -> Option<Self> {
        let name = field.metadata().get(FIELD_NAME)?;
        Some(Self { field: name.clone(), column: field.name().clone(), kind: PromotedType::of(field.data_type())? })
    }

    /// `n → x_n (int64)`
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} → {} ({})", crate::reject::printable(&self.field), self.column, self.kind.name())
    }
}

impl Layout {
    /// Adds a promoted field under a column name that no other column has: `x_<field>`, where characters that SQL cannot take plainly become
    /// `_`, and a number is added if two would share a column. Names that begin like those of vectors get `x_field_`.
    pub fn promote(&mut self, field: &str, kind: PromotedType) {
        // Columns of ours that a schema need not have.
        const OURS: [&str; 2] = ["x_namespace", "x_"];
        let plain: String = field.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let low = plain.to_ascii_lowercase();
        let prefix = if low.starts_with("vector_") || low.starts_with("sparse_") { "x_field_" } else { "x_" };
        let schema = super::schema::schema(&Self { dimension: 1, ..self.clone() });
        let taken = |name: &str| OURS.contains(&name) || schema.fields().iter().any(|f| f.name().eq_ignore_ascii_case(name));
        let numbered = |n: usize| if n == 1 { format!("{prefix}{plain}") } else { format!("{prefix}{plain}_{n}") };
        let column = (1..=schema.fields().len() + 3).map(numbered).find(|name| !taken(name)).unwrap_or_default();
        self.promoted.push(PromotedColumn { field: field.to_owned(), column, kind });
    }
}

/// One value, as its column holds it.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Int(i64),
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(Cow<'a, str>),
}

/// An integer's float64, if that is exact.
#[must_use]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "whether it is lossless is what is asked")]
pub fn exact_float(integer: &str) -> Option<f64> {
    let number: i128 = integer.parse().ok()?;
    let float = number as f64;
    (number.unsigned_abs() <= 1 << 64 && float as i128 == number).then_some(float)
}

/// Whether a JSON number is written as an integer.
#[must_use]
pub fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

/// The value of a type that a JSON value is, exactly; `None` if it is none.
fn value(scalar: Scalar, kind: Kind, raw: &str) -> Option<Value<'_>> {
    match (scalar, kind) {
        (Scalar::Int64, Kind::Number) => raw.parse().ok().or_else(|| whole(raw)?.parse().ok()).map(Value::Int),
        (Scalar::UInt64, Kind::Number) => raw.parse().ok().or_else(|| whole(raw)?.parse().ok()).map(Value::UInt),
        (Scalar::Float64, Kind::Number) if is_integer(raw) => exact_float(raw).map(Value::Float),
        (Scalar::Float64, Kind::Number) => raw.parse().ok().filter(|f: &f64| f.is_finite()).map(Value::Float),
        (Scalar::Bool, Kind::Bool) => Some(Value::Bool(raw == "true")),
        (Scalar::String, Kind::String) => Some(Value::Text(string_value(raw))),
        (Scalar::Timestamp, Kind::String) => of_iso(&string_value(raw)).filter(|m| m.exact).map(|m| Value::Int(m.micros)),
        _ => None,
    }
}

/// `5.0` and `5e0` are the integer 5, as far as every float64 is one integer and no other.
fn whole(raw: &str) -> Option<String> {
    let float: f64 = raw.parse().ok()?;
    (!is_integer(raw) && float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then(|| format!("{float:.0}"))
}

/// The value under a path with dots, below an object. Of two readings of a path, the one with the longer first key counts.
#[must_use]
pub fn below<'a>(object: &'a str, path: &str) -> Option<(Kind, &'a str)> {
    let mut found: Option<(usize, Kind, &'a str)> = None;
    // Records were read to their end before; what is no JSON has no field.
    let _ = Cursor::new(object).object(|key, cursor| -> Result<(), JsonError> {
        let (key, value) = (key.value(), cursor.value()?);
        let Some(rest) = path.strip_prefix(key.as_ref()) else { return Ok(()) };
        let inner = if rest.is_empty() {
            Some((value.kind, value.raw))
        } else {
            rest.strip_prefix('.').filter(|_| value.kind == Kind::Object).and_then(|rest| below(value.raw, rest))
        };
        if let Some((kind, raw)) = inner.filter(|_| found.is_none_or(|(best, ..)| key.len() >= best)) {
            found = Some((key.len(), kind, raw));
        }
        Ok(())
    });
    found.map(|(_, kind, raw)| (kind, raw))
}

/// Where names and paths are looked for: by the key that a payload has at its top.
#[derive(Debug, Default)]
pub struct Keys {
    /// Key → which of the names, and what of it is left below that key (empty: nothing).
    keys: HashMap<String, Vec<(usize, String)>>,
    names: usize,
}

impl Keys {
    /// For these names or paths.
    pub fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut this = Self::default();
        for name in names {
            let at = this.names;
            this.names += 1;
            let mut add = |key: &str, rest: &str| this.keys.entry(key.to_owned()).or_default().push((at, rest.to_owned()));
            add(name, "");
            for (dot, _) in name.match_indices('.') {
                add(&name[..dot], &name[dot + 1..]);
            }
        }
        this
    }

    /// The value of each name, in their order. A field that is called like a whole path comes before the path.
    pub fn find<'a>(&self, fields: impl Iterator<Item = (&'a str, Kind, &'a str)>) -> Vec<Option<(Kind, &'a str)>> {
        let mut found: Vec<Option<(usize, Kind, &'a str)>> = vec![None; self.names];
        for (key, kind, raw) in fields {
            for (at, rest) in self.keys.get(key).into_iter().flatten() {
                let inner = match rest.as_str() {
                    "" => Some((kind, raw)),
                    rest if kind == Kind::Object => below(raw, rest),
                    _ => None,
                };
                if let Some((kind, raw)) = inner.filter(|_| found[*at].is_none_or(|(best, ..)| key.len() >= best)) {
                    found[*at] = Some((key.len(), kind, raw));
                }
            }
        }
        found.into_iter().map(|f| f.map(|(_, kind, raw)| (kind, raw))).collect()
    }
}

/// Values of one type.
#[derive(Debug)]
enum Values {
    Int64(Int64Builder),
    UInt64(UInt64Builder),
    Float64(Float64Builder),
    Bool(BooleanBuilder),
    String(StringBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Values {
    fn new(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Int64 => Self::Int64(Int64Builder::new()),
            Scalar::UInt64 => Self::UInt64(UInt64Builder::new()),
            Scalar::Float64 => Self::Float64(Float64Builder::new()),
            Scalar::Bool => Self::Bool(BooleanBuilder::new()),
            Scalar::String => Self::String(StringBuilder::new()),
            Scalar::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
        }
    }

    fn append(&mut self, value: Option<Value<'_>>) {
        match (self, value) {
            (Self::Int64(b), Some(Value::Int(v))) => b.append_value(v),
            (Self::UInt64(b), Some(Value::UInt(v))) => b.append_value(v),
            (Self::Float64(b), Some(Value::Float(v))) => b.append_value(v),
            (Self::Bool(b), Some(Value::Bool(v))) => b.append_value(v),
            (Self::String(b), Some(Value::Text(v))) => b.append_value(v),
            (Self::Timestamp(b), Some(Value::Int(v))) => b.append_value(v),
            (Self::Int64(b), _) => b.append_null(),
            (Self::UInt64(b), _) => b.append_null(),
            (Self::Float64(b), _) => b.append_null(),
            (Self::Bool(b), _) => b.append_null(),
            (Self::String(b), _) => b.append_null(),
            (Self::Timestamp(b), _) => b.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Int64(mut b) => Arc::new(b.finish()),
            Self::UInt64(mut b) => Arc::new(b.finish()),
            Self::Float64(mut b) => Arc::new(b.finish()),
            Self::Bool(mut b) => Arc::new(b.finish()),
            Self::String(mut b) => Arc::new(b.finish()),
            Self::Timestamp(mut b) => Arc::new(b.finish().with_timezone("UTC")),
        }
    }
}

#[derive(Debug)]
struct One {
    column: PromotedColumn,
    values: Values,
    /// Ends of the lists, and which are there.
    ends: Vec<i32>,
    valid: Vec<bool>,
    unfit: u64,
}

impl One {
    fn append(&mut self, met: Option<(Kind, &str)>) {
        let met = met.filter(|(kind, _)| *kind != Kind::Null);
        let PromotedType { list, scalar } = self.column.kind;
        if !list {
            let value = met.and_then(|(kind, raw)| value(scalar, kind, raw));
            self.unfit += u64::from(met.is_some() && value.is_none());
            self.values.append(value);
            return;
        }
        let items = met.and_then(|(kind, raw)| if kind == Kind::Array { items(scalar, raw) } else { None });
        self.unfit += u64::from(met.is_some() && items.is_none());
        self.valid.push(items.is_some());
        let mut end = self.ends.last().copied().unwrap_or(0);
        for item in items.unwrap_or_default() {
            self.values.append(item);
            end += 1;
        }
        self.ends.push(end);
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let DataType::List(item) = self.column.kind.data_type() else { return Ok(self.values.finish()) };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        Ok(Arc::new(ListArray::try_new(item, offsets, self.values.finish(), Some(NullBuffer::from(self.valid)))?))
    }
}

/// The items of an array all of which are of the type, or null.
fn items(scalar: Scalar, raw: &str) -> Option<Vec<Option<Value<'_>>>> {
    let mut out = Vec::new();
    let mut fits = true;
    let read = Cursor::new(raw).array(|cursor| -> Result<(), JsonError> {
        let item = cursor.value()?;
        let value = value(scalar, item.kind, item.raw);
        fits &= item.kind == Kind::Null || value.is_some();
        out.push(value);
        Ok(())
    });
    (read.is_ok() && fits).then_some(out)
}

/// Builds the promoted columns of one batch.
#[derive(Debug)]
pub struct PromotedBuilder {
    keys: Keys,
    columns: Vec<One>,
}

impl PromotedBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new(columns: &[PromotedColumn]) -> Self {
        let one = |c: &PromotedColumn| One { column: c.clone(), values: Values::new(c.kind.scalar), ends: vec![0], valid: vec![], unfit: 0 };
        Self { keys: Keys::new(columns.iter().map(|c| c.field.as_str())), columns: columns.iter().map(one).collect() }
    }

    /// Adds one record.
    pub fn append(&mut self, record: &Record<'_>) {
        if self.columns.is_empty() {
            return;
        }
        let found = self.keys.find(record.fields.iter().map(|f| (f.key.as_ref(), f.kind, f.raw.as_ref())));
        self.columns.iter_mut().zip(found).for_each(|(column, met)| column.append(met));
    }

    /// Values that did not fit, by column.
    pub fn unfit(&self) -> impl Iterator<Item = (String, u64)> {
        self.columns.iter().filter(|c| c.unfit > 0).map(|c| (c.column.column.clone(), c.unfit))
    }

    /// The columns.
    ///
    /// # Errors
    /// A defect of this program.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        std::mem::take(&mut self.columns).into_iter().map(One::finish).collect()
    }
}

/// What does not fit, as the report says it.
#[must_use]
pub fn findings(layout: &Layout, lean: Option<Lean>, unfit: &BTreeMap<String, u64>) -> Vec<String> {
    let (shown, has) = lean.map_or_else(|| (layout.clone(), SOURCE_PAYLOAD), |lean| (lean.renamed(layout), METADATA));
    let of = |(column, shown): (&PromotedColumn, &PromotedColumn)| {
        let n = unfit.get(&column.column)?;
        let field = crate::reject::printable(&column.field);
        Some(format!("values of \"{field}\" that are no {}: {n}; {} is null there, {has} has them", column.kind.name(), shown.column))
    };
    layout.promoted.iter().zip(&shown.promoted).filter_map(of).collect()
}

#[cfg(test)]
mod tests;
