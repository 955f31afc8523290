//! The page of `report`: one HTML file that needs nothing else. Made of the JSON of the same command, and of nothing else, so that no number
//! can differ: each carries its place in the JSON.
//!
//! Here stand the order of the sections and the frame around them; the parts are in the files below this one.

mod charts;
mod contents;
mod html;
mod origin;
mod proof;
mod run;
mod search;
mod summary;
mod vectors;

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::Value;
use sha2::Digest as _;

use html::{Json, escape};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/map.js");

/// One part of the page.
struct Section {
    /// The fragment that links lead to.
    id: &'static str,
    title: &'static str,
    html: String,
}

impl Section {
    fn new(id: &'static str, title: &'static str, html: String) -> Self {
        Self { id, title, html }
    }
}

/// The page of an overview's JSON.
#[must_use]
pub fn page(overview: &Value) -> String {
    let json = Json(overview);
    let sections = [
        Section::new("summary", "Summary", summary::html(json)),
        Section::new("origin", "What was migrated, and from where", origin::html(json)),
        Section::new("rejects", "Rejects and duplicates", origin::rejects(json)),
        Section::new("verification", "Verification", proof::html(json)),
        Section::new("collections", "Collections", contents::collections(json)),
        Section::new("fields", "Fields", contents::fields(json)),
        Section::new("vectors", "Vectors", vectors::html(json)),
        Section::new("duplicates", "Near-duplicates", vectors::near(json)),
        Section::new("map", "Map of the embeddings", vectors::map(json)),
        Section::new("search", "Search quality and latency", search::html(json)),
        Section::new("source", "Comparison with the source", search::compare(json)),
        Section::new("run", "Time and memory", run::html(json)),
        Section::new("settings", "Parameters and versions", run::settings(json)),
        Section::new("opening", "How to open it", run::opening(json)),
        Section::new("sign-off", "Sign-off", run::sign_off(json)),
    ];
    let name = json.text("/dataset/name").unwrap_or_default();
    let mut out = String::with_capacity(1 << 20);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"vec2lance {}\">\n<link rel=\"icon\" href=\"data:,\">\n<title>Migration report: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        digest(SCRIPT),
        escape(json.text("/vec2lance").unwrap_or_default()),
        escape(name)
    );
    out.push_str("<a class=\"skip\" href=\"#summary\">Skip to the summary</a>\n");
    out.push_str(&summary::header(json));
    out.push_str("<div class=\"page\">\n<nav aria-label=\"Sections\"><ol>\n");
    for section in &sections {
        let _ = writeln!(out, "<li><a href=\"#{}\">{}</a></li>", section.id, section.title);
    }
    out.push_str("</ol></nav>\n<main>\n");
    for (at, section) in sections.iter().enumerate() {
        let id = section.id;
        let _ = writeln!(
            out,
            "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\"><span class=\"number\">{}</span> {}</h2>",
            at + 1,
            section.title
        );
        out.push_str(&section.html);
        out.push_str("</section>\n");
    }
    let _ = write!(
        out,
        "</main>\n</div>\n<footer>Made by vec2lance {} on {}. <code>vec2lance report {} --json</code> prints every number of this page; each \
         carries its place in that JSON.</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        escape(json.text("/vec2lance").unwrap_or_default()),
        html::moment(json.text("/made").unwrap_or_default()),
        escape(name)
    );
    out
}

/// What the page allows to run: exactly this script.
fn digest(script: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(script.as_bytes())))
}
