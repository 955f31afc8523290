//! Builds every index of a dataset and commits them as one version: the vector index, full text, and scalar ones.
//!
//! Not the choice of parameters ([`super::choose`]) and not their training (`train.rs`). Every index is checked after
//! it was built, because Lance registers an untrained placeholder without an error when rows are too few.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{FixedSizeListArray, Float32Array};
use arrow_schema::{DataType, Field};
use futures::{FutureExt, StreamExt};
use lance::Dataset;
use lance::dataset::CommitBuilder;
use lance::dataset::transaction::{Operation, Transaction};
use lance::index::DatasetIndexExt;
use lance::index::vector::VectorIndexParams;
use lance_index::optimize::OptimizeOptions;
use lance_index::scalar::{BuiltinIndexType, InvertedIndexParams, ScalarIndexParams};
use lance_index::vector::bq::RQBuildParams;
use lance_index::vector::hnsw::builder::HnswBuildParams;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::pq::PQBuildParams;
use lance_index::vector::sq::builder::SQBuildParams;
use lance_index::{IndexParams, IndexType};
use lance_linalg::distance::DistanceType;
use lance_table::format::IndexMetadata;

use super::canonical::sort_metadata;
use super::choose::{Choice, IndexKind, Metric, Wishes, choose};
use super::commit::Opened;
use super::encode::encode;
use super::sample::survey;
use super::train::{Models, sample_limit, train};
use super::write::whole;
use super::{Engine, lance_error, uri};
use crate::error::{Error, Result};
use crate::frame::lean;
use crate::frame::promote::PromotedColumn;

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
    /// Index the vectors beside the main one too.
    pub named: bool,
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
    /// What there is to say of vectors beside the main one.
    pub notes: Vec<String>,
    /// Seconds of each stage of the vector index, in order; other indices are built at the same time.
    pub seconds: Vec<(&'static str, f64)>,
}

impl Built {
    /// A stage is over: it took what is left of the time since `begin`.
    fn lap(&mut self, stage: &'static str, begin: std::time::Instant) {
        let before: f64 = self.seconds.iter().map(|(_, s)| s).sum();
        self.seconds.push((stage, begin.elapsed().as_secs_f64() - before));
    }
}

/// Column, kind: contract of the output. Names are Lance's default, `<column>_idx`, because ContextFrame replaces an index
/// only under that name.
pub(crate) const SCALAR: [(&str, BuiltinIndexType); 14] = [
    ("uuid", BuiltinIndexType::BTree),
    ("x_original_id", BuiltinIndexType::BTree),
    ("collection", BuiltinIndexType::Bitmap),
    ("collection_id", BuiltinIndexType::Bitmap),
    ("record_type", BuiltinIndexType::Bitmap),
    ("source_type", BuiltinIndexType::Bitmap),
    ("status", BuiltinIndexType::Bitmap),
    ("x_namespace", BuiltinIndexType::Bitmap),
    ("created_at", BuiltinIndexType::BTree),
    ("updated_at", BuiltinIndexType::BTree),
    ("position", BuiltinIndexType::BTree),
    ("x_created_at", BuiltinIndexType::BTree),
    ("x_updated_at", BuiltinIndexType::BTree),
    ("tags", BuiltinIndexType::LabelList),
];
pub(crate) const FULL_TEXT: [&str; 2] = ["text_content", "title"];
/// The scalar indices of a lean table.
const LEAN: [(&str, BuiltinIndexType); 3] =
    [(lean::ID, BuiltinIndexType::BTree), ("collection", BuiltinIndexType::Bitmap), ("namespace", BuiltinIndexType::Bitmap)];
const VECTOR_INDEX: &str = "vector_idx";
/// `--memory` from which the vector index is built beside the others.
const SIDE_BY_SIDE: u64 = 512 << 20;
/// Below that, the part of `--memory` that the codes of one segment of the index may take.
const SEGMENT_SHARE: u64 = 24;

/// Rows of a fragment at most, so that a run with so little memory can index the dataset fragment by fragment.
#[must_use]
pub fn fragment_rows(memory: u64, dimension: usize) -> usize {
    if memory >= SIDE_BY_SIDE {
        return super::write::FRAGMENT_ROWS;
    }
    // Codes of a byte for two dimensions, and eight for the row's address.
    let rows = memory / SEGMENT_SHARE / (dimension as u64 / 2 + 8);
    usize::try_from(rows).unwrap_or(super::write::FRAGMENT_ROWS).clamp(4096, super::write::FRAGMENT_ROWS)
}

/// Builds all indices and commits them together. Indices of the same names are replaced. With [`IndexKind::None`], those that
/// this function would build are dropped instead.
///
/// # Errors
/// The disk is full, a parameter cannot work, or an index came out untrained.
pub fn build(engine: &Arc<Engine>, opened: &mut Opened, order: &Order) -> Result<Built> {
    let started = std::time::Instant::now();
    let rows = opened.rows(engine)?;
    let dimension = dimension(&opened.dataset)?;
    // The first pass must know how much to sample; the upper bound on partitions is known from the rows.
    let ahead = choose(order.kind, order.wishes, rows, dimension)?;
    if order.kind == IndexKind::None {
        commit(engine, opened, vec![], &|_| true)?;
        return Ok(Built { vector: ahead, surveyed: false, usable: 0, zero: 0, names: vec![], notes: vec![], seconds: vec![] });
    }
    let others = other_jobs(engine, opened, order.memory / 8)?;
    // Full text keeps a core busy for longer than everything else; with little memory they take turns.
    let others = if order.memory < SIDE_BY_SIDE {
        let built = engine.block_on(run(opened.dataset.clone(), others, 1));
        crate::heap::trim();
        engine.spawn(async { built })
    } else {
        engine.spawn(run(opened.dataset.clone(), others, 2))
    };
    let vector = vector(engine, opened, order, &ahead, dimension);
    tracing::debug!(seconds = started.elapsed().as_secs_f64(), "Built the vector index.");
    // Also after a failure: they write into a folder that somebody is about to rename or remove.
    let others = engine.block_on(others).map_err(|e| Error::new(format!("building the indices died: {e}")))?;
    let (built, mut new_indices) = vector?;
    new_indices.append(&mut others?);
    let mut notes = Vec::new();
    if order.named {
        let (jobs, said) = named::jobs(engine, opened, order)?;
        new_indices.append(&mut engine.block_on(run(opened.dataset.clone(), jobs, 1))?);
        notes = said;
    }
    tracing::debug!(seconds = started.elapsed().as_secs_f64(), "Built the indices.");
    for index in &new_indices {
        if index.fragment_bitmap.as_ref().is_none_or(roaring::RoaringBitmap::is_empty) {
            return Err(Error::new(format!("the index {} came out untrained: it covers no fragment", index.name))
                .help("this is a defect: please report it with the command line"));
        }
    }
    let mut names: Vec<String> = new_indices.iter().map(|i| i.name.clone()).collect();
    names.dedup();
    let drop_vector = built.vector.kind == IndexKind::NoVector;
    let unwanted = |name: &str| if name == VECTOR_INDEX { drop_vector } else { name.starts_with("x_vector_") && !order.named };
    commit(engine, opened, new_indices, &unwanted)?;
    Ok(Built { names, notes, ..built })
}

/// Parts of an index from which on they are merged instead of added to.
const PARTS: usize = 8;

/// Builds all indices of a new dataset. After a change (`changed`: new rows, and rows in all), adds the new rows to the indices that
/// are there; builds them anew if more than half of the rows are new, because they were made for others. `None` where only added to.
///
/// # Errors
/// As [`build`].
pub fn bring_up(engine: &Arc<Engine>, opened: &mut Opened, order: &Order, changed: Option<(u64, u64)>) -> Result<Option<Built>> {
    let Some((new, all)) = changed else { return build(engine, opened, order).map(Some) };
    let failed = |e: lance::Error| lance_error("bring the indices up to date", &e);
    let there = engine.block_on(opened.dataset.load_indices()).map_err(failed)?;
    if new * 2 > all || (there.is_empty() && order.kind != IndexKind::None) {
        return build(engine, opened, order).map(Some);
    }
    let parts = there.iter().map(|i| there.iter().filter(|o| o.name == i.name).count()).max().unwrap_or(0);
    let options = if parts >= PARTS { OptimizeOptions::merge(parts) } else { OptimizeOptions::append() };
    engine.block_on(opened.dataset.optimize_indices(&options)).map_err(failed)?;
    for index in engine.block_on(opened.dataset.load_indices()).map_err(failed)?.iter() {
        files_of(&opened.dataset, index)?;
    }
    Ok(None)
}

/// The full-text and scalar indices that this dataset can have.
fn other_jobs(engine: &Engine, opened: &Opened, budget: u64) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = Vec::new();
    let lean = opened.schema().field_with_name("uuid").is_err();
    let (full_text, fixed): (&[&str], &[(&str, BuiltinIndexType)]) = if lean { (&[lean::TEXT], &LEAN) } else { (&FULL_TEXT, &SCALAR) };
    for column in full_text {
        let params = InvertedIndexParams::default().with_position(true).memory_limit_mb((budget >> 20).max(32));
        jobs.push(Job::new(column, IndexType::Inverted, Box::new(params)));
    }
    let fixed = fixed.iter().map(|(column, kind)| ((*column).to_owned(), kind.clone()));
    for (column, kind) in fixed.chain(super::cardinality::promoted(engine, opened)?) {
        let index_type = match kind {
            BuiltinIndexType::Bitmap => IndexType::Bitmap,
            BuiltinIndexType::LabelList => IndexType::LabelList,
            _ => IndexType::BTree,
        };
        jobs.push(Job::new(&column, index_type, Box::new(ScalarIndexParams::for_builtin(kind))));
    }
    let fields: Vec<&str> = opened.dataset.schema().fields.iter().map(|f| f.name.as_str()).collect();
    jobs.retain(|job| fields.contains(&job.column.as_str()));
    Ok(jobs)
}

/// Surveys, trains, encodes, and has Lance write the vector index; nothing is committed.
fn vector(engine: &Arc<Engine>, opened: &Opened, order: &Order, ahead: &Choice, dimension: usize) -> Result<(Built, Vec<IndexMetadata>)> {
    let budget = order.memory / 8;
    let begin = std::time::Instant::now();
    let limit = if ahead.kind == IndexKind::NoVector { 0 } else { sample_limit(ahead, dimension, budget) };
    let survey = survey(engine, opened, dimension, limit, order.metric == Metric::Cosine)?;
    let trainable = if order.metric == Metric::Cosine { survey.usable - survey.zero } else { survey.usable };
    let choice = choose(order.kind, order.wishes, trainable, dimension)?;
    let mut built = Built { vector: choice, surveyed: true, usable: survey.usable, zero: survey.zero, names: vec![], notes: vec![], seconds: vec![] };
    built.lap("vector survey", begin);
    if built.vector.kind == IndexKind::NoVector {
        return Ok((built, vec![]));
    }
    let models = Arc::new(train(survey.sample, &built.vector, order.metric));
    built.lap("vector training", begin);
    let params = |codes: Option<&Path>| vector_params(&models, &built.vector, dimension, codes);
    let mut indices = Vec::new();
    if built.vector.kind == IndexKind::IvfPq {
        for fragments in segments(&opened.dataset, &built.vector, order.memory) {
            segment(engine, opened, &models, dimension, fragments.as_deref(), &mut indices, &params)?;
            if order.memory < SIDE_BY_SIDE {
                crate::heap::trim();
            }
        }
    } else {
        let job = Job::new("vector", IndexType::Vector, Box::new(params(None)?));
        indices = engine.block_on(run(opened.dataset.clone(), vec![job], 1))?;
    }
    for index in &indices {
        sort_metadata_of(&opened.dataset, index);
    }
    built.lap("vector encoding and writing", begin);
    Ok((built, indices))
}

/// Consecutive fragments that are indexed together; `None` for all of them in one. With little memory, Lance could not read the
/// codes of all at once, as it does when it writes an index, so the index gets several parts of the same model under one name.
fn segments(dataset: &Dataset, choice: &Choice, memory: u64) -> Vec<Option<Vec<u32>>> {
    if memory >= SIDE_BY_SIDE {
        return vec![None];
    }
    let most = memory / SEGMENT_SHARE / (choice.sub_vectors as u64 * choice.bits as u64 / 8 + 8);
    let mut groups: Vec<(u64, Vec<u32>)> = Vec::new();
    for fragment in dataset.get_fragments() {
        let rows = fragment.metadata().physical_rows.unwrap_or(0) as u64;
        let id = u32::try_from(fragment.id()).unwrap_or(u32::MAX);
        match groups.last_mut() {
            // The header's fragment, of a row or two, is no reason for another segment.
            Some((size, ids)) if *size + rows <= most + most / 8 => {
                *size += rows;
                ids.push(id);
            }
            _ => groups.push((rows, vec![id])),
        }
    }
    if groups.len() < 2 { vec![None] } else { groups.into_iter().map(|(_, ids)| Some(ids)).collect() }
}

/// Encodes the vectors of some fragments and has Lance write their part of the index. Fragments without a usable vector are left
/// to the part before, if there is one.
fn segment(
    engine: &Arc<Engine>,
    opened: &Opened,
    models: &Arc<Models>,
    dimension: usize,
    fragments: Option<&[u32]>,
    indices: &mut Vec<IndexMetadata>,
    params: &dyn Fn(Option<&Path>) -> Result<VectorIndexParams>,
) -> Result<()> {
    let scratch = Scratch(std::env::temp_dir().join("_codes.lance"));
    let rows = encode(engine, opened, models, dimension, fragments, &scratch.0)?;
    if let Some(ids) = fragments
        && rows == 0
    {
        if let Some(covered) = indices.last_mut().and_then(|index| index.fragment_bitmap.as_mut()) {
            covered.extend(ids);
        }
        return Ok(());
    }
    let job = |codes: Option<&Path>| -> Result<Job> {
        Ok(Job { fragments: fragments.map(<[u32]>::to_vec), ..Job::new("vector", IndexType::Vector, Box::new(params(codes)?)) })
    };
    let built = engine.block_on(run(opened.dataset.clone(), vec![job(Some(&scratch.0))?], 1));
    if let Err(error) = &built {
        // The slow way, with the same models: Lance reads all vectors and encodes them itself.
        tracing::info!("Lance did not take the codes, so it encodes the vectors itself: {error}");
        drop(scratch);
        indices.append(&mut engine.block_on(run(opened.dataset.clone(), vec![job(None)?], 1))?);
        return Ok(());
    }
    indices.append(&mut built?);
    Ok(())
}

/// Holds an index's files against what Lance says of them, and those that end in a mark against that.
fn files_of(dataset: &Dataset, index: &IndexMetadata) -> Result<()> {
    let folder = PathBuf::from(dataset.uri()).join("_indices").join(index.uuid.to_string());
    for file in index.files.iter().flatten() {
        let path = folder.join(&file.path);
        if path.extension().is_some_and(|e| e == "lance" || e == "idx") {
            whole(&path, Some(file.size_bytes))?;
        }
    }
    Ok(())
}

/// An index's files, made the same bytes in every run. What cannot be put in order stays as Lance wrote it, and works as well.
fn sort_metadata_of(dataset: &Dataset, index: &IndexMetadata) {
    let folder = PathBuf::from(dataset.uri()).join("_indices").join(index.uuid.to_string());
    for file in ["index.idx", "auxiliary.idx"] {
        match sort_metadata(&folder.join(file)) {
            Ok(true) => {}
            Ok(false) => tracing::info!(file, "The index has a layout whose metadata cannot be put in order."),
            Err(error) => tracing::info!(file, "The index's metadata were not put in order: {error}."),
        }
    }
}

/// A folder that goes when it is no longer needed, whatever happens.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it lies in a folder that the run removes or that the next run sweeps.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Rows with a finite vector, and how many of them are all zero.
///
/// # Errors
/// The dataset cannot be read.
pub fn usable(engine: &Engine, opened: &Opened) -> Result<(u64, u64)> {
    let found = survey(engine, opened, dimension(&opened.dataset)?, 0, false)?;
    Ok((found.usable, found.zero))
}

/// Values of a vector.
fn dimension(dataset: &Dataset) -> Result<usize> {
    let field = dataset.schema().field("vector").map(lance_core::datatypes::Field::data_type);
    match field {
        Some(DataType::FixedSizeList(_, d)) => Ok(usize::try_from(d).unwrap_or(1)),
        _ => Err(Error::new("the dataset has no column vector of type fixed_size_list<float32>")),
    }
}

fn vector_params(models: &Models, choice: &Choice, dimension: usize, codes: Option<&Path>) -> Result<VectorIndexParams> {
    let metric = match models.metric {
        Metric::Cosine => DistanceType::Cosine,
        Metric::L2 => DistanceType::L2,
        Metric::Dot => DistanceType::Dot,
    };
    let centroids = list(models.partitions.values.clone(), dimension)?;
    let mut ivf = IvfBuildParams::try_with_centroids(choice.partitions, Arc::new(centroids)).map_err(|e| lance_error("build the vector index", &e))?;
    Ok(match choice.kind {
        IndexKind::IvfPq => {
            if let Some(codes) = codes {
                let folder = format!("{}/data", uri(codes)?);
                ivf.precomputed_shuffle_buffers = Some((folder.as_str().into(), vec![]));
                // Lance's type for paths writes some characters in another way, and then would not find the folder.
                let kept = |(path, _): &(_, Vec<String>)| AsRef::<str>::as_ref(path) == folder.trim_start_matches('/');
                ivf.precomputed_shuffle_buffers = ivf.precomputed_shuffle_buffers.filter(kept);
            }
            let mut pq = PQBuildParams::with_codebook(choice.sub_vectors, choice.bits, Arc::new(Float32Array::from(models.flat_codebook())));
            // Lance loads a training sample even when it has a codebook; this makes it small.
            pq.sample_rate = 1;
            VectorIndexParams::with_ivf_pq_params(metric, ivf, pq)
        }
        IndexKind::IvfHnswSq => VectorIndexParams::with_ivf_hnsw_sq_params(metric, ivf, HnswBuildParams::default(), SQBuildParams::default()),
        IndexKind::IvfSq => VectorIndexParams::with_ivf_sq_params(metric, ivf, SQBuildParams::default()),
        IndexKind::IvfRq => VectorIndexParams::with_ivf_rq_params(metric, ivf, RQBuildParams::new(u8::try_from(choice.bits).unwrap_or(5))),
        _ => VectorIndexParams::with_ivf_flat_params(metric, ivf),
    })
}

fn list(values: Vec<f32>, dimension: usize) -> Result<FixedSizeListArray> {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let size = i32::try_from(dimension).map_err(|_| Error::new("the dimension is over 2^31"))?;
    FixedSizeListArray::try_new(item, size, Arc::new(Float32Array::from(values)), None)
        .map_err(|e| Error::new(format!("the centroids do not fit the dataset: {e}")))
}

/// One index to build.
struct Job {
    column: String,
    index_type: IndexType,
    params: Box<dyn IndexParams>,
    /// Only these fragments; `None` for all.
    fragments: Option<Vec<u32>>,
}

impl Job {
    fn new(column: &str, index_type: IndexType, params: Box<dyn IndexParams>) -> Self {
        Self { column: column.to_owned(), index_type, params, fragments: None }
    }
}

/// Runs the jobs, `together` at a time, and gives the indices in the jobs' order. After a failure no further job starts, and
/// those under way are waited for.
async fn run(dataset: Dataset, jobs: Vec<Job>, together: usize) -> Result<Vec<IndexMetadata>> {
    let failed = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::with_capacity(jobs.len());
    for job in jobs {
        tasks.push(one(dataset.clone(), job, Arc::clone(&failed)).boxed());
    }
    let all: Vec<Result<IndexMetadata>> = futures::stream::iter(tasks).buffered(together).collect().await;
    all.into_iter().collect()
}

async fn one(mut dataset: Dataset, job: Job, failed: Arc<AtomicBool>) -> Result<IndexMetadata> {
    if failed.load(Ordering::Relaxed) {
        return Err(Error::new("not started after another index had failed"));
    }
    let Job { column, index_type, params, fragments } = job;
    // A task of its own, so that a panic inside of Lance is an error here.
    let name = column.clone();
    let task = tokio::spawn(async move {
        let columns = [column.as_str()];
        let mut builder = dataset.create_index_builder(&columns, index_type, params.as_ref()).replace(true);
        if let Some(fragments) = fragments {
            builder = builder.fragments(fragments);
        }
        builder.execute_uncommitted().await
    });
    let built = match task.await {
        Ok(built) => built.map_err(|e| lance_error(&format!("build the index on {name}"), &e)),
        Err(e) => Err(Error::new(format!("building the index on {name} died: {e}"))),
    };
    failed.fetch_or(built.is_err(), Ordering::Relaxed);
    built
}

/// One version with all new indices; those of the same name go, and of the others that this program builds those that are no
/// longer wanted.
fn commit(engine: &Engine, opened: &mut Opened, new_indices: Vec<IndexMetadata>, unwanted: &dyn Fn(&str) -> bool) -> Result<()> {
    for index in &new_indices {
        files_of(&opened.dataset, index)?;
    }
    let failed = |e: lance::Error| lance_error("commit the indices", &e);
    let old = engine.block_on(opened.dataset.load_indices()).map_err(failed)?;
    let promoted: Vec<String> = opened.schema().fields().iter().filter_map(|f| PromotedColumn::of(f)).map(|c| c.column).collect();
    let ours = |name: &str| {
        let column = name.strip_suffix("_idx").unwrap_or_default();
        let fixed = FULL_TEXT.contains(&column) || column == lean::TEXT || LEAN.iter().any(|(c, _)| *c == column) || SCALAR.iter().any(|(c, _)| *c == column);
        name == VECTOR_INDEX || column.starts_with("x_vector_") || promoted.iter().any(|c| c == column) || fixed
    };
    let replaced = |index: &&IndexMetadata| new_indices.iter().any(|n| n.name == index.name) || (ours(&index.name) && unwanted(&index.name));
    let removed_indices: Vec<IndexMetadata> = old.iter().filter(replaced).cloned().collect();
    if new_indices.is_empty() && removed_indices.is_empty() {
        return Ok(());
    }
    let operation = Operation::CreateIndex { new_indices, removed_indices };
    let transaction = Transaction::new(opened.version(), operation, None);
    opened.dataset = engine.block_on(CommitBuilder::new(Arc::new(opened.dataset.clone())).execute(transaction)).map_err(failed)?;
    Ok(())
}

pub mod alone;
pub(crate) mod named;
#[cfg(test)]
mod tests;
