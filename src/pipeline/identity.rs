//! What a run began with: its options, and of every shard the name, size, time and a checksum of samples. Told apart from what a later
//! command begins with, in words for the user.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::journal::ShardSum;
use crate::plan::{Output, Plan};
use crate::reject::{excerpt, printable};
use crate::source::checksum::{Crc, modified, samples};

/// Of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Version of the program.
    vec2lance: String,
    /// When the run began, RFC 3339; headers carry it.
    pub(super) started: String,
    /// Options that decide about rows and indices.
    options: BTreeMap<String, String>,
    shards: Vec<ShardIdentity>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ShardIdentity {
    name: String,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: Option<u64>,
    /// SHA-256 of the first and last 64 KiB and of samples between them; empty until the journal is made.
    samples: String,
}

impl Identity {
    pub(super) fn of(plan: &Plan, output: &Output, started: &str) -> Self {
        let shard = |s: &crate::plan::PlannedShard| ShardIdentity {
            name: s.shard.path.display().to_string(),
            bytes: s.shard.size,
            modified: modified(&s.shard.path),
            samples: String::new(),
        };
        Self {
            vec2lance: env!("CARGO_PKG_VERSION").to_owned(),
            started: started.to_owned(),
            options: output.options.clone(),
            shards: plan.shards().map(|(_, s)| shard(s)).collect(),
        }
    }

    pub(super) fn sample(&mut self, shards: &[(PathBuf, bool)]) {
        for (shard, (path, _)) in self.shards.iter_mut().zip(shards) {
            shard.samples = samples(path).unwrap_or_default();
        }
    }

    /// What is different `now`, in words. Where only a shard's time is, its content decides: the samples, and the checksums of all
    /// that was read.
    pub(super) fn changed(&self, now: &Self, shards: &[(PathBuf, bool)], sums: &[ShardSum]) -> Vec<String> {
        let mut changed = Vec::new();
        if self.vec2lance != now.vec2lance {
            changed.push(format!("vec2lance {} now, {} then", now.vec2lance, self.vec2lance));
        }
        let mut names: Vec<&String> = self.options.keys().chain(now.options.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let (then, now) = (self.options.get(name), now.options.get(name));
            if then != now {
                let shown = |value: Option<&String>| value.map_or("not given".to_owned(), |v| excerpt(v, 60));
                changed.push(format!("{name}: {} now, {} then", shown(now), shown(then)));
            }
        }
        if self.shards.len() != now.shards.len() {
            changed.push(format!("{} shards now, {} then", now.shards.len(), self.shards.len()));
            return changed;
        }
        for (at, ((then, now), (path, _))) in self.shards.iter().zip(&now.shards).zip(shards).enumerate() {
            let name = printable(&now.name);
            if then.name != now.name {
                changed.push(format!("{name} now, {} then", printable(&then.name)));
            } else if then.bytes != now.bytes {
                changed.push(format!("{name}: {} bytes now, {} then", now.bytes, then.bytes));
            } else if then.modified != now.modified || then.modified.is_none() {
                let read = sums.iter().find(|s| s.shard as usize == at);
                let same = read.is_none_or(|sum| {
                    let mut crc = Crc::default();
                    crc.read_on(path, Some(sum.bytes)).is_ok() && crc.value() == sum.crc32
                });
                if samples(path).ok().as_ref() != Some(&then.samples) || !same {
                    changed.push(format!("{name}: other content than then"));
                }
            }
            if changed.len() > 5 {
                changed.push("…".to_owned());
                break;
            }
        }
        changed
    }
}
