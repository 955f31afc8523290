//! A stub of Milvus' REST v2 as `proxy/httpserver` (2.6) has it: everything is POST, `code` says what HTTP does not, int64 are strings
//! unless a header says otherwise, `limit` has an end, rows come in the order of the key, ARRAY values look like the server's own type.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};

/// What the server holds, and how it behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Collection "ints": by key, the number of the row.
    pub(crate) rows: BTreeMap<i64, String>,
    /// Collection "texts".
    pub(crate) strings: BTreeMap<String, String>,
    pub(crate) token: Option<String>,
    /// It does not know the header: int64 are strings all the same.
    pub(crate) old: bool,
    /// Rows come in another order.
    pub(crate) shuffled: bool,
    /// Rows of another order, and of those not the first ones.
    pub(crate) arbitrary: bool,
    /// Rows that an answer may have.
    pub(crate) largest: Option<usize>,
}

pub(crate) type Shared = Arc<Mutex<State>>;

/// Starts a server; `before` sees every request first and may answer in its place.
pub(crate) fn start(state: &Shared, before: impl Fn(&Request, &mut State) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let state = Arc::clone(state);
    Server::start(move |request| {
        let mut state = state.lock().unwrap();
        before(request, &mut state).unwrap_or_else(|| answer(request, &mut state))
    })
}

/// A failure, on HTTP 200.
pub(crate) fn fail(code: i64, message: &str) -> Reply {
    Reply::json(200, &json!({"code": code, "message": message}))
}

fn ok(data: &str) -> Reply {
    Reply::text(200, &format!("{{\"code\":0,\"cost\":0,\"data\":{data}}}")).header("content-type", "application/json")
}

fn answer(request: &Request, state: &mut State) -> Reply {
    if request.method != "POST" || !request.path.starts_with("/v2/vectordb/") {
        return Reply::text(404, "404 page not found");
    }
    if let Some(token) = &state.token
        && request.header("authorization") != Some(&format!("Bearer {token}"))
    {
        // A careless one, which repeats the key.
        return fail(1800, &format!("user hasn't authenticated: {}", request.header("authorization").unwrap_or_default()));
    }
    let body = request.json();
    let Some(keys) = body.as_object() else { return fail(1801, "can only accept json format request") };
    let call = request.path.trim_start_matches("/v2/vectordb/");
    let known: &[&str] = match call {
        "collections/list" => &["dbName"],
        "collections/describe" | "partitions/list" => &["dbName", "collectionName"],
        "collections/get_load_state" => &["dbName", "collectionName", "partitionNames"],
        "entities/query" => &["dbName", "collectionName", "partitionNames", "filter", "outputFields", "limit", "offset", "consistencyLevel"],
        "entities/search" => &["dbName", "collectionName", "partitionNames", "filter", "outputFields", "limit", "data", "annsField", "consistencyLevel"],
        _ => return Reply::text(404, "404 page not found"),
    };
    if let Some(other) = keys.keys().find(|k| !known.contains(&k.as_str())) {
        return fail(1801, &format!("a stub knows no {other}"));
    }
    let name = body["collectionName"].as_str().unwrap_or_default();
    if call != "collections/list" && !["ints", "texts", "asleep"].contains(&name) {
        return fail(100, &format!("can't find collection[database=default][collection={name}]"));
    }
    match call {
        "collections/list" => ok("[\"texts\",\"ints\",\"asleep\"]"),
        "collections/describe" => ok(&describe(name)),
        "partitions/list" => ok("[\"_default\"]"),
        "collections/get_load_state" => {
            ok(if name == "asleep" { "{\"loadState\":\"LoadStateNotLoad\"}" } else { "{\"loadProgress\":100,\"loadState\":\"LoadStateLoaded\"}" })
        }
        "entities/search" => ok(&format!("[{{\"distance\":0.5,\"id\":{}}}]", state.rows.keys().next().unwrap())),
        _ => query(&body, name, request.header("accept-type-allow-int64") == Some("true") && !state.old, state),
    }
}

fn describe(name: &str) -> String {
    let key = if name == "texts" { "VarChar" } else { "Int64" };
    json!({
        "aliases": [], "autoId": false, "collectionName": name, "consistencyLevel": "Bounded", "enableDynamicField": true, "load": "LoadStateLoaded",
        "fields": [
            {"autoId": false, "name": "pk", "primaryKey": true, "type": key, "nullable": false},
            {"name": "vec", "type": "FloatVector", "params": [{"key": "dim", "value": "2"}], "primaryKey": false},
            {"name": "half", "type": "Float16Vector", "params": [{"key": "dim", "value": "2"}], "primaryKey": false},
            {"name": "words", "type": "SparseFloatVector", "primaryKey": false},
            {"name": "n", "type": "Int64", "nullable": true},
            {"name": "tags", "type": "Array", "elementType": "Int64"},
            {"name": "js", "type": "JSON"},
        ],
        "indexes": [{"fieldName": "vec", "indexName": "vec", "metricType": "COSINE"}],
    })
    .to_string()
}

/// One row as the server writes it: keys sorted, ARRAY in its own shape, dynamic fields between the others.
pub(crate) fn row(key: &str, n: u64, int64: bool) -> String {
    let quoted = |text: String| if int64 { text } else { format!("\"{text}\"") };
    let tags = match n % 3 {
        0 => "{\"Data\":{\"LongData\":{}}}".to_owned(),
        1 => format!("{{\"Data\":{{\"LongData\":{{\"data\":[{n},9223372036854775807]}}}}}}"),
        _ => format!("[{n}]"),
    };
    let number = if n.is_multiple_of(4) { "null".to_owned() } else { quoted(format!("{}", 9_007_199_254_740_993 + n)) };
    format!(
        "{{\"free\":{{\"a\":[1.0,{n}]}},\"half\":\"AAA8AA==\",\"js\":\"{{\\\"k\\\": {n}.50}}\",\"n\":{number},\"pk\":{key},\"tags\":{tags},\"vec\":[{n}.25,1e-42],\"words\":{{\"7\":0.5}}}}"
    )
}

/// The same as it is exported.
pub(crate) fn exported(key: &str, n: u64) -> String {
    let tags = match n % 3 {
        0 => "[]".to_owned(),
        1 => format!("[{n},9223372036854775807]"),
        _ => format!("[{n}]"),
    };
    row(key, n, true).replace(&row(key, n, true).split("\"tags\":").nth(1).unwrap().split(",\"vec\"").next().unwrap().to_owned(), &tags)
}

fn query(body: &Value, name: &str, int64: bool, state: &mut State) -> Reply {
    if !["Strong", "Session", "Bounded", "Eventually"].contains(&body["consistencyLevel"].as_str().unwrap_or_default()) {
        return fail(1802, "parameter:'' is incorrect, please check it");
    }
    if name == "asleep" {
        return fail(101, "collection not loaded[collection=asleep]");
    }
    let filter = body["filter"].as_str().unwrap_or_default();
    let fields: Vec<&str> = body["outputFields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if filter.contains("random_sample") {
        return fail(1100, "failed to create query plan: cannot parse expression: random_sample");
    }
    let texts = name == "texts";
    let all: Vec<(String, String, Value)> = if texts {
        state.strings.iter().map(|(k, v)| (k.clone(), v.clone(), Value::from(k.as_str()))).collect()
    } else {
        state.rows.iter().map(|(k, v)| (k.to_string(), v.clone(), Value::from(*k))).collect()
    };
    let mut met = Vec::new();
    'rows: for row in all {
        for condition in filter.split(" and ").filter(|c| !c.is_empty()) {
            match holds(condition.trim_matches(['(', ')']), &row.2) {
                Some(true) => {}
                Some(false) => continue 'rows,
                None => return fail(1100, &format!("failed to create query plan: cannot parse expression: {filter}")),
            }
        }
        met.push(row);
    }
    if fields == ["count(*)"] {
        return if body["limit"].is_null() {
            ok(&format!("[{{\"count(*)\":{}}}]", met.len()))
        } else {
            fail(1100, "count entities with pagination is not allowed")
        };
    }
    let limit = usize::try_from(body["limit"].as_u64().unwrap_or(100)).unwrap();
    if limit == 0 || limit > 16_384 {
        return fail(65535, &format!("invalid max query result window, (offset+limit) should be in range [1, 16384], but got {limit}"));
    }
    if fields != ["*"] {
        return fail(65535, "a stub gives all fields or none");
    }
    if state.arbitrary {
        met.reverse();
    }
    met.truncate(limit);
    if state.shuffled {
        met.reverse();
    }
    if state.largest.is_some_and(|most| met.len() > most) {
        return fail(65535, "query results exceed the maxOutputSize Limit 104857600");
    }
    let line = |(key, n, _): &(String, String, Value)| {
        let key = if texts {
            serde_json::to_string(key).unwrap()
        } else if int64 {
            key.clone()
        } else {
            format!("\"{key}\"")
        };
        row(&key, n.parse().unwrap(), int64)
    };
    let lines: Vec<String> = met.iter().map(line).collect();
    ok(&format!("[{}]", lines.join(",")))
}

/// One comparison of the key; none where it cannot be parsed.
fn holds(condition: &str, key: &Value) -> Option<bool> {
    let rest = condition.strip_prefix("pk ")?;
    let (operator, literal) = rest.split_once(' ')?;
    let order = match key {
        Value::String(key) => {
            let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
            let (mut text, mut chars) = (String::new(), inner.chars());
            while let Some(c) = chars.next() {
                match c {
                    '"' | '\n' | '\r' => return None,
                    '\\' => text.push(match chars.next()? {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        c @ ('"' | '\\') => c,
                        _ => return None,
                    }),
                    c => text.push(c),
                }
            }
            key.as_str().cmp(text.as_str())
        }
        // The parser reads the sign apart.
        key => key.as_i64()?.cmp(&literal.trim_start_matches('-').parse::<i64>().ok().and_then(|_| literal.parse::<i64>().ok())?),
    };
    Some(match operator {
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        _ => return None,
    })
}
