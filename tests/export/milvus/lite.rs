//! Milvus Lite, filled through pymilvus: every record is held against what pymilvus reads, bit for bit.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Server, compare, export};
use crate::python::{python, script};
use crate::tool::{command, convert_and_verify, files, manifest, records, run_and_kill};

#[test]
fn every_type_that_lite_has_comes_out_as_pymilvus_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::lite(folder.path());
    server.load(&["types", "5000"]);
    server.load(&["others"]);
    let out = folder.path().join("all");
    let answer = export(&server.url, &out, &["--all"]).expect(0);
    assert!(answer.says("bare: it is not loaded"), "{answer:?}");
    assert_eq!(compare(&server.url, &out, "types", None, &[]), "4500 records are equal");
    assert_eq!(compare(&server.url, &out, "auto", None, &[]), "300 records are equal");
    assert_eq!(compare(&server.url, &out, "keyed", None, &[]), "300 records are equal");
    for (partition, count) in [("_default", 10), ("a", 100), ("b", 150)] {
        assert_eq!(compare(&server.url, &out, "parted", Some(partition), &[]), format!("{count} records are equal"));
    }
    let manifest = manifest(&out);
    assert_eq!(manifest["skipped"][0]["collection"], "bare");
    let types = manifest["collections"].as_array().unwrap().iter().find(|c| c["name"] == "types").unwrap();
    assert_eq!((&types["metric"], &types["vectors"][0]["dimension"], &types["vectors"][1]["kind"]), (&"COSINE".into(), &16.into(), &"sparse".into()));
    assert_eq!((&types["count_before"]["value"], &types["count_after"]["value"]), (&4500.into(), &4500.into()));
    // The pages' size changes nothing, not even across keys that have to be escaped.
    let small = folder.path().join("small");
    export(&server.url, &small, &["--collection", "types", "--batch", "411"]).expect(0);
    assert_eq!(records(&small, "types", None), records(&out, "types", None));
    // Alone, because one dataset has one metric.
    convert_and_verify(&small, &[]);
    // One partition, a filter, and names that are none.
    let some = folder.path().join("some");
    export(&server.url, &some, &["--collection", "parted", "--partition", "b", "--filter", "id < 105 or id > 245"]).expect(0);
    assert_eq!(records(&some, "parted", Some("b")).len(), 9);
    let none = export(&server.url, &folder.path().join("none"), &["--collection", "nowhere"]).expect(2);
    assert!(none.says("there are: auto, bare, keyed, parted, types"), "{none:?}");
    let bare = export(&server.url, &folder.path().join("bare"), &["--collection", "bare"]).expect(2);
    assert!(bare.says("load it"), "{bare:?}");
}

#[test]
fn a_collection_that_is_written_to_meanwhile_loses_nothing_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::lite(folder.path());
    server.load(&["types", "5000"]);
    let mut writer = Command::new(python());
    writer.arg(script("milvus_load.py")).args([server.url.as_str(), "writes", "400"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut writer = writer.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let out = folder.path().join("out");
    // The counts differ or they do not: this writes without a pause.
    let answer = export(&server.url, &out, &["--collection", "types", "--batch", "300"]);
    assert!(matches!(answer.status, Some(0 | 1)), "{answer:?}");
    drop(writer.stdin.take());
    let written = String::from_utf8(writer.wait_with_output().unwrap().stdout).unwrap();
    assert!(written.lines().last().unwrap().parse::<u64>().unwrap() > 20, "{written}");
    // Keys of the writer come and go; all others are there and equal.
    assert_eq!(compare(&server.url, &out, "types", None, &["--but", "w-"]), "4500 records are equal");
}

#[test]
fn killed_twenty_times_the_parts_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::lite(folder.path());
    server.load(&["ints", "20500", "64"]);
    let whole = folder.path().join("whole");
    let more = ["--collection", "ints", "--part-size", "512K", "--batch", "1000", "--quiet"];
    let begun = std::time::Instant::now();
    export(&server.url, &whole, &more).expect(0);
    let took = begun.elapsed();
    assert_eq!(compare(&server.url, &whole, "ints", None, &[]), "20500 records are equal");
    let lines = records(&whole, "ints", None);
    assert!(lines[0].starts_with("{\"id\":-9223372036854775808,") && lines[20499].starts_with("{\"id\":9223372036854775807,"));
    let killed = folder.path().join("killed");
    let args = [&["milvus", "--url", server.url.as_str(), killed.to_str().unwrap()], more.as_slice()].concat();
    let (mut kills, mut tries) = (0, 0);
    while kills < 20 {
        tries += 1;
        // From the first request to the middle of the second part, so that every run but a few comes a little further.
        let after = took / 14 + took * (tries * 7 % 11) / 140;
        if run_and_kill(command(&args), after) {
            kills += 1;
        } else {
            // It was done before: once more from the beginning.
            std::fs::remove_dir_all(&killed).unwrap();
        }
        assert!(tries < 200, "{kills} kills in {tries} runs");
    }
    export(&server.url, &killed, &more).expect(0);
    assert_eq!(files(&killed), files(&whole));
    assert_eq!(manifest(&killed)["collections"][0]["parts"], manifest(&whole)["collections"][0]["parts"]);
    convert_and_verify(&whole, &[]);
}

#[test]
fn the_servers_own_search_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::lite(folder.path());
    server.load(&["ints", "300", "8"]);
    let out = folder.path().join("out");
    export(&server.url, &out, &["--all", "--record-queries", "5"]).expect(0);
    let queries: Vec<serde_json::Value> = crate::tool::lines(&out.join("queries.jsonl")).iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(queries.len(), 5);
    for query in queries {
        let results = query["results"].as_array().unwrap();
        assert_eq!(results.len(), 10);
        // L2: nothing is nearer to a vector than itself.
        assert_eq!((&results[0]["id"], results[0]["score"].as_f64().unwrap()), (&query["id"], 0.0), "{query}");
    }
}
