//! `report`: its figures against what is known of a dump, what it says of things that are missing, and the page in a browser.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::tool::{Answer, BINARY, Converted, made_up, repository, run};

fn converted(text: &str, flags: &[&str]) -> Converted {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("points.jsonl");
    std::fs::write(&dump, text).expect("written");
    Converted::of(&[&dump], flags)
}

fn overview(folder: &Path, flags: &[&str]) -> Value {
    let args: Vec<&str> = ["report", "out.lance", "--json"].into_iter().chain(flags.iter().copied()).collect();
    serde_json::from_str(&run(folder, &args).expect(0).stdout).expect("JSON")
}

fn line(id: u64, vector: &[f32], payload: &Value) -> String {
    format!("{}\n", json!({"id": id, "vector": vector, "payload": payload}))
}

#[test]
fn every_figure_is_the_dumps() {
    let mut text = String::new();
    for n in 0..40u16 {
        let angle = f32::from(n) / 7.0;
        let payload = json!({"title": format!("t{n}"), "text": if n % 4 == 0 { "" } else { "four" }, "kind": if n < 30 { "a" } else { "b" }, "n": n});
        text += &line(u64::from(n), &[angle.cos() * 2.0, angle.sin() * 2.0, 0.5], &payload);
    }
    text += &line(40, &[0.0, 0.0, 0.0], &json!({"title": "zero"}));
    text += &line(41, &[2.0, 0.0, 0.5], &json!({"title": "as the first", "n": null, "list": [1]}));
    text += &line(42, &[1.0], &json!({"title": "refused"}));
    let made = converted(&text, &[]);
    let found = overview(made.folder.path(), &["--color-by", "kind"]);
    let at = |pointer: &str| found.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing")).clone();
    let counts = ["/dataset/rows", "/dataset/headers", "/dataset/records", "/convert/read", "/rejects/count", "/collections/count"].map(at);
    assert_eq!(counts, [43, 1, 42, 43, 1, 1].map(Value::from));
    let vectors = ["dimension", "present", "missing", "zero", "unit", "sampled", "norms/count"].map(|key| at(&format!("/vectors/{key}")));
    assert_eq!(vectors, [3, 42, 0, 1, 0, 41, 42].map(Value::from));
    assert_eq!(at("/vectors/norms/smallest"), json!(0.0));
    assert!((at("/vectors/norms/largest").as_f64().expect("a number") - 4.25f64.sqrt()).abs() < 1e-6, "{}", at("/vectors/norms"));
    let bins: u64 = at("/vectors/norms/bins").as_array().expect("bins").iter().filter_map(|b| b["count"].as_u64()).sum();
    assert_eq!(bins, 42);
    let field = |name: &str| at("/fields/listed").as_array().and_then(|all| all.iter().find(|f| f["name"] == name)).cloned().expect("a field");
    assert_eq!((&field("n")["filled"], &field("n")["null"], &field("n")["types"]), (&json!(40), &json!(1), &json!({"integer": 40})));
    assert_eq!((&field("title")["filled"], &field("list")["types"]), (&json!(42), &json!({"list": 1})));
    let column = |name: &str| at("/columns").as_array().and_then(|all| all.iter().find(|c| c["name"] == name)).cloned().expect("a column");
    assert_eq!((&column("text_content")["filled"], &column("text_content")["longest"]), (&json!(30), &json!(4)));
    assert_eq!((&column("vector")["filled"], &column("vector")["type"]), (&json!(42), &json!("3 × float32")));
    // Every vector with a direction was compared with every other one: only the first and the last are the same.
    assert_eq!((at("/near/sampled"), at("/near/of"), at("/near/levels/0/vectors")), (json!(41), json!(41), json!(2)));
    assert_eq!((at("/near/pairs/0/one/title"), at("/near/pairs/0/other/title")), (json!("t0"), json!("as the first")));
    let groups: Vec<(Value, Value)> = at("/map/groups").as_array().expect("groups").iter().map(|g| (g["name"].clone(), g["points"].clone())).collect();
    assert_eq!(groups, [(json!("a"), json!(30)), (json!("b"), json!(10)), (json!("(none)"), json!(1))]);
    let kept = at("/map/variance/0").as_f64().expect("a number") + at("/map/variance/1").as_f64().expect("a number");
    assert!((kept - 1.0).abs() < 1e-6, "the third value never changes, so two components hold everything: {kept}");
    let state = |name: &str| at("/checks").as_array().and_then(|all| all.iter().find(|c| c["name"] == name)).map(|c| c["state"].clone()).expect("a check");
    assert_eq!(["Counts", "Rows", "Rejects", "Verification", "Indices"].map(state), ["good", "good", "finding", "missing", "good"].map(Value::from));
}

#[test]
fn a_verification_counts_for_its_version_only() {
    let made = converted(&made_up(0, 50, 4), &["--verify"]);
    made.answer.expect(0);
    let folder = made.folder.path();
    let state = || overview(folder, &[])["checks"].as_array().and_then(|all| all.iter().find(|c| c["name"] == "Verification")).map(|c| c["state"].clone());
    assert_eq!(state(), Some(json!("good")), "convert --verify leaves its result beside the dataset");
    run(folder, &["index", "out.lance"]).expect(0);
    assert_eq!(state(), Some(json!("stale")));
}

#[test]
fn a_page_is_written_where_it_is_asked_for() {
    let made = converted(&made_up(0, 30, 4), &[]);
    let folder = made.folder.path();
    let before = made.left();
    let said = run(folder, &["report", "out.lance"]).expect(0);
    assert!(said.says("Counts: 30 read = 30 written") && said.says("vec2lance verify out.lance") && said.says("page"), "{said:?}");
    let page = std::fs::read_to_string(folder.join("out.report.html")).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n") && page.len() < 2_000_000);
    let json_only = overview(folder, &[]);
    assert_eq!(json_only["dataset"]["records"], 30);
    run(folder, &["report", "out.lance", "-o", "other.html", "--threads", "1"]).expect(0);
    assert_eq!(made.left().len(), before.len() + 2, "nothing else is left: {:?}", made.left());
    for (args, words) in [
        (&["report", "gone.lance"][..], "does not exist"),
        (&["report", "out.lance", "-o", "."], "is a folder"),
        (&["report", "out.lance", "-o", "no/such/page.html"], "does not exist"),
        (&["report", "out.lance", "-o", "out.lance/page.html"], "lies inside of the dataset"),
        (&["report", "out.lance", "--color-by", "<nope>", "-o", "x.html"], "none of 30 sampled records has a value there"),
    ] {
        let answer = run(folder, args).expect(2);
        assert!(answer.says(words) && answer.says("help:"), "{args:?}: {answer:?}");
    }
    assert!(!folder.join("x.html").exists());
}

#[test]
fn odd_datasets_have_a_report_too() {
    for (what, text, flags) in [
        ("one record", line(1, &[1.0, 2.0], &json!({})), &[][..]),
        ("equal vectors", (0..5).map(|n| line(n, &[1.0, 2.0], &json!({"title": "same"}))).collect(), &[]),
        ("one dimension", (0..5u8).map(|n| line(u64::from(n), &[f32::from(n)], &json!({}))).collect(), &[]),
        ("only zeros", (0..5).map(|n| line(n, &[0.0, 0.0], &json!({}))).collect(), &[]),
        ("large values", (0..5u8).map(|n| line(u64::from(n), &[3e38, f32::from(n) * 1e37], &json!({}))).collect(), &["--metric", "dot"]),
        ("no index", made_up(0, 9, 4), &["--index", "none"]),
    ] {
        let made = converted(&text, flags);
        let answer = run(made.folder.path(), &["report", "out.lance"]);
        assert_eq!(answer.status, Some(0), "{what}: {answer:?}");
        assert!(made.path("out.report.html").is_file(), "{what}");
    }
}

#[test]
fn what_lies_beside_may_be_broken() {
    let made = converted(&made_up(0, 20, 4), &[]);
    let write = |name: &str, text: &str| std::fs::write(made.path(name), text).expect("written");
    write("out.tune.json", "{\"k\": \"ten\", \"points\": {}, \"chosen\": 3}");
    write("out.bench.json", "[]");
    write("out.compare.json", "{");
    write("out.verify.json", "{\"status\": 1, \"differences\": [3], \"groups\": [null], \"findings\": [\"<b>\"]}");
    write("out.report.json", "{\"read\": -1, \"inputs\": [7, {\"mapping\": 3}], \"seconds\": {\"a/b~c\": 1}, \"index\": {}}");
    let found = overview(made.folder.path(), &["-o", "page.html"]);
    let absent: Vec<&str> = found["absent"].as_array().expect("a list").iter().filter_map(|a| a["what"].as_str()).collect();
    assert_eq!(absent, ["compare", "bench"]);
    assert!(std::fs::read_to_string(made.path("page.html")).expect("a page").contains("data-at=\"/convert/seconds/a~1b~0c\""));
}

#[test]
fn the_page_holds_in_a_browser() {
    let script = repository("tests/acceptance/check_report.py");
    let output = Command::new("python3").arg(script).args(["--program", BINARY]).output().expect("Python 3 starts");
    let answer = Answer::of(&output).expect(0);
    // Shown by `--nocapture` and in CI's log; the checks that need no browser have been made.
    for line in answer.stdout.lines().filter(|l| l.starts_with("SKIPPED") || l.ends_with("checks passed")) {
        println!("{line}");
    }
}
