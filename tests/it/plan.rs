//! `--plan sources.toml`: what it says of each source counts, is remembered, and is refused with its line where it is wrong.

use std::path::Path;

use serde_json::Value;

use crate::tool::{column, made_up, run};

/// A folder with two dumps, a layout and a mapping of the user's own, and a plan.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    std::fs::create_dir(folder.path().join("in")).expect("a folder");
    write("in/points.jsonl", &made_up(0, 20, 4));
    write("in/own.jsonl", "{\"key\":\"a\",\"emb\":[1,2,3,4],\"meta\":{\"headline\":\"h\"}}\n{\"key\":\"5\",\"emb\":[1,2,3,5],\"meta\":{}}\n");
    write("in/own.toml", "name = \"own\"\ntitle = \"Own\"\nabout = \"\"\nid = { at = \"/key\" }\nvector = { at = \"/emb\" }\npayload = \"/meta\"\n");
    write("in/map.toml", "[map]\nheadline = \"title\"\n");
    write(
        "in/sources.toml",
        "[[source]]\npath = \"points.jsonl\"\nname = \"the points\"\ncollection = \"tickets\"\nnamespace = \"old\"\ndimension = 4\n\n[[source]]\npath = \"own.jsonl\"\nformat = \"own.toml\"\nmapping = \"map.toml\"\n",
    );
    folder
}

fn json(folder: &Path, args: &[&str], status: i32) -> Value {
    serde_json::from_str(&run(folder, &[args, &["--json"]].concat()).expect(status).stdout).expect("JSON")
}

#[test]
fn each_source_is_read_as_the_plan_says() {
    let folder = folder();
    let path = folder.path();
    let report = json(path, &["convert", "--plan", "in/sources.toml", "out.lance"], 0);
    let got: Vec<_> = report["collections"].as_array().expect("counts").iter().map(|c| (&c["collection"], &c["namespace"], &c["members"])).collect();
    assert_eq!(got, [(&"tickets".into(), &"old".into(), &20.into()), (&"own".into(), &"".into(), &2.into())]);
    assert_eq!(report["ids_in_several"], 1);
    assert!(column(&path.join("out.lance"), "title").contains(&Some("h".to_owned())));
    // By the plan, by what the dataset remembers of it, and with another dump beside it.
    assert_eq!(json(path, &["verify", "out.lance", "--plan", "in/sources.toml"], 0)["verified"], 22);
    assert_eq!(json(path, &["verify", "out.lance", "in/points.jsonl", "in/own.jsonl"], 0)["verified"], 22);
    assert_eq!(json(path, &["verify", "out.lance", "in/own.jsonl"], 0)["verified"], 2);
    std::fs::write(path.join("more.jsonl"), made_up(90, 3, 4)).expect("written");
    assert_eq!(json(path, &["convert", "--plan", "in/sources.toml", "more.jsonl", "all.lance"], 0)["written"], 25);
    let appended = json(path, &["convert", "in/points.jsonl", "out.lance", "--append"], 0);
    assert_eq!((&appended["added"], &appended["unchanged"]), (&0.into(), &20.into()));
    assert_eq!(json(path, &["inspect", "--plan", "in/sources.toml"], 0)["inputs"][0]["collection"], "tickets");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let folder = folder();
    let path = folder.path();
    for (text, says) in [
        ("[[source]]\npath = \"gone\"\n", "plan.toml:2: there is no "),
        ("[[source]]\npath = \"in\"\nkolor = 1\n", "plan.toml:3: unknown field `kolor`"),
        ("[[source]]\npath = \"in/points.jsonl\"\nformat = \"mongo\"\n", "plan.toml:3: format: no format is called \"mongo\""),
        ("[[source]]\npath = \"in/points.jsonl\"\nmapping = \"in/own.toml\"\n", "plan.toml:3: mapping: "),
        ("[[source]]\npath = \"in/points.jsonl\"\ndimension = 5\n", "plan.toml:1: the vectors of in/points.jsonl have 4 values, expected 5"),
        ("[[source]]\npath = \"in/points.jsonl\"\ndimension = 0\n", "plan.toml:3: dimension 0, expected 1 to 2^20"),
        ("source = []\n", "plan.toml: the plan names no source"),
        ("[[source]]\npath = \"in/points.jsonl\"\nvector = \"nope\"\n", "plan.toml:1: no dense vector of in/points.jsonl is called nope"),
    ] {
        std::fs::write(path.join("plan.toml"), text).expect("written");
        let answer = run(path, &["convert", "--plan", "plan.toml", "out.lance"]).expect(2);
        assert!(answer.stderr.contains(says), "{says}\n{}", answer.stderr);
    }
    assert!(run(path, &["convert", "in/points.jsonl"]).expect(2).stderr.contains("is missing"));
}
