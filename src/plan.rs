//! Every choice of a run, made before anything is executed: shards, layouts, collections, vectors, metric, limits.
//!
//! Writes nothing. Each choice carries the sentence that says by what it was made; the report prints it.

mod collection;
mod probe;
mod reader;
mod snapshot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::{Convert, Indexing, MaxRejects, Reading, Relationship};
use crate::dataset::choose::{IndexKind, Metric, Wishes};
use crate::dataset::write::Compression;
use crate::dedupe::OnDuplicate;
use crate::error::{Error, Result};
use crate::formats::detect::Framing;
use crate::formats::spec::Spec;
use crate::frame::builder::Membership;
use crate::frame::identity::Collection;
use crate::frame::mapping::Mapping;
use crate::frame::vectors::{Layout, VectorKind};
use crate::manifest::Part;
use crate::reject::{excerpt, printable};
use crate::source::chunk::Limits;
use crate::source::find::{self, Shard};

pub use reader::{Held, ShardReader};
pub use snapshot::{check_sizes, is_inside, load as manifest_of};

/// Everything that `convert` will do.
#[derive(Debug)]
pub struct Plan {
    /// What is read, in order.
    pub inputs: Vec<Input>,
    /// The vectors known so far.
    pub layout: Layout,
    /// The metric of the vector index.
    pub metric: Metric,
    /// By what the metric was told.
    pub metric_from: String,
    /// Limits of reading.
    pub budget: Budget,
    /// The vector index asked for.
    pub index: IndexKind,
    /// Its parameters, as far as set.
    pub wishes: Wishes,
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
    /// Records that were looked at for the plan.
    pub sampled: u64,
    /// Keys that only records of other layouts have.
    pub foreign: Arc<Vec<String>>,
    /// Keys that may wrap an array of records.
    pub records_keys: Vec<String>,
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
    /// What the manifest promises of it.
    pub promise: Option<Part>,
    /// Rows of a batch (Parquet).
    pub batch_rows: usize,
    /// A pipe that is open already.
    pub held: Held,
}

/// What `convert` needs beside the plan of reading.
#[derive(Debug)]
pub struct Output {
    /// The dataset.
    pub dataset: PathBuf,
    /// Where it is built until it is whole.
    pub staging: PathBuf,
    /// The rejects file.
    pub rejects: PathBuf,
    /// The list of duplicates.
    pub duplicates: PathBuf,
    /// The report.
    pub report: PathBuf,
    /// Replace an existing dataset.
    pub overwrite: bool,
    /// How strings are stored.
    pub compression: Compression,
    /// `--max-rejects`.
    pub max_rejects: Option<MaxRejects>,
    /// `--expect-rows`.
    pub expect_rows: Option<u64>,
    /// `--on-duplicate`.
    pub on_duplicate: Option<OnDuplicate>,
}

impl Output {
    /// Checks the output's path before anything is read.
    ///
    /// # Errors
    /// A URL, an existing output without `--overwrite`, something at that path that is no dataset, no such folder.
    pub fn of(convert: &Convert) -> Result<Self> {
        let dataset = convert.out.clone();
        let shown = printable(&dataset.display().to_string());
        if shown.contains("://") {
            return Err(Error::new(format!("{shown}: the output is a URL; vec2lance writes to local folders only")).help("write to a folder, then copy it"));
        }
        if !dataset.extension().is_some_and(|e| e.eq_ignore_ascii_case("lance")) {
            return Err(Error::new(format!("{shown}: the output's name must end in .lance, which ContextFrame asks for"))
                .help(format!("write to {}.lance", shown.trim_end_matches('/'))));
        }
        let parent = dataset.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            return Err(
                Error::new(format!("{shown}: the folder {} does not exist", printable(&parent.display().to_string()))).help("create it first: mkdir -p")
            );
        }
        if dataset.symlink_metadata().is_ok() {
            let is_dataset = dataset.join("_versions").is_dir();
            if !convert.overwrite {
                let help = if is_dataset { "choose another name, or replace it with --overwrite" } else { "choose another name" };
                return Err(Error::new(format!("{shown}: already exists")).help(help));
            }
            if !is_dataset {
                return Err(Error::new(format!("{shown}: exists and is no Lance dataset, so --overwrite does not touch it")).help("choose another name"));
            }
        }
        let stem = shown_stem(&dataset);
        let beside = |ending: &str| dataset.with_file_name(format!("{stem}{ending}"));
        Ok(Self {
            staging: staging_path(&dataset),
            rejects: beside(".rejects.jsonl"),
            duplicates: beside(".duplicates.jsonl"),
            report: beside(".report.json"),
            dataset,
            overwrite: convert.overwrite,
            compression: convert.compression,
            max_rejects: convert.max_rejects,
            expect_rows: convert.expect_rows,
            on_duplicate: convert.on_duplicate,
        })
    }
}

impl Output {
    /// Everything that this run may have under an unfinished name.
    #[must_use]
    pub fn unfinished(&self) -> Vec<PathBuf> {
        vec![self.staging.clone(), unfinished(&self.rejects), unfinished(&self.duplicates)]
    }
}

/// The name of a file beside the output until the run has ended.
#[must_use]
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// The folder in which a dataset is built until it is whole.
#[must_use]
pub fn staging_path(dataset: &Path) -> PathBuf {
    dataset.with_file_name(format!("{}.lance.partial", shown_stem(dataset)))
}

fn shown_stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Plans the reading of these dumps.
///
/// # Errors
/// A dump that is missing, unreadable, of no known layout, empty, or contradicts another.
pub fn plan(dumps: &[PathBuf], reading: &Reading, indexing: &Indexing, relationship: Relationship) -> Result<Plan> {
    let budget = budget(reading);
    let chosen = match (&reading.from, &reading.format) {
        (Some(name), _) => Some((Spec::built_in(name)?, "asked for: --from".to_owned())),
        (None, Some(path)) => Some((Spec::load(path)?, "asked for: --format".to_owned())),
        (None, None) => None,
    };
    let custom = reading.map.as_deref().map(MapFile::load).transpose()?;
    let mut notes = Vec::new();
    let mut drafts = Vec::new();
    if dumps.iter().filter(|d| find::is_stdin(d)).count() > 1 {
        return Err(Error::new("standard input is given twice"));
    }
    for dump in dumps {
        if let Some(manifest) = snapshot::load(dump)? {
            drafts.extend(snapshot::drafts(dump, &manifest, chosen.as_ref(), &mut notes)?);
            continue;
        }
        let found = find::find(dump)?;
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
        let name = collection::name_of(dump, &found.shards);
        let shards = found.shards.into_iter().map(|s| (s, None)).collect();
        drafts.push(Draft {
            dump: dump.display().to_string(),
            shards,
            name,
            given: None,
            namespace: None,
            spec: chosen.clone(),
            metric: None,
            facts: vec![],
            vectors: vec![],
            schema: None,
            promised: None,
        });
    }
    let mut vectors = probe::Vectors::new(reading.vector.clone());
    let mut inputs = Vec::new();
    let mut metrics: BTreeMap<&'static str, String> = BTreeMap::new();
    for draft in drafts {
        let mapping = |spec: &Spec| -> Result<Mapping> {
            let mut mapping = Mapping::default();
            mapping.extend(&spec.map, &spec.name)?;
            if let Some(custom) = &custom {
                custom.apply(&mut mapping)?;
            }
            if let Some(order) = &reading.text_fields {
                mapping.set_text_order(order.clone());
            }
            Ok(mapping)
        };
        let told = draft.metric.clone();
        let input = probe::input(draft, reading, relationship, &budget, &mapping, &mut vectors)?;
        if let Some((metric, by)) = told.as_ref().and_then(|m| Metric::parse(m).map(|p| (p, m))) {
            metrics.insert(metric.name(), format!("{}'s manifest says {}", input.dump, excerpt(by, 20)));
        } else if let Some(unknown) = told {
            notes.push(format!("{}: the manifest's metric \"{}\" is none that Lance has", input.dump, excerpt(&unknown, 30)));
        }
        inputs.push(input);
    }
    let (metric, metric_from) = metric(indexing.metric, &metrics)?;
    let layout = vectors.layout(&mut notes)?;
    let mut plan = Plan {
        inputs,
        layout,
        metric,
        metric_from,
        budget,
        index: indexing.index.into(),
        wishes: Wishes { partitions: indexing.partitions, sub_vectors: indexing.sub_vectors, bits: indexing.bits, memory: Some(reading.memory) },
        notes,
    };
    plan.name_main_vector();
    // A parameter that cannot work is refused now, not after hours of converting.
    let many = u64::MAX;
    crate::dataset::choose::choose(plan.index, plan.wishes, many, plan.layout.dimension)?;
    Ok(plan)
}

impl Plan {
    /// Writes the main vector's name into what members show.
    fn name_main_vector(&mut self) {
        let Some(name) = self.layout.main.clone().filter(|n| n != "default") else { return };
        for shard in self.inputs.iter_mut().flat_map(|i| &mut i.shards) {
            let mut membership = (*shard.membership).clone();
            membership.vector_type = Some(name.clone());
            shard.membership = Arc::new(membership);
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
        (Some((_, one)), Some((_, other))) => Err(Error::new(format!("the dumps have different metrics: {one}; {other}")).help("choose one with --metric")),
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
}

/// `--map`: `[map]` and `text_fields`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    #[serde(default)]
    map: BTreeMap<String, String>,
    #[serde(default)]
    text_fields: Option<Vec<String>>,
    #[serde(skip)]
    origin: String,
}

impl MapFile {
    fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        let shown = printable(&path.display().to_string());
        let mut file: Self = toml::from_str(&text).map_err(|e| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            Error::new(format!("{shown}:{line}: {}", excerpt(e.message(), 200)))
                .help("expected a table [map] of field = \"column\" and a list text_fields = [\"…\"]")
        })?;
        file.origin = shown;
        Ok(file)
    }

    fn apply(&self, mapping: &mut Mapping) -> Result<()> {
        mapping.extend(&self.map, &self.origin)?;
        if let Some(order) = &self.text_fields {
            mapping.set_text_order(order.clone());
        }
        Ok(())
    }
}
