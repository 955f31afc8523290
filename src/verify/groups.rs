//! Counts by (source, collection, namespace), of a dump and of a dataset.
//!
//! Only counting: which rows are right is told elsewhere.

use std::collections::{BTreeMap, HashMap};

use arrow_array::RecordBatch;

use crate::frame::identity::Collection;
use crate::reject::printable;

/// The counts of one collection and namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Group {
    /// The database.
    pub source: String,
    /// Collection, class or index.
    pub collection: String,
    /// Namespace, tenant or partition; empty where there is none.
    pub namespace: String,
    /// Whether the dump holds it.
    #[serde(skip)]
    pub in_dump: bool,
    /// Records that the manifest promises.
    pub manifest: Option<u64>,
    /// Records of the dump.
    pub read: u64,
    /// Of those, refused.
    pub rejected: u64,
    /// Of those, lost against another of the same id.
    #[serde(rename = "deduplicated")]
    pub lost: u64,
    /// Rows that the dataset must have.
    pub expected: u64,
    /// Rows that it has.
    pub dataset: u64,
    /// Records without a row.
    pub missing: u64,
    /// Rows without a record, or with the uuid of another row.
    pub unexpected: u64,
    /// Rows that differ.
    pub different: u64,
}

impl Group {
    /// Whose counts they are.
    #[must_use]
    pub fn place(&self) -> Collection {
        Collection { source: self.source.clone(), name: self.collection.clone(), namespace: self.namespace.clone() }
    }

    /// `collection points, namespace a`
    #[must_use]
    pub fn shown(&self) -> String {
        let namespace = if self.namespace.is_empty() { String::new() } else { format!(", namespace {}", printable(&self.namespace)) };
        format!("collection {}{namespace}", printable(&self.collection))
    }
}

/// All groups met, in the order in which they were met.
#[derive(Debug, Default)]
pub struct Groups {
    all: Vec<Group>,
    places: HashMap<(String, String, String), u32>,
    /// Promises that were not kept and are of no single group.
    broken: Vec<String>,
}

impl Groups {
    /// Every group.
    #[must_use]
    pub fn all(&self) -> &[Group] {
        &self.all
    }

    /// The group with this number.
    ///
    /// # Panics
    /// There is no such group: the number came from elsewhere.
    pub fn get_mut(&mut self, number: u32) -> &mut Group {
        &mut self.all[number as usize]
    }

    /// Holds a manifest's promise of an input: with the group that all its records belong to, else at once. `shard` is the group of its
    /// first shard, `met` the records by group.
    pub(super) fn promise(&mut self, name: &str, shard: Option<u32>, met: &BTreeMap<u32, u64>, promised: u64) {
        let group = if met.len() > 1 { None } else { met.keys().next().copied().or(shard) };
        let read: u64 = met.values().sum();
        match group {
            Some(group) => *self.get_mut(group).manifest.get_or_insert(0) += promised,
            None if read == promised => {}
            None => self.broken.push(format!("collection {}: {read} records in the dump, {promised} by its manifest", printable(name))),
        }
    }

    /// Promises that were not kept and are of no single group.
    pub(super) fn broken(&self) -> &[String] {
        &self.broken
    }

    /// The number of a collection that the dump holds.
    pub fn of_dump(&mut self, collection: &Collection) -> u32 {
        let number = self.of_dataset(collection.source.clone(), collection.name.clone(), collection.namespace.clone());
        self.get_mut(number).in_dump = true;
        number
    }

    /// The number of a collection.
    pub fn of_dataset(&mut self, source: String, collection: String, namespace: String) -> u32 {
        let key = (source, collection, namespace);
        if let Some(number) = self.places.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let (source, collection, namespace) = key.clone();
        self.all.push(Group { source, collection, namespace, ..Group::default() });
        self.places.insert(key, number);
        number
    }
}

/// The namespace of a row that was read back: a pair of its metadata.
pub(super) fn namespace_of(batch: &RecordBatch, row: usize) -> String {
    super::contract::pairs_of(batch, row).remove("namespace").unwrap_or_default()
}
