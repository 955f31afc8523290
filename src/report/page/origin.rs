//! Where the records come from, the counts that must add up, and what was refused.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::{As, Head, Json, NONE, absent, escape, facts, foreign, notes, table};

/// What was migrated from where.
#[must_use]
pub(super) fn html(json: Json<'_>) -> String {
    if json.at("/convert").is_none() {
        return absent(json, "convert", "What the conversion read and wrote is not known.");
    }
    let mut out = equation(json);
    let inputs = json.list("/convert/inputs");
    let row = |(at, _): (usize, &Value)| {
        let place = |key: &str| format!("/convert/inputs/{at}/{key}");
        vec![
            json.words(&place("dump")),
            format!("{}<br><small>{}</small>", json.words(&place("format")), json.words(&place("detected_by"))),
            json.words(&place("collection")),
            json.words(&place("encoding")),
            json.number(&place("shards"), As::Count),
            json.number(&place("read"), As::Count),
        ]
    };
    let rows: Vec<Vec<String>> = inputs.iter().enumerate().map(row).collect();
    let heads = [
        Head::Words("Dump"),
        Head::Words("Database and layout"),
        Head::Words("Collection"),
        Head::Words("Written as"),
        Head::Number("Shards"),
        Head::Number("Records read"),
    ];
    out.push_str(&table("Dumps that were read", &heads, &rows));
    let mappings: Vec<(&str, Vec<&str>)> = inputs
        .iter()
        .map(|i| {
            (
                i.get("dump").and_then(Value::as_str).unwrap_or_default(),
                i.get("mapping").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect(),
            )
        })
        .collect();
    if mappings.iter().any(|(_, lines)| !lines.is_empty()) {
        out.push_str("<h3>Where fields went</h3>\n<ul>\n");
        for (dump, line) in mappings.iter().flat_map(|(dump, lines)| lines.iter().map(move |line| (dump, line))) {
            let _ = writeln!(out, "<li>{}: {}</li>", foreign(dump), foreign(line));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&columns(json));
    out.push_str(&facts(&[
        ("Main vector", json.words("/convert/main_vector_from")),
        ("Metric", format!("{} ({})", json.words("/convert/metric"), json.words("/convert/metric_from"))),
        ("Bytes read", json.number("/convert/bytes_read", As::Bytes)),
        ("Without a vector", json.number("/convert/without_vector", As::Count)),
        ("Zero vectors", json.number("/convert/zero_vectors", As::Count)),
        ("Rounded to float32", json.number("/convert/rounded_vectors", As::Count)),
        ("Ids in several collections", json.number("/convert/ids_in_several", As::Count)),
        ("Taken over from an interrupted run", json.number("/convert/resumed", As::Count)),
        ("Internet sockets", sealed(json)),
    ]));
    out.push_str(&notes("notes", "Notes of the conversion", json.list("/convert/notes")));
    out
}

fn sealed(json: Json<'_>) -> String {
    match json.at("/convert/sealed").and_then(Value::as_bool) {
        Some(true) => "refused by the kernel during the run".to_owned(),
        Some(false) => "none opened".to_owned(),
        None => NONE.to_owned(),
    }
}

/// The counts as a sum.
fn equation(json: Json<'_>) -> String {
    let term = |key: &str, name: &str| format!("<span class=\"term\"><b>{}</b> {name}</span>", json.number(&format!("/convert/{key}"), As::Count));
    let mut out = format!(
        "<p class=\"sum\">{} <span class=\"op\">=</span> {} <span class=\"op\">+</span> {} <span class=\"op\">+</span> {}</p>\n",
        term("read", "read"),
        term("written", "written"),
        term("rejected", "rejected"),
        term("deduplicated", "deduplicated")
    );
    if json.at("/convert/rows").is_some() {
        let keys = ["rows_before", "added", "changed", "unchanged", "removed", "rows"];
        let row = keys.map(|key| json.number(&format!("/convert/{key}"), As::Count)).to_vec();
        let heads = ["Rows before", "Added", "Changed", "Unchanged", "Removed", "Rows now"].map(Head::Number);
        out.push_str(&table("What the last run changed", &heads, &[row]));
    }
    let _ = writeln!(
        out,
        "<p>In the dataset now: {} rows, of which {} are records and {} describe collections.</p>",
        json.number("/dataset/rows", As::Count),
        json.number("/dataset/records", As::Count),
        json.number("/dataset/headers", As::Count)
    );
    out
}

/// Columns that were made of vectors and fields.
fn columns(json: Json<'_>) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for at in 0..json.list("/convert/vectors").len() {
        let place = |key: &str| format!("/convert/vectors/{at}/{key}");
        rows.push(vec![json.words(&place("name")), json.words(&place("column")), json.words(&place("kind"))]);
    }
    for at in 0..json.list("/convert/promoted").len() {
        let place = |key: &str| format!("/convert/promoted/{at}/{key}");
        let kind = json.at(&place("kind")).map_or_else(|| NONE.to_owned(), |kind| foreign(&kind.as_str().map_or_else(|| kind.to_string(), str::to_owned)));
        rows.push(vec![json.words(&place("field")), json.words(&place("column")), kind]);
    }
    if rows.is_empty() {
        String::new()
    } else {
        table("Vectors and promoted fields", &[Head::Words("In the source"), Head::Words("Column"), Head::Words("What it holds")], &rows)
    }
}

/// Rejects by reason, and duplicates.
#[must_use]
pub(super) fn rejects(json: Json<'_>) -> String {
    if json.at("/convert").is_none() && json.at("/rejects").is_none() {
        return absent(json, "convert", "Whether records were refused is not known.");
    }
    let mut out = String::new();
    let codes = json.list("/rejects/codes");
    if codes.is_empty() {
        let by_code: Vec<Vec<String>> = json
            .pairs("/convert/rejects_by_code")
            .map(|(code, _)| vec![foreign(code), json.number(&format!("/convert/rejects_by_code/{}", code.replace('~', "~0").replace('/', "~1")), As::Count)])
            .collect();
        if by_code.is_empty() {
            out.push_str("<p>No record was refused.</p>\n");
        } else {
            out.push_str("<p>The list of rejects is not beside the dataset any more; these are the conversion's counts.</p>\n");
            out.push_str(&table("Rejects by reason", &[Head::Words("Reason"), Head::Number("Records")], &by_code));
        }
    } else {
        let rows: Vec<Vec<String>> = (0..codes.len())
            .map(|at| vec![json.words(&format!("/rejects/codes/{at}/code")), json.number(&format!("/rejects/codes/{at}/count"), As::Count)])
            .collect();
        out.push_str(&table("Rejects by reason", &[Head::Words("Reason"), Head::Number("Records")], &rows));
        for at in 0..codes.len() {
            out.push_str(&examples(json, at));
        }
        out.push_str("<p>Every refused record is in the rejects file with its place and its original text. Mended, it is added by <code>vec2lance convert OUT.rejects.jsonl OUT.lance --append</code>.</p>\n");
    }
    out.push_str(&duplicates(json));
    out
}

fn examples(json: Json<'_>, code: usize) -> String {
    let list = json.list(&format!("/rejects/codes/{code}/examples"));
    let mut out = format!("<h3>{}</h3>\n<ul class=\"examples\">\n", json.words(&format!("/rejects/codes/{code}/code")));
    for at in 0..list.len() {
        let place = |key: &str| format!("/rejects/codes/{code}/examples/{at}/{key}");
        let id = json.text(&place("id")).map(|id| format!(", id {}", foreign(id))).unwrap_or_default();
        let _ = writeln!(
            out,
            "<li>{}{id}: {}<br><code>{}</code></li>",
            json.words(&place("place")),
            json.words(&place("reason")),
            escape(json.text(&place("original")).unwrap_or_default())
        );
    }
    out.push_str("</ul>\n");
    out
}

fn duplicates(json: Json<'_>) -> String {
    if json.whole("/convert/deduplicated") == 0 && json.at("/duplicates").is_none() {
        return "<p>No two records had the same id.</p>\n".to_owned();
    }
    let mut out =
        format!("<h3>Records that share an id</h3>\n<p>{} lost against another record of the same id.</p>\n", json.number("/convert/deduplicated", As::Count));
    let examples = json.list("/duplicates/examples");
    if !examples.is_empty() {
        let _ = writeln!(out, "<p>The first of {} in the list:</p>\n<ul class=\"examples\">", json.number("/duplicates/listed", As::Count));
        for example in examples {
            let _ = writeln!(out, "<li><code>{}</code></li>", escape(&example.to_string()));
        }
        out.push_str("</ul>\n");
    }
    out
}
