//! What there is of one collection: itself, or the partitions that people have named; and what its interface does not give back.

use serde_json::Value;
use vec2lance::error::Result;

use super::schema::Description;
use super::server::Transport;
use super::{Milvus, Plan, WINDOW};
use crate::source::{LeftOut, Selection, Unit};

impl Milvus {
    /// Units of one collection: itself, or its partitions where it has several that people have named.
    pub(super) async fn of_collection(&self, name: &str, transport: Transport, chosen: &Selection) -> Result<(Vec<(Unit, Plan)>, Vec<LeftOut>)> {
        let described = self.server.describe(transport, name).await?;
        let left = |namespace: Option<&String>, reason: String| LeftOut { collection: name.to_owned(), namespace: namespace.cloned(), reason };
        let Some(primary) = described.primary().cloned() else { return Ok((vec![], vec![left(None, "its description names no primary key".to_owned())])) };
        let partitions = self.server.partitions(transport, name).await?;
        let keyed = described.fields.iter().any(|f| f.partition_key);
        let named: Vec<Option<String>> = if !chosen.namespaces.is_empty() {
            chosen.namespaces.iter().filter(|n| partitions.contains(n)).cloned().map(Some).collect()
        } else if keyed || partitions.len() < 2 {
            // The partitions of a partition key are the server's own, by hashes.
            vec![None]
        } else {
            partitions.iter().cloned().map(Some).collect()
        };
        let main = described.main().map(|m| (m.name.clone(), m.data_type.clone()));
        let metric = |field: &str| described.metrics.iter().find(|(name, _)| name == field).map(|(_, metric)| metric.clone());
        let mut plan = Plan {
            transport,
            varchar: primary.data_type != "INT64",
            primary: primary.name,
            order: described.fields.iter().map(|f| f.name.clone()).chain(described.structs.iter().cloned()).collect(),
            arrays: described.of_type("ARRAY"),
            longs: described.of_type("INT64"),
            main: main.map(|(name, data_type)| (name.clone(), data_type, metric(&name))),
            filter: chosen.filter.clone(),
            timestamp: 0,
            record_bytes: 0,
            page: WINDOW,
        };
        let (mut units, mut left_out) = (Vec::new(), Vec::new());
        let losses = self.losses(&described, transport);
        for namespace in named {
            if !self.server.is_loaded(transport, name, namespace.as_deref()).await? {
                left_out.push(left(namespace.as_ref(), "it is not loaded, so it cannot be queried; load it (an export does not) and export again".to_owned()));
                continue;
            }
            let mut unit = Unit {
                collection: name.to_owned(),
                namespace,
                layout: "milvus".to_owned(),
                metric: plan.main.as_ref().and_then(|(_, _, metric)| metric.clone()),
                vectors: described.vectors(),
                schema: described.json.clone(),
                losses: losses.clone(),
                private: Value::Null,
            };
            plan.timestamp = 0;
            (plan.timestamp, plan.record_bytes) = self.server.first_look(&unit, &plan).await?;
            if transport == Transport::Grpc && plan.timestamp == 0 {
                let loss = "This server keeps no versions of its data, so the records were not read as of one moment; changed values of records that stay are not noticed.";
                unit.losses.push(loss.to_owned());
            }
            units.push((unit, plan.clone()));
        }
        Ok((units, left_out))
    }

    /// What the interface does not give back exactly.
    fn losses(&self, described: &Description, transport: Transport) -> Vec<String> {
        let mut losses = Vec::new();
        for name in &described.withheld {
            losses.push(format!("{name} is made by a BM25 function of the server, which does not give it back; an index on the text makes it again."));
        }
        if transport == Transport::Rest {
            losses.push("REST cannot read a collection as of one moment: changed values of records that stay are not noticed.".to_owned());
            if described.dynamic {
                losses.push(
                    "REST gives numbers in dynamic fields as doubles: integers above 2^53 may have lost digits, and a dynamic field named like one of the schema hides it."
                        .to_owned(),
                );
            }
        }
        if self.server.is_lite() && described.fields.iter().any(|f| f.nullable && f.data_type.ends_with("VECTOR")) {
            losses.push("Milvus Lite gives back null vectors as vectors of zeros.".to_owned());
        }
        losses
    }
}
