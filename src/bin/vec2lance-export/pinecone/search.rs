//! The service's own search, and the records by which it is asked.

use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::control::{Kind, Private};
use super::{Pinecone, VERSION};
use crate::http::{Failure, Request};
use crate::source::{Hit, Query, Unit};

#[derive(Deserialize)]
struct Matches {
    matches: Vec<Scored>,
}

#[derive(Deserialize)]
struct Scored {
    #[serde(alias = "_id")]
    id: String,
    #[serde(default, alias = "_score")]
    score: Option<f64>,
}

/// See [`crate::source::Source::sample`]: a document lies in a page of one.
pub(super) fn sample(unit: &Unit, record: &Value) -> Option<(String, Vec<Number>)> {
    let Some(documents) = record.get("documents") else { return crate::queries::sample(unit, record) };
    let (id, document) = documents.as_object()?.iter().next()?;
    let main = unit.vectors.first().filter(|vector| vector.kind == "dense")?;
    let vector = document.get(&main.name)?.as_array()?.iter().map(|value| value.as_number().cloned()).collect::<Option<Vec<_>>>()?;
    (!vector.is_empty()).then_some((id.clone(), vector))
}

impl Pinecone {
    /// See [`crate::source::Source::search`].
    pub(super) async fn nearest(&self, unit: &Unit, private: &Private, query: &Query) -> Result<Option<Vec<Hit>>, Failure> {
        let Some(main) = unit.vectors.first().filter(|vector| vector.kind == "dense") else { return Ok(None) };
        let request = if private.kind == Kind::Documents {
            let by = json!([{ "type": "dense_vector", "fields": [main.name], "values": query.vector }]);
            Request::post(super::documents(unit, "search"), json!({ "score_by": by, "top_k": query.k }))
        } else {
            let mut body = json!({ "vector": query.vector, "topK": query.k, "includeValues": false, "includeMetadata": false });
            if let Some(namespace) = &unit.namespace {
                body["namespace"] = json!(namespace);
            }
            Request::post("/query", body)
        };
        let request = request.header(VERSION, private.kind.api().version()).what(format!("search {}", super::place(unit)));
        let answer: Matches = self.data(&private.host)?.json(request).await?.owned()?;
        Ok(Some(answer.matches.into_iter().map(|hit| Hit { id: hit.id, score: hit.score }).collect()))
    }
}
