//! Chroma: a real server, filled by its official client, exported idle, while it is written to, and killed; every record is held
//! against what that client returns. What only Chroma Cloud does is in `chroma/cloud.rs`, on a stub.

mod cloud;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::proxy::{Fault, Proxy};
use crate::python::{Process, free_port, installed, python, run_script, script};
use crate::tool::{Answer, command, convert_and_verify, files, manifest, records};

/// Records that the large collection is filled with, before some are deleted and others added.
const COUNT: &str = "22000";

/// A Chroma of our own.
struct Chroma {
    process: Process,
    port: u16,
    folder: tempfile::TempDir,
}

impl Chroma {
    fn at(folder: tempfile::TempDir) -> Self {
        let port = free_port();
        let mut command = Command::new(installed("chroma"));
        command.args(["run", "--host", "127.0.0.1", "--port", &port.to_string(), "--path"]).arg(folder.path());
        let process = Process::start(&mut command).until(|| answers(port));
        Self { process, port, folder }
    }

    /// A server with the records of `chroma_load.py`.
    fn filled(count: &str) -> Self {
        let chroma = Self::at(tempfile::tempdir().unwrap());
        run_script("chroma_load.py", &[&chroma.url(), count]).expect(0);
        chroma
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let asked = stream.write_all(b"GET /api/v2/heartbeat HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn export(url: &str, out: &Path, more: &[&str]) -> Answer {
    let args = [&["chroma", "--url", url, out.to_str().unwrap()], more].concat();
    Answer::of(&command(&args).env_remove("CHROMA_API_KEY").output().expect("the program starts"))
}

fn check(url: &str, out: &Path, more: &[&str]) -> Answer {
    let answer = run_script("chroma_check.py", &[&[url, out.to_str().unwrap()], more].concat()).expect(0);
    println!("{}", answer.stdout);
    answer
}

const BOTH: [&str; 4] = ["--tenant", "default_tenant", "--tenant", "other tenant é"];

fn every_record_is_the_official_clients(chroma: &Chroma) {
    let folder = tempfile::tempdir().unwrap();
    for (name, flags) in [("default", vec![]), ("small", vec!["--batch", "333", "--part-size", "300K", "--concurrency", "2"])] {
        let out = folder.path().join(name);
        export(&chroma.url(), &out, &[&["--all"], BOTH.as_slice(), &flags].concat()).expect(0);
        let answer = check(&chroma.url(), &out, &["--collections", "130"]);
        assert!(answer.says("records are equal"), "{answer:?}");
    }
    let manifest = manifest(&folder.path().join("small"));
    let of = |name: &str, namespace: Option<&str>| {
        let all = manifest["collections"].as_array().unwrap();
        all.iter().find(|c| c["name"] == name && c["namespace"].as_str() == namespace).unwrap_or_else(|| panic!("no {name} {namespace:?}"))
    };
    let records = of("records", None);
    assert!(records["count"].as_u64().unwrap() >= 20_000 && records["parts"].as_array().unwrap().len() > 20, "{records}");
    assert_eq!((records["count_before"]["by"].as_str(), records["count_after"]["exact"].as_bool()), (Some("count"), Some(true)));
    assert_eq!((records["metric"].as_str(), records["vectors"][0]["dimension"].as_u64()), (Some("l2"), Some(32)));
    assert_eq!((of("cosine", None)["metric"].as_str(), of("old-metric", None)["metric"].as_str()), (Some("cosine"), Some("ip")));
    assert!(of("cosine", None)["losses"].to_string().contains("direction times length"));
    assert_eq!((of("never-filled", None)["vectors"].as_array().unwrap().len(), of("emptied", None)["count"].as_u64()), (0, Some(0)));
    for namespace in ["default_tenant/second", "other tenant é/second", "other tenant é/third"] {
        assert_eq!(of("records", Some(namespace))["count"], 63);
    }
    let by_name = folder.path().join("by-name");
    export(&chroma.url(), &by_name, &["--collection", "records", "--database", "second"]).expect(0);
    check(&chroma.url(), &by_name, &["--collections", "1"]);
    // Collections of one name in two databases, in one dataset.
    let both = folder.path().join("both");
    export(&chroma.url(), &both, &["--collection", "records", "--tenant", "other tenant é"]).expect(0);
    check(&chroma.url(), &both, &["--collections", "2"]);
    convert_and_verify(&both, &[]);
}

fn filters_are_the_servers(chroma: &Chroma) {
    let folder = tempfile::tempdir().unwrap();
    let (some, few) = (folder.path().join("some"), folder.path().join("few"));
    let filter = r#"{"number": {"$lt": 5000}}"#;
    let place = ["--collection", "records", "--database", "default_database"];
    export(&chroma.url(), &some, &[place.as_slice(), &["--filter", filter]].concat()).expect(0);
    check(&chroma.url(), &some, &["--where", filter]);
    export(&chroma.url(), &few, &[place.as_slice(), &["--filter", filter, "--where-document", r#"{"$contains": "document 49"}"#]].concat()).expect(0);
    let (some, few) = (records(&some, "records", None), records(&few, "records", None));
    assert!(some.len() > 3000 && !few.is_empty() && few.len() < 300, "{} and {}", some.len(), few.len());
    assert!(few.iter().all(|line| some.contains(line) && line.contains("document 49")));
    let refused = export(&chroma.url(), &folder.path().join("a"), &[place.as_slice(), &["--filter", r#"{"number": {"$near": 1}}"#]].concat()).expect(2);
    assert!(refused.says("Invalid where clause"), "{refused:?}");
    assert!(export(&chroma.url(), &folder.path().join("b"), &[place.as_slice(), &["--filter", "number < 3"]].concat()).expect(2).says("--filter is no JSON"));
}

fn what_is_not_there_is_said(chroma: &Chroma) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let answer = export(&chroma.url(), &out, &["--collection", "recrods"]).expect(2);
    assert!(answer.says("there is no collection \"recrods\"") && answer.says("bits, cosine, edges"), "{answer:?}");
    assert!(export(&chroma.url(), &out, &["--all", "--database", "nowhere"]).expect(2).says("there are: default_database, second"));
    assert!(export(&chroma.url(), &out, &["--all", "--tenant", "nobody"]).expect(2).says("Tenant [nobody] not found"));
    let dry = export(&chroma.url(), &out, &["--collection", "cosine", "--dry-run"]).expect(0);
    assert!(dry.says("cosine: 3") && dry.says("nothing was written"), "{dry:?}");
    let help = export(&chroma.url(), &out, &["--help"]).expect(0);
    assert!(help.says("CHROMA_API_KEY") && help.says("--where-document") && help.says("Exit status") || help.says("Needs a key"), "{help:?}");
}

fn twenty_kills_leave_the_same_snapshot(chroma: &Chroma) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let flags = ["--collection", "records", "--database", "default_database", "--batch", "250", "--part-size", "64K", "--quiet"];
    export(&chroma.url(), &whole, &flags).expect(0);
    let expected = files(&whole);
    assert!(expected.len() > 100, "{} parts", expected.len());
    let url = chroma.url();
    // Not faster than the eye of this test, on any machine.
    let args = [&["chroma", "--url", &url, killed.to_str().unwrap(), "--rate", "40"], flags.as_slice()].concat();
    let parts = || std::fs::read_dir(&killed).map_or(0, |d| d.filter(|e| e.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == "zst"))).count());
    let (mut kills, mut met) = (0, Vec::new());
    for number in 0..20_usize {
        let mut child = command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        // Early ones meet the listing of collections and ids, later ones pages and parts, some of them just begun.
        let wanted = if number < 5 { 0 } else { parts() + number * 5 % 9 + 1 };
        while child.try_wait().unwrap().is_none() && parts() < wanted {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(u64::try_from(number * 37 % 90).unwrap()));
        kills += u32::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        let _ = child.wait();
        met.push(parts());
        assert!(!killed.join("manifest.json").exists());
    }
    assert_eq!(kills, 20, "parts after each: {met:?}");
    assert!(met.last() > met.first() && met.last().is_some_and(|n| *n < expected.len()), "parts after each: {met:?}");
    export(&url, &killed, &flags).expect(0);
    println!("{kills} kills, parts after each: {met:?} of {}", expected.len());
    assert!(files(&killed) == expected, "the parts differ");
    assert_eq!(manifest(&killed)["collections"], manifest(&whole)["collections"]);
    check(&url, &killed, &[]);
    convert_and_verify(&killed, &[]);
}

fn a_bad_network_changes_nothing(chroma: &Chroma) {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let flags = ["--collection", "records", "--database", "default_database", "--batch", "500"];
    export(&chroma.url(), &whole, &flags).expect(0);
    let faults =
        [Fault::Reset, Fault::Cut(700), Fault::Cut(60_000), Fault::TooMany, Fault::Unavailable, Fault::Delay(Duration::from_millis(150)), Fault::Drip(4096)];
    for seed in [1, 20, 300] {
        let proxy = Proxy::random(chroma.port, seed, 30, faults.to_vec());
        let out = folder.path().join(format!("bad-{seed}"));
        let answer = export(&proxy.url(), &out, &[flags.as_slice(), &["--retries", "20"]].concat()).expect(0);
        let done = proxy.faults.load(std::sync::atomic::Ordering::Relaxed);
        assert!(done > 5, "{done} faults: {answer:?}");
        assert!(files(&out) == files(&whole), "seed {seed}");
    }
}

#[test]
fn a_real_server() {
    // One after another on one server, which takes half a minute to fill.
    let chroma = Chroma::filled(COUNT);
    every_record_is_the_official_clients(&chroma);
    filters_are_the_servers(&chroma);
    what_is_not_there_is_said(&chroma);
    twenty_kills_leave_the_same_snapshot(&chroma);
    a_bad_network_changes_nothing(&chroma);
}

#[test]
fn a_server_that_is_written_to() {
    let chroma = Chroma::filled("6000");
    let folder = tempfile::tempdir().unwrap();
    let place = ["--collection", "records", "--database", "default_database"];
    for (name, flags) in [("fast", vec![]), ("slow", vec!["--batch", "100", "--rate", "60"])] {
        let (log, out) = (folder.path().join(format!("{name}.log")), folder.path().join(name));
        let mut writer = Command::new(python());
        writer.arg(script("chroma_write.py")).args([&chroma.url(), "records"]).arg(&log);
        let mut writer = Process(writer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts"));
        let mut said = BufReader::new(writer.0.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let answer = export(&chroma.url(), &out, &[place.as_slice(), &flags].concat()).expect(1);
        assert!(answer.says("meanwhile"), "{answer:?}");
        drop(writer.0.stdin.take());
        line.clear();
        said.read_line(&mut line).unwrap();
        assert!(writer.0.wait().unwrap().success());
        println!("{name}: {line}");
        let entry: Value = manifest(&out)["collections"][0].clone();
        assert!(!entry["findings"].as_array().unwrap().is_empty() && entry["marker_before"] != entry["marker_after"], "{entry}");
        check(&chroma.url(), &out, &["--stable", log.to_str().unwrap()]);
    }
}

#[test]
fn a_vector_that_the_index_has_lost_ends_nothing() {
    let chroma = Chroma::filled("300");
    let (folder, url) = (tempfile::tempdir().unwrap(), chroma.url());
    let before = folder.path().join("before");
    let flags = ["--collection", "records", "--database", "default_database"];
    export(&url, &before, &flags).expect(0);
    let before = records(&before, "records", None);
    // The server must not run while its files are damaged.
    let Chroma { process, folder: data, .. } = chroma;
    drop(process);
    let lost: Vec<String> = serde_json::from_str(&run_script("chroma_damage.py", &[data.path().to_str().unwrap(), "records", "3"]).expect(0).stdout).unwrap();
    let chroma = Chroma::at(data);
    let after = folder.path().join("after");
    export(&chroma.url(), &after, &flags).expect(0);
    // One note for each range that has met some.
    let notes = manifest(&after)["collections"][0]["notes"].clone();
    let each = notes.as_array().unwrap().iter().filter_map(Value::as_str).filter(|note| note.contains("without an embedding in the source"));
    let met: u32 = each.filter_map(|note| note.split(' ').next()?.parse::<u32>().ok()).sum();
    assert_eq!(met, 3, "{notes}");
    let after = records(&after, "records", None);
    assert_eq!((after.len(), lost.len()), (before.len(), 3));
    for (old, new) in before.iter().zip(&after) {
        let (mut old_value, new_value): (Value, Value) = (serde_json::from_str(old).unwrap(), serde_json::from_str(new).unwrap());
        if lost.iter().any(|id| *id == old_value["id"]) {
            old_value["embedding"] = Value::Null;
            assert_eq!(old_value, new_value);
        } else {
            assert_eq!(old, new);
        }
    }
}
