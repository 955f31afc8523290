//! `--append` and `--upsert`: what of a dump is new, changed or gone, told by fingerprints of both sides before anything is written.
//!
//! The dump is read twice: once for its fingerprints, once for the rows that are wanted. Nothing here writes rows; it says which, and
//! puts the commit together in the staging folder, which holds second names of all files of the dataset.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow_array::{BooleanArray, RecordBatch};
use roaring::RoaringTreemap;
use serde::Serialize;

use super::Progress;
use super::headers::Members;
use super::stage::link;
use crate::dataset::Engine;
use crate::dataset::commit::{Opened, open};
use crate::dataset::write::Written;
use crate::dedupe::OnDuplicate;
use crate::error::{Error, Result};
use crate::frame::identity::Collection;
use crate::frame::names::Names;
use crate::frame::schema::{NAMESPACE, schema};
use crate::frame::vectors::Layout;
use crate::plan::{Mode, Output, Plan};
use crate::reject::printable;
use crate::report::count;
use crate::verify::join::{Pair, join};
use crate::verify::{Groups, dataset_side, dump_side};

/// What became of the records and rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Records that the dataset did not have.
    pub added: u64,
    /// Rows that were replaced.
    pub changed: u64,
    /// Records whose rows stay as they are.
    pub unchanged: u64,
    /// Rows that were removed.
    pub removed: u64,
    /// Rows before, headers not counted.
    pub rows_before: u64,
    /// Rows now.
    pub rows: u64,
}

/// A change to a dataset, decided but not made.
#[derive(Debug)]
pub(super) struct Update {
    base: u64,
    select: RoaringTreemap,
    delete: RoaringTreemap,
    changes: Changes,
    /// Records that differ from their rows and were left alone.
    differing: u64,
    /// Rows that would have been removed if it were certain that they are gone.
    spared: u64,
    /// Rows whose record was refused; they stay.
    refused: u64,
    /// Members of each collection and namespace when all is done.
    members: Members,
    /// The names of all headers that stay.
    names: Names,
    /// Rows with headers before.
    rows: u64,
    /// Pairs of the headers.
    facts: BTreeMap<Collection, BTreeMap<String, String>>,
}

/// Gives a plan the columns of the dataset that it is to change.
///
/// # Errors
/// The vectors of both have not as many values.
pub fn adopt(plan: &mut Plan, engine: &Engine, opened: &Opened) -> Result<()> {
    if opened.schema().field_with_name(NAMESPACE).is_err() {
        return Err(
            Error::new(format!("the dataset was written by an older version, without the column {NAMESPACE}")).help("convert all its dumps into a new dataset")
        );
    }
    let there = opened.layout()?;
    let own = &plan.layout;
    let none = own.main.is_none() && own.dimension == 1;
    if own.dimension != there.dimension && !none {
        return Err(Error::new(format!("the dump's vectors have {} values, those of the dataset {}", own.dimension, there.dimension))
            .help(format!("convert it into a dataset of its own, or give --dimension {} --resize pca, truncate or pad", there.dimension)));
    }
    let mut layout =
        Layout { main: if none { there.main.clone() } else { own.main.clone() }, dimension: there.dimension, others: there.others, promoted: there.promoted };
    for other in &own.others {
        let sparse = other.kind == crate::frame::vectors::VectorKind::Sparse;
        match layout.other(&other.name, sparse) {
            None => layout.add(&other.name, other.kind),
            Some(at) if layout.others[at].kind != other.kind => {
                return Err(Error::new(format!(
                    "vector \"{}\" is {} in the dump and {} in the dataset; one column cannot hold both",
                    printable(&other.name),
                    other.kind.describe(),
                    layout.others[at].kind.describe()
                )));
            }
            Some(_) => {}
        }
    }
    plan.layout = layout;
    let Some(metric) = opened.metric(engine)? else { return Ok(()) };
    if plan.metric_from.starts_with("asked") && plan.metric != metric {
        return Err(Error::new(format!("--metric {}: the dataset is indexed by {}", plan.metric.name(), metric.name()))
            .help(format!("leave --metric away, and build another index afterwards: vec2lance index --metric {}", plan.metric.name())));
    }
    (plan.metric, plan.metric_from) = (metric, "as the dataset has it".to_owned());
    Ok(())
}

impl Update {
    pub(super) fn of(plan: &Plan, output: &Output, engine: &Arc<Engine>, stop: &AtomicBool, progress: &dyn Progress) -> Result<Self> {
        let opened = open(engine, &output.dataset)?;
        let scratch = &output.staging;
        progress.stage("comparing with the dataset");
        let mut refused: HashSet<[u8; 16]> = HashSet::new();
        let mut nameless = 0u64;
        let (dump, mut groups) = dump_side(plan, scratch, stop, progress, &mut |plan, reject| {
            let collection = plan.shards().nth(reject.place.shard as usize).map(|(_, s)| &s.membership.collection);
            match (&reject.id, collection) {
                (Some(id), Some(collection)) => {
                    let place = reject.namespace.as_deref().map_or_else(|| collection.clone(), |own| collection.within(own));
                    refused.insert(place.member_uuid(id).into_bytes());
                }
                _ => nameless += 1,
            }
        })?;
        let (dataset, headers) = dataset_side(&opened, engine, plan, scratch, &mut groups)?;
        let rows = opened.rows(engine)?;
        let mut this = Self {
            base: opened.version(),
            select: RoaringTreemap::new(),
            delete: RoaringTreemap::new(),
            changes: Changes { rows_before: rows - headers.len() as u64, ..Changes::default() },
            differing: 0,
            spared: 0,
            refused: 0,
            members: Vec::new(),
            names: Names::default(),
            rows,
            facts: headers.iter().map(crate::verify::header_pairs).collect(),
        };
        let rule = output.on_duplicate.unwrap_or(OnDuplicate::Last);
        let mut after: Vec<i64> = Vec::new();
        join(dump.finish()?, dataset.finish()?, rule, &mut |pair| {
            this.take(&pair, output.mode, &mut groups, &refused, nameless > 0, &mut after);
            Ok(())
        })?;
        for (group, change) in groups.all().iter().zip(after.iter().chain(std::iter::repeat(&0))) {
            let left = group.dataset.saturating_add_signed(*change);
            this.members.push((Collection { source: group.source.clone(), name: group.collection.clone(), namespace: group.namespace.clone() }, left));
        }
        // Headers of the dump's collections, and of all their namespaces, are written anew when anything of the dataset is.
        let own = |place: &Collection| groups.all().iter().any(|g| g.in_dump && g.source == place.source && g.collection == place.name);
        let change = !this.is_empty();
        for (place, address) in headers.iter().map(crate::verify::header_place) {
            this.names.add(&place)?;
            if change && own(&place) {
                this.delete.insert(address);
            }
        }
        Ok(this)
    }

    fn take(&mut self, pair: &Pair, mode: Mode, groups: &mut Groups, refused: &HashSet<[u8; 16]>, nameless: bool, after: &mut Vec<i64>) {
        let mut count_of = |group: u32, change: i64| {
            let at = group as usize;
            if after.len() <= at {
                after.resize(at + 1, 0);
            }
            after[at] += change;
        };
        let upsert = matches!(mode, Mode::Upsert { .. });
        match *pair {
            Pair::Same(..) => self.changes.unchanged += 1,
            Pair::Missing(a) => {
                self.select.insert(a.row);
                self.changes.added += 1;
                count_of(a.group, 1);
            }
            Pair::Different(a, b) if upsert => {
                self.select.insert(a.row);
                self.delete.insert(b.row);
                self.changes.changed += 1;
                count_of(b.group, -1);
                count_of(a.group, 1);
            }
            Pair::Different(..) => {
                self.changes.unchanged += 1;
                self.differing += 1;
            }
            Pair::Doubled(b) if upsert => {
                self.delete.insert(b.row);
                self.changes.removed += 1;
                count_of(b.group, -1);
            }
            Pair::Unexpected(b) if mode == (Mode::Upsert { delete_missing: true }) && groups.get_mut(b.group).in_dump => {
                if refused.contains(&b.uuid) {
                    self.refused += 1;
                } else if nameless {
                    self.spared += 1;
                } else {
                    self.delete.insert(b.row);
                    self.changes.removed += 1;
                    count_of(b.group, -1);
                }
            }
            _ => {}
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.select.is_empty() && self.delete.is_empty()
    }

    /// The version that is changed.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(super) fn changes(&self) -> Changes {
        let changes = self.changes;
        Changes { rows: changes.rows_before + changes.added - changes.removed, ..changes }
    }

    /// Members of every collection and namespace when all is done.
    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    /// The names of the headers that are there, for who adds to them.
    pub(super) fn names(&mut self) -> Names {
        std::mem::take(&mut self.names)
    }

    /// Adds what the header says so far and this run does not know: the schema of a first export, its version, …
    pub(super) fn keep_facts(&self, collection: &Collection, facts: &mut Vec<(String, String)>) {
        const OWN: [&str; 7] = ["source", "source_type", "collection_name", "item_count", "collection_member_count", "migrated_date", "namespaces"];
        let old = self.facts.get(collection);
        for (key, value) in old.into_iter().flatten() {
            if !OWN.contains(&key.as_str()) && !facts.iter().any(|(k, _)| k == key) {
                facts.push((key.clone(), value.clone()));
            }
        }
    }

    /// The rows of a batch that are wanted; `first` is the number of its first row among all accepted records.
    pub(super) fn selected(&self, batch: &RecordBatch, first: u64) -> Result<RecordBatch> {
        let mask: BooleanArray = (first..).take(batch.num_rows()).map(|number| Some(self.select.contains(number))).collect();
        arrow_select::filter::filter_record_batch(batch, &mask).map_err(|e| Error::new(format!("rows cannot be selected: {e}")))
    }

    /// Makes the change in the staging folder. Gives the dataset there, and the rows that it must have.
    pub(super) fn commit(&self, engine: &Arc<Engine>, output: &Output, layout: &Layout, fragments: Vec<Written>, header_rows: u64) -> Result<(Opened, u64)> {
        link(&output.dataset, &output.staging)?;
        let mut opened = open(engine, &output.staging)?;
        if opened.version() != self.base {
            return Err(Error::new(format!(
                "{}: was changed while the run was under way: version {}, {} when it began",
                printable(&output.dataset.display().to_string()),
                opened.version(),
                self.base
            ))
            .help("run the same command again with --restart"));
        }
        opened.widen(engine, &output.compression.mark(&schema(layout)))?;
        if !self.delete.is_empty() {
            opened.delete_addresses(engine, &self.delete)?;
        }
        opened.append(engine, fragments)?;
        Ok((opened, self.rows - self.delete.len() + self.select.len() + header_rows))
    }

    pub(super) fn findings(&self) -> Vec<String> {
        if self.spared == 0 {
            return vec![];
        }
        vec![format!(
            "rows that the dump does not have: {}; but records were rejected without a readable id and could be theirs, so no row was removed",
            count(self.spared)
        )]
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.differing > 0 {
            notes.push(format!("records that differ from their rows: {}; --append leaves those alone, --upsert replaces them", count(self.differing)));
        }
        if self.refused > 0 {
            notes.push(format!("rows that stay although their records were rejected: {}", count(self.refused)));
        }
        notes
    }
}
