//! What a collection's own description says of its vectors. Layout of `GET /collections/{name}`: Qdrant 1.19, `openapi.json`.

use serde_json::Value;
use vec2lance::manifest::VectorEntry;

/// Vectors, the main one first: the unnamed one, else the first dense one by name, else the first multi, else the first sparse one.
pub(super) fn vectors(schema: &Value) -> Vec<VectorEntry> {
    let params = schema.pointer("/config/params").unwrap_or(&Value::Null);
    let mut vectors = Vec::new();
    match params.get("vectors") {
        Some(one) if one.get("size").is_some_and(Value::is_number) => vectors.push(dense("", one)),
        Some(Value::Object(named)) => vectors.extend(named.iter().map(|(name, config)| dense(name, config))),
        _ => {}
    }
    if let Some(named) = params.get("sparse_vectors").and_then(Value::as_object) {
        vectors.extend(named.iter().map(|(name, config)| VectorEntry {
            name: name.clone(),
            kind: "sparse".to_owned(),
            dimension: None,
            data_type: Some(text(config.pointer("/index/datatype")).unwrap_or_else(|| "float32".to_owned())),
            metric: Some("Dot".to_owned()),
            normalized: Some(false),
        }));
    }
    let rank = |v: &VectorEntry| ["dense", "multi", "sparse"].iter().position(|kind| *kind == v.kind);
    vectors.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name)));
    vectors
}

fn dense(name: &str, config: &Value) -> VectorEntry {
    let metric = text(config.get("distance"));
    let multi = config.get("multivector_config").is_some_and(|m| !m.is_null());
    VectorEntry {
        name: name.to_owned(),
        kind: if multi { "multi" } else { "dense" }.to_owned(),
        dimension: config.get("size").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()),
        data_type: Some(text(config.get("datatype")).unwrap_or_else(|| "float32".to_owned())),
        normalized: Some(metric.as_deref() == Some("Cosine")),
        metric,
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

/// What the server does not give back as it was inserted.
pub(super) fn losses(vectors: &[VectorEntry]) -> Vec<String> {
    let mut losses = Vec::new();
    for vector in vectors {
        let name = if vector.name.is_empty() { "the vector".to_owned() } else { format!("the vector \"{}\"", vector.name) };
        if vector.normalized == Some(true) {
            losses.push(format!("{name} has the distance Cosine: the server normalised it when it was stored, and its length as it was inserted is lost"));
        }
        match vector.data_type.as_deref() {
            Some("float32") | None => {}
            Some(stored) => losses.push(format!("{name} is stored as {stored}: what that type cannot hold was lost when it was stored")),
        }
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_vector_or_many_dense_multi_and_sparse() {
        let one = serde_json::json!({"config": {"params": {"vectors": {"size": 4, "distance": "Cosine"}}}});
        let found = vectors(&one);
        assert_eq!((found.len(), found[0].name.as_str(), found[0].dimension, found[0].normalized), (1, "", Some(4), Some(true)));
        assert_eq!(losses(&found).len(), 1);
        let many = serde_json::json!({"config": {"params": {
            "vectors": {
                "b": {"size": 2, "distance": "Dot", "datatype": "uint8"},
                "a": {"size": 3, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}},
            },
            "sparse_vectors": {"s": {}},
        }}});
        let found = vectors(&many);
        let shown: Vec<(&str, &str)> = found.iter().map(|v| (v.name.as_str(), v.kind.as_str())).collect();
        assert_eq!(shown, [("b", "dense"), ("a", "multi"), ("s", "sparse")]);
        assert_eq!(losses(&found).len(), 1);
        assert_eq!(vectors(&Value::Null), []);
    }
}
