//! How well and how fast the dataset is searched, and how its answers compare with the source's.

use std::fmt::Write as _;

use serde_json::Value;

use super::charts;
use super::html::{As, Head, Json, NONE, absent, escape, facts, figure, foreign, notes, table};

/// Indices, the curve of recall and latency, and the benchmark.
#[must_use]
pub(super) fn html(json: Json<'_>) -> String {
    let mut out = indices(json);
    out.push_str(&tune(json));
    out.push_str(&bench(json));
    out
}

fn indices(json: Json<'_>) -> String {
    let rows: Vec<Vec<String>> = (0..json.list("/indices").len())
        .map(|at| {
            let place = |key: &str| format!("/indices/{at}/{key}");
            let state = json.text(&place("broken")).map_or_else(|| "whole".to_owned(), |why| format!("<strong>{}</strong>", escape(why)));
            vec![
                format!("<code>{}</code>", json.words(&place("name"))),
                json.words(&place("type")),
                json.words(&place("metric")),
                json.number(&place("indexed"), As::Count),
                json.number(&place("unindexed"), As::Count),
                state,
            ]
        })
        .collect();
    if rows.is_empty() {
        return "<p>The dataset has no index. <code>vec2lance index OUT.lance</code> builds them.</p>\n".to_owned();
    }
    let heads = [Head::Words("Index"), Head::Words("Type"), Head::Words("Metric"), Head::Number("Rows"), Head::Number("Not covered"), Head::Words("State")];
    table("Indices", &heads, &rows)
}

fn tune(json: Json<'_>) -> String {
    if json.at("/tune").is_none() {
        return absent(json, "tune", "Recall was not measured.");
    }
    let k = json.number("/tune/k", As::Plain);
    let mut out = format!("<h3>Recall@{k} and latency</h3>\n");
    let setting = |at: &str| {
        if json.at(at).is_none() {
            return "no setting reaches the target".to_owned();
        }
        let refine = json
            .at(&format!("{at}/refine_factor"))
            .map_or_else(String::new, |_| format!(", refine_factor {}", json.number(&format!("{at}/refine_factor"), As::Plain)));
        format!(
            "nprobes {}{refine}: recall {}, {} ms",
            json.number(&format!("{at}/nprobes"), As::Plain),
            json.number(&format!("{at}/recall"), As::Fixed(4)),
            json.number(&format!("{at}/p50_ms"), As::Digits)
        )
    };
    let plain = if json.at("/tune/plain").is_some() {
        format!("recall {}, {} ms", json.number("/tune/plain/recall", As::Fixed(4)), json.number("/tune/plain/p50_ms", As::Digits))
    } else {
        NONE.to_owned()
    };
    out.push_str(&facts(&[
        ("Target", json.number("/tune/target_recall", As::Plain)),
        ("Recommended", setting("/tune/chosen")),
        ("Plain search, as ContextFrame's knn_search", plain),
        ("Queries", json.number("/tune/queries", As::Count)),
        ("Metric", json.words("/tune/metric")),
        ("Exact answers took", format!("{} s", json.number("/tune/exact_seconds", As::Digits))),
    ]));
    let points = json.list("/tune/points");
    let number = |p: &Value, key: &str| p.get(key).and_then(Value::as_f64);
    let mut factors: Vec<String> = Vec::new();
    let factor = |p: &Value| p.get("refine_factor").filter(|f| !f.is_null()).map_or_else(|| "no refine".to_owned(), |f| format!("refine_factor {f}"));
    for point in points {
        if !factors.contains(&factor(point)) {
            factors.push(factor(point));
        }
    }
    let series: Vec<(String, Vec<(f64, f64)>)> = factors
        .into_iter()
        .map(|name| {
            let mut line: Vec<(f64, f64)> =
                points.iter().filter(|p| factor(p) == name).filter_map(|p| Some((number(p, "p50_ms")?, number(p, "recall")?))).collect();
            line.sort_by(|a, b| a.0.total_cmp(&b.0));
            (name, line)
        })
        .collect();
    let charts = charts::curves(
        "Recall over median latency, a line for each refine_factor",
        "median latency, ms",
        "recall",
        &series,
        json.at("/tune/target_recall").and_then(Value::as_f64),
    );
    let row = |at: usize| {
        let place = |key: &str| format!("/tune/points/{at}/{key}");
        vec![
            json.number(&place("nprobes"), As::Plain),
            json.number(&place("refine_factor"), As::Plain),
            json.number(&place("recall"), As::Fixed(4)),
            json.number(&place("p50_ms"), As::Digits),
        ]
    };
    let rows: Vec<Vec<String>> = (0..points.len()).map(row).collect();
    let all = table(
        "Recall and latency by setting",
        &[Head::Words("nprobes"), Head::Number("refine_factor"), Head::Number("Recall"), Head::Number("Median, ms")],
        &rows,
    );
    if !points.is_empty() {
        out.push_str("<ul class=\"legend\">");
        for (at, (name, _)) in series.iter().enumerate() {
            let _ =
                write!(out, "<li><span class=\"t{}\" aria-hidden=\"true\">{}</span> {}</li>", at % 8, charts::MARKS[at % charts::MARKS.len()], escape(name));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&figure("Recall over latency: up and left is better. Along each line nprobes grows; the dashed line is the target.", &charts, &all));
    let row = |at: usize| {
        let place = |key: &str| format!("/tune/filtered/{at}/{key}");
        let before = if json.at(&place("prefilter")).and_then(Value::as_bool) == Some(true) { "before the search" } else { "after the search" };
        vec![
            json.number(&place("share"), As::Percent),
            before.to_owned(),
            json.number(&place("recall"), As::Fixed(4)),
            json.number(&place("p50_ms"), As::Digits),
        ]
    };
    let rows: Vec<Vec<String>> = (0..json.list("/tune/filtered").len()).map(row).collect();
    if !rows.is_empty() {
        out.push_str(&table(
            "Search with a filter",
            &[Head::Words("Rows that pass"), Head::Words("Filter is used"), Head::Number("Recall"), Head::Number("Median, ms")],
            &rows,
        ));
    }
    let row = |at: usize| {
        let place = |key: &str| format!("/tune/alternatives/{at}/{key}");
        vec![
            json.words(&place("index")),
            json.number(&place("recall"), As::Fixed(4)),
            json.number(&place("bytes"), As::Bytes),
            json.number(&place("build_seconds"), As::Digits),
        ]
    };
    let rows: Vec<Vec<String>> = (0..json.list("/tune/alternatives").len()).map(row).collect();
    if !rows.is_empty() {
        out.push_str(&table(
            "Other indices, searched plainly",
            &[Head::Words("Index"), Head::Number("Recall"), Head::Number("Size"), Head::Number("Seconds to build")],
            &rows,
        ));
    }
    out
}

fn bench(json: Json<'_>) -> String {
    if json.at("/bench").is_none() {
        return absent(json, "bench", "Latency and throughput were not measured.");
    }
    let row = |at: usize| {
        let place = |key: &str| format!("/bench/runs/{at}/{key}");
        let warm = match json.at(&place("warm")).and_then(Value::as_bool) {
            Some(true) => "warm",
            Some(false) => "cold",
            None => NONE,
        };
        let mut row = vec![json.words(&place("kind")), warm.to_owned(), json.number(&place("threads"), As::Plain), json.number(&place("queries"), As::Count)];
        row.extend(["p50_ms", "p95_ms", "p99_ms", "qps"].map(|key| json.number(&place(key), As::Digits)));
        row
    };
    let rows: Vec<Vec<String>> = (0..json.list("/bench/runs").len()).map(row).collect();
    let words = [Head::Words("Search"), Head::Words("Cache")];
    let numbers = ["Threads", "Queries", "p50, ms", "p95, ms", "p99, ms", "Queries/s"].map(Head::Number);
    let heads: Vec<Head<'_>> = words.into_iter().chain(numbers).collect();
    let machine = match json.at("/bench/machine") {
        Some(Value::String(text)) => foreign(text),
        Some(Value::Object(pairs)) => pairs
            .iter()
            .map(|(k, v)| format!("{} {}", escape(k), foreign(&v.as_str().map_or_else(|| v.to_string(), str::to_owned))))
            .collect::<Vec<_>>()
            .join(", "),
        _ => NONE.to_owned(),
    };
    format!("<h3>Latency and throughput</h3>\n<p>Measured on: {machine}</p>\n{}", table("Latency and throughput", &heads, &rows))
}

/// Answers of the dataset and of the source, side by side.
#[must_use]
pub(super) fn compare(json: Json<'_>) -> String {
    if json.at("/compare").is_none() {
        return absent(json, "compare", "Answers were not compared with those of the source.");
    }
    let mut out = format!(
        "<p>{} queries, {} answers each, by {}. Each was searched as ContextFrame does it (plain), with the recommended setting (tuned), and exactly: a low figure in all three points at the data, one in the first two at the index.</p>\n",
        json.number("/compare/queries", As::Count),
        json.number("/compare/k", As::Plain),
        json.words("/compare/metric")
    );
    let ways: Vec<&str> = ["plain", "tuned", "exact"].into_iter().filter(|way| json.at(&format!("/compare/ways/{way}")).is_some()).collect();
    let measures = [
        ("overlap", "Answers in common", As::Percent),
        ("precision", "Precision", As::Fixed(4)),
        ("recall", "Recall", As::Fixed(4)),
        ("f1", "F1", As::Fixed(4)),
        ("first5_in_order", "First five in the same order", As::Percent),
        ("rank_correlation", "Rank correlation", As::Fixed(4)),
        ("score_difference", "Difference of scores", As::Digits),
        ("perfect", "Queries with the same answers", As::Count),
    ];
    let row = |(key, name, shown): (&str, &str, As)| {
        std::iter::once(name.to_owned()).chain(ways.iter().map(|way| json.number(&format!("/compare/ways/{way}/{key}"), shown))).collect()
    };
    let rows: Vec<Vec<String>> = measures.into_iter().map(row).collect();
    let heads: Vec<Head<'_>> = std::iter::once(Head::Words("Mean over the queries")).chain(ways.iter().map(|way| Head::Number(way))).collect();
    out.push_str(&table("Answers compared with the source's", &heads, &rows));
    out.push_str(&notes("findings", "Likely causes of differences", json.list("/compare/causes")));
    let worst = json.list("/compare/worst");
    if !worst.is_empty() {
        out.push_str("<h3>The worst queries</h3>\n");
    }
    for (at, query) in worst.iter().enumerate().take(10) {
        let side = |side: &str| {
            let list = query.get(side).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let mut text = "<ol>".to_owned();
            for (n, hit) in list.iter().enumerate().take(10) {
                let title = hit.get("title").and_then(Value::as_str).filter(|t| !t.is_empty());
                let id = hit.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).unwrap_or_default();
                let score = json.number(&format!("/compare/worst/{at}/{side}/{n}/score"), As::Digits);
                let _ = write!(text, "<li>{} <small>{} · {score}</small></li>", title.map(foreign).unwrap_or_default(), foreign(&id));
            }
            text + "</ol>"
        };
        let id = query.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).unwrap_or_default();
        let _ = writeln!(
            out,
            "<details><summary>Query {}: recall {}</summary><div class=\"sides\"><div><h4>The source</h4>{}</div><div><h4>The dataset</h4>{}</div></div></details>",
            foreign(&id),
            json.number(&format!("/compare/worst/{at}/recall"), As::Fixed(2)),
            side("source"),
            side("found")
        );
    }
    out
}
