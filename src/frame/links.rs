//! References from one record to another: foreign keys that the user names, and beacons that the source writes itself.
//!
//! A record's uuid follows from its place and id, so a reference is written without having seen its target. Whether the target is
//! there is proved afterwards, by [`crate::links`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::identity::Collection;
use super::pairs::string_value;
use super::record::{Field, Record};
use super::unseen::Unseen;
use crate::formats::json::{Cursor, JsonError, Kind};

/// A collection that references may lead to, with the namespaces that its records have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The database.
    pub source: String,
    /// The collection.
    pub name: String,
    /// All that are known.
    pub namespaces: BTreeSet<String>,
    /// Records name their namespaces themselves: there may be more than are known.
    pub open: bool,
}

impl Target {
    /// The namespace in which a record of the namespace `own` looks: its own, if the collection has it, else none, else the only one.
    fn namespace<'t>(&'t self, own: &'t str) -> &'t str {
        let mut all = self.namespaces.iter();
        match (all.next(), all.next()) {
            _ if self.namespaces.contains(own) || (self.open && !own.is_empty()) => own,
            _ if self.namespaces.contains("") => "",
            (Some(only), None) => only.as_str(),
            _ => own,
        }
    }
}

/// A field whose values are ids of another collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The payload's field.
    pub field: String,
    /// Where its values lead.
    pub target: Target,
}

/// How a source writes references: arrays of objects with a URI under `key`: `scheme://host/Collection/id`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacons {
    /// The key that holds the URI.
    pub key: String,
    /// Its scheme.
    pub scheme: String,
}

/// Everything that makes references of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Foreign keys.
    pub keys: Vec<Link>,
    /// The source's own.
    pub beacons: Option<Beacons>,
    /// Collections that beacons may lead to.
    pub targets: Vec<Target>,
}

/// One reference of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Uuid of the target.
    pub id: String,
    /// The target's collection and id.
    pub title: String,
    /// The field.
    pub field: String,
}

impl Links {
    /// Whether no field can make a reference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.beacons.is_none()
    }

    /// The references of a record of this collection and namespace, in the order of its fields, each target once a field.
    pub fn of(&self, record: &Record<'_>, own: &Collection, namespace: &str, unseen: &mut Unseen) -> Vec<Reference> {
        let mut out: Vec<Reference> = Vec::new();
        if self.is_empty() {
            return out;
        }
        for field in &record.fields {
            let before = out.len();
            let mut add = |place: &Collection, id: &str| {
                let uuid = place.member_uuid(id).to_string();
                if !out[before..].iter().any(|r| r.id == uuid) {
                    out.push(Reference { id: uuid, title: format!("{} {id}", place.name), field: field.key.to_string() });
                }
            };
            if let Some(link) = self.keys.iter().find(|l| l.field == field.key) {
                let target = &link.target;
                let place = Collection { source: target.source.clone(), name: target.name.clone(), namespace: target.namespace(namespace).to_owned() };
                if !keys(field, &mut |key| add(&place, key)) {
                    unseen.no_key(&field.key);
                }
            } else if let Some(beacons) = &self.beacons {
                let whole = beacons.each(field, &mut |class, id| {
                    let target = self.targets.iter().find(|t| t.source == own.source && t.name == class);
                    let there = target.map_or(namespace, |t| t.namespace(namespace));
                    add(&Collection { source: own.source.clone(), name: class.to_owned(), namespace: there.to_owned() }, id);
                });
                if !whole {
                    unseen.no_key(&field.key);
                }
            }
            unseen.refer(&field.key, (out.len() - before) as u64);
        }
        out
    }
}

/// Gives every key of a field: a string, an integer, or an array of these; null and the empty string are none. False if a value
/// can be no key.
fn keys(field: &Field<'_>, each: &mut dyn FnMut(&str)) -> bool {
    if field.kind != Kind::Array {
        return key(field.kind, &field.raw, each);
    }
    let mut whole = true;
    let done = Cursor::new(&field.raw).array(|cursor| -> Result<(), JsonError> {
        let value = cursor.value()?;
        whole &= key(value.kind, value.raw, each);
        Ok(())
    });
    whole && done.is_ok()
}

fn key(kind: Kind, raw: &str, each: &mut dyn FnMut(&str)) -> bool {
    match kind {
        Kind::Null => true,
        Kind::String => {
            let text = string_value(raw);
            if !text.is_empty() {
                each(&text);
            }
            true
        }
        Kind::Number if raw.parse::<u64>().is_ok() || (raw.parse::<i64>().is_ok() && raw != "-0") => {
            each(raw);
            true
        }
        _ => false,
    }
}

impl Beacons {
    /// Gives collection and id of every beacon of a field. False if one does not say its collection.
    fn each(&self, field: &Field<'_>, each: &mut dyn FnMut(&str, &str)) -> bool {
        if field.kind != Kind::Array || memchr::memmem::find(field.raw.as_bytes(), self.key.as_bytes()).is_none() {
            return true;
        }
        let mut whole = true;
        // A field that is no array of objects is no field of references.
        let _ = Cursor::new(&field.raw).array(|cursor| -> Result<(), JsonError> {
            if cursor.kind()? != Kind::Object {
                cursor.value()?;
                return Ok(());
            }
            cursor.object(|key, cursor| -> Result<(), JsonError> {
                let (key, value) = (key.value(), cursor.value()?);
                if key == self.key.as_str() && value.kind == Kind::String {
                    match self.place(&string_value(value.raw)) {
                        Some((Some(class), id)) => each(&class, &id),
                        Some((None, _)) => whole = false,
                        None => {}
                    }
                }
                Ok(())
            })
        });
        whole
    }

    /// Collection and id of a beacon; no collection in the old form, `scheme://host/id`. `None` if it is none of this source.
    fn place(&self, uri: &str) -> Option<(Option<String>, String)> {
        let path = uri.strip_prefix(self.scheme.as_str())?.strip_prefix("://")?;
        let mut parts = path.split('/').skip(1).filter(|part| !part.is_empty()).map(Cow::from);
        match (parts.next()?, parts.next(), parts.next()) {
            (class, Some(id), None) => Some((Some(class.into_owned()), id.into_owned())),
            (id, None, None) => Some((None, id.into_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'t>(key: &'t str, raw: &'t str) -> Field<'t> {
        Field { key: key.into(), raw: raw.into(), kind: Cursor::new(raw).kind().unwrap() }
    }

    #[test]
    fn keys_are_strings_and_integers_alone_or_in_arrays() {
        for (raw, wanted, whole) in [
            ("7", &["7"][..], true),
            ("\"7\"", &["7"], true),
            ("18446744073709551615", &["18446744073709551615"], true),
            ("[1, \"a\\u0062\", null, \"\"]", &["1", "ab"], true),
            ("null", &[], true),
            ("1.0", &[], false),
            ("-0", &[], false),
            ("[1, true]", &["1"], false),
            ("{\"a\":1}", &[], false),
        ] {
            let mut met = Vec::new();
            assert_eq!(keys(&field("k", raw), &mut |key| met.push(key.to_owned())), whole, "{raw}");
            assert_eq!(met, wanted, "{raw}");
        }
    }

    #[test]
    fn a_record_looks_in_its_own_namespace_first() {
        let target = |names: &[&str], open| Target { source: "s".into(), name: "n".into(), namespaces: names.iter().map(|n| (*n).to_owned()).collect(), open };
        for (names, open, own, wanted) in [
            (&["", "a"][..], false, "a", "a"),
            (&["", "a"], false, "b", ""),
            (&["a"], false, "b", "a"),
            (&["a", "c"], false, "b", "b"),
            (&[""], true, "b", "b"),
            (&["a"], true, "", "a"),
        ] {
            assert_eq!(target(names, open).namespace(own), wanted, "{names:?} {own}");
        }
    }

    #[test]
    fn beacons_name_collection_and_id() {
        let beacons = Beacons { key: "beacon".into(), scheme: "db".into() };
        let mut met = Vec::new();
        let raw = "[{\"beacon\":\"db://localhost/Author/1-2\",\"href\":\"/v1\"},{\"beacon\":\"other://x/y\"},{\"beacon\":7},3]";
        assert!(beacons.each(&field("wrote", raw), &mut |class, id| met.push(format!("{class} {id}"))));
        assert_eq!(met, ["Author 1-2"]);
        assert!(!beacons.each(&field("wrote", "[{\"beacon\":\"db://localhost/1-2\"}]"), &mut |_, _| {}));
    }
}
