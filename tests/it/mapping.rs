//! `--map`: what it does to rows, reports and `verify`, and how a wrong one is refused.

use std::path::Path;

use crate::tool::{column, run};

const DUMP: &str = concat!(
    "{\"id\":1,\"vector\":[1,2],\"payload\":{\"title\":\"T\",\"body\":\"B\",\"email\":\"a@b\",\"status\":\"live\",\"origin\":1.50,\"day\":\"x\"}}\n",
    "{\"id\":2,\"vector\":[1,3],\"payload\": {\"body\" : \"only\", \"phone\":null, \"n\": 1.0 , \"tags\":[\"own\"]} }\n",
    "{\"id\":3,\"vector\":[1,4],\"payload\":{\"email\":{\"a\":1},\"title\":7}}\n",
    "{\"id\":4,\"vector\":[1,5],\"payload\":{ \"n\" : 2 }}\n",
);
const MAP: &str = "text = [\"title\", \"body\"]\nseparator = \" | \"\ndrop = [\"email\", \"phone\", \"emial\"]\n[map]\nday = \"custom:date\"\n[set]\nstatus = \"archived\"\ntags = [\"a\", \"b\"]\nposition = 3\ncreated_at = 2024-02-29\n\"custom:origin\" = \"old\"\n\"custom:batch\" = {n = 7, f = 1.5}\n";

fn folder(dump: &str, map: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), dump).expect("written");
    std::fs::write(folder.path().join("map.toml"), map).expect("written");
    folder
}

fn members(folder: &Path, name: &str) -> Vec<Option<String>> {
    column(&folder.join("out.lance"), name).into_iter().skip(1).collect()
}

#[test]
fn fields_are_dropped_joined_and_set_and_verify_knows() {
    let folder = folder(DUMP, MAP);
    let answer = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--map", "map.toml", "--verify"]).expect(0);
    for words in ["dropped      email from 2 records", "emial from 0 records", "phone from 1 record"] {
        assert!(answer.stdout.contains(words), "{words} is not in\n{}", answer.stdout);
    }
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("out.report.json")).expect("a report")).expect("JSON");
    assert_eq!(report["dropped"], serde_json::json!({"email": 2, "emial": 0, "phone": 1}));
    let some = |texts: [&str; 4]| texts.map(|t| Some(t.to_owned())).to_vec();
    assert_eq!(members(folder.path(), "text_content"), some(["T | B", "only", "", ""]));
    assert_eq!(members(folder.path(), "status"), some(["archived"; 4]));
    assert_eq!(members(folder.path(), "created_at"), some(["2024-02-29"; 4]));
    assert_eq!(
        members(folder.path(), "x_source_payload"),
        some([
            "{\"title\":\"T\",\"body\":\"B\",\"status\":\"live\",\"origin\":1.50,\"day\":\"x\"}",
            "{\"body\":\"only\",\"n\":1.0,\"tags\":[\"own\"]}",
            "{\"title\":7}",
            "{ \"n\" : 2 }",
        ])
    );
    // The mapping travels with the dataset: neither verify nor an upsert needs to be told again.
    std::fs::remove_file(folder.path().join("map.toml")).expect("removed");
    run(folder.path(), &["verify", "out.lance", "points.jsonl"]).expect(0);
    let again = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--upsert"]).expect(0);
    assert!(again.stdout.contains("0 added, 0 changed, 4 unchanged"), "{}", again.stdout);
    std::fs::write(folder.path().join("points.jsonl"), DUMP.replace("\"a@b\"", "\"other\"").replace("\"B\"", "\"C\"")).expect("written");
    let again = run(folder.path(), &["convert", "points.jsonl", "out.lance", "--upsert", "--verify"]).expect(0);
    assert!(again.stdout.contains("0 added, 1 changed, 3 unchanged"), "{}", again.stdout);
    let left = std::fs::read_dir(folder.path().join("out.lance/data")).expect("files").map(|e| std::fs::read(e.expect("an entry").path()).expect("read"));
    assert!(left.into_iter().all(|bytes| memchr::memmem::find(&bytes, b"a@b").is_none()), "a dropped value is in the dataset");
}

#[test]
fn a_text_of_the_layouts_own_is_joined_by_its_name() {
    let dump = "{\"id\":\"a\",\"embedding\":[1,2],\"metadata\":{\"topic\":\"t\"},\"document\":\"d\"}\n";
    let folder = folder(dump, "text = [\"topic\", \"document\"]\n");
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--map", "map.toml", "--verify"]).expect(0);
    assert_eq!(members(folder.path(), "text_content"), [Some("t\n\nd".to_owned())]);
    assert_eq!(members(folder.path(), "x_source_fields"), [Some("{\"document\":\"d\"}".to_owned())]);
    std::fs::write(folder.path().join("map.toml"), "# texts\ntext = [\"topic\"]\n").expect("written");
    let answer = run(folder.path(), &["convert", "points.jsonl", "other.lance", "--map", "map.toml"]).expect(2);
    assert!(answer.stderr.contains("map.toml:2: text leaves out \"document\""), "{}", answer.stderr);
}

#[test]
fn a_wrong_mapping_is_refused_with_its_line() {
    let folder = folder(DUMP, "");
    for (map, line, words) in [
        ("[map\n", 1, ""),
        ("\n[maps]\n", 2, "unknown field `maps`"),
        ("[map]\na = \"status\"\nb = \"uuid\"\n", 3, "[map] b = \"uuid\" names no column"),
        ("[map]\na = 1\n", 2, "expected a string"),
        ("drop = [\n  \"a\",\n  \"a\",\n]\n", 3, "stands in drop already"),
        ("drop = [\"a\"]\n[map]\na = \"title\"\n", 1, "stands in [map]"),
        ("text = [\"a\"]\n\ndrop = [\"a\"]\n", 3, "stands in the list of text fields"),
        ("text = [\"a\"]\ntext_fields = [\"b\"]\n", 1, "both given"),
        ("text_fields = []\n", 1, "is empty"),
        ("text = [\"a\",\n\"b\", \"a\"]\n", 2, "stands twice"),
        ("separator = \"-\"\n", 1, "separator without text"),
        ("text = [\"a\"]\n[map]\nb = \"text_content\"\n", 1, "[map] sends b to text_content"),
        ("[set]\nposition = -1\n", 2, "expected an integer from 0"),
        ("[set]\nposition = 1.0\n", 2, "expected an integer from 0"),
        ("[set]\nstatus = 1\n", 2, "expected a string"),
        ("[set]\nversion = \"1.2\"\n", 2, "MAJOR.MINOR.PATCH"),
        ("[set]\ncreated_at = \"2023-02-29\"\n", 2, "YYYY-MM-DD"),
        ("[set]\ntags = \"a\"\n", 2, "expected an array of strings"),
        ("[set]\ntags = [\"a\", 1]\n", 2, "expected an array of strings"),
        ("[set]\ntitle = \"\"\n", 2, "not empty"),
        ("[set]\ntext_content = \"x\"\n", 2, "no column that a constant may go to"),
        ("[set]\nvector = \"x\"\n", 2, "no column that a constant may go to"),
        ("[set]\n\"custom:_types\" = \"x\"\n", 2, "vec2lance writes itself"),
        ("[set]\n\"custom:x\" = nan\n", 2, "a number that JSON does not have"),
        ("[map]\na = \"custom:k\"\n[set]\n\"custom:k\" = 1\n", 4, "gives a field the same key"),
        ("[map]\na = \"status\"\n[set]\nstatus = \"x\"\n", 4, "sends a field to the same column"),
        ("[set]\nstatus = \"a\"\nstatus = \"b\"\n", 3, "duplicate key"),
    ] {
        std::fs::write(folder.path().join("map.toml"), map).expect("written");
        for command in [&["convert", "points.jsonl", "out.lance"][..], &["inspect", "points.jsonl"]] {
            let answer = run(folder.path(), &[command, &["--map", "map.toml"]].concat()).expect(2);
            assert!(answer.stderr.contains(&format!("map.toml:{line}: ")) && answer.stderr.contains(words), "{map}\n{}", answer.stderr);
        }
    }
    let text = |map: &str, flags: &[&str], words: &str| {
        std::fs::write(folder.path().join("map.toml"), map).expect("written");
        let answer = run(folder.path(), &[&["convert", "points.jsonl", "out.lance", "--map", "map.toml"], flags].concat()).expect(2);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
    };
    text("text = [\"a\"]\n", &["--text-fields", "b"], "joins fields");
    text("drop = [\"b\"]\n", &["--text-fields", "a,b"], "drops this field");
    assert!(!folder.path().join("out.lance").exists());
}
