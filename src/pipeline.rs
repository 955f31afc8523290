//! The whole order of a conversion, and the only file that knows it: shard → chunk → batch → fragment → commit → indices.
//!
//! One thread feeds chunks in shard and byte order, a pool decodes them, this thread takes the results in the same order
//! and writes. What is under way is bounded in bytes, so memory does not depend on the input.

mod again;
mod ahead;
mod feed;
mod finish;
mod log;
mod stage;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use arrow_array::{RecordBatch, new_null_array};

use crate::cli::MaxRejects;
use crate::dataset::Engine;
use crate::dataset::index::Built;
use crate::dataset::write::{FragmentWriter, Written};
use crate::dedupe::{Dedupe, Entry};
use crate::error::{Error, Result};
use crate::formats::{Chunk, Decoded, Decoder};
use crate::frame::schema::schema;
use crate::frame::vectors::Layout;
use crate::plan::{Output, Plan};
use crate::reject::printable;

use feed::{Budgeted, Item};
use log::Beside;
pub use stage::{Scratch, clean};

/// Where the user can follow the run.
pub trait Progress: Send + Sync {
    /// A stage begins.
    fn stage(&self, name: &str);
    /// So many bytes of input are read, so many records accepted.
    fn advance(&self, bytes: u64, records: u64);
}

/// What a run counted.
#[derive(Debug, Default)]
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
    /// Header rows.
    pub headers: u64,
    /// Rejects by code.
    pub by_code: BTreeMap<&'static str, u64>,
    /// Bytes of the shards on disk.
    pub bytes: u64,
    /// The first few rejects as messages.
    pub examples: Vec<String>,
    /// Records read, per input.
    pub per_input: Vec<u64>,
}

/// What a run made.
#[derive(Debug)]
pub struct Outcome {
    /// The counts; `read = written + rejected + deduplicated` holds.
    pub counts: Counts,
    /// The vectors as written.
    pub layout: Layout,
    /// The indices; `None` if no dataset was written.
    pub built: Option<Built>,
    /// Seconds per stage, in order.
    pub seconds: Vec<(&'static str, f64)>,
    /// Version of the dataset; `None` if none was written.
    pub version: Option<u64>,
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
        Run::zero_note(&self.counts, plan.metric).into_iter().collect()
    }
}

/// Rejects shown in the report.
const EXAMPLES: usize = 5;

/// Converts.
///
/// # Errors
/// The run cannot go on. Nothing is committed then, and the staging folder is gone.
pub fn convert(plan: &Plan, output: &Output, engine: &Arc<Engine>, stop: &AtomicBool, progress: &dyn Progress) -> Result<Outcome> {
    let staging = stage::Staging::create(output)?;
    let mut run = Run::new(plan, output, engine, progress);
    let read = Instant::now();
    progress.stage("converting");
    run.convert(stop)?;
    run.seconds.push(("convert", read.elapsed().as_secs_f64()));
    if run.accepted == 0 {
        return run.nothing();
    }
    run.finish(staging, stop)
}

struct Run<'p> {
    plan: &'p Plan,
    output: &'p Output,
    engine: &'p Arc<Engine>,
    progress: &'p dyn Progress,
    layout: Arc<RwLock<Arc<Layout>>>,
    counts: Counts,
    rejects: Beside<'p>,
    duplicates: Beside<'p>,
    dedupe: Dedupe,
    /// Rows handed to the writer.
    accepted: u64,
    /// The same, per input.
    accepted_per_input: Vec<u64>,
    seconds: Vec<(&'static str, f64)>,
    written: Vec<Written>,
}

/// What the shard under way has had so far.
#[derive(Debug, Default)]
struct ShardCounts {
    index: u32,
    lines: u64,
    records: u64,
}

impl<'p> Run<'p> {
    fn new(plan: &'p Plan, output: &'p Output, engine: &'p Arc<Engine>, progress: &'p dyn Progress) -> Self {
        Self {
            plan,
            output,
            engine,
            progress,
            layout: Arc::new(RwLock::new(Arc::new(plan.layout.clone()))),
            counts: Counts { per_input: vec![0; plan.inputs.len()], ..Counts::default() },
            rejects: Beside::new(&output.rejects),
            duplicates: Beside::new(&output.duplicates),
            dedupe: Dedupe::new(&output.staging, plan.budget.memory / 8),
            accepted: 0,
            accepted_per_input: vec![0; plan.inputs.len()],
            seconds: Vec::new(),
            written: Vec::new(),
        }
    }

    fn layout(&self) -> Arc<Layout> {
        self.layout.read().map_or_else(|e| Arc::clone(&e.into_inner()), |l| Arc::clone(&l))
    }

    fn convert(&mut self, stop: &AtomicBool) -> Result<()> {
        let uri = crate::dataset::uri(&self.output.staging)?;
        let cache = (self.plan.budget.memory / 8).clamp(16 << 20, 128 << 20);
        let rows = crate::dataset::index::fragment_rows(self.plan.budget.memory, self.plan.layout.dimension);
        let mut writer = FragmentWriter::with_rows(Arc::clone(self.engine), &uri, cache, self.output.compression, rows);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.plan.budget.threads)
            .thread_name(|n| format!("decode-{n}"))
            .build()
            .map_err(|e| Error::new(format!("cannot start decoding threads: {e}")))?;
        let budget = Budgeted::new(self.plan.budget.in_flight);
        let (items, queue) = sync_channel::<Item>(self.plan.budget.threads * 4);
        let plan = self.plan;
        let layout = Arc::clone(&self.layout);
        std::thread::scope(|scope| {
            let budget = &budget;
            let pool = &pool;
            scope.spawn(move || feed::feed(plan, pool, budget, &layout, &items, stop));
            let done = self.consume(&queue, &mut writer, stop);
            // The feeder may wait for room or for the queue: let it see that nobody is listening.
            drop(queue);
            budget.close();
            done
        })?;
        self.written = writer.finish()?;
        Ok(())
    }

    fn consume(&mut self, queue: &std::sync::mpsc::Receiver<Item>, writer: &mut FragmentWriter, stop: &AtomicBool) -> Result<()> {
        let mut shard = ShardCounts::default();
        for item in queue {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::interrupted());
            }
            match item {
                Item::Failed(error) => return Err(error),
                Item::Start(index) => shard = ShardCounts { index, ..ShardCounts::default() },
                Item::End { input, bytes } => {
                    self.end_of_shard(&shard, input)?;
                    self.counts.bytes += bytes;
                }
                Item::Chunk { result, decoder, permit, input, bytes } => {
                    let (chunk, decoded) = result.recv().map_err(|_| Error::new("a decoding thread died; this is a defect: please report it"))?;
                    let decoded = self.settle(&chunk, decoded, decoder.as_ref())?;
                    let relative = matches!(chunk, Chunk::Lines(_));
                    let absolute = matches!(chunk, Chunk::Rows { .. });
                    drop(chunk);
                    self.counts.per_input[input] += decoded.records;
                    self.accepted_per_input[input] += decoded.origins.len() as u64;
                    self.take(decoded, &mut shard, relative, absolute, writer)?;
                    drop(permit);
                    self.progress.advance(bytes, self.accepted);
                }
            }
        }
        // Asked to stop, the readers end without a word.
        if stop.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
    }

    /// A chunk that holds a vector which nobody knew is decoded again, now that it has a column. Chunks come in order, so
    /// columns are added in the order of the records, whatever the number of threads.
    fn settle(&self, chunk: &Chunk, decoded: std::result::Result<Decoded, arrow_schema::ArrowError>, decoder: &dyn Decoder) -> Result<Decoded> {
        let failed = |e: arrow_schema::ArrowError| Error::new(format!("a chunk cannot be decoded: {e}"));
        let mut decoded = decoded.map_err(failed)?;
        while !decoded.unknown.is_empty() {
            let mut layout = (*self.layout()).clone();
            for (name, kind) in &decoded.unknown {
                let sparse = *kind == crate::frame::vectors::VectorKind::Sparse;
                if layout.other(name, sparse).is_none() {
                    layout.add(name, *kind);
                    tracing::info!(name = %printable(name), kind = %kind.describe(), "Found a vector that the first records do not have.");
                }
            }
            if let Ok(mut shared) = self.layout.write() {
                *shared = Arc::new(layout.clone());
            }
            decoded = decoder.decode(chunk, &layout).map_err(failed)?;
        }
        Ok(decoded)
    }

    fn take(&mut self, decoded: Decoded, shard: &mut ShardCounts, relative: bool, absolute: bool, writer: &mut FragmentWriter) -> Result<()> {
        let lines = if relative { shard.lines } else { 0 };
        let records = if absolute { 0 } else { shard.records };
        for mut reject in decoded.rejects {
            reject.place.line = reject.place.line.map(|l| l + lines);
            reject.place.record += records;
            self.counts.rejected += 1;
            *self.counts.by_code.entry(reject.refusal.code.name()).or_default() += 1;
            let (_, planned) = self.plan.shards().nth(shard.index as usize).ok_or_else(|| Error::new("a shard without a plan"))?;
            if self.counts.examples.len() < EXAMPLES {
                self.counts.examples.push(reject.message(&planned.shard.name));
            }
            tracing::debug!("{}", reject.message(&planned.shard.name));
            self.rejects.line(&reject.to_json(&planned.shard.name))?;
        }
        for origin in &decoded.origins {
            let mut place = origin.place;
            place.line = place.line.map(|l| l + lines);
            place.record += records;
            self.dedupe.push(Entry { uuid: origin.uuid, row: self.accepted, place })?;
            self.accepted += 1;
        }
        self.counts.read += decoded.records;
        self.counts.without_vector += decoded.without_vector;
        self.counts.zero_vectors += decoded.zero_vectors;
        shard.lines += decoded.lines;
        shard.records += decoded.records;
        if let Some(batch) = decoded.batch {
            writer.write(&widen(batch, &self.layout())?)?;
        }
        self.check_rejects(false)
    }
}

impl Run<'_> {
    /// Holds a shard against what its manifest promised.
    fn end_of_shard(&mut self, shard: &ShardCounts, input: usize) -> Result<()> {
        let Some((_, planned)) = self.plan.shards().nth(shard.index as usize) else { return Ok(()) };
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
            .help("mend the records, or allow more with --max-rejects"))
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
