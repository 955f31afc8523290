//! Runs `tune`: measures, tries other indices, builds one if asked to, and has the dataset remember what was chosen.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use vec2lance::cli::Tune;
use vec2lance::compare::queries;
use vec2lance::dataset::{Engine, commit};
use vec2lance::error::{Error, Result, Status};
use vec2lance::seal::seal;
use vec2lance::tune::alternatives::{Builder, best, described};
use vec2lance::tune::{Asked, Probe, Trial, metric, sample, tune};
use vec2lance::{pipeline, report};

/// Rows up to which other indices are tried without being asked for.
const MANY: u64 = 300_000;

/// Runs it.
pub(crate) fn run(args: &Tune) -> Result<Status> {
    crate::warn_unsealed(&seal());
    let engine = Arc::new(Engine::new(super::threads(args.threads))?);
    let mut opened = commit::open(&engine, &args.dataset)?;
    let _stop = crate::watch()?;
    crate::WAITING.store(false, Ordering::Relaxed);
    let (probes, from) = match &args.queries {
        Some(path) => {
            let all = queries::read(path, None)?.into_iter().filter(|q| !q.vector.is_empty());
            let probes: Vec<Probe> = all.map(|q| Probe { vector: q.vector, own: None }).collect();
            (probes, path.display().to_string())
        }
        None => (sample(&engine, &opened, args.sample as usize)?, "the dataset's own vectors, none of which counts as its own neighbour".to_owned()),
    };
    let width = opened.layout()?.dimension;
    if let Some(bad) = probes.iter().find(|p| p.vector.len() != width) {
        return Err(Error::new(format!("a query's vector has {} values, expected {width}, as the dataset's", bad.vector.len())));
    }
    if probes.is_empty() {
        return Err(Error::new("the queries have no vectors").help("leave --queries out to take the dataset's own vectors"));
    }
    let asked = Asked { k: args.k as usize, target: args.target_recall, metric: None, memory: args.memory };
    let metric = metric(&engine, &opened, None)?;
    super::progress("searching exactly");
    let trial = Trial::new(&engine, &opened, probes, asked.k, metric, args.memory, None)?;
    let mut tuned = tune(&engine, &opened, &trial, &asked, (&args.dataset, &from), &super::progress)?;
    let low = tuned.plain.recall < args.target_recall;
    let few = opened.rows(&engine)? <= MANY;
    if args.alternatives || (low && (args.rebuild || (few && !args.no_alternatives))) {
        let scratch = pipeline::Scratch::create(&args.dataset)?;
        let path = pipeline::Scratch::path(&args.dataset);
        if let Ok(mut unfinished) = crate::UNFINISHED.lock() {
            unfinished.push(path.clone());
        }
        let builder = Builder { engine: &engine, dataset: &args.dataset, scratch: path, metric, memory: args.memory, width };
        let all = builder.alternatives(&trial, &|_| false, &super::progress)?;
        if args.rebuild
            && low
            && let Some((found, order)) = best(&all, args.target_recall).and_then(|b| Some((b, b.order?)))
        {
            super::progress(&format!("building {}", found.index));
            builder.rebuild(&mut opened, order)?;
            pipeline::flush(&args.dataset)?;
            let rebuilt = opened.vector_index(&engine)?.as_ref().map(described);
            tuned = tune(&engine, &opened, &trial, &asked, (&args.dataset, &from), &super::progress)?;
            tuned.rebuilt = rebuilt;
        }
        tuned.alternatives = all;
        tuned.advise();
        if let Ok(mut unfinished) = crate::UNFINISHED.lock() {
            unfinished.clear();
        }
        drop(scratch);
    }
    if !args.dry_run {
        opened.remember(&engine, &[tuned.settings().pair()])?;
        pipeline::flush(&args.dataset)?;
    }
    super::hand_over(&args.dataset, "tune.json", &tuned, args.json, &report::tune_text(&tuned))?;
    let reached = tuned.plain.recall >= args.target_recall || tuned.chosen.is_some();
    Ok(if reached { Status::Clean } else { Status::Findings })
}
