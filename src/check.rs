//! `inspect --check`: reads every shard to its end and holds it against its manifest. Writes nothing.
//!
//! Not a conversion: batches are thrown away. What differs is collected, not stopped at, because the list is the point.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::manifest::Part;
use crate::plan::{Input, Plan, PlannedShard, ShardReader, is_inside, manifest_of};
use crate::reject::{excerpt, printable};
use crate::report::{CheckReport, PartCheck};
use crate::source::checksum::sha256;

/// Checks all shards.
///
/// # Errors
/// Only that the user interrupts; a shard that cannot be read is a finding.
pub fn check(plan: &Plan, stop: &AtomicBool) -> Result<CheckReport> {
    let mut parts = Vec::new();
    let mut findings = Vec::new();
    for (at, input) in plan.inputs.iter().enumerate() {
        let mut read = 0;
        for shard in &input.shards {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::interrupted());
            }
            let part = check_part(plan, input, shard, u32::try_from(at).unwrap_or(0), stop);
            read += part.rows;
            findings.extend(part.findings.iter().map(|f| format!("{}: {f}", printable(&part.name))));
            parts.push(part);
        }
        if let Some(promised) = input.promised
            && promised != read
        {
            findings.push(format!("collection {}: {read} records, expected {promised} by the manifest", printable(&input.collection.name)));
        }
        findings.extend(input.missing(read));
    }
    let read = parts.iter().map(|p| p.rows).sum();
    let rejected: u64 = parts.iter().map(|p| p.rejected).sum();
    if rejected > 0 {
        findings.push(format!("{rejected} records would be rejected"));
    }
    Ok(CheckReport { parts, read, rejected, findings })
}

/// Holds the files of snapshots against their manifests by size and checksum alone, for dumps so damaged that no plan can be
/// made of them. `why` is what the plan failed with.
///
/// # Errors
/// None of the dumps is a snapshot.
pub fn files(dumps: &[PathBuf], why: &Error) -> Result<CheckReport> {
    let mut parts = Vec::new();
    for dump in dumps {
        let Some(manifest) = manifest_of(dump)? else { continue };
        for promise in manifest.collections.iter().flat_map(|c| &c.parts) {
            let mut part = PartCheck { name: promise.path.clone(), rows: 0, rejected: 0, bytes: 0, sha256: None, findings: vec![] };
            // A path that leads elsewhere is named by the plan's error; it is not followed.
            if is_inside(&promise.path) {
                compare(&dump.join(&promise.path), Some(promise), &mut part);
            } else {
                part.findings.push("lies outside of the snapshot's folder".to_owned());
            }
            parts.push(part);
        }
    }
    let mut findings: Vec<String> = parts.iter().flat_map(|p| p.findings.iter().map(move |f| format!("{}: {f}", printable(&p.name)))).collect();
    findings.push(format!("the records could not be counted: {why}"));
    Ok(CheckReport { parts, read: 0, rejected: 0, findings })
}

/// A file against its part's size and checksum.
fn compare(path: &Path, promise: Option<&Part>, part: &mut PartCheck) {
    match sha256(path) {
        Ok((sum, bytes)) => {
            if let Some(promise) = promise {
                if bytes != promise.bytes {
                    part.findings.push(format!("{bytes} bytes, expected {}", promise.bytes));
                }
                if !sum.eq_ignore_ascii_case(&promise.sha256) {
                    part.findings.push(format!("SHA-256 {sum}, expected {}", excerpt(&promise.sha256, 64)));
                }
            }
            part.bytes = bytes;
            part.sha256 = Some(sum);
        }
        Err(error) => part.findings.push(error.to_string()),
    }
}

fn check_part(plan: &Plan, input: &Input, shard: &PlannedShard, index: u32, stop: &AtomicBool) -> PartCheck {
    let mut part = PartCheck { name: shard.shard.name.clone(), rows: 0, rejected: 0, bytes: shard.shard.size, sha256: None, findings: vec![] };
    if shard.shard.regular {
        compare(&shard.shard.path, shard.promise.as_ref(), &mut part);
    }
    if let Err(error) = read(plan, input, shard, index, stop, &mut part) {
        part.findings.push(error.to_string());
    } else if let Some(promise) = &shard.promise
        && promise.rows != part.rows
    {
        part.findings.push(format!("{} records, expected {}", part.rows, promise.rows));
    }
    part
}

fn read(plan: &Plan, input: &Input, shard: &PlannedShard, index: u32, stop: &AtomicBool, part: &mut PartCheck) -> Result<()> {
    let decoder = input.decoder(shard, index)?;
    let mut reader = ShardReader::open(shard, &input.records_keys, &plan.budget)?;
    let mut layout = Arc::new(plan.layout.clone());
    while let Some(chunk) = reader.next_chunk()? {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        loop {
            let decoded = decoder.decode(&chunk, &layout).map_err(|e| Error::new(format!("a chunk cannot be decoded: {e}")))?;
            if decoded.unknown.is_empty() {
                part.rows += decoded.records;
                part.rejected += decoded.rejects.len() as u64;
                break;
            }
            let mut wider = (*layout).clone();
            for (name, kind) in &decoded.unknown {
                if wider.other(name, *kind == crate::frame::vectors::VectorKind::Sparse).is_none() {
                    wider.add(name, *kind);
                }
            }
            layout = Arc::new(wider);
        }
    }
    Ok(())
}
