//! The two interfaces as one: each call over that which the unit is read with.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vec2lance::error::Result;

use super::column::{Field, QueryResults, ScalarField, Scalars};
use super::grpc::Grpc;
use super::rest::{Reading, Rest};
use super::schema::Description;
use super::wire::{
    DescribeCollectionResponse, DescribeIndexResponse, GetLoadStateRequest, GetLoadStateResponse, KeyValue, QueryRequest, ShowCollectionsRequest,
    ShowCollectionsResponse, ShowPartitionsResponse,
};
use super::{Plan, WINDOW, filter, row};
use crate::http::{Failure, Settings, clean};
use crate::secret::Secret;
use crate::source::{Range, Unit};

/// Lines with their keys.
pub(super) type Rows = Vec<(String, Value)>;

/// Which interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    Grpc,
    Rest,
}

/// Keys that a sample has, about.
const SAMPLE: u64 = 4000;
/// Entities by which the size of a page is chosen.
const LOOK: usize = 16;
/// `LoadStateLoaded`.
const LOADED: i32 = 3;

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) grpc: Grpc,
    pub(super) rest: Rest,
    /// `common.ConsistencyLevel`, as a number and by name.
    pub(super) consistency: (i32, &'static str),
    lite: AtomicBool,
}

impl Server {
    /// Makes both clients; sends nothing.
    pub(super) fn new(settings: &Settings, url: &str, database: &str, level: i32, level_name: &'static str, secret: Option<&Secret>) -> Result<Self> {
        let database = if database == "default" { "" } else { database };
        // First, because it says best what is wrong with an address.
        let rest = Rest::new(settings, url, database, secret)?;
        let grpc = Grpc::new(settings, url, database, secret)?;
        Ok(Self { grpc, rest, consistency: (level, level_name), lite: AtomicBool::new(false) })
    }

    /// gRPC where the server speaks it, else REST where it speaks that; else gRPC, whose error then says what is wrong.
    pub(super) async fn what_answers(&self) -> Transport {
        if self.grpc.knock().await || !self.rest.knock().await { Transport::Grpc } else { Transport::Rest }
    }

    /// Whether the server is Milvus Lite, as far as it has said.
    pub(super) fn is_lite(&self) -> bool {
        self.lite.load(Ordering::Relaxed)
    }

    /// The version; REST has no call for it, and is asked for the collections, so that wrong credentials end here.
    pub(super) async fn version(&self, transport: Transport) -> Result<Option<String>, Failure> {
        if transport == Transport::Rest {
            return self.rest.collections().await.map(|_| None);
        }
        let version = self.grpc.version().await?;
        self.lite.store(version.as_deref().is_some_and(|v| v.contains("lite")), Ordering::Relaxed);
        Ok(version)
    }

    pub(super) async fn collections(&self, transport: Transport) -> Result<Vec<String>, Failure> {
        if transport == Transport::Rest {
            return self.rest.collections().await;
        }
        let request = ShowCollectionsRequest { db_name: self.grpc.database() };
        let answer: ShowCollectionsResponse = self.grpc.call("ShowCollections", request, "list the collections").await?;
        Ok(answer.collection_names)
    }

    pub(super) async fn describe(&self, transport: Transport, collection: &str) -> Result<Description, Failure> {
        let what = format!("describe the collection {collection}");
        let description = if transport == Transport::Rest {
            Description::of_rest(self.rest.describe(collection).await?)
        } else {
            let about = self.grpc.about(collection);
            let answer: DescribeCollectionResponse = self.grpc.call("DescribeCollection", about.clone(), &what).await?;
            let indexes = match self.grpc.call::<_, DescribeIndexResponse>("DescribeIndex", about, &format!("list the indexes of {collection}")).await {
                Ok(answer) => answer.index_descriptions,
                // There is none.
                Err(Failure::Refused { .. } | Failure::Missing { .. }) => vec![],
                Err(failure) => return Err(failure),
            };
            Description::of_wire(answer, &indexes)
        };
        description.map_err(|reason| Failure::malformed(&what, reason))
    }

    pub(super) async fn partitions(&self, transport: Transport, collection: &str) -> Result<Vec<String>, Failure> {
        if transport == Transport::Rest {
            return self.rest.partitions(collection).await;
        }
        let what = format!("list the partitions of {collection}");
        let answer: ShowPartitionsResponse = self.grpc.call("ShowPartitions", self.grpc.about(collection), &what).await?;
        Ok(answer.partition_names)
    }

    pub(super) async fn is_loaded(&self, transport: Transport, collection: &str, partition: Option<&str>) -> Result<bool, Failure> {
        if transport == Transport::Rest {
            return self.rest.is_loaded(collection, partition).await;
        }
        let request = GetLoadStateRequest {
            collection_name: collection.to_owned(),
            partition_names: partition.map(str::to_owned).into_iter().collect(),
            db_name: self.grpc.database(),
        };
        let answer: GetLoadStateResponse = self.grpc.call("GetLoadState", request, &format!("ask whether {collection} is loaded")).await?;
        Ok(answer.state == LOADED)
    }

    /// A moment after which nothing is read, as pymilvus' query iterator begins with one, and the mean bytes of an entity's line by
    /// those of a few. The moment is 0 where the server has no such thing.
    pub(super) async fn first_look(&self, unit: &Unit, plan: &Plan) -> Result<(u64, usize), Failure> {
        let range = Range::whole();
        let (moment, rows) = if plan.transport == Transport::Rest {
            (0, self.page(unit, plan, &range, None, LOOK).await?)
        } else {
            self.read(unit, plan, filter::page(&plan.primary, plan.varchar, &range, None, None), LOOK).await?
        };
        let bytes = rows.iter().map(|(line, _)| line.len()).sum::<usize>() / rows.len().max(1);
        Ok((moment, bytes))
    }

    fn query_request(&self, unit: &Unit, expr: String, timestamp: u64) -> QueryRequest {
        QueryRequest {
            db_name: self.grpc.database(),
            collection_name: unit.collection.clone(),
            expr,
            partition_names: unit.namespace.iter().cloned().collect(),
            guarantee_timestamp: timestamp,
            consistency_level: self.consistency.0,
            ..QueryRequest::default()
        }
    }

    fn query_body(&self, unit: &Unit, filter: &str) -> Value {
        let mut body = json!({"collectionName": unit.collection, "filter": filter, "consistencyLevel": self.consistency.1});
        if let Some(partition) = &unit.namespace {
            body["partitionNames"] = json!([partition]);
        }
        body
    }

    /// Up to `limit` entities, all fields of them.
    pub(super) async fn page(&self, unit: &Unit, plan: &Plan, range: &Range, after: Option<&Value>, limit: usize) -> Result<Rows, Failure> {
        let expr = filter::page(&plan.primary, plan.varchar, range, after, plan.filter.as_deref());
        let what = format!("query {}", unit.collection);
        if plan.transport == Transport::Rest {
            let mut body = self.query_body(unit, &expr);
            body["outputFields"] = json!(["*"]);
            body["limit"] = limit.into();
            return self.rest.query(body, Reading { primary: &plan.primary, arrays: &plan.arrays, longs: &plan.longs }, &what).await;
        }
        self.read(unit, plan, expr, limit).await.map(|(_, rows)| rows)
    }

    /// Entities over gRPC, and the moment as of which they are.
    async fn read(&self, unit: &Unit, plan: &Plan, expr: String, limit: usize) -> Result<(u64, Rows), Failure> {
        let what = format!("query {}", unit.collection);
        let mut request = self.query_request(unit, expr, plan.timestamp);
        request.output_fields = vec!["*".to_owned()];
        request.query_params = iterator(Some(limit));
        let answer: QueryResults = self.grpc.call("Query", request, &what).await?;
        let moment = answer.session_ts;
        let rows = row::lines(answer, &plan.primary, &plan.order).map_err(|reason| Failure::malformed(&what, reason))?;
        Ok((moment, rows))
    }

    /// `count(*)` of the unit, or of what lies in a range behind a key up to another one, at the unit's moment.
    pub(super) async fn count(&self, unit: &Unit, plan: &Plan, part: Option<(&Range, Option<&Value>, &Value)>) -> Result<u64, Failure> {
        let chosen = plan.filter.as_deref();
        let expr = match part {
            Some((range, after, last)) => filter::span(&plan.primary, plan.varchar, range, after, Some(last), chosen),
            // Lite counts the whole collection where there is no expression, whatever the partition.
            None if chosen.is_some() || unit.namespace.is_some() => filter::page(&plan.primary, plan.varchar, &Range::whole(), None, chosen),
            None => String::new(),
        };
        let what = format!("count {}", unit.collection);
        if plan.transport == Transport::Rest {
            let mut body = self.query_body(unit, &expr);
            body["outputFields"] = json!(["count(*)"]);
            return self.rest.count(body, &what).await;
        }
        let mut request = self.query_request(unit, expr, plan.timestamp);
        request.output_fields = vec!["count(*)".to_owned()];
        if plan.timestamp != 0 {
            request.query_params = iterator(None);
        }
        let answer: QueryResults = self.grpc.call("Query", request, &what).await?;
        let first = answer.fields_data.first().and_then(|f| f.field.as_ref());
        match first {
            Some(Field::Scalars(ScalarField { data: Some(Scalars::Long(values)) })) => values.data.first().and_then(|n| u64::try_from(*n).ok()),
            _ => None,
        }
        .ok_or_else(|| Failure::malformed(&what, "it has no count(*)"))
    }

    /// Primary keys drawn by the server.
    pub(super) async fn sampled_keys(&self, unit: &Unit, plan: &Plan, count: u64) -> Result<Vec<Value>, Failure> {
        // Thousandths of a per mille are as fine as a collection of Milvus needs it.
        let millionths = (SAMPLE.saturating_mul(1_000_000) / count.max(1)).clamp(1, 500_000);
        let drawn = format!("random_sample(0.{millionths:06})");
        let expr = plan.filter.as_ref().map_or_else(|| drawn.clone(), |f| format!("({f}) and {drawn}"));
        let what = format!("draw keys of {}", unit.collection);
        if plan.transport == Transport::Rest {
            let mut body = self.query_body(unit, &expr);
            body["outputFields"] = json!([plan.primary]);
            body["limit"] = WINDOW.into();
            let rows = self.rest.query(body, Reading { primary: &plan.primary, arrays: &[], longs: &plan.longs }, &what).await?;
            return Ok(rows.into_iter().map(|(_, key)| key).collect());
        }
        let mut request = self.query_request(unit, expr, 0);
        request.output_fields = vec![plan.primary.clone()];
        request.query_params = vec![pair("limit", &WINDOW)];
        let answer: QueryResults = self.grpc.call("Query", request, &what).await?;
        let rows = row::lines(answer, &plan.primary, &plan.order).map_err(|reason| Failure::malformed(&what, clean(&reason)))?;
        Ok(rows.into_iter().map(|(_, key)| key).collect())
    }
}

fn pair(key: &str, value: &(impl ToString + ?Sized)) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.to_string() }
}

/// The parameters of pymilvus' query iterator: in the order of keys, as of `guarantee_timestamp`.
fn iterator(limit: Option<usize>) -> Vec<KeyValue> {
    let mut pairs = vec![pair("iterator", "True")];
    if let Some(limit) = limit {
        pairs.extend([pair("limit", &limit), pair("batch_size", &limit), pair("ignore_growing", "False"), pair("reduce_stop_for_best", "True")]);
    }
    pairs
}
