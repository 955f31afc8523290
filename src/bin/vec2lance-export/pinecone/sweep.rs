//! Ids of a pod index, which cannot be listed: queries from many places of the space until they bring no new ones.
//!
//! First queries with random vectors, then by turns random ones and the neighbourhoods of records that were found. Nothing proves
//! that all were found except the index's own count, against which the manifest holds the result.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use vec2lance::error::Result;

use super::control::Private;
use super::lines::{self, Lines};
use super::list::{IDS, Met};
use super::{Pinecone, Usage, VERSION};
use crate::http::Request;
use crate::source::Unit;

/// Hits of a query: the most that the interface allows.
const TOP_K: u64 = 10_000;
/// Queries with random vectors before neighbourhoods are looked at.
const RANDOM_FIRST: u64 = 8;

#[derive(Deserialize)]
struct Matches {
    #[serde(default)]
    matches: Vec<Match>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Match {
    id: String,
}

impl Pinecone {
    /// Sweeps a namespace of a pod index into [`IDS`].
    pub(super) async fn sweep(&self, unit: &Unit, private: &Private, workdir: &Path) -> Result<()> {
        let client = self.data(&private.host)?;
        let mut lines = Lines::open(workdir, IDS)?;
        let mut met = Met::default();
        let mut at = 0;
        while at < lines.at.bytes {
            for (line, next) in lines::read(lines.path(), at, Some(lines.at.bytes), 1000)? {
                at = next;
                met.first_time(&super::fetch::text(&line)?);
            }
        }
        if lines.at.expected.is_none() {
            lines.at.expected = self.counted(unit, private).await?;
        }
        let expected = lines.at.expected.unwrap_or(u64::MAX);
        let mut idle = 0;
        while !lines.at.done && met.count() < expected && idle < self.args.sweep_patience && lines.at.queries < self.args.sweep_queries {
            let request = Request::post("/query", self.query(unit, &lines)?).header(VERSION, private.kind.api().version());
            let found: Matches = client.json(request.what(format!("query {} for ids", super::place(unit)))).await?.owned()?;
            let before = met.count();
            for hit in found.matches {
                if met.first_time(&hit.id) {
                    lines.push(&json!(hit.id).to_string())?;
                }
            }
            idle = if met.count() > before { 0 } else { idle + 1 };
            lines.at.queries += 1;
            lines.at.read_units += found.usage.map_or(0, |usage| usage.read_units);
            lines.save()?;
            // A dry run needs some only.
            lines.at.done = self.args.common.dry_run;
        }
        lines.at.done = true;
        lines.save()
    }

    /// The next query: its number decides about it, so that a resumed sweep goes on where it was.
    fn query(&self, unit: &Unit, lines: &Lines) -> Result<Value> {
        let number = lines.at.queries;
        let mut random = fastrand::Rng::with_seed(number);
        let mut body = json!({ "topK": TOP_K, "includeValues": false, "includeMetadata": false });
        if let Some(namespace) = &unit.namespace {
            body["namespace"] = json!(namespace);
        }
        if let Some(filter) = &self.filter {
            body["filter"] = filter.clone();
        }
        if number >= RANDOM_FIRST && number % 2 == 1 && lines.at.bytes > 0 {
            let start = lines::line_start(lines.path(), random.u64(0..lines.at.bytes))?;
            let start = if start < lines.at.bytes { start } else { 0 };
            if let Some((line, _)) = lines::read(lines.path(), start, Some(lines.at.bytes), 1)?.first() {
                body["id"] = json!(super::fetch::text(line)?);
                return Ok(body);
            }
        }
        let dimension = unit.vectors.first().and_then(|vector| vector.dimension).unwrap_or(1);
        // About normally distributed, so that every direction is as likely as every other.
        let mut value = || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
        body["vector"] = json!((0..dimension).map(|_| value()).collect::<Vec<f32>>());
        Ok(body)
    }
}
