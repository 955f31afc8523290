//! A stub of Qdrant 1.19 as `openapi.json` and `src/actix` describe it: paging, limits, error shapes, keys. It refuses what the real one
//! refuses, and some things more (unknown keys of a body), so that a wrong request is seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};

/// Points in the server's order: numbers, then UUIDs. The value is the point's JSON text.
pub(crate) type Points = BTreeMap<(u8, u128), String>;

/// A collection.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) params: Value,
    /// By shard key; null where the sharding is automatic.
    pub(crate) shards: Vec<(Value, Points)>,
}

/// What the server holds, and how it behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) collections: BTreeMap<String, Collection>,
    pub(crate) key: Option<String>,
    /// Strict mode's `max_query_limit`.
    pub(crate) max_limit: Option<u64>,
    /// The query interface is not there: before 1.10.
    pub(crate) old: bool,
    /// Server snapshots by collection and name.
    pub(crate) snapshots: BTreeMap<(String, String), Vec<u8>>,
    /// A checksum that does not fit.
    pub(crate) wrong_checksum: bool,
}

pub(crate) type Shared = Arc<Mutex<State>>;

/// The place of an id in the server's order.
pub(crate) fn place(id: &Value) -> Option<(u8, u128)> {
    match id {
        Value::Number(n) => n.as_u64().map(|n| (0, u128::from(n))),
        Value::String(text) => uuid::Uuid::try_parse(text).ok().map(|u| (1, u.as_u128())),
        _ => None,
    }
}

/// Points from their texts.
pub(crate) fn points(texts: impl IntoIterator<Item = String>) -> Points {
    texts.into_iter().map(|t| (place(&serde_json::from_str::<Value>(&t).expect("JSON")["id"]).expect("an id"), t)).collect()
}

/// Starts a server; `before` sees every request first, may change the state, and may answer in its place.
pub(crate) fn start(state: &Shared, before: impl Fn(&Request, &mut State) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let state = Arc::clone(state);
    Server::start(move |request| {
        let mut state = state.lock().expect("a state");
        before(request, &mut state).unwrap_or_else(|| answer(request, &mut state))
    })
}

fn ok(result: &str) -> Reply {
    Reply::text(200, &format!("{{\"result\":{result},\"status\":\"ok\",\"time\":0.000012}}")).header("content-type", "application/json")
}

pub(crate) fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"status": {"error": message}, "time": 0.0})).header("content-type", "application/json")
}

pub(crate) fn answer(request: &Request, state: &mut State) -> Reply {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    if path.is_empty() {
        return Reply::json(200, &json!({"title": "qdrant - vector search engine", "version": "1.19.0", "commit": "0"}));
    }
    if state.key.is_some() && request.header("api-key") != state.key.as_deref() {
        // The middleware's plain text; a careless one, which repeats the key.
        return Reply::text(401, &format!("Invalid API key or JWT {}", request.header("api-key").unwrap_or("")));
    }
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["collections"]) => {
            let names: Vec<Value> = state.collections.keys().rev().map(|n| json!({"name": n})).collect();
            ok(&json!({"collections": names}).to_string())
        }
        ("GET", ["collections", name]) => collection(state, name, |c| {
            ok(&json!({"status": "green", "optimizer_status": "ok", "points_count": 1, "config": {"params": c.params}, "payload_schema": {}}).to_string())
        }),
        ("GET", ["collections", name, "cluster"]) => collection(state, name, |c| {
            let shards: Vec<Value> =
                c.shards.iter().map(|(key, p)| json!({"shard_id": 1, "shard_key": key, "points_count": p.len(), "state": "Active"})).collect();
            ok(&json!({"peer_id": 1, "shard_count": shards.len(), "local_shards": [shards[0]], "remote_shards": shards[1..], "shard_transfers": []})
                .to_string())
        }),
        ("POST", ["collections", name, "points", call]) => {
            let (call, state) = ((*call).to_owned(), &*state);
            if call == "query" && state.old {
                return Reply::text(404, "");
            }
            let limit = state.max_limit;
            collection(state, name, |c| points_call(request, &call, c, limit))
        }
        (method, ["collections", name, "snapshots", rest @ ..]) => snapshots(method, name, rest, state),
        _ => Reply::text(404, ""),
    }
}

fn collection(state: &State, name: &str, then: impl FnOnce(&Collection) -> Reply) -> Reply {
    state.collections.get(name).map_or_else(|| error(404, &format!("Not found: Collection `{name}` doesn't exist!")), then)
}

fn points_call(request: &Request, call: &str, collection: &Collection, max_limit: Option<u64>) -> Reply {
    let body = request.json();
    let Some(body) = body.as_object().filter(|_| request.header("content-type") == Some("application/json")) else {
        return error(400, "Format error in JSON body: expected an object");
    };
    let known: &[&str] = match call {
        "scroll" => &["limit", "offset", "with_payload", "with_vector", "filter", "shard_key"],
        "count" => &["exact", "filter", "shard_key"],
        "query" => &["query", "using", "limit", "with_payload", "with_vector", "filter", "shard_key"],
        _ => return Reply::text(404, ""),
    };
    if let Some(key) = body.keys().find(|k| !known.contains(&k.as_str())) {
        return error(400, &format!("Format error in JSON body: unknown field `{key}`"));
    }
    if let Some(level) = request.one("consistency")
        && !(["all", "majority", "quorum"].contains(&level) || level.parse::<u32>().is_ok())
    {
        return error(400, "Deserialize error in query parameters");
    }
    let limit = body.get("limit").map_or(Some(10), Value::as_u64);
    let Some(limit) = limit.filter(|l| *l > 0) else { return error(422, "Validation error in JSON body: [limit: value 0 invalid, must be 1 or larger]") };
    if let Some(most) = max_limit.filter(|most| limit > *most) {
        let help = format!("Forbidden: Limit exceeded {limit} > {most} for \"limit\". Help: Reduce the \"limit\" parameter to or below {most}.");
        return error(403, &help);
    }
    let key = body.get("shard_key").cloned().unwrap_or(Value::Null);
    let shards: Vec<&Points> = collection.shards.iter().filter(|(k, _)| key.is_null() || *k == key).map(|(_, p)| p).collect();
    if shards.is_empty() {
        return error(404, &format!("Not found: Shard key {key} not found"));
    }
    // The same id in two shards is one point, when both are asked.
    let all: BTreeMap<_, _> = shards.into_iter().flatten().filter(|(_, text)| matches(text, body.get("filter"))).collect();
    let limit = usize::try_from(limit).expect("a limit");
    match call {
        "count" => {
            let exact = body.get("exact").and_then(Value::as_bool).unwrap_or(true);
            ok(&json!({"count": if exact { all.len() } else { all.len() + 1 }}).to_string())
        }
        "scroll" => {
            let from = match body.get("offset") {
                None | Some(Value::Null) => (0, 0),
                Some(id) => match place(id) {
                    Some(place) => place,
                    None => return error(400, "Format error in JSON body: data did not match any variant of untagged enum ExtendedPointId"),
                },
            };
            if body.get("with_vector") != Some(&true.into()) || body.get("with_payload") != Some(&true.into()) {
                return error(400, "this stub wants everything");
            }
            let mut found = all.range::<(u8, u128), _>(from..).map(|(_, text)| text.as_str());
            let page: Vec<&str> = found.by_ref().take(limit).collect();
            let next = found.next().map_or(Value::Null, |t| serde_json::from_str::<Value>(t).expect("JSON")["id"].clone());
            ok(&format!("{{\"points\":[{}],\"next_page_offset\":{next}}}", page.join(",")))
        }
        _ => query(body, &all, limit),
    }
}

/// A sample that is the same each time, or the nearest by the dot product of the vector that `using` names.
fn query(body: &serde_json::Map<String, Value>, all: &BTreeMap<&(u8, u128), &String>, limit: usize) -> Reply {
    let parsed = all.values().map(|t| serde_json::from_str::<Value>(t).expect("JSON"));
    let mut hits: Vec<(f64, Value)> = if body["query"].get("sample").is_some() {
        parsed.map(|p| (0.0, p["id"].clone())).step_by((all.len() / limit).max(1)).collect()
    } else {
        let Some(query) = body["query"].as_array() else { return error(400, "Wrong input: Not existing vector name error: ") };
        let number = |v: &Value| v.as_f64().expect("a number");
        let own = |p: &Value| match body.get("using").and_then(Value::as_str) {
            Some(name) => p["vector"].get(name).cloned(),
            None => Some(p["vector"].clone()),
        };
        let scored = parsed.filter_map(|p| {
            let vector = own(&p)?;
            let dot = vector.as_array()?.iter().zip(query).map(|(a, b)| number(a) * number(b)).sum::<f64>();
            Some((dot, p["id"].clone()))
        });
        scored.collect()
    };
    hits.sort_by(|a, b| b.0.total_cmp(&a.0));
    hits.truncate(limit);
    let points: Vec<Value> = hits.into_iter().map(|(score, id)| json!({"id": id, "version": 1, "score": score})).collect();
    ok(&json!({"points": points}).to_string())
}

/// `{"must": [{"key": …, "match": {"value": …}}]}` and nothing else.
fn matches(text: &str, filter: Option<&Value>) -> bool {
    let Some(must) = filter.and_then(|f| f["must"].as_array()) else { return true };
    let point: Value = serde_json::from_str(text).expect("JSON");
    must.iter().all(|m| point["payload"][m["key"].as_str().expect("a key")] == m["match"]["value"])
}

fn snapshots(method: &str, name: &str, rest: &[&str], state: &mut State) -> Reply {
    match (method, rest) {
        ("POST", []) => {
            let made = format!("{name}-{}.snapshot", state.snapshots.len());
            let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
            let sum = crate::tool::sum(&content);
            let sum = if state.wrong_checksum { "00".repeat(32) } else { sum };
            let size = content.len();
            state.snapshots.insert((name.to_owned(), made.clone()), content);
            ok(&json!({"name": made, "creation_time": "2026-11-26T10:00:00", "size": size, "checksum": sum}).to_string())
        }
        ("GET", [file]) => match state.snapshots.get(&(name.to_owned(), (*file).to_owned())) {
            Some(content) => Reply { status: 200, body: content.clone(), ..Reply::default() },
            None => error(404, "Not found: Snapshot"),
        },
        ("DELETE", [file]) => {
            let gone = state.snapshots.remove(&(name.to_owned(), (*file).to_owned())).is_some();
            if gone { ok("true") } else { error(404, "Not found: Snapshot") }
        }
        _ => Reply::text(404, ""),
    }
}
