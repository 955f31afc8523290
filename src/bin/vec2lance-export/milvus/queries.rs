//! `--record-queries`: an entity's main vector as a query, and the server's own search for it.

use base64::Engine as _;
use half::{bf16, f16};
use prost::Message;
use serde_json::{Number, Value, json};
use vec2lance::error::Result;

use super::Plan;
use super::server::{Server, Transport};
use super::wire::{KeyValue, PlaceholderGroup, PlaceholderValue, SearchRequest, SearchResults};
use crate::http::Failure;
use crate::source::{Hit, Query, Unit};

/// Id and main vector of an entity; none where it has none, or where its values are bits.
pub(super) fn sample(plan: &Plan, record: &Value) -> Option<(String, Vec<Number>)> {
    let (field, data_type, _) = plan.main.as_ref()?;
    let vector = match record.get(field)? {
        Value::Array(values) => values.iter().map(|v| v.as_number().cloned()).collect::<Option<Vec<_>>>()?,
        Value::String(text) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
            let (pairs, _) = bytes.as_chunks::<2>();
            let value = |pair: &[u8; 2]| match data_type.as_str() {
                "FLOAT16_VECTOR" => Number::from_f64(f16::from_le_bytes(*pair).to_f64()),
                "BFLOAT16_VECTOR" => Number::from_f64(bf16::from_le_bytes(*pair).to_f64()),
                _ => None,
            };
            pairs.iter().map(value).collect::<Option<Vec<_>>>()?
        }
        _ => return None,
    };
    let id = record.get(&plan.primary)?;
    (!vector.is_empty()).then(|| (id.as_str().map_or_else(|| id.to_string(), str::to_owned), vector))
}

/// The nearest entities of the unit, in the server's order. None for sparse and binary vectors.
pub(super) async fn search(server: &Server, unit: &Unit, plan: &Plan, query: &Query) -> Result<Option<Vec<Hit>>> {
    let Some((field, data_type, metric)) = &plan.main else { return Ok(None) };
    let values: Vec<f32> = query.vector.iter().filter_map(as_f32).collect();
    let Some((number, bytes)) = placeholder(data_type, &values).filter(|_| values.len() == query.vector.len()) else { return Ok(None) };
    let what = format!("search {}", unit.collection);
    if plan.transport == Transport::Rest {
        let mut body = json!({"collectionName": unit.collection, "annsField": field, "limit": query.k, "outputFields": [plan.primary],
            "consistencyLevel": server.consistency.1});
        // float16 and bfloat16 are rounded by the server, from numbers that they hold.
        body["data"] = json!([query.vector]);
        if let Some(filter) = &plan.filter {
            body["filter"] = filter.as_str().into();
        }
        if let Some(partition) = &unit.namespace {
            body["partitionNames"] = json!([partition]);
        }
        let hits = server.rest.search(body, &plan.primary, &what).await?;
        return Ok(Some(hits.into_iter().map(|(id, score)| Hit { id, score }).collect()));
    }
    let group = PlaceholderGroup { placeholders: vec![PlaceholderValue { tag: "$0".to_owned(), placeholder_type: number, values: vec![bytes] }] };
    let pair = |key: &str, value: String| KeyValue { key: key.to_owned(), value };
    let mut search_params = vec![
        pair("anns_field", field.clone()),
        pair("topk", query.k.to_string()),
        pair("params", "{}".to_owned()),
        pair("round_decimal", "-1".to_owned()),
        pair("ignore_growing", "False".to_owned()),
    ];
    search_params.extend(metric.as_ref().map(|m| pair("metric_type", m.clone())));
    let request = SearchRequest {
        db_name: server.grpc.database(),
        collection_name: unit.collection.clone(),
        partition_names: unit.namespace.clone().into_iter().collect(),
        dsl: plan.filter.clone().unwrap_or_default(),
        placeholder_group: group.encode_to_vec(),
        dsl_type: 1,
        search_params,
        nq: 1,
        consistency_level: server.consistency.0,
        ..SearchRequest::default()
    };
    let answer: SearchResults = server.grpc.call("Search", request, &what).await?;
    let Some(results) = answer.results else { return Err(Failure::malformed(&what, "it has no results").into()) };
    let ids: Vec<String> = match results.ids {
        Some(ids) => match (ids.int_id, ids.str_id) {
            (Some(ints), _) => ints.data.iter().map(ToString::to_string).collect(),
            (None, Some(texts)) => texts.data,
            (None, None) => vec![],
        },
        None => vec![],
    };
    if ids.len() != results.scores.len() {
        return Err(Failure::malformed(&what, format!("it has {} ids and {} scores", ids.len(), results.scores.len())).into());
    }
    Ok(Some(ids.into_iter().zip(results.scores).map(|(id, score)| Hit { id, score: Some(f64::from(score)) }).collect()))
}

/// A JSON number as the nearest float.
fn as_f32(number: &Number) -> Option<f32> {
    // By its digits: through a double it could be rounded twice.
    number.to_string().parse().ok()
}

/// The number of a vector's data type, and its bytes.
fn placeholder(data_type: &str, values: &[f32]) -> Option<(i32, Vec<u8>)> {
    Some(match data_type {
        "FLOAT_VECTOR" => (101, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        "FLOAT16_VECTOR" => (102, values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
        "BFLOAT16_VECTOR" => (103, values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect()),
        "INT8_VECTOR" => (105, values.iter().map(|v| int8(*v)).collect::<Option<Vec<_>>>()?),
        _ => return None,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number of eight bits")]
fn int8(value: f32) -> Option<u8> {
    (value.fract() == 0.0 && (-128.0..=127.0).contains(&value)).then_some((value as i8).cast_unsigned())
}
