//! What `convert` needs beside the plan of reading: the paths of everything that it writes, and what becomes of a dataset that is
//! there. Checked before anything is read; writes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::recorded;
use crate::cli::{Convert, MaxRejects};
use crate::dataset::write::Compression;
use crate::dedupe::OnDuplicate;
use crate::error::{Error, Result};
use crate::reject::printable;
use crate::source::find;

/// What `convert` needs beside the plan of reading.
#[derive(Debug)]
pub struct Output {
    /// The dataset.
    pub dataset: PathBuf,
    /// Where it is built until it is whole.
    pub staging: PathBuf,
    /// The rejects file.
    pub rejects: PathBuf,
    /// The list of duplicates.
    pub duplicates: PathBuf,
    /// The report.
    pub report: PathBuf,
    /// The components that queries are projected with, where there are some.
    pub components: PathBuf,
    /// The journal.
    pub journal: PathBuf,
    /// Replace an existing dataset.
    pub overwrite: bool,
    /// A new dataset, or changes to one.
    pub mode: Mode,
    /// Begin anew, whatever an interrupted run has left.
    pub restart: bool,
    /// Options that decide about rows and indices, by flag: a run that goes on must have the same.
    pub options: BTreeMap<String, String>,
    /// The list of errors that the migration guide writes.
    pub errors_json: Option<PathBuf>,
    /// How strings are stored.
    pub compression: Compression,
    /// `--max-rejects`.
    pub max_rejects: Option<MaxRejects>,
    /// `--expect-rows`.
    pub expect_rows: Option<u64>,
    /// `--on-duplicate`.
    pub on_duplicate: Option<OnDuplicate>,
    /// The options that travel with the dataset.
    pub recorded: recorded::Recorded,
    /// The tag of this import's version.
    pub tag: String,
}

/// What becomes of a dataset that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It must not be there, or is replaced.
    Fresh,
    /// New records are added.
    Append,
    /// New records are added, changed ones replace theirs.
    Upsert {
        /// And rows of the same collections that the dump does not have are removed.
        delete_missing: bool,
    },
}

impl Output {
    /// Checks the output's path before anything is read.
    ///
    /// # Errors
    /// A URL, an existing output without `--overwrite`, something at that path that is no dataset, no such folder.
    pub fn of(convert: &Convert) -> Result<Self> {
        let dataset = convert.out.clone();
        let shown = printable(&dataset.display().to_string());
        if shown.contains("://") {
            return Err(Error::new(format!("{shown}: the output is a URL; vec2lance writes to local folders only")).help("write to a folder, then copy it"));
        }
        if !dataset.extension().is_some_and(|e| e.eq_ignore_ascii_case("lance")) {
            return Err(Error::new(format!("{shown}: the output's name must end in .lance, which ContextFrame asks for"))
                .help(format!("write to {}.lance", shown.trim_end_matches('/'))));
        }
        let parent = dataset.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            return Err(
                Error::new(format!("{shown}: the folder {} does not exist", printable(&parent.display().to_string()))).help("create it first: mkdir -p")
            );
        }
        let journal = journal_path(&dataset);
        let mode = match (convert.append, convert.upsert) {
            (true, _) => Mode::Append,
            (_, true) => Mode::Upsert { delete_missing: convert.delete_missing },
            _ => Mode::Fresh,
        };
        if mode != Mode::Fresh {
            if !dataset.join("_versions").is_dir() {
                return Err(Error::new(format!("{shown}: there is no Lance dataset to change")).help("convert without --append or --upsert first"));
            }
        } else if dataset.symlink_metadata().is_ok() && (convert.restart || !crate::pipeline::is_ready(&journal)) {
            let is_dataset = dataset.join("_versions").is_dir();
            if !convert.overwrite {
                let help = if is_dataset { "choose another name, or replace it with --overwrite" } else { "choose another name" };
                return Err(Error::new(format!("{shown}: already exists")).help(help));
            }
            if !is_dataset {
                return Err(Error::new(format!("{shown}: exists and is no Lance dataset, so --overwrite does not touch it")).help("choose another name"));
            }
        }
        let stem = shown_stem(&dataset);
        let beside = |ending: &str| dataset.with_file_name(format!("{stem}{ending}"));
        Ok(Self {
            staging: staging_path(&dataset),
            rejects: beside(".rejects.jsonl"),
            duplicates: beside(".duplicates.jsonl"),
            report: report_path(&dataset),
            components: beside(".pca.npz"),
            options: options(convert, mode)?,
            errors_json: convert.errors_json.clone(),
            dataset,
            journal,
            mode,
            restart: convert.restart,
            overwrite: convert.overwrite,
            compression: convert.compression,
            max_rejects: convert.max_rejects,
            expect_rows: convert.expect_rows,
            on_duplicate: convert.on_duplicate,
            recorded: recorded::Recorded::of(convert)?,
            tag: tag(&convert.dumps),
        })
    }
}

impl Output {
    /// Whether a dataset of this name gives way to the new one.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.overwrite || self.mode != Mode::Fresh
    }

    /// Everything that this run may have under an unfinished name.
    #[must_use]
    pub fn unfinished(&self) -> Vec<PathBuf> {
        vec![self.staging.clone(), self.journal.clone(), unfinished(&self.rejects), unfinished(&self.duplicates)]
    }
}

/// The name of a file beside the output until the run has ended.
#[must_use]
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// The journal of the run that writes a dataset.
#[must_use]
pub fn journal_path(dataset: &Path) -> PathBuf {
    dataset.with_file_name(format!("{}.lance.journal", shown_stem(dataset)))
}

/// The folder in which a dataset is built until it is whole.
#[must_use]
pub fn staging_path(dataset: &Path) -> PathBuf {
    dataset.with_file_name(format!("{}.lance.partial", shown_stem(dataset)))
}

/// Options by flag, as a run that goes on is held to.
fn options(convert: &Convert, mode: Mode) -> Result<BTreeMap<String, String>> {
    let recorded = recorded::Recorded::of(convert)?;
    let fields = serde_json::to_value(&recorded).unwrap_or_default();
    let mut out = BTreeMap::new();
    for (name, value) in fields.as_object().into_iter().flatten() {
        out.insert(format!("--{name}"), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    let indexing = &convert.indexing;
    let numbers = [("--partitions", indexing.partitions), ("--sub-vectors", indexing.sub_vectors), ("--bits", indexing.bits)];
    out.extend(numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_string()))));
    out.extend(indexing.metric.map(|m| ("--metric".to_owned(), m.name().to_owned())));
    out.insert("--compression".to_owned(), convert.compression.name().to_owned());
    let change = match mode {
        Mode::Fresh => return Ok(out),
        Mode::Append => "--append",
        Mode::Upsert { delete_missing: false } => "--upsert",
        Mode::Upsert { delete_missing: true } => "--upsert --delete-missing",
    };
    out.insert("mode".to_owned(), change.to_owned());
    Ok(out)
}

/// What an import is called in the dataset's history: its dump's name.
fn tag(dumps: &[PathBuf]) -> String {
    let name = |dump: &PathBuf| {
        let absolute = std::path::absolute(dump).unwrap_or_else(|_| dump.clone());
        if find::is_stdin(dump) { "stdin".to_owned() } else { absolute.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default() }
    };
    let first = dumps.first().map(name).unwrap_or_default();
    let more = dumps.len().saturating_sub(1);
    crate::dataset::version::tag_name(&if more == 0 { first } else { format!("{first}-and-{more}-more") })
}

/// The report beside a dataset.
#[must_use]
pub fn report_path(dataset: &Path) -> PathBuf {
    dataset.with_file_name(format!("{}.report.json", shown_stem(dataset)))
}

fn shown_stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}
