//! The stub's calls on documents (API 2026-07).

use serde_json::{Value, json};

use super::stub::{Index, Items, Stub, error};
use crate::server::{Reply, Request};

impl Stub {
    pub(super) fn documents(&self, request: &Request, index: &Index, namespace: &str, call: &str) -> Reply {
        let body = request.json();
        let Some(fields) = body.as_object() else { return error(400, "INVALID_ARGUMENT", "the body is no object") };
        match call {
            "list" => Self::list(
                index,
                Some(namespace),
                fields.get("limit").map(Value::to_string).as_deref(),
                fields.get("pagination_token").and_then(Value::as_str),
                "documents",
                "_id",
            ),
            "fetch" => match (fields.get("ids").and_then(Value::as_array), fields.get("filter")) {
                (Some(ids), None) if (1..=1000).contains(&ids.len()) && !fields.contains_key("pagination_token") => {
                    let ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
                    self.records(index, Some(namespace), &ids, "documents")
                }
                (None, Some(_)) => Self::filtered(index, &body, "pagination_token", Some(namespace), "documents"),
                _ => error(400, "INVALID_ARGUMENT", "No 'ids' or 'filter' provided in the document fetch request."),
            },
            "search" => {
                let by = &body["score_by"][0];
                if by["type"] != "dense_vector" || by["fields"] != json!(["embedding"]) || by["values"].as_array().is_none_or(|v| v.len() != index.dimension) {
                    return error(400, "INVALID_ARGUMENT", "score_by");
                }
                let Some(top @ 1..=10_000) = body["top_k"].as_u64() else { return error(400, "INVALID_ARGUMENT", "top_k") };
                let vector: Vec<f64> = by["values"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
                let empty = Items::new();
                let items = Self::items(index, Some(namespace)).unwrap_or(&empty);
                let mut hits: Vec<(f64, &String)> =
                    items.iter().map(|(id, item)| (item.vector.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum::<f64>(), id)).collect();
                hits.sort_by(|a, b| a.0.total_cmp(&b.0));
                let rows: Vec<Value> = hits.iter().take(usize::try_from(top).unwrap()).map(|(far, id)| json!({ "_id": id, "_score": 1.0 - far })).collect();
                Reply::json(200, &json!({ "matches": rows, "namespace": namespace, "usage": { "read_units": 1 } }))
            }
            _ => self.refuse(request),
        }
    }
}
