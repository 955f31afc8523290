//! Namespaces, tenants and partitions: told by a record, a folder or a manifest, kept in `x_namespace` and under headers of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::tool::{column, run};

fn json(folder: &Path, args: &[&str], status: i32) -> Value {
    serde_json::from_str(&run(folder, &[args, &["--json"]].concat()).expect(status).stdout).expect("JSON")
}

/// Objects of three tenants that share their ids, some of no tenant, one of a tenant that is no string.
fn objects() -> String {
    let mut out = String::new();
    for n in 0..40 {
        let tenant = match n % 4 {
            0 => String::new(),
            rest => format!("\"tenant\":\"t{rest}\","),
        };
        let _ = writeln!(out, "{{\"id\":\"{}\",{tenant}\"vector\":[{n},1,2],\"properties\":{{\"n\":{n}}}}}", n / 4);
    }
    out.push_str("{\"id\":\"odd\",\"tenant\":7,\"vector\":[1,1,2],\"properties\":{}}\n");
    out
}

/// Rows by (record type, collection, namespace).
fn rows(dataset: &Path) -> BTreeMap<(String, String, Option<String>), u64> {
    let of = |name: &str| column(dataset, name);
    let mut out = BTreeMap::new();
    for ((kind, collection), namespace) in of("record_type").into_iter().zip(of("collection")).zip(of("x_namespace")) {
        *out.entry((kind.unwrap_or_default(), collection.unwrap_or_default(), namespace)).or_default() += 1;
    }
    out
}

#[test]
fn a_record_tells_its_tenant() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("things.jsonl"), objects()).expect("written");
    let report = json(path, &["convert", "things.jsonl", "out.lance"], 0);
    assert_eq!((&report["written"], &report["headers"], &report["deduplicated"]), (&41.into(), &4.into(), &0.into()), "{report}");
    let key = |kind: &str, name: &str, space: Option<&str>| (kind.to_owned(), name.to_owned(), space.map(str::to_owned));
    let want: BTreeMap<_, u64> = [
        (key("collection_header", "things", None), 1),
        (key("collection_header", "things/t1", None), 1),
        (key("collection_header", "things/t2", None), 1),
        (key("collection_header", "things/t3", None), 1),
        (key("document", "things", None), 11),
        (key("document", "things", Some("t1")), 10),
        (key("document", "things", Some("t2")), 10),
        (key("document", "things", Some("t3")), 10),
    ]
    .into();
    assert_eq!(rows(&path.join("out.lance")), want);
    // The source says it in the record, and there it is found again.
    assert_eq!(column(&path.join("out.lance"), "x_source_fields").iter().flatten().filter(|f| *f == "{\"tenant\":\"t1\"}").count(), 10);
    let verified = json(path, &["verify", "out.lance", "things.jsonl"], 0);
    let groups: Vec<_> = verified["groups"].as_array().expect("groups").iter().map(|g| (g["namespace"].clone(), g["dataset"].clone())).collect();
    assert_eq!(groups, [("".into(), 11.into()), ("t1".into(), 10.into()), ("t2".into(), 10.into()), ("t3".into(), 10.into())]);
}

#[test]
fn tenants_come_and_go_with_their_headers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let all = objects();
    let day1: Vec<&str> = all.lines().filter(|l| !l.contains("\"t3\"")).collect();
    std::fs::write(path.join("things.jsonl"), day1.join("\n")).expect("written");
    json(path, &["convert", "things.jsonl", "out.lance"], 0);
    // One of t2 is refused and must not be removed; one of t1 is gone; t3 is new.
    let wrong = "{\"id\":\"3\",\"tenant\":\"t2\",\"vector\":[1],\"properties\":{}}";
    let day2: Vec<String> = all
        .lines()
        .filter(|l| !l.starts_with("{\"id\":\"5\",\"tenant\":\"t1\""))
        .map(|l| if l.starts_with("{\"id\":\"3\",\"tenant\":\"t2\"") { wrong.to_owned() } else { l.to_owned() })
        .collect();
    std::fs::write(path.join("things.jsonl"), day2.join("\n")).expect("written");
    let report = json(path, &["convert", "things.jsonl", "out.lance", "--upsert", "--delete-missing"], 1);
    let counts = ["added", "changed", "unchanged", "removed"].map(|key| report[key].as_u64());
    assert_eq!(counts, [Some(10), Some(0), Some(29), Some(1)], "{report}");
    assert!(report["notes"].to_string().contains("rows that stay although their records were rejected: 1"), "{report}");
    let found = rows(&path.join("out.lance"));
    assert_eq!(found.iter().filter(|((kind, ..), n)| kind == "collection_header" && **n == 1).count(), 4, "{found:?}");
    let mended = day2.join("\n").replace(wrong, all.lines().find(|l| l.starts_with("{\"id\":\"3\",\"tenant\":\"t2\"")).expect("it was there"));
    std::fs::write(path.join("things.jsonl"), mended).expect("written");
    let verified = json(path, &["verify", "out.lance", "things.jsonl"], 1);
    // The report beside the dataset still counts the reject.
    assert_eq!((&verified["verified"], verified["findings"].as_array().map(Vec::len)), (&40.into(), Some(1)), "{verified}");
}

#[test]
fn a_layout_names_the_field_and_names_that_meet_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let layout = "name = \"mine\"\ntitle = \"Mine\"\nabout = \"\"\nid = { at = \"/key\" }\nvector = { at = \"/emb\" }\npayload = \"*\"\n";
    std::fs::write(path.join("mine.toml"), format!("{layout}namespace = {{ at = \"/space\", or = \"folder\" }}\n")).expect("written");
    std::fs::create_dir_all(path.join("a/deep")).expect("made");
    std::fs::write(path.join("a/0.jsonl"), "{\"key\":1,\"emb\":[1,2]}\n{\"key\":1,\"space\":\"x\",\"emb\":[1,2]}\n").expect("written");
    std::fs::write(path.join("a/deep/0.jsonl"), "{\"key\":1,\"emb\":[1,2]}\n{\"key\":1,\"space\":\"y\",\"emb\":[1,2]}\n").expect("written");
    json(path, &["convert", "a", "out.lance", "--format", "mine.toml", "--verify"], 0);
    assert_eq!(column(&path.join("out.lance"), "x_namespace").iter().flatten().map(String::as_str).collect::<Vec<_>>(), ["x", "deep", "y"]);
    assert!(column(&path.join("out.lance"), "x_source_payload").contains(&Some("{\"space\":\"x\"}".to_owned())));
    // `a` has a namespace x, and there is a collection a/x.
    std::fs::write(path.join("other.jsonl"), "{\"id\":1,\"vector\":[1,2],\"payload\":{}}\n").expect("written");
    let answer = run(path, &["convert", "other.jsonl", "out.lance", "--append", "--from", "qdrant", "--collection", "a/x"]).expect(2);
    assert!(answer.says("two headers would be called \"a/x\""), "{}", answer.stderr);
    std::fs::write(path.join("mine.toml"), format!("{layout}namespace = {{ at = 1 }}\n")).expect("written");
    let answer = run(path, &["convert", "a", "c.lance", "--format", "mine.toml"]).expect(2);
    assert!(answer.says("mine.toml:7:") && answer.says("namespace"), "{}", answer.stderr);
}
