//! The head of the page and its first section: what a reader who reads nothing else must know.

use std::fmt::Write as _;

use super::html::{As, Json, escape, facts, foreign, moment, notes};

/// The head.
#[must_use]
pub(super) fn header(json: Json<'_>) -> String {
    let sources: Vec<String> = databases(json).iter().map(|s| foreign(s)).collect();
    let from = if sources.is_empty() { String::new() } else { format!(" from {}", sources.join(", ")) };
    format!(
        "<header><p class=\"kind\">Migration report</p><h1>{}</h1>\n<p class=\"lead\">{} records{from}, version {} of {}</p></header>\n",
        foreign(json.text("/dataset/name").unwrap_or_default()),
        json.number("/dataset/records", As::Count),
        json.number("/dataset/version", As::Plain),
        moment(json.text("/dataset/written").unwrap_or_default())
    )
}

/// The databases that records come from.
fn databases(json: Json<'_>) -> Vec<String> {
    let mut names: Vec<String> = json.list("/collections/listed").iter().filter_map(|c| c.get("source")?.as_str().map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    names
}

/// The section.
#[must_use]
pub(super) fn html(json: Json<'_>) -> String {
    let checks = json.list("/checks");
    let count = |state: &str| checks.iter().filter(|c| c.get("state").and_then(serde_json::Value::as_str) == Some(state)).count();
    let (findings, stale, missing) = (count("finding"), count("stale"), count("missing"));
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let (class, verdict) = match (findings, stale + missing) {
        (0, 0) => ("good", format!("All {} checks hold.", checks.len())),
        (0, open) => {
            ("open", format!("Nothing was found to be wrong; {open} check{} not made, or made of another version.", if open == 1 { " was" } else { "s were" }))
        }
        (n, 0) => ("finding", format!("{n} check{} to look at.", s(n))),
        (n, open) => ("finding", format!("{n} check{} to look at, and {open} not made, or made of another version.", s(n))),
    };
    let mut out = format!("<p class=\"verdict {class}\">{verdict}</p>\n<ul class=\"checks\">\n");
    for (at, _) in checks.iter().enumerate() {
        let text = |key: &str| json.text(&format!("/checks/{at}/{key}")).unwrap_or_default();
        let (mark, word) = match text("state") {
            "good" => ("✓", "holds"),
            "finding" => ("!", "look at this"),
            "stale" => ("↺", "of another version"),
            _ => ("?", "not made"),
        };
        let _ = writeln!(
            out,
            "<li class=\"{}\"><span class=\"mark\" aria-hidden=\"true\">{mark}</span><div><strong>{}</strong> <span class=\"state\">{word}</span><br>{}</div></li>",
            escape(text("state")),
            escape(text("name")),
            escape(text("text"))
        );
    }
    out.push_str("</ul>\n");
    out.push_str(&facts(&[
        ("Records", json.number("/dataset/records", As::Count)),
        ("Collections and namespaces", json.number("/collections/count", As::Count)),
        ("Dimensions of a vector", json.number("/vectors/dimension", As::Plain)),
        ("Bytes on disk", json.number("/dataset/bytes", As::Bytes)),
        ("Files", json.number("/dataset/files", As::Count)),
        ("Dataset", foreign(json.text("/dataset/path").unwrap_or_default())),
    ]));
    out.push_str(&notes("findings", "Findings of the conversion", json.list("/convert/findings")));
    out.push_str(&notes("findings", "Findings of the verification", json.list("/verify/findings")));
    out
}
