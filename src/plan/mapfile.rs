//! `--map`: the user's own mapping as a TOML file. `formats/README.md` is the grammar.
//!
//! Everything in it is checked before any work, and what is wrong is said with the line. Not what becomes of a field: that is
//! [`crate::frame::mapping`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Value};

use crate::error::{Error, Result};
use crate::formats::json::{Kind, push_string};
use crate::frame::mapping::{Constant, ESCAPE, Joined, Mapping, RESERVED, Target, fits};
use crate::frame::schema::Column;
use crate::reject::{excerpt, printable};

/// The prefix of a target in `custom_metadata`.
const CUSTOM: &str = "custom:";
/// Between joined texts unless `separator` says otherwise.
const SEPARATOR: &str = "\n\n";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    map: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    set: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    drop: Vec<Spanned<String>>,
    #[serde(default)]
    text: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    separator: Option<Spanned<String>>,
    #[serde(default)]
    text_fields: Option<Spanned<Vec<Spanned<String>>>>,
}

/// A mapping that was read and holds together.
#[derive(Debug)]
pub(super) struct MapFile {
    shown: String,
    text: String,
    keys: Keys,
    targets: BTreeMap<String, Target>,
    columns: Vec<(Column, Constant)>,
    pairs: Vec<(String, Constant)>,
}

impl MapFile {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`Self::parse`], or it cannot be read.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        Self::parse(&text, printable(&path.display().to_string()))
    }

    /// Reads the text; `shown` is the file's name in messages.
    ///
    /// # Errors
    /// Not TOML, a key that the grammar does not have, an unknown column, a constant that its column cannot hold, rules that
    /// contradict each other.
    pub(super) fn parse(text: &str, shown: String) -> Result<Self> {
        let keys: Keys = toml::from_str(text).map_err(|e| {
            let error = Error::new(format!("{}: {}", place(&shown, text, e.span()), excerpt(e.message(), 200)));
            error.help("the keys are map, set, drop, text, separator and text_fields; formats/README.md is the grammar")
        })?;
        let mut file = Self { shown, text: text.to_owned(), keys, targets: BTreeMap::new(), columns: vec![], pairs: vec![] };
        file.targets()?;
        file.constants()?;
        file.texts()?;
        file.dropped()?;
        Ok(file)
    }

    /// Adds its rules to a mapping. `own_text` is the name of the text that records of this layout have outside of the payload.
    ///
    /// # Errors
    /// Texts are joined without that one.
    pub(super) fn apply(&self, mapping: &mut Mapping, own_text: Option<&str>) -> Result<()> {
        mapping.add(&self.targets);
        if let Some(order) = &self.keys.text_fields {
            mapping.set_text_order(plain(order.get_ref()));
        }
        if let Some(parts) = &self.keys.text {
            let fields = plain(parts.get_ref());
            if let Some(own) = own_text.filter(|own| !fields.iter().any(|f| f == own)) {
                let what = format!("text leaves out \"{}\", the text that records of this layout have beside their payload", excerpt(own, 40));
                return Err(self.wrong(parts.span(), what).help("name it in the list, where it is to stand"));
            }
            let separator = self.keys.separator.as_ref().map_or_else(|| SEPARATOR.to_owned(), |s| s.get_ref().clone());
            mapping.join(Joined { fields, separator, own: own_text.map(str::to_owned) });
        }
        mapping.drop(self.keys.drop.iter().map(|f| f.get_ref().clone()).collect());
        mapping.set(&self.columns, &self.pairs);
        Ok(())
    }

    fn wrong(&self, span: Range<usize>, what: impl std::fmt::Display) -> Error {
        Error::new(format!("{}: {what}", place(&self.shown, &self.text, Some(span))))
    }

    fn targets(&mut self) -> Result<()> {
        for (field, target) in &self.keys.map {
            let text = target.get_ref();
            let met = format!("[map] {} = \"{}\"", excerpt(field, 40), excerpt(text, 40));
            let made = if let Some(key) = text.strip_prefix(CUSTOM) {
                Target::Custom(key.to_owned())
            } else if let Some(column) = Column::named(text) {
                Target::Column(column)
            } else {
                return Err(self.wrong(target.span(), format!("{met} names no column that a field may go to")).help(column_help()));
            };
            self.targets.insert(field.clone(), made);
        }
        Ok(())
    }

    fn constants(&mut self) -> Result<()> {
        for (place, value) in &self.keys.set {
            let wrong = |what: String| self.wrong(value.span(), format!("[set] {} = {}: {what}", excerpt(place, 40), shown(value.get_ref())));
            if let Some(key) = place.strip_prefix(CUSTOM) {
                if RESERVED.contains(&key) || key.starts_with(ESCAPE) {
                    return Err(wrong(format!("the key \"{}\" is one that vec2lance writes itself", excerpt(key, 40))).help("choose another key"));
                }
                if self.targets.values().any(|t| matches!(t, Target::Custom(k) if k == key)) {
                    return Err(wrong("[map] gives a field the same key".to_owned()).help("give one of the two another key"));
                }
                let Some((raw, kind)) = json(value.get_ref()) else {
                    return Err(wrong("a number that JSON does not have".to_owned()).help("expected a finite number"));
                };
                self.pairs.push((key.to_owned(), Constant::Json(raw, kind)));
                continue;
            }
            let Some(column) = Column::named(place).filter(|c| *c != Column::TextContent) else {
                return Err(wrong("no column that a constant may go to".to_owned()).help(column_help()));
            };
            if self.targets.values().any(|t| *t == Target::Column(column)) {
                return Err(wrong("[map] sends a field to the same column".to_owned()).help("take one of the two out"));
            }
            let Some(made) = constant(column, value.get_ref()) else {
                return Err(wrong(format!("expected {}", expected(column))).help("a constant must have the type of its column"));
            };
            self.columns.push((column, made));
        }
        Ok(())
    }

    fn texts(&self) -> Result<()> {
        let keys = &self.keys;
        if let (Some(text), Some(_)) = (&keys.text, &keys.text_fields) {
            return Err(self
                .wrong(text.span(), "text and text_fields are both given")
                .help("text joins fields, text_fields takes the first that is there: choose one"));
        }
        if let (Some(separator), None) = (&keys.separator, &keys.text) {
            return Err(self.wrong(separator.span(), "separator without text").help("name the fields to join: text = [\"title\", \"body\"]"));
        }
        for list in [&keys.text, &keys.text_fields].into_iter().flatten() {
            let fields = list.get_ref();
            if fields.is_empty() {
                return Err(self.wrong(list.span(), "the list of text fields is empty").help("name a field, or leave the key away"));
            }
            if let Some((at, field)) = fields.iter().enumerate().find(|(at, f)| fields[..*at].iter().any(|other| other.get_ref() == f.get_ref())) {
                return Err(
                    self.wrong(field.span(), format!("\"{}\" stands twice in the list, the second time as number {}", excerpt(field.get_ref(), 40), at + 1))
                );
            }
        }
        let to_text = |(field, target): (&String, &Target)| (*target == Target::Column(Column::TextContent)).then(|| field.clone());
        if let (Some(text), Some(field)) = (&keys.text, self.targets.iter().find_map(to_text)) {
            let what = format!("text joins fields, and [map] sends {} to text_content", excerpt(&field, 40));
            return Err(self.wrong(text.span(), what).help("put the field into the list of text, and take it out of [map]"));
        }
        Ok(())
    }

    fn dropped(&self) -> Result<()> {
        let keys = &self.keys;
        let texts: Vec<&String> = [&keys.text, &keys.text_fields].into_iter().flatten().flat_map(Spanned::get_ref).map(Spanned::get_ref).collect();
        for (at, field) in keys.drop.iter().enumerate() {
            let name = field.get_ref();
            let twice = keys.drop[..at].iter().any(|other| other.get_ref() == name);
            let other = match name {
                _ if twice => "drop already",
                _ if keys.map.contains_key(name) => "[map]",
                _ if texts.contains(&name) => "the list of text fields",
                _ => continue,
            };
            let what = format!("drop names \"{}\", which stands in {other}", excerpt(name, 40));
            return Err(self.wrong(field.span(), what).help("a field is either kept or dropped: take it out of one of the two"));
        }
        Ok(())
    }
}

fn plain(fields: &[Spanned<String>]) -> Vec<String> {
    fields.iter().map(|f| f.get_ref().clone()).collect()
}

/// `mapping.toml:7`
fn place(shown: &str, text: &str, span: Option<Range<usize>>) -> String {
    let line = span.map_or(0, |s| memchr::memchr_iter(b'\n', &text.as_bytes()[..s.start.min(text.len())]).count() + 1);
    format!("{shown}:{line}")
}

fn column_help() -> String {
    let names: Vec<_> = Column::ALL.iter().map(|(name, _)| *name).collect();
    format!("use one of {}, or \"custom:<key>\"; text_content cannot be a constant", names.join(", "))
}

fn shown(value: &Value) -> String {
    json(value).map_or_else(|| "a number without a value".to_owned(), |(raw, _)| excerpt(&raw, 60))
}

fn expected(column: Column) -> &'static str {
    match column {
        Column::Tags | Column::Contributors => "an array of strings",
        Column::Position => "an integer from 0 to 2147483647",
        Column::Version => "a string MAJOR.MINOR.PATCH",
        Column::CreatedAt | Column::UpdatedAt => "a day, YYYY-MM-DD",
        Column::Title => "a string that is not empty",
        _ => "a string",
    }
}

/// The constant for a column, if it can hold it.
fn constant(column: Column, value: &Value) -> Option<Constant> {
    match (column, value) {
        (Column::Tags | Column::Contributors, Value::Array(items)) => {
            Some(Constant::Texts(items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?))
        }
        (Column::Position, Value::Integer(number)) => i32::try_from(*number).ok().filter(|n| *n >= 0).map(Constant::Position),
        (_, Value::String(text)) => fits(column, Kind::String, text).then(|| Constant::Text(text.clone())),
        (Column::CreatedAt | Column::UpdatedAt, Value::Datetime(day)) => {
            let text = day.to_string();
            fits(column, Kind::String, &text).then_some(Constant::Text(text))
        }
        _ => None,
    }
}

/// A TOML value as JSON text, and its kind; `None` for numbers that JSON does not have.
fn json(value: &Value) -> Option<(String, Kind)> {
    let mut out = String::new();
    let kind = match value {
        Value::String(text) => {
            push_string(&mut out, text);
            Kind::String
        }
        Value::Datetime(time) => {
            push_string(&mut out, &time.to_string());
            Kind::String
        }
        Value::Integer(number) => {
            out = number.to_string();
            Kind::Number
        }
        Value::Float(number) => {
            out = format!("{number:?}");
            return number.is_finite().then_some((out, Kind::Number));
        }
        Value::Boolean(yes) => {
            out = yes.to_string();
            Kind::Bool
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| json(item).map(|(raw, _)| raw)).collect::<Option<_>>()?;
            out = format!("[{}]", items.join(","));
            Kind::Array
        }
        Value::Table(fields) => {
            let mut all = Vec::new();
            for (key, field) in fields {
                let mut text = String::new();
                push_string(&mut text, key);
                all.push(format!("{text}:{}", json(field)?.0));
            }
            out = format!("{{{}}}", all.join(","));
            Kind::Object
        }
    };
    Some((out, kind))
}
