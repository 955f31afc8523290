//! Searches with a selective filter, and searches for words: what they find of what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};
use serde::Serialize;

use super::trial::{Probe, Trial};
use super::{Measured, Point};
use crate::compare::selected;
use crate::dataset::Engine;
use crate::dataset::choose::Metric;
use crate::dataset::commit::Opened;
use crate::dataset::nearest::{How, Search};
use crate::dataset::read::{ADDRESS, Work};
use crate::error::{Error, Result};
use crate::exact::share;

/// A filter, measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Filtered {
    /// The share of rows that the filter selects.
    pub share: f64,
    /// Whether it comes before the search.
    pub prefilter: bool,
    /// Mean recall of the true neighbours among the rows selected.
    pub recall: f64,
    /// Median milliseconds.
    pub p50_ms: f64,
}

/// Words, measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FullText {
    /// How many words were looked for.
    pub words: usize,
    /// Mean share of the texts with the word that were found.
    pub recall: f64,
    /// Median milliseconds.
    pub p50_ms: f64,
}

const SHARES: [f64; 2] = [0.01, 0.1];
/// Queries at most.
const QUERIES: usize = 200;

/// Filters that select 1 % and 10 % of the rows, before and after the search, with the recommended settings. The rows are selected by their
/// uuid, which is a hash and so depends on nothing else that a row has.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn filtered(engine: &Engine, opened: &Opened, trial: &Trial, metric: Metric, chosen: Option<&Point>, memory: u64) -> Result<Vec<Filtered>> {
    let mut out = Vec::new();
    if opened.schema().field_with_name("uuid").is_err() {
        return Ok(out);
    }
    let rows = opened.rows(engine)?;
    for wanted in SHARES {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^32")]
        let below = (wanted * f64::from(u32::MAX)) as u32;
        let sql = format!("uuid < '{below:08x}'");
        let only = selected(engine, opened, &sql)?;
        if only.len() < trial.k as u64 {
            continue;
        }
        let part = share(usize::try_from(only.len()).unwrap_or(usize::MAX), usize::try_from(rows).unwrap_or(usize::MAX));
        let probes: Vec<Probe> = trial.probes.iter().take(QUERIES).cloned().collect();
        let own = Trial::new(engine, opened, probes, trial.k, metric, memory, Some(Arc::new(only)))?;
        for prefilter in [true, false] {
            let how = How {
                nprobes: chosen.and_then(|p| p.nprobes),
                refine_factor: chosen.and_then(|p| p.refine_factor),
                filter: Some(sql.clone()),
                prefilter,
                ..How::default()
            };
            let Measured { recall, p50_ms } = own.measure(engine, opened, &how)?;
            out.push(Filtered { share: part, prefilter, recall, p50_ms });
        }
    }
    Ok(out)
}

/// Words that are looked for.
const WORDS: usize = 50;
/// A word that is in more texts than this is not rare.
const RARE: usize = 100;
/// English words of seven letters and more that an index leaves out.
const STOP: [&str; 12] =
    ["because", "between", "through", "against", "another", "himself", "herself", "ourselves", "themselves", "without", "yourself", "yourselves"];

/// The words of a text as Lance's simple tokenizer splits them, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

/// Looks for rare words of the texts by the full-text index, and holds the answers against the texts themselves. None if there is no index
/// or no such word.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn full_text(engine: &Engine, opened: &Opened) -> Result<Option<FullText>> {
    let column = "text_content";
    if opened.schema().field_with_name(column).is_err() || !opened.indices(engine)?.iter().any(|i| i.name == "text_content_idx") {
        return Ok(None);
    }
    let chosen = Arc::new(candidates(engine, opened, column)?);
    let wanted = Arc::clone(&chosen);
    let work: Work<Vec<(String, u64)>> = Arc::new(move |batch: &RecordBatch| {
        let mut found = Vec::new();
        each(batch, column, |text, address| {
            let here: BTreeSet<String> = words(text).filter(|w| wanted.contains(w)).collect();
            found.extend(here.into_iter().map(|w| (w, address)));
        })?;
        Ok(found)
    });
    let mut places: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    opened.scan(engine, &[column.to_owned()], 1024, &work, &mut |found| {
        for (word, address) in found {
            let set = places.entry(word).or_default();
            if set.len() <= RARE {
                set.insert(address);
            }
        }
        Ok(())
    })?;
    let rare: Vec<(String, BTreeSet<u64>)> = places.into_iter().filter(|(_, set)| set.len() <= RARE).take(WORDS).collect();
    if rare.is_empty() {
        return Ok(None);
    }
    // Other forms of a word are found too, so more rows are asked for than have this one.
    let searches: Vec<Search> = rare.iter().map(|(word, _)| Search::Text(word.clone(), column.to_owned(), 20 * RARE)).collect();
    let answers = opened.searches(engine, &searches, &["uuid"], 1)?;
    let mut sum = 0.0;
    for (answer, (_, set)) in answers.iter().zip(&rare) {
        let hits = answer.hits().iter().filter(|(address, _)| set.contains(address)).count();
        sum += share(hits, set.len());
    }
    let mut times: Vec<f64> = answers.iter().map(|a| a.took.as_secs_f64() * 1e3).collect();
    #[expect(clippy::cast_precision_loss, reason = "at most fifty words")]
    let recall = sum / rare.len() as f64;
    Ok(Some(FullText { words: rare.len(), recall, p50_ms: crate::bench::quantile(&mut times, 0.5) }))
}

/// The longest plain word of some texts, spread over the dataset.
fn candidates(engine: &Engine, opened: &Opened, column: &str) -> Result<BTreeSet<String>> {
    let rows = opened.rows(engine)?;
    let step = (rows / (4 * WORDS as u64)).max(1);
    let addresses = {
        let work: Work<Vec<u64>> = Arc::new(|batch: &RecordBatch| {
            let column = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>());
            Ok(column.map(|c| c.values().to_vec()).unwrap_or_default())
        });
        let (mut at, mut kept) = (0u64, Vec::new());
        // Any column: only the addresses are wanted.
        let first = opened.schema().field(0).name().clone();
        opened.scan(engine, &[first], 8192, &work, &mut |addresses| {
            for address in addresses {
                if at.is_multiple_of(step) {
                    kept.push(address);
                }
                at += 1;
            }
            Ok(())
        })?;
        kept
    };
    let batch = opened.rows_at(engine, &addresses, &[column.to_owned()])?;
    let texts = batch.column(0).as_string_opt::<i32>().ok_or_else(|| Error::new(format!("the column {column} holds no strings")))?;
    let plain = |w: &String| (7..=30).contains(&w.len()) && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) && !STOP.contains(&w.as_str());
    let longest = |text: &str| words(text).filter(plain).max_by_key(String::len);
    Ok((0..texts.len()).filter(|row| texts.is_valid(*row)).filter_map(|row| longest(texts.value(row))).collect())
}

fn each(batch: &RecordBatch, column: &str, mut work: impl FnMut(&str, u64)) -> Result<()> {
    let wrong = || Error::new(format!("the column {column} holds no strings"));
    let texts = batch.column_by_name(column).and_then(|c| c.as_string_opt::<i32>()).ok_or_else(wrong)?;
    let addresses = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(wrong)?;
    (0..texts.len()).filter(|row| texts.is_valid(*row)).for_each(|row| work(texts.value(row), addresses.value(row)));
    Ok(())
}
