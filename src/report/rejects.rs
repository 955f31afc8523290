//! The report of `rejects`.

use super::text::{Table, count, plural};
use crate::reject::printable;
use crate::rejects::Summary;

/// A rejects file by code, for people.
#[must_use]
pub fn rejects_text(summary: &Summary) -> String {
    let mut table = Table::default();
    table.row("rejects", &plural(summary.count, "record"));
    for origin in &summary.origins {
        let namespace = if origin.namespace.is_empty() { String::new() } else { format!(", namespace {}", printable(&origin.namespace)) };
        table.row("from", &format!("{}, collection {}{namespace}", printable(&origin.source), printable(&origin.collection)));
    }
    for of in &summary.codes {
        table.row("", "");
        table.row("code", &format!("{}: {}", printable(&of.code), count(of.count)));
        for example in &of.examples {
            let id = example.id.as_deref().map(|id| format!(", id {}", crate::reject::excerpt(id, 60))).unwrap_or_default();
            table.row(&format!("  line {}", example.line), &format!("{}{id}: {}", example.place, printable(&example.reason)));
            table.row("", &example.original);
        }
    }
    if !summary.broken.is_empty() {
        let lines: Vec<String> = summary.broken.iter().map(ToString::to_string).collect();
        table.row("", "");
        table.row("no rejects", &format!("lines {}", lines.join(", ")));
    }
    table.finish()
}
