//! Proves that a dataset holds what a dump says: both are read to the end, and every row is held against its record.
//!
//! Shares no state with the run that made the dataset, reads the dump by another way than that run did
//! ([`crate::plan::Plan::read_another_way`]), and writes nothing. Memory is bounded: both sides become lists of fingerprints,
//! sorted on disk when they do not fit, and are gone through side by side.

mod contract;
mod explain;
pub mod groups;
pub mod join;
pub mod print;
mod sample;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};

use crate::dataset::Engine;
use crate::dataset::choose::IndexKind;
use crate::dataset::commit::Opened;
use crate::dataset::index::usable;
use crate::dataset::read::{ADDRESS, IndexFacts};
use crate::dedupe::OnDuplicate;
use crate::error::{Error, Result};
use crate::frame::identity::Collection;
use crate::pipeline::Progress;
use crate::pipeline::feed::Work;
use crate::pipeline::read::{Event, Shared, read};
use crate::plan::{Plan, Position};
use crate::reject::printable;
use crate::sorted::Sorter;

use contract::HEADER_COLUMNS;
pub(crate) use contract::HeaderRow;
pub use explain::{Difference, FieldDifference};
pub use groups::{Group, Groups};
use join::{Pair, Row, Sum, join};
use print::{Columns, Print, prints};

/// What to prove, and how strictly.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Look at about so many rows only.
    pub sample: Option<u64>,
    /// Vectors may differ if their cosine is at least this.
    pub cosine: Option<f64>,
    /// Which record of one id counts.
    pub rule: OnDuplicate,
    /// Differences that are listed with both values.
    pub list: usize,
    /// The index that the dataset was made with.
    pub index: IndexKind,
    /// Whether the vectors beside the main one were to be indexed.
    pub named_indices: bool,
    /// The report of the conversion, where there is one.
    pub report: PathBuf,
    /// Where lists that do not fit in memory are sorted.
    pub scratch: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Rows and records by collection and namespace.
    pub groups: Groups,
    /// Records of the dump.
    pub read: u64,
    /// Of those, refused.
    pub rejected: u64,
    /// Of those, lost against another of the same id.
    pub deduplicated: u64,
    /// Rows of the dataset in the dump's collections, headers not counted.
    pub written: u64,
    /// Rows that are what the dump says.
    pub verified: u64,
    /// Of those, rows whose vectors differ and whose cosine is large enough.
    pub near: u64,
    /// Records without a row.
    pub missing: u64,
    /// Rows without a record.
    pub unexpected: u64,
    /// Rows that share a uuid with another one.
    pub doubled: u64,
    /// Rows that differ from their record.
    pub different: u64,
    /// Rows of collections that the dump does not hold.
    pub elsewhere: u64,
    /// Digest of the dump's content.
    pub dump_digest: Option<String>,
    /// Digest of the dataset's.
    pub dataset_digest: Option<String>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// The indices.
    pub indices: Vec<IndexFacts>,
    /// What makes the status 1.
    pub findings: Vec<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// Seconds per stage.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Verifies.
///
/// # Errors
/// Something cannot be read at all. What differs is a finding.
pub fn verify(mut plan: Plan, opened: &Opened, engine: &Arc<Engine>, asked: &Asked, stop: &AtomicBool, progress: &dyn Progress) -> Result<Verified> {
    plan.read_another_way();
    let schema = opened.schema();
    let mut found = Verified { findings: contract::columns(&schema, &plan.layout, &opened.storage()), ..Verified::default() };
    if !found.findings.is_empty() && contract::is_foreign(&schema, &plan.layout) {
        found.findings.push("rows cannot be compared: columns are missing or have other types".to_owned());
        return Ok(found);
    }
    let run = Run { plan: &plan, opened, engine, asked, stop, progress };
    let headers = if asked.sample.is_some() { run.sample(&mut found)? } else { run.whole(&mut found)? };
    let begin = Instant::now();
    progress.stage("checking indices and headers");
    run.shape(&headers, &mut found)?;
    if asked.sample.is_none() && plan.inputs.iter().any(|i| !i.mapping.links().is_empty()) {
        let links = crate::links::check(opened, engine, &plan.targets, &asked.scratch, plan.budget.memory)?;
        found.notes.extend(crate::report::reference_lines(&links).into_iter().map(|line| format!("references: {line}")));
    }
    found.seconds.push(("indices", begin.elapsed().as_secs_f64()));
    Ok(found)
}

struct Run<'r> {
    plan: &'r Plan,
    opened: &'r Opened,
    engine: &'r Arc<Engine>,
    asked: &'r Asked,
    stop: &'r AtomicBool,
    progress: &'r dyn Progress,
}

/// Rows of a batch that is read back: a few megabytes.
fn batch_rows(dimension: usize) -> usize {
    ((4 << 20) / (dimension.max(1) * 4 + 2048)).clamp(64, 2048)
}

/// Fingerprints of the dump, sorted by uuid, and its groups with what was read of each.
///
/// # Errors
/// The dump cannot be read, or the disk is full.
pub fn dump_side(
    plan: &Plan,
    scratch: &Path,
    stop: &AtomicBool,
    progress: &dyn Progress,
    rejected: &mut dyn FnMut(&Plan, &crate::reject::Reject),
) -> Result<(Sorter<Row>, Groups)> {
    let mut sorter = Sorter::new(scratch, plan.budget.memory / 8);
    let mut groups = Groups::default();
    let of_shard: Vec<(&Collection, u32)> = plan.shards().map(|(_, s)| &s.membership.collection).map(|c| (c, groups.of_dump(c))).collect();
    // The records of each input, by group.
    let mut of_input: Vec<BTreeMap<u32, u64>> = vec![BTreeMap::new(); plan.inputs.len()];
    let layout: Shared = Arc::new(RwLock::new(Arc::new(plan.layout.clone())));
    let work: Work<Vec<Print>> = Arc::new(|decoded| decoded.batch.take().map_or(Ok(vec![]), |batch| prints(&batch)));
    let mut next = 0u64;
    read(plan, &layout, Position::default(), stop, &work, &mut |event| {
        let Event::Part(part) = event else { return Ok(true) };
        let Some((collection, of_shard)) = of_shard.get(part.next.shard as usize).copied() else { return Err(Error::new("a shard without a plan")) };
        let mut count = |groups: &mut Groups, number: u32| {
            groups.get_mut(number).read += 1;
            *of_input[part.input].entry(number).or_default() += 1;
        };
        for reject in &part.decoded.rejects {
            let own = reject.namespace.as_deref().filter(|own| *own != collection.namespace);
            let number = own.map_or(of_shard, |own| groups.of_dump(&collection.within(own)));
            count(&mut groups, number);
            groups.get_mut(number).rejected += 1;
            rejected(plan, reject);
        }
        let mut numbers: Vec<Option<u32>> = vec![None; part.decoded.spaces.len()];
        numbers.first_mut().into_iter().for_each(|first| *first = Some(of_shard));
        for (origin, print) in part.decoded.origins.iter().zip(part.made) {
            let at = origin.space as usize;
            let group = *numbers[at].get_or_insert_with(|| groups.of_dump(&collection.within(&part.decoded.spaces[at])));
            count(&mut groups, group);
            sorter.push(Row { uuid: origin.uuid, row: next, print, group, place: origin.place })?;
            next += 1;
        }
        progress.advance(part.bytes, next);
        Ok(true)
    })?;
    let mut first = 0;
    for (input, counts) in plan.inputs.iter().zip(&of_input) {
        if let Some(promised) = input.promised {
            groups.promise(&input.collection.name, of_shard.get(first).map(|(_, group)| *group), counts, promised);
        }
        first += input.shards.len();
    }
    Ok((sorter, groups))
}

/// Fingerprints of the dataset, sorted by uuid, its header records, and its groups added to those of the dump.
pub(crate) fn dataset_side(opened: &Opened, engine: &Engine, plan: &Plan, scratch: &Path, groups: &mut Groups) -> Result<(Sorter<Row>, Vec<HeaderRow>)> {
    let schema = opened.schema();
    let mut columns = Columns::names(&schema);
    columns.push("uuid".to_owned());
    let shared = Arc::new(Mutex::new(std::mem::take(groups)));
    let seen = Arc::clone(&shared);
    let work: crate::dataset::read::Work<(Vec<Row>, Vec<HeaderRow>)> = Arc::new(move |batch| {
        let headers = contract::headers_of(batch);
        Ok((rows_of(batch, &seen)?, headers))
    });
    let mut sorter = Sorter::new(scratch, plan.budget.memory / 8);
    let mut headers = Vec::new();
    opened.scan(engine, &columns, batch_rows(plan.layout.dimension), &work, &mut |(rows, mut more)| {
        headers.append(&mut more);
        rows.into_iter().try_for_each(|row| sorter.push(row))
    })?;
    if let Ok(mut shared) = shared.lock() {
        *groups = std::mem::take(&mut shared);
    }
    Ok((sorter, headers))
}

/// Whose header it is, and the address of its row.
pub(crate) fn header_place(header: &HeaderRow) -> (Collection, u64) {
    (header.place(), header.address)
}

/// Whose header it is, and its pairs.
pub(crate) fn header_pairs(header: &HeaderRow) -> (Collection, BTreeMap<String, String>) {
    (header.place(), header.pairs.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// The members of a batch that was read back.
fn rows_of(batch: &RecordBatch, groups: &Mutex<Groups>) -> Result<Vec<Row>> {
    let wrong = |name: &str| Error::new(format!("the dataset has no column {name} of the right type"));
    let texts = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>()).ok_or_else(|| wrong(name));
    let (uuids, types) = (texts("uuid")?, texts("record_type")?);
    let (sources, names) = (texts("source_type")?, texts("collection")?);
    let addresses = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(|| wrong(ADDRESS))?;
    let prints = prints(batch)?;
    let mut out = Vec::with_capacity(batch.num_rows());
    let mut groups = groups.lock().map_err(|_| Error::new("a thread that reads the dataset died"))?;
    for (row, print) in prints.into_iter().enumerate() {
        if types.is_valid(row) && types.value(row) == "collection_header" {
            continue;
        }
        let text = |column: &arrow_array::StringArray| if column.is_valid(row) { column.value(row).to_owned() } else { String::new() };
        let namespace = groups::namespace_of(batch, row);
        let group = groups.of_dataset(text(sources), text(names), namespace);
        groups.get_mut(group).dataset += 1;
        // What is no uuid cannot be a row of ours; it sorts among the others and is not expected.
        let uuid = uuid::Uuid::parse_str(uuids.value(row)).unwrap_or_default().into_bytes();
        out.push(Row { uuid, row: addresses.value(row), print, group, place: crate::reject::Place::default() });
    }
    Ok(out)
}

impl Run<'_> {
    fn whole(&self, found: &mut Verified) -> Result<Vec<HeaderRow>> {
        let begin = Instant::now();
        self.progress.stage("reading the dump");
        let (dump, groups) = dump_side(self.plan, &self.asked.scratch, self.stop, self.progress, &mut |_, _| {})?;
        found.groups = groups;
        found.seconds.push(("dump", begin.elapsed().as_secs_f64()));
        let begin = Instant::now();
        self.progress.stage("reading the dataset");
        let (dataset, headers) = dataset_side(self.opened, self.engine, self.plan, &self.asked.scratch, &mut found.groups)?;
        found.seconds.push(("dataset", begin.elapsed().as_secs_f64()));
        let begin = Instant::now();
        self.progress.stage("comparing");
        let wanted = self.compare(dump.finish()?, dataset.finish()?, found)?;
        self.explain(wanted, found)?;
        found.findings.extend(contract::headers(&headers, &found.groups, &self.opened.schema()));
        self.counts(found);
        found.seconds.push(("compare", begin.elapsed().as_secs_f64()));
        Ok(headers)
    }

    /// Goes through both lists. Gives what is to be looked at again, row by row.
    fn compare(&self, dump: crate::sorted::Sorted<Row>, dataset: crate::sorted::Sorted<Row>, found: &mut Verified) -> Result<Vec<explain::Wanted>> {
        let (mut ours, mut theirs) = (Sum::default(), Sum::default());
        let mut wanted = Vec::new();
        let (list, all) = (self.asked.list, self.asked.cosine.is_some());
        join(dump, dataset, self.asked.rule, &mut |pair| {
            match pair {
                Pair::Same(a, b) | Pair::Different(a, b) => {
                    ours.add(&a);
                    theirs.add(&b);
                    found.groups.get_mut(a.group).expected += 1;
                    if matches!(pair, Pair::Same(..)) {
                        found.verified += 1;
                        return Ok(());
                    }
                    found.different += 1;
                    found.groups.get_mut(a.group).different += 1;
                    if all || wanted.len() < list {
                        wanted.push(explain::Wanted::Different(a, b));
                    }
                }
                Pair::Missing(a) => {
                    ours.add(&a);
                    found.missing += 1;
                    let group = found.groups.get_mut(a.group);
                    group.expected += 1;
                    group.missing += 1;
                    if wanted.len() < list {
                        wanted.push(explain::Wanted::Missing(a));
                    }
                }
                Pair::Unexpected(b) if !found.groups.get_mut(b.group).in_dump => found.elsewhere += 1,
                Pair::Unexpected(b) => {
                    theirs.add(&b);
                    found.unexpected += 1;
                    found.groups.get_mut(b.group).unexpected += 1;
                    if wanted.len() < list {
                        wanted.push(explain::Wanted::Unexpected(b));
                    }
                }
                Pair::Doubled(b) => {
                    theirs.add(&b);
                    found.doubled += 1;
                    found.groups.get_mut(b.group).unexpected += 1;
                    if wanted.len() < list {
                        wanted.push(explain::Wanted::Doubled(b));
                    }
                }
                Pair::Lost(a) => found.groups.get_mut(a.group).lost += 1,
            }
            Ok(())
        })?;
        found.dump_digest = Some(ours.finish());
        found.dataset_digest = Some(theirs.finish());
        Ok(wanted)
    }

    /// Sums, and the counts of both sides against manifest and report.
    fn counts(&self, found: &mut Verified) {
        let reject = self.asked.rule == OnDuplicate::Reject;
        found.findings.extend(found.groups.broken().iter().cloned());
        for group in found.groups.all().iter().filter(|g| g.in_dump) {
            found.read += group.read;
            found.rejected += group.rejected + if reject { group.lost } else { 0 };
            found.deduplicated += if reject { 0 } else { group.lost };
            found.written += group.dataset;
            if let Some(promised) = group.manifest.filter(|p| *p != group.read) {
                found.findings.push(format!("{}: {} records in the dump, {promised} by its manifest", group.shown(), group.read));
            }
        }
        found.notes.extend(self.plan.inputs.iter().flat_map(|i| i.losses.iter().cloned()));
        let mut say = |n: u64, what: &str| {
            if n > 0 {
                found.findings.push(format!("{what}: {}", crate::report::count(n)));
            }
        };
        say(found.missing, "records of the dump without a row in the dataset");
        say(found.unexpected, "rows of the dataset without a record in the dump");
        say(found.doubled, "rows of the dataset with the uuid of another row");
        say(found.different, "rows that differ from their record");
        if found.elsewhere > 0 {
            found.notes.push(format!(
                "rows of collections or namespaces that these dumps do not hold: {}; they were not compared",
                crate::report::count(found.elsewhere)
            ));
        }
        other_names(found);
        self.report_counts(found);
    }

    /// The report beside the dataset, if it is of a run over the same dumps.
    fn report_counts(&self, found: &mut Verified) {
        let shown = printable(&self.asked.report.display().to_string());
        let Ok(text) = std::fs::read_to_string(&self.asked.report) else {
            found.notes.push(format!("{shown}: there is no report of the conversion to hold the counts against"));
            return;
        };
        let Ok(report) = serde_json::from_str::<serde_json::Value>(&text) else {
            found.findings.push(format!("{shown}: the report of the conversion is damaged"));
            return;
        };
        let inputs = report.get("inputs").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        let base = |path: &str| Path::new(path).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let theirs: Vec<String> = inputs.iter().filter_map(|i| i.get("dump")?.as_str()).map(base).collect();
        let ours: Vec<String> = self.plan.inputs.iter().map(|i| base(&i.dump)).collect();
        if theirs != ours {
            found.notes.push(format!("{shown} is of another run; its counts were not compared"));
            return;
        }
        let number = |key: &str| report.get(key).and_then(serde_json::Value::as_u64);
        for (key, ours) in [("read", found.read), ("rejected", found.rejected), ("deduplicated", found.deduplicated)] {
            if let Some(theirs) = number(key).filter(|n| *n != ours) {
                found.findings.push(format!("{shown}: the report says {key} {theirs}, the dump gives {ours}"));
            }
        }
        if number("rows_before").is_none()
            && let Some(theirs) = number("written").filter(|n| *n != found.written)
        {
            found.findings.push(format!("{shown}: the report says written {theirs}, the dataset has {}", found.written));
        }
    }

    /// Indices of vectors beside the main one that should be there.
    fn named_indices(&self) -> Result<Vec<String>> {
        if !self.asked.named_indices {
            return Ok(vec![]);
        }
        let mut wanted = Vec::new();
        for vector in self.opened.layout()?.others {
            let there = self.opened.filled(self.engine, &vector.column)? > 0;
            wanted.extend(crate::dataset::index::named::names(&[vector]).into_iter().filter(|_| there));
        }
        Ok(wanted)
    }

    /// Indices, Lance's own check, and what the headers say of the metric.
    fn shape(&self, headers: &[HeaderRow], found: &mut Verified) -> Result<()> {
        let metric = contract::metric(headers);
        let (finite, zero) = usable(self.engine, self.opened)?;
        let usable = if metric == Some("cosine") { finite > zero } else { finite > 0 };
        found.indices = self.opened.indices(self.engine)?;
        found.findings.extend(contract::indices(&found.indices, &self.plan.layout, self.asked.index, usable, metric, &self.named_indices()?));
        let raw = if self.opened.schema().field_with_name("raw_data").is_ok() { self.opened.raw_rows(self.engine)? } else { 0 };
        if raw > 0 {
            found.findings.push(format!("rows with bytes in raw_data, which vec2lance does not write: {raw}"));
        }
        if let Err(error) = self.opened.validate(self.engine) {
            found.findings.push(error.to_string());
        }
        Ok(())
    }

    /// The header records alone.
    fn header_rows(&self) -> Result<Vec<HeaderRow>> {
        let columns: Vec<String> = HEADER_COLUMNS.iter().map(|n| (*n).to_owned()).collect();
        Ok(contract::headers_of(&self.opened.rows_where(self.engine, "record_type = 'collection_header'", &columns, false)?))
    }
}

/// A dump whose file was renamed is read as another collection; say which one it may be.
fn other_names(found: &mut Verified) {
    let all = found.groups.all();
    for group in all.iter().filter(|g| g.in_dump && g.dataset == 0 && g.read > 0) {
        let mut others: Vec<&str> = all.iter().filter(|g| !g.in_dump && g.source == group.source).map(|g| g.collection.as_str()).collect();
        others.dedup();
        if let [one] = others.as_slice() {
            found.notes.push(format!(
                "the dump was read as {}, the dataset holds collection {}: if they are the same, say so with --collection",
                group.shown(),
                printable(one)
            ));
        }
    }
}
