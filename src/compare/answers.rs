//! What one JSON value says: a query with what was answered, a request with a raw response of Pinecone, Weaviate, Qdrant, Chroma or Milvus,
//! or such a response alone.
//!
//! The shapes are those of the databases' HTTP interfaces and of what their Python clients print as dictionaries.

use serde_json::{Map, Value};

use super::queries::{Query, Told};

type Object = Map<String, Value>;

const VECTORS: [&str; 12] = [
    "vector",
    "embedding",
    "query_embeddings",
    "queryEmbeddings",
    "query_vector",
    "queryVector",
    "query",
    "nearVector",
    "near_vector",
    "data",
    "values",
    "vectors",
];
const RESPONSES: [&str; 5] = ["response", "results", "answer", "result", "matches"];
const REQUESTS: [&str; 4] = ["request", "body", "params", "query_params"];

/// Queries of one value; with their answers if `answered`.
///
/// # Errors
/// It is none: what is missing.
pub(super) fn queries(value: &Value, answered: bool) -> Result<Vec<Query>, String> {
    match value {
        Value::Array(items) if items.first().is_some_and(Value::is_number) => {
            Ok(vec![Query { id: String::new(), vector: numbers(items)?, text: None, k: None, filter: None, results: None }])
        }
        Value::Array(items) if items.iter().all(Value::is_object) => {
            let mut all = Vec::new();
            for (number, item) in items.iter().enumerate() {
                all.extend(queries(item, answered).map_err(|why| format!("query {}: {why}", number + 1))?);
            }
            Ok(all)
        }
        Value::Object(object) => {
            if let Some(list) = object.get("queries").filter(|list| list.as_array().is_some_and(|l| l.iter().all(Value::is_object))) {
                return queries(list, answered);
            }
            of(object, answered)
        }
        _ => Err("expected an object or a list of objects".to_owned()),
    }
}

fn of(object: &Object, answered: bool) -> Result<Vec<Query>, String> {
    let request = REQUESTS.iter().find_map(|key| object.get(*key)?.as_object()).unwrap_or(object);
    let requests: Vec<&Object> = match request.get("searches").and_then(Value::as_array) {
        Some(searches) => searches.iter().filter_map(Value::as_object).collect(),
        None => vec![request],
    };
    let mut made = Vec::new();
    for request in requests {
        let vectors = vectors(request)?;
        let text = words(request).or_else(|| words(object));
        if vectors.is_empty() && text.is_none() {
            return Err("there is neither a vector nor a text".to_owned());
        }
        let number = vectors.len().max(1);
        let id = ["id", "query_id", "queryId"].iter().find_map(|key| object.get(*key)).map(shown).unwrap_or_default();
        for at in 0..number {
            made.push(Query {
                id: if number > 1 && !id.is_empty() { format!("{id}.{}", at + 1) } else { id.clone() },
                vector: vectors.get(at).cloned().unwrap_or_default(),
                text: text.clone(),
                k: ["k", "limit", "topK", "top_k", "n_results", "nResults"]
                    .iter()
                    .find_map(|key| request.get(*key)?.as_u64())
                    .and_then(|k| usize::try_from(k).ok()),
                filter: ["filter", "where", "expr"].iter().find_map(|key| request.get(*key)).filter(|f| !empty(f)).cloned(),
                results: None,
            });
        }
    }
    let response = RESPONSES.iter().find_map(|key| object.get(*key));
    // A response may stand beside the request's own fields.
    let found = response.and_then(|r| lists(r, Some(made.len()))).or_else(|| lists_of(object, Some(made.len())));
    if let Some(found) = found.filter(|_| answered) {
        if found.len() != made.len() {
            return Err(format!("{} answers for {} vectors", found.len(), made.len()));
        }
        for (query, list) in made.iter_mut().zip(found) {
            query.results = Some(list);
        }
    } else if answered && response.is_some_and(|r| !r.is_null() && !empty(r)) {
        return Err("the results are in no known shape".to_owned());
    }
    Ok(made)
}

fn words(object: &Object) -> Option<String> {
    ["text", "query_text", "queryText", "query"].iter().find_map(|key| object.get(*key)?.as_str()).filter(|t| !t.contains("nearVector")).map(str::to_owned)
}

fn empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty) || value.as_str() == Some("")
}

/// The query vectors of a request.
fn vectors(request: &Object) -> Result<Vec<Vec<f32>>, String> {
    for key in VECTORS {
        let Some(value) = request.get(key) else { continue };
        if let Some(text) = value.as_str() {
            // Weaviate's GraphQL holds the vector as text.
            if let Some(vector) = graphql(text) {
                return Ok(vec![vector]);
            }
            continue;
        }
        if let Some(found) = vectors_of(value)? {
            return Ok(found);
        }
    }
    Ok(vec![])
}

fn vectors_of(value: &Value) -> Result<Option<Vec<Vec<f32>>>, String> {
    match value {
        Value::Array(items) if items.first().is_some_and(Value::is_array) => {
            items.iter().map(|item| item.as_array().map_or_else(|| Err("a vector is no list".to_owned()), |v| numbers(v))).collect::<Result<_, _>>().map(Some)
        }
        Value::Array(items) if items.first().is_some_and(Value::is_number) => numbers(items).map(|v| Some(vec![v])),
        Value::Object(inner) => match ["vector", "values", "nearest", "query"].iter().find_map(|key| inner.get(*key)) {
            Some(inner) => vectors_of(inner),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

fn numbers(items: &[Value]) -> Result<Vec<f32>, String> {
    items
        .iter()
        .map(|item| {
            #[expect(clippy::cast_possible_truncation, reason = "vectors are float32")]
            let value = item.as_f64().map(|v| v as f32);
            value.filter(|v| v.is_finite()).ok_or_else(|| format!("the vector holds {item}, expected a number"))
        })
        .collect()
}

fn graphql(text: &str) -> Option<Vec<f32>> {
    let after = text.split_once("nearVector")?.1.split_once("vector")?.1;
    let list = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('[')?.split(']').next()?;
    list.split(',').map(|n| n.trim().parse().ok()).collect()
}

/// The lists of found rows in a response; for `queries` queries where that is known.
pub(super) fn lists(value: &Value, queries: Option<usize>) -> Option<Vec<Vec<Told>>> {
    match value {
        Value::Object(object) => lists_of(object, queries),
        Value::Array(items) => {
            if items.is_empty() {
                return Some(vec![vec![]]);
            }
            let inner: Option<Vec<&Vec<Value>>> = items.iter().map(Value::as_array).collect();
            if let Some(inner) = inner {
                return inner.into_iter().map(|list| list.iter().map(told).collect()).collect();
            }
            // Qdrant's batches: one object of points for each query.
            if items.iter().all(|item| item.get("points").is_some_and(Value::is_array)) {
                return items.iter().map(|item| lists(item, Some(1)).and_then(|mut l| l.pop())).collect();
            }
            let all: Vec<Told> = items.iter().map(told).collect::<Option<_>>()?;
            let number = queries.unwrap_or(1).max(1);
            // Milvus answers several vectors in one list, and as many rows to each.
            let each = all.len() / number;
            if number == 1 || each == 0 || !all.len().is_multiple_of(number) { Some(vec![all]) } else { Some(all.chunks(each).map(<[Told]>::to_vec).collect()) }
        }
        _ => None,
    }
}

fn lists_of(object: &Object, queries: Option<usize>) -> Option<Vec<Vec<Told>>> {
    if let Some(ids) = ["ids", "result_ids"].iter().find_map(|key| object.get(*key)?.as_array()) {
        return Some(chroma(object, ids));
    }
    for key in ["matches", "hits", "points", "objects"] {
        if let Some(list) = object.get(key).filter(|v| v.is_array()) {
            return lists(list, queries);
        }
    }
    if let Some(classes) = object.get("Get").and_then(Value::as_object) {
        return classes.values().find(|v| v.is_array()).and_then(|list| lists(list, Some(1)));
    }
    if let (Some(list), Some(sizes)) = (object.get("data").filter(|v| v.is_array()), object.get("topks").and_then(Value::as_array)) {
        let mut all = lists(list, Some(1))?.pop()?.into_iter();
        let sizes = sizes.iter().map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0));
        return Some(sizes.map(|n| all.by_ref().take(n).collect()).collect());
    }
    for key in ["response", "result", "results", "data"] {
        if let Some(inner) = object.get(key).filter(|v| v.is_object() || v.as_array().is_some_and(|a| !a.first().is_some_and(is_vector))) {
            return lists(inner, queries);
        }
    }
    None
}

/// Whether a value of a list is a query vector or a component of one: Milvus calls them `data` as it does the rows of an answer.
fn is_vector(value: &Value) -> bool {
    value.is_number() || value.as_array().is_some_and(|items| items.first().is_some_and(Value::is_number))
}

/// Chroma's columns, one list for each query; or one list where a client has taken the outer one away.
fn chroma(object: &Object, ids: &[Value]) -> Vec<Vec<Told>> {
    let nested = ids.first().is_some_and(Value::is_array);
    let column = |key: &str, query: usize| -> Option<&Vec<Value>> {
        let list = object.get(key)?.as_array()?;
        if nested { list.get(query)?.as_array() } else { Some(list) }
    };
    let of = |query: usize, ids: &[Value]| -> Vec<Told> {
        let (documents, metadatas) = (column("documents", query), column("metadatas", query));
        let distances = ["distances", "scores", "result_scores"].iter().find_map(|key| column(key, query));
        let at = |list: Option<&Vec<Value>>, row: usize| list.and_then(|l| l.get(row)).filter(|v| !v.is_null()).cloned();
        ids.iter()
            .enumerate()
            .map(|(row, id)| {
                let mut fields = at(metadatas, row).and_then(|m| m.as_object().cloned()).unwrap_or_default();
                fields.extend(at(documents, row).map(|d| ("document".to_owned(), d)));
                let fields = (!fields.is_empty()).then_some(Value::Object(fields));
                Told { id: shown(id), score: at(distances, row).and_then(|d| d.as_f64()), fields }
            })
            .collect()
    };
    if nested { ids.iter().enumerate().filter_map(|(query, list)| Some(of(query, list.as_array()?))).collect() } else { vec![of(0, ids)] }
}

/// One found row.
fn told(item: &Value) -> Option<Told> {
    let Some(object) = item.as_object() else {
        return (item.is_string() || item.is_number()).then(|| Told { id: shown(item), score: None, fields: None });
    };
    let more = object.get("_additional").or_else(|| object.get("metadata")).and_then(Value::as_object);
    let own = ["id", "_id", "uuid", "pk"].iter().find_map(|key| object.get(*key)).or_else(|| more?.get("id"));
    let scores = ["score", "distance", "_score", "_distance"];
    // pymilvus puts the rest into `entity`; a field of any name may be the primary key, and stands first.
    let id = own.or_else(|| object.iter().find(|(key, v)| !scores.contains(&key.as_str()) && (v.is_string() || v.is_number())).map(|(_, v)| v))?;
    let score = scores.iter().find_map(|key| object.get(*key)?.as_f64());
    let score = score.or_else(|| ["distance", "score", "certainty"].iter().find_map(|key| more?.get(*key)?.as_f64()));
    let inner = ["payload", "metadata", "properties", "entity", "fields"].iter().find_map(|key| object.get(*key)?.as_object());
    let rest = || {
        object.iter().filter(|(key, _)| !scores.contains(&key.as_str()) && !["id", "_id", "uuid", "_additional", "values", "vector"].contains(&key.as_str()))
    };
    let fields: Object = match inner {
        Some(inner) => inner.clone(),
        None => rest().map(|(k, v)| (k.clone(), v.clone())).collect(),
    };
    Some(Told { id: shown(id), score, fields: (!fields.is_empty()).then_some(Value::Object(fields)) })
}

/// An id as text: the digits of a number, a string as it is.
fn shown(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
