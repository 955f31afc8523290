//! What `search`, `compare`, `tune` and `bench` print for people.

use std::fmt::Write as _;

use super::text::{Table, bytes, count};
use crate::bench::Benched;
use crate::compare::{Compared, Item, WAYS};
use crate::look::{Line, Looked, LookedAll};
use crate::reject::{excerpt, printable};
use crate::tune::{Point, Tuned};

/// A table of rows.
#[must_use]
pub fn search_text(found: &Looked) -> String {
    rows(&found.hits) + &format!("\n{} rows in {:.1} ms: {}\n", count(found.hits.len() as u64), found.ms, found.how)
}

/// A table of rows for each query.
#[must_use]
pub fn search_all_text(found: &LookedAll) -> String {
    let tables: Vec<String> = found.answers.iter().map(|a| format!("query {}\n{}", printable(&a.query), rows(&a.hits))).collect();
    tables.join("\n") + &format!("\n{} queries in {:.1} ms: {}\n", count(found.answers.len() as u64), found.ms, found.how)
}

fn rows(hits: &[Line]) -> String {
    let mut out = format!("{:>4}  {:>10}  {:<32}  title\n", "rank", "distance", "id");
    for hit in hits {
        let id = hit.id.as_deref().or(hit.uuid.as_deref()).unwrap_or("-");
        let title = hit.title.as_deref().map_or_else(String::new, |t| excerpt(&printable(t), 80));
        let _ = writeln!(out, "{:>4}  {:>10.6}  {:<32}  {title}", hit.rank, hit.distance, excerpt(&printable(id), 32));
    }
    if hits.is_empty() {
        out += "nothing was found\n";
    }
    out
}

/// Averages by way, causes, and the worst queries.
#[must_use]
pub fn compare_text(found: &Compared) -> String {
    let mut table = Table::default();
    let reference = if found.reference == "source" { "the source's answers" } else { "the exact answers" };
    table.row("queries", &format!("{}, {} rows each at most, against {reference}, {}", count(found.queries as u64), found.k, found.metric));
    table.row("index", found.index.as_deref().unwrap_or("none"));
    table.some("scores", found.scores.clone().map(|s| format!("the source's are {s}")));
    if found.source_ids.0 > 0 {
        table.row("ids", &format!("{} that the source answered, {} of them in no row", count(found.source_ids.0 as u64), count(found.source_ids.1 as u64)));
    }
    let mut out = table.finish();
    let _ = writeln!(
        out,
        "\n{:<12} {:>7} {:>9} {:>7} {:>7} {:>8} {:>11} {:>10} {:>8}",
        "", "overlap", "precision", "recall", "F1", "first 5", "rank corr.", "difference", "perfect"
    );
    for way in WAYS.iter().chain(&["text"]) {
        let Some(a) = found.ways.get(way) else { continue };
        let number = |n: Option<f64>, digits: usize| n.map_or("-".to_owned(), |n| if digits == 0 { format!("{n:.1e}") } else { format!("{n:.digits$}") });
        let _ = writeln!(
            out,
            "{way:<12} {:>7.2} {:>9.4} {:>7.4} {:>7.4} {:>8} {:>11} {:>10} {:>8}",
            a.overlap,
            a.precision,
            a.recall,
            a.f1,
            a.first5_in_order,
            number(a.rank_correlation, 4),
            number(a.score_difference, 0),
            a.perfect
        );
    }
    let setting = |n: Option<String>| n.unwrap_or_else(|| "none".to_owned());
    let (nprobes, refine) = (setting(found.nprobes.map(|n| n.to_string())), setting(found.refine_factor.map(|n| n.to_string())));
    let _ = writeln!(out, "\nplain: as ContextFrame's knn_search; tuned: nprobes {nprobes}, refine_factor {refine}; exact: every vector compared");
    for worst in &found.worst {
        let _ = writeln!(out, "\nquery {}: recall {:.2}", excerpt(&printable(&worst.id), 60), worst.recall);
        let _ = writeln!(out, "  {reference:<50}  here");
        for row in 0..worst.source.len().max(worst.found.len()) {
            let _ = writeln!(out, "  {:<50}  {}", item(worst.source.get(row)), item(worst.found.get(row)));
        }
    }
    let mut table = Table::default();
    table.row("", "");
    table.list("note", &found.notes);
    for cause in &found.causes {
        table.row(if cause.finding { "FINDING" } else { "cause" }, &cause.text);
    }
    if found.causes.is_empty() {
        table.row("cause", "none to look for: the same is found as there");
    }
    out + &table.finish()
}

fn item(item: Option<&Item>) -> String {
    let Some(item) = item else { return "-".to_owned() };
    let score = item.score.map_or_else(String::new, |s| format!(" {s:.4}"));
    excerpt(&format!("{}{score} {}", printable(&item.id), item.title.as_deref().map_or_else(String::new, printable)), 50)
}

fn point(p: &Point) -> String {
    let refine = p.refine_factor.map_or_else(|| "none".to_owned(), |r| r.to_string());
    format!("{:>8} {:>14} {:>8.4} {:>9.2}", p.nprobes.map_or_else(|| "default".to_owned(), |n| n.to_string()), refine, p.recall, p.p50_ms)
}

/// The curve, the recommendation, and ready lines.
#[must_use]
pub fn tune_text(found: &Tuned) -> String {
    let mut table = Table::default();
    table.row("dataset", &printable(&found.dataset));
    table.row("index", &format!("{}, {}", found.index, found.metric));
    table.row("queries", &format!("{} of {}", count(found.queries as u64), printable(&found.queries_from)));
    table.row("exact", &format!("the true {} nearest of each, found in {:.2} s", found.k, found.exact_seconds));
    table.row("plain", &format!("recall {:.4}, {:.2} ms", found.plain.recall, found.plain.p50_ms));
    let mut out = table.finish();
    let _ = writeln!(out, "\n{:>8} {:>14} {:>8} {:>9}", "nprobes", "refine_factor", "recall", "p50 ms");
    for p in &found.points {
        let mark = if Some(*p) == found.chosen { "  <" } else { "" };
        let _ = writeln!(out, "{}{mark}", point(p));
    }
    if !found.filtered.is_empty() {
        let _ = writeln!(out, "\n{:>8} {:>14} {:>8} {:>9}", "filter", "", "recall", "p50 ms");
        for f in &found.filtered {
            let place = if f.prefilter { "before" } else { "after" };
            let _ = writeln!(out, "{:>6.1} % {place:>14} {:>8.4} {:>9.2}", f.share * 100.0, f.recall, f.p50_ms);
        }
    }
    if !found.alternatives.is_empty() {
        let _ = writeln!(out, "\n{:<52} {:>8} {:>9} {:>9} {:>8}", "other indices, plain search", "recall", "p50 ms", "size", "build s");
        for a in &found.alternatives {
            let _ = writeln!(out, "{:<52} {:>8.4} {:>9.2} {:>9} {:>8.1}", a.index, a.recall, a.p50_ms, bytes(a.bytes), a.build_seconds);
        }
    }
    let mut table = Table::default();
    table.row("", "");
    if let Some(text) = &found.full_text {
        table.row("full text", &format!("{} rare words, {:.4} of the texts with them found, {:.2} ms", text.words, text.recall, text.p50_ms));
    }
    table.list("advice", &found.advice);
    table.row("ContextFrame", &found.python.contextframe);
    table.row("pylance", &found.python.pylance);
    table.row("LanceDB", &found.python.lancedb);
    out + &table.finish()
}

/// Every run, and what changed.
#[must_use]
pub fn bench_text(found: &Benched, before: Option<&Benched>) -> String {
    let machine = &found.machine;
    let mut table = Table::default();
    table.row("dataset", &format!("{} (version {}), {} rows", printable(&found.dataset), found.version, count(found.rows)));
    table.row("index", &format!("{}; searched {}", found.index, found.settings));
    table.row("queries", &printable(&found.queries_from));
    let memory = machine.memory.map(|m| format!(", {}", bytes(m))).unwrap_or_default();
    table.row("machine", &format!("{}, {} cores{memory}, {}; Lance {}", machine.cpu, machine.cores, machine.system, machine.lance));
    let mut out = table.finish();
    let _ = writeln!(out, "\n{:<10} {:>6} {:>6} {:>8} {:>9} {:>9} {:>9} {:>9}", "", "at once", "", "queries", "p50 ms", "p95 ms", "p99 ms", "per s");
    for run in &found.runs {
        let state = if run.warm { "warm" } else { "cold" };
        let asked = run.queries * run.repetitions;
        let _ = writeln!(
            out,
            "{:<10} {:>6} {state:>7} {:>8} {:>9.2} {:>9.2} {:>9.2} {:>9.0}",
            run.kind, run.threads, asked, run.p50_ms, run.p95_ms, run.p99_ms, run.qps
        );
    }
    let Some(before) = before else { return out };
    let mut table = Table::default();
    table.row("", "");
    if before.machine != found.machine {
        table.row(
            "note",
            &format!(
                "the run of {} was on another machine or version: {}, {} cores, Lance {}",
                before.at, before.machine.cpu, before.machine.cores, before.machine.lance
            ),
        );
    }
    let lines: Vec<String> = found.changes.iter().filter(|c| c.beyond_noise).map(crate::bench::Change::line).collect();
    if lines.is_empty() {
        table.row("changed", &format!("nothing beyond noise since {}", before.at));
    } else {
        table.row("changed", &format!("beyond noise, since {}:", before.at));
        table.list("", &lines);
    }
    out + &table.finish()
}
