//! The report of `convert`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::resize::ResizeReport;
use super::text::{Table, bytes, count, plural};
use super::{IndexReport, peak_memory};
use crate::pipeline::Outcome;
use crate::plan::{Output, Plan};
use crate::reject::printable;
use crate::seal::Seal;

/// What `convert` prints and writes as `OUT.report.json`.
#[derive(Debug, Serialize)]
pub struct ConvertReport {
    /// Version of the program.
    pub vec2lance: &'static str,
    /// The exit status: 0, 1, or 2 where the rows are whole and an index is not.
    pub status: u8,
    /// The dataset; null if none was written.
    pub dataset: Option<String>,
    /// Its version in Lance's own counting.
    pub dataset_version: Option<u64>,
    /// The tag of that version.
    pub tag: Option<String>,
    /// What became of the dataset that was there; null for a new one.
    #[serde(flatten)]
    pub update: Option<crate::pipeline::Changes>,
    /// Records taken over from an interrupted run; null if there was none.
    pub resumed: Option<u64>,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// Members of each collection and namespace of this run, as the dataset has them now.
    pub collections: Vec<CollectionReport>,
    /// Ids that stand in more than one collection or namespace of the dataset; their records stay apart. Null where it has only one.
    pub ids_in_several: Option<u64>,
    /// Records met.
    pub read: u64,
    /// Records in the dataset.
    pub written: u64,
    /// Refused records.
    pub rejected: u64,
    /// Records that lost against another of the same id.
    pub deduplicated: u64,
    /// Records whose main vector is the NaN placeholder.
    pub without_vector: u64,
    /// Records whose main vector is all zero.
    pub zero_vectors: u64,
    /// Records whose main vector was rounded to float32.
    pub rounded_vectors: u64,
    /// Header rows beside the records.
    pub headers: u64,
    /// Fields that the mapping drops, each with the number of records that had it.
    pub dropped: BTreeMap<String, u64>,
    /// References by field, and those without a target.
    pub links: Vec<crate::links::Linked>,
    /// Rejects by code.
    pub rejects_by_code: BTreeMap<String, u64>,
    /// The rejects file, if there are rejects.
    pub rejects_file: Option<String>,
    /// The list of duplicates, if there are some.
    pub duplicates_file: Option<String>,
    /// Columns of vectors.
    pub vectors: Vec<VectorReport>,
    /// Payload fields with a typed column.
    pub promoted: Vec<crate::frame::promote::PromotedColumn>,
    /// By what the main vector was told.
    pub main_vector_from: String,
    /// Main vectors that have another number of values than in the dump.
    pub resized: Vec<ResizeReport>,
    /// The file of components, if there are some.
    pub components_file: Option<String>,
    /// The metric.
    pub metric: &'static str,
    /// By what it was told.
    pub metric_from: String,
    /// The indices; null if none could be built.
    pub index: Option<IndexReport>,
    /// Bytes read, as they lie on disk.
    pub bytes_read: u64,
    /// Bytes of the dataset on disk.
    pub bytes_written: u64,
    /// Seconds of each stage.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Seconds in all.
    pub seconds_total: f64,
    /// Input bytes (10^6) per second of the stage `convert`.
    pub mb_per_second: f64,
    /// Records per second of the stage `convert`.
    pub rows_per_second: f64,
    /// Peak resident memory in bytes, the system's figure.
    pub peak_memory: Option<u64>,
    /// `--memory` in bytes.
    pub memory: u64,
    /// Decoding threads.
    pub threads: usize,
    /// Whether the kernel refuses internet sockets to this process.
    pub sealed: bool,
    /// What makes the status 1.
    pub findings: Vec<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// The first rejects.
    #[serde(skip)]
    examples: Vec<String>,
    #[serde(skip)]
    stages: Vec<(&'static str, f64)>,
}

/// One collection or namespace.
#[derive(Debug, Serialize)]
pub struct CollectionReport {
    /// The database.
    pub source: String,
    /// Collection, class or index.
    pub collection: String,
    /// Namespace, tenant or partition; empty where there is none.
    pub namespace: String,
    /// Its members.
    pub members: u64,
}

/// Collections and namespaces that the text lists.
const LISTED: usize = 20;

/// One input.
#[derive(Debug, Serialize)]
pub struct InputReport {
    /// As given.
    pub dump: String,
    /// The layout.
    pub format: String,
    /// By what it was told.
    pub detected_by: String,
    /// The collection.
    pub collection: String,
    /// Number of shards.
    pub shards: usize,
    /// How they are written: `JSON lines, zstd`.
    pub encoding: String,
    /// Records read.
    pub read: u64,
    /// The order in which fields are tried for the text, and fields that change their name.
    pub mapping: Vec<String>,
}

/// One column of vectors.
#[derive(Debug, Serialize)]
pub struct VectorReport {
    /// The source's name.
    pub name: String,
    /// The column.
    pub column: String,
    /// `dense, 384 dimensions`.
    pub kind: String,
}

impl VectorReport {
    /// All columns of a layout.
    #[must_use]
    pub fn all(layout: &crate::frame::vectors::Layout) -> Vec<Self> {
        let main = Self {
            name: layout.main.clone().unwrap_or_else(|| "default".to_owned()),
            column: "vector".to_owned(),
            kind: crate::frame::vectors::VectorKind::Dense(layout.dimension, crate::frame::element::Element::Float32).describe(),
        };
        let others = layout.others.iter().map(|v| Self { name: v.name.clone(), column: v.column.clone(), kind: v.kind.describe() });
        std::iter::once(main).chain(others).collect()
    }

    /// `text → vector (dense, 384 dimensions)`
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} → {} ({})", printable(&self.name), self.column, self.kind)
    }
}

/// The encodings of an input's shards, without repeats.
#[must_use]
pub(super) fn encodings(input: &crate::plan::Input) -> String {
    use crate::source::magic::Encoding;
    let mut words: Vec<String> = Vec::new();
    for shard in &input.shards {
        let framing = shard.framing.name();
        let word = match shard.shard.encoding {
            Encoding::Plain | Encoding::Parquet | Encoding::Arrays | Encoding::Table => framing.to_owned(),
            packed => format!("{framing} in {}", packed.name()),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

impl CollectionReport {
    fn of((place, members): &(crate::frame::identity::Collection, u64)) -> Self {
        Self { source: place.source.clone(), collection: place.name.clone(), namespace: place.namespace.clone(), members: *members }
    }

    fn line(&self) -> String {
        let namespace = if self.namespace.is_empty() { String::new() } else { format!(", namespace {}", printable(&self.namespace)) };
        format!("{} in {}'s collection {}{namespace}", count(self.members), printable(&self.source), printable(&self.collection))
    }
}

impl InputReport {
    /// From the plan and the number of records read.
    #[must_use]
    pub fn of(input: &crate::plan::Input, read: u64) -> Self {
        let text = input.spec.text.as_ref().map(|t| t[1..].to_owned());
        let order: Vec<String> = text.into_iter().chain(input.mapping.text_order().iter().cloned()).collect();
        let mut mapping = vec![match input.mapping.joined() {
            Some(joined) => format!("text_content ← {} joined", joined.fields.join(", ")),
            None => format!("text_content ← first of {}", order.join(", ")),
        }];
        mapping.extend(input.mapping.describe());
        Self {
            dump: input.dump.clone(),
            format: input.spec.name.clone(),
            detected_by: input.told_by.clone(),
            collection: input.collection.name.clone(),
            shards: input.shards.len(),
            encoding: encodings(input),
            read,
            mapping,
        }
    }

    /// `points.jsonl.zst: qdrant (keys id, vector, payload), 1 shard, JSON lines in zstd → collection points`
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}: {} ({}), {}, {} → collection {}",
            printable(&self.dump),
            self.format,
            self.detected_by,
            plural(self.shards as u64, "shard"),
            self.encoding,
            printable(&self.collection)
        )
    }
}

impl ConvertReport {
    /// Puts the report together.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rates are shown with few digits")]
    pub fn of(plan: &Plan, output: &Output, outcome: &Outcome, seal: &Seal, seconds_total: f64) -> Self {
        let counts = &outcome.counts;
        let layout = plan.lean.map_or_else(|| outcome.layout.clone(), |lean| lean.renamed(&outcome.layout));
        let converting = outcome.seconds.first().map_or(0.0, |(_, s)| *s).max(1e-9);
        let mut notes = plan.notes.clone();
        notes.extend(outcome.notes(plan));
        notes.extend(super::links::notes(plan, &counts.unseen));
        let resized = ResizeReport::all(plan);
        let components_file = resized.iter().any(|r| r.fitted_on.is_some()).then(|| output.components.display().to_string());
        notes.extend(ResizeReport::notes(&resized, &components_file.as_deref().map(printable).unwrap_or_default()));
        if let Seal::Off(why) = seal {
            notes.push(format!("internet sockets are not refused by the kernel: {why}"));
        }
        let listed = counts.deduplicated.min(crate::dedupe::LISTED as u64);
        if listed < counts.deduplicated {
            notes.push(format!("the list of duplicates holds the first {}", count(listed)));
        }
        Self {
            vec2lance: env!("CARGO_PKG_VERSION"),
            status: if outcome.index_error.is_some() { 2 } else { u8::from(!outcome.findings.is_empty()) },
            dataset: outcome.version.map(|_| output.dataset.display().to_string()),
            dataset_version: outcome.version,
            tag: outcome.tag.clone(),
            update: outcome.update,
            resumed: outcome.resumed,
            inputs: plan.inputs.iter().zip(&counts.per_input).map(|(i, read)| InputReport::of(i, *read)).collect(),
            collections: outcome.members.iter().map(CollectionReport::of).collect(),
            ids_in_several: outcome.meeting,
            read: counts.read,
            written: counts.written,
            rejected: counts.rejected,
            deduplicated: counts.deduplicated,
            without_vector: counts.without_vector,
            zero_vectors: counts.zero_vectors,
            rounded_vectors: counts.rounded_vectors,
            headers: counts.headers,
            dropped: dropped(plan, &counts.unseen.dropped),
            links: outcome.links.clone(),
            rejects_by_code: counts.by_code.clone(),
            rejects_file: outcome.rejects_file.then(|| outcome.rejects.display().to_string()),
            duplicates_file: outcome.duplicates_file.then(|| output.duplicates.display().to_string()),
            vectors: VectorReport::all(&layout),
            promoted: layout.promoted.clone(),
            main_vector_from: plan.main_from.clone(),
            resized,
            components_file,
            metric: plan.metric.name(),
            metric_from: plan.metric_from.clone(),
            index: outcome.built.as_ref().map(|b| IndexReport::of(b, plan.metric.name())),
            bytes_read: counts.bytes,
            bytes_written: outcome.output_bytes,
            seconds: outcome.seconds.iter().copied().collect(),
            seconds_total,
            mb_per_second: counts.bytes as f64 / 1e6 / converting,
            rows_per_second: counts.read as f64 / converting,
            peak_memory: peak_memory(),
            memory: plan.budget.memory,
            threads: plan.budget.threads,
            sealed: *seal == Seal::On,
            findings: outcome.findings.clone(),
            notes,
            examples: counts.examples.clone(),
            stages: outcome.seconds.clone(),
        }
    }

    /// Whether a dataset was there and stays as it is.
    #[must_use]
    pub fn unchanged(&self) -> bool {
        self.update.is_some() && self.tag.is_none()
    }

    /// For people.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are positive and small")]
    pub fn text(&self) -> String {
        let mut table = Table::default();
        for input in &self.inputs {
            table.row("input", &input.line());
        }
        table.some("resumed", self.resumed.map(|n| format!("{} were taken over from the interrupted run", plural(n, "record"))));
        table.row("read", &format!("{} from {}", plural(self.read, "record"), bytes(self.bytes_read)));
        let headers = if self.headers > 0 { format!(", and {}", plural(self.headers, "collection header")) } else { String::new() };
        match &self.update {
            None => table.row("written", &format!("{}{headers}", plural(self.written, "record"))),
            Some(u) => table.row(
                "changes",
                &format!(
                    "{} added, {} changed, {} unchanged, {} removed; {} rows before, {} now",
                    count(u.added),
                    count(u.changed),
                    count(u.unchanged),
                    count(u.removed),
                    count(u.rows_before),
                    count(u.rows)
                ),
            ),
        }
        if self.collections.len() > 1 {
            table.list("members", &self.collections.iter().take(LISTED).map(CollectionReport::line).collect::<Vec<_>>());
            let more = self.collections.len().saturating_sub(LISTED);
            table.some("", (more > 0).then(|| format!("and {more} more: the report has them all")));
        }
        table.some("ids", self.ids_in_several.filter(|n| *n > 0).map(|n| format!("{} in more than one of them; their records stay apart", plural(n, "id"))));
        let codes: Vec<String> = self.rejects_by_code.iter().map(|(code, n)| format!("{} {code}", count(*n))).collect();
        table.row("rejected", &if codes.is_empty() { "0".to_owned() } else { format!("{} ({})", count(self.rejected), codes.join(", ")) });
        table.list("", &self.examples);
        table.row("deduplicated", &count(self.deduplicated));
        table.row("no vector", &count(self.without_vector));
        let dropped: Vec<String> = self.dropped.iter().map(|(field, n)| format!("{} from {}", printable(field), plural(*n, "record"))).collect();
        table.list("dropped", &dropped);
        table.list("references", &super::links::lines(&self.links));
        table.list("vectors", &self.vectors.iter().map(VectorReport::line).collect::<Vec<_>>());
        table.list("columns", &self.promoted.iter().map(crate::frame::promote::PromotedColumn::line).collect::<Vec<_>>());
        table.row("main vector", &self.main_vector_from);
        table.list("resized", &self.resized.iter().map(ResizeReport::line).collect::<Vec<_>>());
        table.some("components", self.components_file.as_deref().map(printable));
        table.row("metric", &format!("{} ({})", self.metric, self.metric_from));
        if let Some(index) = &self.index {
            table.row("index", &index.line());
            table.list("", &index.why);
            let others = index.names.iter().filter(|n| *n != "vector_idx").count();
            table.some("", (others > 0).then(|| format!("and {others} more: full text, uuid, ids, tags, dates")));
        }
        let stages: Vec<String> = self.stages.iter().map(|(name, s)| format!("{name} {s:.2}")).collect();
        table.row("seconds", &format!("{:.2} ({})", self.seconds_total, stages.join(", ")));
        table.row("speed", &format!("{:.0} MB/s, {} records/s while converting", self.mb_per_second, count(self.rows_per_second as u64)));
        let peak = self.peak_memory.map_or("not measured here".to_owned(), |p| format!("{} peak", mib(p)));
        table.row("memory", &format!("{peak}, {} asked for, {}", mib(self.memory), plural(self.threads as u64, "thread")));
        table.row("network", if self.sealed { "refused by the kernel" } else { "none used" });
        if let Some(dataset) = &self.dataset {
            let tag = self.tag.as_deref().map(|t| format!(", tag {t}")).unwrap_or_default();
            let version = self.dataset_version.map(|v| format!(", version {v}{tag}")).unwrap_or_default();
            table.row("dataset", &format!("{} ({}{version})", printable(dataset), bytes(self.bytes_written)));
        }
        table.some("rejects", self.rejects_file.as_deref().map(printable));
        table.some("duplicates", self.duplicates_file.as_deref().map(printable));
        table.list("note", &self.notes);
        table.list("FINDING", &self.findings);
        table.finish()
    }
}

/// All fields that are to be dropped, also those that no record has: a name that was mistyped shows.
fn dropped(plan: &Plan, met: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let fields = plan.inputs.iter().flat_map(|i| i.mapping.dropped());
    fields.map(|field| (field.clone(), met.get(field).copied().unwrap_or(0))).collect()
}

/// `1024 MiB`: memory is asked for in these units.
fn mib(n: u64) -> String {
    format!("{} MiB", count(n.div_ceil(1 << 20)))
}
