//! Looks at the vectors of a dump before they are resized: the sums of which components are made, and the sample by which the cost is told.
//!
//! The sums are taken over every record that is not refused, in the dump's order, in memory that its size does not change. Records that
//! share an id count each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch};

use super::feed::Work;
use super::read::{Event, Shared, read};
use crate::error::{Error, Result};
use crate::frame::pca::{Components, Moments};
use crate::frame::resize::{Method, cosine};
use crate::frame::vectors::{Layout, VectorKind};
use crate::plan::resize::{Resized, Resizing};
use crate::plan::{Plan, Position, ShardReader};
use crate::reject::{excerpt, printable};
use crate::source::magic::Encoding;

/// Vectors of which the cosines are taken, all pairs of them.
const SAMPLE: usize = 256;

/// Makes all components that are missing, one after another.
pub(super) fn fit(plan: &Plan, resizing: &Resizing, stop: &AtomicBool) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(plan.budget.threads)
        .thread_name(|n| format!("fit-{n}"))
        .build()
        .map_err(|e| Error::new(format!("cannot start threads: {e}")))?;
    let missing: Vec<_> = resizing.missing().collect();
    for (collection, step) in missing {
        let needed = Moments::bytes(step.from);
        if needed > plan.budget.memory / 2 {
            return Err(Error::new(format!(
                "principal components of vectors of {} values need {} MiB, more than half of the {} MiB of --memory",
                step.from,
                needed >> 20,
                plan.budget.memory >> 20
            ))
            .help(format!("give --memory {}MiB, or --resize truncate", (needed >> 20) * 2 + 2)));
        }
        let own = |i: &&crate::plan::Input| i.collection.source == collection.source && i.collection.name == collection.name;
        let pipe = plan.inputs.iter().filter(own).flat_map(|i| &i.shards).find(|s| !s.shard.regular);
        if let Some(pipe) = pipe {
            return Err(Error::new(format!("{}: --resize pca reads the dump twice, which a pipe does not allow", printable(&pipe.shard.name)))
                .help("save it to a file first, or use --resize truncate"));
        }
        let made = one(plan, (collection, step.from), resizing.to, &pool, stop)?;
        tracing::info!(collection = %excerpt(&collection.name, 60), from = step.from, kept = made.kept(), "Made principal components.");
        resizing.know(&Arc::new(made));
    }
    Ok(())
}

fn one(plan: &Plan, (collection, from): (&Resized, usize), to: usize, pool: &rayon::ThreadPool, stop: &AtomicBool) -> Result<Components> {
    let view = plan.unresized(collection, from);
    let layout: Shared = Arc::new(RwLock::new(Arc::new(view.layout.clone())));
    let work: Work<Vec<f32>> = Arc::new(|decoded| Ok(decoded.batch.take().map(|b| vectors(&b)).unwrap_or_default()));
    let mut moments = pool.install(|| Moments::new(from));
    read(&view, &layout, Position::default(), stop, &work, &mut |event| {
        if let Event::Part(part) = event {
            pool.install(|| moments.add(&part.made));
        }
        Ok(true)
    })?;
    pool.install(|| moments.components(&collection.source, &collection.name, to))
}

/// The vectors of a batch, one after another; rows without one are left out.
fn vectors(batch: &RecordBatch) -> Vec<f32> {
    let Some(lists) = batch.column_by_name("vector").and_then(|c| c.as_fixed_size_list_opt()) else { return vec![] };
    let length = usize::try_from(lists.value_length()).unwrap_or(0).max(1);
    let Some(values) = lists.values().as_primitive_opt::<Float32Type>() else { return vec![] };
    let rows = values.values().chunks_exact(length).enumerate();
    rows.filter(|(row, vector)| lists.is_valid(*row) && !vector[0].is_nan()).flat_map(|(_, vector)| vector).copied().collect()
}

/// Measures what truncation and projection do to cosine, on a sample from every part of the dump.
pub(super) fn measure(plan: &Plan, resizing: &Resizing, stop: &AtomicBool) -> Result<()> {
    for (collection, step) in resizing.steps().filter(|(_, s)| s.method != Method::Pad) {
        let sample = sample(&plan.unresized(collection, step.from), step.from, stop)?;
        if let Some(cosine) = cosine(&collection.resize, &sample, step.from) {
            let _ = step.cosine.set(cosine);
        }
    }
    Ok(())
}

/// About [`SAMPLE`] vectors: the first few of each chunk. Shards are cut to their end, but little of them is decoded.
fn sample(view: &Plan, from: usize, stop: &AtomicBool) -> Result<Vec<f32>> {
    let chunk = view.budget.limits.chunk as u64;
    let plain = |s: &crate::plan::PlannedShard| s.shard.size * if s.shard.encoding == Encoding::Plain { 1 } else { 4 };
    let chunks: u64 = view.shards().map(|(_, s)| plain(s).div_ceil(chunk).max(1)).sum();
    let each = usize::try_from((SAMPLE as u64).div_ceil(chunks.max(1))).unwrap_or(1);
    let mut all: Vec<f32> = Vec::new();
    // Of too many, every second one goes, and then only every second one comes.
    let (mut stride, mut met) = (1usize, 0usize);
    for (index, (input, shard)) in view.shards().enumerate() {
        let decoder = input.decoder(shard, u32::try_from(index).unwrap_or(0))?;
        let mut reader = ShardReader::open(shard, &input.records_keys, &view.budget)?;
        while let Some(mut chunk) = reader.next_chunk()? {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::interrupted());
            }
            chunk.keep(each);
            let Some(batch) = decoded(decoder.as_ref(), &chunk, &view.layout)? else { continue };
            for vector in vectors(&batch).chunks_exact(from) {
                if met.is_multiple_of(stride) {
                    all.extend(vector);
                }
                met += 1;
                if all.len() >= 2 * SAMPLE * from {
                    all = all.chunks_exact(from).step_by(2).flatten().copied().collect();
                    stride *= 2;
                }
            }
        }
    }
    all.truncate(SAMPLE * from);
    Ok(all)
}

/// The rows of a chunk, whatever other vectors it holds.
fn decoded(decoder: &dyn crate::formats::Decoder, chunk: &crate::formats::Chunk, layout: &Layout) -> Result<Option<RecordBatch>> {
    let mut layout = layout.clone();
    loop {
        let decoded = decoder.decode(chunk, &layout).map_err(|e| Error::new(format!("a chunk cannot be decoded: {e}")))?;
        if decoded.unknown.is_empty() {
            return Ok(decoded.batch);
        }
        for (name, kind) in &decoded.unknown {
            if layout.other(name, *kind == VectorKind::Sparse).is_none() {
                layout.add(name, *kind);
            }
        }
    }
}
