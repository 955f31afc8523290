//! Searches as a user's program makes them: nearest vectors by the index or without, words, one record by its id. Each is timed; several can
//! be under way at once. Writes nothing.
//!
//! What the answers are worth is judged elsewhere ([`crate::exact`], [`crate::compare`]).

use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Float32Array, RecordBatch};
use futures::{StreamExt, TryStreamExt};
use lance::Dataset;
use lance::dataset::ROW_ID;
use lance_index::scalar::FullTextSearchQuery;
use lance_linalg::distance::DistanceType;

use super::choose::Metric;
use super::commit::Opened;
use super::{Engine, lance_error};
use crate::error::{Error, Result};

/// The column of distances in an answer.
pub const DISTANCE: &str = "_distance";
/// The column of scores in an answer to words.
pub const SCORE: &str = "_score";

/// How to look for the nearest.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// How many rows.
    pub k: usize,
    /// Partitions to look into; by default, Lance decides for each query.
    pub nprobes: Option<usize>,
    /// So many times k rows are compared by their whole vectors; by default, the index's own distances count.
    pub refine_factor: Option<u32>,
    /// SQL.
    pub filter: Option<String>,
    /// Whether the filter comes before the search. If not, it takes rows away from the k that were found.
    pub prefilter: bool,
    /// By default the index's; where there is no index, Lance takes L2.
    pub metric: Option<Metric>,
    /// Not by the index, even if there is one.
    pub by_scan: bool,
}

/// One search.
#[derive(Debug, Clone)]
pub enum Search {
    /// The nearest vectors.
    Vector(Vec<f32>, How),
    /// Rows with words in a column, the best of them: words, column, k.
    Text(String, String, usize),
    /// A SQL condition that selects one record.
    Lookup(String),
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The rows, best first, with the columns that were asked for, [`super::read::ADDRESS`], and [`DISTANCE`] or [`SCORE`].
    pub rows: RecordBatch,
    /// From the question to the last row.
    pub took: Duration,
}

impl Answer {
    /// Address and distance (score) of each row.
    #[must_use]
    pub fn hits(&self) -> Vec<(u64, f32)> {
        let column = |name| self.rows.column_by_name(name);
        let Some(addresses) = column(ROW_ID).and_then(|c| c.as_primitive_opt::<UInt64Type>()) else { return vec![] };
        let values = column(DISTANCE).or_else(|| column(SCORE)).and_then(|c| c.as_primitive_opt::<Float32Type>());
        (0..addresses.len()).map(|i| (addresses.value(i), values.map_or(f32::NAN, |v| v.value(i)))).collect()
    }
}

impl Opened {
    /// Runs one search.
    ///
    /// # Errors
    /// The dataset cannot be read, or the filter is wrong.
    pub fn search(&self, engine: &Engine, search: &Search, columns: &[&str]) -> Result<Answer> {
        engine.block_on(one(self.dataset.clone(), search.clone(), owned(columns)))
    }

    /// Runs all searches, `clients` of them at a time, and gives the answers in their order.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn searches(&self, engine: &Engine, searches: &[Search], columns: &[&str], clients: usize) -> Result<Vec<Answer>> {
        let columns = owned(columns);
        let tasks = futures::stream::iter(searches.iter().enumerate())
            .map(|(at, search)| {
                let task = engine.spawn(one(self.dataset.clone(), search.clone(), columns.clone()));
                async move { (at, task.await) }
            })
            .buffer_unordered(clients.max(1));
        let all: Vec<_> = engine.block_on(tasks.collect());
        let mut answers = Vec::with_capacity(all.len());
        for (at, answer) in all {
            answers.push((at, answer.map_err(|e| Error::new(format!("a search died: {e}")))??));
        }
        answers.sort_by_key(|(at, _)| *at);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Key and value pairs, added to those that travel with the dataset: a version of their own.
    ///
    /// # Errors
    /// The dataset cannot be written.
    pub fn remember(&mut self, engine: &Engine, pairs: &[(String, String)]) -> Result<()> {
        let pairs: Vec<(String, String)> = pairs.to_vec();
        let update = async { self.dataset.update_config(pairs).await.map(|_| ()) };
        engine.block_on(update).map_err(|e| lance_error("store settings in the dataset", &e))
    }
}

fn owned(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|c| (*c).to_owned()).collect()
}

async fn one(dataset: Dataset, search: Search, mut columns: Vec<String>) -> Result<Answer> {
    let begin = Instant::now();
    let rows = async {
        let mut scanner = dataset.scan();
        scanner.with_row_id();
        match search {
            Search::Vector(vector, how) => {
                columns.push(DISTANCE.to_owned());
                scanner.nearest("vector", &Float32Array::from(vector), how.k)?;
                if let Some(n) = how.nprobes {
                    scanner.nprobes(n);
                }
                if let Some(factor) = how.refine_factor {
                    scanner.refine(factor);
                }
                if let Some(metric) = how.metric {
                    scanner.distance_metric(match metric {
                        Metric::Cosine => DistanceType::Cosine,
                        Metric::L2 => DistanceType::L2,
                        Metric::Dot => DistanceType::Dot,
                    });
                }
                if how.by_scan {
                    scanner.use_index(false);
                }
                if let Some(filter) = &how.filter {
                    scanner.filter(filter)?;
                    scanner.prefilter(how.prefilter);
                }
            }
            Search::Text(words, column, k) => {
                columns.push(SCORE.to_owned());
                scanner.full_text_search(FullTextSearchQuery::new(words).with_column(column)?)?;
                scanner.limit(i64::try_from(k).ok(), None)?;
            }
            Search::Lookup(condition) => {
                scanner.filter(&condition)?;
            }
        }
        scanner.project(&columns)?;
        let batches: Vec<RecordBatch> = scanner.try_into_stream().await?.try_collect().await?;
        let schema = batches.first().map(RecordBatch::schema);
        Ok(match schema {
            Some(schema) => arrow_select::concat::concat_batches(&schema, &batches)?,
            None => RecordBatch::new_empty(std::sync::Arc::new(arrow_schema::Schema::empty())),
        })
    };
    let rows = rows.await.map_err(|e: lance::Error| lance_error("search", &e))?;
    Ok(Answer { rows, took: begin.elapsed() })
}

impl Opened {
    /// Strings of a column at these rows, without nulls and empty ones.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn texts_at(&self, engine: &Engine, addresses: &[u64], column: &str) -> Result<Vec<String>> {
        if self.dataset.schema().field(column).is_none() || addresses.is_empty() {
            return Ok(vec![]);
        }
        let batch = self.rows_at(engine, addresses, &[column.to_owned()])?;
        let texts = batch.column(0).as_string_opt::<i32>();
        Ok(texts.into_iter().flat_map(|t| t.iter().flatten().filter(|t| !t.is_empty()).map(str::to_owned).collect::<Vec<_>>()).collect())
    }
}
