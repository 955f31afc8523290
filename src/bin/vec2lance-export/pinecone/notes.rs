//! What is worth knowing of an export beside its records: read units, how far a sweep has come, ids that were not there.
//!
//! Ranges are read side by side and by several runs, so that what each page met is kept in a file of the unit's work folder, and said
//! when the last range is at its end.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use vec2lance::error::{Error, Result};

use super::control::{Kind, Private};
use super::{Pinecone, lines, list};
use crate::source::Range;

/// The file's name.
const MET: &str = "met";

/// What a page met.
#[derive(Debug, Clone, Copy)]
pub(super) enum Met {
    /// It cost so many read units.
    Spent(u64),
    /// The id before this byte of the list is not there.
    Absent(u64),
    /// The range that begins at this byte is at its end.
    Ended(u64),
}

/// Keeps what a page met. A line is short enough to be written as a whole beside others.
///
/// # Errors
/// It cannot be written.
pub(super) fn keep(workdir: &Path, met: &[Met]) -> Result<()> {
    let path = workdir.join(MET);
    let lines = met.iter().map(|met| match met {
        Met::Spent(units) => format!("spent {units}\n"),
        Met::Absent(at) => format!("absent {at}\n"),
        Met::Ended(from) => format!("ended {from}\n"),
    });
    let text = lines.collect::<Vec<_>>().concat();
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| Error::io("write", &path, &e))
}

impl Pinecone {
    /// What belongs in the manifest, when all ranges of a unit are at their end.
    ///
    /// # Errors
    /// The work folder cannot be read.
    pub(super) fn notes(&self, private: &Private, workdir: &Path, range: &Range) -> Result<Vec<String>> {
        keep(workdir, &[Met::Ended(range.from.as_u64().unwrap_or(0))])?;
        let path = workdir.join(MET);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
        let (mut spent, mut absent, mut ended) = (0_u64, BTreeSet::new(), BTreeSet::new());
        for (word, number) in text.lines().filter_map(|line| line.split_once(' ')) {
            match (word, number.parse::<u64>()) {
                ("spent", Ok(units)) => spent = spent.saturating_add(units),
                ("absent", Ok(at)) => _ = absent.insert(at),
                ("ended", Ok(from)) => _ = ended.insert(from),
                _ => {}
            }
        }
        let known = lines::known(&workdir.join(if self.selects(private) { list::RECORDS } else { list::IDS }));
        if (ended.len() as u64) < known.ranges {
            return Ok(Vec::new());
        }
        let mut notes = Vec::new();
        if known.read_units > 0 {
            notes.push(format!("{} read units were used to {}", known.read_units, if self.selects(private) { "select records" } else { "list ids" }));
        }
        if let (Kind::Pods, None, Some(expected)) = (private.kind, &self.args.ids, known.expected) {
            notes.push(format!("{} queries found {} of {expected} records ({})", known.queries, known.lines, share(known.lines, expected)));
        }
        if spent > 0 {
            notes.push(format!("{spent} read units were used to fetch records"));
        }
        if !absent.is_empty() {
            notes.push(format!("{} ids of the file are not there", absent.len()));
        }
        Ok(notes)
    }
}

/// A share in percent, never rounded up to 100.
fn share(part: u64, whole: u64) -> String {
    if part >= whole {
        return "100 %".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_less_than_all_is_all() {
        assert_eq!((share(9, 10), share(99_999, 100_000), share(3, 3), share(0, 0)), ("90.0 %".into(), "99.9 %".into(), "100 %".into(), "100 %".into()));
    }
}
