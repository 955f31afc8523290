//! Runs the exporter in a folder of its own, kills it, and reads what it left. No test stands here.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The exporter.
pub(crate) const EXPORTER: &str = env!("CARGO_BIN_EXE_vec2lance-export");
/// The converter; none where only the exporter is built.
pub(crate) const CONVERTER: Option<&str> = option_env!("CARGO_BIN_EXE_vec2lance");

/// What a run answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Fails with both texts unless the status is this one.
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Whether `words` stand in either text, whatever their case.
    pub(crate) fn says(&self, words: &str) -> bool {
        let words = words.to_lowercase();
        self.stdout.to_lowercase().contains(&words) || self.stderr.to_lowercase().contains(&words)
    }
}

/// The exporter's command, not started: no proxy and no key leaks in from the environment, and the pauses between tries are short.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(EXPORTER);
    command.args(args).env("COLUMNS", "100").env("NO_COLOR", "1").env("NO_PROXY", "*").env("VEC2LANCE_TEST_PAUSES", "20");
    for name in ["QDRANT_API_KEY", "CHROMA_TOKEN", "PINECONE_API_KEY", "WEAVIATE_API_KEY", "MILVUS_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command
}

/// Runs the exporter to its end.
pub(crate) fn run(args: &[&str]) -> Answer {
    Answer::of(&command(args).output().expect("the program starts"))
}

/// Runs the exporter and kills it (SIGKILL) after so long; `true` if it was still running.
pub(crate) fn run_and_kill(mut command: Command, after: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let end = Instant::now() + after;
    while Instant::now() < end {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let running = child.try_wait().expect("a child").is_none();
    let _ = child.kill();
    let _ = child.wait();
    running
}

/// A snapshot's manifest.
pub(crate) fn manifest(snapshot: &Path) -> Value {
    let text = std::fs::read_to_string(snapshot.join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("the manifest is JSON")
}

/// The lines of one file, plain or Zstandard.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    let file = std::fs::File::open(path).expect("a part");
    let reader: Box<dyn Read> =
        if path.extension().is_some_and(|e| e == "zst") { Box::new(zstd::stream::read::Decoder::new(file).unwrap()) } else { Box::new(file) };
    BufReader::new(reader).lines().map(|l| l.expect("UTF-8")).collect()
}

/// The records of a collection (and namespace) of a snapshot, as lines in order; sizes, sums and counts are held against the manifest.
pub(crate) fn records(snapshot: &Path, collection: &str, namespace: Option<&str>) -> Vec<String> {
    let manifest = manifest(snapshot);
    let entries = manifest["collections"].as_array().expect("collections");
    let entry =
        entries.iter().find(|e| e["name"] == collection && e["namespace"].as_str() == namespace).unwrap_or_else(|| panic!("no {collection} in {manifest}"));
    let mut out = Vec::new();
    for part in entry["parts"].as_array().expect("parts") {
        let path = snapshot.join(part["path"].as_str().expect("a path"));
        let bytes = std::fs::read(&path).expect("a part");
        assert_eq!(bytes.len() as u64, part["bytes"].as_u64().unwrap(), "{}", path.display());
        assert_eq!(part["sha256"], sum(&bytes), "{}", path.display());
        let lines = lines(&path);
        assert_eq!(lines.len() as u64, part["rows"].as_u64().unwrap(), "{}", path.display());
        out.extend(lines);
    }
    assert_eq!(out.len() as u64, entry["count"].as_u64().unwrap());
    out
}

/// Lower-case hexadecimal SHA-256.
pub(crate) fn sum(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Every file of a folder but the manifest, which names the time, by name with its bytes; no folders.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry"));
    let named = entries.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()));
    named.filter(|(name, path)| name != "manifest.json" && path.is_file()).map(|(name, path)| (name, std::fs::read(path).expect("a file"))).collect()
}

/// The converter: the one that is built with this, or another for builds of the exporter alone.
fn converter() -> Option<String> {
    CONVERTER.map(str::to_owned).or_else(|| std::env::var("VEC2LANCE_CONVERTER").ok())
}

fn convert(args: &[&str]) -> Option<Answer> {
    let output = Command::new(converter()?).args(args).env("NO_COLOR", "1").output();
    Some(Answer::of(&output.expect("the converter starts")).expect(0))
}

/// Converts a snapshot and verifies the result, where the converter is built; the dataset's path.
pub(crate) fn convert_and_verify(snapshot: &Path, flags: &[&str]) -> Option<PathBuf> {
    let out = snapshot.with_extension("lance");
    let (from, to) = (snapshot.to_str().expect("UTF-8"), out.to_str().expect("UTF-8"));
    convert(&[&["convert", from, to], flags].concat())?;
    verify(&out, snapshot);
    Some(out)
}

/// Holds a dataset against a snapshot, where the converter is built.
pub(crate) fn verify(dataset: &Path, snapshot: &Path) {
    convert(&["verify", dataset.to_str().expect("UTF-8"), snapshot.to_str().expect("UTF-8")]);
}
