//! Runs the program in a folder of its own and looks at what it left. No test stands here.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The program.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_vec2lance");

/// A file or folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a run answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
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

/// Runs the program in `folder`.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Answer {
    Answer::of(&command(folder, args).output().expect("the program starts"))
}

/// The command, not started. The environment does not leak in.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).args(args).env("COLUMNS", "100").env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
    command
}

/// Converts into `out.lance` of a fresh folder.
pub(crate) struct Converted {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) answer: Answer,
}

impl Converted {
    pub(crate) fn of(dumps: &[&Path], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut args: Vec<&str> = vec!["convert"];
        args.extend(dumps.iter().map(|d| d.to_str().expect("paths of fixtures are UTF-8")));
        args.push("out.lance");
        args.extend(flags);
        let answer = run(folder.path(), &args);
        Self { folder, answer }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The report file.
    pub(crate) fn report(&self) -> Value {
        let text = std::fs::read_to_string(self.path("out.report.json")).expect("a report");
        serde_json::from_str(&text).expect("the report is JSON")
    }

    /// Lines of a JSONL file beside the output; none if there is no such file.
    pub(crate) fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(|l| serde_json::from_str(l).expect("a line of JSON")).collect()
    }

    /// Names in the folder, sorted.
    pub(crate) fn left(&self) -> Vec<String> {
        names(self.folder.path())
    }
}

/// Names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Formats that have fixtures, with their expectations.
pub(crate) fn expectations() -> Vec<(String, Value)> {
    let formats = vec2lance::formats::BUILT_IN.iter();
    formats
        .map(|(name, _)| {
            let path = repository("fixtures").join(name).join("expect.json");
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            ((*name).to_owned(), serde_json::from_str(&text).expect("expect.json is JSON"))
        })
        .collect()
}

/// The `flags` of an expectation.
pub(crate) fn flags(expected: &Value) -> Vec<&str> {
    expected["flags"].as_array().map(|f| f.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// Every string of one column of a dataset, in row order; `None` for null.
pub(crate) fn column(dataset: &Path, name: &str) -> Vec<Option<String>> {
    let engine = vec2lance::dataset::Engine::new(2).expect("a runtime");
    let opened = vec2lance::dataset::commit::open(&engine, dataset).expect("a dataset");
    let rows: Vec<u64> = (0..opened.rows(&engine).expect("a count")).collect();
    opened.texts(&engine, name, &rows).expect("a column of strings")
}

/// Values of one column as people read them, of the rows that a SQL filter selects, in row order.
pub(crate) fn shown(dataset: &Path, name: &str, filter: &str) -> Vec<String> {
    let engine = vec2lance::dataset::Engine::new(2).expect("a runtime");
    let opened = vec2lance::dataset::commit::open(&engine, dataset).expect("a dataset");
    let batch = opened.rows_where(&engine, filter, &[name.to_owned()], true).expect("rows");
    let values = batch.column_by_name(name).expect("the column");
    (0..batch.num_rows()).map(|row| vec2lance::verify::print::shown(values, row, 2000)).collect()
}

/// Rows of a dataset that opens and whose first and last row can be read.
pub(crate) fn count(dataset: &Path) -> u64 {
    let engine = vec2lance::dataset::Engine::new(2).expect("a runtime");
    let opened = vec2lance::dataset::commit::open(&engine, dataset).expect("a dataset");
    let rows = opened.rows(&engine).expect("a count");
    let ends = opened.texts(&engine, "uuid", &[0, rows - 1]).expect("rows");
    assert!(ends.iter().all(Option::is_some), "rows without a uuid: {ends:?}");
    rows
}

/// A Qdrant-shaped dump of `rows` records with ids from `first`, as JSON lines.
pub(crate) fn made_up(first: u64, rows: u64, dimension: u64) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for n in first..first + rows {
        let vector: Vec<String> = (0..dimension).map(|d| format!("{:.6}", (((n * 31 + d * 17) % 1999) as f32) / 1000.0 - 1.0)).collect();
        let _ = writeln!(
            out,
            "{{\"id\":{n},\"vector\":[{}],\"payload\":{{\"title\":\"Record {n}\",\"text\":\"word{n} some text that is found again\",\"n\":{n},\"tags\":[\"t{}\"]}}}}",
            vector.join(","),
            n % 7
        );
    }
    out
}
