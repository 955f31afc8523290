//! Pinecone as its OpenAPI says (control and data plane, 2026-04 and 2026-07): what the real one refuses, this one refuses. One
//! server is the control plane (`control.rs`) and, below `/host/NAME`, the data plane of each index. Anything that would write is remembered.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::server::{Reply, Request};

pub(crate) const KEY: &str = "pcsk_secret_key_2";
pub(super) const VECTORS: &str = "2026-04";
pub(super) const DOCUMENTS: &str = "2026-07";
/// Bytes of a request's target that servers take.
const TARGET: usize = 8192;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Serverless,
    Sparse,
    Pod,
    Documents,
}

/// A record: its text as the server gives it, its dense vector, and one field to filter by.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) text: String,
    pub(crate) vector: Vec<f64>,
    pub(crate) genre: &'static str,
}

pub(crate) type Items = BTreeMap<String, Item>;

pub(crate) struct Index {
    pub(crate) kind: Kind,
    pub(crate) metric: &'static str,
    pub(crate) dimension: usize,
    pub(crate) ready: bool,
    /// By namespace; the default one is "".
    pub(crate) namespaces: BTreeMap<String, Items>,
}

#[derive(Default)]
pub(crate) struct Stub {
    pub(crate) url: Mutex<String>,
    pub(crate) indexes: BTreeMap<String, Index>,
    /// Ids that are listed and gone when they are fetched.
    pub(crate) vanishing: Vec<String>,
    /// What the count lags behind.
    pub(crate) lag: u64,
    pub(crate) violations: Mutex<Vec<String>>,
}

pub(super) fn rpc(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "code": 3, "message": message, "details": [] })).header("content-type", "application/json")
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "status": status, "error": { "code": code, "message": message } })).header("content-type", "application/json")
}

/// A token that only this server can read: base64 would do as well, but must be given back as it is.
pub(super) fn token(position: &str) -> String {
    position.bytes().rev().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat() + "=="
}

pub(super) fn position(token: &str) -> Option<String> {
    let hex = token.strip_suffix("==")?;
    let bytes: Option<Vec<u8>> = (0..hex.len() / 2).map(|n| u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?.into_iter().rev().collect()).ok()
}

impl Stub {
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        if request.header("api-key") != Some(KEY) {
            return Reply::text(401, "Unauthorized");
        }
        let Some(version) = request.header("x-pinecone-api-version").filter(|v| [VECTORS, DOCUMENTS].contains(v)) else {
            return rpc(400, "Missing or unknown API version: set the header X-Pinecone-Api-Version");
        };
        let escaped = |text: &str| text.bytes().map(|b| if b.is_ascii_alphanumeric() || b"*-._ ".contains(&b) { 1 } else { 3 }).sum::<usize>();
        if request.path.len() + request.query.iter().map(|(k, v)| k.len() + escaped(v) + 2).sum::<usize>() > TARGET {
            return Reply::text(414, "Request-URI Too Large");
        }
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["indexes"]) => {
                let list: Vec<Value> = self
                    .indexes
                    .iter()
                    .filter(|(_, index)| version == DOCUMENTS || index.kind != Kind::Documents)
                    .map(|(name, index)| self.model(name, index, version))
                    .collect();
                Reply::json(200, &json!({ "indexes": list }))
            }
            ("GET", ["indexes", name]) => match self.indexes.get(*name).filter(|index| version == DOCUMENTS || index.kind != Kind::Documents) {
                Some(index) => Reply::json(200, &self.model(name, index, version)),
                None => error(404, "NOT_FOUND", &format!("Resource {name} not found")),
            },
            (method, ["host", name, rest @ ..]) => match self.indexes.get(*name) {
                Some(index) => self.data(request, index, version, method, rest),
                None => Reply::text(404, ""),
            },
            _ => self.refuse(request),
        }
    }

    pub(super) fn refuse(&self, request: &Request) -> Reply {
        self.violations.lock().unwrap().push(format!("{} {}", request.method, request.path));
        rpc(404, "no such operation")
    }

    fn data(&self, request: &Request, index: &Index, version: &str, method: &str, path: &[&str]) -> Reply {
        let documents = index.kind == Kind::Documents;
        let common = matches!(path, ["describe_index_stats" | "namespaces"]);
        if !common && documents != (version == DOCUMENTS) {
            return rpc(400, "this index is served by another API version");
        }
        if !common && documents != matches!(path, ["namespaces", _, "documents", _]) {
            return rpc(400, if documents { "a document index accepts only the document operations" } else { "use the vectors API" });
        }
        match (method, path) {
            ("POST", ["describe_index_stats"]) => self.stats(request, index),
            ("GET", ["namespaces"]) if index.kind == Kind::Pod => rpc(400, "namespaces cannot be listed on pod-based indexes"),
            ("GET", ["namespaces"]) => Self::namespaces(request, index, version),
            ("GET", ["vectors", "list"]) if index.kind == Kind::Pod => rpc(400, "list is supported only for serverless indexes"),
            ("GET", ["vectors", "list"]) => Self::list(index, request.one("namespace"), request.one("limit"), request.one("paginationToken"), "vectors", "id"),
            ("GET", ["vectors", "fetch"]) => self.fetch(request, index),
            ("POST", ["vectors", "fetch_by_metadata"]) => {
                Self::filtered(index, &request.json(), "paginationToken", request.json()["namespace"].as_str(), "vectors")
            }
            ("POST", ["query"]) => Self::query(request, index),
            ("POST", ["namespaces", namespace, "documents", call]) => self.documents(request, index, namespace, call),
            _ => self.refuse(request),
        }
    }

    pub(super) fn items<'a>(index: &'a Index, namespace: Option<&str>) -> Option<&'a Items> {
        index.namespaces.get(namespace.filter(|name| *name != "__default__").unwrap_or_default())
    }

    pub(super) fn list(index: &Index, namespace: Option<&str>, limit: Option<&str>, after: Option<&str>, list: &str, id: &str) -> Reply {
        let Ok(limit @ 1..=100) = limit.map_or(Ok(100), str::parse::<usize>) else { return rpc(400, "limit must be between 1 and 100") };
        let from = match after.map(position) {
            Some(None) => return rpc(400, "Invalid pagination token"),
            Some(Some(from)) => from,
            None => String::new(),
        };
        let Some(items) = Self::items(index, namespace) else {
            return Reply::json(200, &json!({ list: [], "namespace": namespace, "usage": { "readUnits": 1 } }));
        };
        let ids: Vec<&String> = items.range(from..).map(|(id, _)| id).take(limit + 1).collect();
        let (page, next) = if ids.len() > limit { (&ids[..limit], Some(token(ids[limit]))) } else { (&ids[..], None) };
        let listed: Vec<Value> = page.iter().map(|name| json!({ id: name })).collect();
        let mut body =
            json!({ list: listed, "namespace": namespace.unwrap_or_default(), "usage": { if id == "_id" { "read_units" } else { "readUnits" }: 1 } });
        if let Some(next) = next {
            body["pagination"] = json!({ "next": next });
        }
        Reply::json(200, &body)
    }

    pub(super) fn records(&self, index: &Index, namespace: Option<&str>, ids: &[&str], list: &str) -> Reply {
        let documents = list == "documents";
        let empty = Items::new();
        let items = Self::items(index, namespace).unwrap_or(&empty);
        // The order of a map is nobody's.
        let found = ids.iter().rev().filter(|id| !self.vanishing.iter().any(|gone| gone == *id) && (documents || !id.contains(' ')));
        let texts: Vec<String> = found.filter_map(|id| Some(format!("{}: {}", json!(id), items.get(*id)?.text))).collect();
        let units = if documents { "read_units" } else { "readUnits" };
        Reply::text(
            200,
            &format!(
                "{{\n \"{list}\": {{{}}},\n \"namespace\": {}, \"usage\": {{\"{units}\": {}}}\n}}",
                texts.join(",\n"),
                json!(namespace.unwrap_or_default()),
                ids.len().div_ceil(10)
            ),
        )
    }

    fn fetch(&self, request: &Request, index: &Index) -> Reply {
        let ids = request.all("ids");
        if ids.is_empty() || ids.len() > 1000 || ids.iter().any(|id| id.is_empty()) {
            return rpc(400, "ids must hold 1 to 1000 ids");
        }
        self.records(index, request.one("namespace"), &ids, "vectors")
    }

    pub(super) fn filtered(index: &Index, body: &Value, key: &str, namespace: Option<&str>, list: &str) -> Reply {
        let Some(genre) = genre(&body["filter"]) else { return rpc(400, "filter must not be empty") };
        let Some(limit @ 1..=10_000) = body.get("limit").map_or(Some(100), Value::as_u64) else { return rpc(400, "limit") };
        let from = match body.get(key).map(|token| token.as_str().and_then(position)) {
            Some(None) => return rpc(400, "Invalid pagination token"),
            Some(Some(from)) => from,
            None => String::new(),
        };
        let Some(items) = Self::items(index, namespace) else { return Reply::json(200, &json!({ list: {} })) };
        let limit = usize::try_from(limit).unwrap();
        let found: Vec<(&String, &Item)> = items.range(from..).filter(|(_, item)| item.genre == genre).take(limit + 1).collect();
        let next = (found.len() > limit).then(|| token(found[limit].0));
        let texts: Vec<String> = found.iter().take(limit).map(|(id, item)| format!("{}:{}", json!(id), item.text)).collect();
        let pagination = next.map(|next| format!(",\"pagination\":{{\"next\":\"{next}\"}}")).unwrap_or_default();
        Reply::text(
            200,
            &format!("{{\"{list}\":{{{}}},\"namespace\":{},\"usage\":{{\"readUnits\":2}}{pagination}}}", texts.join(","), json!(namespace.unwrap_or_default())),
        )
    }

    fn query(request: &Request, index: &Index) -> Reply {
        let body = request.json();
        let Some(top @ 1..=10_000) = body["topK"].as_u64() else { return rpc(400, "topK must be between 1 and 10000") };
        let whole = body["includeValues"] == true || body["includeMetadata"] == true;
        let empty = Items::new();
        let items = Self::items(index, body["namespace"].as_str()).unwrap_or(&empty);
        let vector: Vec<f64> = match (body.get("vector").and_then(Value::as_array), body.get("id").and_then(Value::as_str)) {
            (Some(vector), None) if vector.len() == index.dimension => vector.iter().filter_map(Value::as_f64).collect(),
            (Some(vector), None) => {
                return rpc(400, &format!("Vector dimension {} does not match the dimension of the index {}", vector.len(), index.dimension));
            }
            (None, Some(id)) => items.get(id).map(|item| item.vector.clone()).unwrap_or_default(),
            _ => return rpc(400, "exactly one of vector and id"),
        };
        let wanted = body.get("filter").map(|filter| genre(filter).unwrap_or_default());
        let mut hits: Vec<(f64, &String, &Item)> = items
            .iter()
            .filter(|(_, item)| wanted.as_ref().is_none_or(|genre| item.genre == genre))
            .map(|(id, item)| (item.vector.iter().zip(&vector).map(|(a, b)| -(a - b).powi(2)).sum(), id, item))
            .collect();
        hits.sort_by(|a, b| b.0.total_cmp(&a.0));
        // This index is small, and answers no more than a hundredth of what a real one would.
        let top = usize::try_from(top).unwrap().div_ceil(100);
        let rows: Vec<String> = hits
            .iter()
            .take(top)
            .map(|(score, id, item)| {
                if whole {
                    item.text.replacen('{', &format!("{{\"score\":{score},"), 1)
                } else {
                    format!("{{\"id\":{},\"score\":{score},\"values\":[]}}", json!(id))
                }
            })
            .collect();
        Reply::text(
            200,
            &format!(
                "{{\"matches\":[{}],\"namespace\":{},\"usage\":{{\"readUnits\":5}}}}",
                rows.join(","),
                json!(body["namespace"].as_str().unwrap_or_default())
            ),
        )
    }
}

/// The one filter that this server knows: `{"genre": {"$eq": …}}`.
pub(super) fn genre(filter: &Value) -> Option<String> {
    filter.pointer("/genre/$eq").and_then(Value::as_str).map(str::to_owned)
}
