//! `--sample`: about so many records, spread over the whole dump, each looked up by its uuid. A quick look, and no proof.
//!
//! Shards are still cut to their end, but only the first records of each chunk are decoded.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::contract::HeaderRow;
use super::explain::{Wanted, by_uuid};
use super::join::Row;
use super::print::prints;
use super::{Run, Verified, rows_of};
use crate::error::{Error, Result};
use crate::plan::{Plan, ShardReader};
use crate::source::magic::Encoding;

/// Uuids asked for at a time.
const AT_A_TIME: usize = 500;

impl Run<'_> {
    pub(super) fn sample(&self, found: &mut Verified) -> Result<Vec<HeaderRow>> {
        let begin = Instant::now();
        self.progress.stage("sampling the dump");
        let most = self.asked.sample.unwrap_or(0).max(1);
        let rows = self.sampled(most)?;
        found.seconds.push(("dump", begin.elapsed().as_secs_f64()));
        let begin = Instant::now();
        self.progress.stage("comparing");
        let mut suspects = Vec::new();
        for row in &rows {
            found.groups.of_dump(&self.membership(row));
        }
        let met = Arc::new(Mutex::new(std::mem::take(&mut found.groups)));
        for some in rows.chunks(AT_A_TIME) {
            let uuids: Vec<[u8; 16]> = some.iter().map(|r| r.uuid).collect();
            let batch = by_uuid(self.opened, self.engine, &uuids)?;
            let there = rows_of(&batch, &met)?;
            for row in some {
                let own: Vec<&Row> = there.iter().filter(|r| r.uuid == row.uuid).collect();
                match own.as_slice() {
                    [one] if one.print == row.print => found.verified += 1,
                    _ => suspects.push(row.uuid),
                }
            }
        }
        if let Ok(mut met) = met.lock() {
            found.groups = std::mem::take(&mut met);
        }
        found.read = rows.len() as u64;
        if !suspects.is_empty() {
            self.look_again(&suspects, found)?;
        }
        found.notes.push(format!("a sample of {} records was compared; without --sample, every row is", crate::report::count(rows.len() as u64)));
        let headers = self.header_rows()?;
        if headers.is_empty() {
            found.findings.push("the dataset has no header record".to_owned());
        }
        found.seconds.push(("compare", begin.elapsed().as_secs_f64()));
        Ok(headers)
    }

    /// A record that differs may have lost against a later one of the same id: read everything to be sure of those few.
    fn look_again(&self, suspects: &[[u8; 16]], found: &mut Verified) -> Result<()> {
        let mut winners: BTreeMap<[u8; 16], Row> = BTreeMap::new();
        let (sorter, _) = super::dump_side(self.plan, &self.asked.scratch, self.stop, self.progress, &mut |_, _| {})?;
        let mut sorted = sorter.finish()?;
        while let Some(row) = sorted.next_entry()? {
            if !suspects.contains(&row.uuid) {
                continue;
            }
            if self.asked.rule == crate::dedupe::OnDuplicate::Last || !winners.contains_key(&row.uuid) {
                winners.insert(row.uuid, row);
            }
        }
        let met = Mutex::new(std::mem::take(&mut found.groups));
        let mut wanted = Vec::new();
        for row in winners.values() {
            let batch = by_uuid(self.opened, self.engine, &[row.uuid])?;
            let there = rows_of(&batch, &met)?;
            match there.as_slice() {
                [] => {
                    found.missing += 1;
                    wanted.push(Wanted::Missing(*row));
                }
                [one] if one.print == row.print => found.verified += 1,
                [one] => {
                    found.different += 1;
                    wanted.push(Wanted::Different(*row, *one));
                }
                [_, second, ..] => {
                    found.doubled += 1;
                    wanted.push(Wanted::Doubled(*second));
                }
            }
        }
        found.groups = met.into_inner().map_err(|_| Error::new("a thread died"))?;
        // Differences that the cosine allows are taken back one by one, so the group must be able to give them.
        for item in &wanted {
            if let Wanted::Different(a, _) = item {
                found.groups.get_mut(a.group).different += 1;
            }
        }
        self.explain(wanted, found)?;
        for (n, what) in [(found.missing, "missing"), (found.different, "different"), (found.doubled, "doubled")] {
            if n > 0 {
                found.findings.push(format!("{n} of the sampled records: {what}"));
            }
        }
        Ok(())
    }

    fn membership(&self, row: &Row) -> crate::frame::identity::Collection {
        self.plan.shards().nth(row.place.shard as usize).map_or_else(
            || crate::frame::identity::Collection { source: String::new(), name: String::new(), namespace: String::new() },
            |(_, shard)| shard.membership.collection.clone(),
        )
    }

    /// About `most` records from every part of the dump.
    fn sampled(&self, most: u64) -> Result<Vec<Row>> {
        let plan: &Plan = self.plan;
        let chunk = plan.budget.limits.chunk as u64;
        // Compressed text is about a quarter of its size.
        let plain = |s: &crate::plan::PlannedShard| s.shard.size * if s.shard.encoding == Encoding::Plain { 1 } else { 4 };
        let chunks: u64 = plan.shards().map(|(_, s)| plain(s).div_ceil(chunk).max(1)).sum();
        let each = usize::try_from(most.div_ceil(chunks.max(1))).unwrap_or(1);
        let mut rows = Vec::new();
        for (index, (input, shard)) in plan.shards().enumerate() {
            let decoder = input.decoder(shard, u32::try_from(index).unwrap_or(0))?;
            let mut reader = ShardReader::open(shard, &input.records_keys, &plan.budget)?;
            while let Some(mut chunk) = reader.next_chunk()? {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::interrupted());
                }
                chunk.keep(each);
                let failed = |e: arrow_schema::ArrowError| Error::new(format!("a chunk cannot be decoded: {e}"));
                let mut layout = plan.layout.clone();
                let mut decoded = decoder.decode(&chunk, &layout).map_err(failed)?;
                while !decoded.unknown.is_empty() {
                    for (name, kind) in &decoded.unknown {
                        if layout.other(name, *kind == crate::frame::vectors::VectorKind::Sparse).is_none() {
                            layout.add(name, *kind);
                        }
                    }
                    decoded = decoder.decode(&chunk, &layout).map_err(failed)?;
                }
                let Some(batch) = decoded.batch else { continue };
                for (origin, print) in decoded.origins.iter().zip(prints(&batch)?) {
                    // Lines are not counted here, so the byte has to do.
                    rows.push(Row { uuid: origin.uuid, row: 0, print, group: 0, place: origin.place });
                }
            }
        }
        // As evenly as they came.
        let (all, most) = (rows.len(), usize::try_from(most).unwrap_or(usize::MAX).min(rows.len()));
        let mut kept: Vec<Row> = (0..most).map(|at| rows[usize::try_from(at as u64 * all as u64 / most as u64).unwrap_or(0)]).collect();
        kept.sort_by_key(|r| r.uuid);
        kept.dedup_by_key(|r| r.uuid);
        Ok(kept)
    }
}
