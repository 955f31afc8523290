//! Accepted records by (source, collection, namespace), as they are met: what headers and report count.
//!
//! Only counting; which records of one id lose is told by [`crate::dedupe`].

use std::collections::{BTreeMap, HashMap};

use crate::error::{Error, Result};
use crate::formats::Decoded;
use crate::frame::identity::Collection;
use crate::frame::names::Names;
use crate::report::count;

/// Bytes that a namespace costs until the end of a run, beside its name: counts here, its header, its place in the report.
const EACH: u64 = 1000;

/// The counts so far.
#[derive(Debug)]
pub(super) struct Tally {
    /// In the order in which they were met, each with its accepted records.
    all: Vec<(Collection, u64)>,
    numbers: HashMap<Collection, u32>,
    names: Names,
    /// Bytes that are left for more of them.
    room: u64,
    /// How many of them the journal knows.
    told: usize,
}

impl Tally {
    /// Nothing is counted yet. `names` are taken already; `memory` is `--memory`.
    pub(super) fn new(names: Names, memory: u64) -> Self {
        Self { all: vec![], numbers: HashMap::new(), names, room: memory / 8, told: 0 }
    }

    /// Takes over what an interrupted run has met; its records are counted with their ids.
    pub(super) fn go_on(&mut self, met: &[Collection]) -> Result<()> {
        met.iter().try_for_each(|place| self.number(place).map(drop))?;
        self.told = self.all.len();
        Ok(())
    }

    /// What was met since this was asked before.
    pub(super) fn untold(&mut self) -> Vec<Collection> {
        let new = self.all[self.told..].iter().map(|(place, _)| place.clone()).collect();
        self.told = self.all.len();
        new
    }

    /// The number of a collection and namespace.
    ///
    /// # Errors
    /// Its header's name is taken, or there are more of them than memory has room for.
    fn number(&mut self, place: &Collection) -> Result<u32> {
        if let Some(number) = self.numbers.get(place) {
            return Ok(*number);
        }
        let cost = EACH + 4 * (place.source.len() + place.name.len() + place.namespace.len()) as u64;
        let Some(left) = self.room.checked_sub(cost) else {
            return Err(Error::new(format!("more than {} namespaces: too many for --memory", count(self.all.len() as u64)))
                .help("give the run more memory, or see that `namespace` of the layout names no field that is different in every record"));
        };
        self.room = left;
        self.names.add(place)?;
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push((place.clone(), 0));
        self.numbers.insert(place.clone(), number);
        Ok(number)
    }

    /// The numbers of a chunk's namespaces; those of which it has no row have none.
    ///
    /// # Errors
    /// As [`Self::number`].
    pub(super) fn numbers(&mut self, shard: &Collection, decoded: &Decoded) -> Result<Vec<u32>> {
        let mut numbers = vec![u32::MAX; decoded.spaces.len()];
        for origin in &decoded.origins {
            let at = origin.space as usize;
            if numbers[at] == u32::MAX {
                numbers[at] = self.number(&shard.within(&decoded.spaces[at]))?;
            }
        }
        Ok(numbers)
    }

    /// Counts an accepted record.
    pub(super) fn add(&mut self, number: u32) {
        if let Some((_, accepted)) = self.all.get_mut(number as usize) {
            *accepted += 1;
        }
    }

    /// Members of each collection and namespace, without those that lost.
    pub(super) fn members(&self, lost: &BTreeMap<u32, u64>) -> Vec<(Collection, u64)> {
        let lost = |number: u32| lost.get(&number).copied().unwrap_or(0);
        (0..).zip(&self.all).map(|(number, (place, accepted))| (place.clone(), accepted.saturating_sub(lost(number)))).collect()
    }
}
