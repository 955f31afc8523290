//! What the reports say of references between records.

use std::fmt::Write as _;

use super::text::count;
use crate::frame::unseen::Unseen;
use crate::links::Linked;
use crate::plan::Plan;
use crate::reject::{excerpt, printable};

/// One line for each field: `author_id: 300 references, 2 without a target: id 17 → authors 99, …`.
#[must_use]
pub fn lines(links: &[Linked]) -> Vec<String> {
    links.iter().map(line).collect()
}

fn line(linked: &Linked) -> String {
    let mut line = format!("{}: {} {}", printable(&linked.field), count(linked.references), if linked.references == 1 { "reference" } else { "references" });
    if linked.elsewhere > 0 {
        let _ = write!(line, ", {} to collections that the dataset does not have", count(linked.elsewhere));
    }
    if linked.dangling > 0 {
        let examples: Vec<String> = linked.examples.iter().map(|e| excerpt(e, 100)).collect();
        let more = if linked.dangling > examples.len() as u64 { ", …" } else { "" };
        let _ = write!(line, ", {} without a target: {}{more}", count(linked.dangling), examples.join(", "));
    }
    line
}

/// What fields of references hold beside keys, and links that met nothing.
#[must_use]
pub(super) fn notes(plan: &Plan, unseen: &Unseen) -> Vec<String> {
    let mut notes = Vec::new();
    for (field, n) in &unseen.no_keys {
        notes.push(format!("{}: records with a value that leads to no record (no string or integer, or no collection in it): {}", printable(field), count(*n)));
    }
    let Some(input) = plan.inputs.first() else { return notes };
    for link in &input.mapping.links().keys {
        if !unseen.references.contains_key(&link.field) {
            notes.push(format!("--link {}: no record has a key in this field", printable(&link.field)));
        }
    }
    notes
}
