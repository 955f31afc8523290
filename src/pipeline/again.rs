//! Reads single records of a dump again by their places: the originals of duplicates that are rejected after the fact.

use arrow_array::Array;
use arrow_array::cast::AsArray;

use crate::dedupe::Entry;
use crate::error::Result;
use crate::formats::parquet::row_text;
use crate::formats::unpack::Unpack;
use crate::formats::{Chunk, Decoder};
use crate::frame::schema::ORIGINAL_ID;
use crate::frame::vectors::Layout;
use crate::plan::{Input, Plan, PlannedShard, ShardReader};
use crate::source::chunk::{ChunkData, LineChunk};
use crate::source::magic::Encoding;
use crate::source::stream::Stream;

/// The bytes of the losers' records, in the order of `listed`. Empty where a pipe cannot be read again.
pub(super) fn originals(plan: &Plan, listed: &[(Entry, Entry)]) -> Result<Vec<Vec<u8>>> {
    let mut out = vec![Vec::new(); listed.len()];
    for (index, (input, shard)) in plan.shards().enumerate() {
        // Losers are listed in row order, which is byte order within a shard.
        let of_shard = || listed.iter().enumerate().filter(|(_, (loser, _))| loser.place.shard as usize == index).map(|(at, (loser, _))| (at, loser.place));
        if !shard.shard.regular || of_shard().next().is_none() {
            continue;
        }
        if shard.shard.encoding == Encoding::Parquet {
            rows(plan, &input.records_keys, shard, of_shard(), &mut out)?;
            continue;
        }
        if let Some(how) = input.unpacker(shard) {
            unpacked(plan, &input.records_keys, shard, how.as_ref(), of_shard(), &mut out)?;
            continue;
        }
        let mut stream = Stream::open(&shard.shard, plan.budget.window_log)?;
        let (mut buffer, mut base) = (Vec::new(), 0u64);
        for (at, place) in of_shard() {
            let Some(byte) = place.byte else { continue };
            let length = usize::try_from(place.length).unwrap_or(0);
            loop {
                let passed = usize::try_from(byte - base).unwrap_or(usize::MAX).min(buffer.len());
                buffer.drain(..passed);
                base += passed as u64;
                // The place is the line's start; white space or a byte-order mark may stand before the record.
                if base == byte && buffer.len() >= length + 8 {
                    break;
                }
                if stream.fill(&mut buffer, (length + 8).max(1 << 16))? {
                    let passed = usize::try_from(byte - base).unwrap_or(usize::MAX).min(buffer.len());
                    buffer.drain(..passed);
                    base += passed as u64;
                    break;
                }
            }
            let text = buffer.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&buffer).trim_ascii_start();
            out[at] = text[..length.min(text.len())].to_vec();
        }
    }
    Ok(out)
}

/// Records that are not one piece of the shard's text.
fn unpacked(
    plan: &Plan,
    keys: &[String],
    shard: &PlannedShard,
    how: &dyn Unpack,
    wanted: impl Iterator<Item = (usize, crate::reject::Place)>,
    out: &mut [Vec<u8>],
) -> Result<()> {
    let mut wanted = wanted.peekable();
    let mut reader = ShardReader::open(shard, keys, &plan.budget)?;
    let mut before = 0;
    while let (Some(chunk), true) = (reader.next_chunk()?, wanted.peek().is_some()) {
        let records = how.unpack(&chunk, 0);
        for (number, place) in records.places.iter().enumerate() {
            while let Some((at, _)) = wanted.next_if(|(_, w)| w.record == before + place.record) {
                out[at] = records.text(number).to_vec();
            }
        }
        before += (records.places.len() + records.broken.len()) as u64;
    }
    Ok(())
}

fn rows(plan: &Plan, keys: &[String], shard: &PlannedShard, wanted: impl Iterator<Item = (usize, crate::reject::Place)>, out: &mut [Vec<u8>]) -> Result<()> {
    let mut wanted = wanted.peekable();
    let mut reader = ShardReader::open(shard, keys, &plan.budget)?;
    while let (Some(Chunk::Rows { batch, first }), true) = (reader.next_chunk()?, wanted.peek().is_some()) {
        while let Some((at, place)) = wanted.next_if(|(_, place)| place.record <= first + batch.num_rows() as u64) {
            let row = usize::try_from(place.record - 1 - first).unwrap_or(0);
            out[at] = row_text(&batch, row).into_bytes();
        }
    }
    Ok(())
}

/// The id of a record given by its bytes, if it can be read.
pub(super) fn id_of(input: &Input, shard: &PlannedShard, original: &[u8], layout: &Layout) -> Option<String> {
    let data = ChunkData::Owned(original.to_vec());
    let chunk = Chunk::Lines(LineChunk { offset: 0, data, newlines: 0, last: true, oversize: None });
    let decoded = input.text_decoder(shard, 0).ok()?.decode(&chunk, layout).ok()?;
    let ids = decoded.batch.as_ref()?.column_by_name(ORIGINAL_ID)?.as_string_opt::<i32>()?;
    (ids.len() == 1).then(|| ids.value(0).to_owned())
}
