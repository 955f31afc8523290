//! The control plane: which indexes there are, of which kind, where they answer; and the namespaces of each.
//!
//! Indexes are listed by API 2026-07, the only one that tells document indexes from vector indexes, and vector indexes are then
//! described by 2026-04, whose words (dimension, metric, spec) are the ones of their data plane.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vec2lance::error::{Error, Result};
use vec2lance::manifest::VectorEntry;

use super::{Api, Pinecone};
use crate::http::{Client, Request, segment};
use crate::source::{LeftOut, Selection, Unit};

/// How long the counts of an index with many namespaces are taken for the same.
const FRESH: Duration = Duration::from_secs(5);
/// More namespaces than this are many.
const MANY: usize = 20;

/// How an index is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Vectors on serverless infrastructure: ids can be listed.
    Vectors,
    /// Vectors on pods: they cannot.
    Pods,
    /// Documents (API 2026-07).
    Documents,
}

impl Kind {
    /// The version that its data plane answers to.
    pub(super) fn api(self) -> Api {
        if self == Self::Documents { Api::Documents } else { Api::Vectors }
    }
}

/// What an index is to the rest of this source.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) host: String,
    pub(super) vectors: Vec<VectorEntry>,
    pub(super) schema: Value,
}

/// What a unit needs to be paged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Private {
    pub(super) kind: Kind,
    pub(super) host: String,
}

#[derive(Deserialize)]
struct Indexes {
    #[serde(default)]
    indexes: Vec<Value>,
}

#[derive(Deserialize)]
struct Namespaces {
    #[serde(default)]
    namespaces: Vec<Namespace>,
    #[serde(default)]
    pagination: Option<super::Pagination>,
}

#[derive(Deserialize)]
struct Namespace {
    name: String,
}

/// The counts of `describe_index_stats`, by namespace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    #[serde(default)]
    pub(super) namespaces: std::collections::BTreeMap<String, Summary>,
}

/// One namespace of [`Stats`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    #[serde(default)]
    pub(super) vector_count: u64,
}

impl Pinecone {
    /// The chosen indexes by name, and those that are not ready.
    pub(super) async fn indexes(&self, chosen: &Selection) -> Result<(Vec<Index>, Vec<LeftOut>)> {
        let request = Request::get("/indexes").header(super::VERSION, Api::Documents.version()).what("list the indexes");
        let answer = self.control.json(request).await?;
        let mut list = answer.owned::<Indexes>()?.indexes;
        let name = |index: &Value| index.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        list.sort_by_key(name);
        let known: Vec<String> = list.iter().map(name).collect();
        if let Some(missing) = chosen.collections.iter().find(|wanted| !known.contains(wanted)) {
            return Err(Error::new(format!("there is no index {missing}")).help(format!("the project has: {}", super::listed(&known))));
        }
        let (mut indexes, mut left) = (Vec::new(), Vec::new());
        for model in list {
            let name = name(&model);
            if !chosen.collections.is_empty() && !chosen.collections.contains(&name) {
                continue;
            }
            if model.pointer("/status/ready") == Some(&Value::Bool(false)) {
                let state = model.pointer("/status/state").and_then(Value::as_str).unwrap_or("not ready");
                left.push(LeftOut { collection: name, namespace: None, reason: format!("the index is {state}") });
                continue;
            }
            let kind = kind(&model);
            let schema = if kind == Kind::Documents { model } else { self.describe(&name).await? };
            let host = schema.get("host").and_then(Value::as_str).ok_or_else(|| answer.malformed(&format!("the index {name} has no host")))?;
            indexes.push(Index { kind, host: self.address(host)?, vectors: vectors(kind, &schema), name, schema });
        }
        Ok((indexes, left))
    }

    async fn describe(&self, name: &str) -> Result<Value> {
        let request =
            Request::get(format!("/indexes/{}", segment(name))).header(super::VERSION, Api::Vectors.version()).what(format!("describe the index {name}"));
        Ok(self.control.json(request).await?.owned()?)
    }

    /// Where an index answers. The control plane gives a name without a scheme; one of plain HTTP only counts beside a control plane of
    /// plain HTTP, so that the key never leaves TLS because of an answer.
    fn address(&self, host: &str) -> Result<String> {
        match host.split_once("://") {
            None => Ok(format!("https://{host}")),
            Some(("https", _)) => Ok(host.to_owned()),
            Some(("http", _)) if self.control.base().starts_with("http://") => Ok(host.to_owned()),
            _ => Err(Error::new(format!("the control plane says that an index answers at {host}, which is not HTTPS"))),
        }
    }

    /// Namespaces of an index by name; the default one is the empty name and comes first. An index without any has the default one.
    pub(super) async fn namespaces(&self, client: &Client, index: &Index) -> Result<Vec<String>> {
        let mut names = Vec::new();
        if index.kind == Kind::Pods {
            names.extend(self.stats(client, index.kind, None).await?.namespaces.into_keys());
        } else {
            let mut token: Option<String> = None;
            loop {
                let mut request = Request::get("/namespaces").query("limit", 100).header(super::VERSION, index.kind.api().version());
                if let Some(token) = &token {
                    request = request.query("paginationToken", token);
                }
                let page: Namespaces = client.json(request.what(format!("list the namespaces of {}", index.name))).await?.owned()?;
                names.extend(page.namespaces.into_iter().map(|namespace| namespace.name));
                match super::next(page.pagination, token.as_deref(), "list the namespaces")? {
                    Some(next) => token = Some(next),
                    None => break,
                }
            }
        }
        for name in &mut names {
            if name == super::DEFAULT {
                name.clear();
            }
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            names.push(String::new());
        }
        Ok(names)
    }

    /// Records of a unit by the index's own count; none where a filter cannot be counted by.
    pub(super) async fn counted(&self, unit: &Unit, private: &Private) -> Result<Option<u64>> {
        let pods = private.kind == Kind::Pods;
        if self.filter.is_some() && !pods {
            return Ok(None);
        }
        let client = self.data(&private.host)?;
        // One answer counts every namespace. It lags behind anyway, so that thousands of them need not ask for it one by one.
        let fresh = self
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&private.host)
            .filter(|(at, stats)| !pods && stats.namespaces.len() > MANY && at.elapsed() < FRESH)
            .map(|(_, stats)| Arc::clone(stats));
        let stats = if let Some(stats) = fresh {
            stats
        } else {
            let stats = Arc::new(self.stats(&client, private.kind, self.filter.as_ref()).await?);
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).insert(private.host.clone(), (Instant::now(), Arc::clone(&stats)));
            stats
        };
        let name = unit.namespace.as_deref().unwrap_or_default();
        let found = stats.namespaces.get(name).or_else(|| name.is_empty().then(|| stats.namespaces.get(super::DEFAULT)).flatten());
        Ok(Some(found.map_or(0, |summary| summary.vector_count)))
    }

    /// `describe_index_stats`; only pods take a filter.
    pub(super) async fn stats(&self, client: &Client, kind: Kind, filter: Option<&Value>) -> Result<Stats> {
        let body = filter.map_or_else(|| json!({}), |filter| json!({ "filter": filter }));
        let request = Request::post("/describe_index_stats", body).header(super::VERSION, kind.api().version()).what("count records");
        Ok(client.json(request).await?.owned()?)
    }
}

/// The kind of an index, by its fields (2026-07): a document index has a vector field under a name of its own, or full-text search.
/// Vector indexes have `_values` and `_sparse_values`; those with an embedding model have `semantic_text` and answer the vector calls.
fn kind(model: &Value) -> Kind {
    if model.pointer("/deployment/deployment_type").and_then(Value::as_str) == Some("pod") {
        return Kind::Pods;
    }
    let fields = model.pointer("/schema/fields").and_then(Value::as_object);
    let document = fields.into_iter().flatten().any(|(name, field)| match field.get("type").and_then(Value::as_str) {
        Some("dense_vector" | "sparse_vector") => !matches!(name.as_str(), "_values" | "_sparse_values"),
        Some("string") => field.get("full_text_search").is_some_and(|search| !search.is_null()),
        _ => false,
    });
    if document { Kind::Documents } else { Kind::Vectors }
}

fn vectors(kind: Kind, schema: &Value) -> Vec<VectorEntry> {
    let entry = |name: &str, kind: &str, dimension: Option<u64>, metric: Option<&str>| VectorEntry {
        name: name.to_owned(),
        kind: kind.to_owned(),
        dimension: dimension.and_then(|n| usize::try_from(n).ok()),
        data_type: Some("float32".to_owned()),
        metric: metric.map(str::to_owned),
        // Not documented.
        normalized: None,
    };
    if kind == Kind::Documents {
        let fields = schema.pointer("/schema/fields").and_then(Value::as_object).into_iter().flatten();
        let mut entries: Vec<VectorEntry> = fields
            .filter_map(|(name, field)| match field.get("type")?.as_str()? {
                "dense_vector" => Some(entry(name, "dense", field.get("dimension")?.as_u64(), field.get("metric")?.as_str())),
                "sparse_vector" => Some(entry(name, "sparse", None, Some("dotproduct"))),
                _ => None,
            })
            .collect();
        entries.sort_by_key(|vector| vector.kind != "dense");
        return entries;
    }
    let metric = schema.get("metric").and_then(Value::as_str);
    if schema.get("vector_type").and_then(Value::as_str) == Some("sparse") {
        return vec![entry("sparse_values", "sparse", None, metric)];
    }
    let mut entries = vec![entry("", "dense", schema.get("dimension").and_then(Value::as_u64), metric)];
    if metric == Some("dotproduct") {
        // The only metric whose records may have both.
        entries.push(entry("sparse_values", "sparse", None, metric));
    }
    entries
}

/// What a unit keeps of its index.
pub(super) fn private(unit: &Unit) -> Result<Private> {
    serde_json::from_value(unit.private.clone()).map_err(|e| Error::new(format!("the journal does not say how {} is read: {e}", unit.collection)))
}
