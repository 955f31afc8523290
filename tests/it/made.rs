//! Bad input that is too large or too systematic for a fixture: bombs, long lines, files cut at every byte.
//! Recorded bad files stand in `bad.rs`.

use std::io::Write;

use crate::tool::{Converted, column, made_up, names, run};

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
    assert!(report["peak_memory"].as_u64().is_none_or(|p| p < (128 + 128) << 20), "{}", report["peak_memory"]);
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

/// A record that a dump cut off in the middle cannot hold.
const TWO: &str = "{\"id\":1,\"vector\":[1,2],\"payload\":{\"t\":\"é\"}}\n{\"id\":2,\"vector\":[3,4.5e-1],\"payload\":null}\n";

#[test]
fn a_dump_cut_at_any_byte_is_a_reject_or_an_error_and_never_a_wrong_count() {
    for cut in 0..=TWO.len() {
        let run = converted(&TWO.as_bytes()[..cut], "cut.jsonl", &["--from", "qdrant", "--index", "none"]);
        let rest = String::from_utf8_lossy(&TWO.as_bytes()[..cut]).rsplit('\n').next().map(str::to_owned).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', &TWO.as_bytes()[..cut]).count() as u64;
        assert!(!run.answer.says("panicked"), "cut at {cut}: {:?}", run.answer);
        match run.answer.status {
            Some(2) => assert!(cut == 0 && run.left().is_empty(), "cut at {cut}: {:?}", run.answer),
            Some(0) => {
                assert!(rest.is_empty() || rest.ends_with("}}") || rest.ends_with("null}"), "cut at {cut}: {rest}");
                assert_eq!(run.report()["written"], lines + u64::from(!rest.is_empty()), "cut at {cut}");
            }
            Some(1) => {
                assert_eq!((&run.report()["read"], &run.report()["written"]), (&(lines + 1).into(), &lines.into()), "cut at {cut}");
                let reject = &run.lines("out.rejects.jsonl")[0];
                assert_eq!(reject["line"], lines + 1, "cut at {cut}");
                // A character cut in two is not UTF-8 first of all.
                let code = if TWO.is_char_boundary(cut) { "cut-off" } else { "invalid-utf8" };
                assert_eq!(reject["code"], code, "cut at {cut}: {}", reject["reason"]);
            }
            other => panic!("cut at {cut}: status {other:?}"),
        }
    }
}

#[test]
fn a_container_cut_at_any_byte_is_an_error() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(TWO.as_bytes()).expect("packed");
    let gzip = gzip.finish().expect("packed");
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    encoder.include_checksum(true).expect("a checksum");
    encoder.write_all(TWO.as_bytes()).expect("packed");
    let zst = encoder.finish().expect("packed");
    let array = format!("[{}]", TWO.trim().replace('\n', ",")).into_bytes();
    for (name, bytes) in [("cut.jsonl.gz", gzip), ("cut.jsonl.zst", zst), ("cut.json", array)] {
        for cut in 0..bytes.len() {
            let run = converted(&bytes[..cut], name, &["--from", "qdrant", "--index", "none"]);
            assert!(matches!(run.answer.status, Some(1 | 2)) && !run.answer.says("panicked"), "{name} cut at {cut}: {:?}", run.answer);
            assert_eq!(run.left().is_empty(), run.answer.status == Some(2), "{name} cut at {cut}: {:?}", run.left());
        }
        converted(&bytes, name, &["--from", "qdrant", "--index", "none"]).answer.expect(0);
    }
}

#[test]
fn numbers_that_no_float_can_hold_stay_as_they_are_in_metadata() {
    let payload = "{\"a\":1e400,\"b\":18446744073709551616,\"c\":-0.10000000000000000000001,\"d\":[1E+2,-0]}";
    let run = converted(format!("{{\"id\":1,\"vector\":[1,2],\"payload\":{payload}}}\n").as_bytes(), "points.jsonl", &[]);
    assert_eq!(run.answer.status, Some(0), "{:?}", run.answer);
    assert_eq!(column(&run.path("out.lance"), "x_source_payload"), [None, Some(payload.to_owned())]);
    // In a vector they are not: nothing is rounded to infinity.
    let text = format!("{}{{\"id\":7,\"vector\":[1,1e39],\"payload\":{{}}}}\n", made_up(0, 3, 2));
    let run = converted(text.as_bytes(), "points.jsonl", &[]);
    assert_eq!((run.answer.status, &run.lines("out.rejects.jsonl")[0]["code"]), (Some(1), &"vector-not-finite".into()));
}

#[test]
fn five_thousand_keys_are_kept() {
    let keys: Vec<String> = (0..5000).map(|n| format!("\"key {n}\":{n}")).collect();
    let payload = format!("{{{}}}", keys.join(","));
    let run = converted(format!("{{\"id\":1,\"vector\":[1,2],\"payload\":{payload}}}\n").as_bytes(), "points.jsonl", &[]);
    assert_eq!(run.answer.status, Some(0), "{}", run.answer.stderr);
    assert_eq!(column(&run.path("out.lance"), "x_source_payload"), [None, Some(payload)]);
}

#[test]
fn records_of_two_databases_in_one_dump_are_told_apart() {
    let chroma = "{\"id\":\"c\",\"embedding\":[1,2,3,4],\"metadata\":{},\"document\":\"d\"}\n";
    let run = converted((made_up(0, 5, 4) + chroma).as_bytes(), "points.jsonl", &[]);
    assert_eq!(run.answer.status, Some(1), "{:?}", run.answer);
    let reject = &run.lines("out.rejects.jsonl")[0];
    assert_eq!((&reject["code"], &reject["line"]), (&"foreign-record".into(), &6.into()));
    assert_eq!(reject["original"], chroma.trim());
    assert_eq!(run.report()["written"], 5);
}

#[test]
fn what_cannot_be_listed_or_read_is_an_error_of_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("dump");
    std::fs::create_dir(&dump).expect("a folder");
    std::fs::write(dump.join("readme.txt"), "no shard").expect("written");
    let answer = run(folder.path(), &["convert", "dump", "out.lance"]).expect(2);
    assert!(answer.says("holds no shard"), "{answer:?}");
    std::fs::write(dump.join("points.jsonl"), "").expect("written");
    let answer = run(folder.path(), &["convert", "dump", "out.lance"]).expect(2);
    assert!(answer.stderr.starts_with("error: "), "{answer:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let rights = |mode| std::fs::set_permissions(&dump, std::fs::Permissions::from_mode(mode)).expect("set");
        rights(0o000);
        if std::fs::read_dir(&dump).is_err() {
            let answer = run(folder.path(), &["convert", "dump", "out.lance"]).expect(2);
            assert!(answer.says("permission denied"), "{answer:?}");
        } else {
            println!("note: root may read every folder; one that cannot be read is not tested here");
        }
        rights(0o755);
    }
    assert_eq!(names(folder.path()), ["dump"]);
}

#[test]
fn too_many_rejects_stop_the_run_with_nothing_committed() {
    let text = crate::tool::made_up(0, 10, 4) + "not JSON\n{}\n";
    for (limit, status) in [("2", 1), ("1", 2), ("20%", 1), ("10%", 2)] {
        let run = converted(text.as_bytes(), "points.jsonl", &["--max-rejects", limit]);
        assert_eq!(run.answer.status, Some(status), "{limit}: {}", run.answer.stderr);
        // The list so far says why.
        assert_eq!(run.left() == ["out.rejects.jsonl"], status == 2, "{limit}: {:?}", run.left());
        assert!(status == 1 || run.answer.says("the list so far is out.rejects.jsonl"), "{limit}: {:?}", run.answer);
    }
}

#[test]
fn a_run_that_fails_late_leaves_nothing() {
    // A record that repeats an id, and one that is rejected: the list of duplicates is written before the limit is known.
    let text = made_up(0, 5, 4) + "not JSON\n" + &made_up(1, 1, 4);
    let run = converted(text.as_bytes(), "points.jsonl", &["--max-rejects", "5%"]);
    assert_eq!((run.answer.status, run.left()), (Some(2), vec!["out.rejects.jsonl".to_owned()]), "{}", run.answer.stderr);
    // Lance may still be writing when the run ends.
    for _ in 0..30 {
        let run = converted(text.as_bytes(), "points.jsonl", &["--expect-rows", "3"]);
        assert_eq!((run.answer.status, run.left()), (Some(1), vec![]), "{}", run.answer.stderr);
    }
}
