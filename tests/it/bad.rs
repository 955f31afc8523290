//! Every bad fixture has the outcome of `expect.json`: status, rejected places, words of the message, and nothing left behind.
//! Bad input that is made on the fly stands in `made.rs`; which rows the dataset holds is checked in `acceptance.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::tool::{Converted, column, expectations, flags, names, repository};

/// Files below a folder, as paths from it.
fn files(folder: &Path, below: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in if folder.is_dir() { names(folder) } else { vec![] } {
        let path = folder.join(&name);
        if path.is_dir() {
            found.extend(files(&path, &format!("{below}{name}/")));
        } else {
            found.push(format!("{below}{name}"));
        }
    }
    found
}

#[test]
fn every_bad_fixture_has_an_entry() {
    for (format, expected) in expectations() {
        let entries: Vec<&String> = expected["bad"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        let found = files(&repository("fixtures").join(&format).join("bad"), "");
        // A manifest belongs to the case of the same name.
        let found: Vec<String> = found.into_iter().filter(|name| !name.ends_with(".manifest.json")).collect();
        for name in &found {
            assert!(entries.iter().any(|e| *e == name || name.starts_with(&format!("{e}/"))), "{format}: {name} is not in expect.json");
        }
        for entry in entries {
            assert!(repository("fixtures").join(&format).join("bad").join(entry).exists(), "{format}: {entry} is no file");
        }
    }
}

#[test]
fn every_bad_fixture_ends_as_expected() {
    let mut problems = Vec::new();
    for (format, expected) in expectations() {
        let folder = repository("fixtures").join(&format).join("bad");
        for (name, entry) in expected["bad"].as_object().into_iter().flatten() {
            // The bomb of 20 million lines is met as a smaller one below.
            if entry["slow"] == true {
                continue;
            }
            let dump = folder.join(name);
            problems.extend(check(&format, &dump, entry, entry));
            for variant in entry["variants"].as_array().into_iter().flatten() {
                problems.extend(check(&format, &dump, variant, entry));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn check(format: &str, dump: &Path, expected: &Value, base: &Value) -> Vec<String> {
    let mut all = vec!["--from", format];
    all.extend(flags(expected));
    let run = Converted::of(&[dump], &all);
    let mut problems = Vec::new();
    let mut wrong = |what: String| problems.push(format!("{} {all:?}: {what}\n{}{}", dump.display(), run.answer.stdout, run.answer.stderr));
    let outcome = expected["outcome"].as_str().unwrap_or("ok");
    let status = expected["status"].as_i64().unwrap_or(match outcome {
        "ok" => 0,
        "fatal" => 2,
        _ => 1,
    });
    if run.answer.status.map(i64::from) != Some(status) {
        wrong(format!("status {:?}, expected {status}", run.answer.status));
    }
    if run.answer.says("panicked") || run.answer.stdout.contains('\u{1b}') || run.answer.stderr.contains('\u{1b}') {
        wrong("a panic, or raw escape characters".into());
    }
    for words in expected["says"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !run.answer.says(words) {
            wrong(format!("does not say \"{words}\""));
        }
    }
    if matches!(outcome, "fatal" | "refused") {
        if !run.left().is_empty() {
            wrong(format!("left {:?}", run.left()));
        }
        if !run.answer.stderr.starts_with("error: ") {
            wrong("no error line".into());
        }
        return problems;
    }
    let report = run.report();
    for key in ["read", "written", "deduplicated", "without_vector"] {
        let number = if expected[key].is_null() && std::ptr::eq(expected, base) { &base[key] } else { &expected[key] };
        if !number.is_null() && report[key] != *number {
            wrong(format!("{key} {}, expected {number}", report[key]));
        }
    }
    let rejects = run.lines("out.rejects.jsonl");
    let places: Vec<(&Value, &Value)> = rejects.iter().map(|r| (&r["line"], &r["byte"])).collect();
    let wanted: Vec<&Value> = expected["rejects"].as_array().into_iter().flatten().collect();
    let wanted_places: Vec<(&Value, &Value)> = wanted.iter().map(|r| (&r["line"], &r["byte"])).collect();
    if outcome != "duplicates" && places != wanted_places {
        wrong(format!("rejects at {places:?}, expected {wanted_places:?}"));
    }
    if rejects.iter().zip(&wanted).any(|(r, w)| w.get("record").is_some_and(|record| r["record"] != *record)) {
        wrong(format!("rejects are not the records of {wanted:?}"));
    }
    if rejects.iter().any(|r| r["code"].as_str().is_none_or(str::is_empty) || r["reason"].as_str().is_none_or(str::is_empty)) {
        wrong("a reject without a code or a reason".into());
    }
    if report["rejected"] != rejects.len()
        || report["rejects_by_code"].as_object().map(|c| c.values().filter_map(Value::as_u64).sum()) != Some(rejects.len() as u64)
    {
        wrong(format!("{} rejects in the file, {} and {} in the report", rejects.len(), report["rejected"], report["rejects_by_code"]));
    }
    if let Some(dimension) = expected["dimension"].as_u64()
        && report["vectors"][0]["kind"] != format!("dense, {dimension} dimensions")
    {
        wrong(format!("{}, expected {dimension} dimensions", report["vectors"][0]["kind"]));
    }
    if let Some(line) = expected["kept_line"].as_u64()
        && run.lines("out.duplicates.jsonl").iter().any(|d| d["kept"]["line"] != line)
    {
        wrong(format!("kept {:?}, expected line {line}", run.lines("out.duplicates.jsonl")));
    }
    if let Some(ids) = expected["good_ids"].as_array().filter(|ids| !ids.is_empty()) {
        let found: BTreeSet<String> = column(&run.path("out.lance"), "x_original_id").into_iter().flatten().collect();
        let ids: BTreeSet<String> = ids.iter().map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).collect();
        if found != ids {
            wrong(format!("the dataset has {found:?}, expected {ids:?}"));
        }
    }
    let sum = ["written", "rejected", "deduplicated"].iter().filter_map(|k| report[*k].as_u64()).sum::<u64>();
    if report["read"].as_u64() != Some(sum) {
        wrong("read is not written + rejected + deduplicated".into());
    }
    if names(run.folder.path()).iter().any(|n| n.contains("partial")) {
        wrong("left something unfinished".into());
    }
    problems
}
