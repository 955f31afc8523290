//! What the figures point to: the source, the index, the data, or the question. Each sentence says what was seen and what to do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::Averages;
use super::rows::{self, Ids};
use super::scores::{self, Fit, Pair};
use super::tell::QueryDetail;
use super::{Case, fields};
use crate::dataset::Engine;
use crate::dataset::choose::Metric;
use crate::dataset::commit::Opened;
use crate::error::Result;
use crate::exact::{distance, share};
use crate::frame::element::Element;
use crate::frame::vectors::VectorKind;
use crate::reject::printable;

/// A sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What was seen, and what to do.
    pub text: String,
    /// Whether the dataset is not what it should be: then the status is 1.
    pub finding: bool,
}

impl Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// All that a cause can be told by.
pub(super) struct Evidence<'a> {
    pub(super) engine: &'a Engine,
    pub(super) opened: &'a Opened,
    pub(super) cases: &'a [Case<'a>],
    pub(super) ids: &'a Ids,
    pub(super) ways: &'a BTreeMap<&'static str, Averages>,
    /// The metric of the reference.
    pub(super) metric: Metric,
    /// The metric that the dataset's header names.
    pub(super) told: Option<Metric>,
    /// The metric of the vector index.
    pub(super) by_index: Option<Metric>,
    pub(super) fit: Option<(Fit, Fit)>,
    pub(super) pairs: &'a [Pair],
    pub(super) with_source: bool,
    pub(super) width: usize,
}

/// Pairs of a query and a row that are looked at, at most.
const PAIRS: usize = 20_000;
/// A difference of recall below this is chance.
const CHANCE: f64 = 0.005;

/// Scores of the source with what is true of the same rows in this column.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn pairs(engine: &Engine, opened: &Opened, column: &str, cases: &[Case<'_>], ids: &Ids) -> Result<Vec<Pair>> {
    let mut by_row: BTreeMap<u64, Vec<(&[f32], f64)>> = BTreeMap::new();
    let told = cases.iter().filter(|c| !c.query.vector.is_empty()).flat_map(|c| c.query.results.iter().flatten().map(|t| (c.query.vector.as_slice(), t)));
    for (vector, told) in told.take(PAIRS) {
        if let (Some(address), Some(score)) = (ids.at.get(&told.id), told.score) {
            by_row.entry(*address).or_default().push((vector, score));
        }
    }
    let mut pairs = Vec::new();
    let rows: BTreeSet<u64> = by_row.keys().copied().collect();
    rows::vectors(engine, opened, column, &rows, &mut |address, row| {
        let length = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        for (query, score) in &by_row[&address] {
            let distances = [Metric::Cosine, Metric::L2, Metric::Dot].map(|m| distance(m, query, row));
            pairs.push(Pair { address, score: *score, distances, query: length(query), row: length(row) });
        }
    })?;
    Ok(pairs)
}

/// Every cause that is seen.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn causes(evidence: &Evidence<'_>, details: &[QueryDetail]) -> Result<Vec<Cause>> {
    let mut found = Vec::new();
    rows_missing(evidence, &mut found);
    metric(evidence, &mut found);
    vectors(evidence, &mut found)?;
    let swapped = fields::swapped(evidence.engine, evidence.opened, evidence.cases, evidence.ids)?;
    found.extend(swapped.into_iter().map(|text| finding(format!("{text}; convert again with the right fields"))));
    let damaged = !found.is_empty();
    searches(evidence, details, damaged, &mut found);
    Ok(found)
}

fn finding(text: String) -> Cause {
    Cause { text, finding: true }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn rows_missing(evidence: &Evidence<'_>, found: &mut Vec<Cause>) {
    let (missing, all) = (evidence.ids.missing.len(), evidence.ids.at.len() + evidence.ids.missing.len());
    if missing == 0 {
        return;
    }
    if let Some((column, number)) = &evidence.ids.elsewhere {
        found.push(finding(format!(
            "{number} of {all} ids that the source answered stand in the column {}, not where ids belong: the id was swapped with another field; convert again with --id-field",
            printable(column)
        )));
        return;
    }
    let some: Vec<String> = evidence.ids.missing.iter().take(3).map(|id| printable(id)).collect();
    found.push(finding(format!(
        "rows are missing: {missing} of {all} ids that the source answered ({}) are in no row, such as {}; `vec2lance verify` lists every missing row",
        percent(share(missing, all)),
        some.join(", ")
    )));
}

fn metric(evidence: &Evidence<'_>, found: &mut Vec<Cause>) {
    let by_scores = evidence.fit.filter(|(_, any)| any.good()).map(|(_, any)| any.metric);
    let (wanted, from) = match (by_scores, evidence.told) {
        (Some(metric), told) if told.is_none_or(|t| t != metric) => (metric, "by its scores"),
        (_, Some(metric)) => (metric, "by the dataset's header"),
        (Some(metric), None) => (metric, "by its scores"),
        (None, None) => return,
    };
    let rebuild = format!("`vec2lance index OUT.lance --metric {}` builds the right one", wanted.name());
    match evidence.by_index {
        Some(index) if index != wanted => {
            found.push(finding(format!(
                "the index is of another metric: it measures by {}, the source by {} ({from}); {rebuild}",
                index.name(),
                wanted.name()
            )));
        }
        None if wanted != Metric::L2 => {
            found.push(finding(format!("there is no vector index, so a plain search measures by l2, but the source by {} ({from}); {rebuild}", wanted.name())));
        }
        _ => {}
    }
}

fn vectors(evidence: &Evidence<'_>, found: &mut Vec<Cause>) -> Result<()> {
    let Some((own, any)) = evidence.fit else { return Ok(()) };
    let metric = if any.good() { any.metric } else { evidence.metric };
    if any.good() {
        let at = |pair: &Pair| {
            pair.distances[match any.metric {
                Metric::Cosine => 0,
                Metric::L2 => 1,
                Metric::Dot => 2,
            }]
        };
        let off = |p: &&Pair| (any.form.back(p.score) - at(p)).abs() > 0.02 * at(p).abs().max(any.form.back(p.score).abs()).max(0.1);
        let wrong: BTreeSet<u64> = evidence.pairs.iter().filter(off).map(|p| p.address).collect();
        let rows: BTreeSet<u64> = evidence.pairs.iter().map(|p| p.address).collect();
        if share(wrong.len(), rows.len()) > 0.002 {
            found.push(finding(format!(
                "vectors were changed: of {} rows that the source found, {} ({}) are at another distance than it says; `vec2lance verify` lists them",
                rows.len(),
                wrong.len(),
                percent(share(wrong.len(), rows.len()))
            )));
        }
        return Ok(());
    }
    if let Some((low, high)) = scores::normalised(evidence.pairs, metric) {
        found.push(finding(format!(
            "vectors were normalised: here each has length 1, but by the source's scores their lengths were {low:.3} to {high:.3}, which {} depends on; convert the vectors as they are stored there",
            metric.name()
        )));
        return Ok(());
    }
    for vector in evidence.opened.layout()?.others {
        if !matches!(vector.kind, VectorKind::Dense(width, Element::Float32) if width == evidence.width) {
            continue;
        }
        let pairs = pairs(evidence.engine, evidence.opened, &vector.column, evidence.cases, evidence.ids)?;
        if let Some((fit, _)) = scores::fit(&pairs, metric).filter(|(_, fit)| fit.good()) {
            found.push(finding(format!(
                "vector and {} are swapped: the source's scores are those of {} by {}; convert again with --vector",
                printable(&vector.column),
                printable(&vector.column),
                fit.metric.name()
            )));
            return Ok(());
        }
    }
    found.push(finding(format!(
        "the source's scores do not follow from the vectors here by any metric (nearest: {}, {} off): the vectors were changed, or the queries are of another model",
        own.metric.name(),
        percent(own.error)
    )));
    Ok(())
}

/// What is no damage: an index that finds less than there is, and a source that does.
fn searches(evidence: &Evidence<'_>, details: &[QueryDetail], damaged: bool, found: &mut Vec<Cause>) {
    let recall = |way: &str| evidence.ways.get(way).map(|w| w.recall);
    let (Some(plain), Some(tuned), Some(exact)) = (recall("plain"), recall("tuned"), recall("exact")) else { return };
    if evidence.with_source && exact < 1.0 - CHANCE && !damaged {
        // Rows that the exact search found nearer than the last of the source's, in the source's own measure.
        let missed = details.iter().filter(|d| d.ways.get("exact").is_some_and(|f| f.recall < 1.0)).count();
        let known = evidence.fit.is_some_and(|(own, _)| own.good());
        found.push(if known {
            Cause {
                text: format!(
                    "the source searches approximately: the exact search finds {exact:.3} of its answers, with the same vectors and scores; in {missed} of {} queries it left out nearer rows",
                    details.len()
                ),
                finding: false,
            }
        } else {
            finding(format!(
                "the exact search finds only {exact:.3} of the source's answers, though every id is here: the source searches approximately, measures otherwise, or has other vectors; scores in the results would tell"
            ))
        });
    }
    // Against what can be found at all.
    let reach = |recall: f64| if exact > 0.0 { recall / exact } else { 1.0 };
    if plain < exact - CHANCE {
        let tuned_too = if tuned < exact - CHANCE { "with the tuned settings still" } else { "with the tuned settings" };
        found.push(Cause {
            text: format!(
                "the index: a plain search finds {:.3} of what the exact one does, {tuned_too} {:.3}; `vec2lance tune` recommends settings or another index",
                reach(plain),
                reach(tuned)
            ),
            finding: false,
        });
    }
}
