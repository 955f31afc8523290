//! What the run cost, every parameter and version, how the result is opened, and room for signatures.

use std::fmt::Write as _;

use serde_json::Value;

use super::charts;
use super::html::{As, Head, Json, NONE, absent, code, escape, facts, figure, foreign, table};

/// Stage times and memory.
#[must_use]
pub(super) fn html(json: Json<'_>) -> String {
    if json.at("/convert").is_none() {
        return absent(json, "convert", "What the conversion took is not known.");
    }
    let mut out = facts(&[
        ("Seconds in all", json.number("/convert/seconds_total", As::Digits)),
        ("Input, MB/s while converting", json.number("/convert/mb_per_second", As::Digits)),
        ("Records/s while converting", json.number("/convert/rows_per_second", As::Count)),
        ("Peak memory", json.number("/convert/peak_memory", As::Mib)),
        ("Memory asked for", json.number("/convert/memory", As::Mib)),
        ("Threads", json.number("/convert/threads", As::Plain)),
        ("Peak memory of the verification", json.number("/verify/peak_memory", As::Mib)),
    ]);
    let stages = |of: &str, name: &str| -> Vec<(String, String)> {
        json.pairs(of).map(|(stage, _)| (format!("{name}: {stage}"), format!("{of}/{}", stage.replace('~', "~0").replace('/', "~1")))).collect()
    };
    let mut all = stages("/convert/seconds", "convert");
    all.extend(stages("/convert/index/seconds", "vector index"));
    all.extend(stages("/verify/seconds", "verify"));
    let bars: Vec<(String, f64)> = all.iter().map(|(name, at)| (name.clone(), json.real(at))).collect();
    let rows: Vec<Vec<String>> = all.iter().map(|(name, at)| vec![foreign(name), json.number(at, As::Digits)]).collect();
    let charts = charts::ranking("Seconds of each stage; the table below has the numbers", "seconds", &bars);
    out.push_str(&figure(
        "Seconds of each stage. The parts of the vector index are inside of the conversion's stage index.",
        &charts,
        &table("Seconds by stage", &[Head::Words("Stage"), Head::Number("Seconds")], &rows),
    ));
    out
}

/// Every parameter and version.
#[must_use]
pub(super) fn settings(json: Json<'_>) -> String {
    let version = |at: &str| json.text(at).map_or_else(|| NONE.to_owned(), foreign);
    let mut out = facts(&[
        ("This page was made by", format!("vec2lance {}", version("/vec2lance"))),
        ("Converted by", if json.at("/convert/vec2lance").is_some() { format!("vec2lance {}", version("/convert/vec2lance")) } else { NONE.to_owned() }),
        ("Verified by", if json.at("/verify/vec2lance").is_some() { format!("vec2lance {}", version("/verify/vec2lance")) } else { NONE.to_owned() }),
        ("Written by", version("/dataset/writer")),
        ("Lance file format", version("/dataset/storage")),
        ("Dataset version", json.number("/dataset/version", As::Plain)),
    ]);
    if json.at("/convert/index").is_some() {
        out.push_str("<h3>Vector index, as it was first built</h3>\n");
        out.push_str(&facts(&[
            ("Type", json.words("/convert/index/type")),
            ("Metric", json.words("/convert/index/metric")),
            ("Partitions", json.number("/convert/index/num_partitions", As::Count)),
            ("Sub-vectors", json.number("/convert/index/num_sub_vectors", As::Count)),
            ("Bits of a code", json.number("/convert/index/num_bits", As::Count)),
            ("Vectors", json.number("/convert/index/vectors", As::Count)),
            ("Why", json.list("/convert/index/why").iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join("<br>")),
        ]));
    }
    let tags: Vec<Vec<String>> = json.pairs("/dataset/tags").map(|(tag, version)| vec![foreign(tag), escape(&version.to_string())]).collect();
    if !tags.is_empty() {
        out.push_str(&table("Imports by tag", &[Head::Words("Tag"), Head::Number("Version")], &tags));
    }
    let mut rows = Vec::new();
    for (key, value) in json.pairs("/settings") {
        match value {
            Value::Object(pairs) if key == "vec2lance.options" => {
                rows.extend(pairs.iter().map(|(option, value)| vec![format!("<code>--{}</code>", escape(option)), shown(value)]));
            }
            _ => rows.push(vec![format!("<code>{}</code>", escape(key)), shown(value)]),
        }
    }
    if !rows.is_empty() {
        out.push_str(&table("What the dataset remembers of how it was made", &[Head::Words("Parameter"), Head::Words("Value")], &rows));
    }
    out
}

/// A setting: short ones as they are, long ones folded away.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= 100 {
        return foreign(&text);
    }
    let pretty = if value.is_string() { text } else { serde_json::to_string_pretty(value).unwrap_or(text) };
    format!("<details><summary>{} characters</summary><pre tabindex=\"0\"><code>{}</code></pre></details>", pretty.chars().count(), code(&pretty))
}

/// How to open the result.
#[must_use]
pub(super) fn opening(json: Json<'_>) -> String {
    let mut out = "<p>The dataset is one folder. Copy all of it; nothing outside of it is needed.</p>\n".to_owned();
    for at in 0..json.list("/opening").len() {
        let text = |key: &str| json.text(&format!("/opening/{at}/{key}")).unwrap_or_default();
        let _ = writeln!(out, "<h3>With {}</h3>\n<pre tabindex=\"0\"><code>{}</code></pre>", escape(text("name")), code(text("code")));
    }
    out
}

/// Lines to sign on.
#[must_use]
pub(super) fn sign_off(json: Json<'_>) -> String {
    let digest = json.text("/verify/dataset_digest").map_or_else(String::new, |d| format!(" Its content has the digest <code>{}</code>.", escape(d)));
    format!(
        "<p>This page is about version {} of <b>{}</b>, with {} records.{digest}</p>\n<table class=\"sign\"><caption>Signatures</caption><thead><tr><th scope=\"col\">For</th><th scope=\"col\">Name</th><th scope=\"col\">Date</th><th scope=\"col\">Signature</th></tr></thead><tbody>\n<tr><th scope=\"row\">Handed over by</th><td></td><td></td><td></td></tr>\n<tr><th scope=\"row\">Accepted by</th><td></td><td></td><td></td></tr>\n</tbody></table>\n",
        json.number("/dataset/version", As::Plain),
        foreign(json.text("/dataset/path").unwrap_or_default()),
        json.number("/dataset/records", As::Count)
    )
}
