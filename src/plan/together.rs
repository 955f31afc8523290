//! Several dumps in one dataset: whose headers would meet, and which dumps are one collection.
//!
//! Looks at names only; vectors and metrics that contradict each other are found where they are told.

use std::collections::BTreeMap;

use super::Input;
use crate::error::Result;
use crate::frame::names::Names;
use crate::reject::{excerpt, printable};

/// Dumps that a note names.
const NAMED: usize = 3;

/// Refuses headers of one name, and notes collections that come from several arguments.
///
/// # Errors
/// Two headers would have one name.
pub(super) fn check(inputs: &[Input], notes: &mut Vec<String>) -> Result<()> {
    let mut names = Names::default();
    let mut dumps: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for input in inputs {
        for shard in &input.shards {
            names.add(&shard.membership.collection)?;
        }
        let of = dumps.entry((&input.collection.source, &input.collection.name)).or_default();
        if input.rejects.is_none() && !of.contains(&input.dump.as_str()) {
            of.push(&input.dump);
        }
    }
    for ((source, name), of) in dumps.into_iter().filter(|(_, of)| of.len() > 1) {
        let shown: Vec<String> = of.iter().take(NAMED).map(|dump| excerpt(dump, 60)).collect();
        let more = if of.len() > NAMED { ", …" } else { "" };
        notes.push(format!("{} dumps are one collection, {} of {}: {}{more}", of.len(), printable(name), printable(source), shown.join(", ")));
    }
    Ok(())
}
