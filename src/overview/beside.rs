//! What other commands have left beside the dataset: their reports, the rejects and the duplicates. Each may be missing.
//!
//! Values are passed on as those commands wrote them; nothing is made of them here.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result, os_text};
use crate::reject::printable;
use crate::rejects;

/// Longest report that is read.
const LONGEST: u64 = 64 << 20;
/// Duplicates that are shown.
const DUPLICATES: usize = 5;

/// What was found.
#[derive(Debug, Default)]
pub struct Beside {
    /// `OUT.report.json`.
    pub convert: Option<Value>,
    /// `OUT.verify.json`.
    pub verify: Option<Value>,
    /// `OUT.compare.json`.
    pub compare: Option<Value>,
    /// `OUT.tune.json`.
    pub tune: Option<Value>,
    /// `OUT.bench.json`.
    pub bench: Option<Value>,
    /// `OUT.rejects.jsonl`, by code.
    pub rejects: Option<rejects::Summary>,
    /// `OUT.duplicates.jsonl`.
    pub duplicates: Option<Duplicates>,
    /// What is not there, and how to get it.
    pub absent: Vec<Absent>,
}

/// The list of duplicates.
#[derive(Debug, Clone, Serialize)]
pub struct Duplicates {
    /// Lines of the list, which holds the first ones only if there are very many.
    pub listed: u64,
    /// The first few.
    pub examples: Vec<Value>,
}

/// Something that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Absent {
    /// `convert`, `verify`, `compare`, `tune` or `bench`.
    pub what: &'static str,
    /// Why.
    pub why: String,
    /// The command that makes it.
    pub command: String,
}

/// The file of this ending beside a dataset: `points.lance` has `points.tune.json`.
#[must_use]
pub(super) fn path(dataset: &Path, ending: &str) -> PathBuf {
    let stem = dataset.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    dataset.with_file_name(format!("{stem}{ending}"))
}

impl Beside {
    /// Looks beside the dataset, with so many examples of each code of rejects.
    ///
    /// # Errors
    /// A file is there and the system refuses to read it.
    pub fn of(dataset: &Path, examples: usize) -> Result<Self> {
        let mut found = Self::default();
        found.convert = found.json(dataset, "convert")?;
        let dumps = found.dumps();
        for what in ["verify", "compare", "tune", "bench"] {
            let value = found.json(dataset, what)?;
            match what {
                "verify" => found.verify = value,
                "compare" => found.compare = value,
                "tune" => found.tune = value,
                _ => found.bench = value,
            }
        }
        for absent in &mut found.absent {
            absent.command = absent.command.replace("DUMP", &dumps);
        }
        let rejects = path(dataset, ".rejects.jsonl");
        if rejects.is_file() {
            found.rejects = Some(rejects::summary(&rejects, examples)?);
        }
        found.duplicates = duplicates(&path(dataset, ".duplicates.jsonl"))?;
        Ok(found)
    }

    /// The dumps as the conversion was given them, for a shell.
    fn dumps(&self) -> String {
        let inputs = self.convert.as_ref().and_then(|c| c.get("inputs")?.as_array()).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<String> = inputs.iter().filter_map(|i| i.get("dump")?.as_str()).map(quoted).collect();
        if names.is_empty() { "DUMP".to_owned() } else { names.join(" ") }
    }

    fn json(&mut self, dataset: &Path, what: &'static str) -> Result<Option<Value>> {
        let path = path(dataset, &format!(".{}.json", if what == "convert" { "report" } else { what }));
        let (name, set) = (file_name(&path), quoted(&dataset.display().to_string()));
        let command = match what {
            "convert" => format!("vec2lance convert DUMP {set}"),
            "verify" => format!("vec2lance verify {set} DUMP --json > {}", quoted(&path.display().to_string())),
            "compare" => format!("vec2lance compare {set} --queries queries.jsonl"),
            _ => format!("vec2lance {what} {set}"),
        };
        let why = match read(&path) {
            Ok(Some(text)) => match serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) {
                Ok(value) if value.is_object() => return Ok(Some(value)),
                Ok(_) => format!("{name} is no report: it holds no JSON object"),
                Err(error) => format!("{name} is no JSON: {error}"),
            },
            Ok(None) => format!("there is no {name} beside the dataset"),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => format!("{name} cannot be read: {}", os_text(&error)),
            Err(error) => return Err(Error::io("read", &path, &error)),
        };
        self.absent.push(Absent { what, why: printable(&why), command });
        Ok(None)
    }
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > LONGEST {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is longer than 64 MiB"));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn duplicates(path: &Path) -> Result<Option<Duplicates>> {
    if !path.is_file() {
        return Ok(None);
    }
    let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    let mut found = Duplicates { listed: 0, examples: vec![] };
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| Error::io("read", path, &e))?;
        if line.trim().is_empty() {
            continue;
        }
        found.listed += 1;
        if found.examples.len() < DUPLICATES {
            found.examples.extend(serde_json::from_str::<Value>(&line).ok());
        }
    }
    Ok(Some(found))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A word of a shell's command line.
#[must_use]
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let dataset = folder.path().join("a b.lance");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("a b.report.json", r#"{"inputs":[{"dump":"x y/"},{"dump":"z.jsonl"}],"read":3}"#);
        write("a b.tune.json", "not JSON");
        write("a b.bench.json", "\u{feff}{\"runs\":[]}");
        write("a b.duplicates.jsonl", "{\"id\":\"1\"}\n\n{\"id\":\"2\"}\n");
        let found = Beside::of(&dataset, 3).expect("looked");
        assert!(found.convert.is_some() && found.bench.is_some() && found.rejects.is_none());
        assert_eq!(found.duplicates.map(|d| (d.listed, d.examples.len())), Some((2, 2)));
        let of = |what: &str| found.absent.iter().find(|a| a.what == what).expect("absent");
        assert_eq!(found.absent.len(), 3);
        assert!(of("verify").command.contains("a b.lance' 'x y/' z.jsonl --json > '"), "{:?}", of("verify"));
        assert!(of("tune").why.contains("a b.tune.json is no JSON"), "{:?}", of("tune"));
        assert!(of("compare").command.ends_with("--queries queries.jsonl"));
    }
}
