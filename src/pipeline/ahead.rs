//! Reads shards ahead of their turn, each on a thread of its own: decompressing one keeps one core busy, and the next shards need
//! not wait for it. Chunks still come out in shard and byte order. Not the cutting (`source::chunk`) and not the decoding.
//!
//! A reader is at most two chunks ahead, so memory stays bounded; they hold no share of the budget, which the shard whose
//! turn it is may need to go on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use super::feed::{check_package, check_promise};
use crate::error::Result;
use crate::formats::Chunk;
use crate::formats::detect::Framing;
use crate::plan::{Input, Plan, PlannedShard, Position, ShardReader};
use crate::source::magic::Encoding;

/// `--memory` for each shard that is read at the same time: two chunks, a decompressor's window, Parquet pages.
const MEMORY: u64 = 256 << 20;

/// The shards of a run in their order, some of them already being read.
pub(super) struct Ahead<'s, 'e> {
    scope: &'s Scope<'s, 'e>,
    plan: &'e Plan,
    from: Position,
    stop: &'e AtomicBool,
    waiting: VecDeque<(u32, usize, &'e Input, &'e PlannedShard)>,
    reading: VecDeque<Reading<'e>>,
    most: usize,
}

/// A shard's number, its input's number, the input, the shard, and its chunks.
pub(super) type Reading<'e> = (u32, usize, &'e Input, &'e PlannedShard, Receiver<Result<Chunk>>);

impl<'s, 'e> Ahead<'s, 'e> {
    /// Shards before `from` are left out.
    pub(super) fn new(scope: &'s Scope<'s, 'e>, plan: &'e Plan, from: Position, stop: &'e AtomicBool) -> Self {
        let all = plan.inputs.iter().enumerate().flat_map(|(at, input)| input.shards.iter().map(move |shard| (at, input, shard)));
        let waiting: VecDeque<_> = (0..).zip(all).map(|(index, (at, input, shard))| (index, at, input, shard)).skip(from.shard as usize).collect();
        // Mapped lines need no reader of their own: a window costs next to nothing.
        let costly = |shard: &PlannedShard| shard.shard.encoding != Encoding::Plain || shard.framing != Framing::Lines || shard.promise.is_some();
        let affordable = usize::try_from(plan.budget.memory / MEMORY).unwrap_or(usize::MAX);
        let most = if waiting.iter().any(|(.., shard)| costly(shard)) { affordable.min(plan.budget.threads).max(1) } else { 1 };
        Self { scope, plan, from, stop, waiting, reading: VecDeque::new(), most }
    }

    /// The next shard.
    pub(super) fn next(&mut self) -> Option<Reading<'e>> {
        while self.reading.len() < self.most
            && let Some((index, at, input, shard)) = self.waiting.pop_front()
        {
            let (sender, receiver) = sync_channel(1);
            let (plan, stop) = (self.plan, self.stop);
            let from = if index == self.from.shard { self.from } else { Position::default() };
            self.scope.spawn(move || {
                if let Err(error) = read(plan, input, shard, &from, &sender, stop) {
                    // Nobody listens after an error elsewhere.
                    let _ = sender.send(Err(error));
                }
            });
            self.reading.push_back((index, at, input, shard, receiver));
        }
        self.reading.pop_front()
    }
}

fn read(plan: &Plan, input: &Input, shard: &PlannedShard, from: &Position, sender: &SyncSender<Result<Chunk>>, stop: &AtomicBool) -> Result<()> {
    check_promise(shard)?;
    let mut reader = ShardReader::open_at(shard, &input.records_keys, &plan.budget, from)?;
    while let Some(chunk) = reader.next_chunk()? {
        if stop.load(Ordering::Relaxed) || sender.send(Ok(chunk)).is_err() {
            return Ok(());
        }
    }
    check_package(shard, &reader)
}
