//! What a run has done so far, kept beside the output so that the same command can go on after any death: the plan, the identity of
//! the input, finished fragments, rejects, ids. `formats/JOURNAL.md` describes the files.
//!
//! It is made at the first checkpoint: a run that is over before that has nothing to go on from. Everything that a line of the
//! journal names is on the disk before the line is. Not the decision what to do with it, which is the pipeline's.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde::{Deserialize, Serialize};

use super::Counts;
use super::stage::{clean, sync_one};
use crate::dataset::write::Written;
use crate::dedupe::Entry;
use crate::error::{Error, Result};
use crate::frame::identity::Collection;
use crate::frame::vectors::Layout;
use crate::plan::{Output, Plan, Position};
use crate::reject::printable;
use crate::sorted::Fixed;
use crate::source::checksum::Crc;

use super::identity::Identity;

/// The run so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    /// Everything before this is in finished fragments.
    pub(super) next: Position,
    /// Whether that is everything.
    pub(super) done: bool,
    pub(super) counts: Counts,
    /// Rows handed to the writer, which is as many ids.
    pub(super) accepted: u64,
    /// Of those, rows written; fewer where rows are selected.
    pub(super) kept: u64,
    /// Collections and namespaces met since the line before.
    #[serde(default)]
    pub(super) met: Vec<Collection>,
    pub(super) layout: Layout,
    /// Bytes of the rejects file.
    pub(super) rejects: u64,
}

/// One line of `progress.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    state: State,
    /// Fragments since the line before.
    fragments: Vec<Written>,
    /// Checksums of what was read, of shards that were read on since the line before.
    sums: Vec<ShardSum>,
}

/// CRC-32 of the first bytes of a shard as it lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardSum {
    pub(super) shard: u32,
    pub(super) bytes: u64,
    pub(super) crc32: u32,
}

/// What an interrupted run has left.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) state: State,
    pub(super) fragments: Vec<Written>,
    /// When that run began, RFC 3339.
    pub(super) started: String,
    ids: PathBuf,
}

impl Left {
    /// The ids of all accepted rows, in order.
    pub(super) fn ids(&self, each: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("read", &self.ids, &e);
        let mut file = BufReader::with_capacity(1 << 18, File::open(&self.ids).map_err(failed)?);
        let mut bytes = [0; Entry::BYTES];
        for _ in 0..self.state.accepted {
            file.read_exact(&mut bytes).map_err(failed)?;
            each(Entry::get(&bytes))?;
        }
        Ok(())
    }
}

/// Set once there is something to go on from: then an end without cleaning up is the better one.
static KEPT: AtomicBool = AtomicBool::new(false);

/// Whether a journal holds what this run has done so far.
#[must_use]
pub fn kept() -> bool {
    KEPT.load(Ordering::Relaxed)
}

/// The journal of the run under way.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    staging: PathBuf,
    identity: Option<Identity>,
    /// Files of the shards that checksums can be taken of.
    shards: Vec<(PathBuf, bool)>,
    early: Vec<u8>,
    ids: Option<BufWriter<File>>,
    at_work: Option<(Sender<Message>, std::thread::JoinHandle<Result<()>>)>,
}

struct Message {
    line: Line,
    rejects: Option<File>,
}

const PLAN: &str = "plan.json";
const PROGRESS: &str = "progress.jsonl";
const IDS: &str = "ids.bin";
const REPORT: &str = "report.json";
/// Bytes of ids that are held before there is a file for them.
const EARLY: usize = 4 << 20;

impl Journal {
    /// Nothing is written yet. Inputs that cannot be read twice have no journal.
    pub(super) fn new(plan: &Plan, output: &Output, started: &str) -> Self {
        let regular = plan.shards().all(|(_, s)| s.shard.regular);
        Self {
            folder: output.journal.clone(),
            staging: output.staging.clone(),
            identity: regular.then(|| Identity::of(plan, output, started)),
            shards: plan.shards().map(|(_, s)| (s.shard.path.clone(), s.shard.encoding == crate::source::magic::Encoding::Plain)).collect(),
            early: Vec::new(),
            ids: None,
            at_work: None,
        }
    }

    /// The report of a run of the same command whose dataset was whole and lacked only its name.
    ///
    /// # Errors
    /// The input or the options are not what they were.
    pub(super) fn ready_report(&self, output: &Output) -> Result<Option<String>> {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).ok();
        let then = read(PLAN).and_then(|text| serde_json::from_str::<Identity>(&text).ok());
        let (Some(then), Some(now), Some(text)) = (then, &self.identity, read(REPORT)) else { return Ok(None) };
        refuse(output, &then.changed(now, &self.shards, &[]))?;
        Ok(Some(text))
    }

    /// What a run of the same command has left, if it left something to go on from.
    ///
    /// # Errors
    /// The input or the options are not what they were.
    pub(super) fn left(&self, output: &Output) -> Result<Option<Left>> {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).ok();
        let Some(then) = read(PLAN).and_then(|text| serde_json::from_str::<Identity>(&text).ok()) else { return Ok(None) };
        let mut left: Option<Left> = None;
        let mut sums: Vec<ShardSum> = Vec::new();
        for text in read(PROGRESS).unwrap_or_default().split_inclusive('\n') {
            // The line that the death cut off says nothing.
            let Some(line) = text.strip_suffix('\n').and_then(|text| serde_json::from_str::<Line>(text).ok()) else { break };
            for sum in line.sums {
                sums.retain(|s| s.shard != sum.shard);
                sums.push(sum);
            }
            let (mut fragments, mut met) = left.take().map(|l| (l.fragments, l.state.met)).unwrap_or_default();
            fragments.extend(line.fragments);
            let mut state = line.state;
            met.append(&mut state.met);
            state.met = met;
            let (started, ids) = (then.started.clone(), self.folder.join(IDS));
            left = Some(Left { state, fragments, started, ids });
        }
        let Some(left) = left else { return Ok(None) };
        let Some(now) = &self.identity else { return Ok(None) };
        refuse(output, &then.changed(now, &self.shards, &sums))?;
        let whole = |(path, bytes): (String, Option<u64>)| fs::metadata(self.staging.join(path)).is_ok_and(|m| bytes.is_none_or(|b| b == m.len()));
        if fs::metadata(&left.ids).map_or(0, |m| m.len()) < left.state.accepted * Entry::BYTES as u64 {
            tracing::warn!("The journal of an interrupted run is damaged; beginning anew.");
            return Ok(None);
        }
        if !left.fragments.iter().flat_map(Written::files).all(whole) {
            tracing::warn!("What an interrupted run had written is no longer there; beginning anew.");
            return Ok(None);
        }
        Ok(Some(left))
    }

    /// Goes on where `left` ends: what the dead run wrote after that is cut off.
    pub(super) fn go_on(&mut self, left: &Left) -> Result<()> {
        let path = self.folder.join(IDS);
        let failed = |e: std::io::Error| Error::io("write", &path, &e);
        let mut ids = File::options().write(true).open(&path).map_err(failed)?;
        ids.set_len(left.state.accepted * Entry::BYTES as u64).map_err(failed)?;
        ids.seek(SeekFrom::End(0)).map_err(failed)?;
        // A torn last line would spoil the one after it.
        let progress = self.folder.join(PROGRESS);
        let mut whole = 0;
        let mut lines = BufReader::new(File::open(&progress).map_err(|e| Error::io("read", &progress, &e))?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(|e| Error::io("read", &progress, &e))? > 0 && serde_json::from_slice::<Line>(&line).is_ok() {
            whole += line.len() as u64;
            line.clear();
        }
        let file = File::options().write(true).open(&progress).map_err(|e| Error::io("write", &progress, &e))?;
        file.set_len(whole).map_err(|e| Error::io("write", &progress, &e))?;
        self.ids = Some(BufWriter::with_capacity(1 << 18, ids));
        self.start()
    }

    fn start(&mut self) -> Result<()> {
        let path = self.folder.join(PROGRESS);
        let progress = File::options().append(true).create(true).open(&path).map_err(|e| Error::io("create", &path, &e))?;
        let (sender, receiver) = channel();
        let Some(ids) = &self.ids else { return Ok(()) };
        let own = ids.get_ref().try_clone().map_err(|e| Error::io("open", &self.folder.join(IDS), &e))?;
        let keeper = Keeper { progress, path, ids: own, staging: self.staging.clone(), shards: self.shards.clone(), sums: vec![] };
        self.at_work = Some((sender, std::thread::spawn(move || keeper.run(&receiver))));
        KEPT.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Notes an accepted record.
    pub(super) fn id(&mut self, entry: &Entry) -> Result<()> {
        if self.identity.is_none() {
            return Ok(());
        }
        let mut bytes = [0; Entry::BYTES];
        entry.put(&mut bytes);
        if let Some(ids) = &mut self.ids {
            return ids.write_all(&bytes).map_err(|e| Error::io("write", &self.folder.join(IDS), &e));
        }
        self.early.extend_from_slice(&bytes);
        // Memory is bounded before the first checkpoint, too.
        if self.early.len() >= EARLY { self.make_ids() } else { Ok(()) }
    }

    fn make_ids(&mut self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|e| Error::io("create the folder", &self.folder, &e))?;
        let path = self.folder.join(IDS);
        let mut ids = BufWriter::with_capacity(1 << 18, File::create(&path).map_err(|e| Error::io("create", &path, &e))?);
        ids.write_all(&std::mem::take(&mut self.early)).map_err(|e| Error::io("write", &path, &e))?;
        self.ids = Some(ids);
        Ok(())
    }

    /// Whether this run has a journal at all.
    pub(super) fn wanted(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether something was noted.
    pub(super) fn begun(&self) -> bool {
        self.at_work.is_some()
    }

    /// Makes sure that all ids so far are with the system: the checkpoint that is being taken counts on them.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.identity.is_none() {
            return Ok(());
        }
        if self.at_work.is_none() {
            if self.ids.is_none() {
                self.make_ids()?;
            }
            if let Some(identity) = &mut self.identity {
                identity.sample(&self.shards);
                let path = self.folder.join(PLAN);
                let text = serde_json::to_string_pretty(identity).unwrap_or_default();
                fs::write(&path, text).map_err(|e| Error::io("write", &path, &e))?;
                sync_one(&path)?;
            }
            self.start()?;
            sync_one(&self.folder)?;
            if let Some(parent) = self.folder.parent().filter(|p| !p.as_os_str().is_empty()) {
                sync_one(parent)?;
            }
        }
        match &mut self.ids {
            Some(ids) => ids.flush().map_err(|e| Error::io("write", &self.folder.join(IDS), &e)),
            None => Ok(()),
        }
    }

    /// Notes what is done, in the background.
    pub(super) fn note(&mut self, state: State, fragments: Vec<Written>, rejects: Option<File>) -> Result<()> {
        let message = Message { line: Line { state, fragments, sums: vec![] }, rejects };
        match &self.at_work {
            Some((sender, _)) if sender.send(message).is_err() => self.wait(),
            _ => Ok(()),
        }
    }

    /// Waits until all that was noted is on the disk.
    pub(super) fn wait(&mut self) -> Result<()> {
        let Some((sender, thread)) = self.at_work.take() else { return Ok(()) };
        drop(sender);
        thread.join().unwrap_or_else(|_| Err(Error::new("the thread that keeps the journal died; this is a defect: please report it")))
    }

    /// The dataset is whole in its staging folder; what is left is to give it its name. No journal is made for that alone.
    pub(super) fn ready(&mut self, report: &str) -> Result<()> {
        if !self.folder.join(PLAN).is_file() {
            return Ok(());
        }
        let (path, partial) = (self.folder.join(REPORT), self.folder.join("report.json.partial"));
        fs::write(&partial, report).map_err(|e| Error::io("write", &partial, &e))?;
        sync_one(&partial)?;
        fs::rename(&partial, &path).map_err(|e| Error::io("rename", &partial, &e))?;
        sync_one(&self.folder)
    }

    /// Takes the journal away: the run is over, or there is nothing to go on from.
    pub(super) fn remove(folder: &Path) -> Result<()> {
        KEPT.store(false, Ordering::Relaxed);
        if !folder.is_dir() {
            return Ok(());
        }
        let known = [PLAN, PROGRESS, IDS, REPORT, "report.json.partial"];
        let foreign = fs::read_dir(folder).map_err(|e| Error::io("list the folder", folder, &e))?.flatten().any(|e| !known.iter().any(|k| e.file_name() == *k));
        if foreign {
            return Err(Error::new(format!("{}: exists and was not made by vec2lance", printable(&folder.display().to_string())))
                .help("move it away; the run needs this name"));
        }
        // Of a run that is over, what says so goes last: a death on the way is finished by the next run.
        let (report, plan) = (folder.join(REPORT), folder.join(PLAN));
        let done = || -> std::io::Result<()> {
            if !report.exists() {
                // Of one that is not, what makes it a journal goes first.
                let _ = fs::remove_file(&plan);
            }
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path != report && path != plan {
                    fs::remove_file(path)?;
                }
            }
            let _ = fs::remove_file(report);
            let _ = fs::remove_file(plan);
            fs::remove_dir(folder)
        };
        done().map_err(|e| Error::io("remove", folder, &e))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // After an error elsewhere: what was noted is worth keeping, and a second error would hide the first.
        let _ = self.wait();
    }
}

fn refuse(output: &Output, changed: &[String]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let shown = printable(&output.dataset.display().to_string());
    Err(Error::new(format!("{shown}: an interrupted run cannot go on, because this is not what it began with: {}", changed.join("; ")))
        .help("give the same input and options again, or begin anew with --restart"))
}

/// Takes away what is left of a journal whose run was over: nothing can go on from it.
pub fn sweep(dataset: &Path) {
    let folder = crate::plan::journal_path(dataset);
    // A staging folder means that a run is at work, or that one has died whose journal counts.
    let over = !crate::plan::staging_path(dataset).exists() && !folder.join(PROGRESS).exists() && !folder.join(REPORT).exists();
    if folder.is_dir() && over {
        clean(&folder);
    }
}

/// Whether a journal's run was over but for the dataset's name.
#[must_use]
pub fn is_ready(folder: &Path) -> bool {
    folder.join(PLAN).is_file() && folder.join(REPORT).is_file()
}

/// The thread that brings everything to the disk, in the order in which it may be relied on.
struct Keeper {
    progress: File,
    path: PathBuf,
    ids: File,
    staging: PathBuf,
    shards: Vec<(PathBuf, bool)>,
    sums: Vec<ShardSum>,
}

impl Keeper {
    fn run(mut self, messages: &Receiver<Message>) -> Result<()> {
        let mut crcs: Vec<Option<Crc>> = self.shards.iter().map(|_| None).collect();
        let mut summed = 0usize;
        while let Ok(message) = messages.recv() {
            // Whatever has come meanwhile goes to the disk in one flush.
            let mut all = vec![message];
            all.extend(messages.try_iter());
            let mut text = String::new();
            for message in &mut all {
                for (path, _) in message.line.fragments.iter().flat_map(Written::files) {
                    sync_one(&self.staging.join(path))?;
                }
                self.sum(&message.line.state.next, message.line.state.done, &mut crcs, &mut summed);
                message.line.sums = std::mem::take(&mut self.sums);
                text.push_str(&serde_json::to_string(&message.line).map_err(|e| Error::new(format!("the journal cannot be written: {e}")))?);
                text.push('\n');
            }
            sync_one(&self.staging.join("data")).or_else(|e| if self.staging.join("data").is_dir() { Err(e) } else { Ok(()) })?;
            let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
            if let Some(rejects) = all.iter().filter_map(|m| m.rejects.as_ref()).next_back() {
                rejects.sync_data().map_err(failed)?;
            }
            self.ids.sync_data().map_err(failed)?;
            self.progress.write_all(text.as_bytes()).map_err(failed)?;
            self.progress.sync_data().map_err(failed)?;
        }
        Ok(())
    }

    /// Checksums of what was read: of plain shards up to the place, of others when they are read. A shard that cannot be read
    /// here has none; then only its size and its times vouch for it.
    fn sum(&mut self, next: &Position, done: bool, crcs: &mut [Option<Crc>], summed: &mut usize) {
        let current = if done { self.shards.len() } else { next.shard as usize };
        for (at, ((path, plain), crc)) in self.shards.iter().zip(crcs).enumerate().take(current + 1).skip(*summed) {
            let upto = if at < current { None } else { Some(next.offset) };
            if upto.is_some() && !plain {
                break;
            }
            let crc = crc.get_or_insert_with(Crc::default);
            if crc.read_on(path, upto).is_ok() {
                self.sums.push(ShardSum { shard: u32::try_from(at).unwrap_or(u32::MAX), bytes: crc.bytes(), crc32: crc.value() });
            }
        }
        *summed = current;
    }
}
