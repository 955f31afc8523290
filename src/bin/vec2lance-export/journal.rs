//! What an export has done so far, in `SNAPSHOT/export.journal`: JSON lines, each on the disk before the run goes on. A line that death
//! has cut off says nothing; everything before it holds.
//!
//! Not what the lines mean for the run: that is `run.rs`'s business.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vec2lance::error::{Error, Result};
use vec2lance::manifest::Part;

use crate::source::{Count, LeftOut, Range, Unit};

/// The file's name in the snapshot's folder.
pub(crate) const FILE: &str = "export.journal";

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The first line: what this export is.
    Begun(Box<Begun>),
    /// A unit was counted and divided.
    Prepared {
        /// Its number, from 0.
        unit: usize,
        /// Its ranges, which every run reads alike.
        ranges: Vec<Range>,
        /// Its count before the first page.
        count: Option<Count>,
        /// Its marker before the first page.
        marker: Value,
    },
    /// A part is on the disk under its name, or a range ended without one.
    Written {
        /// The unit's number.
        unit: usize,
        /// The range's number, from 0.
        range: usize,
        /// The part; none where the range ended with nothing left to write.
        part: Option<Part>,
        /// The key of its last record.
        key: Value,
        /// The range is read to its end.
        last: bool,
        /// Records that the source listed and then did not have, since the line before of this range.
        vanished: u64,
        /// Notes since the line before of this range.
        notes: Vec<String>,
    },
    /// All ranges of a unit are read, and it was counted again.
    Closed {
        /// The unit's number.
        unit: usize,
        /// Its count after the last page.
        count: Option<Count>,
        /// Its marker after the last page.
        marker: Value,
    },
}

/// What this export is. A run with another one must not go on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// Version of the journal.
    pub(crate) journal: u32,
    /// RFC 3339 time at which it began.
    pub(crate) started: String,
    /// The database's name.
    pub(crate) source: String,
    /// Its version.
    pub(crate) source_version: Option<String>,
    /// Options that decide about the content of the parts, by flag.
    pub(crate) options: BTreeMap<String, Value>,
    /// What is exported, in order.
    pub(crate) units: Vec<Unit>,
    /// What is not.
    pub(crate) left_out: Vec<LeftOut>,
}

/// What earlier runs have done of one range.
#[derive(Debug, Clone, Default)]
pub(crate) struct RangeState {
    pub(crate) parts: Vec<Part>,
    /// The key after which to go on.
    pub(crate) key: Option<Value>,
    pub(crate) done: bool,
    pub(crate) vanished: u64,
    pub(crate) notes: Vec<String>,
}

/// What earlier runs have done of one unit.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnitState {
    /// Empty until it is prepared.
    pub(crate) ranges: Vec<(Range, RangeState)>,
    pub(crate) prepared: bool,
    pub(crate) before: Option<Count>,
    pub(crate) marker_before: Value,
    pub(crate) closed: bool,
    pub(crate) after: Option<Count>,
    pub(crate) marker_after: Value,
}

/// All that the lines say.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) begun: Begun,
    pub(crate) units: Vec<UnitState>,
    /// Bytes of the whole lines.
    whole: u64,
}

impl State {
    fn new(begun: Begun) -> Self {
        let units = vec![UnitState::default(); begun.units.len()];
        Self { begun, units, whole: 0 }
    }

    /// Takes a line in; `false` where it contradicts those before.
    fn apply(&mut self, event: Event) -> bool {
        match event {
            Event::Begun(_) => return false,
            Event::Prepared { unit, ranges, count, marker } => {
                let Some(state) = self.units.get_mut(unit) else { return false };
                state.ranges = ranges.into_iter().map(|r| (r, RangeState::default())).collect();
                (state.prepared, state.before, state.marker_before) = (true, count, marker);
            }
            Event::Written { unit, range, part, key, last, vanished, notes } => {
                let Some((_, state)) = self.units.get_mut(unit).and_then(|u| u.ranges.get_mut(range)) else { return false };
                if part.is_some() {
                    state.key = Some(key);
                }
                state.parts.extend(part);
                state.done |= last;
                state.vanished += vanished;
                state.notes.extend(notes);
            }
            Event::Closed { unit, count, marker } => {
                let Some(state) = self.units.get_mut(unit) else { return false };
                (state.closed, state.after, state.marker_after) = (true, count, marker);
            }
        }
        true
    }

    /// What the journal in `folder` says; none where there is none, or none with a whole first line.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn load(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path, &e)),
        };
        let mut lines = BufReader::new(file);
        let mut state: Option<Self> = None;
        let (mut line, mut whole) = (Vec::new(), 0);
        loop {
            line.clear();
            let length = lines.read_until(b'\n', &mut line).map_err(|e| Error::io("read", &path, &e))?;
            if line.last() != Some(&b'\n') {
                break;
            }
            let Ok(event) = serde_json::from_slice::<Event>(&line) else { break };
            let fits = match (&mut state, event) {
                (None, Event::Begun(begun)) => {
                    state = Some(Self::new(*begun));
                    true
                }
                (Some(state), event) => state.apply(event),
                (None, _) => false,
            };
            if !fits {
                break;
            }
            whole += length as u64;
        }
        Ok(state.map(|s| Self { whole, ..s }))
    }
}

/// The journal of the run under way.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    state: Mutex<State>,
}

impl Journal {
    /// Takes the folder for one run alone. The lock ends with the file.
    ///
    /// # Errors
    /// Another run has it; it cannot be written.
    pub(crate) fn lock(folder: &Path) -> Result<File> {
        let path = folder.join(FILE);
        let file = OpenOptions::new().create(true).truncate(false).read(true).append(true).open(&path).map_err(|e| Error::io("write", &path, &e))?;
        if matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
            return Err(Error::new(format!("another export writes into {}", folder.display())).help("wait for its end, or choose another folder"));
        }
        Ok(file)
    }

    /// Goes on after `state`.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn go_on(folder: &Path, file: File, state: State) -> Result<Self> {
        let path = folder.join(FILE);
        // What death has cut off would spoil the next line.
        file.set_len(state.whole).map_err(|e| Error::io("write", &path, &e))?;
        Ok(Self { path, file: Mutex::new(file), state: Mutex::new(state) })
    }

    /// Begins anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn begin(folder: &Path, file: File, begun: Begun) -> Result<Self> {
        let journal = Self::go_on(folder, file, State::new(begun.clone()))?;
        journal.write(&Event::Begun(Box::new(begun)))?;
        crate::writer::sync_folder(folder)?;
        Ok(journal)
    }

    fn write(&self, event: &Event) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        let mut line = serde_json::to_vec(event).map_err(|e| Error::new(format!("cannot note what was done: {e}")))?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(failed)
    }

    /// Notes a line; it is on the disk when this returns.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn note(&self, event: Event) -> Result<()> {
        self.write(&event)?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).apply(event);
        Ok(())
    }

    /// What it says of a unit.
    pub(crate) fn unit(&self, number: usize) -> UnitState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).units.get(number).cloned().unwrap_or_default()
    }

    /// What the export is.
    pub(crate) fn begun(&self) -> Begun {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).begun.clone()
    }
}
