//! The verification: every row against its record, the digests of both sides, and what differs.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::{As, Head, Json, absent, facts, foreign, notes, table};

/// The section.
#[must_use]
pub(super) fn html(json: Json<'_>) -> String {
    if json.at("/verify").is_none() {
        return absent(json, "verify", "The rows of the dataset were not held against the dump, so this page cannot say that they are the same.");
    }
    let good = json.at("/verify/status").and_then(Value::as_u64) == Some(0);
    let (class, word) = if good { ("good", "Verified") } else { ("finding", "Differs") };
    let mut out = format!("<p class=\"verdict {class}\">{word}: {}</p>\n", json.words("/verify/line"));
    out.push_str(&facts(&[
        ("Rows that are what the dump says", json.number("/verify/verified", As::Count)),
        ("Within the cosine asked for", json.number("/verify/near", As::Count)),
        ("Missing", json.number("/verify/missing", As::Count)),
        ("Unexpected", json.number("/verify/unexpected", As::Count)),
        ("Doubled", json.number("/verify/doubled", As::Count)),
        ("Different", json.number("/verify/different", As::Count)),
        ("Version verified", json.number("/verify/dataset_version", As::Plain)),
    ]));
    let digests: Vec<Vec<String>> = [("dump", "Dump"), ("dataset", "Dataset")]
        .into_iter()
        .filter(|(key, _)| json.at(&format!("/verify/{key}_digest")).is_some())
        .map(|(key, name)| vec![name.to_owned(), format!("<code>{}</code>", json.words(&format!("/verify/{key}_digest")))])
        .collect();
    if digests.is_empty() {
        out.push_str("<p>A sample was compared; it has no digests.</p>\n");
    } else {
        out.push_str(&table("Digests of the content", &[Head::Words("Side"), Head::Words("Digest")], &digests));
        out.push_str(
            "<p>Each side's digest is made of every record's values, whatever their order. The same command gives the same digests in ten years.</p>\n",
        );
    }
    out.push_str(&groups(json));
    out.push_str(&differences(json));
    out.push_str(&notes("notes", "Notes of the verification", json.list("/verify/notes")));
    out
}

/// Counts by collection.
fn groups(json: Json<'_>) -> String {
    let groups = json.list("/verify/groups");
    let row = |at: usize| {
        let place = |key: &str| format!("/verify/groups/{at}/{key}");
        let namespace = json.text(&place("namespace")).filter(|n| !n.is_empty()).map(|n| format!(" / {}", foreign(n))).unwrap_or_default();
        let counts = ["manifest", "read", "rejected", "deduplicated", "expected", "dataset", "different"].map(|key| json.number(&place(key), As::Count));
        std::iter::once(format!("{}{namespace}", json.words(&place("collection")))).chain(counts).collect()
    };
    let rows: Vec<Vec<String>> = (0..groups.len().min(LISTED)).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let numbers = ["Manifest", "In the dump", "Rejected", "Deduplicated", "Expected", "In the dataset", "Different"].map(Head::Number);
    let heads: Vec<Head<'_>> = std::iter::once(Head::Words("Collection")).chain(numbers).collect();
    let more = if groups.len() > LISTED { format!("<p>And {} more, in the JSON.</p>\n", groups.len() - LISTED) } else { String::new() };
    format!("{}{more}", table("Rows by collection", &heads, &rows))
}

/// Collections and differences that the page lists.
const LISTED: usize = 50;

fn differences(json: Json<'_>) -> String {
    let list = json.list("/verify/differences");
    if list.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for (at, difference) in list.iter().enumerate().take(LISTED) {
        let place = |key: &str| format!("/verify/differences/{at}/{key}");
        let id = json.text(&place("id")).or(json.text(&place("uuid"))).unwrap_or_default();
        let fields = difference.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut what = String::new();
        for field in fields {
            let text = |key: &str| foreign(field.get(key).and_then(Value::as_str).unwrap_or_default());
            let _ = write!(what, "{}: dump {}, dataset {}<br>", text("field"), text("dump"), text("dataset"));
        }
        rows.push(vec![foreign(id), json.words(&place("kind")), json.words(&place("place")), what]);
    }
    table("Differences", &[Head::Words("Id"), Head::Words("Kind"), Head::Words("Place"), Head::Words("What differs")], &rows)
}
