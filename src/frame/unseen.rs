//! What records hold that their rows do not show: counts for the report.
//!
//! Not the counts of records, which the pipeline keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts by field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unseen {
    /// Records of which a field was dropped.
    pub dropped: BTreeMap<String, u64>,
    /// References that were made of a field.
    pub references: BTreeMap<String, u64>,
    /// Records in which a field of references holds something else too.
    pub no_keys: BTreeMap<String, u64>,
}

impl Unseen {
    /// One more record of which this field was dropped.
    pub fn drop(&mut self, field: &str) {
        add(&mut self.dropped, field, 1);
    }

    /// So many more references of this field.
    pub fn refer(&mut self, field: &str, n: u64) {
        if n > 0 {
            add(&mut self.references, field, n);
        }
    }

    /// One more record in which this field holds something that leads nowhere.
    pub fn no_key(&mut self, field: &str) {
        add(&mut self.no_keys, field, 1);
    }

    /// Adds what another part of the run has counted.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [(&mut self.dropped, &other.dropped), (&mut self.references, &other.references), (&mut self.no_keys, &other.no_keys)];
        for (all, more) in pairs {
            for (field, n) in more {
                add(all, field, *n);
            }
        }
    }
}

fn add(counts: &mut BTreeMap<String, u64>, field: &str, n: u64) {
    match counts.get_mut(field) {
        Some(count) => *count += n,
        None => drop(counts.insert(field.to_owned(), n)),
    }
}
