//! What the dataset holds: its collections, its columns, and the fields of the sources' payloads.

use std::fmt::Write as _;

use super::charts;
use super::html::{As, Head, Json, NONE, escape, figure, foreign, meter, table};

/// Collections in the chart, collections in the table, and fields in the table.
const BARS: usize = 20;
const ROWS: usize = 100;

/// How a place is called: collection, and namespace where there is one.
fn name(json: Json<'_>, at: usize) -> String {
    let text = |key: &str| json.text(&format!("/collections/listed/{at}/{key}"));
    let collection = text("collection").unwrap_or("(none)");
    match text("namespace").filter(|n| !n.is_empty()) {
        Some(namespace) if !collection.ends_with(&format!("/{namespace}")) => format!("{collection} / {namespace}"),
        _ => collection.to_owned(),
    }
}

/// Collections and their sizes.
#[must_use]
pub(super) fn collections(json: Json<'_>) -> String {
    let listed = json.list("/collections/listed");
    let rows: Vec<Vec<String>> = (0..listed.len().min(ROWS))
        .map(|at| {
            let place = |key: &str| format!("/collections/listed/{at}/{key}");
            let numbers = ["records", "without_vector", "zero_vectors"].map(|key| json.number(&place(key), As::Count));
            let mut row = vec![foreign(&name(json, at)), json.words(&place("source"))];
            row.extend(numbers);
            row.push(json.number(&place("text_bytes"), As::Bytes));
            row
        })
        .collect();
    let heads = [
        Head::Words("Collection"),
        Head::Words("Database"),
        Head::Number("Records"),
        Head::Number("No vector"),
        Head::Number("Zero vectors"),
        Head::Number("Text"),
    ];
    let all = table("Collections and namespaces by size", &heads, &rows);
    let mut out = format!("<p>{} collections and namespaces.</p>\n", json.number("/collections/count", As::Count));
    if listed.len() > 1 {
        let bars: Vec<(String, f64)> =
            (0..listed.len().min(BARS)).map(|at| (name(json, at), json.real(&format!("/collections/listed/{at}/records")))).collect();
        let more = if listed.len() > BARS { format!(", the {BARS} largest of them") } else { String::new() };
        let charts = charts::ranking("Records of each collection; the table below has the numbers", "records", &bars);
        out.push_str(&figure(&format!("Records of each collection and namespace{more}."), &charts, &all));
    } else {
        out.push_str(&all);
    }
    let shown: u64 = (0..listed.len().min(ROWS)).map(|at| json.whole(&format!("/collections/listed/{at}/records"))).sum();
    let rest = json.whole("/dataset/records").saturating_sub(shown);
    if rest > 0 {
        out.push_str("<p>The table lists the largest only; <code>report --json</code> lists more.</p>\n");
    }
    out
}

/// Columns and payload fields.
#[must_use]
pub(super) fn fields(json: Json<'_>) -> String {
    let mut out = "<p>A value counts as filled where it is neither null nor empty.</p>\n".to_owned();
    out.push_str(&payload(json));
    let columns = json.list("/columns");
    let row = |at: usize| {
        let place = |key: &str| format!("/columns/{at}/{key}");
        let length = match (json.at(&place("mean")), json.at(&place("longest"))) {
            (Some(_), Some(_)) => {
                [json.number(&place("shortest"), As::Count), json.number(&place("mean"), As::Count), json.number(&place("longest"), As::Count)]
            }
            _ => [NONE.to_owned(), NONE.to_owned(), NONE.to_owned()],
        };
        let mut row = vec![
            format!("<code>{}</code>", json.words(&place("name"))),
            json.words(&place("type")),
            json.number(&place("filled"), As::Count),
            meter(json, &place("share")),
        ];
        row.extend(length);
        row
    };
    let filled = |at: usize| json.whole(&format!("/columns/{at}/filled")) > 0;
    let rows: Vec<Vec<String>> = (0..columns.len()).filter(|at| filled(*at)).map(row).collect();
    let heads = [
        Head::Words("Column"),
        Head::Words("Type"),
        Head::Number("Filled"),
        Head::Words("Part of the records"),
        Head::Number("Shortest, bytes"),
        Head::Number("Mean"),
        Head::Number("Longest"),
    ];
    out.push_str(&table("Columns of the dataset", &heads, &rows));
    let empty: Vec<String> =
        (0..columns.len()).filter(|at| !filled(*at)).map(|at| format!("<code>{}</code>", json.words(&format!("/columns/{at}/name")))).collect();
    if !empty.is_empty() {
        let _ = writeln!(out, "<p>Empty in every record: {}.</p>", empty.join(", "));
    }
    out
}

/// The payloads' own fields.
fn payload(json: Json<'_>) -> String {
    let fields = json.list("/fields/listed");
    if fields.is_empty() {
        return String::new();
    }
    let row = |at: usize| {
        let place = |key: &str| format!("/fields/listed/{at}/{key}");
        let types: Vec<String> =
            json.pairs(&place("types")).map(|(kind, _)| format!("{} {}", json.number(&place(&format!("types/{kind}")), As::Count), escape(kind))).collect();
        vec![
            json.words(&place("name")),
            types.join(", "),
            json.number(&place("filled"), As::Count),
            meter(json, &place("share")),
            json.number(&place("null"), As::Count),
        ]
    };
    let rows: Vec<Vec<String>> = (0..fields.len().min(ROWS)).map(row).collect();
    let heads = [Head::Words("Field"), Head::Words("Values by type"), Head::Number("Filled"), Head::Words("Part of the records"), Head::Number("Null")];
    let mut out = table("Fields of the source's records", &heads, &rows);
    if fields.len() > ROWS {
        let _ = writeln!(out, "<p>And {} more fields, in the JSON.</p>", fields.len() - ROWS);
    }
    if json.whole("/fields/unlisted") > 0 {
        let unlisted = json.number("/fields/unlisted", As::Count);
        let _ = writeln!(out, "<p>There are very many names of fields: {unlisted} values stand in fields that are not listed.</p>");
    }
    out
}
