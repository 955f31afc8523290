//! The types of a layout's TOML: where id, vector, payload and text stand in a record. `formats/README.md` is the grammar.
//!
//! Closed on purpose: paths, types, a fixed set of choices, no expressions. Unknown keys are errors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::BUILT_IN;
use crate::error::{Error, Result};
use crate::frame::element::Element;
use crate::frame::links::Beacons;
use crate::reject::{excerpt, printable};

/// One layout.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the layout: its file and its fixtures folder.
    pub name: String,
    /// The database, as it stands in `source_type`; by default, the name.
    #[serde(default)]
    pub source: String,
    /// The database's name for people.
    pub title: String,
    /// What writes this layout.
    pub about: String,
    /// The version that the layout was seen in.
    #[serde(default)]
    pub seen: String,
    /// How a record is recognised.
    #[serde(default)]
    pub detect: Detect,
    /// Keys of a wrapping object that may hold the array of records.
    #[serde(default)]
    pub records: Vec<String>,
    /// The records come in pages: answers of a server, kept as they came.
    #[serde(default)]
    pub page: Option<PageSpec>,
    /// The records are rows of CSV or of `COPY`'s text.
    #[serde(default)]
    pub csv: bool,
    /// Every field that holds nothing but arrays of numbers, or sparse vectors, in the first records is a vector.
    #[serde(default)]
    pub find_vectors: bool,
    /// The id.
    #[serde(default)]
    pub id: Option<IdSpec>,
    /// The main vector.
    #[serde(default)]
    pub vector: Option<VectorSpec>,
    /// The name of the vector that becomes the main one, where the dataset's has another; `default` is the one without a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
    /// Path of the string in a record that says its collection. Where the records of a dump say several, each is a collection of its own;
    /// where they say one, the dump's name stays the collection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Path of a map of named vectors beside `vector`.
    #[serde(default)]
    pub named: Option<String>,
    /// Path of a map of named multi-vectors, where they do not stand in `named`.
    #[serde(default)]
    pub multi: Option<String>,
    /// Sparse vectors: name → paths, any of which may hold it.
    #[serde(default)]
    pub sparse: BTreeMap<String, Vec<String>>,
    /// Dense vectors in fields of their own, beside the main one: name → path.
    #[serde(default)]
    pub dense: BTreeMap<String, String>,
    /// Types of the values of vectors that are not float32, by the vector's name; `default` is the one without a name. Needed where
    /// values come as bytes or base64, or as numbers whose type the text does not show.
    #[serde(default)]
    pub types: BTreeMap<String, Element>,
    /// Path of the payload object, or `*`: every field that is nothing else.
    pub payload: String,
    /// Path of a text of its own, which wins over the payload's text fields.
    #[serde(default)]
    pub text: Option<String>,
    /// Where a record's namespace is told.
    #[serde(default)]
    pub namespace: Namespace,
    /// Fields of the payload whose text is JSON: they become the values that they hold (only where the payload is `*`).
    #[serde(default)]
    pub json: Vec<String>,
    /// Whether a package carries a Milvus-style `schema`, `collection_name` and `total_entities`.
    #[serde(default)]
    pub package: bool,
    /// Fields to columns, beyond those that are named like one.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// How the source writes references to other records.
    #[serde(default)]
    pub references: Option<Beacons>,
}

/// How a record is recognised by its top-level keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// All of these must be there. Empty: never recognised by keys.
    #[serde(default)]
    pub all: Vec<String>,
    /// And at least one of these, if any are given.
    #[serde(default)]
    pub any: Vec<String>,
}

/// The key under which a record takes along the namespace of its page. No database has such a field.
pub const PAGE_NAMESPACE: &str = "$namespace";

/// Where the records stand in an answer of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PageSpec {
    /// Path of the list or map of records; of the list of ids where the shape is columns.
    pub at: String,
    /// How they stand there.
    #[serde(default)]
    pub shape: PageShape,
    /// Columns beside that of the ids: key of the record → path in the page.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Path of the namespace that the page's records are of.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Path of what asks for the next page; null or missing on the last one.
    #[serde(default)]
    pub next: Option<String>,
    /// Values, as JSON text, that a good answer has: path → any of these.
    #[serde(default)]
    pub ok: BTreeMap<String, Vec<String>>,
}

/// How records stand in a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageShape {
    /// A list of records.
    #[default]
    List,
    /// A map from id to record.
    Map,
    /// Lists of the same length, one a field.
    Columns,
}

/// The id's path and types.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IdSpec {
    /// Path.
    pub at: String,
    /// Types that the source can have.
    #[serde(default = "both")]
    pub types: Vec<IdType>,
}

/// A type of id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdType {
    /// A non-empty string.
    String,
    /// An integer of 64 bits, signed or unsigned.
    Integer,
}

fn both() -> Vec<IdType> {
    vec![IdType::String, IdType::Integer]
}

/// The main vector's path and shapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VectorSpec {
    /// Path.
    pub at: String,
    /// It may be a map of named vectors.
    #[serde(default)]
    pub named: bool,
    /// It may be a list of lists.
    #[serde(default)]
    pub multi: bool,
}

/// Where the namespace comes from. A snapshot's manifest tells it in any case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected the namespace \"none\", \"folder\", or a table such as { at = \"/tenant\" }")]
pub enum Namespace {
    /// `"none"` or `"folder"`.
    Of(Place),
    /// A field of the record, and where it has none, what a [`Place`] says.
    Record(RecordNamespace),
}

/// What all records of a shard share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Nothing tells it.
    #[default]
    None,
    /// The sub-folder that the shard lies in.
    Folder,
}

/// `{ at = "/tenant", or = "folder" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordNamespace {
    /// Path of a string. Anything else there says nothing.
    pub at: String,
    /// Where it comes from if there is none.
    #[serde(default)]
    pub or: Place,
}

impl Default for Namespace {
    fn default() -> Self {
        Self::Of(Place::None)
    }
}

impl Namespace {
    /// The path in the record, if there is one.
    #[must_use]
    pub fn at(&self) -> Option<&str> {
        if let Self::Record(record) = self { Some(&record.at) } else { None }
    }

    /// Whether a shard's sub-folder is its namespace.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        let (Self::Of(place) | Self::Record(RecordNamespace { or: place, .. })) = self;
        *place == Place::Folder
    }
}

impl PageSpec {
    /// Every path: first that of the records, then those of the columns, the namespace, the next page, and the checks.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let one = [self.namespace.as_deref(), self.next.as_deref()].into_iter().flatten();
        let columns = self.columns.values().map(String::as_str);
        std::iter::once(self.at.as_str()).chain(columns).chain(one).chain(self.ok.keys().map(String::as_str))
    }
}

impl Spec {
    /// Reads a layout.
    ///
    /// # Errors
    /// Not TOML, a key that the grammar does not have, a path that is none. `origin` is the file named in the message.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let mut spec: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            Error::new(format!("{}:{line}: {}", printable(origin), excerpt(e.message(), 200)))
                .help("the grammar is in formats/README.md; `vec2lance formats --print qdrant` shows an example")
        })?;
        if spec.source.is_empty() {
            spec.source.clone_from(&spec.name);
        }
        for path in spec.paths().chain(spec.namespace.at()).chain(spec.collection.as_deref()).chain(spec.page.iter().flat_map(PageSpec::paths)) {
            if path != "*" && (!path.starts_with('/') || path.len() < 2) {
                return Err(Error::new(format!("{}: the path \"{}\" does not start with `/`", printable(origin), excerpt(path, 60)))
                    .help("paths are JSON pointers: /id, /result/payload"));
            }
        }
        Ok(spec)
    }

    /// Every path by which a record of the layout can be told; a namespace's says little.
    fn paths(&self) -> impl Iterator<Item = &str> {
        let one = [
            self.id.as_ref().map(|i| i.at.as_str()),
            self.vector.as_ref().map(|v| v.at.as_str()),
            self.named.as_deref(),
            self.multi.as_deref(),
            self.text.as_deref(),
            Some(self.payload.as_str()),
        ];
        one.into_iter().flatten().chain(self.sparse.values().flatten().map(String::as_str)).chain(self.dense.values().map(String::as_str))
    }

    /// First segments of every path: the record keys that this layout knows.
    pub fn top_keys(&self) -> impl Iterator<Item = &str> {
        self.paths().filter(|p| *p != "*").map(|p| p[1..].split('/').next().unwrap_or(""))
    }

    /// The built-in layout of this name.
    ///
    /// # Errors
    /// There is none; the message lists those that are there.
    pub fn built_in(name: &str) -> Result<Self> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(n, _)| *n == name) {
            Self::parse(text, &format!("formats/{name}.toml"))
        } else {
            let names: Vec<_> = BUILT_IN.iter().map(|(n, _)| *n).collect();
            Err(Error::new(format!("no format is called \"{}\", expected one of {}", excerpt(name, 40), names.join(", ")))
                .help("`vec2lance formats` lists them; --format FILE.toml reads one of your own"))
        }
    }

    /// A layout from a file of the user's.
    ///
    /// # Errors
    /// The file cannot be read or is no layout.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// All built-in layouts.
    ///
    /// # Errors
    /// One does not parse: a defect of this program, which a test excludes.
    pub fn all() -> Result<Vec<Self>> {
        BUILT_IN.iter().map(|(name, _)| Self::built_in(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_layout_parses_and_has_its_files_name() {
        for (name, _) in BUILT_IN {
            assert_eq!(Spec::built_in(name).unwrap().name, name);
        }
    }

    #[test]
    fn a_mistake_names_file_line_and_key() {
        let error = Spec::parse("name = \"x\"\ntitle = \"X\"\nabout = \"\"\npayload = \"/p\"\nvektor = 1\n", "mine.toml").unwrap_err();
        assert!(error.to_string().starts_with("mine.toml:5: unknown field `vektor`"), "{error}");
        let error = Spec::parse("name = \"x\"\ntitle = \"X\"\nabout = \"\"\npayload = \"p\"\n", "mine.toml").unwrap_err();
        assert!(error.to_string().contains("does not start with `/`"), "{error}");
    }
}
