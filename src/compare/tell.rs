//! What is told of single queries: the details of each, the worst with both lists and titles, and a table for a spreadsheet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::Case;
use super::figures::{Figures, Row};
use super::queries::Told;
use super::rows::{self, Ids};
use super::scores::Form;
use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::error::Result;

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// The source's score, or the distance.
    pub score: Option<f64>,
    /// Its title; null where it has none or the dataset has no such row.
    pub title: Option<String>,
}

/// One query.
#[derive(Debug, Clone, Serialize)]
pub struct QueryDetail {
    /// Its id.
    pub id: String,
    /// Rows asked for.
    pub k: usize,
    /// Figures by way.
    pub ways: BTreeMap<&'static str, Figures>,
    /// Ids of the reference, best first.
    pub reference: Vec<String>,
    /// Ids found, by way.
    pub found: BTreeMap<&'static str, Vec<String>>,
    /// Scores of the reference.
    #[serde(skip)]
    pub(super) scores: Vec<Option<f64>>,
    /// Addresses and distances of the way that is shown.
    #[serde(skip)]
    pub(super) shown: Vec<(u64, f64)>,
}

/// A query that went badly.
#[derive(Debug, Clone, Serialize)]
pub struct WorstQuery {
    /// Its id.
    pub id: String,
    /// Its recall, tuned (of words: by words).
    pub recall: f64,
    /// The reference's list.
    pub source: Vec<Item>,
    /// What the dataset answered.
    pub found: Vec<Item>,
}

/// A way's answer with ids.
pub(super) fn rows(found: &[(u64, f64)], names: &BTreeMap<u64, String>) -> Vec<Row> {
    let id = |address: &u64| names.get(address).cloned().unwrap_or_else(|| format!("row {address}"));
    found.iter().map(|(address, distance)| Row { id: id(address), distance: Some(*distance).filter(|d| d.is_finite()) }).collect()
}

/// The source's answer, its scores as distances where their form is known. An id counts once.
pub(super) fn source(told: &[Told], k: usize, form: Option<Form>) -> Vec<Row> {
    let mut seen = BTreeSet::new();
    let first = told.iter().filter(|t| seen.insert(&t.id)).take(k);
    first.map(|t| Row { id: t.id.clone(), distance: t.score.and_then(|s| form.map(|f| f.back(s))) }).collect()
}

/// The details of one query.
pub(super) fn detail(case: &Case<'_>, reference: &[Row], ways: BTreeMap<&'static str, Figures>, names: &BTreeMap<u64, String>) -> QueryDetail {
    let told = case.query.results.as_ref();
    let score = |row: &Row| told.and_then(|t| t.iter().find(|t| t.id == row.id)?.score).or(row.distance);
    let shown = ["tuned", "text"].iter().find_map(|way| case.found.get(way)).cloned().unwrap_or_default();
    QueryDetail {
        id: case.query.id.clone(),
        k: case.k,
        ways,
        reference: reference.iter().map(|r| r.id.clone()).collect(),
        found: case.found.iter().map(|(way, found)| (*way, rows(found, names).into_iter().map(|r| r.id).collect())).collect(),
        scores: reference.iter().map(score).collect(),
        shown,
    }
}

impl QueryDetail {
    /// Recall of the way that is shown.
    pub(super) fn recall(&self) -> f64 {
        ["tuned", "text"].iter().find_map(|way| self.ways.get(way)).map_or(0.0, |f| f.recall)
    }
}

/// The worst queries, as far as they are not whole, with titles.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn worst(
    engine: &Engine,
    opened: &Opened,
    details: &[QueryDetail],
    most: usize,
    ids: &Ids,
    names: &BTreeMap<u64, String>,
) -> Result<Vec<WorstQuery>> {
    let mut bad: Vec<&QueryDetail> = details.iter().filter(|d| d.recall() < 1.0).collect();
    bad.sort_by(|a, b| a.recall().total_cmp(&b.recall()));
    bad.truncate(most);
    let by_name: BTreeMap<&str, u64> = names.iter().map(|(address, id)| (id.as_str(), *address)).collect();
    let address = |id: &str| ids.at.get(id).or_else(|| by_name.get(id)).copied();
    let wanted: BTreeSet<u64> = bad.iter().flat_map(|d| d.reference.iter().filter_map(|id| address(id)).chain(d.shown.iter().map(|(a, _)| *a))).collect();
    let titled = opened.schema().field_with_name("title").is_ok();
    let titles = if titled { rows::texts(engine, opened, "title", &wanted)? } else { BTreeMap::new() };
    let title = |address: Option<u64>| address.and_then(|a| titles.get(&a).cloned());
    Ok(bad
        .into_iter()
        .map(|d| WorstQuery {
            id: d.id.clone(),
            recall: d.recall(),
            source: d.reference.iter().zip(&d.scores).map(|(id, score)| Item { id: id.clone(), score: *score, title: title(address(id)) }).collect(),
            found: rows(&d.shown, names)
                .into_iter()
                .zip(&d.shown)
                .map(|(row, (a, _))| Item { id: row.id, score: row.distance, title: title(Some(*a)) })
                .collect(),
        })
        .collect())
}

/// One line for each query and way, for a spreadsheet (RFC 4180).
#[must_use]
pub fn csv(details: &[QueryDetail]) -> String {
    let mut out = "query,way,k,reference,found,overlap,precision,recall,f1,first5_in_order,rank_correlation,score_difference\r\n".to_owned();
    for detail in details {
        for (way, f) in &detail.ways {
            let number = |n: Option<f64>| n.map(|n| format!("{n}")).unwrap_or_default();
            let found = detail.found.get(way).map_or(0, Vec::len);
            let _ = write!(
                out,
                "{},{way},{},{},{found},{},{},{},{},{},{},{}\r\n",
                quoted(&detail.id),
                detail.k,
                detail.reference.len(),
                f.overlap,
                f.precision,
                f.recall,
                f.f1,
                f.first5_in_order,
                number(f.rank_correlation),
                number(f.score_difference)
            );
        }
    }
    out
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
