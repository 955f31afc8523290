//! Which field of a payload goes to which column, as data: the common table, a format's own `[map]`, the user's `--map`.
//!
//! Not the conversion of values: [`fits`] says whether a value can go to its column unchanged; if not, it stays metadata.

use std::collections::HashMap;

use super::links::Links;
use super::schema::Column;
use crate::error::{Error, Result};
use crate::formats::json::Kind;
use crate::reject::excerpt;

/// Where a field goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A column, if the value fits it.
    Column(Column),
    /// `custom_metadata` under another key.
    Custom(String),
}

/// A value that every record gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// For a column of text.
    Text(String),
    /// For a column of lists.
    Texts(Vec<String>),
    /// For `position`.
    Position(i32),
    /// For `custom_metadata`: JSON text and its kind.
    Json(String, Kind),
}

/// Fields that are joined to one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The fields, in order.
    pub fields: Vec<String>,
    /// What stands between two of them.
    pub separator: String,
    /// Which of them is the text that records have outside of the payload.
    pub own: Option<String>,
}

/// The table, the order in which text fields are tried, and what else the user wants done with fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    fields: HashMap<String, Target>,
    text: Vec<String>,
    joined: Option<Joined>,
    dropped: Vec<String>,
    columns: Vec<(Column, Constant)>,
    pairs: Vec<(String, Constant)>,
    links: Links,
}

/// Keys that this program writes into `custom_metadata` itself. A payload key of the same name, or one that starts with
/// [`ESCAPE`], is written with [`ESCAPE`] in front, so that the pairs can be turned back into the payload.
pub const RESERVED: [&str; 7] = ["source", "original_id", "namespace", "vector_type", "_types", "_columns", "_renamed"];
/// See [`RESERVED`].
pub const ESCAPE: &str = "payload:";

impl Default for Mapping {
    fn default() -> Self {
        let same = Column::ALL.iter().filter(|(_, c)| *c != Column::TextContent);
        Self {
            fields: same.map(|(name, column)| ((*name).to_owned(), Target::Column(*column))).collect(),
            text: ["text", "content", "description", "document"].map(str::to_owned).to_vec(),
            joined: None,
            dropped: vec![],
            columns: vec![],
            pairs: vec![],
            links: Links::default(),
        }
    }
}

impl Mapping {
    /// Adds rows of a `[map]` table: `field = "column"` or `field = "custom:key"`. `text_content` puts the field first in
    /// the order of text fields unless it is in it already.
    ///
    /// # Errors
    /// A target that is neither a column a field may go to nor `custom:<key>`.
    pub fn extend(&mut self, rows: &std::collections::BTreeMap<String, String>, origin: &str) -> Result<()> {
        for (field, target) in rows {
            let target = if let Some(key) = target.strip_prefix("custom:") {
                Target::Custom(key.to_owned())
            } else if let Some(column) = Column::named(target) {
                Target::Column(column)
            } else {
                let names: Vec<_> = Column::ALL.iter().map(|(name, _)| *name).collect();
                return Err(Error::new(format!("{origin}: [map] {} = \"{}\" names no column that a field may go to", excerpt(field, 40), excerpt(target, 40)))
                    .help(format!("use one of {}, or \"custom:<key>\"", names.join(", "))));
            };
            self.insert(field, target);
        }
        Ok(())
    }

    /// As [`Self::extend`], with targets that are known to be some.
    pub fn add(&mut self, rows: &std::collections::BTreeMap<String, Target>) {
        for (field, target) in rows {
            self.insert(field, target.clone());
        }
    }

    fn insert(&mut self, field: &str, target: Target) {
        if target != Target::Column(Column::TextContent) {
            self.fields.insert(field.to_owned(), target);
        } else if !self.text.iter().any(|f| f == field) {
            self.text.insert(0, field.to_owned());
        }
    }

    /// Makes the text of several fields, instead of the first that is there.
    pub fn join(&mut self, joined: Joined) {
        self.text.clear();
        self.joined = Some(joined);
    }

    /// Takes fields out of the payload.
    pub fn drop(&mut self, fields: Vec<String>) {
        self.dropped = fields;
    }

    /// Gives every record these values, by column and by key of `custom_metadata`.
    pub fn set(&mut self, columns: &[(Column, Constant)], pairs: &[(String, Constant)]) {
        self.columns = columns.to_vec();
        self.pairs = pairs.to_vec();
    }

    /// Makes references of fields; they stay where they are, too.
    pub fn refer(&mut self, links: Links) {
        self.links = links;
    }

    /// What makes references of fields.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The fields that are joined, if they are.
    #[must_use]
    pub fn joined(&self) -> Option<&Joined> {
        self.joined.as_ref()
    }

    /// Whether a field of the payload is taken out.
    #[must_use]
    pub fn drops(&self, field: &str) -> bool {
        self.dropped.iter().any(|d| d == field)
    }

    /// All fields that are taken out.
    #[must_use]
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// The constant of a column.
    #[must_use]
    pub fn constant(&self, column: Column) -> Option<&Constant> {
        self.columns.iter().find(|(c, _)| *c == column).map(|(_, value)| value)
    }

    /// The constants of `custom_metadata`.
    #[must_use]
    pub fn pairs(&self) -> &[(String, Constant)] {
        &self.pairs
    }

    /// Whether a key of `custom_metadata` is one of ours in this mapping, so that a field of that name is written otherwise.
    #[must_use]
    pub fn is_ours(&self, key: &str) -> bool {
        RESERVED.contains(&key) || key.starts_with(ESCAPE) || self.pairs.iter().any(|(k, _)| k == key)
    }

    /// Whether these may be the fields tried for the text.
    ///
    /// # Errors
    /// The mapping joins fields, or drops one of these.
    pub fn takes(&self, order: &[String]) -> Result<()> {
        if self.joined.is_some() {
            return Err(Error::new("--text-fields: the mapping joins fields to a text").help("use --text-fields or the mapping's text, not both"));
        }
        match order.iter().find(|field| self.drops(field)) {
            Some(field) => Err(Error::new(format!("--text-fields {}: the mapping drops this field", excerpt(field, 40))).help("take it out of one of the two")),
            None => Ok(()),
        }
    }

    /// Replaces the order in which fields are tried for `text_content`.
    pub fn set_text_order(&mut self, order: Vec<String>) {
        self.text = order;
    }

    /// The fields tried for `text_content`, first to last.
    #[must_use]
    pub fn text_order(&self) -> &[String] {
        &self.text
    }

    /// Where a payload field goes; `None`: to `custom_metadata` under its own name.
    #[must_use]
    pub fn target(&self, field: &str) -> Option<&Target> {
        self.fields.get(field)
    }

    /// The table's rows that change a name, for the report: `url → source_url`.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let name = |column: Column| Column::ALL.iter().find(|(_, c)| *c == column).map_or("", |(n, _)| n);
        let mut rows: Vec<String> = self
            .fields
            .iter()
            .filter_map(|(field, target)| match target {
                Target::Column(column) if name(*column) == field => None,
                Target::Column(column) => Some(format!("{field} → {}", name(*column))),
                Target::Custom(key) if key == field => None,
                Target::Custom(key) => Some(format!("{field} → custom {key}")),
            })
            .collect();
        rows.extend(self.links.keys.iter().map(|link| format!("{} → reference to {}/{}", link.field, link.target.source, link.target.name)));
        rows.extend(self.dropped.iter().map(|field| format!("{field} dropped")));
        rows.extend(self.columns.iter().map(|(column, value)| format!("{} = {}", name(*column), value.shown())));
        rows.extend(self.pairs.iter().map(|(key, value)| format!("custom {key} = {}", value.shown())));
        rows.sort();
        rows
    }
}

impl Constant {
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Texts(texts) => texts.join(", "),
            Self::Position(number) => number.to_string(),
            Self::Json(raw, _) => raw.clone(),
        }
    }
}

/// Whether a value of this kind can stand in the column without being changed. `text` is the unescaped string, or the raw
/// JSON of other kinds.
#[must_use]
pub fn fits(column: Column, kind: Kind, text: &str) -> bool {
    match column {
        Column::Title => kind == Kind::String && !text.is_empty(),
        Column::TextContent | Column::Context | Column::Uri | Column::Author | Column::Status | Column::SourceFile | Column::SourceUrl => kind == Kind::String,
        Column::Version => kind == Kind::String && is_version(text),
        Column::CreatedAt | Column::UpdatedAt => kind == Kind::String && is_date(text),
        Column::Position => kind == Kind::Number && text.parse::<i32>().is_ok_and(|n| n >= 0 && !text.starts_with('-')),
        Column::Tags | Column::Contributors => kind == Kind::Array,
    }
}

/// `MAJOR.MINOR.PATCH` of digits without leading zeros.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |p: &&str| !p.is_empty() && p.len() <= 9 && p.bytes().all(|b| b.is_ascii_digit()) && (*p == "0" || !p.starts_with('0'));
    parts.len() == 3 && parts.iter().all(number)
}

/// A day of the calendar as `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    text.len() == 10 && text.is_ascii() && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|d| d.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_stays_metadata() {
        assert!(fits(Column::Version, Kind::String, "1.20.3"));
        for text in ["1.1.8-1", "01.2.3", "1.2", "1..2", ""] {
            assert!(!fits(Column::Version, Kind::String, text), "{text}");
        }
        assert!(fits(Column::CreatedAt, Kind::String, "2024-02-29"));
        for text in ["2023-02-29", "2024-1-1", "2024-01-03T03:23:20Z"] {
            assert!(!fits(Column::CreatedAt, Kind::String, text), "{text}");
        }
        assert!(fits(Column::Position, Kind::Number, "2147483647"));
        for text in ["2147483648", "-1", "-0", "1.0", "1e3"] {
            assert!(!fits(Column::Position, Kind::Number, text), "{text}");
        }
    }

    #[test]
    fn a_wrong_target_is_named() {
        let rows = [("a".to_owned(), "uuid".to_owned())].into();
        let error = Mapping::default().extend(&rows, "mine.toml").unwrap_err();
        assert!(error.to_string().contains("mine.toml") && error.to_string().contains("uuid"));
    }
}
