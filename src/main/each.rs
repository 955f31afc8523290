//! `convert --per-collection`: one dataset for each collection of the dumps, each made as if it alone had been asked for.
//!
//! One that cannot be made does not keep the others from being made. What is done is noted in the folder, so that the same command goes
//! on after a death. Not the making itself ([`super::convert`]).

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use vec2lance::cli::Convert;
use vec2lance::error::{Error, Result, Status};
use vec2lance::pipeline;
use vec2lance::plan::{self, CollectionFiles, Output, check_sizes, sources};
use vec2lance::reject::printable;
use vec2lance::report;
use vec2lance::seal::Seal;

use super::{convert, print};

/// The list of what is done, in the folder until all is.
const DONE: &str = "per-collection.journal";

/// Where Lance's temporary files go.
pub(super) fn scratch(folder: &Path) -> PathBuf {
    folder.join("per-collection.partial")
}

/// One collection and its dataset.
struct Each {
    source: String,
    collection: String,
    /// Names and sizes of its shards.
    files: Vec<(String, u64)>,
    dataset: PathBuf,
}

impl Each {
    fn is_whole(&self) -> bool {
        self.dataset.join("_versions").is_dir() && !pipeline::is_ready(&plan::journal_path(&self.dataset))
    }
}

/// What became of it.
struct Made {
    status: Status,
    text: String,
    error: Option<Error>,
}

pub(super) fn run(convert: &Convert, folder: &Path, seal: &Seal, stop: &AtomicBool) -> Result<Status> {
    let mut convert = convert.clone();
    sources::open(&mut convert.dumps, &mut convert.reading)?;
    if convert.dumps.iter().any(|d| d.as_os_str() == "-") {
        return Err(
            Error::new("--per-collection looks at the dumps before it converts them, which standard input does not allow").help("save it to a file first")
        );
    }
    let shown = printable(&folder.display().to_string());
    if shown.contains("://") {
        return Err(Error::new(format!("{shown}: the output is a URL; vec2lance writes to local folders only")).help("write to a folder, then copy it"));
    }
    check_sizes(&convert.dumps)?;
    let collections = plan::collections(&convert.dumps, &convert.reading, convert.member_relationship)?;
    let all = named(collections, folder);
    fs::create_dir_all(scratch(folder)).map_err(|e| Error::io("create the folder", folder, &e))?;
    let mut journal = Journal::open(folder, &convert, &all)?;
    let mut worst = Status::Clean;
    let mut told: Vec<Value> = Vec::new();
    let mut failed = 0;
    for each in &all {
        let made = match journal.status(each) {
            Some(status) => before(each, Some(status), &convert)?,
            // It got its name, and the run died before it could note that.
            None if journal.resumed && !convert.overwrite && !journal.knows(each) && each.is_whole() => before(each, None, &convert)?,
            None => make(each, &convert, seal, stop, &mut journal)?,
        };
        worst = if worst.code() < made.status.code() { made.status } else { worst };
        failed += u32::from(made.error.is_some());
        if convert.json {
            let mut value: Value = serde_json::from_str(&made.text).unwrap_or_else(|_| serde_json::json!({ "status": made.status.code() }));
            value["collection"] = Value::from(each.collection.clone());
            value["source"] = Value::from(each.source.clone());
            if let Some(error) = &made.error {
                value["error"] = Value::from(error.to_string());
            }
            told.push(value);
        } else {
            let mut text = format!("== {} ({})\n", printable(&each.collection), printable(&each.source));
            let _ = writeln!(text, "{}", made.text.trim_end());
            print(&text)?;
        }
        if let Some(error) = &made.error {
            report::print_error(error);
        }
    }
    if convert.json {
        print(&report::json(&serde_json::json!({ "status": worst.code(), "datasets": told })))?;
    } else {
        let ready = all.len() - failed as usize;
        print(&format!("== {ready} of {} datasets are in {shown}\n", all.len()))?;
    }
    // What failed may be mended, and the others need not be made again for that.
    journal.end(failed == 0)?;
    let _ = fs::remove_dir_all(scratch(folder));
    Ok(worst)
}

/// Makes one. An error stops the others only if it is the user's wish, or the disk is full.
fn make(each: &Each, convert: &Convert, seal: &Seal, stop: &AtomicBool, journal: &mut Journal) -> Result<Made> {
    let own = Convert {
        per_collection: None,
        out: each.dataset.clone(),
        reading: vec2lance::cli::Reading { only: Some((each.source.clone(), each.collection.clone())), ..convert.reading.clone() },
        ..convert.clone()
    };
    match convert::one(&own, seal, stop) {
        Ok(done) => {
            journal.note(each, done.status)?;
            Ok(Made { status: done.status, text: done.text, error: done.error })
        }
        Err(error) if error.is_passing() => Err(error.and_help("the same command goes on from there")),
        Err(error) => Ok(Made { status: error.status(), text: String::new(), error: Some(error) }),
    }
}

/// One that an earlier run has made; where that could not note how it ended, its report says so.
fn before(each: &Each, status: Option<Status>, convert: &Convert) -> Result<Made> {
    let output = Output::of(&Convert { out: each.dataset.clone(), overwrite: true, ..convert.clone() })?;
    let text = fs::read_to_string(&output.report).map_err(|e| Error::io("read", &output.report, &e))?;
    let told = || serde_json::from_str::<Value>(&text).ok().as_ref().and_then(status_of).unwrap_or(Status::Failed);
    let status = status.unwrap_or_else(told);
    let text = if convert.json { text } else { format!("made before the interruption; its report is {}", printable(&output.report.display().to_string())) };
    Ok(Made { status, text, error: None })
}

/// A dataset's name for each collection: its own, where characters that file names cannot have everywhere become `_`, and a number where
/// two would have one name.
fn named(collections: Vec<CollectionFiles>, folder: &Path) -> Vec<Each> {
    let mut taken: Vec<String> = Vec::new();
    let mut name_of = |collection: &str| {
        let plain: String = collection.chars().map(|c| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { '_' }).collect();
        let mut plain = plain.trim_matches([' ', '.']).to_owned();
        while plain.len() > 100 {
            plain.pop();
        }
        let plain = if plain.is_empty() { "collection".to_owned() } else { plain };
        let mut name = plain.clone();
        let mut number = 2;
        while taken.contains(&name.to_lowercase()) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        taken.push(name.to_lowercase());
        name
    };
    let each = |found: CollectionFiles| {
        let dataset = folder.join(format!("{}.lance", name_of(&found.name)));
        Each { source: found.source, collection: found.name, files: found.files, dataset }
    };
    collections.into_iter().map(each).collect()
}

/// What is done, as lines of JSON: the first says of which command.
struct Journal {
    path: PathBuf,
    done: Vec<Value>,
    resumed: bool,
}

impl Journal {
    fn open(folder: &Path, convert: &Convert, all: &[Each]) -> Result<Self> {
        let path = folder.join(DONE);
        let first = serde_json::json!({ "command": identity(convert, folder)? });
        let text = if path.is_file() && !convert.restart { fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))? } else { String::new() };
        // A line that a death has cut is no line.
        let whole: Vec<Value> = text.split_inclusive('\n').filter(|l| l.ends_with('\n')).filter_map(|l| serde_json::from_str(l).ok()).collect();
        match whole.first() {
            Some(before) if *before == first => Ok(Self { path, done: whole, resumed: true }),
            // Where it has made nothing, there is nothing to go on from: a flag was corrected.
            Some(_) if whole.len() > 1 => Err(Error::new(format!("{}: another command was interrupted here", printable(&folder.display().to_string())))
                .help("give that command again, begin anew with --restart --overwrite, or choose another folder")),
            _ => {
                if let Some(there) = all.iter().find(|each| !convert.overwrite && each.dataset.symlink_metadata().is_ok()) {
                    let _ = fs::remove_dir(scratch(folder));
                    return Err(Error::new(format!("{}: already exists", printable(&there.dataset.display().to_string())))
                        .help("choose another folder, or replace the datasets with --overwrite"));
                }
                let mut journal = Self { path, done: vec![], resumed: false };
                fs::write(&journal.path, "").map_err(|e| Error::io("write", &journal.path, &e))?;
                journal.add(first)?;
                Ok(journal)
            }
        }
    }

    fn add(&mut self, line: Value) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        let mut file = fs::OpenOptions::new().append(true).open(&self.path).map_err(failed)?;
        file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        self.done.push(line);
        Ok(())
    }

    fn note(&mut self, each: &Each, status: Status) -> Result<()> {
        self.add(serde_json::json!({ "source": each.source, "collection": each.collection, "files": each.files, "status": status.code() }))
    }

    /// How the run before ended for it, if it has made it.
    fn status(&self, each: &Each) -> Option<Status> {
        let own = |line: &&Value| {
            line["source"] == each.source.as_str() && line["collection"] == each.collection.as_str() && line["files"] == serde_json::json!(each.files)
        };
        // Of a dump that has changed since, another dataset is to be made.
        self.done.iter().find(own).and_then(status_of)
    }

    /// Whether it was made once, of whatever lay there then.
    fn knows(&self, each: &Each) -> bool {
        self.done.iter().any(|line| line["source"] == each.source.as_str() && line["collection"] == each.collection.as_str())
    }

    fn end(self, whole: bool) -> Result<()> {
        if whole { fs::remove_file(&self.path).map_err(|e| Error::io("remove", &self.path, &e)) } else { Ok(()) }
    }
}

/// The status in a report or a line of the journal.
fn status_of(value: &Value) -> Option<Status> {
    match value["status"].as_u64()? {
        0 => Some(Status::Clean),
        1 => Some(Status::Findings),
        // Its rows are whole, and its index can be built by itself.
        _ => Some(Status::Failed),
    }
}

/// The dumps' paths and the options. What lies there is held against each collection's files.
fn identity(convert: &Convert, folder: &Path) -> Result<Value> {
    let options = Output::of(&Convert { out: folder.join("any.lance"), overwrite: true, ..convert.clone() })?.options;
    let dumps: Vec<String> = convert.dumps.iter().map(|dump| dump.display().to_string()).collect();
    Ok(serde_json::json!({ "dumps": dumps, "options": options }))
}
