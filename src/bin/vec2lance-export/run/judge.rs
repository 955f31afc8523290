//! Whether the snapshot is what the source held: counts before, after and written, markers, what vanished; and the manifest that says so.

use chrono::{SecondsFormat, Utc};
use vec2lance::manifest::{CollectionEntry, CountEntry, FORMAT, FileEntry, Manifest, Part, Skipped, VERSION};

use crate::journal::{Journal, UnitState};
use crate::source::{Count, Unit};

/// Notes of one collection that the manifest holds at most.
const NOTES: usize = 100;

/// The manifest of an export that is whole.
pub(super) fn manifest(journal: &Journal, queries: Option<Part>, files: Vec<FileEntry>) -> Manifest {
    let begun = journal.begun();
    let collections = begun.units.iter().enumerate().map(|(number, unit)| entry(unit, journal.unit(number))).collect();
    let skipped = begun.left_out.into_iter().map(|l| Skipped { collection: l.collection, namespace: l.namespace, reason: l.reason }).collect();
    Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        source: begun.source,
        source_version: begun.source_version,
        exported_at: Some(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
        exporter: Some(concat!("vec2lance-export ", env!("CARGO_PKG_VERSION")).to_owned()),
        started_at: Some(begun.started),
        options: begun.options,
        collections,
        skipped,
        queries,
        files,
    }
}

fn entry(unit: &Unit, state: UnitState) -> CollectionEntry {
    let rows = state.ranges.iter().flat_map(|(_, r)| &r.parts).map(|p| p.rows).sum();
    let vanished = state.ranges.iter().map(|(_, r)| r.vanished).sum();
    let (findings, mut notes) = judge(&state, rows, vanished);
    let mut met: Vec<String> = state.ranges.iter().flat_map(|(_, r)| r.notes.iter().cloned()).collect();
    met.sort();
    met.dedup();
    if met.len() > NOTES {
        let more = met.len() - NOTES;
        met.truncate(NOTES);
        met.push(format!("and {more} more notes"));
    }
    notes.extend(met);
    CollectionEntry {
        name: unit.collection.clone(),
        namespace: unit.namespace.clone(),
        layout: Some(unit.layout.clone()),
        count: rows,
        metric: unit.metric.clone(),
        vectors: unit.vectors.clone(),
        schema: Some(unit.schema.clone()).filter(|s| !s.is_null()),
        parts: state.ranges.into_iter().flat_map(|(_, r)| r.parts).collect(),
        count_before: state.before.map(count),
        count_after: state.after.map(count),
        marker_before: state.marker_before,
        marker_after: state.marker_after,
        vanished,
        findings,
        losses: unit.losses.clone(),
        notes,
    }
}

fn count(count: Count) -> CountEntry {
    CountEntry { value: count.value, by: count.by, exact: count.exact }
}

/// Findings, and notes where nothing is certain.
fn judge(state: &UnitState, rows: u64, vanished: u64) -> (Vec<String>, Vec<String>) {
    let (mut findings, mut notes) = (Vec::new(), Vec::new());
    match (&state.before, &state.after) {
        (Some(before), Some(after)) => {
            if before.value != after.value {
                let text = format!("the source counted {} records before and {} after ({}): it changed meanwhile", before.value, after.value, after.by);
                if before.exact && after.exact { findings.push(text) } else { notes.push(text) }
            }
            if after.value != rows {
                let text = format!("{rows} records were written, and the source counts {} ({})", after.value, after.by);
                if after.exact { findings.push(text) } else { notes.push(format!("{text}, which it does not promise to be exact")) }
            }
        }
        _ => notes.push("the source has no call that counts these records; only what was written is known".to_owned()),
    }
    if state.marker_before != state.marker_after {
        findings.push(format!("the source was written to meanwhile: its marker was {} and is {}", state.marker_before, state.marker_after));
    }
    if vanished > 0 {
        findings.push(format!("{vanished} records were listed and then no longer there: they were deleted meanwhile"));
    }
    (findings, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(before: u64, after: u64, exact: bool) -> UnitState {
        let count = |value| Some(Count { value, by: "count".to_owned(), exact });
        UnitState { before: count(before), after: count(after), ..UnitState::default() }
    }

    #[test]
    fn only_what_is_certain_is_a_finding() {
        assert_eq!(judge(&state(3, 3, true), 3, 0), (vec![], vec![]));
        assert_eq!(judge(&state(3, 4, true), 3, 0).0.len(), 2);
        assert_eq!(judge(&state(4, 4, true), 3, 0).0.len(), 1);
        assert_eq!(judge(&state(3, 4, false), 3, 0).0.len(), 0);
        assert_eq!(judge(&state(3, 4, false), 3, 0).1.len(), 2);
        assert_eq!(judge(&state(3, 3, true), 3, 1).0.len(), 1);
        assert_eq!(judge(&UnitState::default(), 3, 0).1.len(), 1);
    }
}
