//! Promises as properties: threads, memory, maps, compression, framing and shards change nothing about the rows.
//! Single inputs with a known outcome stand in `good.rs` and `bad.rs`.

use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::tool::{Converted, column};

/// All that tells rows apart, in row order. The header's date is not in it.
fn rows(converted: &Converted) -> Vec<Vec<Option<String>>> {
    assert!(matches!(converted.answer.status, Some(0 | 1)), "{:?}", converted.answer);
    let dataset = converted.path("out.lance");
    ["uuid", "x_original_id", "x_source_payload", "text_content", "title"].iter().map(|name| column(&dataset, name)).collect()
}

/// A record: its id, its payload as text (`None`: no such key), and its line.
type Made = (u32, Option<String>, String);

fn records() -> impl Strategy<Value = Vec<Made>> {
    let value = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| format!("{n}e{}", n % 700)),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:?}")),
        "[a-zé\u{1F600}\"\\\\ ]{0,40}".prop_map(|s| serde_json::Value::from(s).to_string()),
        Just("{\"a\":[1,{\"b\":null}]}".to_owned()),
        Just("[true , \"\\u00e9\"]".to_owned())
    ];
    let key = prop_oneof!["[a-z]{1,4}", Just("title".to_owned()), Just("text".to_owned()), Just("tags".to_owned()), Just("source".to_owned())];
    let payload = prop::collection::btree_map(key, value, 0..5).prop_map(|payload| {
        let fields: Vec<String> = payload.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    let payload = prop_oneof![8 => payload.prop_map(Some), 1 => Just(Some("null".to_owned())), 1 => Just(None)];
    let vector = prop::array::uniform3(any::<f32>().prop_filter("finite", |f| f.is_finite()));
    let vector = prop_oneof![9 => vector.prop_map(|v| format!("[{},{},{}]", v[0], v[1], v[2])), 1 => Just("null".to_owned())];
    let record = (0u32..500, payload, vector).prop_map(|(id, payload, vector)| {
        let field = payload.as_ref().map(|p| format!(",\"payload\":{p}")).unwrap_or_default();
        let line = format!("{{\"id\":{id},\"vector\":{vector}{field}}}");
        (id, payload, line)
    });
    // The first record tells the dimension.
    prop::collection::vec(record, 1..400).prop_map(|mut records| {
        records.insert(0, (1000, None, "{\"id\":1000,\"vector\":[1,2,3]}".to_owned()));
        records
    })
}

/// What the rows must hold, told from the records alone: the last of each id, in the order of the dump.
fn wanted(records: &[Made]) -> Vec<(Option<String>, Option<String>)> {
    let kept = records.iter().enumerate().filter(|(at, record)| !records[at + 1..].iter().any(|later| later.0 == record.0));
    let members = kept.map(|(_, (id, payload, _))| (Some(id.to_string()), payload.clone()));
    std::iter::once((None, None)).chain(members).collect()
}

fn converted(folder: &Path, name: &str, bytes: &[u8], flags: &[&str]) -> Converted {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    let mut all = vec!["--from", "qdrant", "--collection", "c", "--index", "none"];
    all.extend(flags);
    Converted::of(&[&path], &all)
}

#[test]
fn nothing_but_the_records_decides_about_the_rows() {
    // The same cases in each run of the test.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    runner
        .run(&records(), |records| {
            let folder = tempfile::tempdir().expect("a folder");
            let each: Vec<&str> = records.iter().map(|(_, _, line)| line.as_str()).collect();
            let lines = each.join("\n") + "\n";
            let plain = rows(&converted(folder.path(), "a.jsonl", lines.as_bytes(), &["--threads", "1"]));
            let found: Vec<_> = plain[1].iter().cloned().zip(plain[2].iter().cloned()).collect();
            prop_assert_eq!(found, wanted(&records));
            for flags in [&["--threads", "2"][..], &["--threads", "5", "--no-mmap"], &["--threads", "3", "--memory", "128MiB"]] {
                prop_assert_eq!(&plain, &rows(&converted(folder.path(), "a.jsonl", lines.as_bytes(), flags)));
            }
            let packed = zstd::encode_all(lines.as_bytes(), 1).expect("packed");
            prop_assert_eq!(&plain, &rows(&converted(folder.path(), "a.jsonl.zst", &packed, &[])));
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(lines.as_bytes()).expect("packed");
            prop_assert_eq!(&plain, &rows(&converted(folder.path(), "a.jsonl.gz", &gzip.finish().expect("packed"), &[])));
            let array = format!("[{}]", each.join(",\n"));
            prop_assert_eq!(&plain, &rows(&converted(folder.path(), "a.json", array.as_bytes(), &[])));
            let wrapped = format!("\u{FEFF}{{\"next\": null, \"points\": [\n {}\n], \"status\": \"ok\"}}", each.join(",\n  "));
            prop_assert_eq!(&plain, &rows(&converted(folder.path(), "w.json", wrapped.as_bytes(), &["--threads", "3"])));
            let shards = folder.path().join("shards");
            std::fs::create_dir(&shards).expect("a folder");
            let (one, two) = each.split_at(each.len() / 2);
            std::fs::write(shards.join("s-0.jsonl"), one.join("\n")).expect("written");
            // Shards that are read ahead of their turn, each on a thread of its own.
            let packed = folder.path().join("packed");
            std::fs::create_dir(&packed).expect("a folder");
            for (at, part) in each.chunks(each.len().div_ceil(9)).enumerate() {
                let bytes = zstd::encode_all(part.join("\n").as_bytes(), 1).expect("packed");
                std::fs::write(packed.join(format!("s-{at}.jsonl.zst")), bytes).expect("written");
            }
            let flags = ["--from", "qdrant", "--collection", "c", "--index", "none", "--threads", "4", "--memory", "2GiB"];
            prop_assert_eq!(&plain, &rows(&Converted::of(&[&packed], &flags)));
            std::fs::write(shards.join("s-1.jsonl"), two.join("\r\n")).expect("written");
            prop_assert_eq!(&plain, &rows(&Converted::of(&[&shards], &["--from", "qdrant", "--collection", "c", "--index", "none"])));
            Ok(())
        })
        .expect("the same rows");
}

#[test]
fn many_chunks_give_the_rows_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    // About 12 MB: dozens of the smallest chunks.
    let text = crate::tool::made_up(0, 20_000, 60) + &crate::tool::made_up(500, 100, 60) + "broken\n" + &crate::tool::made_up(30_000, 10, 60);
    let small = converted(folder.path(), "a.jsonl", text.as_bytes(), &["--memory", "128MiB", "--threads", "4"]);
    let large = converted(folder.path(), "a.jsonl", text.as_bytes(), &["--memory", "4GiB", "--threads", "1", "--no-mmap"]);
    for name in ["uuid", "x_source_payload"] {
        assert_eq!(column(&small.path("out.lance"), name), column(&large.path("out.lance"), name));
    }
    for run in [&small, &large] {
        let report = run.report();
        assert_eq!((&report["written"], &report["deduplicated"], &report["rejected"]), (&20_010.into(), &100.into(), &1.into()));
        let reject = &run.lines("out.rejects.jsonl")[0];
        assert_eq!((&reject["line"], &reject["record"]), (&20_101.into(), &20_101.into()));
        let first = &run.lines("out.duplicates.jsonl")[0];
        assert_eq!((&first["id"], &first["dropped"]["line"], &first["kept"]["line"]), (&"500".into(), &501.into(), &20_001.into()));
    }
}

#[test]
fn rejected_duplicates_keep_their_originals() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = crate::tool::made_up(0, 50, 4) + "\n  " + &crate::tool::made_up(7, 2, 4);
    for (name, bytes) in [("a.jsonl", text.clone().into_bytes()), ("a.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).expect("packed"))] {
        let run = converted(folder.path(), name, &bytes, &["--on-duplicate", "reject"]);
        assert_eq!(run.answer.status, Some(1), "{:?}", run.answer);
        let rejects = run.lines("out.rejects.jsonl");
        let originals: Vec<&str> = rejects.iter().filter_map(|r| r["original"].as_str()).collect();
        let wanted = crate::tool::made_up(7, 2, 4);
        assert_eq!(originals, wanted.lines().collect::<Vec<_>>());
        assert_eq!(rejects[0]["code"], "duplicate-id");
        assert_eq!(rejects[0]["line"], 52);
    }
}
