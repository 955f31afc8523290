//! COMPARE: does the dataset find what the source found? Each query three ways: as ContextFrame's plain `knn_search` does it, with tuned
//! settings, and exactly. Which of them fails says whether the source, the index or the data is to blame.
//!
//! Reads the dataset; writes nothing. What the figures mean is in `figures.rs`, what they point to in `causes.rs`.

mod answers;
mod causes;
mod fields;
mod figures;
mod filters;
pub mod queries;
mod rows;
mod scores;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringTreemap;
use serde::Serialize;

pub use causes::Cause;
pub use figures::{Averages, Figures};
pub use tell::{Item, QueryDetail, WorstQuery, csv};

use crate::dataset::Engine;
use crate::dataset::choose::Metric;
use crate::dataset::commit::Opened;
use crate::dataset::nearest::{How, Search};
use crate::error::{Error, Result};
use crate::exact::{self, Ask, Hit};
use figures::figures;
use queries::Query;

/// What to compare, and how.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Rows of each query, where neither it nor its results say.
    pub k: usize,
    /// How distance is measured; by default as the source did, else as the index does.
    pub metric: Option<Metric>,
    /// Of the tuned way.
    pub nprobes: Option<usize>,
    /// Of the tuned way.
    pub refine_factor: Option<u32>,
    /// Bytes that may be held.
    pub memory: u64,
    /// How many of the worst queries to show.
    pub worst: usize,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Queries that could be compared.
    pub queries: usize,
    /// Rows asked for, at most.
    pub k: usize,
    /// The metric of the reference.
    pub metric: &'static str,
    /// `source` or `exact`.
    pub reference: &'static str,
    /// The vector index's type and metric.
    pub index: Option<String>,
    /// How the source's scores were read.
    pub scores: Option<String>,
    /// Averages by way: `plain`, `tuned`, `exact`, and `text` for queries of words alone.
    pub ways: BTreeMap<&'static str, Averages>,
    /// Of the tuned way.
    pub nprobes: Option<usize>,
    /// Of the tuned way.
    pub refine_factor: Option<u32>,
    /// Ids that the source answered, and how many of them no row has.
    pub source_ids: (usize, usize),
    /// What the figures point to.
    pub causes: Vec<Cause>,
    /// Remarks on queries that could not be compared.
    pub notes: Vec<String>,
    /// The worst queries.
    pub worst: Vec<WorstQuery>,
    /// Every query.
    pub details: Vec<QueryDetail>,
}

/// One query with all its answers.
pub(super) struct Case<'a> {
    pub(super) query: &'a Query,
    pub(super) k: usize,
    /// Rows that its filter selects.
    pub(super) only: Option<Arc<RoaringTreemap>>,
    filter: Option<String>,
    /// By way.
    pub(super) found: BTreeMap<&'static str, Vec<(u64, f64)>>,
}

/// The ways of vectors, in the order of the report.
pub const WAYS: [&str; 3] = ["plain", "tuned", "exact"];

/// Compares.
///
/// # Errors
/// The queries do not fit the dataset, or it cannot be read.
pub fn compare(engine: &Engine, opened: &Opened, queries: &[Query], asked: &Asked) -> Result<Compared> {
    let width = opened.layout()?.dimension;
    let index = opened.indices(engine)?.into_iter().find(|i| i.name == "vector_idx");
    let by_index = index.as_ref().and_then(|i| Metric::parse(i.metric.as_deref()?));
    let told = opened.metric(engine)?;
    let metric = asked.metric.or(told).or(by_index).unwrap_or(Metric::L2);
    let mut notes = Vec::new();
    let mut cases = cases(engine, opened, queries, width, asked, &mut notes)?;
    let column = rows::id_column(opened)?;
    let wanted = queries.iter().flat_map(|q| q.results.iter().flatten()).map(|told| told.id.clone()).collect();
    let ids = rows::find(engine, opened, &column, wanted)?;
    exactly(engine, opened, &mut cases, metric, width, asked.memory)?;
    by_search(engine, opened, &mut cases, asked)?;

    let all: BTreeSet<u64> = cases.iter().flat_map(|c| c.found.values().flatten().map(|(address, _)| *address)).collect();
    let names = rows::texts(engine, opened, &column, &all)?;
    let pairs = causes::pairs(engine, opened, "vector", &cases, &ids)?;
    let fit = scores::fit(&pairs, metric);
    let form = fit.filter(|(own, _)| own.good()).map(|(own, _)| own.form);
    let with_source = queries.iter().any(|q| q.results.is_some());
    let mut ways: BTreeMap<&'static str, Vec<Figures>> = BTreeMap::new();
    let mut details = Vec::new();
    for case in &cases {
        let as_rows = |way: &str| tell::rows(case.found.get(way).map_or(&[][..], Vec::as_slice), &names);
        let reference = match &case.query.results {
            Some(told) => tell::source(told, case.k, form),
            None if with_source => continue,
            None => as_rows("exact"),
        };
        let mut by_way = BTreeMap::new();
        for way in case.found.keys() {
            let figures = figures(&reference, &as_rows(way));
            ways.entry(way).or_default().push(figures.clone());
            by_way.insert(*way, figures);
        }
        details.push(tell::detail(case, &reference, by_way, &names));
    }
    if details.is_empty() {
        return Err(Error::new("no query could be compared").help(notes.first().cloned().unwrap_or_else(|| "give queries with vectors".to_owned())));
    }
    let ways: BTreeMap<&'static str, Averages> = ways.into_iter().map(|(way, all)| (way, Averages::of(&all.iter().collect::<Vec<_>>()))).collect();
    let evidence = causes::Evidence { engine, opened, cases: &cases, ids: &ids, ways: &ways, metric, told, by_index, fit, pairs: &pairs, with_source, width };
    let causes = causes::causes(&evidence, &details)?;
    let worst = tell::worst(engine, opened, &details, asked.worst, &ids, &names)?;
    let plain_index = |i: &crate::dataset::read::IndexFacts| format!("{}, {}", i.index_type, i.metric.as_deref().unwrap_or("no metric"));
    Ok(Compared {
        queries: details.len(),
        k: cases.iter().map(|c| c.k).max().unwrap_or(asked.k),
        metric: metric.name(),
        reference: if with_source { "source" } else { "exact" },
        index: index.as_ref().map(plain_index),
        scores: fit.map(
            |(own, any)| if own.good() { own.form.name().to_owned() } else { format!("none fits; nearest: {} by {}", any.form.name(), any.metric.name()) },
        ),
        ways,
        nprobes: asked.nprobes,
        refine_factor: asked.refine_factor,
        source_ids: (ids.at.len() + ids.missing.len(), ids.missing.len()),
        causes,
        notes,
        worst,
        details,
    })
}

/// The queries that can be run, with their k and the rows of their filter.
fn cases<'a>(engine: &Engine, opened: &Opened, queries: &'a [Query], width: usize, asked: &Asked, notes: &mut Vec<String>) -> Result<Vec<Case<'a>>> {
    let schema = opened.schema();
    let mut sets: BTreeMap<String, Arc<RoaringTreemap>> = BTreeMap::new();
    let mut cases = Vec::new();
    for query in queries {
        if !query.vector.is_empty() && query.vector.len() != width {
            return Err(Error::new(format!("query {}: the vector has {} values, expected {width}, as the dataset's", query.id, query.vector.len()))
                .help("make the queries' vectors with the model that made the dataset's"));
        }
        let filter = match &query.filter {
            None => None,
            Some(filter) => match filters::sql(filter, &schema) {
                Ok(sql) => Some(sql),
                Err(why) => {
                    notes.push(format!("query {} is left out: its filter {why}", query.id));
                    continue;
                }
            },
        };
        let only = match &filter {
            None => None,
            Some(sql) => {
                if !sets.contains_key(sql) {
                    sets.insert(sql.clone(), Arc::new(selected(engine, opened, sql)?));
                }
                sets.get(sql).cloned()
            }
        };
        let k = query.k.or_else(|| query.results.as_ref().map(Vec::len)).filter(|k| *k > 0).unwrap_or(asked.k);
        cases.push(Case { query, k, only, filter, found: BTreeMap::new() });
    }
    Ok(cases)
}

/// Addresses of the rows that a SQL filter selects.
///
/// # Errors
/// The filter is wrong, or the dataset cannot be read.
pub fn selected(engine: &Engine, opened: &Opened, sql: &str) -> Result<RoaringTreemap> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt64Type;
    // Any column: only the addresses are wanted.
    let first = opened.schema().field(0).name().clone();
    let batch = opened.rows_where(engine, sql, &[first], true)?;
    let column = batch.column_by_name(crate::dataset::read::ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>());
    Ok(column.map(|c| c.values().iter().copied().collect()).unwrap_or_default())
}

/// The exact way, all queries of one filter together.
fn exactly(engine: &Engine, opened: &Opened, cases: &mut [Case<'_>], metric: Metric, width: usize, memory: u64) -> Result<()> {
    let k = cases.iter().map(|c| c.k).max().unwrap_or(1);
    let filters: BTreeSet<Option<String>> = cases.iter().map(|c| c.filter.clone()).collect();
    for filter in filters {
        let mut group: Vec<&mut Case<'_>> = cases.iter_mut().filter(|c| c.filter == filter && !c.query.vector.is_empty()).collect();
        let Some(only) = group.first().map(|c| c.only.clone()) else { continue };
        let flat: Vec<f32> = group.iter().flat_map(|c| c.query.vector.iter().copied()).collect();
        let ask = Ask { metric, column: "vector", k, only, memory: memory / 4 };
        for (case, found) in group.iter_mut().zip(exact::neighbours(engine, opened, &flat, width, &ask)?) {
            let hit = |h: &Hit| (h.address, h.distance);
            case.found.insert("exact", found.nearest.iter().take(case.k).map(hit).collect());
        }
    }
    Ok(())
}

/// The ways through Lance's own search.
fn by_search(engine: &Engine, opened: &Opened, cases: &mut [Case<'_>], asked: &Asked) -> Result<()> {
    let clients = rayon::current_num_threads();
    for way in ["plain", "tuned"] {
        let (nprobes, refine_factor) = if way == "tuned" { (asked.nprobes, asked.refine_factor) } else { (None, None) };
        let mut group: Vec<&mut Case<'_>> = cases.iter_mut().filter(|c| !c.query.vector.is_empty()).collect();
        let how = |case: &Case<'_>| How { k: case.k, nprobes, refine_factor, filter: case.filter.clone(), prefilter: true, metric: None, by_scan: false };
        let searches: Vec<Search> = group.iter().map(|c| Search::Vector(c.query.vector.clone(), how(c))).collect();
        let answers = opened.searches(engine, &searches, &[], clients)?;
        for (case, answer) in group.iter_mut().zip(answers) {
            case.found.insert(way, answer.hits().into_iter().map(|(address, distance)| (address, f64::from(distance))).collect());
        }
    }
    let mut words: Vec<&mut Case<'_>> = cases.iter_mut().filter(|c| c.query.vector.is_empty()).collect();
    let text = |c: &Case<'_>| c.query.text.clone().unwrap_or_default();
    let searches: Vec<Search> = words.iter().map(|c| Search::Text(text(c), "text_content".to_owned(), c.k)).collect();
    for (case, answer) in words.iter_mut().zip(opened.searches(engine, &searches, &[], clients)?) {
        case.found.insert("text", answer.hits().into_iter().map(|(address, _)| (address, f64::NAN)).collect());
    }
    Ok(())
}
