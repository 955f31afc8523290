//! The fields of the sources' own payloads: how many records have each, and of which types its values are.
//!
//! Top level only, and names and types only: no value is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use serde::Serialize;
use serde_json::value::RawValue;

use super::part;

/// Names that are kept; more than these are only counted.
const NAMES: usize = 1000;

/// All fields met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fields {
    /// Records with a payload.
    pub payloads: u64,
    /// Payloads that are no JSON object, which this program does not write.
    pub unreadable: u64,
    /// Values of fields that are not listed, because there are too many names.
    pub unlisted: u64,
    /// Each field, the fullest first.
    pub listed: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Its name in the source.
    pub name: String,
    /// Records in which it is there and not null.
    pub filled: u64,
    /// The same as a part of all records, from 0 to 1.
    pub share: f64,
    /// Records in which it is null.
    pub null: u64,
    /// Values by their JSON type: string, integer, number, boolean, list, object.
    pub types: BTreeMap<&'static str, u64>,
}

/// What has been counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    payloads: u64,
    unreadable: u64,
    unlisted: u64,
    names: BTreeMap<String, [u64; KINDS.len()]>,
}

const KINDS: [&str; 7] = ["null", "string", "integer", "number", "boolean", "list", "object"];

/// The type of a JSON text, as a place in [`KINDS`].
fn kind(text: &str) -> usize {
    match text.as_bytes().first() {
        Some(b'n') => 0,
        Some(b'"') => 1,
        Some(b't' | b'f') => 4,
        Some(b'[') => 5,
        Some(b'{') => 6,
        _ if text.contains(['.', 'e', 'E']) => 3,
        _ => 2,
    }
}

impl Tally {
    /// Counts the payloads of a batch.
    #[must_use]
    pub(super) fn of(payloads: &ArrayRef) -> Self {
        let mut tally = Self::default();
        let Some(texts) = payloads.as_string_opt::<i32>() else { return tally };
        for text in (0..texts.len()).filter(|row| texts.is_valid(*row)).map(|row| texts.value(row)) {
            tally.payloads += 1;
            match serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text) {
                Ok(fields) => fields.iter().for_each(|(name, value)| tally.count(name, |counts| counts[kind(value.get())] += 1, 1)),
                Err(_) => tally.unreadable += 1,
            }
        }
        tally
    }

    fn count(&mut self, name: &str, add: impl FnOnce(&mut [u64; KINDS.len()]), values: u64) {
        if let Some(counts) = self.names.get_mut(name) {
            add(counts);
        } else if self.names.len() < NAMES {
            add(self.names.entry(name.to_owned()).or_default());
        } else {
            self.unlisted += values;
        }
    }

    /// Takes in what was counted of later rows.
    pub(super) fn merge(&mut self, other: Self) {
        self.payloads += other.payloads;
        self.unreadable += other.unreadable;
        self.unlisted += other.unlisted;
        for (name, theirs) in other.names {
            let values = theirs.iter().sum();
            self.count(&name, |counts| counts.iter_mut().zip(theirs).for_each(|(a, b)| *a += b), values);
        }
    }

    /// As reported.
    #[must_use]
    pub(super) fn fields(self, records: u64) -> Fields {
        let of = |(name, counts): (String, [u64; KINDS.len()])| {
            let filled = counts[1..].iter().sum();
            let types = KINDS[1..].iter().zip(&counts[1..]).filter(|(_, n)| **n > 0).map(|(kind, n)| (*kind, *n)).collect();
            Field { name, filled, share: part(filled, records), null: counts[0], types }
        };
        let mut listed: Vec<Field> = self.names.into_iter().map(of).collect();
        listed.sort_by(|a, b| b.filled.cmp(&a.filled).then_with(|| a.name.cmp(&b.name)));
        Fields { payloads: self.payloads, unreadable: self.unreadable, unlisted: self.unlisted, listed }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;

    use super::*;

    #[test]
    fn fields_by_name_and_type() {
        let texts = [Some(r#"{"a":1,"b":"x","c":null}"#), Some(r#"{"a":1.5,"b":[],"\u00e9":true}"#), None, Some("[1]"), Some(r#"{"a":-2,"d":{}}"#)];
        let payloads: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let mut tally = Tally::of(&payloads);
        tally.merge(Tally::of(&payloads));
        let fields = tally.fields(10);
        assert_eq!((fields.payloads, fields.unreadable, fields.unlisted), (8, 2, 0));
        let names: Vec<&str> = fields.listed.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d", "é", "c"]);
        assert_eq!(fields.listed[0].types, [("integer", 4), ("number", 2)].into());
        assert_eq!((fields.listed[0].filled, fields.listed[0].share, fields.listed[4].null), (6, 0.6, 2));
    }

    #[test]
    fn too_many_names_are_counted_only() {
        let payloads: ArrayRef = Arc::new(StringArray::from((0..1500).map(|n| format!("{{\"k{n:04}\":{n}}}")).collect::<Vec<_>>()));
        let fields = Tally::of(&payloads).fields(1500);
        assert_eq!((fields.listed.len(), fields.unlisted), (1000, 500));
    }
}
