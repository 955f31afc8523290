//! The stub's control plane, counts and namespaces.

use serde_json::{Value, json};

use super::stub::{DOCUMENTS, Index, Items, Kind, Stub, VECTORS, genre, position, rpc, token};
use crate::server::{Reply, Request};

impl Stub {
    /// An index as the control plane of this version describes it.
    pub(super) fn model(&self, name: &str, index: &Index, version: &str) -> Value {
        let host = format!("{}/host/{name}", self.url.lock().unwrap());
        let status = json!({ "ready": index.ready, "state": if index.ready { "Ready" } else { "Initializing" } });
        if version == VECTORS {
            let spec = match index.kind {
                Kind::Pod => json!({ "pod": { "environment": "us-east1-gcp", "pod_type": "p1.x1", "pods": 1, "replicas": 1, "shards": 1 } }),
                _ => json!({ "serverless": { "cloud": "aws", "region": "us-east-1" } }),
            };
            let mut model = json!({ "name": name, "host": host, "metric": index.metric, "spec": spec, "status": status, "vector_type": "dense", "deletion_protection": "disabled" });
            if index.kind == Kind::Sparse {
                model["vector_type"] = json!("sparse");
            } else {
                model["dimension"] = json!(index.dimension);
            }
            return model;
        }
        let dense = json!({ "type": "dense_vector", "dimension": index.dimension, "metric": index.metric });
        let fields = match index.kind {
            Kind::Serverless | Kind::Pod => json!({ "_values": dense, "_sparse_values": { "type": "sparse_vector" } }),
            Kind::Sparse => json!({ "_sparse_values": { "type": "sparse_vector" } }),
            Kind::Documents => {
                json!({ "embedding": dense, "words": { "type": "sparse_vector" }, "body": { "type": "string", "full_text_search": { "language": "en", "stemming": false, "stop_words": false } } })
            }
        };
        let deployment = match index.kind {
            Kind::Pod => json!({ "deployment_type": "pod", "environment": "us-east1-gcp", "pod_type": "p1.x1", "replicas": 1, "shards": 1 }),
            _ => json!({ "deployment_type": "managed", "cloud": "aws", "region": "us-east-1" }),
        };
        json!({ "name": name, "host": host, "status": status, "deployment": deployment, "schema": { "fields": fields }, "deletion_protection": "disabled" })
    }

    pub(super) fn stats(&self, request: &Request, index: &Index) -> Reply {
        let filter = request.json().get("filter").cloned();
        if filter.is_some() && index.kind != Kind::Pod {
            return rpc(400, "Serverless and Starter indexes do not support describing index stats with metadata filtering");
        }
        let genre = filter.as_ref().map(|filter| genre(filter).unwrap_or_default());
        let count =
            |items: &Items| (items.values().filter(|item| genre.as_ref().is_none_or(|genre| item.genre == genre)).count() as u64).saturating_sub(self.lag);
        let namespaces: serde_json::Map<String, Value> =
            index.namespaces.iter().map(|(name, items)| (name.clone(), json!({ "vectorCount": count(items) }))).collect();
        let total: u64 = index.namespaces.values().map(count).sum();
        Reply::json(
            200,
            &json!({ "namespaces": namespaces, "dimension": index.dimension, "indexFullness": 0.0, "totalVectorCount": total, "metric": index.metric, "vectorType": "dense" }),
        )
    }

    pub(super) fn namespaces(request: &Request, index: &Index, version: &str) -> Reply {
        let from = match request.one("paginationToken").map(position) {
            Some(None) => return rpc(400, "INVALID_PAGINATION_TOKEN"),
            Some(Some(from)) => from,
            None => String::new(),
        };
        // Small pages, whatever was asked for: the last one is told by the missing token only.
        let names: Vec<&String> = index.namespaces.keys().filter(|name| **name >= from).take(3).collect();
        let (page, next) = if names.len() == 3 { (&names[..2], Some(token(names[2]))) } else { (&names[..], None) };
        let list: Vec<Value> = page
            .iter()
            .map(|name| {
                let count = index.namespaces[*name].len();
                let shown = if name.is_empty() { "__default__" } else { name.as_str() };
                json!({ "name": shown, "record_count": if version == DOCUMENTS { json!(count.to_string()) } else { json!(count) } })
            })
            .collect();
        let mut body = json!({ "namespaces": list, "total_count": index.namespaces.len() });
        if let Some(next) = next {
            body["pagination"] = json!({ "next": next });
        }
        Reply::json(200, &body)
    }
}
