//! The whole order of a conversion, and the only file that knows it: shard → chunk → batch → fragment → commit → indices.
//!
//! One thread feeds chunks in shard and byte order, a pool decodes them, this thread takes the results in the same order
//! and writes. What is under way is bounded in bytes, so memory does not depend on the input.

mod again;
mod ahead;
mod components;
pub(crate) mod feed;
mod finish;
mod fit;
mod headers;
mod identity;
mod journal;
mod log;
mod meeting;
mod npz;
mod outcome;
mod promote;
pub(crate) mod read;
mod stage;
mod tally;
mod update;

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use arrow_array::{RecordBatch, new_null_array};

use crate::cli::MaxRejects;
use crate::dataset::Engine;
use crate::dataset::write::{FragmentWriter, Written};
use crate::dedupe::{Dedupe, Entry};
use crate::error::{Error, Result};
use crate::frame::schema::schema;
use crate::frame::vectors::Layout;
use crate::plan::{Mode, Output, Plan, Position};
use crate::reject::printable;

pub use components::recall;
use feed::Work;
use journal::{Journal, Left, State};
pub use journal::{is_ready, kept, sweep};
use log::Beside;
pub use outcome::{Converted, Counts, Outcome, PagesEnd, Progress};
pub use promote::{held, promote};
use read::{Event, Part, Shared, current, read};
use stage::Staging;
pub use stage::{Scratch, clean, flush};
use tally::Tally;
use update::Update;
pub use update::{Changes, adopt};

/// Rejects shown in the report.
const EXAMPLES: usize = 5;

/// Bytes of plain input between two checkpoints: a sixteenth of the input, within these bounds.
const BETWEEN: (u64, u64) = (4 << 20, 256 << 20);

/// What to do about an interrupted run.
pub const GOES_ON: &str = "the same command goes on from there, and --restart begins anew";

/// Converts. `report` makes the report's text of the outcome, just before the dataset gets its name.
///
/// # Errors
/// The run cannot go on. Nothing is committed then. What was done so far is kept if the cause may pass, else it is gone.
pub fn convert(
    plan: &Plan,
    output: &Output,
    engine: &Arc<Engine>,
    stop: &AtomicBool,
    progress: &dyn Progress,
    report: &dyn Fn(&Outcome) -> String,
) -> Result<Converted> {
    let started = finish::now();
    let journal = Journal::new(plan, output, &started);
    let mut staging = Staging::claim(output)?;
    if output.restart {
        staging.wipe(output)?;
    }
    match journal.ready_report(output) {
        Ok(None) => {}
        Ok(Some(text)) => {
            tracing::info!("The dataset was whole already; giving it its name.");
            staging.keep();
            finish::publish_ready(staging, output, &text)?;
            return Ok(Converted::Before(text));
        }
        Err(error) => {
            staging.keep();
            return Err(error);
        }
    }
    let left = match journal.left(output) {
        Ok(Some(left)) => {
            staging.keep();
            Some(left)
        }
        // Nothing to go on from: whatever lies there is of no use.
        Ok(None) => {
            staging.wipe(output)?;
            None
        }
        Err(error) => {
            staging.keep();
            return Err(error);
        }
    };
    let begin = Instant::now();
    components::prepare(plan, output, left.is_some(), stop, progress)?;
    let preparing = plan.resizing.as_ref().map(|_| begin.elapsed().as_secs_f64());
    let update = match output.mode {
        Mode::Fresh => None,
        _ => Some(Update::of(plan, output, engine, stop, progress)?),
    };
    let mut run = Run::new(plan, output, engine, progress, journal, update, &started);
    let done = run.start(&staging, left, stop);
    run.seconds.extend(preparing.map(|seconds| ("resize", seconds)));
    let done = done.and_then(|()| if run.nothing_to_write() { run.nothing() } else { run.finish(&mut staging, stop, report) });
    match done.map_err(|error| run.failed(error)) {
        Ok(outcome) => {
            staging.end(output)?;
            Ok(Converted::Now(Box::new(outcome)))
        }
        Err(error) if error.is_passing() && kept() => {
            staging.keep();
            Err(error.and_help(GOES_ON))
        }
        Err(error) => {
            // Nothing that lies there would help a second run.
            staging.abandon(output)?;
            Err(error)
        }
    }
}

struct Run<'p> {
    plan: &'p Plan,
    output: &'p Output,
    engine: &'p Arc<Engine>,
    progress: &'p dyn Progress,
    layout: Shared,
    counts: Counts,
    rejects: Beside,
    duplicates: Beside,
    dedupe: Dedupe,
    /// Accepted records.
    accepted: u64,
    /// Of those, rows handed to the writer.
    kept: u64,
    /// Accepted records by collection and namespace.
    tally: Tally,
    seconds: Vec<(&'static str, f64)>,
    written: Vec<Written>,
    journal: Journal,
    update: Option<Update>,
    resumed: Option<u64>,
    /// When the run began, RFC 3339: the run that was interrupted, if it was.
    started: String,
    /// Bytes since the last checkpoint, and between two of them.
    since: u64,
    between: u64,
    /// Checkpoints whose fragments are not finished yet.
    taken: VecDeque<(State, Option<std::fs::File>)>,
    marks: u64,
}

impl<'p> Run<'p> {
    fn new(
        plan: &'p Plan,
        output: &'p Output,
        engine: &'p Arc<Engine>,
        progress: &'p dyn Progress,
        journal: Journal,
        mut update: Option<Update>,
        started: &str,
    ) -> Self {
        let total: u64 = plan.shards().map(|(_, s)| s.shard.size).sum();
        Self {
            plan,
            output,
            engine,
            progress,
            layout: Arc::new(RwLock::new(Arc::new(plan.layout.clone()))),
            counts: Counts { per_input: vec![0; plan.inputs.len()], ..Counts::default() },
            rejects: Beside::new(&finish::rejects_path(plan, output)),
            duplicates: Beside::new(&output.duplicates),
            dedupe: Dedupe::new(&output.staging, plan.budget.memory / 8),
            accepted: 0,
            kept: 0,
            tally: Tally::new(update.as_mut().map(Update::names).unwrap_or_default(), plan.budget.memory),
            seconds: Vec::new(),
            written: Vec::new(),
            journal,
            update,
            resumed: None,
            started: started.to_owned(),
            since: 0,
            between: (total / 16).clamp(BETWEEN.0, BETWEEN.1),
            taken: VecDeque::new(),
            marks: 0,
        }
    }

    /// Takes over what is left of an interrupted run, and reads what it had not read.
    fn start(&mut self, staging: &Staging, left: Option<Left>, stop: &AtomicBool) -> Result<()> {
        let begin = Instant::now();
        self.progress.stage("converting");
        let mut from = Some(Position::default());
        if let Some(left) = left {
            staging.keep_only(&left.fragments)?;
            from = self.take_over(left)?;
        } else {
            self.rejects.begin();
        }
        self.duplicates.begin();
        if let Some(from) = from {
            self.read(from, stop)?;
        }
        self.seconds.push(("convert", begin.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Gives where to read on; `None` if everything was read.
    fn take_over(&mut self, left: Left) -> Result<Option<Position>> {
        self.journal.go_on(&left)?;
        let (dedupe, tally) = (&mut self.dedupe, &mut self.tally);
        tally.go_on(&left.state.met)?;
        left.ids(&mut |entry| {
            tally.add(entry.space);
            dedupe.push(entry)
        })?;
        let state = left.state;
        self.rejects.go_on(state.rejects)?;
        if let Ok(mut layout) = self.layout.write() {
            *layout = Arc::new(state.layout);
        }
        self.counts = state.counts;
        self.accepted = state.accepted;
        self.kept = state.kept;
        self.written = left.fragments;
        self.started = left.started;
        self.resumed = Some(self.counts.read);
        self.progress.advance(0, self.accepted);
        tracing::warn!("Resumed an interrupted run after {} records.", crate::report::count(self.counts.read));
        Ok((!state.done).then_some(state.next))
    }

    /// Whether no row would be in a new dataset.
    fn nothing_to_write(&self) -> bool {
        self.accepted == 0 && self.update.is_none()
    }

    /// Too many rejects: the list so far is what the user needs to see why.
    fn failed(&mut self, error: Error) -> Error {
        if !error.keeps_rejects() {
            return error;
        }
        match self.rejects.finish(&finish::input_paths(self.plan)) {
            Ok(true) => error.and_help(&format!("the list so far is {}", printable(&self.rejects.path().display().to_string()))),
            _ => error,
        }
    }

    fn layout(&self) -> Arc<Layout> {
        current(&self.layout)
    }

    fn read(&mut self, from: Position, stop: &AtomicBool) -> Result<()> {
        let uri = crate::dataset::uri(&self.output.staging)?;
        let cache = (self.plan.budget.memory / 8).clamp(16 << 20, 128 << 20);
        let rows = crate::dataset::index::fragment_rows(self.plan.budget.memory, self.plan.layout.dimension);
        let mut writer = FragmentWriter::with_rows(Arc::clone(self.engine), &uri, cache, self.output.compression, rows);
        let (plan, layout) = (self.plan, Arc::clone(&self.layout));
        let work: Work<()> = Arc::new(|_| Ok(()));
        let mut last = from;
        read(plan, &layout, from, stop, &work, &mut |event| {
            match event {
                Event::Part(part) => {
                    last = part.next;
                    self.since += part.bytes;
                    self.take(*part, &mut writer)?;
                    if self.since >= self.between {
                        self.checkpoint(last, &mut writer)?;
                    }
                    self.note(&mut writer)?;
                }
                Event::End { input, at, bytes } => {
                    self.end_of_shard(at, input)?;
                    self.counts.bytes += bytes;
                    // A checkpoint just before the end of a shard would count its bytes twice.
                    last = Position { shard: at.shard + 1, ..Position::default() };
                }
            }
            Ok(true)
        })?;
        if self.journal.begun() {
            self.journal.flush()?;
            while let Some((state, rejects)) = self.taken.pop_front() {
                let Some((_, fragments)) = writer.marked(0)? else { break };
                self.noted(state, fragments, rejects)?;
            }
            let state = self.state(last, true)?;
            let fragments = writer.finish()?;
            let rejects = self.rejects.file()?;
            self.noted(state, fragments, rejects)
        } else {
            self.written.append(&mut writer.finish()?);
            Ok(())
        }
    }

    /// The run so far, as the journal keeps it.
    fn state(&mut self, next: Position, done: bool) -> Result<State> {
        Ok(State {
            next,
            done,
            counts: self.counts.clone(),
            accepted: self.accepted,
            kept: self.kept,
            met: self.tally.untold(),
            layout: (*self.layout()).clone(),
            rejects: self.rejects.flush()?,
        })
    }

    /// Ends the open fragment here; once it is finished, the journal hears of it.
    fn checkpoint(&mut self, next: Position, writer: &mut FragmentWriter) -> Result<()> {
        self.since = 0;
        if !self.journal.wanted() {
            return Ok(());
        }
        self.journal.flush()?;
        let state = self.state(next, false)?;
        let rejects = self.rejects.file()?;
        self.marks += 1;
        writer.mark(self.marks);
        self.taken.push_back((state, rejects));
        Ok(())
    }

    /// Tells the journal of every checkpoint whose fragments are finished.
    fn note(&mut self, writer: &mut FragmentWriter) -> Result<()> {
        while !self.taken.is_empty()
            && let Some((_, fragments)) = writer.marked(2)?
        {
            let Some((state, rejects)) = self.taken.pop_front() else { break };
            self.noted(state, fragments, rejects)?;
        }
        Ok(())
    }

    fn noted(&mut self, state: State, fragments: Vec<Written>, rejects: Option<std::fs::File>) -> Result<()> {
        self.written.extend(fragments.iter().cloned());
        self.journal.note(state, fragments, rejects)
    }

    fn take(&mut self, part: Part<()>, writer: &mut FragmentWriter) -> Result<()> {
        let decoded = part.decoded;
        self.counts.per_input[part.input] += decoded.records;
        let (_, planned) = self.plan.shards().nth(part.next.shard as usize).ok_or_else(|| Error::new("a shard without a plan"))?;
        let spec = self.plan.inputs[part.input].spec.name.clone();
        for reject in &decoded.rejects {
            self.counts.rejected += 1;
            *self.counts.by_code.entry(reject.refusal.code.name().to_owned()).or_default() += 1;
            if self.counts.examples.len() < EXAMPLES {
                self.counts.examples.push(reject.message(&planned.shard.name));
            }
            tracing::debug!("{}", reject.message(&planned.shard.name));
            self.rejects.line(&reject.to_json(&planned.shard.name, planned.membership.collection.parts(), &spec))?;
        }
        let first = self.accepted;
        let numbers = self.tally.numbers(&planned.membership.collection, &decoded)?;
        for origin in &decoded.origins {
            let space = numbers[origin.space as usize];
            let entry = Entry { uuid: origin.uuid, row: self.accepted, space, place: origin.place };
            self.tally.add(space);
            self.dedupe.push(entry)?;
            self.journal.id(&entry)?;
            self.accepted += 1;
        }
        if let Some(end) = &decoded.end {
            self.counts.pages.entry(part.input).or_default().note(part.next.shard, end);
        }
        self.counts.read += decoded.records;
        self.counts.without_vector += decoded.without_vector;
        self.counts.zero_vectors += decoded.zero_vectors;
        self.counts.unseen.merge(&decoded.unseen);
        for (column, n) in decoded.unfit {
            *self.counts.unfit.entry(column).or_default() += n;
        }
        self.counts.rounded_vectors += decoded.rounded;
        if let Some(batch) = decoded.batch {
            let batch = widen(batch, &self.layout())?;
            let batch = if let Some(update) = &self.update { update.selected(&batch, first)? } else { batch };
            self.kept += batch.num_rows() as u64;
            let batch = match self.plan.lean {
                Some(lean) => lean
                    .project(&batch, &self.layout(), &self.plan.inputs[part.input].mapping)
                    .map_err(|e| Error::new(format!("the rows do not fit the lean table: {e}; this is a defect: please report it")))?,
                None => batch,
            };
            if batch.num_rows() > 0 {
                writer.write(&batch)?;
            }
        }
        self.progress.advance(part.bytes, self.accepted);
        self.check_rejects(false)
    }
}

impl Run<'_> {
    /// Holds a shard against what its manifest promised.
    fn end_of_shard(&mut self, shard: Position, input: usize) -> Result<()> {
        let Some((_, planned)) = self.plan.shards().nth(shard.shard as usize) else { return Ok(()) };
        if let Some(promise) = &planned.promise
            && promise.rows != shard.records
        {
            return Err(Error::finding(format!(
                "{}: {} records, expected {} by the manifest; nothing was committed",
                printable(&planned.shard.name),
                shard.records,
                promise.rows
            ))
            .help("copy the part again; `vec2lance inspect --check` lists every part that differs"));
        }
        tracing::info!(shard = %printable(&planned.shard.name), input, records = shard.records, "Read a shard.");
        Ok(())
    }

    /// `--max-rejects`. A percentage is held against what was read so far once that is enough to mean something, and at the end.
    fn check_rejects(&self, at_end: bool) -> Result<()> {
        const ENOUGH: u64 = 1000;
        let (read, rejected) = (self.counts.read, self.counts.rejected);
        let too_many = match self.output.max_rejects {
            None => None,
            Some(MaxRejects::Count(most)) => (rejected > most).then(|| format!("more than {most}")),
            #[expect(clippy::cast_precision_loss, reason = "a percentage of counts far below 2^53")]
            Some(MaxRejects::Percent(most)) => {
                let over = (at_end || read >= ENOUGH) && rejected as f64 * 100.0 > most * read as f64;
                over.then(|| format!("more than {most}%"))
            }
        };
        let Some(limit) = too_many else { return Ok(()) };
        let first = self.counts.examples.first().map(|e| format!("; the first: {e}")).unwrap_or_default();
        Err(Error::new(format!("{rejected} of {read} records were rejected, {limit} (--max-rejects); nothing was committed{first}"))
            .help("mend the records, or allow more with --max-rejects")
            .with_rejects())
    }
}

/// Gives a batch that was decoded before a vector became known the null column for it.
fn widen(batch: RecordBatch, layout: &Layout) -> Result<RecordBatch> {
    let wanted = schema(layout);
    if batch.num_columns() == wanted.fields().len() {
        return Ok(batch);
    }
    let mut columns = batch.columns().to_vec();
    for field in &wanted.fields()[batch.num_columns()..] {
        columns.push(new_null_array(field.data_type(), batch.num_rows()));
    }
    RecordBatch::try_new(wanted, columns).map_err(|e| Error::new(format!("a batch does not fit the dataset: {e}")))
}
