//! Milvus: Milvus Lite as a real server over gRPC, filled through pymilvus and held against its answers; what Lite lacks (moments, other
//! vectors, REST) on stubs.

mod lite;
mod moments;
mod rest;
mod rest_stub;
mod spoiled;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::python::{python, run_script, script};
use crate::tool::{Answer, command, records};

/// A server in Python that ends with its stdin, which this holds.
struct Server {
    child: Child,
    url: String,
    port: u16,
}

impl Server {
    /// Starts a script of `servers/` and reads its port.
    fn start(name: &str, args: &[&str]) -> Self {
        let mut command = Command::new(python());
        command.arg(script(name)).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("Python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("the port");
        Self { child, url: format!("http://127.0.0.1:{port}"), port }
    }

    /// Milvus Lite, empty.
    fn lite(folder: &Path) -> Self {
        Self::start("milvus_serve.py", &[folder.join("db").to_str().unwrap()])
    }

    fn load(&self, args: &[&str]) {
        run_script("milvus_load.py", &[&[self.url.as_str()], args].concat()).expect(0);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && std::time::Instant::now() < end {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn export(url: &str, out: &Path, more: &[&str]) -> Answer {
    let args = [&["milvus", "--url", url, out.to_str().unwrap()], more].concat();
    Answer::of(&command(&args).output().expect("the program starts"))
}

/// Holds the exported lines of a collection (or partition) against pymilvus' answer.
fn compare(url: &str, snapshot: &Path, collection: &str, partition: Option<&str>, more: &[&str]) -> String {
    let lines = records(snapshot, collection, partition);
    let path = snapshot.with_extension(format!("{collection}-{}.jsonl", partition.unwrap_or("all")));
    std::fs::write(&path, lines.join("\n")).unwrap();
    let args = [&[url, collection, path.to_str().unwrap()], partition.as_slice(), more].concat();
    run_script("milvus_compare.py", &args).expect(0).stdout.trim().to_owned()
}
