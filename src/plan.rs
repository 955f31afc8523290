//! Every choice of a run, made before anything is executed: shards, layouts, collections, vectors, metric, limits.
//!
//! Writes nothing. Each choice carries the sentence that says by what it was made; the report prints it.

mod answers;
mod apart;
mod beside;
mod collection;
mod collections;
mod decoders;
mod fields;
mod links;
mod look;
mod mapfile;
mod output;
mod probe;
mod reader;
pub mod recorded;
pub mod resize;
mod snapshot;
pub mod sources;
mod together;
mod vdf;
mod vectors;
mod weaviate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::{Indexing, Reading, Relationship};
use crate::dataset::choose::{IndexKind, Metric, Wishes};
use crate::error::{Error, Result};
use crate::formats::detect::Framing;
use crate::formats::rejects::Origin;
use crate::formats::spec::Spec;
use crate::frame::builder::Membership;
use crate::frame::identity::Collection;
use crate::frame::lean::Lean;
use crate::frame::links::Target;
use crate::frame::mapping::Mapping;
use crate::frame::resize::Resize;
use crate::frame::vectors::{Layout, VectorKind};
use crate::manifest::Part;
use crate::reject::{excerpt, printable};
use crate::source::chunk::Limits;
use crate::source::find::{self, Shard};

use sources::Source;

pub use collections::{CollectionFiles, collections};
use mapfile::MapFile;
pub use output::{Mode, Output, journal_path, report_path, staging_path, unfinished};
pub use reader::{Held, Position, ShardReader};
pub use snapshot::{check_sizes, is_inside, load as manifest_of};

/// Everything that `convert` will do.
#[derive(Debug)]
pub struct Plan {
    /// What is read, in order.
    pub inputs: Vec<Input>,
    /// The vectors known so far.
    pub layout: Layout,
    /// By what the main vector was told.
    pub main_from: String,
    /// The metric of the vector index.
    pub metric: Metric,
    /// By what the metric was told.
    pub metric_from: String,
    /// Limits of reading.
    pub budget: Budget,
    /// Collections that references may lead to.
    pub targets: Vec<Target>,
    /// The vector index asked for.
    pub index: IndexKind,
    /// Whether the vectors beside the main one are indexed too.
    pub named_indices: bool,
    /// Its parameters, as far as set.
    pub wishes: Wishes,
    /// Vectors that get another number of values; `None` where that was not asked for.
    pub resizing: Option<resize::Resizing>,
    /// A lean table instead of ContextFrame's columns.
    pub lean: Option<Lean>,
    /// Things to tell the user that are no findings.
    pub notes: Vec<String>,
}

/// Memory and threads.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// `--memory` in bytes.
    pub memory: u64,
    /// Decoding threads.
    pub threads: usize,
    /// Bytes of chunks and their batches that may be under way at once.
    pub in_flight: u64,
    /// Chunk and line sizes.
    pub limits: Limits,
    /// Map plain files.
    pub map: bool,
    /// Largest zstd window, as a power of two.
    pub window_log: u32,
}

/// One collection of one dump.
#[derive(Debug)]
pub struct Input {
    /// The argument that it came from.
    pub dump: String,
    /// The layout, completed by schema and flags.
    pub spec: Arc<Spec>,
    /// By what the layout was told.
    pub told_by: String,
    /// Its name and where it comes from.
    pub collection: Collection,
    /// Fields to columns.
    pub mapping: Arc<Mapping>,
    /// The shards.
    pub shards: Vec<PlannedShard>,
    /// The source's schema as JSON text.
    pub schema: Option<String>,
    /// More facts for the header.
    pub facts: Vec<(String, String)>,
    /// Records that the snapshot's manifest promises.
    pub promised: Option<u64>,
    /// Records that a file beside the data states, and that file. Fewer or more are a finding, and no reason to stop.
    pub stated: Option<(u64, &'static str)>,
    /// What is known to be missing from the dump, in sentences.
    pub losses: Vec<String>,
    /// Records that were looked at for the plan.
    pub sampled: u64,
    /// Keys that only records of other layouts have.
    pub foreign: Arc<Vec<String>>,
    /// Keys that may wrap an array of records.
    pub records_keys: Vec<String>,
    /// Read numbers by the standard library's parser: a second opinion, for `verify`.
    pub plain: bool,
    /// The records lie in a rejects file; these are of this origin. And whether it is the first of the file.
    pub rejects: Option<(Origin, bool)>,
    /// What becomes of main vectors that have another number of values.
    pub resize: Option<Arc<Resize>>,
    /// Whether the records that were looked at name their namespaces themselves.
    pub says_namespaces: bool,
    /// Only the records that say this collection; with `true`, those that say none, too.
    pub only: Option<(String, bool)>,
    /// The source's name of its main vector; `None` where it has no name, or is called `default`.
    pub main: Option<String>,
}

/// One shard with what is known of it.
#[derive(Debug)]
pub struct PlannedShard {
    /// The file.
    pub shard: Shard,
    /// How its records are set apart.
    pub framing: Framing,
    /// Facts that its records share.
    pub membership: Arc<Membership>,
    /// Names of the columns, where the shard is a table and begins with them.
    pub columns: Option<Vec<String>>,
    /// What the manifest promises of it.
    pub promise: Option<Part>,
    /// Rows of a batch (Parquet).
    pub batch_rows: usize,
    /// A pipe that is open already.
    pub held: Held,
}

/// Plans the reading of these dumps.
///
/// # Errors
/// A dump that is missing, unreadable, of no known layout, empty, or contradicts another.
pub fn plan(dumps: &[PathBuf], reading: &Reading, indexing: &Indexing, relationship: Relationship) -> Result<Plan> {
    let budget = budget(reading);
    let mut notes = Vec::new();
    let Looked { mut inputs, vectors, metrics } = look(dumps, reading, relationship, &budget, &mut notes)?;
    together::check(&inputs, &mut notes)?;
    let (metric, metric_from) = metric(indexing.metric, &metrics)?;
    let vectors::Decision { layout, by: main_from, mains } = vectors.layout(reading.dimension, &mut notes)?;
    for (input, main) in inputs.iter_mut().zip(&mains) {
        let Some((name, _)) = main else { continue };
        input.main = Some(name.clone()).filter(|n| n != "default");
        if input.main != layout.main || input.spec.main.is_some() {
            Arc::make_mut(&mut input.spec).main = Some(name.clone());
        }
    }
    let met: Vec<_> = mains.into_iter().map(|main| main.and_then(|(_, d)| d)).collect();
    let resizing = resize::resizing(reading, &mut inputs, &met)?;
    let lean = reading.lean().then(|| Lean {
        collection: inputs.iter().any(|i| i.collection != inputs[0].collection),
        namespace: inputs.iter().any(|i| i.spec.namespace.at().is_some() || i.shards.iter().any(|s| !s.membership.collection.namespace.is_empty())),
    });
    let mut plan = Plan {
        inputs,
        layout,
        main_from,
        metric,
        metric_from,
        budget,
        targets: vec![],
        index: indexing.index.into(),
        named_indices: indexing.vector_indices,
        wishes: Wishes {
            partitions: indexing.partitions,
            sub_vectors: indexing.sub_vectors,
            bits: indexing.bits,
            memory: Some(reading.memory),
            target_recall: indexing.target_recall,
        },
        resizing,
        lean,
        notes,
    };
    plan.name_main_vector();
    links::resolve(&mut plan, &reading.link, &reading.layouts)?;
    // A parameter that cannot work is refused now, not after hours of converting.
    let many = u64::MAX;
    crate::dataset::choose::choose(plan.index, plan.wishes, many, plan.layout.dimension)?;
    Ok(plan)
}

/// What is known of each dump by itself.
struct Looked {
    inputs: Vec<Input>,
    vectors: vectors::Vectors,
    /// Metrics that the dumps tell, and where.
    metrics: BTreeMap<&'static str, String>,
}

/// Looks into every dump.
fn look(dumps: &[PathBuf], reading: &Reading, relationship: Relationship, budget: &Budget, notes: &mut Vec<String>) -> Result<Looked> {
    let chosen = match (&reading.from, &reading.format, &reading.format_text) {
        (Some(name), ..) => Some((Spec::built_in(name)?, "asked for: --from".to_owned())),
        (None, Some(path), _) => Some((Spec::load(path)?, "asked for: --format".to_owned())),
        (None, None, Some(text)) => Some((Spec::parse(text, "--format")?, "asked for: --format".to_owned())),
        (None, None, None) => None,
    };
    let custom = match (&reading.map, &reading.map_text) {
        (Some(path), _) => Some(MapFile::load(path)?),
        (None, Some(text)) => Some(MapFile::parse(text, "--map".to_owned())?),
        (None, None) => None,
    };
    let described = beside::asked(reading)?;
    let mut drafts = Vec::new();
    if dumps.iter().filter(|d| find::is_stdin(d)).count() > 1 {
        return Err(Error::new("standard input is given twice"));
    }
    for (at, dump) in dumps.iter().enumerate() {
        let source = reading.sources.get(at).and_then(Option::as_ref);
        let own = source.map(Source::spec).transpose()?.flatten();
        let found = of_dump(dump, reading, own.as_ref().or(chosen.as_ref()), described.as_ref(), notes)?;
        drafts.extend(found.into_iter().map(|draft| (source, draft)));
    }
    let mut vectors = vectors::Vectors::new(reading);
    let mut inputs = Vec::new();
    let mut metrics: BTreeMap<&'static str, String> = BTreeMap::new();
    for (source, mut draft) in drafts {
        let over = source.map(|source| source.over(reading));
        let reading = over.as_ref().unwrap_or(reading);
        let own_map = source.map(Source::mapping).transpose()?.flatten();
        if let Some(namespace) = source.and_then(|source| source.namespace.clone()).filter(|_| draft.rejects.is_none()) {
            draft.namespace = Some(namespace);
        }
        let mapping = |spec: &Spec| -> Result<Mapping> {
            let mut mapping = Mapping::default();
            mapping.extend(&spec.map, &spec.name)?;
            for custom in custom.iter().chain(&own_map) {
                custom.apply(&mut mapping, spec.text.as_deref().map(|path| &path[1..]))?;
            }
            if let Some(order) = &reading.text_fields {
                mapping.takes(order)?;
                mapping.set_text_order(order.clone());
            }
            Ok(mapping)
        };
        let told = draft.metric.clone();
        let told_name = draft.given.is_some() || draft.rejects.is_some();
        let (met_before, field_before) = (vectors.inputs.len(), std::mem::take(&mut vectors.asked_is_field));
        let mut input = probe::input(draft, reading, relationship, budget, &mapping, &mut vectors)?;
        let is_field = vectors.asked_is_field;
        vectors.asked_is_field |= field_before;
        if reading.only.as_ref().is_some_and(|(of, name)| *of != input.collection.source || *name != input.collection.name) {
            vectors.inputs.truncate(met_before);
            continue;
        }
        if let Some(source) = source {
            if let Some(seen) = vectors.inputs.last_mut() {
                source.check(reading.vector.as_deref(), &seen.met)?;
                seen.own = source.main(seen, is_field)?;
            }
            input.facts.extend(source.name.clone().map(|name| ("source_name".to_owned(), name)));
        }
        if let Some((metric, by)) = told.as_ref().and_then(|m| Metric::parse(m).map(|p| (p, m))) {
            metrics.insert(metric.name(), format!("{}'s manifest says {}", input.dump, excerpt(by, 20)));
        } else if let Some(unknown) = told {
            notes.push(format!("{}: the manifest's metric \"{}\" is none that Lance has", input.dump, excerpt(&unknown, 30)));
        }
        if told_name || reading.collection.is_some() {
            inputs.push(input);
            continue;
        }
        let names = apart::names(&input, budget)?;
        if names.is_empty() {
            inputs.push(input);
            continue;
        }
        notes.push(format!("{}: its records say of which collection they are, and it is read once for each of {}", input.dump, names.len()));
        let seen = vectors.inputs.split_off(met_before);
        for (at, name) in names.iter().enumerate() {
            let mut own = apart::of(&input, name, at == 0);
            probe::survey_again(&mut own, seen.first().and_then(|s| s.own.clone()), budget, &mut vectors)?;
            inputs.push(own);
        }
    }
    Ok(Looked { inputs, vectors, metrics })
}

/// The drafts of one dump.
fn of_dump(
    dump: &Path,
    reading: &Reading,
    chosen: Option<&(Spec, String)>,
    described: Option<&beside::Description>,
    notes: &mut Vec<String>,
) -> Result<Vec<Draft>> {
    if let Some(manifest) = snapshot::load(dump)? {
        return snapshot::drafts(dump, &manifest, chosen, notes);
    }
    if crate::rejects::is_rejects(dump)? {
        return mended(dump, reading, chosen);
    }
    if let Some(of_vdf) = vdf::drafts(dump, chosen, notes)? {
        return Ok(of_vdf);
    }
    let mut found = find::find(dump)?;
    let mut descriptions = beside::take(dump, &mut found);
    found.settle();
    descriptions.extend(described.cloned());
    if let Some(export) = weaviate::drafts(dump, &mut found, chosen, &descriptions, notes)? {
        return Ok(export);
    }
    if !found.ignored.is_empty() {
        let names: Vec<_> = found.ignored.iter().take(5).map(|n| excerpt(n, 60)).collect();
        let more = if found.ignored.len() > 5 { ", …" } else { "" };
        notes.push(format!(
            "{}: {} files are no shards by their names and were left alone: {}{more}",
            printable(&dump.display().to_string()),
            found.ignored.len(),
            names.join(", ")
        ));
    }
    Ok(beside::drafts(dump, found, &descriptions, chosen, notes))
}

/// A draft for each origin of a rejects file. Its layout is the one that the dataset remembers for the collection, else the built-in
/// one, else the one that was asked for.
fn mended(dump: &Path, reading: &Reading, chosen: Option<&(Spec, String)>) -> Result<Vec<Draft>> {
    let shown = dump.display().to_string();
    let mut drafts = Vec::new();
    for (at, origin) in crate::rejects::origins(dump)?.into_iter().enumerate() {
        let remembered = reading.layouts.get(&recorded::layout_key(&origin.source, &origin.collection));
        let spec = match remembered.and_then(|text| serde_json::from_str::<Spec>(text).ok()) {
            Some(spec) => spec,
            None => match chosen.filter(|(spec, _)| spec.name == origin.format) {
                Some((spec, _)) => spec.clone(),
                None => Spec::built_in(&origin.format)?,
            },
        };
        drafts.push(Draft {
            dump: shown.clone(),
            shards: vec![(find::shard(dump.to_owned(), shown.clone(), None)?, None)],
            name: origin.collection.clone(),
            given: Some(origin.collection.clone()),
            namespace: Some(origin.namespace.clone()).filter(|n| !n.is_empty()),
            spec: Some((spec, "a rejects file".to_owned())),
            metric: None,
            facts: vec![],
            vectors: vec![],
            schema: None,
            promised: None,
            rejects: Some((origin, at == 0)),
            ..Draft::default()
        });
    }
    Ok(drafts)
}

impl Input {
    /// What the dump lacks, known from the files beside it or by the number of records that were read.
    #[must_use]
    pub fn missing(&self, read: u64) -> Vec<String> {
        let mut losses = self.losses.clone();
        if let Some((stated, file)) = self.stated.filter(|(stated, _)| *stated != read) {
            let namespace = self.shards.first().map(|s| s.membership.collection.namespace.as_str()).filter(|n| !n.is_empty());
            let namespace = namespace.map(|n| format!("/{}", excerpt(n, 60))).unwrap_or_default();
            losses.push(format!("{}{namespace}: {file} states {stated} records, the dump has {read}", excerpt(&self.collection.name, 60)));
        }
        losses
    }
}

impl Plan {
    /// The same input by another way: streamed instead of mapped, cut at other places, numbers by another parser. A mistake of
    /// the usual way does not repeat itself there.
    pub fn read_another_way(&mut self) {
        self.budget.map = false;
        self.budget.limits.chunk = self.budget.limits.chunk / 4 * 3;
        for input in &mut self.inputs {
            input.plain = true;
            for shard in &mut input.shards {
                shard.batch_rows = (shard.batch_rows / 4 * 3).max(1);
            }
        }
    }

    /// Writes the main vector's name into what members show.
    fn name_main_vector(&mut self) {
        for input in &mut self.inputs {
            // Where no sample shows a main vector, later records may.
            let Some(name) = input.main.clone().or_else(|| self.layout.main.clone().filter(|_| input.spec.main.is_none())) else { continue };
            for shard in &mut input.shards {
                Arc::make_mut(&mut shard.membership).vector_type = Some(name.clone());
            }
        }
    }

    /// All shards with their input, in order; the position is the shard's number everywhere else.
    pub fn shards(&self) -> impl Iterator<Item = (&Input, &PlannedShard)> {
        self.inputs.iter().flat_map(|input| input.shards.iter().map(move |shard| (input, shard)))
    }
}

fn metric(asked: Option<Metric>, told: &BTreeMap<&'static str, String>) -> Result<(Metric, String)> {
    if let Some(metric) = asked {
        return Ok((metric, "asked for: --metric".to_owned()));
    }
    let mut told = told.iter();
    match (told.next(), told.next()) {
        (None, _) => Ok((Metric::Cosine, "assumed: the dump does not say, --metric sets it".to_owned())),
        (Some((name, by)), None) => Ok((Metric::parse(name).unwrap_or(Metric::Cosine), by.clone())),
        (Some((_, one)), Some((_, other))) => Err(Error::new(format!("the dumps have different metrics: {one}; {other}"))
            .help("choose one with --metric, or make a dataset of each collection with --per-collection OUT_DIR")),
    }
}

fn budget(reading: &Reading) -> Budget {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let threads = reading.threads.map_or(cores, usize::from);
    let memory = reading.memory;
    // A chunk, its batch and the writer's copy come to about four times the chunk's text, and 1.5 KB for each row.
    let in_flight = memory / 3;
    let share = in_flight / (threads as u64 + 2);
    let chunk = usize::try_from((share / 4).clamp(256 << 10, 4 << 20)).unwrap_or(4 << 20);
    let line = usize::try_from(memory / 4 + (1 << 20)).unwrap_or(usize::MAX);
    let rows = usize::try_from((share / 1500).clamp(256, 1 << 20)).unwrap_or(1 << 20);
    Budget { memory, threads, in_flight, limits: Limits { chunk, line, rows }, map: !reading.no_mmap, window_log: crate::source::stream::window_log(memory) }
}

/// An input before its content was looked at.
#[derive(Default)]
struct Draft {
    dump: String,
    shards: Vec<(Shard, Option<Part>)>,
    /// Name told by the path.
    name: String,
    /// Name that the manifest gives.
    given: Option<String>,
    namespace: Option<String>,
    spec: Option<(Spec, String)>,
    metric: Option<String>,
    facts: Vec<(String, String)>,
    vectors: Vec<(String, VectorKind)>,
    schema: Option<String>,
    promised: Option<u64>,
    rejects: Option<(Origin, bool)>,
    stated: Option<(u64, &'static str)>,
    losses: Vec<String>,
    /// The schema is of a Milvus collection, and stands beside the data: the name of its file.
    described: Option<String>,
}
