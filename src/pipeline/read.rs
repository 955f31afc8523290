//! Reads everything that a plan names, in shard and byte order, decoded on all cores: what converting and verifying share.
//!
//! Writes nothing and keeps no record: what becomes of a decoded chunk is its caller's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, RwLock};

use super::feed::{Answer, Budgeted, Feeder, Item, Work};
use crate::error::{Error, Result};
use crate::formats::{Chunk, Decoded, Decoder};
use crate::frame::vectors::{Layout, VectorKind};
use crate::plan::{Plan, Position};
use crate::reject::{Place, printable};

/// The vectors known so far; it grows while a run goes on.
pub(crate) type Shared = Arc<RwLock<Arc<Layout>>>;

/// The layout as it is now.
pub(crate) fn current(shared: &Shared) -> Arc<Layout> {
    shared.read().map_or_else(|e| Arc::clone(&e.into_inner()), |l| Arc::clone(&l))
}

/// One decoded chunk, with its places counted from the start of its shard.
pub(crate) struct Part<T> {
    /// Number of its input.
    pub(crate) input: usize,
    /// What it said.
    pub(crate) decoded: Decoded,
    /// What was made of that in the pool.
    pub(crate) made: T,
    /// Its plain bytes.
    pub(crate) bytes: u64,
    /// Where the next chunk begins.
    pub(crate) next: Position,
}

/// What comes, in order.
pub(crate) enum Event<T> {
    /// A chunk.
    Part(Box<Part<T>>),
    /// The shard that ends at this position is read; its input, its records, its bytes on disk.
    End {
        /// Number of the input.
        input: usize,
        /// The end of the shard.
        at: Position,
        /// Bytes on disk.
        bytes: u64,
    },
}

/// Reads from `from` to the end, or until `visit` answers false. `work` runs in the pool on every chunk whose vectors are all
/// known.
///
/// # Errors
/// The input cannot be read, `visit` or `work` fails, or the user interrupts.
pub(crate) fn read<T: Send + 'static>(
    plan: &Plan,
    layout: &Shared,
    from: Position,
    stop: &AtomicBool,
    work: &Work<T>,
    visit: &mut dyn FnMut(Event<T>) -> Result<bool>,
) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(plan.budget.threads)
        .thread_name(|n| format!("decode-{n}"))
        .build()
        .map_err(|e| Error::new(format!("cannot start decoding threads: {e}")))?;
    let budget = Budgeted::new(plan.budget.in_flight);
    let (items, queue) = sync_channel::<Item<T>>(plan.budget.threads * 4);
    std::thread::scope(|scope| {
        let feeder = Feeder { plan, from, pool: &pool, budget: &budget, layout, work, stop };
        scope.spawn(move || feeder.feed(&items));
        let done = Consumer { layout, work, stop, at: from }.consume(&queue, visit);
        // The feeder may wait for room or for the queue: let it see that nobody is listening.
        drop(queue);
        budget.close();
        done
    })
}

struct Consumer<'a, T> {
    layout: &'a Shared,
    work: &'a Work<T>,
    stop: &'a AtomicBool,
    at: Position,
}

impl<T> Consumer<'_, T> {
    fn consume(mut self, queue: &Receiver<Item<T>>, visit: &mut dyn FnMut(Event<T>) -> Result<bool>) -> Result<()> {
        for item in queue {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::interrupted());
            }
            match item {
                Item::Failed(error) => return Err(error),
                Item::Start(index) if index == self.at.shard => {}
                Item::Start(index) => self.at = Position { shard: index, ..Position::default() },
                Item::End { input, bytes } => {
                    if !visit(Event::End { input, at: self.at, bytes })? {
                        return Ok(());
                    }
                }
                Item::Chunk { result, decoder, permit, input, bytes } => {
                    let answer = result.recv().map_err(|_| Error::new("a decoding thread died; this is a defect: please report it"))?;
                    let part = self.part(answer, decoder.as_ref(), input, bytes)?;
                    if !visit(Event::Part(Box::new(part)))? {
                        return Ok(());
                    }
                    drop(permit);
                }
            }
        }
        // Asked to stop, the readers end without a word.
        if self.stop.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
    }

    fn part(&mut self, (chunk, decoded, made): Answer<T>, decoder: &dyn Decoder, input: usize, bytes: u64) -> Result<Part<T>> {
        let failed = |e: arrow_schema::ArrowError| Error::new(format!("a chunk cannot be decoded: {e}"));
        let (mut decoded, made) = match (decoded.map_err(failed)?, made) {
            (decoded, Some(made)) => (decoded, made?),
            (decoded, None) => {
                let mut decoded = self.settle(&chunk, decoded, decoder)?;
                let made = (self.work)(&mut decoded)?;
                (decoded, made)
            }
        };
        // Lines are counted within a chunk, records within all chunks but those of rows.
        let lines = if matches!(chunk, Chunk::Lines(_)) { self.at.lines } else { 0 };
        let records = if matches!(chunk, Chunk::Rows { .. }) { 0 } else { self.at.records };
        let shift = |place: &mut Place| {
            place.line = place.line.map(|l| l + lines);
            place.record += records;
        };
        decoded.origins.iter_mut().for_each(|o| shift(&mut o.place));
        decoded.rejects.iter_mut().for_each(|r| shift(&mut r.place));
        self.at.lines += decoded.lines;
        self.at.records += decoded.records;
        self.at.offset = end(&chunk);
        Ok(Part { input, decoded, made, bytes, next: self.at })
    }

    /// A chunk that holds a vector which nobody knew is decoded again, now that it has a column. Chunks come in order, so
    /// columns are added in the order of the records, whatever the number of threads.
    fn settle(&self, chunk: &Chunk, mut decoded: Decoded, decoder: &dyn Decoder) -> Result<Decoded> {
        loop {
            let mut layout = (*current(self.layout)).clone();
            for (name, kind) in &decoded.unknown {
                let sparse = *kind == VectorKind::Sparse;
                if layout.other(name, sparse).is_none() {
                    layout.add(name, *kind);
                    tracing::info!(name = %printable(name), kind = %kind.describe(), "Found a vector that the first records do not have.");
                }
            }
            if let Ok(mut shared) = self.layout.write() {
                *shared = Arc::new(layout.clone());
            }
            decoded = decoder.decode(chunk, &layout).map_err(|e| Error::new(format!("a chunk cannot be decoded: {e}")))?;
            if decoded.unknown.is_empty() {
                return Ok(decoded);
            }
        }
    }
}

/// Where the chunk ends in the plain bytes of its shard. Only lines are found again by it.
fn end(chunk: &Chunk) -> u64 {
    match chunk {
        Chunk::Lines(lines) => match lines.oversize {
            Some(length) => lines.offset + length + u64::from(!lines.last),
            None => lines.offset + lines.data.bytes().len() as u64,
        },
        Chunk::Elements(elements) => elements.offset + elements.data.len() as u64,
        Chunk::Rows { .. } => 0,
    }
}
