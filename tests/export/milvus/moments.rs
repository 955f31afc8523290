//! What Milvus has and Lite lacks, on a stub that speaks pymilvus' own messages: moments, other vectors, nulls left out of columns, structs,
//! ranges, access, refusals.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use base64::Engine as _;
use half::{bf16, f16};

use super::{Server, export};
use crate::tool::{Answer, command, convert_and_verify, files, manifest, records, run_and_kill};

fn stub(count: u64, options: &[&str]) -> Server {
    Server::start("milvus_stub.py", &[&[count.to_string().as_str()], options].concat())
}

/// The keys of the stub in order, with their row numbers.
fn keys(count: u64) -> BTreeMap<i64, u64> {
    let ends = [i64::MIN, i64::MIN + 1, i64::MAX];
    let more = (0..count - 3).map(|i| i64::try_from(i * 7919 % 1_000_000_000 + i).unwrap());
    ends.into_iter().chain(more).zip(0..).collect()
}

/// The line of one row, made as the stub makes it.
fn line(key: i64, n: u64) -> String {
    let floats: Vec<f32> = (0..16).map(|d| ((n * 31 + d * 7919) % 20011) as f32 - 10005.0).map(|v| v / 997.0).collect();
    let base64 = |bytes: Vec<u8>| serde_json::to_string(&base64::engine::general_purpose::STANDARD.encode(bytes)).unwrap();
    let list = |values: Vec<String>| format!("[{}]", values.join(","));
    let f32s = list(floats.iter().map(|v| serde_json::to_string(v).unwrap()).collect());
    let f16s = if n % 4 == 1 { "null".to_owned() } else { base64(floats.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()) };
    // Cut off, not rounded.
    let bf16s = base64(floats.iter().flat_map(|v| bf16::from_bits((v.to_bits() >> 16) as u16).to_le_bytes()).collect());
    let bits = base64(u16::try_from(n % 65536).unwrap().to_le_bytes().to_vec());
    let i8s = list((0..16).map(|d| (i64::try_from((n + d * 37) % 256).unwrap() - 128).to_string()).collect());
    let words = format!("{{\"{n}\":0.1,\"4294967295\":{}}}", serde_json::to_string(&(n as f32 / 4.0)).unwrap());
    let maybe = if n.is_multiple_of(3) { "null".to_owned() } else { format!("\"text {n}\"") };
    let tags = list(["\"a\"".to_owned(), format!("\"{n}\"")].into_iter().take(usize::try_from(n % 3).unwrap()).collect());
    let part = |i: u64| {
        let score = serde_json::to_string(&(n as f64 + i as f64 / 10.0)).unwrap();
        format!("{{\"score\":{score},\"late\":[{}.0,{}.5]}}", n as f32, i)
    };
    let parts = list((0..n % 3).map(part).collect());
    let meta = format!("{{\\\"big\\\": {}, \\\"text\\\": \\\"{n}\\\", \\\"none\\\": null}}", i64::MAX as u64 - n);
    format!(
        "{{\"id\":{key},\"f32\":{f32s},\"f16\":{f16s},\"bf16\":{bf16s},\"bits\":{bits},\"i8\":{i8s},\"words\":{words},\"maybe\":{maybe},\"tags\":{tags},\"parts\":{parts},\"$meta\":\"{meta}\"}}"
    )
}

fn lines(count: u64) -> Vec<String> {
    keys(count).into_iter().map(|(key, n)| line(key, n)).collect()
}

/// Fails with the first line that differs, and not with all of them.
fn same(ours: &[String], theirs: &[String]) {
    let differs = ours.iter().zip(theirs).position(|(a, b)| a != b);
    assert!(differs.is_none(), "\n{}\n{}", ours[differs.unwrap()], theirs[differs.unwrap()]);
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn every_vector_keeps_its_bits_and_every_null_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let server = stub(2000, &[]);
    let out = folder.path().join("out");
    export(&server.url, &out, &["--all", "--batch", "300"]).expect(0);
    same(&records(&out, "docs", None), &lines(2000));
    let entry = &manifest(&out)["collections"][0];
    let vectors: Vec<_> = entry["vectors"].as_array().unwrap().iter().map(|v| (v["name"].as_str().unwrap(), v["type"].as_str().unwrap())).collect();
    assert_eq!(vectors, [("f32", "float32"), ("f16", "float16"), ("bf16", "bfloat16"), ("bits", "binary"), ("i8", "int8"), ("words", "float32")]);
    assert!(entry["losses"].to_string().contains("made is made by a BM25 function"), "{entry}");
    assert!(entry["notes"].to_string().contains("timestamp"), "{entry}");
    convert_and_verify(&out, &[]);
}

#[test]
fn a_resumed_run_reads_the_moment_at_which_it_began() {
    let folder = tempfile::tempdir().unwrap();
    // After every query one entity is changed or deleted, or comes again.
    let server = stub(4000, &["writing"]);
    let out = folder.path().join("out");
    let args = ["milvus", "--url", &server.url, "--all", "--batch", "50", "--part-size", "200K", "--quiet", out.to_str().unwrap()];
    let mut kills = 0;
    // The moment is in the journal from its first line on.
    while std::fs::metadata(out.join("export.journal")).map_or(0, |m| m.len()) == 0 {
        kills += 1;
        run_and_kill(command(&args), Duration::from_millis(100 * kills));
        assert!(kills < 40);
    }
    let first = String::from_utf8(std::fs::read(out.join("export.journal")).unwrap()).unwrap();
    let sealed = || out.join("manifest.json").exists();
    for n in 0..30 {
        kills += u64::from(!sealed() && run_and_kill(command(&args), Duration::from_millis(100 + n * 9)));
    }
    if !sealed() {
        Answer::of(&command(&args).output().unwrap()).expect(0);
    }
    assert!(kills > 5, "{kills} kills");
    let entry = &manifest(&out)["collections"][0];
    assert_eq!((&entry["count_before"]["value"], &entry["count_after"]["value"]), (&4000.into(), &4000.into()), "{first}");
    // The first query came before the first write.
    same(&records(&out, "docs", None), &lines(4000));
}

#[test]
fn ranges_are_drawn_by_the_server_and_hold_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let expected = lines(51_000);
    for (options, parts) in [(vec![], 3), (vec!["nosample"], 1)] {
        let server = stub(51_000, &options);
        let out = folder.path().join(parts.to_string());
        export(&server.url, &out, &["--all", "--concurrency", "3"]).expect(0);
        assert_eq!(manifest(&out)["collections"][0]["parts"].as_array().unwrap().len(), parts);
        same(&records(&out, "docs", None), &expected);
    }
}

#[test]
fn what_passes_is_tried_again_and_what_is_too_large_asked_for_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    export(&stub(3000, &[]).url, &whole, &["--all"]).expect(0);
    for (name, options) in [("too large", vec!["big=400"]), ("flaky", vec!["flaky"]), ("both", vec!["big=700", "flaky"])] {
        let server = stub(3000, &options);
        let out = folder.path().join(name);
        let answer = export(&server.url, &out, &["--all", "--grpc"]).expect(0);
        assert_eq!(files(&out), files(&whole), "{name}: {answer:?}");
        println!("| gRPC: {name} | identical snapshot, status 0 |");
    }
    let server = stub(100, &["big=0"]);
    let answer = export(&server.url, &folder.path().join("never"), &["--all"]).expect(2);
    assert!(answer.says("the answer is too large"), "{answer:?}");
}

#[test]
fn credentials_come_from_the_environment_or_a_file_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = stub(100, &["token=root:Secret-Word"]);
    let at = |name: &str| folder.path().join(name);
    let run = |out: &str, key: Option<&str>, more: &[&str]| {
        let out = at(out);
        let args = [&["milvus", "--url", server.url.as_str(), "--all", "--retries", "1", out.to_str().unwrap()], more].concat();
        let mut command = command(&args);
        key.map(|key| command.env("MILVUS_TOKEN", key));
        Answer::of(&command.output().unwrap())
    };
    assert!(run("a", None, &[]).expect(2).says("access denied"));
    let wrong = run("b", Some("root:Wrong-Word"), &[]).expect(2);
    // The stub repeats the key in its message.
    assert!(wrong.says("access denied") && wrong.says("check api key …") && !wrong.says("Wrong-Word"), "{wrong:?}");
    run("c", Some("root:Secret-Word"), &[]).expect(0);
    let file = at("key");
    std::fs::write(&file, "root:Secret-Word\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let flags = ["--key-file", file.to_str().unwrap()];
    assert!(run("d", None, &flags).expect(2).says("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    run("d", None, &flags).expect(0);
    for name in ["c", "d"] {
        let text = std::fs::read_to_string(at(name).join("manifest.json")).unwrap();
        assert!(!text.contains("Secret-Word"));
    }
    assert!(run("e", Some("root:Secret-Word"), &["--grpc", "--proxy", "http://127.0.0.1:9"]).expect(2).says("does not go through a proxy"));
}

#[test]
fn a_token_that_expires_ends_the_run_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (out, more) = (out.to_str().unwrap(), ["--batch", "100", "--part-size", "50K"]);
    let run = |url: &str| {
        let args = [&["milvus", "--url", url, "--all", out], more.as_slice()].concat();
        Answer::of(&command(&args).env("MILVUS_TOKEN", "a-token").output().unwrap())
    };
    let expired = run(&stub(2000, &["token=a-token", "expire=20"]).url).expect(2);
    assert!(expired.says("access denied") && expired.says("goes on where this one ended"), "{expired:?}");
    // The data are the same, so the moment of the first server is one of this one, too.
    let done = run(&stub(2000, &["token=a-token"]).url).expect(0);
    assert!(!done.says("2,000 records in 1 parts"), "{done:?}");
    same(&records(std::path::Path::new(out), "docs", None), &lines(2000));
}
