//! Every bad fixture has the outcome of `expect.json`: status, rejected places, words of the message, and nothing left behind.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::tool::{Converted, expectations, flags, names, repository};

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
    let places: Vec<(Value, Value)> = run.lines("out.rejects.jsonl").iter().map(|r| (r["line"].clone(), r["byte"].clone())).collect();
    let wanted: Vec<(Value, Value)> = expected["rejects"].as_array().into_iter().flatten().map(|r| (r["line"].clone(), r["byte"].clone())).collect();
    if outcome == "rejects" && places != wanted {
        wrong(format!("rejects at {places:?}, expected {wanted:?}"));
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

fn converted(text: &[u8], name: &str, flags: &[&str]) -> Converted {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join(name);
    std::fs::write(&dump, text).expect("written");
    Converted::of(&[&dump], flags)
}

#[test]
fn a_bomb_of_one_id_stays_small() {
    let line = "{\"id\":\"a\",\"values\":[1,2],\"metadata\":{}}\n";
    let packed = zstd::encode_all(line.repeat(300_000).as_bytes(), 3).expect("packed");
    let run = converted(&packed, "bomb.jsonl.zst", &["--memory", "128MiB", "--index", "none"]);
    assert_eq!(run.answer.status, Some(1), "{}", run.answer.stderr);
    let report = run.report();
    assert_eq!((&report["read"], &report["written"], &report["deduplicated"]), (&300_000.into(), &1.into(), &299_999.into()));
    assert_eq!(run.lines("out.duplicates.jsonl").len(), 10_000);
    assert!(report["peak_memory"].as_u64().is_none_or(|p| p < 400 << 20), "{}", report["peak_memory"]);
}

#[test]
fn a_64_mb_line_is_taken_whole_or_rejected_by_the_limit() {
    let text = format!(
        "{{\"id\":\"a\",\"values\":[1,2],\"metadata\":{{\"text\":\"{}\"}}}}\n{{\"id\":\"b\",\"values\":[1,2],\"metadata\":{{}}}}\n",
        "x".repeat(64 << 20)
    );
    let run = converted(text.as_bytes(), "long.jsonl", &["--from", "pinecone", "--index", "none"]);
    assert_eq!((run.answer.status, &run.report()["written"]), (Some(0), &2.into()), "{}", run.answer.stderr);
    let run = converted(text.as_bytes(), "long.jsonl", &["--from", "pinecone", "--index", "none", "--memory", "128MiB"]);
    assert_eq!((run.answer.status, &run.report()["written"]), (Some(1), &1.into()), "{}", run.answer.stderr);
    assert_eq!(run.lines("out.rejects.jsonl")[0]["code"], "line-too-long");
}

#[test]
fn containers_that_lie_or_end_early_are_named() {
    let text = crate::tool::made_up(0, 500, 8);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).expect("packed");
    let gzip = gzip.finish().expect("packed");
    assert_eq!(converted(&gzip, "gzip-named.zst", &[]).answer.status, Some(0));
    let cut = converted(&gzip[..gzip.len() / 2], "cut.jsonl.gz", &[]);
    assert!(cut.answer.status == Some(2) && cut.answer.says("cut off") && cut.left().is_empty(), "{:?}", cut.answer);
    let tail = converted(&[&gzip[..], b"tail"].concat(), "tail.jsonl.gz", &[]);
    assert!(tail.answer.status == Some(2) && tail.left().is_empty(), "{:?}", tail.answer);
    let two = converted(&[&gzip[..], &gzip[..]].concat(), "two.jsonl.gz", &["--on-duplicate", "last"]);
    assert_eq!((two.answer.status, &two.report()["read"]), (Some(0), &1000.into()));
}

#[test]
fn a_dump_cut_at_any_byte_is_a_reject_or_an_error_and_never_a_wrong_count() {
    let text = crate::tool::made_up(0, 3, 2);
    for cut in (0..text.len()).step_by(7) {
        let run = converted(&text.as_bytes()[..cut], "cut.jsonl", &["--from", "qdrant", "--index", "none"]);
        let whole = text[..cut].matches('\n').count() as u64;
        let rest = text[..cut].rsplit('\n').next().unwrap_or("");
        match run.answer.status {
            Some(2) => assert_eq!(cut, 0, "{}", run.answer.stderr),
            Some(0) => assert!(rest.is_empty() || rest.ends_with("}}"), "cut at {cut}: {rest}"),
            Some(1) => assert_eq!(run.report()["written"], whole, "cut at {cut}"),
            other => panic!("cut at {cut}: status {other:?}"),
        }
    }
}

#[test]
fn too_many_rejects_stop_the_run_with_nothing_committed() {
    let text = crate::tool::made_up(0, 10, 4) + "not JSON\n{}\n";
    for (limit, status) in [("2", 1), ("1", 2), ("20%", 1), ("10%", 2)] {
        let run = converted(text.as_bytes(), "points.jsonl", &["--max-rejects", limit]);
        assert_eq!(run.answer.status, Some(status), "{limit}: {}", run.answer.stderr);
        assert_eq!(run.left().is_empty(), status == 2, "{limit}: {:?}", run.left());
    }
}
