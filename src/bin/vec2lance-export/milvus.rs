//! Milvus, over gRPC or REST v2: which collections and partitions there are, and their entities in the order of the primary key.
//!
//! Over gRPC a unit is read as it was at one moment, which the journal keeps: Milvus has versions of its data, and the query iterator's
//! parameters choose one. REST cannot say which, and Milvus Lite has none: there the counts before and after tell whether rows came or went.
//! Plain tonic and prost: the official client (milvus-sdk-rust 3.0) puts keys into its iterator's expressions as they are, leaves out the
//! empty key and the largest int64, reads one range only, reports on itself, and brings a second tonic.

mod args;
mod cell;
mod column;
mod declared;
mod filter;
mod grpc;
mod queries;
mod rest;
mod row;
mod schema;
mod server;
mod units;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use tokio::sync::OnceCell;
use vec2lance::error::{Error, Result};

use crate::http::{Failure, Settings};
use crate::secret::Secret;
use crate::source::{Count, Hit, LeftOut, Page, PageSize, Query, Range, Record, Selection, Source, Unit};
pub(crate) use args::Args;
use server::{Rows, Server, Transport};

/// What a server gives at most: `limit` plus `offset` (`proxy.maxResultWindow`).
const WINDOW: usize = 16_384;
/// Bytes of the lines of one page of each range, together. Each range has three pages at a time, and the answer that one was read from.
const MEMORY: usize = 48 << 20;
/// Below so many entities a unit is not divided.
const WORTH: u64 = 50_000;

/// What paging needs of a unit; it is kept in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    transport: Transport,
    /// The primary key.
    primary: String,
    varchar: bool,
    /// Fields in the order of the schema.
    order: Vec<String>,
    /// ARRAY fields, and INT64 fields.
    arrays: Vec<String>,
    longs: Vec<String>,
    /// The main vector: its field, its type, its metric.
    main: Option<(String, String, Option<String>)>,
    filter: Option<String>,
    /// The moment that is read; 0: whatever there is.
    timestamp: u64,
    /// Mean bytes of a line, by a few.
    record_bytes: usize,
    /// Entities of a page at most, so that the pages of all ranges fit into memory.
    page: usize,
}

/// The source.
pub(crate) struct Milvus {
    server: Server,
    forced: Option<Transport>,
    chosen: OnceCell<Transport>,
    options: BTreeMap<String, Value>,
    concurrency: usize,
}

/// Makes the clients; sends nothing.
///
/// # Errors
/// The address, the credentials or the certificates are unusable.
#[expect(clippy::unused_async, reason = "the sources of all databases are opened alike, in the runtime")]
pub(crate) async fn open(args: &Args) -> Result<Milvus> {
    let settings = Settings::of(&args.common)?;
    let secret = Secret::find(args.common.key_file.as_deref(), &["MILVUS_TOKEN", "ZILLIZ_API_KEY"])?;
    let url = args.common.url_or("http://127.0.0.1:19530");
    let forced = if args.grpc { Some(Transport::Grpc) } else { args.rest.then_some(Transport::Rest) };
    // A channel of gRPC goes its own way; to reach the server behind the proxy's back is not what was asked for.
    let forced = match (forced, &args.common.proxy) {
        (Some(Transport::Grpc), Some(_)) => return Err(Error::new("--grpc does not go through a proxy").help("leave --grpc out: REST does")),
        (None, Some(_)) => Some(Transport::Rest),
        (forced, _) => forced,
    };
    let mut options = BTreeMap::from([("consistency".to_owned(), args.consistency.name().into())]);
    if args.database != "default" {
        options.insert("database".to_owned(), args.database.clone().into());
    }
    if args.grpc || args.rest {
        options.insert("interface".to_owned(), if args.rest { "rest" } else { "grpc" }.into());
    }
    let server = Server::new(&settings, url, &args.database, args.consistency as i32, args.consistency.name(), secret.as_ref())?;
    Ok(Milvus { server, forced, chosen: OnceCell::new(), options, concurrency: args.common.concurrency })
}

impl Milvus {
    /// What answers, asked once.
    async fn transport(&self) -> Transport {
        match self.forced {
            Some(forced) => forced,
            None => *self.chosen.get_or_init(|| self.server.what_answers()).await,
        }
    }

    fn plan(unit: &Unit) -> Result<Plan> {
        serde_json::from_value(unit.private.clone()).map_err(|e| Error::new(format!("the journal's plan of {} is not one of Milvus: {e}", unit.collection)))
    }
}

impl Source for Milvus {
    fn name(&self) -> &'static str {
        "milvus"
    }

    fn options(&self) -> BTreeMap<String, Value> {
        self.options.clone()
    }

    fn page_size(&self) -> PageSize {
        PageSize { records: WINDOW, bytes: MEMORY }
    }

    fn first_page(&self) -> usize {
        // The plan of each unit knows how many fit into memory.
        WINDOW
    }

    async fn version(&self) -> Result<Option<String>> {
        Ok(self.server.version(self.transport().await).await?)
    }

    async fn units(&self, chosen: &Selection) -> Result<(Vec<Unit>, Vec<LeftOut>)> {
        let transport = self.transport().await;
        let mut names = self.server.collections(transport).await?;
        names.sort();
        let known = |names: &[String]| if names.is_empty() { "there is none".to_owned() } else { format!("there are: {}", names.join(", ")) };
        for wanted in &chosen.collections {
            if !names.contains(wanted) {
                return Err(Error::new(format!("there is no collection \"{}\"", crate::http::clean(wanted))).help(known(&names)));
            }
        }
        if !chosen.collections.is_empty() {
            names.retain(|n| chosen.collections.contains(n));
        }
        let (mut units, mut left_out) = (Vec::new(), Vec::new());
        for name in &names {
            let (more, left) = self.of_collection(name, transport, chosen).await?;
            units.extend(more);
            left_out.extend(left);
        }
        for wanted in &chosen.namespaces {
            let met = units.iter().map(|(u, _)| &u.namespace).chain(left_out.iter().map(|l| &l.namespace)).any(|n| n.as_ref() == Some(wanted));
            if !met {
                return Err(Error::new(format!("no chosen collection has a partition \"{}\"", crate::http::clean(wanted))));
            }
        }
        if units.is_empty() && !chosen.collections.is_empty() {
            let reason = left_out.first().map(|l| format!("{}: {}", l.collection, l.reason)).unwrap_or_default();
            return Err(Error::new(format!("nothing of what was chosen can be read: {reason}")));
        }
        // Lite is read by one range for each unit.
        let ranges = units.len().saturating_mul(if self.server.is_lite() { 1 } else { self.concurrency }).clamp(1, self.concurrency);
        let finish = |(mut unit, mut plan): (Unit, Plan)| {
            plan.page = (MEMORY / ranges / plan.record_bytes.max(64)).clamp(1, WINDOW);
            unit.private = serde_json::to_value(&plan).map_err(|e| Error::new(format!("cannot keep the plan of {}: {e}", unit.collection)))?;
            Ok(unit)
        };
        Ok((units.into_iter().map(finish).collect::<Result<_>>()?, left_out))
    }

    async fn count(&self, unit: &Unit) -> Result<Option<Count>> {
        let plan = Self::plan(unit)?;
        let value = self.server.count(unit, &plan, None).await?;
        let by = if plan.timestamp == 0 { "count(*)".to_owned() } else { format!("count(*) at {}", plan.timestamp) };
        Ok(Some(Count { value, by, exact: true }))
    }

    async fn ranges(&self, unit: &Unit, _workdir: &Path, parallel: usize) -> Result<Vec<Range>> {
        let plan = Self::plan(unit)?;
        // Lite reads everything for every query, one at a time: ranges would only make it read more often.
        if parallel < 2 || self.server.is_lite() {
            return Ok(vec![Range::whole()]);
        }
        let count = self.server.count(unit, &plan, None).await?;
        if count < WORTH {
            return Ok(vec![Range::whole()]);
        }
        // Servers before 2.6 cannot draw a sample.
        let mut keys = match self.server.sampled_keys(unit, &plan, count).await {
            Ok(keys) => keys,
            Err(Failure::Refused { .. } | Failure::Malformed { .. }) => return Ok(vec![Range::whole()]),
            Err(failure) => return Err(failure.into()),
        };
        keys.sort_by(filter::compare);
        keys.dedup();
        if keys.len() < parallel * 8 {
            return Ok(vec![Range::whole()]);
        }
        let bounds: Vec<Value> = (1..parallel).map(|i| keys[i * keys.len() / parallel].clone()).collect();
        let begins = std::iter::once(Value::Null).chain(bounds.iter().cloned());
        let ends = bounds.iter().cloned().chain(std::iter::once(Value::Null));
        Ok(begins.zip(ends).map(|(from, to)| Range { from, to }).collect())
    }

    async fn page(&self, unit: &Unit, _workdir: &Path, range: &Range, after: Option<&Value>, limit: usize) -> Result<Page, Failure> {
        let plan = Self::plan(unit)?;
        let limit = limit.clamp(1, plan.page);
        let mut rows = self.server.page(unit, &plan, range, after, limit).await?;
        let what = format!("query {}", unit.collection);
        let bound = after.or(Some(&range.from).filter(|f| !f.is_null()));
        let ascending = |rows: &Rows| rows.windows(2).all(|pair| filter::compare(&pair[0].1, &pair[1].1).is_lt());
        if !ascending(&rows) {
            rows.sort_by(|a, b| filter::compare(&a.1, &b.1));
            if !ascending(&rows) {
                return Err(Failure::malformed(&what, "it has two entities of one primary key"));
            }
            // What is not in order may have left something out before its last key.
            if let Some((_, last)) = rows.last() {
                let there = self.server.count(unit, &plan, Some((range, after, last))).await?;
                if there != rows.len() as u64 {
                    let message = format!("it is not in the order of the primary key, and {there} entities lie where it has {}", rows.len());
                    return Err(Failure::malformed(&what, message));
                }
            }
        }
        let before = |key: &Value| match (after, bound) {
            (Some(after), _) => !filter::compare(key, after).is_gt(),
            (None, Some(from)) => filter::compare(key, from).is_lt(),
            (None, None) => false,
        };
        let behind = |key: &Value| !range.to.is_null() && !filter::compare(key, &range.to).is_lt();
        if rows.first().is_some_and(|(_, key)| before(key)) || rows.last().is_some_and(|(_, key)| behind(key)) {
            return Err(Failure::malformed(&what, "it has entities that were not asked for"));
        }
        // Only a page without entities is the last one: a server may give fewer than were asked for.
        let last = rows.is_empty();
        let notes = if last && plan.timestamp != 0 { vec![format!("All records are as of Milvus' timestamp {}.", plan.timestamp)] } else { vec![] };
        let records = rows.into_iter().map(|(line, key)| Record { line, key }).collect();
        Ok(Page { records, last, vanished: 0, notes })
    }

    fn sample(&self, unit: &Unit, record: &Value) -> Option<(String, Vec<Number>)> {
        queries::sample(&Self::plan(unit).ok()?, record)
    }

    async fn search(&self, unit: &Unit, query: &Query) -> Result<Option<Vec<Hit>>> {
        let plan = Self::plan(unit)?;
        queries::search(&self.server, unit, &plan, query).await
    }
}
