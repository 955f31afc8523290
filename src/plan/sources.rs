//! `--plan sources.toml`: what each of several dumps is, where flags would say one thing for all of them.
//!
//! Reads the plan and the files that it names, before any dump is looked at; what its words do is decided where a dump is planned.
//! `formats/README.md` is the grammar.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::mapfile::MapFile;
use super::vectors::{Met, Seen};
use crate::cli::Reading;
use crate::error::{Error, Result};
use crate::formats::spec::Spec;
use crate::frame::mapping::Mapping;
use crate::frame::vectors::VectorKind;
use crate::reject::{excerpt, printable};

/// One `[[source]]`, with the text of the files that it names: as a dataset remembers it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Source {
    /// The dump, as the plan has it.
    pub path: String,
    /// A built-in layout's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The TOML of a layout of the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What headers call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// The namespace of records that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The TOML of its mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// The named vector that is the main one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
    /// Values that its main vector has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// `sources.toml:3`, where it stands in a plan that was just read.
    #[serde(skip)]
    pub at: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    source: Vec<Spanned<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: Spanned<String>,
    format: Option<Spanned<String>>,
    name: Option<String>,
    collection: Option<Spanned<String>>,
    namespace: Option<String>,
    mapping: Option<Spanned<String>>,
    vector: Option<String>,
    dimension: Option<Spanned<usize>>,
}

/// Reads the plan that `--plan` names, once, and puts its dumps before those of the command line.
///
/// # Errors
/// The plan, or a file that it names, cannot be read or has a mistake: with the plan's name and line.
pub fn open(dumps: &mut Vec<PathBuf>, reading: &mut Reading) -> Result<()> {
    let Some(path) = reading.plan.take() else { return Ok(()) };
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
    let shown = printable(&path.display().to_string());
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let file: File = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(0, |s| line(s.start));
        Error::new(format!("{shown}:{line}: {}", excerpt(e.message(), 200)))
            .help("expected tables [[source]] with path, format, name, collection, namespace, mapping, vector, dimension: formats/README.md")
    })?;
    if file.source.is_empty() {
        return Err(Error::new(format!("{shown}: the plan names no source")).help("each source is a table [[source]] with a path"));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut paths = Vec::new();
    for entry in file.source {
        let start = line(entry.span().start);
        let (path, source) = source(entry.into_inner(), folder, &|at| format!("{shown}:{}", line(at)))?;
        reading.sources.push(Some(Source { at: format!("{shown}:{start}"), ..source }));
        paths.push(path);
    }
    paths.append(dumps);
    *dumps = paths;
    Ok(())
}

/// Everything that plans have said of these dumps and of those before.
pub(super) fn all(reading: &Reading) -> Vec<Source> {
    let mut all: Vec<Source> = Vec::new();
    for source in reading.sources.iter().flatten().chain(&reading.remembered) {
        if !all.iter().any(|s| s.path == source.path && s.collection == source.collection) {
            all.push(source.clone());
        }
    }
    all
}

fn source(entry: Entry, folder: &Path, place: &dyn Fn(usize) -> String) -> Result<(PathBuf, Source)> {
    let at = |what: &Spanned<String>| place(what.span().start);
    let within = |e: &Error, at: String, what: &str| Error::new(format!("{at}: {what}: {e}"));
    let path = folder.join(entry.path.get_ref());
    if path.symlink_metadata().is_err() {
        return Err(
            Error::new(format!("{}: there is no {}", at(&entry.path), printable(&path.display().to_string()))).help("paths are relative to the plan's folder")
        );
    }
    if let Some(empty) = entry.collection.as_ref().filter(|c| c.get_ref().is_empty()) {
        return Err(Error::new(format!("{}: the collection's name is empty", at(empty))));
    }
    if let Some(wrong) = entry.dimension.as_ref().filter(|d| !(1..=1 << 20).contains(d.get_ref())) {
        return Err(Error::new(format!("{}: dimension {}, expected 1 to 2^20", place(wrong.span().start), wrong.get_ref())));
    }
    let (mut from, mut format) = (None, None);
    if let Some(name) = &entry.format {
        let own = folder.join(name.get_ref());
        if Spec::built_in(name.get_ref()).is_ok() {
            from = Some(name.get_ref().clone());
        } else if own.extension().is_some_and(|e| e == "toml") || own.is_file() {
            Spec::load(&own).map_err(|e| within(&e, at(name), "format"))?;
            format = Some(std::fs::read_to_string(&own).map_err(|e| Error::io("read", &own, &e))?);
        } else {
            return Err(match Spec::built_in(name.get_ref()) {
                Err(e) => within(&e, at(name), "format").help("`vec2lance formats` lists them; or name a TOML file of your own"),
                Ok(_) => Error::new(at(name)),
            });
        }
    }
    let mut map = None;
    if let Some(name) = &entry.mapping {
        let file = folder.join(name.get_ref());
        let read = MapFile::load(&file).and_then(|map| map.apply(&mut Mapping::default(), None));
        read.map_err(|e| within(&e, at(name), "mapping"))?;
        map = Some(std::fs::read_to_string(&file).map_err(|e| Error::io("read", &file, &e))?);
    }
    let source = Source {
        path: entry.path.into_inner(),
        from,
        format,
        name: entry.name,
        collection: entry.collection.map(Spanned::into_inner),
        namespace: entry.namespace,
        map,
        vector: entry.vector,
        dimension: entry.dimension.map(Spanned::into_inner),
        at: String::new(),
    };
    Ok((path, source))
}

/// Gives dumps that no plan of this command names what a dataset remembers of them: of the dumps of an earlier plan the one whose path ends
/// in the most of the same names.
pub fn remember(dumps: &[PathBuf], reading: &mut Reading, remembered: &[Source]) {
    let alike = |a: &Path, b: &Path| a.components().rev().zip(b.components().rev()).take_while(|(a, b)| a == b).count();
    reading.remembered = remembered.to_vec();
    for (at, dump) in dumps.iter().enumerate() {
        if reading.sources.len() <= at {
            reading.sources.push(None);
        }
        if reading.sources[at].is_none() {
            let scores = remembered.iter().map(|source| (alike(Path::new(&source.path), dump), source)).filter(|(score, _)| *score > 0);
            // The first of the best: the same in every run.
            let best = scores.reduce(|best, next| if next.0 > best.0 { next } else { best });
            reading.sources[at] = best.map(|(_, source)| source.clone());
        }
    }
}

impl Source {
    /// The layout that it asks for, and by what.
    ///
    /// # Errors
    /// There is no such layout.
    pub(super) fn spec(&self) -> Result<Option<(Spec, String)>> {
        let by = || "asked for: --plan".to_owned();
        Ok(match (&self.from, &self.format) {
            (Some(name), _) => Some((Spec::built_in(name)?, by())),
            (None, Some(text)) => Some((Spec::parse(text, "--plan")?, by())),
            (None, None) => None,
        })
    }

    /// The flags, as they are for this source.
    pub(super) fn over(&self, reading: &Reading) -> Reading {
        let mut own = reading.clone();
        if self.collection.is_some() {
            own.collection.clone_from(&self.collection);
        }
        if self.vector.is_some() {
            own.vector.clone_from(&self.vector);
        }
        own
    }

    /// Holds the main vector that was met in its first records against what the plan expects. `vector` is its name where one was asked for.
    ///
    /// # Errors
    /// It has not as many values.
    pub(super) fn check(&self, vector: Option<&str>, met: &[Met]) -> Result<()> {
        let Some(expected) = self.dimension else { return Ok(()) };
        let dense = |name: Option<&str>| {
            let all = met.iter().filter(|(n, kind, _)| matches!(kind, VectorKind::Dense(..)) && name.is_none_or(|name| name == n));
            all.max_by_key(|(.., count)| *count).and_then(|(_, kind, _)| if let VectorKind::Dense(d, ..) = kind { Some(*d) } else { None })
        };
        let found = match vector {
            Some(name) => dense(Some(name)),
            None => dense(Some("default")).or_else(|| dense(None)),
        };
        match found {
            Some(d) if d == expected => Ok(()),
            Some(d) => Err(Error::new(format!("{}: the vectors of {} have {d} values, expected {expected}", self.place(), printable(&self.path)))
                .help("correct `dimension` in the plan, or leave it away")),
            None => {
                Err(Error::new(format!("{}: the first records of {} have no dense vector, expected {expected} values", self.place(), printable(&self.path))))
            }
        }
    }

    /// The main vector that it, or its layout, asks for. `is_field`: it names a field, and what that holds is the vector without a name.
    ///
    /// # Errors
    /// Its first records have no such vector.
    pub(super) fn main(&self, seen: &Seen, is_field: bool) -> Result<Option<String>> {
        let Some(name) = self.vector.clone().filter(|_| !is_field) else { return Ok(seen.own.clone()) };
        if seen.met.iter().any(|(n, kind, _)| *n == name && kind.can_be_main()) {
            return Ok(Some(name));
        }
        let found: Vec<String> = seen.met.iter().map(|(n, kind, _)| format!("{} ({})", excerpt(n, 40), kind.describe())).collect();
        let (place, name, found) = (self.place(), excerpt(&name, 40), found.join(", "));
        Err(Error::new(format!("{place}: no dense vector of {} is called {name}; found: {found}", printable(&self.path))))
    }

    /// Its mapping.
    ///
    /// # Errors
    /// It has a mistake.
    pub(super) fn mapping(&self) -> Result<Option<MapFile>> {
        self.map.as_deref().map(|text| MapFile::parse(text, "--plan".to_owned())).transpose()
    }

    /// Where it stands, for messages.
    pub(super) fn place(&self) -> String {
        if self.at.is_empty() { format!("the plan's source {}", printable(&self.path)) } else { self.at.clone() }
    }
}
