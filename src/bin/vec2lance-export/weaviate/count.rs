//! The three ways to count objects, the strongest first, and the server's own search.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Weaviate;
use super::page::place;
use crate::http::{Failure, Request, segment};
use crate::source::{Count, Hit, Query, Unit};

#[derive(Deserialize)]
struct Aggregate {
    count: Option<u64>,
}

#[derive(Deserialize)]
struct GraphQl {
    #[serde(default)]
    data: Option<Value>,
    #[serde(default)]
    errors: Option<Vec<GraphQlError>>,
}

#[derive(Deserialize)]
struct GraphQlError {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Nodes {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    shards: Option<Vec<Shard>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shard {
    class: String,
    name: String,
    object_count: i64,
}

impl Weaviate {
    /// Objects of a class or tenant: `POST /v1/aggregate` (1.40), else GraphQL's `Aggregate`, both of which count what is stored,
    /// else the nodes' status, which lags behind.
    pub(super) async fn counted(&self, unit: &Unit) -> Result<Option<Count>, Failure> {
        if let Some(value) = self.aggregate(unit).await? {
            return Ok(Some(Count { value, by: "POST /v1/aggregate".to_owned(), exact: true }));
        }
        if let Some(value) = self.aggregate_graphql(unit).await? {
            return Ok(Some(Count { value, by: "GraphQL Aggregate meta count".to_owned(), exact: true }));
        }
        let value = self.nodes(unit).await?;
        Ok(value.map(|value| Count { value, by: "GET /v1/nodes output=verbose objectCount".to_owned(), exact: false }))
    }

    async fn aggregate(&self, unit: &Unit) -> Result<Option<u64>, Failure> {
        let body = unit.namespace.as_ref().map_or_else(|| json!({}), |tenant| json!({ "tenant": tenant }));
        let request = Request::post(format!("/v1/aggregate/{}", segment(&unit.collection)), body).what(format!("count the objects of {}", place(unit)));
        match self.client.json(request).await {
            Ok(answer) => match answer.parse::<Aggregate>()?.count {
                Some(count) => Ok(Some(count)),
                None => Err(answer.malformed("it has no count")),
            },
            // Older servers do not have it.
            Err(Failure::Missing { .. } | Failure::Refused { status: 404 | 405 | 501, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn aggregate_graphql(&self, unit: &Unit) -> Result<Option<u64>, Failure> {
        let Some(class) = graphql_name(&unit.collection) else { return Ok(None) };
        let tenant = unit.namespace.as_ref().map(|tenant| format!("(tenant:{})", json!(tenant))).unwrap_or_default();
        let query = format!("{{Aggregate{{{class}{tenant}{{meta{{count}}}}}}}}");
        let Some(data) = self.graphql(&query, &format!("count the objects of {}", place(unit))).await? else { return Ok(None) };
        match data.pointer(&format!("/Aggregate/{class}/0/meta/count")).and_then(Value::as_u64) {
            Some(count) => Ok(Some(count)),
            None => Err(Failure::malformed(&format!("count the objects of {}", place(unit)), format!("there is no count in {data}"))),
        }
    }

    /// Objects by the status of the nodes; of each shard, what its fullest replica says.
    async fn nodes(&self, unit: &Unit) -> Result<Option<u64>, Failure> {
        let request = Request::get(format!("/v1/nodes/{}", segment(&unit.collection))).query("output", "verbose").what("ask the nodes for their shards");
        let answer = match self.client.json(request).await {
            Ok(answer) => answer,
            // Not allowed to see nodes, though allowed to read objects.
            Err(Failure::Missing { .. } | Failure::Denied { .. }) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let mut shards: BTreeMap<String, u64> = BTreeMap::new();
        for shard in answer.parse::<Nodes>()?.nodes.into_iter().flat_map(|node| node.shards.unwrap_or_default()) {
            if shard.class == unit.collection && unit.namespace.as_ref().is_none_or(|tenant| *tenant == shard.name) {
                let count = u64::try_from(shard.object_count).unwrap_or(0);
                let known = shards.entry(shard.name).or_default();
                *known = count.max(*known);
            }
        }
        Ok((!shards.is_empty()).then(|| shards.values().sum()))
    }

    /// See [`crate::source::Source::search`].
    pub(super) async fn nearest(&self, unit: &Unit, query: &Query) -> Result<Option<Vec<Hit>>, Failure> {
        let Some(class) = graphql_name(&unit.collection) else { return Ok(None) };
        let Some(main) = unit.vectors.first().filter(|vector| vector.kind == "dense") else { return Ok(None) };
        let target = if main.name.is_empty() { String::new() } else { format!(",targetVectors:[{}]", json!(main.name)) };
        let tenant = unit.namespace.as_ref().map(|tenant| format!(",tenant:{}", json!(tenant))).unwrap_or_default();
        let vector = json!(query.vector);
        let text = format!("{{Get{{{class}(nearVector:{{vector:{vector}{target}}}{tenant},limit:{}){{_additional{{id distance}}}}}}}}", query.k);
        let what = format!("search {}", place(unit));
        let Some(data) = self.graphql(&text, &what).await? else { return Ok(None) };
        let rows = data
            .pointer(&format!("/Get/{class}"))
            .and_then(Value::as_array)
            .ok_or_else(|| Failure::malformed(&what, format!("there are no hits in {data}")))?;
        rows.iter()
            .map(|row| {
                let id =
                    row.pointer("/_additional/id").and_then(Value::as_str).ok_or_else(|| Failure::malformed(&what, format!("a hit without an id: {row}")))?;
                Ok(Hit { id: id.to_owned(), score: row.pointer("/_additional/distance").and_then(Value::as_f64) })
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    }

    /// Asks GraphQL; none where the server has it switched off.
    async fn graphql(&self, query: &str, what: &str) -> Result<Option<Value>, Failure> {
        let answer = match self.client.json(Request::post("/v1/graphql", json!({ "query": query })).what(what)).await {
            Ok(answer) => answer,
            Err(Failure::Missing { .. } | Failure::Refused { status: 404 | 405 | 501, .. }) => return Ok(None),
            // DISABLE_GRAPHQL=true.
            Err(Failure::Refused { status: 422, message, .. }) if message.contains("disabled") => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let told: GraphQl = answer.owned()?;
        // It says with status 200 what went wrong.
        let errors: Vec<String> = told.errors.unwrap_or_default().into_iter().map(|error| error.message).collect();
        if !errors.is_empty() {
            return Err(Failure::Refused { what: what.to_owned(), status: 200, message: crate::http::clean(&errors.join("; ")) });
        }
        told.data.map(Some).ok_or_else(|| answer.malformed("it has neither data nor errors"))
    }
}

/// A class name where GraphQL can say it. Weaviate allows no other.
fn graphql_name(class: &str) -> Option<&str> {
    let first = class.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    (first && class.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).then_some(class)
}
