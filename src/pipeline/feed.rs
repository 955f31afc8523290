//! The feeding thread: opens shard after shard, cuts chunks, and hands each to the pool, in order and within the budget.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, RwLock};

use arrow_schema::ArrowError;

use super::ahead::Ahead;
use crate::error::{Error, Result};
use crate::formats::{Chunk, Decoded, Decoder};
use crate::frame::vectors::Layout;
use crate::plan::{Input, Plan, PlannedShard, Position, ShardReader};
use crate::reject::{excerpt, printable};
use crate::source::checksum::sha256;

/// What the consumer gets, in order.
pub(super) enum Item<T> {
    /// The shard with this number begins.
    Start(u32),
    /// A chunk that is being decoded.
    Chunk { result: Receiver<Answer<T>>, decoder: Arc<dyn Decoder>, permit: Permit, input: usize, bytes: u64 },
    /// The shard is read.
    End { input: usize, bytes: u64 },
    /// The run cannot go on.
    Failed(Error),
}

/// A chunk, what it says, and what was made of that; nothing was made of it if it holds vectors that nobody knew.
pub(super) type Answer<T> = (Chunk, std::result::Result<Decoded, ArrowError>, Option<Result<T>>);

/// What the pool does with a decoded chunk, beside decoding it.
pub(crate) type Work<T> = Arc<dyn Fn(&mut Decoded) -> Result<T> + Send + Sync>;

/// Bytes that may be under way.
#[derive(Debug, Clone)]
pub(super) struct Budgeted(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    most: u64,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    closed: bool,
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Inner>, u64);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.state.lock() {
            state.used -= self.1;
        }
        self.0.changed.notify_all();
    }
}

impl Budgeted {
    pub(super) fn new(most: u64) -> Self {
        Self(Arc::new(Inner { state: Mutex::default(), changed: Condvar::new(), most }))
    }

    /// Waits for room; a single share larger than the whole budget goes alone. `None` when nobody is listening any more.
    fn acquire(&self, bytes: u64) -> Option<Permit> {
        let mut state = self.0.state.lock().ok()?;
        while !state.closed && state.used > 0 && state.used + bytes > self.0.most {
            state = self.0.changed.wait(state).ok()?;
        }
        if state.closed {
            return None;
        }
        state.used += bytes;
        Some(Permit(Arc::clone(&self.0), bytes))
    }

    pub(super) fn close(&self) {
        if let Ok(mut state) = self.0.state.lock() {
            state.closed = true;
        }
        self.0.changed.notify_all();
    }
}

/// A chunk costs about so many times its bytes until it is written: the text, the batch, the writer's pages.
const COST: u64 = 4;
/// And each record about so many bytes for what every row has: uuid, links to its header, our own pairs of metadata.
const ROW: u64 = 1500;

/// What all shards of a run are fed with.
pub(super) struct Feeder<'a, T> {
    pub(super) plan: &'a Plan,
    pub(super) from: Position,
    pub(super) pool: &'a rayon::ThreadPool,
    pub(super) budget: &'a Budgeted,
    pub(super) layout: &'a Arc<RwLock<Arc<Layout>>>,
    pub(super) work: &'a Work<T>,
    pub(super) stop: &'a AtomicBool,
}

impl<T: Send + 'static> Feeder<'_, T> {
    pub(super) fn feed(&self, items: &SyncSender<Item<T>>) {
        std::thread::scope(|scope| {
            let mut ahead = Ahead::new(scope, self.plan, self.from, self.stop);
            while let Some((index, at, input, shard, chunks)) = ahead.next() {
                match self.shard((at, input), (index, shard), &chunks, items) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        // The consumer may be gone already; then it has an error of its own.
                        let _ = items.send(Item::Failed(error));
                        return;
                    }
                }
            }
        });
    }

    /// Gives whether somebody is still listening.
    fn shard(
        &self,
        (at, input): (usize, &Input),
        (index, shard): (u32, &PlannedShard),
        chunks: &Receiver<Result<Chunk>>,
        items: &SyncSender<Item<T>>,
    ) -> Result<bool> {
        if items.send(Item::Start(index)).is_err() {
            return Ok(false);
        }
        let decoder = input.decoder(shard, index)?;
        let mut plain = 0;
        for chunk in chunks {
            let chunk = chunk?;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let bytes = size(&chunk);
            plain += bytes;
            let Some(permit) = self.budget.acquire(cost(&chunk)) else { return Ok(false) };
            let (sender, result) = sync_channel(1);
            let (decoder_there, layout, work) = (Arc::clone(&decoder), Arc::clone(self.layout), Arc::clone(self.work));
            self.pool.spawn(move || {
                let layout = layout.read().map_or_else(|e| Arc::clone(&e.into_inner()), |l| Arc::clone(&l));
                let mut decoded = decoder_there.decode(&chunk, &layout);
                let made = decoded.as_mut().ok().filter(|d| d.unknown.is_empty()).map(|d| work(d));
                // Nobody listens after an error; the result is of no use then.
                let _ = sender.send((chunk, decoded, made));
            });
            if items.send(Item::Chunk { result, decoder: Arc::clone(&decoder), permit, input: at, bytes }).is_err() {
                return Ok(false);
            }
        }
        // The reader's thread ends without a word when it is asked to stop.
        if self.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let bytes = if shard.shard.size > 0 { shard.shard.size } else { plain };
        Ok(items.send(Item::End { input: at, bytes }).is_ok())
    }
}

/// Bytes that a chunk will hold until it is written.
fn cost(chunk: &Chunk) -> u64 {
    let rows = match chunk {
        Chunk::Lines(lines) => lines.newlines,
        Chunk::Elements(elements) => elements.elements.len(),
        Chunk::Rows { batch, .. } => batch.num_rows(),
    };
    size(chunk) * COST + rows as u64 * ROW
}

fn size(chunk: &Chunk) -> u64 {
    match chunk {
        Chunk::Lines(lines) => lines.data.bytes().len() as u64,
        Chunk::Elements(elements) => elements.data.len() as u64,
        Chunk::Rows { batch, .. } => batch.get_array_memory_size() as u64,
    }
}

/// The part's checksum, before a record of it is used.
pub(super) fn check_promise(shard: &PlannedShard) -> Result<()> {
    let Some(promise) = &shard.promise else { return Ok(()) };
    let (sum, bytes) = sha256(&shard.shard.path)?;
    if bytes != promise.bytes || !sum.eq_ignore_ascii_case(&promise.sha256) {
        return Err(Error::finding(format!(
            "{}: SHA-256 {sum} ({bytes} bytes), expected {} ({} bytes) by the manifest; nothing was committed",
            printable(&shard.shard.name),
            excerpt(&promise.sha256, 64),
            promise.bytes
        ))
        .help("copy the part again; `vec2lance inspect --check` lists every part that differs"));
    }
    Ok(())
}

/// The count that a package states about itself.
pub(super) fn check_package(shard: &PlannedShard, reader: &ShardReader) -> Result<()> {
    let info = reader.info();
    let (Some(stated), Some(count)) = (info.get("total_entities"), reader.count()) else { return Ok(()) };
    if stated.parse() == Ok(count) || stated == "null" {
        return Ok(());
    }
    Err(Error::new(format!(
        "{}: total_entities says {}, but the data holds {count} records; nothing was committed",
        printable(&shard.shard.name),
        excerpt(stated, 24)
    ))
    .help("the export is incomplete or was edited: export again, or take total_entities out of the file if the records are right"))
}
