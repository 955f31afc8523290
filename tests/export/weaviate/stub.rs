//! Weaviate as its OpenAPI (1.40) and its handlers say: what the real one refuses, this one refuses. Reading only; anything else is
//! answered with 405 and remembered.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::server::{Reply, Request};

pub(crate) const KEY: &str = "weaviate-secret-key-1";

/// An object: the text that the server gives for it, whole, and as its listing leaves it when its shard is on another node.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) whole: String,
    pub(crate) listed: String,
    pub(crate) vector: Vec<f64>,
}

/// A class or a tenant of one: objects by id.
pub(crate) type Objects = BTreeMap<String, Object>;

#[derive(Default)]
pub(crate) struct Stub {
    pub(crate) version: &'static str,
    pub(crate) schema: Value,
    /// Of each class by tenant; without tenants under "".
    pub(crate) data: BTreeMap<String, BTreeMap<String, Objects>>,
    pub(crate) tenants: BTreeMap<String, Vec<(&'static str, &'static str)>>,
    pub(crate) graphql: bool,
    /// Every page is this much shorter than asked for, and is not the last one.
    pub(crate) short: usize,
    /// What no export should ask.
    pub(crate) violations: Mutex<Vec<String>>,
    /// Looks at the server's export before it is done.
    pub(crate) exports: Mutex<BTreeMap<String, (Value, u32)>>,
    pub(crate) export_shards: Value,
    pub(crate) export_enabled: bool,
    /// How its export ends, other than well.
    pub(crate) export_state: Option<&'static str>,
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": [{ "message": message }] }))
}

fn ok(body: &Value) -> Reply {
    Reply::json(200, body)
}

impl Stub {
    pub(crate) fn answer(&self, ask: &Request) -> Reply {
        if ask.header("authorization") != Some(format!("Bearer {KEY}").as_str()) {
            return Reply::json(401, &json!({ "code": 401, "message": "unauthorized: invalid api key, please provide a valid api key" }));
        }
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (ask.method.as_str(), path.as_slice()) {
            ("GET", ["v1", "meta"]) => ok(&json!({ "hostname": "http://[::]:8080", "version": self.version, "modules": {} })),
            ("GET", ["v1", "schema"]) => ok(&self.schema),
            ("GET", ["v1", "schema", class, "tenants"]) => match self.tenants.get(*class) {
                Some(tenants) => {
                    let list: Vec<Value> = tenants.iter().map(|(name, status)| json!({ "name": name, "activityStatus": status })).collect();
                    ok(&json!(list))
                }
                None => error(422, &format!("multi-tenancy is not enabled for class \"{class}\"")),
            },
            ("GET", ["v1", "objects"]) => self.list(ask),
            ("GET", ["v1", "objects", class, id]) => self.single(ask, class, id),
            ("POST", ["v1", "aggregate", class]) if self.version >= "1.40" => self.aggregate(ask, class),
            ("POST", ["v1", "graphql"]) if self.graphql => self.graph(ask),
            ("GET", ["v1", "nodes", class]) => self.nodes(ask, class),
            ("POST", ["v1", "export", backend]) => self.export(ask, backend),
            ("GET", ["v1", "export", _, id]) => self.exported(id),
            ("POST", ["v1", "aggregate" | "graphql", ..]) => Reply::json(404, &json!({ "code": 404, "message": "path was not found" })),
            _ => {
                self.violations.lock().unwrap().push(format!("{} {}", ask.method, ask.path));
                Reply::json(405, &json!({ "code": 405, "message": "method is not allowed" }))
            }
        }
    }

    /// The objects of a class or tenant, as every call that reads them checks it.
    fn objects(&self, class: &str, tenant: Option<&str>) -> Result<&Objects, Reply> {
        let shards = self.data.get(class).ok_or_else(|| Reply::text(404, ""))?;
        match (self.tenants.get(class), tenant) {
            (None, None) => Ok(&shards[""]),
            (None, Some(_)) => Err(error(422, &format!("class {class} has multi-tenancy disabled, but request was with tenant"))),
            (Some(_), None) => Err(error(422, &format!("class {class} has multi-tenancy enabled, but request was without tenant"))),
            (Some(tenants), Some(tenant)) => match tenants.iter().find(|(name, _)| *name == tenant) {
                None => Err(error(422, &format!("tenant not found: \"{tenant}\""))),
                Some((_, "ACTIVE" | "HOT")) => Ok(&shards[tenant]),
                Some(_) => Err(error(422, &format!("tenant not active: '{tenant}'"))),
            },
        }
    }

    fn list(&self, ask: &Request) -> Reply {
        const KNOWN: &[&str] = &["class", "limit", "after", "include", "tenant", "offset", "sort", "order"];
        if let Some((other, _)) = ask.query.iter().find(|(key, _)| !KNOWN.contains(&key.as_str())) {
            self.violations.lock().unwrap().push(format!("objects?{other}"));
        }
        let Some(class) = ask.one("class").filter(|class| !class.is_empty()) else {
            return error(500, "list objects: after parameter not allowed, cursor must be specific to one class, set class query param");
        };
        let limit = match ask.one("limit").map(str::parse::<usize>) {
            Some(Ok(limit)) => Some(limit),
            Some(Err(_)) => return error(422, "limit in query must be of type int64"),
            None => None,
        };
        let whole = match ask.one("include") {
            None => false,
            Some("vector") => true,
            Some(other) => return error(400, &format!("unrecognized property '{other}' in ?include list")),
        };
        if ask.one("offset").and_then(|n| n.parse::<usize>().ok()).unwrap_or(0) + limit.unwrap_or(25) > 10_000 {
            return error(422, "offset or limit: query maximum results exceeded");
        }
        let objects = match self.objects(class, ask.one("tenant")) {
            Ok(objects) => objects,
            Err(reply) => return reply,
        };
        let chosen: Vec<&Object> = match ask.one("after") {
            // Without a cursor the order is that of the documents' internal numbers: another one.
            None => objects.values().rev().take(limit.unwrap_or(25)).collect(),
            Some(_) if ask.one("offset").is_some() || ask.one("sort").is_some() => {
                return error(422, "offset,sort cannot be set with after and limit parameters");
            }
            Some(_) if limit.is_none() => return error(422, "limit parameter must be set"),
            Some(after) if !after.is_empty() && !is_uuid(after) => {
                return error(422, &format!("after parameter '{after}' is not a valid uuid: invalid UUID length"));
            }
            Some(after) => {
                let most = limit.unwrap_or(25);
                let most = most.saturating_sub(self.short).max(1);
                objects.range(after.to_owned()..).filter(|(id, _)| id.as_str() != after).map(|(_, object)| object).take(most).collect()
            }
        };
        let texts: Vec<String> = chosen.iter().map(|object| if whole { object.listed.clone() } else { bare(&object.whole) }).collect();
        Reply::text(200, &format!("{{\"deprecations\":[],\"objects\":[{}],\"totalResults\":{}}}\n", texts.join(","), texts.len()))
    }

    fn single(&self, ask: &Request, class: &str, id: &str) -> Reply {
        if !is_uuid(id) {
            return error(422, "id in path must be of type uuid");
        }
        match self.objects(class, ask.one("tenant")) {
            Err(reply) => reply,
            Ok(objects) => objects.get(id).map_or_else(|| Reply::text(404, ""), |object| Reply::text(200, &object.whole)),
        }
    }

    fn aggregate(&self, ask: &Request, class: &str) -> Reply {
        let body = ask.json();
        if !body.is_object() {
            return error(422, "body in body must be of type object");
        }
        match self.objects(class, body.get("tenant").and_then(Value::as_str)) {
            Ok(objects) => ok(&json!({ "count": objects.len(), "tookMs": 1 })),
            Err(reply) => reply,
        }
    }

    /// Of GraphQL, what counts and searches need.
    fn graph(&self, ask: &Request) -> Reply {
        let body = ask.json();
        let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
        let failed = |message: &str| ok(&json!({ "data": {}, "errors": [{ "message": message, "path": ["x"] }] }));
        let tenant = query.split_once("tenant:\"").and_then(|(_, rest)| rest.split('"').next());
        let Some(class) = self.data.keys().find(|class| query.contains(&format!("{{{class}(")) || query.contains(&format!("{{{class}{{"))) else {
            return failed("Cannot query field on type");
        };
        let objects = match self.objects(class, tenant) {
            Ok(objects) => objects,
            Err(reply) => return failed(&String::from_utf8_lossy(&reply.body)),
        };
        if query.starts_with("{Aggregate{") {
            return ok(&json!({ "data": { "Aggregate": { class: [{ "meta": { "count": objects.len() } }] } } }));
        }
        let vector: Vec<f64> = query
            .split_once("vector:[")
            .and_then(|(_, rest)| rest.split_once(']'))
            .map_or(vec![], |(list, _)| list.split(',').filter_map(|n| n.parse().ok()).collect());
        let limit: usize = query.split_once("limit:").and_then(|(_, rest)| rest.split(')').next()).and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut hits: Vec<(f64, &String)> =
            objects.iter().map(|(id, object)| (object.vector.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum(), id)).collect();
        hits.sort_by(|a, b| a.0.total_cmp(&b.0));
        let rows: Vec<Value> = hits.iter().take(limit).map(|(distance, id)| json!({ "_additional": { "id": id, "distance": distance } })).collect();
        ok(&json!({ "data": { "Get": { class: rows } } }))
    }

    fn nodes(&self, ask: &Request, class: &str) -> Reply {
        let shards: Vec<Value> = match (ask.one("output"), self.data.get(class)) {
            (Some("verbose"), Some(shards)) => shards
                .iter()
                .map(|(name, objects)| json!({ "name": if name.is_empty() { "x1Yz" } else { name }, "class": class, "objectCount": objects.len() }))
                .collect(),
            _ => return ok(&json!({ "nodes": [{ "name": "node1", "status": "HEALTHY", "shards": null }] })),
        };
        ok(&json!({ "nodes": [{ "name": "node1", "status": "HEALTHY", "shards": shards }] }))
    }

    fn export(&self, ask: &Request, backend: &str) -> Reply {
        let body = ask.json();
        if !self.export_enabled {
            return error(422, "export is not enabled");
        }
        let (Some(id), Some("parquet")) = (body["id"].as_str().filter(|id| !id.is_empty()), body["file_format"].as_str()) else {
            return error(422, "file_format in body is required");
        };
        if !["filesystem", "s3", "gcs", "azure"].contains(&backend) {
            return error(422, "backend is not available");
        }
        let mut exports = self.exports.lock().unwrap();
        if exports.contains_key(id) {
            return error(409, &format!("export {id} already exists"));
        }
        exports.insert(id.to_owned(), (body["include"].clone(), 0));
        ok(
            &json!({ "id": id, "backend": backend, "path": format!("/var/lib/exports/{id}"), "status": "STARTED", "startedAt": "2026-11-26T10:00:00.000Z", "classes": body["include"] }),
        )
    }

    fn exported(&self, id: &str) -> Reply {
        let mut exports = self.exports.lock().unwrap();
        let Some((classes, looks)) = exports.get_mut(id) else { return error(404, &format!("export {id} not found")) };
        *looks += 1;
        let status = if *looks < 2 { "TRANSFERRING" } else { self.export_state.unwrap_or("SUCCESS") };
        let error = self.export_state.map_or("", |_| "disk is full");
        ok(
            &json!({ "id": id, "backend": "filesystem", "path": format!("/var/lib/exports/{id}"), "status": status, "classes": classes, "error": error, "shardStatus": self.export_shards }),
        )
    }
}

/// The object without its vectors, as a listing without `include=vector` gives it.
fn bare(whole: &str) -> String {
    let mut value: Value = serde_json::from_str(whole).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.remove("vector");
    fields.remove("vectors");
    value.to_string()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().enumerate().all(|(at, b)| if [8, 13, 18, 23].contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() })
}
