//! The second half of a run: duplicates, headers, commit, indices, and the rename that makes it all visible.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::stage::{Staging, bytes_below};
use super::{Outcome, Run};
use crate::dataset::choose::Metric;
use crate::dataset::commit::{Opened, commit};
use crate::dataset::index::{Built, Order, build, usable};
use crate::dataset::write::FragmentWriter;
use crate::dedupe::{Duplicates, OnDuplicate};
use crate::error::{Error, Result};
use crate::frame::header::{Header, batch};
use crate::frame::identity::Collection;
use crate::frame::schema::{ORIGINAL_ID, schema};
use crate::reject::{Code, Refusal, Reject, printable};
use crate::report::count;

impl Run<'_> {
    /// Every record was refused: nothing to write, and the rejects file says why.
    pub(super) fn nothing(mut self) -> Result<Outcome> {
        self.check_rejects(true)?;
        self.expect_rows()?;
        let rejects_file = self.rejects.finish(&input_paths(self.plan))?;
        if self.counts.rejected == 0 {
            return Err(Error::new("no records: the input is empty").help("check that the export has run to its end"));
        }
        let findings = vec![format!("none of {} records could be converted; no dataset was written", self.counts.read)];
        let layout = (*self.layout()).clone();
        Ok(Outcome {
            counts: self.counts,
            layout,
            built: None,
            seconds: self.seconds,
            version: None,
            output_bytes: 0,
            findings,
            rejects_file,
            duplicates_file: false,
            index_error: None,
        })
    }

    pub(super) fn finish(mut self, staging: Staging, stop: &AtomicBool) -> Result<Outcome> {
        self.expect_rows()?;
        self.check_promises()?;
        let begin = Instant::now();
        self.progress.stage("looking for duplicates");
        let rule = self.output.on_duplicate.unwrap_or(OnDuplicate::Last);
        let dedupe = std::mem::replace(&mut self.dedupe, crate::dedupe::Dedupe::new(&self.output.staging, 0));
        let duplicates = dedupe.finish(rule)?;
        let lost = duplicates.rows.len();
        if rule == OnDuplicate::Reject {
            self.counts.rejected += lost;
            if lost > 0 {
                *self.counts.by_code.entry(Code::DuplicateId.name()).or_default() += lost;
            }
        } else {
            self.counts.deduplicated = lost;
        }
        self.counts.written = self.accepted - lost;
        let layout = self.layout();
        let headers = self.headers(&duplicates);
        self.counts.headers = headers.len() as u64;

        let mut fragments = self.write_headers(&headers)?;
        let header_rows = headers.len() as u64;
        fragments.append(&mut self.written);
        let rows: u64 = fragments.iter().map(crate::dataset::write::Written::rows).sum();
        if rows != self.accepted + header_rows {
            return Err(Error::new(format!("{rows} rows were written, expected {}; this is a defect: please report it", self.accepted + header_rows)));
        }
        let mut opened = commit(self.engine, &self.output.staging, &self.output.compression.mark(&schema(&layout)), fragments)?;
        if lost > 0 {
            self.settle_duplicates(&mut opened, &duplicates, header_rows, rule)?;
        }
        self.check_rejects(true)?;
        self.seconds.push(("commit", begin.elapsed().as_secs_f64()));
        if stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }

        let begin = Instant::now();
        self.progress.stage("building the indices");
        let order = Order { kind: self.plan.index, wishes: self.plan.wishes, metric: self.plan.metric, memory: self.plan.budget.memory };
        let (built, index_error) = match build(self.engine, &mut opened, &order) {
            Ok(built) => (Some(built), None),
            Err(error) => {
                // None of them was committed, and on a full disk their remains are the last thing wanted.
                super::stage::clean(&self.output.staging.join("_indices"));
                (None, Some(error))
            }
        };
        self.seconds.push(("index", begin.elapsed().as_secs_f64()));
        if stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        self.check_rows(&opened, built.as_ref(), header_rows, lost > 0)?;
        if lost > 0 {
            opened.clean(self.engine)?;
        }

        let begin = Instant::now();
        self.progress.stage("flushing to the disk");
        let version = opened.version();
        drop(opened);
        let rejects_file = self.rejects.finish(&input_paths(self.plan))?;
        let duplicates_file = self.duplicates.finish(&input_paths(self.plan))?;
        staging.publish(self.output)?;
        self.seconds.push(("publish", begin.elapsed().as_secs_f64()));
        let findings = self.findings(rule);
        Ok(Outcome {
            output_bytes: bytes_below(&self.output.dataset),
            counts: self.counts,
            layout: (*layout).clone(),
            built,
            seconds: self.seconds,
            version: Some(version),
            findings,
            rejects_file,
            duplicates_file,
            index_error,
        })
    }

    fn expect_rows(&self) -> Result<()> {
        match self.output.expect_rows {
            Some(expected) if expected != self.counts.read => {
                Err(Error::finding(format!("read {} records, expected {expected} (--expect-rows); nothing was committed", self.counts.read))
                    .help("the dump may be cut off at a line end: compare it with its source"))
            }
            _ => Ok(()),
        }
    }

    /// The counts of whole collections against the manifest.
    fn check_promises(&self) -> Result<()> {
        for (input, read) in self.plan.inputs.iter().zip(&self.counts.per_input) {
            if let Some(promised) = input.promised
                && promised != *read
            {
                return Err(Error::finding(format!(
                    "collection {}: {read} records, expected {promised} by the manifest; nothing was committed",
                    printable(&input.collection.name)
                )));
            }
        }
        Ok(())
    }

    /// What was promised is in the dataset: `read = written + rejected + deduplicated`, and the rows are there.
    fn check_rows(&mut self, opened: &Opened, built: Option<&Built>, header_rows: u64, deleted: bool) -> Result<()> {
        let counts = &mut self.counts;
        let defect = |what: String| Err(Error::new(format!("{what}; this is a defect: please report it")));
        if counts.read != counts.written + counts.rejected + counts.deduplicated {
            return defect(format!(
                "read {} is not written {} + rejected {} + deduplicated {}",
                counts.read, counts.written, counts.rejected, counts.deduplicated
            ));
        }
        let rows = opened.rows(self.engine)?;
        if rows != counts.written + header_rows {
            return defect(format!("the dataset has {rows} rows, expected {} records and {header_rows} headers", counts.written));
        }
        let surveyed = built.filter(|b| b.surveyed).map(|b| (b.usable, b.zero));
        let (usable, zero) = match surveyed {
            Some(found) => found,
            // Rows without a vector may be among the deleted ones: count what is there.
            None if deleted => usable(self.engine, opened)?,
            None => return Ok(()),
        };
        if deleted {
            counts.without_vector = counts.written - usable;
            counts.zero_vectors = zero;
        } else if usable + counts.without_vector != counts.written {
            return defect(format!("{usable} vectors in the dataset, expected {}", counts.written - counts.without_vector));
        }
        Ok(())
    }

    /// One header per collection, in the order of the inputs.
    fn headers(&self, duplicates: &Duplicates) -> Vec<Header> {
        let now = migrated();
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        let mut shard = 0u32;
        for (at, input) in self.plan.inputs.iter().enumerate() {
            for _ in &input.shards {
                *counts.entry(at).or_default() += duplicates.by_shard.get(&shard).copied().unwrap_or(0);
                shard += 1;
            }
        }
        let mut headers: Vec<Header> = Vec::new();
        for (at, input) in self.plan.inputs.iter().enumerate() {
            let count = self.accepted_of(at) - counts.get(&at).copied().unwrap_or(0);
            let mut namespaces: Vec<&str> = input.shards.iter().map(|s| s.membership.collection.namespace.as_str()).filter(|n| !n.is_empty()).collect();
            namespaces.sort_unstable();
            namespaces.dedup();
            let known = headers.iter_mut().find(|h| h.collection.source == input.collection.source && h.collection.name == input.collection.name);
            if let Some(header) = known {
                header.count += count;
                add_namespaces(&mut header.facts, &namespaces);
                continue;
            }
            let mut facts = vec![("metric".to_owned(), self.plan.metric.name().to_owned()), ("vectors".to_owned(), self.vectors_text())];
            if let Some(schema) = &input.schema {
                facts.push(("schema".to_owned(), schema.clone()));
            }
            facts.extend(input.facts.iter().cloned());
            add_namespaces(&mut facts, &namespaces);
            let collection = Collection { namespace: String::new(), ..input.collection.clone() };
            headers.push(Header { collection, count, facts, migrated: now.clone() });
        }
        headers
    }

    /// Records of an input that were accepted, duplicates included.
    fn accepted_of(&self, input: usize) -> u64 {
        self.accepted_per_input.get(input).copied().unwrap_or(0)
    }

    /// Every vector with its column, as JSON.
    fn vectors_text(&self) -> String {
        let layout = self.layout();
        let mut all = vec![serde_json::json!({
            "name": layout.main.as_deref().unwrap_or("default"), "column": "vector", "kind": "dense", "dimension": layout.dimension,
        })];
        all.extend(layout.others.iter().map(|v| {
            use crate::frame::vectors::VectorKind::{Dense, Multi, Sparse};
            let (kind, dimension) = match v.kind {
                Dense(d) => ("dense", Some(d)),
                Multi(d) => ("multi", Some(d)),
                Sparse => ("sparse", None),
            };
            serde_json::json!({"name": v.name, "column": v.column, "kind": kind, "dimension": dimension})
        }));
        serde_json::Value::from(all).to_string()
    }

    fn write_headers(&self, headers: &[Header]) -> Result<Vec<crate::dataset::write::Written>> {
        let uri = crate::dataset::uri(&self.output.staging)?;
        let mut writer = FragmentWriter::new(Arc::clone(self.engine), &uri, 16 << 20, self.output.compression);
        let rows = batch(headers, &self.layout()).map_err(|e| Error::new(format!("the headers do not fit the dataset: {e}")))?;
        writer.write(&rows)?;
        writer.finish()
    }

    /// Lists the losers and deletes their rows.
    fn settle_duplicates(&mut self, opened: &mut Opened, duplicates: &Duplicates, header_rows: u64, rule: OnDuplicate) -> Result<()> {
        let names: Vec<String> = self.plan.shards().map(|(_, s)| s.shard.name.clone()).collect();
        let name = |shard: u32| names.get(shard as usize).map_or("?", String::as_str);
        let rows: Vec<u64> = duplicates.listed.iter().map(|(loser, _)| loser.row + header_rows).collect();
        let ids = opened.texts(self.engine, ORIGINAL_ID, &rows)?;
        let listed = duplicates.listed.iter().zip(ids);
        if rule == OnDuplicate::Reject {
            let originals = super::again::originals(self.plan, &duplicates.listed)?;
            for (((loser, winner), id), original) in listed.zip(originals) {
                let reason = format!("the id was met before, at {}", crate::reject::place_text(&winner.place, name(winner.place.shard)));
                let reject = Reject { place: loser.place, id, refusal: Refusal::new(Code::DuplicateId, reason), original };
                if self.counts.examples.len() < super::EXAMPLES {
                    self.counts.examples.push(reject.message(name(loser.place.shard)));
                }
                self.rejects.line(&reject.to_json(name(loser.place.shard)))?;
            }
        } else {
            let place = |p: &crate::reject::Place| serde_json::json!({"shard": name(p.shard), "line": p.line, "byte": p.byte, "record": p.record});
            for ((loser, winner), id) in listed {
                let line = serde_json::json!({"id": id, "dropped": place(&loser.place), "kept": place(&winner.place)});
                self.duplicates.line(&line.to_string())?;
            }
        }
        let shifted = duplicates.rows.iter().map(|row| row + header_rows).collect();
        opened.delete(self.engine, &shifted)
    }

    fn findings(&self, rule: OnDuplicate) -> Vec<String> {
        let counts = &self.counts;
        let mut findings = Vec::new();
        if counts.rejected > 0 {
            findings.push(format!("{} of {} records were rejected", count(counts.rejected), count(counts.read)));
        }
        if counts.deduplicated > 0 && self.output.on_duplicate.is_none() {
            let kept = if rule == OnDuplicate::Last { "last" } else { "first" };
            findings.push(format!("{} records share an id with another one; the {kept} of each was kept, --on-duplicate decides", count(counts.deduplicated)));
        }
        findings
    }

    /// A warning that is no finding: the data are kept as they are.
    pub(super) fn zero_note(counts: &super::Counts, metric: Metric) -> Option<String> {
        (counts.zero_vectors > 0 && metric == Metric::Cosine)
            .then(|| format!("all-zero vectors: {}; cosine cannot rank them, so a search does not return them", count(counts.zero_vectors)))
    }
}

fn add_namespaces(facts: &mut Vec<(String, String)>, namespaces: &[&str]) {
    if namespaces.is_empty() {
        return;
    }
    let old = facts.iter().position(|(k, _)| k == "namespaces");
    let mut all: Vec<String> = old.map(|at| facts.remove(at).1).and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
    all.extend(namespaces.iter().map(|n| (*n).to_owned()));
    all.sort();
    all.dedup();
    facts.push(("namespaces".to_owned(), serde_json::Value::from(all).to_string()));
}

/// Files that this run has read.
fn input_paths(plan: &crate::plan::Plan) -> Vec<&std::path::Path> {
    plan.shards().map(|(_, s)| s.shard.path.as_path()).collect()
}

/// Now, as RFC 3339; `SOURCE_DATE_EPOCH` (seconds since 1970) makes a run repeatable to the byte.
fn migrated() -> String {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|t| t.parse().ok()).and_then(|s| chrono::DateTime::from_timestamp(s, 0));
    given.unwrap_or_else(chrono::Utc::now).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
