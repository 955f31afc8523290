//! Runs `compare`.

use serde::Serialize;
use vec2lance::cli::Compare;
use vec2lance::compare::{Asked, Compared, compare, csv, queries};
use vec2lance::dataset::{Engine, commit};
use vec2lance::error::{Result, Status};
use vec2lance::report;
use vec2lance::seal::seal;
use vec2lance::tune::Settings;

/// What is kept of it.
#[derive(Serialize)]
struct Kept<'a> {
    vec2lance: &'static str,
    status: u8,
    dataset: String,
    dataset_version: u64,
    queries_from: String,
    #[serde(flatten)]
    compared: &'a Compared,
}

/// Runs it.
pub(crate) fn run(args: &Compare) -> Result<Status> {
    crate::warn_unsealed(&seal());
    let queries = queries::read(&args.queries, args.responses.as_deref())?;
    let engine = Engine::new(super::threads(args.threads))?;
    let opened = commit::open(&engine, &args.dataset)?;
    let settings = Settings::of(opened.config());
    let asked_for = args.nprobes.is_some() || args.refine_factor.is_some();
    let (nprobes, refine_factor) = match settings.filter(|_| !asked_for) {
        Some(settings) => (settings.nprobes, settings.refine_factor),
        None => (args.nprobes.or(Some(20)), args.refine_factor.or(Some(10))),
    };
    let asked = Asked { k: args.k as usize, metric: args.metric, nprobes, refine_factor, memory: args.memory, worst: args.worst };
    let compared = compare(&engine, &opened, &queries, &asked)?;
    let low = args.min_recall.is_some_and(|least| compared.ways.get("tuned").is_some_and(|w| w.recall < least));
    let status = if low || compared.causes.iter().any(|c| c.finding) { Status::Findings } else { Status::Clean };
    let kept = Kept {
        vec2lance: env!("CARGO_PKG_VERSION"),
        status: status.code(),
        dataset: args.dataset.display().to_string(),
        dataset_version: opened.version(),
        queries_from: args.queries.display().to_string(),
        compared: &compared,
    };
    super::leave(&super::beside(&args.dataset, "compare.csv"), &csv(&compared.details));
    super::hand_over(&args.dataset, "compare.json", &kept, args.json, &report::compare_text(&compared))?;
    Ok(status)
}
