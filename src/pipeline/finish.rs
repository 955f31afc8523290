//! The second half of a run: duplicates, headers, commit, indices, and the rename that makes it all visible.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::stage::{Staging, bytes_below};
use super::update::Update;
use super::{Outcome, Run};
use crate::dataset::choose::Metric;
use crate::dataset::commit::{Opened, commit};
use crate::dataset::index::{Built, Order, bring_up, usable};
use crate::dataset::version::seal;
use crate::dataset::write::FragmentWriter;
use crate::dedupe::{Duplicates, OnDuplicate};
use crate::error::{Error, Result};
use crate::frame::header::{Header, batch};
use crate::frame::lean;
use crate::frame::schema::{ORIGINAL_ID, schema};
use crate::plan::Output;
use crate::reject::{Code, Refusal, Reject, printable};
use crate::report::count;

impl Run<'_> {
    /// Every record was refused: nothing to write, and the rejects file says why.
    pub(super) fn nothing(&mut self) -> Result<Outcome> {
        self.check_rejects(true)?;
        self.expect_rows()?;
        let rejects_file = self.finish_rejects()?;
        if self.counts.rejected == 0 {
            return Err(Error::new("no records: the input is empty").help("check that the export has run to its end"));
        }
        let findings = vec![format!("none of {} records could be converted; no dataset was written", self.counts.read)];
        let mut outcome = self.outcome(findings);
        outcome.rejects_file = rejects_file;
        Ok(outcome)
    }

    /// The outcome of a run that wrote no dataset.
    fn outcome(&mut self, findings: Vec<String>) -> Outcome {
        Outcome {
            counts: self.counts.clone(),
            layout: (*self.layout()).clone(),
            links: vec![],
            built: None,
            seconds: std::mem::take(&mut self.seconds),
            version: None,
            tag: None,
            update: None,
            resumed: self.resumed,
            members: vec![],
            meeting: None,
            rejects: self.rejects.path().to_owned(),
            notes: vec![],
            output_bytes: 0,
            findings,
            rejects_file: false,
            duplicates_file: false,
            index_error: None,
        }
    }

    pub(super) fn finish(&mut self, staging: &mut Staging, stop: &AtomicBool, report: &dyn Fn(&Outcome) -> String) -> Result<Outcome> {
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
                *self.counts.by_code.entry(Code::DuplicateId.name().to_owned()).or_default() += lost;
            }
        } else {
            self.counts.deduplicated = lost;
        }
        self.counts.written = self.accepted - lost;
        if self.update.as_ref().is_some_and(Update::is_empty) {
            return self.unchanged(&duplicates, rule);
        }
        let layout = self.layout();
        let members = self.members(&duplicates.by_space);
        let headers = if self.plan.lean.is_some() { vec![] } else { self.headers(&members) };
        self.counts.headers = headers.len() as u64;
        let header_rows = headers.len() as u64;
        let mut fragments = self.write_headers(&headers)?;
        fragments.extend(self.written.iter().cloned());
        let rows: u64 = fragments.iter().map(crate::dataset::write::Written::rows).sum();
        if rows != self.kept + header_rows {
            return Err(Error::new(format!("{rows} rows were written, expected {}; this is a defect: please report it", self.kept + header_rows)));
        }
        let columns = self.plan.lean.map_or_else(|| schema(&layout), |lean| lean.schema(&layout));
        let marked = self.output.compression.mark(&columns);
        let fresh = self.update.is_none();
        let (mut opened, wanted_rows) = match &self.update {
            Some(update) => update.commit(self.engine, self.output, &layout, fragments, header_rows)?,
            None => (commit(self.engine, &self.output.staging, &marked, fragments)?, self.counts.written + header_rows),
        };
        if lost > 0 {
            let rows: Vec<u64> = duplicates.listed.iter().map(|(loser, _)| loser.row + header_rows).collect();
            let ids = if fresh { Some(opened.texts(self.engine, if self.plan.lean.is_some() { lean::ID } else { ORIGINAL_ID }, &rows)?) } else { None };
            self.settle_duplicates(&duplicates, rule, ids.as_deref())?;
            if fresh {
                let shifted = duplicates.rows.iter().map(|row| row + header_rows).collect();
                opened.delete(self.engine, &shifted)?;
            }
        }
        self.check_rejects(true)?;
        self.seconds.push(("commit", begin.elapsed().as_secs_f64()));
        if stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }

        let begin = Instant::now();
        self.progress.stage("building the indices");
        let order = Order {
            kind: self.plan.index,
            wishes: self.plan.wishes,
            metric: self.plan.metric,
            memory: self.plan.budget.memory,
            named: self.plan.named_indices,
        };
        let changed = self.update.as_ref().map(|u| (u.changes().added + u.changes().changed, wanted_rows));
        let brought = bring_up(self.engine, &mut opened, &order, changed).and_then(|built| crate::tune::reach(self.engine, &mut opened, &order, built));
        let (built, index_error) = match brought {
            Ok(built) => (built, None),
            Err(error) => {
                if fresh {
                    // None of them was committed, and on a full disk their remains are the last thing wanted.
                    super::stage::clean(&self.output.staging.join("_indices"));
                }
                (None, Some(error))
            }
        };
        self.seconds.push(("index", begin.elapsed().as_secs_f64()));
        if stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        self.check_rows(&opened, built.as_ref(), wanted_rows, lost > 0)?;
        let links = self.links(&opened)?;
        if lost > 0 && fresh {
            opened.clean(self.engine)?;
        }
        let everywhere = self.update.as_ref().map_or(&members, Update::members);
        let meeting = if self.plan.lean.is_none() && everywhere.iter().filter(|(_, n)| *n > 0).count() > 1 {
            self.progress.stage("looking for ids that meet");
            Some(super::meeting::meeting(self.engine, &opened, &self.output.staging, self.plan.budget.memory)?)
        } else {
            None
        };
        let base = self.update.as_ref().map_or(0, Update::base);
        let (opened, tag) = seal(self.engine, &self.output.staging, opened, base, &self.output.recorded.pairs(self.plan), &self.output.tag)?;

        let begin = Instant::now();
        self.progress.stage("flushing to the disk");
        let version = opened.version();
        drop(opened);
        super::components::keep(self.plan, &self.output.staging)?;
        staging.sync()?;
        self.seconds.push(("flush", begin.elapsed().as_secs_f64()));
        let mut findings = self.findings(rule);
        let mut notes = Vec::new();
        findings.extend(crate::links::finding(&links));
        if let Some(update) = &self.update {
            findings.extend(update.findings());
            notes.extend(update.notes());
        }
        let outcome = Outcome {
            version: Some(version),
            tag: Some(tag),
            links,
            built,
            update: self.update.as_ref().map(Update::changes),
            notes,
            members,
            meeting,
            rejects_file: self.rejects.flush()? > 0,
            duplicates_file: self.duplicates.flush()? > 0,
            output_bytes: bytes_below(&self.output.staging),
            index_error,
            ..self.outcome(findings)
        };
        let text = report(&outcome);
        self.journal.wait()?;
        self.journal.ready(&text)?;
        self.finish_rejects()?;
        self.duplicates.finish(&input_paths(self.plan))?;
        staging.publish(self.output)?;
        super::components::publish(self.output)?;
        write_report(self.output, &text).map_err(|e| {
            let shown = printable(&self.output.dataset.display().to_string());
            Error::new(format!("all rows are in {shown}, but its report could not be written: {e}"))
        })?;
        Ok(outcome)
    }

    /// The second pass: whether the target of every reference is in the dataset.
    fn links(&mut self, opened: &Opened) -> Result<Vec<crate::links::Linked>> {
        let asked = self.plan.inputs.iter().any(|i| !i.mapping.links().keys.is_empty());
        if self.plan.lean.is_some() {
            return Ok(vec![]);
        }
        if self.counts.unseen.references.is_empty() && !(asked && self.update.is_some()) {
            return Ok(vec![]);
        }
        let begin = Instant::now();
        self.progress.stage("checking references");
        let found = crate::links::check(opened, self.engine, &self.plan.targets, &self.output.staging, self.plan.budget.memory)?;
        self.seconds.push(("references", begin.elapsed().as_secs_f64()));
        Ok(found)
    }

    /// The dataset has everything already, as it is in the dump.
    fn unchanged(&mut self, duplicates: &Duplicates, rule: OnDuplicate) -> Result<Outcome> {
        if !duplicates.rows.is_empty() {
            self.settle_duplicates(duplicates, rule, None)?;
        }
        self.check_rejects(true)?;
        let rejects_file = self.finish_rejects()?;
        let duplicates_file = self.duplicates.finish(&input_paths(self.plan))?;
        let mut findings = self.findings(rule);
        let update = self.update.as_ref();
        findings.extend(update.map(Update::findings).unwrap_or_default());
        let mut notes = update.map(Update::notes).unwrap_or_default();
        notes.push("nothing has changed: the dataset and its version stay as they are".to_owned());
        let (update, version) = (update.map(Update::changes), update.map(Update::base));
        let output_bytes = bytes_below(&self.output.dataset);
        Ok(Outcome { version, update, notes, output_bytes, rejects_file, duplicates_file, ..self.outcome(findings) })
    }

    fn finish_rejects(&mut self) -> Result<bool> {
        let there = self.rejects.finish(&input_paths(self.plan))?;
        if let Some(path) = &self.output.errors_json {
            crate::reject::write_errors_json(there.then(|| self.rejects.path()), path)?;
        }
        Ok(there)
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
    fn check_rows(&mut self, opened: &Opened, built: Option<&Built>, wanted: u64, deleted: bool) -> Result<()> {
        let fresh = self.update.is_none();
        let counts = &mut self.counts;
        let defect = |what: String| Err(Error::new(format!("{what}; this is a defect: please report it")));
        if counts.read != counts.written + counts.rejected + counts.deduplicated {
            return defect(format!(
                "read {} is not written {} + rejected {} + deduplicated {}",
                counts.read, counts.written, counts.rejected, counts.deduplicated
            ));
        }
        let rows = opened.rows(self.engine)?;
        if rows != wanted {
            return defect(format!("the dataset has {rows} rows, expected {wanted}, headers counted"));
        }
        if !fresh {
            return Ok(());
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

    fn write_headers(&self, headers: &[Header]) -> Result<Vec<crate::dataset::write::Written>> {
        let uri = crate::dataset::uri(&self.output.staging)?;
        let mut writer = FragmentWriter::new(Arc::clone(self.engine), &uri, 16 << 20, self.output.compression);
        if headers.is_empty() {
            return Ok(vec![]);
        }
        let rows = batch(headers, &self.layout()).map_err(|e| Error::new(format!("the headers do not fit the dataset: {e}")))?;
        writer.write(&rows)?;
        writer.finish()
    }

    /// Lists the losers. Their ids are in the dataset, unless it took only some of the rows.
    fn settle_duplicates(&mut self, duplicates: &Duplicates, rule: OnDuplicate, ids: Option<&[Option<String>]>) -> Result<()> {
        let names: Vec<String> = self.plan.shards().map(|(_, s)| s.shard.name.clone()).collect();
        let name = |shard: u32| names.get(shard as usize).map_or("?", String::as_str);
        let reject = rule == OnDuplicate::Reject;
        let originals = if reject || ids.is_none() { super::again::originals(self.plan, &duplicates.listed)? } else { vec![] };
        let layout = self.layout();
        for (at, (loser, winner)) in duplicates.listed.iter().enumerate() {
            let Some((input, shard)) = self.plan.shards().nth(loser.place.shard as usize) else { continue };
            let original = originals.get(at);
            let id = match ids {
                Some(ids) => ids.get(at).cloned().flatten(),
                None => original.and_then(|text| super::again::id_of(input, shard, text, &layout)),
            };
            if reject {
                let reason = format!("the id was met before, at {}", crate::reject::place_text(&winner.place, name(winner.place.shard)));
                let original = original.cloned().unwrap_or_default();
                let reject = Reject { place: loser.place, id, namespace: None, refusal: Refusal::new(Code::DuplicateId, reason), original };
                if self.counts.examples.len() < super::EXAMPLES {
                    self.counts.examples.push(reject.message(name(loser.place.shard)));
                }
                self.rejects.line(&reject.to_json(name(loser.place.shard), shard.membership.collection.parts(), &input.spec.name))?;
            } else {
                let place = |p: &crate::reject::Place| serde_json::json!({"shard": name(p.shard), "line": p.line, "byte": p.byte, "record": p.record});
                let line = serde_json::json!({"id": id, "dropped": place(&loser.place), "kept": place(&winner.place)});
                self.duplicates.line(&line.to_string())?;
            }
        }
        Ok(())
    }

    fn findings(&self, rule: OnDuplicate) -> Vec<String> {
        let counts = &self.counts;
        let mut findings = crate::frame::promote::findings(&self.layout(), self.plan.lean, &counts.unfit);
        if counts.rejected > 0 {
            findings.push(format!("{} of {} records were rejected", count(counts.rejected), count(counts.read)));
        }
        if counts.deduplicated > 0 && self.output.on_duplicate.is_none() {
            let kept = if rule == OnDuplicate::Last { "last" } else { "first" };
            findings.push(format!("{} records share an id with another one; the {kept} of each was kept, --on-duplicate decides", count(counts.deduplicated)));
        }
        for (input, read) in self.plan.inputs.iter().zip(&counts.per_input) {
            findings.extend(input.missing(*read));
        }
        for (input, end) in &counts.pages {
            if let (Some(next), Some(input)) = (end.open(), self.plan.inputs.get(*input)) {
                let at = input.spec.page.as_ref().and_then(|p| p.next.as_deref()).unwrap_or("/next").trim_start_matches('/').replace('/', ".");
                findings.push(format!("{}: the last page says {at} = {}: the source was not read to its end", printable(&input.dump), printable(next)));
            }
        }
        findings
    }

    /// What a wider type loses in the column `vector`.
    pub(super) fn rounded_note(counts: &super::Counts) -> Option<String> {
        let n = counts.rounded_vectors;
        (n > 0).then(|| format!("{} main vectors have float64 values that are no float32; each was rounded to the nearest", count(n)))
    }

    /// A warning that is no finding: the data are kept as they are.
    pub(super) fn zero_note(counts: &super::Counts, metric: Metric) -> Option<String> {
        (counts.zero_vectors > 0 && metric == Metric::Cosine)
            .then(|| format!("all-zero vectors: {}; cosine cannot rank them, so a search does not return them", count(counts.zero_vectors)))
    }
}

/// Files that this run has read.
pub(super) fn input_paths(plan: &crate::plan::Plan) -> Vec<&Path> {
    plan.shards().map(|(_, s)| s.shard.path.as_path()).collect()
}

/// The rejects file of this run; another one than usual where that is read by it.
pub(super) fn rejects_path(plan: &crate::plan::Plan, output: &Output) -> PathBuf {
    let inputs: Vec<PathBuf> = input_paths(plan).into_iter().filter_map(|p| p.canonicalize().ok()).collect();
    let read = |path: &Path| path.canonicalize().is_ok_and(|p| inputs.contains(&p));
    let numbered = |n: u32| output.rejects.with_extension(format!("{n}.jsonl"));
    if read(&output.rejects) { (2..10_000).map(numbered).find(|path| !read(path)).unwrap_or_else(|| output.rejects.clone()) } else { output.rejects.clone() }
}

/// Now, as RFC 3339; `SOURCE_DATE_EPOCH` (seconds since 1970) makes a run repeatable to the byte.
pub(super) fn now() -> String {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|t| t.parse().ok()).and_then(|s| chrono::DateTime::from_timestamp(s, 0));
    given.unwrap_or_else(chrono::Utc::now).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The report appears whole.
fn write_report(output: &Output, text: &str) -> Result<()> {
    let partial = crate::plan::unfinished(&output.report);
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &output.report));
    written.map_err(|e| {
        super::stage::clean(&partial);
        Error::io("write", &output.report, &e)
    })
}

/// Does what a run that died at its very end had left to do: names for the rejects, the dataset and the report.
pub(super) fn publish_ready(mut staging: Staging, output: &Output, text: &str) -> Result<()> {
    let report: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let rejects = report.get("rejects_file").and_then(serde_json::Value::as_str).map_or_else(|| output.rejects.clone(), PathBuf::from);
    for path in [&rejects, &output.duplicates] {
        let partial = crate::plan::unfinished(path);
        if partial.is_file() {
            std::fs::rename(&partial, path).map_err(|e| Error::io("rename", &partial, &e))?;
        }
    }
    if staging.found() {
        staging.publish(output)?;
    } else {
        staging.discard();
        Staging::settled(output)?;
    }
    super::components::publish(output)?;
    write_report(output, text)?;
    staging.end(output)
}
