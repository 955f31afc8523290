//! A dump whose records say of which collection they are: which ones there are, and an input for each of them.
//!
//! Needs a look at every record, because one of the last may be the only one of its collection. It is a look at one key; nothing is decoded.

use std::sync::Arc;

use super::reader::ShardReader;
use super::{Budget, Input};
use crate::error::{Error, Result};
use crate::formats::apart::{records, said};
use crate::formats::detect::Framing;
use crate::reject::printable;

/// Collections of one dump at most: more are a field that says something else.
const MOST: usize = 1000;

/// The key of a record that says its collection, where that may differ from record to record.
fn key(input: &Input) -> Option<&str> {
    let text = |framing: &Framing| !matches!(framing, Framing::Parquet | Framing::Arrays | Framing::Table | Framing::Csv(_));
    let again = input.shards.iter().all(|s| s.shard.regular && text(&s.framing));
    input.spec.collection.as_deref().filter(|_| again && input.rejects.is_none()).map(|path| &path[1..])
}

/// The collections that the records say, in the order in which they are met; empty where the first records say none, or all say one.
pub(super) fn names(input: &Input, budget: &Budget) -> Result<Vec<String>> {
    let Some(key) = key(input) else { return Ok(vec![]) };
    let mut names: Vec<String> = Vec::new();
    for (index, shard) in (0..).zip(&input.shards) {
        let unpacker = input.unpacker(shard);
        let mut reader = ShardReader::open(shard, &input.records_keys, budget)?;
        while let Some(chunk) = reader.next_chunk()? {
            let all = records(unpacker.as_deref(), &chunk, index);
            for at in 0..all.places.len() {
                let Some(name) = said(all.text(at), key) else { continue };
                if names.last().is_none_or(|last| *last != name) && !names.iter().any(|known| *known == name) {
                    names.push(name.into_owned());
                }
            }
            if names.is_empty() && !all.places.is_empty() {
                return Ok(vec![]);
            }
            if names.len() > MOST {
                return Err(Error::new(format!(
                    "{}: more than {MOST} different values of \"{}\", which names the collection",
                    printable(&input.dump),
                    printable(key)
                ))
                .help("give all records one collection with --collection"));
            }
        }
    }
    if names.len() < 2 {
        names.clear();
    }
    Ok(names)
}

/// The input of one of its collections; the first takes what says none.
pub(super) fn of(input: &Input, name: &str, first: bool) -> Input {
    let mut own = super::resize::again(input);
    own.schema.clone_from(&input.schema);
    own.facts.clone_from(&input.facts);
    name.clone_into(&mut own.collection.name);
    own.only = Some((name.to_owned(), first));
    for shard in &mut own.shards {
        name.clone_into(&mut Arc::make_mut(&mut shard.membership).collection.name);
    }
    own
}
