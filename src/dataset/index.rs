//! Builds every index of a dataset and commits them as one version: the vector index, full text, and scalar ones.
//!
//! Not the choice of parameters ([`super::choose`]) and not their training (`train.rs`). Every index is checked after
//! it was built, because Lance registers an untrained placeholder without an error when rows are too few.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::Float32Array;
use lance::Dataset;
use lance::dataset::CommitBuilder;
use lance::dataset::transaction::{Operation, Transaction};
use lance::index::DatasetIndexExt;
use lance::index::vector::VectorIndexParams;
use lance_index::scalar::{BuiltinIndexType, InvertedIndexParams, ScalarIndexParams};
use lance_index::vector::hnsw::builder::HnswBuildParams;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::pq::PQBuildParams;
use lance_index::vector::sq::builder::SQBuildParams;
use lance_index::{IndexParams, IndexType};
use lance_linalg::distance::DistanceType;
use lance_table::format::IndexMetadata;

use super::choose::{Choice, IndexKind, Metric, Wishes, choose};
use super::commit::Opened;
use super::sample::survey;
use super::train::{sample_limit, train};
use super::{Engine, lance_error};
use crate::error::{Error, Result};

/// What to build.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The vector index asked for.
    pub kind: IndexKind,
    /// Its parameters, as far as the user set them.
    pub wishes: Wishes,
    /// Its metric.
    pub metric: Metric,
    /// Bytes that training and building may hold.
    pub memory: u64,
}

/// What was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The vector index, with the reasons for its parameters.
    pub vector: Choice,
    /// Whether the vectors were looked at; if not, the next two are 0.
    pub surveyed: bool,
    /// Rows whose vector is finite.
    pub usable: u64,
    /// Of those, rows that are all zero.
    pub zero: u64,
    /// Names of all indices, in the order of their columns.
    pub names: Vec<String>,
}

/// Column, kind: contract of the output. Names are Lance's default, `<column>_idx`, because ContextFrame replaces an index
/// only under that name.
const SCALAR: [(&str, BuiltinIndexType); 11] = [
    ("uuid", BuiltinIndexType::BTree),
    ("x_original_id", BuiltinIndexType::BTree),
    ("collection", BuiltinIndexType::Bitmap),
    ("collection_id", BuiltinIndexType::Bitmap),
    ("record_type", BuiltinIndexType::Bitmap),
    ("source_type", BuiltinIndexType::Bitmap),
    ("status", BuiltinIndexType::Bitmap),
    ("created_at", BuiltinIndexType::BTree),
    ("updated_at", BuiltinIndexType::BTree),
    ("position", BuiltinIndexType::BTree),
    ("tags", BuiltinIndexType::LabelList),
];
const FULL_TEXT: [&str; 2] = ["text_content", "title"];

/// Builds all indices and commits them together. Indices of the same names are replaced.
///
/// # Errors
/// The disk is full, a parameter cannot work, or an index came out untrained.
pub fn build(engine: &Engine, opened: &mut Opened, order: &Order) -> Result<Built> {
    let started = std::time::Instant::now();
    let budget = order.memory / 4;
    let dimension = dimension(&opened.dataset)?;
    // The first pass must know how much to sample; the upper bound on partitions is known from the rows.
    let rows = opened.rows(engine)?;
    let ahead = choose(order.kind, order.wishes, rows, dimension)?;
    let survey = if order.kind == IndexKind::None {
        super::sample::Survey { dimension, ..Default::default() }
    } else {
        survey(engine, opened, sample_limit(ahead.partitions, ahead.bits, dimension, budget / 2), order.metric == Metric::Cosine)?
    };
    let trainable = if order.metric == Metric::Cosine { survey.usable - survey.zero } else { survey.usable };
    let choice = if order.kind == IndexKind::None { ahead } else { choose(order.kind, order.wishes, trainable, dimension)? };
    tracing::debug!(seconds = started.elapsed().as_secs_f64(), usable = survey.usable, "Surveyed the vectors.");
    let vector = if choice.kind == IndexKind::None { None } else { Some(vector_params(survey.sample, dimension, &choice, order.metric)?) };
    tracing::debug!(seconds = started.elapsed().as_secs_f64(), "Trained the vector index.");

    let mut jobs: Vec<(&'static str, IndexType, Box<dyn IndexParams>)> = Vec::new();
    if let Some(params) = vector {
        jobs.push(("vector", IndexType::Vector, Box::new(params)));
    }
    for column in FULL_TEXT {
        let params = InvertedIndexParams::default().with_position(true).memory_limit_mb((budget >> 20).max(32));
        jobs.push((column, IndexType::Inverted, Box::new(params)));
    }
    for (column, kind) in SCALAR {
        let index_type = match kind {
            BuiltinIndexType::Bitmap => IndexType::Bitmap,
            BuiltinIndexType::LabelList => IndexType::LabelList,
            _ => IndexType::BTree,
        };
        jobs.push((column, index_type, Box::new(ScalarIndexParams::for_builtin(kind))));
    }
    let fields: Vec<&str> = opened.dataset.schema().fields.iter().map(|f| f.name.as_str()).collect();
    jobs.retain(|(column, ..)| fields.contains(column));
    // Two at a time keep two cores busy; with little memory they take turns.
    let together = if order.memory < 512 << 20 { 1 } else { 2 };
    let new_indices = run(engine, &opened.dataset, jobs, together)?;
    tracing::debug!(seconds = started.elapsed().as_secs_f64(), "Built the indices.");
    for index in &new_indices {
        if index.fragment_bitmap.as_ref().is_none_or(roaring::RoaringBitmap::is_empty) {
            return Err(Error::new(format!("the index {} came out untrained: it covers no fragment", index.name))
                .help("this is a defect: please report it with the command line"));
        }
    }
    let names = new_indices.iter().map(|i| i.name.clone()).collect();
    commit(engine, opened, new_indices, choice.kind == IndexKind::None)?;
    Ok(Built { vector: choice, surveyed: order.kind != IndexKind::None, usable: survey.usable, zero: survey.zero, names })
}

/// Rows with a finite vector, and how many of them are all zero.
///
/// # Errors
/// The dataset cannot be read.
pub fn usable(engine: &Engine, opened: &Opened) -> Result<(u64, u64)> {
    let found = survey(engine, opened, 0, false)?;
    Ok((found.usable, found.zero))
}

/// Values of a vector.
fn dimension(dataset: &Dataset) -> Result<usize> {
    let field = dataset.schema().field("vector").map(lance_core::datatypes::Field::data_type);
    match field {
        Some(arrow_schema::DataType::FixedSizeList(_, d)) => Ok(usize::try_from(d).unwrap_or(1)),
        _ => Err(Error::new("the dataset has no column vector of type fixed_size_list<float32>")),
    }
}

fn vector_params(sample: Vec<f32>, dimension: usize, choice: &Choice, metric: Metric) -> Result<VectorIndexParams> {
    let models = train(sample, dimension, choice, metric)?;
    let metric = match metric {
        Metric::Cosine => DistanceType::Cosine,
        Metric::L2 => DistanceType::L2,
        Metric::Dot => DistanceType::Dot,
    };
    let ivf = IvfBuildParams::try_with_centroids(choice.partitions, models.centroids).map_err(|e| lance_error("build the vector index", &e))?;
    Ok(match choice.kind {
        IndexKind::IvfPq => {
            let mut pq = PQBuildParams::with_codebook(choice.sub_vectors, choice.bits, Arc::new(Float32Array::from(models.codebook)));
            // Lance loads a training sample even when it has a codebook; this makes it small.
            pq.sample_rate = 1;
            VectorIndexParams::with_ivf_pq_params(metric, ivf, pq)
        }
        IndexKind::IvfHnswSq => VectorIndexParams::with_ivf_hnsw_sq_params(metric, ivf, HnswBuildParams::default(), SQBuildParams::default()),
        _ => VectorIndexParams::with_ivf_flat_params(metric, ivf),
    })
}

type Job = (&'static str, IndexType, Box<dyn IndexParams>);

/// Runs the jobs, `together` at a time, and gives the indices in the jobs' order. After a failure no further job starts, and
/// those under way are waited for: they write into a folder that somebody is about to rename or remove.
fn run(engine: &Engine, dataset: &Dataset, jobs: Vec<Job>, together: usize) -> Result<Vec<IndexMetadata>> {
    use futures::StreamExt;
    let failed = AtomicBool::new(false);
    let failed = &failed;
    let tasks = jobs.into_iter().map(|(column, index_type, params)| {
        let mut dataset = dataset.clone();
        async move {
            if failed.load(Ordering::Relaxed) {
                return Err(Error::new("not started after another index had failed"));
            }
            let columns = [column];
            let task = tokio::spawn(async move {
                let mut builder = dataset.create_index_builder(&columns, index_type, params.as_ref()).replace(true);
                builder.execute_uncommitted().await
            });
            let built = match task.await {
                Ok(built) => built.map_err(|e| lance_error(&format!("build the index on {column}"), &e)),
                Err(e) => Err(Error::new(format!("building the index on {column} died: {e}"))),
            };
            failed.fetch_or(built.is_err(), Ordering::Relaxed);
            built
        }
    });
    let all: Vec<Result<IndexMetadata>> = engine.block_on(futures::stream::iter(tasks).buffered(together).collect());
    all.into_iter().collect()
}

/// One version with all new indices; those of the same name, and a vector index that is no longer wanted, go.
fn commit(engine: &Engine, opened: &mut Opened, new_indices: Vec<IndexMetadata>, drop_vector: bool) -> Result<()> {
    let failed = |e: lance::Error| lance_error("commit the indices", &e);
    let old = engine.block_on(opened.dataset.load_indices()).map_err(failed)?;
    let replaced = |index: &&IndexMetadata| new_indices.iter().any(|n| n.name == index.name) || (drop_vector && index.name == "vector_idx");
    let removed_indices = old.iter().filter(replaced).cloned().collect();
    let operation = Operation::CreateIndex { new_indices, removed_indices };
    let transaction = Transaction::new(opened.version(), operation, None);
    opened.dataset = engine.block_on(CommitBuilder::new(Arc::new(opened.dataset.clone())).execute(transaction)).map_err(failed)?;
    Ok(())
}
