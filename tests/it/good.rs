//! Every good fixture converts without a finding, with the counts of `expect.json`. What the rows hold is checked in
//! `acceptance.rs`.

use serde_json::Value;

use crate::tool::{Converted, expectations, flags, names, repository};

#[test]
fn every_good_fixture_converts_with_the_counts_that_it_has() {
    for (format, expected) in expectations() {
        let folder = repository("fixtures").join(&format).join("good");
        let good = expected["good"].as_object().expect("good entries");
        let on_disk = names(&folder);
        let mut listed: Vec<&String> = good.keys().collect();
        listed.sort();
        assert!(on_disk.iter().eq(listed.into_iter()), "{format}: fixtures on disk and in expect.json differ: {on_disk:?}");
        for (name, entry) in good {
            check(&folder.join(name), entry, &flags(entry), entry);
            for variant in entry["variants"].as_array().into_iter().flatten() {
                check(&folder.join(name), variant, &flags(variant), entry);
            }
        }
    }
}

fn check(dump: &std::path::Path, expected: &Value, flags: &[&str], base: &Value) {
    let run = Converted::of(&[dump], flags);
    assert_eq!(run.answer.status, Some(0), "{} {flags:?}\n{}\n{}", dump.display(), run.answer.stdout, run.answer.stderr);
    let report = run.report();
    let of = |key: &str| if expected[key].is_null() { &base[key] } else { &expected[key] };
    assert_eq!(report["read"], *of("records"), "{}", dump.display());
    assert_eq!(report["written"], *of("ids"), "{}", dump.display());
    assert_eq!(report["without_vector"], *of("without_vector"), "{}", dump.display());
    assert_eq!(report["inputs"][0]["collection"], *of("collection"), "{}", dump.display());
    assert_eq!(report["headers"], expected["headers"].as_u64().unwrap_or(1), "{}", dump.display());
    let kind = format!("dense, {} dimensions", of("dimension"));
    assert_eq!(report["vectors"][0]["kind"], Value::from(kind), "{}", dump.display());
    assert_eq!(report["index"]["metric"], "cosine");
    assert_eq!(run.left(), ["out.lance", "out.report.json"], "{}", dump.display());
}

#[test]
fn dumps_can_be_given_one_by_one_or_as_a_folder_and_as_a_pipe() {
    let folder = repository("fixtures/qdrant/good/points-shards");
    let whole = Converted::of(&[&folder], &[]);
    whole.answer.status.filter(|s| *s == 0).expect("status 0");
    let shards: Vec<_> = names(&folder).into_iter().map(|n| folder.join(n)).collect();
    let shards: Vec<&std::path::Path> = shards.iter().map(std::path::PathBuf::as_path).collect();
    let parts = Converted::of(&shards, &[]);
    let uuids = |c: &Converted| crate::tool::column(&c.path("out.lance"), "uuid");
    let members = |c: &Converted| uuids(c).into_iter().skip(1).collect::<Vec<_>>();
    assert_eq!(members(&whole), members(&parts));
    let piped = tempfile::tempdir().expect("a folder");
    let dump = std::fs::File::open(repository("fixtures/qdrant/good/points.jsonl.zst")).expect("the fixture");
    let output = crate::tool::command(piped.path(), &["convert", "--collection", "points", "-", "out.lance"]).stdin(dump).output().expect("it starts");
    crate::tool::Answer::of(&output).expect(0);
    let file = Converted::of(&[&repository("fixtures/qdrant/good/points.jsonl.zst")], &[]);
    assert_eq!(crate::tool::column(&piped.path().join("out.lance"), "x_source_payload"), crate::tool::column(&file.path("out.lance"), "x_source_payload"));
}

#[test]
fn a_vector_that_only_late_records_have_gets_its_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = crate::tool::made_up(0, 9000, 4).replace("\"vector\":[", "\"vector\":{\"main\":[").replace("],\"payload\"", "]},\"payload\"");
    text.push_str("{\"id\":9000,\"vector\":{\"main\":[1,2,3,4],\"late\":[5,6],\"s\":{\"indices\":[3],\"values\":[0.5]}},\"payload\":{}}\n");
    let dump = folder.path().join("points.jsonl");
    std::fs::write(&dump, text).expect("written");
    let run = Converted::of(&[&dump], &["--memory", "128MiB", "--index", "none"]);
    assert_eq!(run.answer.status, Some(0), "{}", run.answer.stderr);
    let report = run.report();
    let columns: Vec<&str> = report["vectors"].as_array().expect("vectors").iter().filter_map(|v| v["column"].as_str()).collect();
    assert_eq!(columns, ["vector", "x_vector_late", "x_sparse_s"]);
    assert_eq!(report["written"], 9001);
    assert_eq!(report["rejected"], 0);
}

#[test]
fn a_package_in_a_pipe_is_read_by_its_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = std::fs::File::open(repository("fixtures/milvus/good/package-small.json")).expect("the fixture");
    let output = crate::tool::command(folder.path(), &["convert", "-", "out.lance"]).stdin(dump).output().expect("it starts");
    let answer = crate::tool::Answer::of(&output).expect(0);
    assert!(answer.stdout.contains("beside the records)"), "{}", answer.stdout);
    assert!(answer.stdout.contains("24 records, and 1 collection header"), "{}", answer.stdout);
}
