//! The report of `inspect`, and of `inspect --check`.

use serde::Serialize;

use super::convert::{InputReport, VectorReport};
use super::resize::ResizeReport;
use super::text::{Table, bytes, count, plural};
use crate::dataset::choose::choose;
use crate::plan::Plan;
use crate::reject::printable;

/// What dumps are and what `convert` would do.
#[derive(Debug, Serialize)]
pub struct InspectReport {
    /// What would be read.
    pub inputs: Vec<InputReport>,
    /// Shards: name, bytes on disk, encoding.
    pub shards: Vec<ShardReport>,
    /// Bytes of all shards on disk.
    pub bytes: u64,
    /// Records looked at.
    pub sampled: u64,
    /// Records that manifests promise; null without a manifest.
    pub promised: Option<u64>,
    /// Columns of vectors.
    pub vectors: Vec<VectorReport>,
    /// Main vectors that would get another number of values.
    pub resized: Vec<ResizeReport>,
    /// Source schemas, as far as dumps carry one.
    pub schemas: Vec<String>,
    /// The metric.
    pub metric: &'static str,
    /// By what it was told.
    pub metric_from: String,
    /// The vector index that would be built, for the promised or estimated number of records.
    pub index: String,
    /// Bytes that a run stays within.
    pub memory: u64,
    /// Decoding threads.
    pub threads: usize,
    /// Bytes of chunks under way.
    pub in_flight: u64,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// The check of every part; null without `--check`.
    pub check: Option<CheckReport>,
}

/// One shard.
#[derive(Debug, Serialize)]
pub struct ShardReport {
    /// Its name.
    pub name: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// How it is wrapped.
    pub encoding: &'static str,
    /// How records are set apart.
    pub framing: &'static str,
}

/// `--check`.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// Every shard.
    pub parts: Vec<PartCheck>,
    /// Records read.
    pub read: u64,
    /// Records that would be rejected.
    pub rejected: u64,
    /// Sentences about what differs.
    pub findings: Vec<String>,
}

/// One shard that was read to its end.
#[derive(Debug, Serialize)]
pub struct PartCheck {
    /// Its name.
    pub name: String,
    /// Records in it.
    pub rows: u64,
    /// Records that would be rejected.
    pub rejected: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: Option<String>,
    /// What differs from the manifest; empty if nothing does, or if there is no manifest.
    pub findings: Vec<String>,
}

impl InspectReport {
    /// From the plan.
    #[must_use]
    pub fn of(plan: &Plan, check: Option<CheckReport>) -> Self {
        let promised: Option<u64> = plan.inputs.iter().map(|i| i.promised).sum();
        let shards: Vec<ShardReport> = plan
            .shards()
            .map(|(_, s)| ShardReport { name: s.shard.name.clone(), bytes: s.shard.size, encoding: s.shard.encoding.name(), framing: s.framing.name() })
            .collect();
        let known = promised.or(check.as_ref().map(|c| c.read - c.rejected));
        let line = |n: u64| match choose(plan.index, plan.wishes, n, plan.layout.dimension) {
            Ok(choice) if choice.partitions > 0 => {
                let codes = if choice.sub_vectors > 0 { format!(", {} sub-vectors of {} bits", choice.sub_vectors, choice.bits) } else { String::new() };
                format!("{} with {}{codes}", choice.type_name(), plural(choice.partitions as u64, "partition"))
            }
            Ok(_) => "none".to_owned(),
            Err(error) => error.to_string(),
        };
        let index = match known {
            Some(n) => format!("{} for {}", line(n), plural(n, "record")),
            None => format!("{} up to 100,000 vectors, {} for a million (the count is known after reading)", line(100_000), line(1_000_000)),
        };
        Self {
            inputs: plan.inputs.iter().map(|i| InputReport::of(i, i.sampled)).collect(),
            bytes: shards.iter().map(|s| s.bytes).sum(),
            shards,
            sampled: plan.inputs.iter().map(|i| i.sampled).sum(),
            promised,
            vectors: VectorReport::all(&plan.layout),
            resized: ResizeReport::all(plan),
            schemas: plan.inputs.iter().filter_map(|i| i.schema.clone()).collect(),
            metric: plan.metric.name(),
            metric_from: plan.metric_from.clone(),
            index,
            memory: plan.budget.memory,
            threads: plan.budget.threads,
            in_flight: plan.budget.in_flight,
            notes: plan.notes.iter().chain(plan.inputs.iter().flat_map(|i| &i.losses)).cloned().collect(),
            check,
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut table = Table::default();
        for input in &self.inputs {
            table.row("input", &input.line());
            table.list("", &input.mapping);
        }
        table.row("shards", &format!("{}, {}", count(self.shards.len() as u64), bytes(self.bytes)));
        for shard in self.shards.iter().take(20) {
            table.row("", &format!("{} ({}, {}, {})", printable(&shard.name), bytes(shard.bytes), shard.framing, shard.encoding));
        }
        if self.shards.len() > 20 {
            table.row("", &format!("… and {} more", self.shards.len() - 20));
        }
        table.row("sampled", &plural(self.sampled, "record"));
        table.some("promised", self.promised.map(|n| format!("{} by the manifest", plural(n, "record"))));
        table.list("vectors", &self.vectors.iter().map(VectorReport::line).collect::<Vec<_>>());
        table.list("resized", &self.resized.iter().map(ResizeReport::line).collect::<Vec<_>>());
        for schema in &self.schemas {
            table.row("schema", &crate::reject::excerpt(&crate::formats::json::compact(schema), 400));
        }
        table.row("metric", &format!("{} ({})", self.metric, self.metric_from));
        table.row("index", &self.index);
        table.row(
            "memory",
            &format!(
                "{} MiB at most, {} MiB of it for records under way, {}",
                count(self.memory >> 20),
                count(self.in_flight >> 20),
                plural(self.threads as u64, "thread")
            ),
        );
        table.list("note", &self.notes);
        let mut text = table.finish();
        if let Some(check) = &self.check {
            text.push_str(&check.text());
        }
        text
    }
}

impl CheckReport {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut table = Table::default();
        table.row("checked", &format!("{}, {} of them would be rejected", plural(self.read, "record"), count(self.rejected)));
        for part in &self.parts {
            let state = if part.findings.is_empty() { "ok".to_owned() } else { part.findings.join("; ") };
            table.row("", &format!("{}: {}, {}", printable(&part.name), plural(part.rows, "record"), state));
        }
        table.list("FINDING", &self.findings);
        table.finish()
    }
}
