//! What `report` prints when it has written its page: the result of each check, and where the page is.

use std::path::Path;

use super::text::{Table, bytes, count};
use crate::overview::{Overview, State};
use crate::reject::printable;

/// For people.
#[must_use]
pub fn page_text(found: &Overview, page: &Path, size: u64) -> String {
    let mut table = Table::default();
    let dataset = &found.dataset;
    table.row("dataset", &format!("{} (version {}, {} records, {})", printable(&dataset.path), dataset.version, count(dataset.records), bytes(dataset.bytes)));
    for check in &found.checks {
        let state = match check.state {
            State::Good => "holds",
            State::Finding => "FINDING",
            State::Stale => "old",
            State::Missing => "not made",
        };
        table.row(state, &format!("{}: {}", check.name, check.text));
    }
    for absent in &found.absent {
        table.row("missing", &format!("{}; to have it: {}", absent.why, printable(&absent.command)));
    }
    table.row("page", &format!("{} ({})", printable(&page.display().to_string()), bytes(size)));
    table.finish()
}
