//! `--server-export`: the server writes Parquet to its own storage (1.37 and newer), and its files become the parts of the snapshot.
//!
//! Layout: `formats/weaviate-export.toml`. Written from `handlers_export.go` and the models of 1.37. Starting an export changes no
//! object; it is the one call of this exporter that makes a server write.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use vec2lance::error::{Error, Result};
use vec2lance::manifest::{CollectionEntry, CountEntry, FORMAT, Manifest, Skipped, VERSION};

use super::files::{self, Parquet};
use super::{Args, Weaviate};
use crate::http::{Failure, Request, segment};
use crate::run::{Outcome, Sealed};
use crate::source::{Count, Source, Unit};
use crate::writer::write_whole;

/// The file of this snapshot's folder that says which export of the server it waits for.
const WAITING: &str = "server-export.json.partial";
/// Time between two looks at the server's progress.
const LOOK: Duration = Duration::from_secs(2);
/// Looks at an export that was started and is not there yet.
const NOT_YET: u32 = 5;

/// The answer of `GET /v1/export/{backend}/{id}`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    #[serde(default)]
    status: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    shard_status: BTreeMap<String, BTreeMap<String, Shard>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shard {
    #[serde(default)]
    status: String,
    #[serde(default)]
    objects_exported: u64,
    #[serde(default)]
    error: String,
    #[serde(default)]
    skip_reason: String,
}

/// Runs the whole of it.
///
/// # Errors
/// The server cannot export or fails; its files cannot be read here.
pub(super) async fn export(source: &Weaviate, backend: &str, args: &Args) -> Result<Outcome> {
    let (started, common) = (Instant::now(), &args.common);
    if !common.namespaces.is_empty() || common.filter.is_some() || common.record_queries.is_some() || common.dry_run {
        return Err(Error::new("--server-export takes whole classes: it goes with neither --tenant, --filter, --record-queries nor --dry-run")
            .help("leave these out, or export without --server-export"));
    }
    let version = source.version().await?.unwrap_or_default();
    if older(&version) {
        return Err(Error::new(format!("Weaviate {version} cannot export by itself: that came with 1.37")).help("export without --server-export"));
    }
    let begun = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let folder = &common.snapshot;
    let waited = files::enter(folder, WAITING)?;
    let chosen = common.selection();
    let classes = source.classes(&chosen).await?;
    let mut before = BTreeMap::new();
    for (class, _) in classes.iter().filter(|(class, _)| !class.has_tenants()) {
        before.insert(class.name.clone(), source.count(&bare(&class.name)).await?);
    }
    let id = args.export_id.clone().or(waited).unwrap_or_else(|| format!("vec2lance-{}", Utc::now().format("%Y%m%d%H%M%S%3f")));
    // Before it is started: a run that dies in between finds it again.
    files::wait_for(folder, WAITING, &id)?;
    let names: Vec<&str> = classes.iter().map(|(class, _)| class.name.as_str()).collect();
    source.begin(backend, &id, &names).await?;
    let state = source.finished(backend, &id).await?;
    let Some(from) = args.export_dir.as_deref().and_then(|dir| files::place(dir, &id)) else {
        let shown: String = state.path.chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(Error::new(format!("the server's export {id} is complete, but its files cannot be read here; they lie at {shown}"))
            .help(format!("bring that folder here, then give the same command with --export-dir DIR --export-id {id}; until then there is no manifest")));
    };
    let parquet = files::parquet(&from)?;
    let mut entries = Vec::new();
    for (class, schema) in &classes {
        entries.extend(entry_of(source, class.name.as_str(), schema, &parquet, &state, folder, before.remove(&class.name).flatten()).await?);
    }
    files::carry(&from, folder)?;
    let schemas: Vec<&Value> = classes.iter().map(|(_, schema)| schema).collect();
    let text = serde_json::to_vec_pretty(&json!({ "classes": schemas })).map_err(|e| Error::new(format!("cannot write the schema: {e}")))?;
    write_whole(folder, "schema.json", &text)?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        source: "weaviate".to_owned(),
        source_version: Some(version),
        exported_at: Some(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
        exporter: Some(concat!("vec2lance-export ", env!("CARGO_PKG_VERSION")).to_owned()),
        started_at: Some(begun),
        options: BTreeMap::from([("server-export".to_owned(), json!(backend)), ("export-id".to_owned(), json!(id))]),
        collections: entries,
        skipped: skipped(&state),
        queries: None,
        files: Vec::new(),
    };
    let mut text = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::new(format!("cannot write the manifest: {e}")))?;
    text.push(b'\n');
    write_whole(folder, vec2lance::manifest::FILE, &text)?;
    files::forget(folder, WAITING)?;
    let seconds = started.elapsed().as_secs_f64();
    let written = (manifest.collections.iter().map(|entry| entry.count).sum(), 0);
    Ok(Outcome::Sealed(Box::new(Sealed { folder: folder.clone(), manifest, written, seconds, requests: crate::http::requests(), resumed: false })))
}

/// Whether a version lies before the first one that exports. What cannot be read is not older.
fn older(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map_while(|n| n.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version < (1, 37))
}

/// A class as a unit, for its count.
fn bare(class: &str) -> Unit {
    Unit {
        collection: class.to_owned(),
        namespace: None,
        layout: "weaviate-export".to_owned(),
        metric: None,
        vectors: Vec::new(),
        schema: Value::Null,
        losses: Vec::new(),
        private: Value::Null,
    }
}

impl Weaviate {
    /// Starts an export, unless one of this id is there.
    async fn begin(&self, backend: &str, id: &str, classes: &[&str]) -> Result<()> {
        let body = json!({ "id": id, "file_format": "parquet", "include": classes });
        let request = Request::post(format!("/v1/export/{}", segment(backend)), body).what(format!("start the export {id}"));
        match self.client.json(request).await {
            Ok(_) => Ok(()),
            // Either ours, which the next question finds, or another's, which it does not.
            Err(Failure::Refused { status: 409, message, .. }) => match self.state(backend, id).await {
                Ok(_) => Ok(()),
                Err(Failure::Missing { .. }) => Err(Error::new(format!("cannot start the export {id}: {message}"))
                    .help("the server runs one export at a time: wait for the end of the other one")),
                Err(failure) => Err(failure.into()),
            },
            Err(Failure::Missing { what, message } | Failure::Refused { what, status: 422, message }) => Err(Error::new(format!("cannot {what}: {message}"))
                .help("the server needs EXPORT_ENABLED=true and a backend for files (EXPORT_DEFAULT_BUCKET); else export without --server-export")),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn state(&self, backend: &str, id: &str) -> Result<State, Failure> {
        let request = Request::get(format!("/v1/export/{}/{}", segment(backend), segment(id))).what(format!("ask for the state of the export {id}"));
        self.client.json(request).await?.owned()
    }

    /// Waits until an export is at its end.
    async fn finished(&self, backend: &str, id: &str) -> Result<State> {
        let mut absent = 0;
        loop {
            match self.state(backend, id).await {
                Ok(state) => match state.status.as_str() {
                    "SUCCESS" => return Ok(state),
                    "FAILED" | "CANCELED" => {
                        let shards = state.shard_status.values().flatten().filter(|(_, shard)| !shard.error.is_empty());
                        let why = std::iter::once(state.error.clone()).chain(shards.map(|(name, shard)| format!("{name}: {}", shard.error)));
                        let why = why.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
                        return Err(Error::new(format!("the server's export {id} is {}: {}", state.status, crate::http::clean(&why)))
                            .help("an export that failed is not taken up again: give another --export-id"));
                    }
                    "STARTED" | "TRANSFERRING" => {}
                    other => return Err(Failure::malformed(&format!("ask for the state of the export {id}"), format!("the status {other} is unknown")).into()),
                },
                Err(Failure::Missing { .. }) if absent < NOT_YET => absent += 1,
                Err(failure) => return Err(failure.into()),
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The entries of a class: one, or one for each tenant.
async fn entry_of(
    source: &Weaviate,
    class: &str,
    schema: &Value,
    parquet: &[Parquet],
    state: &State,
    folder: &Path,
    before: Option<Count>,
) -> Result<Vec<CollectionEntry>> {
    let count = |count: Count| CountEntry { value: count.value, by: count.by, exact: count.exact };
    let mut tenants: Vec<Option<String>> = parquet.iter().filter(|file| file.collection == class).map(|file| file.tenant.clone()).collect();
    tenants.sort();
    tenants.dedup();
    if tenants.is_empty() {
        tenants.push(None);
    }
    let parsed: super::schema::Class = serde_json::from_value(schema.clone()).map_err(|e| Error::new(format!("the schema of {class} cannot be read: {e}")))?;
    let mut entries = Vec::new();
    for tenant in tenants {
        let mut parts = Vec::new();
        for file in parquet.iter().filter(|file| file.collection == class && file.tenant == tenant) {
            parts.push(files::take(file, folder)?);
        }
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        let told: Option<u64> = state.shard_status.get(class).map(|shards| {
            let ours = shards.iter().filter(|(name, _)| tenant.as_ref().is_none_or(|tenant| tenant == *name));
            ours.map(|(_, shard)| shard.objects_exported).sum()
        });
        let after = if tenant.is_none() && !parsed.has_tenants() { source.count(&bare(class)).await? } else { None };
        let mut findings = Vec::new();
        if let Some(told) = told.filter(|told| *told != rows) {
            findings.push(format!("the server says that it exported {told} objects, its files hold {rows}"));
        }
        if let Some(before) = before.as_ref().filter(|before| before.exact && before.value != rows) {
            findings.push(format!("the server counted {} objects before the export, its files hold {rows}", before.value));
        }
        if let (Some(before), Some(after)) = (&before, &after)
            && before.value != after.value
        {
            findings.push(format!("the source counted {} objects before and {} after ({}): it changed meanwhile", before.value, after.value, after.by));
        }
        let vectors = source.vectors(&parsed, &Unit { namespace: tenant.clone(), ..bare(class) }).await?;
        entries.push(CollectionEntry {
            name: class.to_owned(),
            namespace: tenant,
            layout: Some("weaviate-export".to_owned()),
            count: rows,
            metric: vectors.first().and_then(|vector| vector.metric.clone()),
            vectors,
            schema: Some(schema.clone()),
            parts,
            count_before: before.clone().map(count),
            count_after: after.map(count),
            marker_before: Value::Null,
            marker_after: Value::Null,
            vanished: 0,
            findings,
            losses: vec!["integers are stored as doubles: those beyond 2^53 were rounded when they were written".to_owned()],
            notes: vec!["point-in-time export by the server itself".to_owned()],
        });
    }
    Ok(entries)
}

/// Shards that the server left out.
fn skipped(state: &State) -> Vec<Skipped> {
    let shards = state.shard_status.iter().flat_map(|(class, shards)| shards.iter().map(move |(name, shard)| (class, name, shard)));
    shards
        .filter(|(_, _, shard)| shard.status != "SUCCESS")
        .map(|(class, name, shard)| Skipped {
            collection: class.clone(),
            namespace: Some(name.clone()),
            reason: if shard.skip_reason.is_empty() { format!("the shard is {}", shard.status) } else { shard.skip_reason.clone() },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert!(older("1.36.9") && older("1.4.0"));
        assert!(!older("1.37.0") && !older("1.40.0-dev") && !older("2.0.1") && !older("main"));
    }
}
