//! The header records of a run: one a collection, and one under it for each of its namespaces.
//!
//! What they say; how they become rows is [`crate::frame::header`]'s.

use std::collections::BTreeMap;
use std::path::Path;

use super::Run;
use crate::frame::header::Header;
use crate::frame::identity::Collection;
use crate::frame::vectors::VectorKind;

/// Members of each (source, collection, namespace).
pub(super) type Members = Vec<(Collection, u64)>;

impl Run<'_> {
    /// Members of all collections of this run and their namespaces, when it is done.
    pub(super) fn members(&self, lost: &BTreeMap<u32, u64>) -> Members {
        let met = self.tally.members(lost);
        let Some(update) = &self.update else { return met };
        let own = |place: &Collection| self.plan.inputs.iter().any(|i| i.collection.source == place.source && i.collection.name == place.name);
        update.members().iter().filter(|(place, _)| own(place)).cloned().collect()
    }

    /// One header for each collection, in the order of the inputs, then one for each namespace that has members.
    pub(super) fn headers(&self, members: &Members) -> Vec<Header> {
        let mut headers: Vec<Header> = Vec::new();
        for input in &self.plan.inputs {
            let collection = input.collection.within("");
            if headers.iter().any(|h| h.collection == collection) {
                continue;
            }
            let own = || members.iter().filter(|(place, _)| place.source == collection.source && place.name == collection.name);
            let mut facts = vec![("metric".to_owned(), self.plan.metric.name().to_owned()), ("vectors".to_owned(), self.vectors_text(input.main.as_deref()))];
            let name = Path::new(&input.dump).file_name().map_or_else(|| input.dump.clone(), |n| n.to_string_lossy().into_owned());
            if !input.facts.iter().any(|(key, _)| key == "source_name") {
                facts.push(("source_name".to_owned(), name));
            }
            if let Some(schema) = &input.schema {
                facts.push(("schema".to_owned(), schema.clone()));
            }
            facts.extend(input.facts.iter().cloned());
            let mut namespaces: Vec<&str> = own().filter(|(place, n)| *n > 0 && !place.namespace.is_empty()).map(|(p, _)| p.namespace.as_str()).collect();
            namespaces.sort_unstable();
            if !namespaces.is_empty() {
                facts.push(("namespaces".to_owned(), serde_json::Value::from(namespaces).to_string()));
            }
            if let Some(update) = &self.update {
                update.keep_facts(&collection, &mut facts);
            }
            let count = own().map(|(_, n)| n).sum();
            headers.push(Header { collection, count, facts, migrated: self.started.clone() });
        }
        let spaces = members.iter().filter(|(place, count)| *count > 0 && !place.namespace.is_empty());
        let of_space = |(place, count): &(Collection, u64)| Header { collection: place.clone(), count: *count, facts: vec![], migrated: self.started.clone() };
        headers.extend(spaces.map(of_space));
        headers
    }

    /// Every vector with its column, as JSON; `main` is the collection's name of the main one.
    fn vectors_text(&self, main: Option<&str>) -> String {
        let layout = self.layout();
        let mut all = vec![serde_json::json!({
            "name": main.unwrap_or("default"), "column": "vector", "kind": "dense", "dimension": layout.dimension, "type": "float32",
        })];
        all.extend(layout.others.iter().map(|v| {
            let kind = match v.kind {
                VectorKind::Dense(..) => "dense",
                VectorKind::Multi(..) => "multi",
                VectorKind::Sparse => "sparse",
            };
            serde_json::json!({"name": v.name, "column": v.column, "kind": kind, "dimension": v.kind.dimension(), "type": v.kind.element().name()})
        }));
        serde_json::Value::from(all).to_string()
    }
}
