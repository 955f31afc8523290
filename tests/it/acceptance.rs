//! The real ContextFrame and pylance, from PyPI in a virtual environment of our own, open what the program has written.
//!
//! What is checked about one dataset stands in `tests/acceptance/`; this module makes the datasets and runs the checks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::tool::{Answer, Converted, expectations, flags, repository};

/// The Python of a virtual environment with ContextFrame, made on first use.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(make)
}

fn make() -> PathBuf {
    let requirements = std::fs::read_to_string(repository("tests/acceptance/requirements.txt")).expect("requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contextframe-venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == requirements) && python.is_file() {
        return python;
    }
    let fits = |name: &&str| {
        let version = "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))";
        Command::new(name).args(["-c", version]).status().is_ok_and(|s| s.success())
    };
    let system = ["python3", "python3.12", "python3.11", "python3.10"].into_iter().find(fits);
    let system = system.expect("ContextFrame 0.1.1 needs a Python from 3.10 to 3.12 on PATH");
    let run = |program: &Path, args: &[&str]| {
        let output = Command::new(program).args(args).output().expect("it starts");
        Answer::of(&output).expect(0);
    };
    let _ = std::fs::remove_dir_all(&folder);
    run(Path::new(system), &["-m", "venv", folder.to_str().expect("UTF-8")]);
    // ContextFrame's own requirements name a package that is not Lance, so they are left out.
    run(&python, &["-m", "pip", "install", "-q", "--no-deps", "contextframe==0.1.1"]);
    run(&python, &["-m", "pip", "install", "-q", "-r", repository("tests/acceptance/requirements.txt").to_str().expect("UTF-8")]);
    std::fs::write(stamp, requirements).expect("the stamp");
    python
}

struct Case {
    dump: PathBuf,
    source: String,
    convert: Vec<String>,
    accept: Vec<String>,
}

/// Converts and checks; gives what is wrong.
fn check(python: &Path, case: &Case) -> Option<String> {
    let flags: Vec<&str> = case.convert.iter().map(String::as_str).collect();
    let run = Converted::of(&[&case.dump], &flags);
    let what = format!("{} {flags:?}", case.dump.display());
    if !matches!(run.answer.status, Some(0 | 1)) {
        return Some(format!("{what}: {:?}", run.answer));
    }
    let mut command = Command::new(python);
    command.arg(repository("tests/acceptance/accept.py")).args(["--source", &case.source, "--dump"]).arg(&case.dump);
    command.arg("--dataset").arg(run.path("out.lance")).args(&case.accept);
    let answer = Answer::of(&command.output().expect("Python starts"));
    (answer.status != Some(0)).then(|| format!("{what}\n{}{}", answer.stdout, answer.stderr))
}

/// Runs the cases, two at a time, and fails with all that is wrong.
fn check_all(cases: &[Case]) {
    let python = python();
    let (left, right) = cases.split_at(cases.len() / 2);
    let half = |cases: &[Case]| cases.iter().filter_map(|case| check(python, case)).collect::<Vec<_>>();
    let problems = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(left));
        let mut problems = half(right);
        problems.extend(other.join().expect("no panic"));
        problems
    });
    assert!(problems.is_empty(), "{} of {} datasets:\n{}", problems.len(), cases.len(), problems.join("\n"));
}

/// The flags that both the program and the check take: field names and the choice of the main vector.
fn both(entry: &Value) -> Vec<String> {
    flags(entry).into_iter().map(str::to_owned).collect()
}

/// The layouts that `accept.py` can read on its own; it knows the databases' record shapes, not every container of them.
fn databases() -> impl Iterator<Item = (String, Value)> {
    expectations().into_iter().filter(|(name, _)| ["pinecone", "weaviate", "qdrant", "chroma", "milvus"].contains(&name.as_str()))
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn contextframe_accepts_every_good_fixture() {
    let mut cases = Vec::new();
    for (format, expected) in databases() {
        for (name, entry) in expected["good"].as_object().into_iter().flatten() {
            let mut convert = both(entry);
            convert.extend(owned(&["--member-relationship", "reference"]));
            let mut accept = both(entry);
            accept.push("--can-update".into());
            cases.push(Case { dump: repository("fixtures").join(&format).join("good").join(name), source: format.clone(), convert, accept });
        }
    }
    check_all(&cases);
}

#[test]
fn contextframe_accepts_every_metric_and_index() {
    let dump = repository("fixtures/qdrant/good/points.jsonl.zst");
    let case = |convert: &[&str], accept: &[&str]| Case { dump: dump.clone(), source: "qdrant".into(), convert: owned(convert), accept: owned(accept) };
    check_all(&[
        case(&["--metric", "l2"], &["--metric", "l2", "--skip-writes"]),
        case(&["--metric", "dot"], &["--metric", "dot", "--skip-writes"]),
        case(&["--index", "ivf_pq"], &["--min-recall", "0.9", "--skip-writes"]),
        case(&["--index", "ivf_pq", "--metric", "l2"], &["--metric", "l2", "--min-recall", "0.9", "--skip-writes"]),
        case(&["--index", "ivf_pq", "--metric", "dot"], &["--metric", "dot", "--min-recall", "0.85", "--skip-writes"]),
        case(&["--index", "ivf_hnsw_sq"], &["--min-recall", "0.9", "--skip-writes"]),
        // As the guide has it: members are linked by member_of, which ContextFrame 0.1.1 reads.
        case(&[], &["--skip-writes"]),
    ]);
}

#[test]
fn the_rows_of_bad_fixtures_are_the_good_records() {
    let mut cases = Vec::new();
    for (format, expected) in databases() {
        for (name, entry) in expected["bad"].as_object().into_iter().flatten() {
            let outcome = entry["outcome"].as_str().unwrap_or("ok");
            let nothing = entry["written"] == 0;
            // Folders of arrays are read by check_layouts.py.
            if entry["slow"] == true || nothing || name.contains("npy") || !matches!(outcome, "ok" | "rejects" | "duplicates") {
                continue;
            }
            let mut convert = owned(&["--from", &format]);
            convert.extend(both(entry));
            let mut accept = both(entry);
            accept.push("--skip-writes".into());
            cases.push(Case { dump: repository("fixtures").join(&format).join("bad").join(name), source: format.clone(), convert, accept });
        }
    }
    check_all(&cases);
}

/// A script of `tests/acceptance` that drives the program itself and prints a table of what it found.
fn script(name: &str) {
    let mut command = Command::new(python());
    Answer::of(&command.arg(repository("tests/acceptance").join(name)).arg(crate::tool::BINARY).output().expect("Python starts")).expect(0);
}

#[test]
fn verify_finds_every_damage() {
    script("check_verify.py");
}

#[test]
fn every_foreign_layout_says_what_its_dump_says() {
    script("check_layouts.py");
}

#[test]
fn promoted_columns_are_what_python_makes_of_the_dump() {
    script("check_promoted.py");
}

#[test]
fn contextframe_finds_each_of_several_sources_and_namespaces() {
    script("check_several.py");
}

#[test]
fn lancedb_opens_and_searches_the_lean_table() {
    script("check_lancedb.py");
}

#[test]
fn components_are_those_of_numpy() {
    script("check_resize.py");
}

#[test]
fn contextframe_sees_the_history_of_imports() {
    script("check_days.py");
}

#[test]
fn recall_and_comparisons_are_what_numpy_says() {
    script("check_searches.py");
}

#[test]
fn metadata_comes_back_digit_by_digit() {
    script("check_metadata_back.py");
}
