//! Several sources of different shape in one dataset: counts, headers and members of each, ids that meet, names that would.
//! What ContextFrame sees of them stands in `tests/acceptance/check_several.py`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::tool::{Converted, column, made_up, repository, run};

#[test]
fn three_sources_become_one_dataset() {
    let dumps = ["pinecone/good/index-small.jsonl", "qdrant/good/points-small.jsonl", "chroma/good/collection_gaps-small.jsonl"];
    let dumps = dumps.map(|d| repository("fixtures").join(d));
    let paths: Vec<&std::path::Path> = dumps.iter().map(std::path::PathBuf::as_path).collect();
    let made = Converted::of(&paths, &["--verify"]);
    assert_eq!(made.answer.status, Some(0), "{}{}", made.answer.stdout, made.answer.stderr);
    let report = made.report();
    let members: Vec<(Value, Value, Value)> =
        report["collections"].as_array().expect("counts").iter().map(|c| (c["source"].clone(), c["collection"].clone(), c["members"].clone())).collect();
    let of = |source: &str, name: &str, n: u64| (Value::from(source), Value::from(name), Value::from(n));
    assert_eq!(members, [of("pinecone", "index-small", 24), of("qdrant", "points-small", 24), of("chroma", "collection_gaps-small", 30)]);
    assert_eq!((&report["headers"], &report["written"]), (&3.into(), &78.into()));
    let texts = |name: &str| column(&made.path("out.lance"), name);
    let mut ids: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
    for (id, source) in texts("x_original_id").into_iter().zip(texts("source_type")) {
        if let Some(id) = id {
            ids.entry(id).or_default().insert(source);
        }
    }
    assert_eq!(ids.values().map(BTreeSet::len).sum::<usize>(), 78, "an id was lost");
    assert_eq!(report["ids_in_several"], ids.values().filter(|s| s.len() > 1).count() as u64);
}

#[test]
fn ids_that_meet_are_counted_and_stay_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("a.jsonl"), made_up(0, 50, 4)).expect("written");
    std::fs::write(path.join("b.jsonl"), made_up(30, 50, 4)).expect("written");
    std::fs::write(path.join("c.jsonl"), made_up(45, 50, 4)).expect("written");
    let json = |args: &[&str], status: i32| -> Value { serde_json::from_str(&run(path, args).expect(status).stdout).expect("JSON") };
    let report = json(&["convert", "a.jsonl", "b.jsonl", "out.lance", "--json"], 0);
    assert_eq!((&report["written"], &report["ids_in_several"]), (&100.into(), &20.into()), "{report}");
    let report = json(&["convert", "c.jsonl", "out.lance", "--append", "--json"], 0);
    // 30 to 49 in a and b, 45 to 79 in c too: counted over the whole dataset.
    assert_eq!((&report["added"], &report["ids_in_several"]), (&50.into(), &50.into()), "{report}");
    assert!(run(path, &["convert", "a.jsonl", "b.jsonl", "text.lance"]).expect(0).stdout.contains("20 ids in more than one of them"));
}

#[test]
fn one_collection_of_two_dumps_is_noted_and_one_name_of_two_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("a.jsonl"), made_up(0, 5, 3)).expect("written");
    std::fs::write(path.join("b.jsonl"), made_up(5, 5, 3)).expect("written");
    std::fs::write(path.join("p.jsonl"), "{\"id\":\"x\",\"values\":[1,2,3],\"metadata\":{}}\n").expect("written");
    let answer = run(path, &["convert", "a.jsonl", "b.jsonl", "out.lance", "--collection", "all"]).expect(0);
    assert!(answer.stdout.contains("2 dumps are one collection, all of qdrant: a.jsonl, b.jsonl"), "{}", answer.stdout);
    let answer = run(path, &["convert", "a.jsonl", "p.jsonl", "two.lance", "--collection", "all"]).expect(2);
    assert!(answer.says("two headers would be called \"all\": qdrant's collection all and pinecone's collection all"), "{}", answer.stderr);
}
