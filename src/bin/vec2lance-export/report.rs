//! The exporter's only printer: the report on stdout as text for people or JSON for machines, errors on stderr.
//!
//! Decides nothing: every figure comes from the run.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::{Value, json};
use vec2lance::error::{Error, Result, Status};
use vec2lance::manifest::{CollectionEntry, CountEntry};

use crate::http::clean;
use crate::run::{Looked, Outcome, Sealed};

/// Prints what a command came to, and answers with its status. A closed stdout is not an error.
///
/// # Errors
/// Stdout cannot be written for another reason.
pub(crate) fn print(outcome: &Outcome, as_json: bool) -> Result<Status> {
    let text = match (outcome, as_json) {
        (Outcome::Looked(looked), true) => pretty(&looked_json(looked)),
        (Outcome::Looked(looked), false) => looked_text(looked),
        (Outcome::Sealed(sealed), true) => pretty(&sealed_json(sealed, outcome.status())),
        (Outcome::Sealed(sealed), false) => sealed_text(sealed),
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(format!("cannot write to stdout: {e}"))),
        _ => Ok(outcome.status()),
    }
}

/// Prints an error on stderr: `error: …`, and the `help:` line if there is one.
pub(crate) fn print_error(error: &Error) {
    let mut err = io::stderr().lock();
    // Nowhere is left to say that stderr is closed.
    let _ = writeln!(err, "error: {error}");
    if let Some(help) = error.help_text() {
        let _ = writeln!(err, "help: {help}");
    }
}

fn pretty(value: &Value) -> String {
    // The values hold no map with keys that are no strings, the only thing that could fail.
    serde_json::to_string_pretty(value).map(|t| t + "\n").unwrap_or_default()
}

fn place(collection: &str, namespace: Option<&str>) -> String {
    let namespace = namespace.map(|n| format!("/{}", clean(n))).unwrap_or_default();
    format!("{}{namespace}", clean(collection))
}

/// `1,234,567`.
fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `12.3 MiB`.
#[expect(clippy::cast_precision_loss, reason = "for people, with one digit behind the point")]
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// Peak resident memory in bytes, where the system says it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn count_text(count: Option<&CountEntry>) -> String {
    count.map_or_else(|| "not counted".to_owned(), |c| format!("{}{}", number(c.value), if c.exact { "" } else { " (may lag)" }))
}

fn bytes_of(entry: &CollectionEntry) -> u64 {
    entry.parts.iter().map(|p| p.bytes).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(sealed: &Sealed) -> f64 {
    if sealed.seconds > 0.0 { sealed.written.0 as f64 / sealed.seconds } else { 0.0 }
}

fn sealed_text(sealed: &Sealed) -> String {
    let manifest = &sealed.manifest;
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(out, "{} {}", manifest.source, manifest.source_version.as_deref().map(clean).unwrap_or_default());
    for entry in &manifest.collections {
        let _ = writeln!(
            out,
            "  {}: {} records in {} parts, {}; the source counted {} before, {} after",
            place(&entry.name, entry.namespace.as_deref()),
            number(entry.count),
            entry.parts.len(),
            size(bytes_of(entry)),
            count_text(entry.count_before.as_ref()),
            count_text(entry.count_after.as_ref()),
        );
        let lists = [("FINDING", &entry.findings), ("loss", &entry.losses), ("note", &entry.notes)];
        for (word, texts) in lists {
            for text in texts {
                let _ = writeln!(out, "    {word}: {}", clean(text));
            }
        }
    }
    for skipped in &manifest.skipped {
        let _ = writeln!(out, "  left out: {}: {}", place(&skipped.collection, skipped.namespace.as_deref()), clean(&skipped.reason));
    }
    for file in &manifest.files {
        let _ = writeln!(out, "  file: {}, {}, {}", clean(&file.path), size(file.bytes), clean(&file.what));
    }
    if let Some(queries) = &manifest.queries {
        let _ = writeln!(out, "  queries: {} answered by the source, in {}", number(queries.rows), queries.path);
    }
    let total: u64 = manifest.collections.iter().map(|c| c.count).sum();
    let bytes: u64 = manifest.collections.iter().map(bytes_of).sum();
    let _ = writeln!(out, "{} records, {}{}", number(total), size(bytes), if sealed.resumed { ", some of them by an earlier run" } else { "" });
    let _ = write!(out, "{:.1} s, {:.0} records a second, {} before compression", sealed.seconds, rate(sealed), size(sealed.written.1));
    let _ = write!(out, "; {} requests, {} of them tried again", number(sealed.requests.0), number(sealed.requests.1));
    let _ = writeln!(out, "{}", peak_memory().map(|m| format!("; peak memory {}", size(m))).unwrap_or_default());
    let folder = sealed.folder.display();
    let _ = writeln!(out, "next: vec2lance convert {folder} {}.lance", sealed.folder.file_name().map_or("OUT".into(), |n| n.to_string_lossy()));
    out
}

fn sealed_json(sealed: &Sealed, status: Status) -> Value {
    let manifest = &sealed.manifest;
    let collections = manifest.collections.iter().map(|c| {
        json!({
            "name": c.name, "namespace": c.namespace, "written": c.count, "count_before": c.count_before, "count_after": c.count_after,
            "parts": c.parts.len(), "bytes": bytes_of(c), "vanished": c.vanished, "findings": c.findings, "losses": c.losses, "notes": c.notes,
        })
    });
    let collections = collections.collect::<Vec<_>>();
    json!({
        "status": status.code(), "snapshot": sealed.folder, "source": manifest.source, "source_version": manifest.source_version,
        "resumed": sealed.resumed, "collections": collections, "skipped": manifest.skipped, "queries": manifest.queries, "files": manifest.files,
        "records": sealed.written.0, "record_bytes": sealed.written.1, "seconds": sealed.seconds, "records_per_second": rate(sealed),
        "requests": sealed.requests.0, "retries": sealed.requests.1, "peak_memory": peak_memory(),
    })
}

fn looked_text(looked: &Looked) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} {}", looked.source.0, looked.source.1.as_deref().map(clean).unwrap_or_default());
    for estimate in &looked.units {
        let unit = &estimate.unit;
        let vectors = unit.vectors.iter().map(|v| {
            let name = if v.name.is_empty() { String::new() } else { format!("{} ", clean(&v.name)) };
            format!("{name}{}{}", v.kind, v.dimension.map(|d| format!(" {d}")).unwrap_or_default())
        });
        let vectors: Vec<String> = vectors.collect();
        let count = estimate.count.as_ref().map_or_else(|| "not counted".to_owned(), |c| format!("{} records by {}", number(c.value), clean(&c.by)));
        let bytes = estimate.bytes.map(|b| format!(", about {} before compression", size(b))).unwrap_or_default();
        let metric = unit.metric.as_deref().map(|m| format!(", {}", clean(m))).unwrap_or_default();
        let _ = writeln!(out, "  {}: {count}{bytes}; vectors: {}{metric}", place(&unit.collection, unit.namespace.as_deref()), vectors.join(", "));
        for loss in &unit.losses {
            let _ = writeln!(out, "    loss: {}", clean(loss));
        }
    }
    for left in &looked.left_out {
        let _ = writeln!(out, "  left out: {}: {}", place(&left.collection, left.namespace.as_deref()), clean(&left.reason));
    }
    let total: u64 = looked.units.iter().filter_map(|e| e.count.as_ref()).map(|c| c.value).sum();
    let bytes: u64 = looked.units.iter().filter_map(|e| e.bytes).sum();
    let _ = writeln!(out, "{} records, about {} before compression; nothing was written", number(total), size(bytes));
    out
}

fn looked_json(looked: &Looked) -> Value {
    let units: Vec<Value> = looked
        .units
        .iter()
        .map(|e| {
            let u = &e.unit;
            json!({
                "name": u.collection, "namespace": u.namespace, "layout": u.layout, "metric": u.metric, "vectors": u.vectors,
                "count": e.count, "estimated_bytes": e.bytes, "losses": u.losses,
            })
        })
        .collect();
    json!({ "source": looked.source.0, "source_version": looked.source.1, "collections": units, "skipped": looked.left_out })
}
