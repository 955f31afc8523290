//! What all values of a field have in common: seen one by one, in any number of pieces, then decided once.
//!
//! Memory does not depend on the number of values. `W` says where something was met: a row while a chunk is looked at, a place of the dump
//! afterwards. Reads no input and knows no column.

use std::collections::HashMap;

use super::moment::of_iso;
use super::pairs::string_value;
use super::promote::{PromotedType, Scalar, exact_float, is_integer};
use crate::formats::json::{Cursor, JsonError, Kind};

/// Longest string of a field that `auto` gives a column, in bytes. What is longer is text, and full-text search serves it.
const LONGEST: usize = 1000;

/// What two values of one field must share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Integer,
    Float,
    Bool,
    Text,
    List,
    Object,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Bool => "a boolean",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

/// All values of one field so far; null and missing ones say nothing.
#[derive(Debug, Clone)]
pub struct Seen<W> {
    /// Values that are not null.
    pub values: u64,
    /// Classes in the order in which they were met.
    classes: Vec<(Class, W)>,
    /// The first integer of each kind that some type cannot hold.
    negative: Option<W>,
    over_int64: Option<W>,
    over_uint64: Option<W>,
    inexact: Option<W>,
    /// The first float that is none of float64.
    infinite: Option<W>,
    /// The first string that is no exact date-time.
    no_time: Option<W>,
    longest: usize,
    /// What the lists hold.
    items: Option<Box<Seen<W>>>,
}

/// What becomes of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<W> {
    /// A column of this type.
    Column(PromotedType),
    /// It stays JSON: why, and where that was met.
    Json(String, Option<W>),
}

impl<W> Default for Seen<W> {
    fn default() -> Self {
        Self {
            values: 0,
            classes: vec![],
            negative: None,
            over_int64: None,
            over_uint64: None,
            inexact: None,
            infinite: None,
            no_time: None,
            longest: 0,
            items: None,
        }
    }
}

impl<W: Copy> Seen<W> {
    /// One more value. Its JSON is valid.
    pub fn add(&mut self, kind: Kind, raw: &str, at: W) {
        let class = match kind {
            Kind::Null => return,
            Kind::Bool => Class::Bool,
            Kind::Object => Class::Object,
            Kind::Number if is_integer(raw) => {
                self.integer(raw, at);
                Class::Integer
            }
            Kind::Number => {
                if raw.parse::<f64>().is_ok_and(|f| !f.is_finite()) {
                    self.infinite.get_or_insert(at);
                }
                Class::Float
            }
            Kind::String => {
                self.longest = self.longest.max(raw.len() - 2);
                if self.no_time.is_none() && !of_iso(&string_value(raw)).is_some_and(|m| m.exact) {
                    self.no_time = Some(at);
                }
                Class::Text
            }
            Kind::Array => {
                let items = self.items.get_or_insert_default();
                let _ = Cursor::new(raw).array(|cursor| -> Result<(), JsonError> {
                    let item = cursor.value()?;
                    // What lists of lists hold decides nothing.
                    if item.kind == Kind::Array {
                        items.class(Class::List, at);
                    } else {
                        items.add(item.kind, item.raw, at);
                    }
                    Ok(())
                });
                Class::List
            }
        };
        self.values += 1;
        self.class(class, at);
    }

    fn class(&mut self, class: Class, at: W) {
        if !self.classes.iter().any(|(known, _)| *known == class) {
            self.classes.push((class, at));
        }
    }

    fn integer(&mut self, raw: &str, at: W) {
        let (signed, unsigned) = (raw.parse::<i64>().is_ok(), raw.parse::<u64>().is_ok());
        if raw.starts_with('-') {
            self.negative.get_or_insert(at);
        }
        if !signed {
            self.over_int64.get_or_insert(at);
        }
        if !signed && !unsigned {
            self.over_uint64.get_or_insert(at);
        }
        if self.inexact.is_none() && exact_float(raw).is_none() {
            self.inexact = Some(at);
        }
    }

    /// Adds what was seen later, elsewhere.
    pub fn merge<V: Copy>(&mut self, later: Seen<V>, place: &dyn Fn(V) -> W) {
        let first = |own: &mut Option<W>, other: Option<V>| *own = own.or(other.map(place));
        self.values += later.values;
        for (class, at) in later.classes {
            self.class(class, place(at));
        }
        first(&mut self.negative, later.negative);
        first(&mut self.over_int64, later.over_int64);
        first(&mut self.over_uint64, later.over_uint64);
        first(&mut self.inexact, later.inexact);
        first(&mut self.infinite, later.infinite);
        first(&mut self.no_time, later.no_time);
        self.longest = self.longest.max(later.longest);
        if let Some(items) = later.items {
            self.items.get_or_insert_default().merge(*items, place);
        }
    }

    /// The type of all values, if there is one that holds each of them exactly. `auto`: long strings get no column.
    #[must_use]
    pub fn decide(&self, auto: bool) -> Decision<W> {
        let json = |why: &str, at: Option<W>| Decision::Json(why.to_owned(), at);
        let column = |scalar| Decision::Column(PromotedType { list: false, scalar });
        let number = |class: &Class| matches!(class, Class::Integer | Class::Float);
        let Some((first, _)) = self.classes.first() else { return json("it is null wherever it is met", None) };
        if let Some((other, at)) = self.classes.iter().find(|(c, _)| c != first && !(number(c) && number(first))) {
            return Decision::Json(format!("{} first, then {}", first.name(), other.name()), Some(*at));
        }
        match first {
            Class::Integer | Class::Float if self.classes.len() > 1 => match (self.inexact, self.infinite) {
                (Some(at), _) => json("an integer that float64 cannot hold, beside floats", Some(at)),
                (None, Some(at)) => json("a float beyond float64", Some(at)),
                (None, None) => column(Scalar::Float64),
            },
            Class::Float => self.infinite.map_or_else(|| column(Scalar::Float64), |at| json("a float beyond float64", Some(at))),
            Class::Integer => match (self.over_uint64, self.over_int64, self.negative) {
                (Some(at), ..) => json("an integer beyond 64 bits", Some(at)),
                (None, Some(at), Some(_)) => json("an integer over 2^63 − 1, beside negative ones", Some(at)),
                (None, Some(_), None) => column(Scalar::UInt64),
                (None, None, _) => column(Scalar::Int64),
            },
            Class::Bool => column(Scalar::Bool),
            Class::Text if self.no_time.is_none() => column(Scalar::Timestamp),
            Class::Text if auto && self.longest > LONGEST => {
                Decision::Json(format!("strings of up to {} bytes, which full-text search serves", self.longest), None)
            }
            Class::Text => column(Scalar::String),
            Class::Object => json("objects; a field inside can be named by its path, as a.b", None),
            Class::List => match self.items.as_ref().map(|items| (items.decide(auto), items)) {
                Some((_, items)) if items.classes.is_empty() => json("lists without a value", None),
                Some((_, items)) if items.classes.iter().any(|(c, _)| matches!(c, Class::List | Class::Object)) => json("lists of lists or objects", None),
                Some((Decision::Column(kind), _)) => Decision::Column(PromotedType { list: true, ..kind }),
                Some((Decision::Json(why, at), _)) => Decision::Json(format!("in its lists: {why}"), at),
                None => json("lists without a value", None),
            },
        }
    }
}

/// What was seen of many fields, in the order in which they were met.
#[derive(Debug)]
pub struct Fields<W> {
    seen: Vec<(String, Seen<W>)>,
    places: HashMap<String, usize>,
    most: usize,
    /// Values of fields that came when there were too many already.
    pub left_out: u64,
}

impl<W: Copy> Fields<W> {
    /// None yet, and at most so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { seen: vec![], places: HashMap::new(), most, left_out: 0 }
    }

    /// What was seen of one; `None` if there is no room for it.
    pub fn of(&mut self, field: &str) -> Option<&mut Seen<W>> {
        let at = match self.places.get(field) {
            Some(at) => *at,
            None if self.seen.len() >= self.most => {
                self.left_out += 1;
                return None;
            }
            None => {
                self.places.insert(field.to_owned(), self.seen.len());
                self.seen.push((field.to_owned(), Seen::default()));
                self.seen.len() - 1
            }
        };
        Some(&mut self.seen[at].1)
    }

    /// Adds what was seen later.
    pub fn merge<V: Copy>(&mut self, later: Fields<V>, place: &dyn Fn(V) -> W) {
        for (field, seen) in later.seen {
            if let Some(own) = self.of(&field) {
                own.merge(seen, place);
            }
        }
        self.left_out += later.left_out;
    }

    /// Every field.
    #[must_use]
    pub fn all(&self) -> &[(String, Seen<W>)] {
        &self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(values: &[&str]) -> Seen<usize> {
        let mut seen = Seen::default();
        for (at, raw) in values.iter().enumerate() {
            seen.add(Cursor::new(raw).kind().unwrap(), raw, at);
        }
        seen
    }

    fn decided(values: &[&str]) -> String {
        match seen(values).decide(true) {
            Decision::Column(kind) => kind.name(),
            Decision::Json(why, at) => format!("{why} {at:?}"),
        }
    }

    #[test]
    fn the_type_that_holds_every_value() {
        for (values, kind) in [
            (&["1", "null", "-3"][..], "int64"),
            (&["1", "18446744073709551615"], "uint64"),
            (&["1", "2.5"], "float64"),
            (&["9007199254740993"], "int64"),
            (&["true"], "bool"),
            (&["\"2024-01-03\"", "\"2024-01-03T03:23:20.5+02:00\""], "timestamp"),
            (&["\"2024-01-03\"", "\"soon\""], "string"),
            (&["\"2024-01-03T00:00:00.1234567Z\""], "string"),
            (&["[1]", "[]", "[null,2]"], "list<int64>"),
            (&["[\"a\"]"], "list<string>"),
            (&["[1,2.5]"], "list<float64>"),
        ] {
            assert_eq!(decided(values), kind, "{values:?}");
        }
    }

    #[test]
    fn what_stays_json_says_why_and_where() {
        for (values, why) in [
            (&["null"][..], "it is null wherever it is met None"),
            (&["1", "1.5", "\"x\""], "an integer first, then a string Some(2)"),
            (&["1.5", "9007199254740993"], "an integer that float64 cannot hold, beside floats Some(1)"),
            (&["-1", "9223372036854775808"], "an integer over 2^63 − 1, beside negative ones Some(1)"),
            (&["1", "18446744073709551616"], "an integer beyond 64 bits Some(1)"),
            (&["1.0", "1e999"], "a float beyond float64 Some(1)"),
            (&["[1]", "1"], "a list first, then an integer Some(1)"),
            (&["[1,\"a\"]"], "in its lists: an integer first, then a string Some(0)"),
            (&["[[1]]"], "lists of lists or objects None"),
            (&["[]"], "lists without a value None"),
        ] {
            assert_eq!(decided(values), why, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_say_what_the_whole_says(values in prop::collection::vec(0usize..9, 0..20), cut in 0usize..20) {
            const ALL: [&str; 9] = ["1", "-1", "9223372036854775808", "1.5", "\"a\"", "\"2024-01-03\"", "null", "[1,\"a\"]", "[2]"];
            let values: Vec<&str> = values.iter().map(|v| ALL[*v]).collect();
            let cut = cut.min(values.len());
            let mut pieces = seen(&values[..cut]);
            pieces.merge(seen(&values[cut..]), &|at| at + cut);
            prop_assert_eq!(pieces.decide(true), seen(&values).decide(true));
        }
    }
}
