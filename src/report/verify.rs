//! The report of `verify`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::text::{Table, count, plural};
use crate::dataset::read::IndexFacts;
use crate::reject::printable;
use crate::verify::{Difference, Group, Verified};

/// What `verify` prints.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// Version of the program.
    pub vec2lance: &'static str,
    /// The exit status: 0 or 1.
    pub status: u8,
    /// The dataset.
    pub dataset: String,
    /// Its version in Lance's own counting.
    pub dataset_version: u64,
    /// Records of the dump.
    pub read: u64,
    /// Rows of the dataset in the dump's collections.
    pub written: u64,
    /// Refused records.
    pub rejected: u64,
    /// Records that lost against another of the same id.
    pub deduplicated: u64,
    /// Rows that are what the dump says.
    pub verified: u64,
    /// Of those, rows whose vectors differ within `--cosine`.
    pub near: u64,
    /// Records without a row.
    pub missing: u64,
    /// Rows without a record.
    pub unexpected: u64,
    /// Rows with the uuid of another one.
    pub doubled: u64,
    /// Rows that differ from their record.
    pub different: u64,
    /// Digest of the dump's content; null for a sample.
    pub dump_digest: Option<String>,
    /// Digest of the dataset's content; null for a sample.
    pub dataset_digest: Option<String>,
    /// Counts by collection and namespace.
    pub groups: Vec<Group>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// The indices.
    pub indices: Vec<IndexFacts>,
    /// What makes the status 1.
    pub findings: Vec<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// Seconds per stage.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Peak resident memory in bytes.
    pub peak_memory: Option<u64>,
    /// The one line that can be quoted.
    pub line: String,
}

impl VerifyReport {
    /// Puts the report together.
    #[must_use]
    pub fn of(found: Verified, dataset: &std::path::Path, version: u64, notes: Vec<String>) -> Self {
        let digests = match (&found.dump_digest, &found.dataset_digest) {
            (Some(dump), Some(dataset)) => format!("; dump {dump}, dataset {dataset}"),
            _ => "; a sample has no digests".to_owned(),
        };
        let line = format!(
            "{} read, {} written, {} rejected, {} deduplicated, {} verified{digests}",
            count(found.read),
            count(found.written),
            count(found.rejected),
            count(found.deduplicated),
            count(found.verified)
        );
        let groups = found.groups.all().iter().filter(|g| g.in_dump).cloned().collect();
        Self {
            vec2lance: env!("CARGO_PKG_VERSION"),
            status: u8::from(!found.findings.is_empty()),
            dataset: dataset.display().to_string(),
            dataset_version: version,
            read: found.read,
            written: found.written,
            rejected: found.rejected,
            deduplicated: found.deduplicated,
            verified: found.verified,
            near: found.near,
            missing: found.missing,
            unexpected: found.unexpected,
            doubled: found.doubled,
            different: found.different,
            dump_digest: found.dump_digest,
            dataset_digest: found.dataset_digest,
            groups,
            differences: found.differences,
            indices: found.indices,
            findings: found.findings,
            notes: notes.into_iter().chain(found.notes).collect(),
            seconds: found.seconds.into_iter().collect(),
            peak_memory: super::peak_memory(),
            line,
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut table = Table::default();
        table.row("dataset", &format!("{} (version {})", printable(&self.dataset), self.dataset_version));
        let sampled = self.dump_digest.is_none();
        for group in self.groups.iter().filter(|_| !sampled) {
            let manifest = group.manifest.map(|n| format!(", {} by the manifest", count(n))).unwrap_or_default();
            table.row(
                "rows",
                &format!(
                    "{}: {} in the dump{manifest}, {} rejected, {} deduplicated; {} expected, {} in the dataset",
                    group.shown(),
                    plural(group.read, "record"),
                    count(group.rejected),
                    count(group.lost),
                    count(group.expected),
                    count(group.dataset)
                ),
            );
        }
        for difference in &self.differences {
            let place = difference.place.as_deref().map(|p| format!(" at {p}")).unwrap_or_default();
            let id = difference.id.as_deref().map_or_else(|| difference.uuid.clone(), printable);
            table.row(difference.kind, &format!("id {id}{place}"));
            for field in &difference.fields {
                table.row("", &format!("{}: dump {}", printable(&field.field), printable(&field.dump)));
                table.row("", &format!("{}  dataset {}", " ".repeat(field.field.chars().count()), printable(&field.dataset)));
            }
        }
        let listed = self.differences.len() as u64;
        let all = self.missing + self.unexpected + self.doubled + self.different;
        table.some("", (all > listed).then(|| format!("and {} more differences; --list N lists more", count(all - listed))));
        if self.near > 0 {
            table.row("near", &format!("{} vectors differ within the cosine asked for", count(self.near)));
        }
        let broken = self.indices.iter().filter(|i| i.broken.is_some() || i.unindexed > 0).count();
        let vector = self.indices.iter().find(|i| i.name == "vector_idx");
        let vector = vector.map(|v| format!(", the vector index {} ({})", v.index_type, v.metric.as_deref().unwrap_or("no metric"))).unwrap_or_default();
        table.row("indices", &format!("{}{vector}, {broken} with findings", plural(self.indices.len() as u64, "index").replace("indexs", "indices")));
        let stages: Vec<String> = self.seconds.iter().map(|(name, s)| format!("{name} {s:.2}")).collect();
        table.row("seconds", &format!("{:.2} ({})", self.seconds.values().sum::<f64>(), stages.join(", ")));
        table.list("note", &self.notes);
        table.list("FINDING", &self.findings);
        table.row(if self.status == 0 { "VERIFIED" } else { "DIFFERS" }, &self.line);
        table.finish()
    }
}
