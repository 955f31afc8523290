//! Which collections dumps hold, and in which files: what `--per-collection` goes by.
//!
//! Not how each is read: that is planned for one after the other.

use std::path::PathBuf;

use super::{budget, look};
use crate::cli::{Reading, Relationship};
use crate::error::Result;

/// A collection of the dumps, and its files.
#[derive(Debug, PartialEq, Eq)]
pub struct CollectionFiles {
    /// The database.
    pub source: String,
    /// The collection's name.
    pub name: String,
    /// Names and sizes in bytes of its shards.
    pub files: Vec<(String, u64)>,
}

/// The collections of these dumps, in the order in which the first record of each is met.
///
/// # Errors
/// As [`super::plan`], except that collections may contradict each other.
pub fn collections(dumps: &[PathBuf], reading: &Reading, relationship: Relationship) -> Result<Vec<CollectionFiles>> {
    let looked = look(dumps, reading, relationship, &budget(reading), &mut Vec::new())?;
    let mut all: Vec<CollectionFiles> = Vec::new();
    for input in looked.inputs {
        let files = input.shards.iter().map(|s| (s.shard.name.clone(), s.shard.size));
        match all.iter_mut().find(|c| c.source == input.collection.source && c.name == input.collection.name) {
            Some(known) => known.files.extend(files),
            None => all.push(CollectionFiles { source: input.collection.source.clone(), name: input.collection.name.clone(), files: files.collect() }),
        }
    }
    Ok(all)
}
