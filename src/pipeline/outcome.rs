//! What a run counts, makes and finds. Types only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Changes, Run};
use crate::dataset::index::Built;
use crate::error::Error;
use crate::formats::PageEnd;
use crate::frame::dates::{CREATED, UPDATED};
use crate::frame::identity::Collection;
use crate::frame::unseen::Unseen;
use crate::frame::vectors::Layout;
use crate::plan::Plan;

/// Where the user can follow the run.
pub trait Progress: Send + Sync {
    /// A stage begins.
    fn stage(&self, name: &str);
    /// So many bytes of input are read, so many records accepted.
    fn advance(&self, bytes: u64, records: u64);
}

/// What a run counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records met.
    pub read: u64,
    /// Rows in the dataset, headers not counted.
    pub written: u64,
    /// Refused records.
    pub rejected: u64,
    /// Accepted records that lost against another of the same id.
    pub deduplicated: u64,
    /// Rows with the placeholder instead of a vector.
    pub without_vector: u64,
    /// Rows with an all-zero vector.
    pub zero_vectors: u64,
    /// Rows whose main vector was rounded to float32.
    #[serde(default)]
    pub rounded_vectors: u64,
    /// Header rows.
    pub headers: u64,
    /// Rejects by code.
    pub by_code: BTreeMap<String, u64>,
    /// Values that a column of their own could not hold, so that it is null there, by column.
    #[serde(default)]
    pub unfit: BTreeMap<String, u64>,
    /// Bytes of the shards on disk.
    pub bytes: u64,
    /// The first few rejects as messages.
    pub examples: Vec<String>,
    /// Records read, per input.
    pub per_input: Vec<u64>,
    /// What the records held that the rows do not show.
    #[serde(default)]
    pub unseen: Unseen,
    /// Whether the pages of answers go on, by input, where they say.
    #[serde(default)]
    pub pages: BTreeMap<usize, PagesEnd>,
}

/// How the pages of one input end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesEnd {
    /// The shard that was read last.
    shard: u32,
    /// What its last page says comes next.
    next: Option<String>,
    /// Whether a page of that shard was the end.
    ended: bool,
    /// Whether a page of another shard was. Files of pages need not be in order by their names.
    ended_before: bool,
}

impl PagesEnd {
    /// Takes note of the pages of a chunk of this shard.
    pub fn note(&mut self, shard: u32, end: &PageEnd) {
        if shard != self.shard {
            self.ended_before |= std::mem::take(&mut self.ended);
            self.shard = shard;
        }
        self.ended |= end.ended;
        self.next.clone_from(&end.next);
    }

    /// What would have come next, if the pages stop before their end.
    #[must_use]
    pub fn open(&self) -> Option<&str> {
        self.next.as_deref().filter(|_| !self.ended_before)
    }
}

/// What a run made.
#[derive(Debug)]
pub struct Outcome {
    /// The counts; `read = written + rejected + deduplicated` holds.
    pub counts: Counts,
    /// The vectors as written.
    pub layout: Layout,
    /// References by field.
    pub links: Vec<crate::links::Linked>,
    /// The indices; `None` if no dataset was written.
    pub built: Option<Built>,
    /// Seconds per stage, in order.
    pub seconds: Vec<(&'static str, f64)>,
    /// Version of the dataset; `None` if none was written.
    pub version: Option<u64>,
    /// The tag of that version.
    pub tag: Option<String>,
    /// What became of a dataset that was there before.
    pub update: Option<Changes>,
    /// Records taken over from an interrupted run.
    pub resumed: Option<u64>,
    /// Members of each collection and namespace of this run, in the order in which they were met.
    pub members: Vec<(Collection, u64)>,
    /// Ids that stand in more than one collection or namespace of the dataset; `None` where it has only one, or was not written.
    pub meeting: Option<u64>,
    /// The rejects file, which is not the usual one where that was read.
    pub rejects: std::path::PathBuf,
    /// Things to tell that are no findings.
    pub notes: Vec<String>,
    /// Bytes of the dataset on disk.
    pub output_bytes: u64,
    /// Things that make the status 1.
    pub findings: Vec<String>,
    /// Whether a rejects file was written.
    pub rejects_file: bool,
    /// Whether a list of duplicates was written.
    pub duplicates_file: bool,
    /// An index that could not be built; the rows are there.
    pub index_error: Option<Error>,
}

impl Outcome {
    /// Things to tell that are no findings.
    #[must_use]
    pub fn notes(&self, plan: &Plan) -> Vec<String> {
        let finer = self.counts.unfit.iter().filter(|(name, _)| [CREATED, UPDATED].contains(&name.as_str())).map(|(name, n)| {
            format!(
                "dates finer than a microsecond, which {name} cannot hold: {}; it is null there, and the day and the text are kept",
                crate::report::count(*n)
            )
        });
        let zero = Run::zero_note(&self.counts, plan.metric);
        zero.into_iter().chain(Run::rounded_note(&self.counts)).chain(finer).chain(self.notes.iter().cloned()).collect()
    }
}

/// What a call of [`super::convert`] came to.
#[derive(Debug)]
pub enum Converted {
    /// It was done by this run.
    Now(Box<Outcome>),
    /// It was done by a run that died before the dataset had its name; this is the text of its report.
    Before(String),
}
