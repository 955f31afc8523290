//! Runs `bench`, and holds the result against an earlier one.

use std::io::Write as _;
use std::path::Path;

use vec2lance::bench::{Asked, Benched, bench, changes, kinds, machine};
use vec2lance::cli::Bench;
use vec2lance::compare::queries;
use vec2lance::dataset::nearest::How;
use vec2lance::dataset::{Engine, commit};
use vec2lance::error::{Error, Result, Status};
use vec2lance::report;
use vec2lance::seal::seal;
use vec2lance::tune::alternatives::described;
use vec2lance::tune::{Probe, Settings, random, sample};

/// Runs it.
pub(crate) fn run(args: &Bench) -> Result<Status> {
    crate::warn_unsealed(&seal());
    let threads = super::threads(args.threads);
    let engine = Engine::new(threads)?;
    let opened = commit::open(&engine, &args.dataset)?;
    let before = earlier(args)?;
    let stored = sample(&engine, &opened, args.sample as usize)?;
    let own: Vec<u64> = stored.iter().filter_map(|p| p.own).collect();
    let text = |column: &str| opened.texts_at(&engine, &own, column);
    let id_column = if opened.schema().field_with_name("x_original_id").is_ok() { "x_original_id" } else { "uuid" };
    let (mut texts, ids) = (text("title")?, text(id_column)?);
    let (vectors, queries_from): (Vec<Probe>, String) = match (&args.queries, args.uniform) {
        (Some(path), _) => {
            let all = queries::read(path, None)?;
            let words: Vec<String> = all.iter().filter_map(|q| q.text.clone()).collect();
            if !words.is_empty() {
                texts = words;
            }
            let width = opened.layout()?.dimension;
            if let Some(bad) = all.iter().find(|q| !q.vector.is_empty() && q.vector.len() != width) {
                return Err(Error::new(format!("query {}: the vector has {} values, expected {width}, as the dataset's", bad.id, bad.vector.len())));
            }
            let probes = all.into_iter().filter(|q| !q.vector.is_empty()).map(|q| Probe { vector: q.vector, own: None }).collect();
            (probes, path.display().to_string())
        }
        (None, true) => (random(opened.layout()?.dimension, args.sample as usize), "uniform random vectors".to_owned()),
        (None, false) => (stored, "the dataset's own vectors, titles and ids".to_owned()),
    };
    let settings = Settings::of(opened.config()).filter(|_| !args.plain);
    let how = How {
        k: args.k as usize,
        nprobes: settings.as_ref().and_then(|s| s.nprobes),
        refine_factor: settings.as_ref().and_then(|s| s.refine_factor),
        ..How::default()
    };
    let vectors: Vec<Vec<f32>> = vectors.into_iter().map(|p| p.vector).collect();
    let kinds = kinds(&vectors, &texts, &ids, id_column, &how);
    let asked = Asked { threads, repetitions: args.repetitions.into(), cold: args.cold.into() };
    let runs = bench(&engine, &args.dataset, &kinds, &asked, &super::progress)?;
    let changes = before.as_ref().map(|b| changes(b, &runs)).unwrap_or_default();
    let result = Benched {
        dataset: args.dataset.display().to_string(),
        version: opened.version(),
        rows: opened.rows(&engine)?,
        at: vec2lance::bench::now(),
        machine: machine(),
        index: opened.vector_index(&engine)?.as_ref().map_or_else(|| "none".to_owned(), described),
        settings: settings_text(&how),
        queries_from,
        runs,
        changes,
    };
    append(&super::beside(&args.dataset, "bench.history.jsonl"), &result);
    super::hand_over(&args.dataset, "bench.json", &result, args.json, &report::bench_text(&result, before.as_ref()))?;
    Ok(Status::Clean)
}

fn settings_text(how: &How) -> String {
    match (how.nprobes, how.refine_factor) {
        (None, None) => "plain".to_owned(),
        (n, r) => format!("nprobes {}, refine_factor {}", n.map_or("default".to_owned(), |n| n.to_string()), r.map_or("none".to_owned(), |r| r.to_string())),
    }
}

/// The result to hold this one against.
fn earlier(args: &Bench) -> Result<Option<Benched>> {
    let (path, asked) = match &args.against {
        Some(path) => (path.clone(), true),
        None => (super::beside(&args.dataset, "bench.json"), false),
    };
    let shown = vec2lance::reject::printable(&path.display().to_string());
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if asked => return Err(Error::io("read", &path, &error)),
        Err(_) => return Ok(None),
    };
    // Of a history, the last line counts.
    let parsed = serde_json::from_str(&text).or_else(|e| text.lines().next_back().map_or(Err(e), serde_json::from_str));
    match parsed {
        Ok(before) => Ok(Some(before)),
        Err(error) if asked => Err(Error::new(format!("{shown}: this is no result of `vec2lance bench`: {error}"))),
        Err(_) => Ok(None),
    }
}

/// One more line of the history.
fn append(path: &Path, result: &Benched) {
    let line = serde_json::to_string(result).unwrap_or_default();
    let written = std::fs::OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| writeln!(file, "{line}"));
    if let Err(error) = written {
        tracing::warn!("The history was not kept at {}: {error}.", vec2lance::reject::printable(&path.display().to_string()));
    }
}
