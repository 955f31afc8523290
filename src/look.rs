//! `search`: one look into a dataset from the terminal. Reads only; what it shows is decided here, how in `report`.

use std::fmt::Write as _;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch};
use serde::Serialize;

use crate::compare::{queries, selected};
use crate::dataset::Engine;
use crate::dataset::choose::Metric;
use crate::dataset::commit::Opened;
use crate::dataset::nearest::{How, Search};
use crate::error::{Error, Result};
use crate::exact::{Ask, neighbours};
use crate::reject::printable;
use crate::tune::{Settings, metric};

/// The question.
#[derive(Debug, Clone)]
pub enum Question {
    /// The rows nearest to the row with this id.
    Like(String),
    /// The rows nearest to the vector in this file.
    Vector(PathBuf),
    /// Rows with these words.
    Text(String),
}

/// How to answer it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// Rows.
    pub k: usize,
    /// SQL.
    pub filter: Option<String>,
    /// Without the index.
    pub exact: bool,
    /// By default as recommended.
    pub nprobes: Option<usize>,
    /// By default as recommended.
    pub refine_factor: Option<u32>,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// From 1.
    pub rank: usize,
    /// Distance; of words, the score, where more is better.
    pub distance: f64,
    /// The source's id.
    pub id: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Collection.
    pub collection: Option<String>,
    /// The uuid.
    pub uuid: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Looked {
    /// How it was searched.
    pub how: String,
    /// Milliseconds.
    pub ms: f64,
    /// The rows, best first.
    pub hits: Vec<Line>,
}

/// Answers to all queries of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LookedAll {
    /// How it was searched.
    pub how: String,
    /// Milliseconds, for all together.
    pub ms: f64,
    /// Peak resident memory of the process in bytes.
    pub peak_memory: Option<u64>,
    /// One answer for each query.
    pub answers: Vec<AnswerTo>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerTo {
    /// The query's id.
    pub query: String,
    /// The rows, best first.
    pub hits: Vec<Line>,
}

const COLUMNS: [&str; 4] = ["x_original_id", "title", "collection", "uuid"];

/// Searches.
///
/// # Errors
/// There is no such row or vector, the filter is wrong, or the dataset cannot be read.
pub fn look(engine: &Engine, opened: &Opened, asked: &Asked) -> Result<Looked> {
    let schema = opened.schema();
    let columns: Vec<&str> = COLUMNS.into_iter().filter(|c| schema.field_with_name(c).is_ok()).collect();
    let (vector, own) = match &asked.question {
        Question::Text(words) => return by_words(engine, opened, asked, words, &columns),
        Question::Like(id) => {
            let (vector, address) = row(engine, opened, id)?;
            (vector, Some(address))
        }
        Question::Vector(path) => {
            let first = queries::read(path, None)?.into_iter().find(|q| !q.vector.is_empty());
            let shown = printable(&path.display().to_string());
            let query =
                first.ok_or_else(|| Error::new(format!("{shown}: holds no vector")).help("expected a JSON list of numbers, or queries with vectors"))?;
            (query.vector, None)
        }
    };
    let width = opened.layout()?.dimension;
    if vector.len() != width {
        return Err(Error::new(format!("the vector has {} values, expected {width}, as the dataset's", vector.len())));
    }
    let k = asked.k + usize::from(own.is_some());
    let metric = metric(engine, opened, None)?;
    let (hits, how, ms) = if asked.exact { exactly(engine, opened, asked, &vector, k, metric)? } else { by_index(engine, opened, asked, vector, k, metric)? };
    let hits: Vec<(u64, f64)> = hits.into_iter().filter(|(address, _)| Some(*address) != own).take(asked.k).collect();
    let rows = opened.rows_at(engine, &hits.iter().map(|(a, _)| *a).collect::<Vec<_>>(), &columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>())?;
    Ok(Looked { how, ms, hits: lines(&rows, &hits) })
}

/// Searches for every query of a file that has a vector.
///
/// # Errors
/// As [`look`].
pub fn look_all(engine: &Engine, opened: &Opened, asked: &Asked, path: &std::path::Path) -> Result<LookedAll> {
    let queries: Vec<queries::Query> = queries::read(path, None)?.into_iter().filter(|q| !q.vector.is_empty()).collect();
    let width = opened.layout()?.dimension;
    if let Some(bad) = queries.iter().find(|q| q.vector.len() != width) {
        return Err(Error::new(format!("query {}: the vector has {} values, expected {width}, as the dataset's", printable(&bad.id), bad.vector.len())));
    }
    let metric = metric(engine, opened, None)?;
    let begin = std::time::Instant::now();
    let (found, how): (Vec<Vec<(u64, f64)>>, String) = if asked.exact {
        let flat: Vec<f32> = queries.iter().flat_map(|q| q.vector.iter().copied()).collect();
        let only = asked.filter.as_deref().map(|sql| selected(engine, opened, sql)).transpose()?.map(std::sync::Arc::new);
        let found = neighbours(engine, opened, &flat, width, &Ask { metric, column: "vector", k: asked.k, only, memory: 256 << 20 })?;
        let hits = |n: crate::exact::Neighbours| n.nearest.iter().map(|hit| (hit.address, hit.distance)).collect();
        (found.into_iter().map(hits).collect(), format!("{} distance, exact", metric.name()))
    } else {
        let (how, text) = how(opened, asked, asked.k, metric);
        let searches: Vec<Search> = queries.iter().map(|q| Search::Vector(q.vector.clone(), how.clone())).collect();
        let answers = opened.searches(engine, &searches, &[], rayon::current_num_threads())?;
        (answers.iter().map(|a| a.hits().into_iter().map(|(address, d)| (address, f64::from(d))).collect()).collect(), text)
    };
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    let columns: Vec<String> = COLUMNS.iter().filter(|c| opened.schema().field_with_name(c).is_ok()).map(|c| (*c).to_owned()).collect();
    let mut answers = Vec::new();
    for (query, hits) in queries.into_iter().zip(found) {
        let rows = opened.rows_at(engine, &hits.iter().map(|(a, _)| *a).collect::<Vec<_>>(), &columns)?;
        answers.push(AnswerTo { query: query.id, hits: lines(&rows, &hits) });
    }
    Ok(LookedAll { how, ms, peak_memory: crate::report::peak_memory(), answers })
}

fn by_words(engine: &Engine, opened: &Opened, asked: &Asked, words: &str, columns: &[&str]) -> Result<Looked> {
    let only = asked.filter.as_deref().map(|sql| selected(engine, opened, sql)).transpose()?;
    // A filter after the search takes rows away, so more are asked for.
    let k = if only.is_some() { asked.k.max(1000) * 10 } else { asked.k };
    let answer = opened.search(engine, &Search::Text(words.to_owned(), "text_content".to_owned(), k), columns)?;
    let all: Vec<(u64, f64)> = answer.hits().into_iter().map(|(a, score)| (a, f64::from(score))).collect();
    let mut hits = lines(&answer.rows, &all);
    if let Some(only) = only {
        hits = hits.into_iter().zip(&all).filter(|(_, (address, _))| only.contains(*address)).map(|(line, _)| line).collect();
    }
    hits.truncate(asked.k);
    hits.iter_mut().enumerate().for_each(|(at, line)| line.rank = at + 1);
    Ok(Looked { how: "words in text_content; a higher score is better".to_owned(), ms: answer.took.as_secs_f64() * 1e3, hits })
}

type Found = (Vec<(u64, f64)>, String, f64);

fn by_index(engine: &Engine, opened: &Opened, asked: &Asked, vector: Vec<f32>, k: usize, metric: Metric) -> Result<Found> {
    let (how, text) = how(opened, asked, k, metric);
    let answer = opened.search(engine, &Search::Vector(vector, how), &[])?;
    Ok((answer.hits().into_iter().map(|(a, d)| (a, f64::from(d))).collect(), text, answer.took.as_secs_f64() * 1e3))
}

/// The settings asked for, else those that the dataset remembers; and in words.
fn how(opened: &Opened, asked: &Asked, k: usize, metric: Metric) -> (How, String) {
    let settings = Settings::of(opened.config());
    let nprobes = asked.nprobes.or(settings.as_ref().and_then(|s| s.nprobes));
    let refine_factor = asked.refine_factor.or(settings.as_ref().and_then(|s| s.refine_factor));
    let mut text = format!("{} distance", metric.name());
    if let Some(n) = nprobes {
        let _ = write!(text, ", nprobes {n}");
    }
    if let Some(factor) = refine_factor {
        let _ = write!(text, ", refine_factor {factor}");
    }
    (How { k, nprobes, refine_factor, filter: asked.filter.clone(), prefilter: true, metric: None, by_scan: false }, text)
}

fn exactly(engine: &Engine, opened: &Opened, asked: &Asked, vector: &[f32], k: usize, metric: Metric) -> Result<Found> {
    let begin = std::time::Instant::now();
    let only = asked.filter.as_deref().map(|sql| selected(engine, opened, sql)).transpose()?.map(std::sync::Arc::new);
    let found = neighbours(engine, opened, vector, vector.len(), &Ask { metric, column: "vector", k, only, memory: 256 << 20 })?;
    let hits = found.into_iter().flat_map(|n| n.nearest).map(|hit| (hit.address, hit.distance)).collect();
    Ok((hits, format!("{} distance, exact", metric.name()), begin.elapsed().as_secs_f64() * 1e3))
}

/// The vector and the address of the row with an id.
fn row(engine: &Engine, opened: &Opened, id: &str) -> Result<(Vec<f32>, u64)> {
    let schema = opened.schema();
    let quoted = id.replace('\'', "''");
    for column in ["x_original_id", "uuid", "id"] {
        if schema.field_with_name(column).is_err() {
            continue;
        }
        let only = selected(engine, opened, &format!("{column} = '{quoted}'"))?;
        let Some(address) = only.iter().next() else { continue };
        let batch = opened.rows_at(engine, &[address], &["vector".to_owned()])?;
        let lists = batch.column(0).as_fixed_size_list_opt();
        let vector = lists.filter(|l| l.is_valid(0)).and_then(|l| Some(l.value(0).as_primitive_opt::<Float32Type>()?.values().to_vec()));
        return match vector.filter(|v| v.iter().all(|v| v.is_finite())) {
            Some(vector) => Ok((vector, address)),
            None => Err(Error::new(format!("the row with the id {} has no vector", printable(id)))),
        };
    }
    Err(Error::new(format!("no row has the id {}", printable(id))).help("ids are those of the source, in x_original_id, or uuids"))
}

fn lines(rows: &RecordBatch, hits: &[(u64, f64)]) -> Vec<Line> {
    let text = |column: &str, row: usize| {
        let column = rows.column_by_name(column)?.as_string_opt::<i32>()?;
        (row < column.len() && column.is_valid(row)).then(|| column.value(row).to_owned())
    };
    let line = |(row, (_, distance)): (usize, &(u64, f64))| Line {
        rank: row + 1,
        distance: *distance,
        id: text("x_original_id", row),
        title: text("title", row),
        collection: text("collection", row),
        uuid: text("uuid", row),
    };
    hits.iter().enumerate().map(line).collect()
}
