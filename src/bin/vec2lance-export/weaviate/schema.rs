//! What a class says about itself: its vectors, their metrics, whether it has tenants. It does not ask a server.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use vec2lance::manifest::VectorEntry;

/// A class of `/v1/schema`, with the parts that an export needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Class {
    /// Its name.
    #[serde(rename = "class")]
    pub(super) name: String,
    #[serde(default)]
    vector_config: BTreeMap<String, VectorConfig>,
    #[serde(default)]
    vector_index_type: Option<String>,
    #[serde(default)]
    vector_index_config: Option<Value>,
    #[serde(default)]
    multi_tenancy_config: Option<MultiTenancy>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VectorConfig {
    #[serde(default)]
    vector_index_config: Option<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MultiTenancy {
    #[serde(default)]
    enabled: bool,
}

/// A tenant of `/v1/schema/{class}/tenants`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tenant {
    /// Its name.
    pub(super) name: String,
    /// `ACTIVE`, `INACTIVE`, `OFFLOADED`, …; absent where the server takes it for active.
    #[serde(default)]
    pub(super) activity_status: Option<String>,
}

impl Tenant {
    /// Whether its objects can be read. Older servers say `HOT`.
    pub(super) fn readable(&self) -> bool {
        matches!(self.activity_status.as_deref(), None | Some("" | "ACTIVE" | "HOT"))
    }
}

impl Class {
    /// Whether objects live in tenants.
    pub(super) fn has_tenants(&self) -> bool {
        self.multi_tenancy_config.as_ref().is_some_and(|config| config.enabled)
    }

    /// Names of the named vectors, in the order of their bytes.
    pub(super) fn named(&self) -> Vec<&str> {
        self.vector_config.keys().map(String::as_str).collect()
    }

    /// Its vectors, the main one first: the one without a name, `default`, or the first by name. The schema does not say a
    /// dimension: it is that of `seen`, some objects of the class.
    pub(super) fn vectors(&self, seen: &[Seen<'_>]) -> Vec<VectorEntry> {
        let mut entries = Vec::new();
        let unnamed = self.vector_config.is_empty() || self.vector_index_type.as_deref().is_some_and(|kind| !kind.is_empty());
        if unnamed && (self.vector_config.is_empty() || seen.iter().any(|object| object.vector.is_some())) {
            let shape = seen.iter().find_map(|object| shape(object.vector?));
            entries.push(entry("", self.vector_index_config.as_ref(), shape));
        }
        let mut named: Vec<_> = self.vector_config.iter().collect();
        named.sort_by_key(|(name, _)| (name.as_str() != "default", name.as_str()));
        for (name, config) in named {
            let shape = seen.iter().find_map(|object| shape(object.vectors.as_ref()?.get(name.as_str())?));
            entries.push(entry(name, config.vector_index_config.as_ref(), shape));
        }
        entries
    }
}

/// The parts of an object that are looked at; the rest is passed on as it is.
#[derive(Debug, Deserialize)]
pub(super) struct Seen<'a> {
    /// Its id.
    pub(super) id: String,
    /// The vector without a name.
    #[serde(borrow, default)]
    pub(super) vector: Option<&'a RawValue>,
    /// The named ones.
    #[serde(borrow, default)]
    pub(super) vectors: Option<BTreeMap<String, &'a RawValue>>,
}

fn entry(name: &str, config: Option<&Value>, shape: Option<(bool, usize)>) -> VectorEntry {
    let told_multi = config.and_then(|config| config.pointer("/multivector/enabled")).and_then(Value::as_bool).unwrap_or(false);
    let distance = config.and_then(|config| config.get("distance")).and_then(Value::as_str).filter(|distance| !distance.is_empty());
    VectorEntry {
        name: name.to_owned(),
        kind: if told_multi || shape.is_some_and(|(multi, _)| multi) { "multi" } else { "dense" }.to_owned(),
        dimension: shape.map(|(_, dimension)| dimension),
        data_type: Some("float32".to_owned()),
        // What the server takes where nothing is said.
        metric: Some(distance.unwrap_or("cosine").to_owned()),
        // It normalises inside of its index only; objects keep what was sent.
        normalized: Some(false),
    }
}

/// Whether a vector is a list of lists, and its dimension. None for an empty one.
fn shape(vector: &RawValue) -> Option<(bool, usize)> {
    if let Ok(values) = serde_json::from_str::<Vec<serde_json::Number>>(vector.get()) {
        return (!values.is_empty()).then_some((false, values.len()));
    }
    let rows = serde_json::from_str::<Vec<Vec<serde_json::Number>>>(vector.get()).ok()?;
    rows.first().filter(|row| !row.is_empty()).map(|row| (true, row.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_a_class() {
        let class: Class = serde_json::from_str(
            r#"{"class":"A","vectorConfig":{"title":{"vectorIndexConfig":{"distance":"dot"}},"default":{},"parts":{"vectorIndexConfig":{"multivector":{"enabled":true}}}}}"#,
        )
        .unwrap();
        let object = r#"{"id":"x","vectors":{"title":[1,2.5],"parts":[[1,2,3],[4,5,6]]}}"#;
        let seen: Seen<'_> = serde_json::from_str(object).unwrap();
        let vectors = class.vectors(&[seen]);
        let told: Vec<_> = vectors.iter().map(|v| (v.name.as_str(), v.kind.as_str(), v.dimension, v.metric.as_deref())).collect();
        assert_eq!(told, [("default", "dense", None, Some("cosine")), ("parts", "multi", Some(3), Some("cosine")), ("title", "dense", Some(2), Some("dot"))]);
    }
}
