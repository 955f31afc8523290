//! Qdrant by its REST interface (1.10 and later): collections, custom shards, exact counts, scroll by ranges of ids, search.
//!
//! The official client speaks gRPC and gives payloads as protobuf values, which do not keep the digits of numbers; the REST answer
//! does. Not the server's own snapshots: those are `qdrant/snapshot.rs`.

mod id;
mod schema;
mod snapshot;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use vec2lance::error::{Error, Result};
use vec2lance::manifest::FileEntry;

use crate::cli::Common;
use crate::http::{Client, Failure, Request, Settings, segment};
use crate::secret::Secret;
use crate::source::{Count, Hit, LeftOut, Page, Query, Range, Record, Selection, Source, Unit};
use id::Id;

/// Where the server listens by default.
const URL: &str = "http://127.0.0.1:6333";
/// Ids that are sampled for each range.
const SAMPLE: usize = 100;
/// What the server says of a page that it will not give (strict mode).
const TOO_LARGE: &[&str] = &["for \"limit\""];

/// Options of `qdrant`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The key is read from $QDRANT_API_KEY or --key-file; a read-only key, or a token with read access to the collections, is enough.
--namespace names a shard key of a collection with custom sharding; each shard key is exported on its own.

Examples:
  vec2lance-export qdrant --collection docs snapshot
  vec2lance-export qdrant --url https://qdrant.example:6333 --all --key-file key.txt --rate 20 snapshot
  vec2lance-export qdrant --collection docs --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"en\"}}]}' snapshot")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Replicas that must agree on what is read: all, majority, quorum, or a number. By default, one answers.
    #[arg(long, value_name = "LEVEL", value_parser = consistency, help_heading = "What")]
    consistency: Option<String>,
    /// Let the server make its own snapshot of each collection too, and download it beside the parts. It needs a key that may manage
    /// collections, and free space on the server.
    #[arg(long, help_heading = "Output")]
    snapshot_file: bool,
    /// Delete the server's own snapshots that this export has made from the server, once they are downloaded.
    #[arg(long, requires = "snapshot_file", help_heading = "Output")]
    delete_snapshot: bool,
}

fn consistency(text: &str) -> Result<String, String> {
    if matches!(text, "all" | "majority" | "quorum") || text.parse::<u32>().is_ok_and(|n| n > 0) {
        return Ok(text.to_owned());
    }
    Err("expected all, majority, quorum or a number of replicas".to_owned())
}

/// A server.
pub(crate) struct Qdrant {
    client: Client,
    consistency: Option<String>,
    filter: Option<Value>,
    snapshots: Option<snapshot::Wish>,
}

/// Makes the client; sends nothing.
///
/// # Errors
/// The key, the URL, or the filter is not what it should be.
pub(crate) fn open(args: &Args) -> Result<Qdrant> {
    let common = &args.common;
    let key = Secret::find(common.key_file.as_deref(), &["QDRANT_API_KEY"])?;
    let auth = key.into_iter().map(|key| ("api-key", key)).collect();
    let filter = common.filter.as_deref().map(filter).transpose()?;
    let snapshots = args.snapshot_file.then_some(snapshot::Wish { delete: args.delete_snapshot });
    let client = Client::new(&Settings::of(common)?, common.url_or(URL), auth)?;
    Ok(Qdrant { client, consistency: args.consistency.clone(), filter, snapshots })
}

fn filter(text: &str) -> Result<Value> {
    let help = "it is Qdrant's own, as in --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"en\"}}]}'";
    match serde_json::from_str(text) {
        Ok(Value::Object(filter)) => Ok(Value::Object(filter)),
        Ok(_) => Err(Error::new("--filter is no JSON object").help(help)),
        Err(e) => Err(Error::new(format!("--filter is no JSON: {e}")).help(help)),
    }
}

/// What every answer is wrapped in.
#[derive(Deserialize)]
struct Wrapped<T> {
    result: T,
}

#[derive(Deserialize)]
struct Scrolled<'a> {
    #[serde(borrow)]
    points: Vec<&'a RawValue>,
    #[serde(default)]
    next_page_offset: Option<Value>,
}

#[derive(Deserialize)]
struct Identified {
    id: Value,
}

impl Qdrant {
    /// What every body carries.
    fn body(&self, unit: &Unit) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(filter) = &self.filter {
            body.insert("filter".to_owned(), filter.clone());
        }
        if let Some(key) = unit.private.get("shard_key").filter(|k| !k.is_null()) {
            body.insert("shard_key".to_owned(), key.clone());
        }
        body
    }

    fn post(&self, unit: &Unit, call: &str, body: Map<String, Value>) -> Request {
        let request = Request::post(format!("/collections/{}/points/{call}", segment(&unit.collection)), body);
        match &self.consistency {
            Some(level) => request.query("consistency", level),
            None => request,
        }
    }

    async fn collections(&self) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct List {
            collections: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let answer = self.client.json(Request::get("/collections").what("list the collections")).await?;
        let list: Wrapped<List> = answer.parse()?;
        let mut names: Vec<String> = list.result.collections.into_iter().map(|c| c.name).collect();
        names.sort();
        Ok(names)
    }

    /// The shard keys of a collection with custom sharding, in a fixed order.
    async fn shard_keys(&self, collection: &str) -> Result<Vec<Value>, Failure> {
        let what = format!("list the shards of the collection {collection}");
        let answer = self.client.json(Request::get(format!("/collections/{}/cluster", segment(collection))).what(&what)).await?;
        let cluster: Wrapped<Value> = answer.parse()?;
        let shards = ["local_shards", "remote_shards"].iter().filter_map(|k| cluster.result.get(*k)?.as_array()).flatten();
        let keys: BTreeMap<String, Value> = shards.filter_map(|s| s.get("shard_key")).filter(|k| !k.is_null()).map(|k| (k.to_string(), k.clone())).collect();
        Ok(keys.into_values().collect())
    }

    /// One unit, or one for each shard key that was chosen.
    async fn describe(&self, name: &str, chosen: &Selection) -> Result<Vec<Unit>> {
        let request = Request::get(format!("/collections/{}", segment(name))).what(format!("describe the collection {name}"));
        let schema: Wrapped<Value> = self.client.json(request).await?.owned()?;
        let vectors = schema::vectors(&schema.result);
        let custom = schema.result.pointer("/config/params/sharding_method").and_then(Value::as_str) == Some("custom");
        let keys: Vec<Value> = if custom { self.shard_keys(name).await? } else { vec![Value::Null] };
        let whole = Unit {
            collection: name.to_owned(),
            namespace: None,
            layout: "qdrant".to_owned(),
            metric: vectors.first().and_then(|v| v.metric.clone()),
            losses: schema::losses(&vectors),
            vectors,
            schema: schema.result,
            private: Value::Null,
        };
        let units = keys.into_iter().map(|key| {
            let namespace = if key.is_null() { None } else { Some(key.as_str().map_or_else(|| key.to_string(), str::to_owned)) };
            Unit { namespace, private: json!({ "shard_key": key }), ..whole.clone() }
        });
        let wanted = |unit: &Unit| chosen.namespaces.is_empty() || unit.namespace.as_ref().is_some_and(|n| chosen.namespaces.contains(n));
        Ok(units.filter(wanted).collect())
    }

    /// Some ids, at random. None where the server does not know how.
    async fn sampled(&self, unit: &Unit, limit: usize) -> Result<Vec<Id>, Failure> {
        let mut body = self.body(unit);
        body.extend([
            ("query".to_owned(), json!({ "sample": "random" })),
            ("limit".to_owned(), limit.into()),
            ("with_payload".to_owned(), false.into()),
            ("with_vector".to_owned(), false.into()),
        ]);
        let what = format!("sample ids of the collection {}", unit.collection);
        let answer = match self.client.json(self.post(unit, "query", body).what(what).too_large_when(TOO_LARGE)).await {
            // Before 1.11, or where strict mode forbids it: one range is slower, and nothing else.
            Err(Failure::Refused { .. } | Failure::Missing { .. } | Failure::TooLarge { .. }) => return Ok(vec![]),
            answer => answer?,
        };
        let points: Wrapped<BTreeMap<String, Vec<Identified>>> = answer.parse()?;
        Ok(points.result.into_values().flatten().filter_map(|p| Id::of(&p.id)).collect())
    }
}

impl Source for Qdrant {
    fn name(&self) -> &'static str {
        "qdrant"
    }

    fn options(&self) -> BTreeMap<String, Value> {
        self.consistency.iter().map(|level| ("consistency".to_owned(), level.clone().into())).collect()
    }

    async fn version(&self) -> Result<Option<String>> {
        let about: Value = self.client.json(Request::get("/").what("ask for the version")).await?.owned()?;
        let version = about.get("version").and_then(Value::as_str).map(str::to_owned);
        // The version is told without a key; this is not.
        self.collections().await?;
        Ok(version)
    }

    async fn units(&self, chosen: &Selection) -> Result<(Vec<Unit>, Vec<LeftOut>)> {
        let all = self.collections().await?;
        if let Some(missing) = chosen.collections.iter().find(|c| !all.contains(c)) {
            let list = if all.is_empty() { "there are none".to_owned() } else { format!("there are: {}", all.join(", ")) };
            return Err(Error::new(format!("there is no collection {missing} at {}", self.client.base())).help(format!("{list}; an alias is not one of them")));
        }
        let names = all.iter().filter(|name| chosen.collections.is_empty() || chosen.collections.contains(name));
        let mut units = Vec::new();
        for name in names {
            units.extend(self.describe(name, chosen).await?);
        }
        if let Some(missing) = chosen.namespaces.iter().find(|n| !units.iter().any(|u| u.namespace.as_ref() == Some(n))) {
            return Err(Error::new(format!("no chosen collection has a shard key {missing}")).help("`--dry-run` without --namespace lists the shard keys"));
        }
        Ok((units, vec![]))
    }

    async fn count(&self, unit: &Unit) -> Result<Option<Count>> {
        #[derive(Deserialize)]
        struct Counted {
            count: u64,
        }
        let mut body = self.body(unit);
        body.insert("exact".to_owned(), true.into());
        let answer = self.client.json(self.post(unit, "count", body).what(format!("count the collection {}", unit.collection))).await?;
        let counted: Wrapped<Counted> = answer.parse()?;
        Ok(Some(Count { value: counted.result.count, by: "points/count exact".to_owned(), exact: true }))
    }

    async fn ranges(&self, unit: &Unit, _workdir: &Path, parallel: usize) -> Result<Vec<Range>> {
        let bounds = if parallel > 1 { id::bounds(self.sampled(unit, parallel * SAMPLE).await?, parallel) } else { vec![] };
        let inner = bounds.iter().map(|id| id.value());
        let from = std::iter::once(Value::Null).chain(inner.clone());
        let to = inner.chain(std::iter::once(Value::Null));
        Ok(from.zip(to).map(|(from, to)| Range { from, to }).collect())
    }

    async fn page(&self, unit: &Unit, _workdir: &Path, range: &Range, after: Option<&Value>, limit: usize) -> Result<Page, Failure> {
        let what = format!("scroll the collection {}", unit.collection);
        let known = |value: &Value| Id::of(value).ok_or_else(|| Failure::malformed(&what, format!("the id {value} is neither a number nor a UUID")));
        let (mut least, to) = (None, if range.to.is_null() { None } else { Some(known(&range.to)?) });
        match after {
            Some(after) => match known(after)?.next() {
                Some(next) => least = Some(next),
                None => return Ok(Page { last: true, ..Page::default() }),
            },
            None if !range.from.is_null() => least = Some(known(&range.from)?),
            None => {}
        }
        let mut body = self.body(unit);
        body.extend([
            ("limit".to_owned(), limit.into()),
            ("offset".to_owned(), least.map_or(Value::Null, Id::value)),
            ("with_payload".to_owned(), true.into()),
            ("with_vector".to_owned(), true.into()),
        ]);
        let answer = self.client.json(self.post(unit, "scroll", body).what(&what).too_large_when(TOO_LARGE)).await?;
        let scrolled: Wrapped<Scrolled<'_>> = answer.parse()?;
        let scrolled = scrolled.result;
        let next = match scrolled.next_page_offset.filter(|n| !n.is_null()) {
            Some(next) => Some(known(&next)?),
            None => None,
        };
        let mut page = Page { last: next.is_none_or(|next| to.is_some_and(|to| next >= to)), ..Page::default() };
        for raw in scrolled.points {
            let point: Identified = serde_json::from_str(raw.get()).map_err(|e| answer.malformed(&format!("a point without an id: {e}")))?;
            let id = known(&point.id)?;
            if least.is_some_and(|least| id < least) {
                return Err(Failure::malformed(&what, format!("the id {} comes after a greater one", point.id)));
            }
            if to.is_some_and(|to| id >= to) {
                page.last = true;
                break;
            }
            least = id.next();
            page.records.push(Record::of(raw, point.id));
        }
        Ok(page)
    }

    async fn files(&self, units: &[Unit], folder: &Path) -> Result<Vec<FileEntry>> {
        match self.snapshots {
            Some(wish) => snapshot::download(&self.client, wish, units, folder).await,
            None => Ok(vec![]),
        }
    }

    async fn search(&self, unit: &Unit, query: &Query) -> Result<Option<Vec<Hit>>> {
        #[derive(Deserialize)]
        struct Found {
            points: Vec<Scored>,
        }
        #[derive(Deserialize)]
        struct Scored {
            id: Value,
            score: Option<f64>,
        }
        let Some(main) = unit.vectors.first().filter(|v| v.kind == "dense") else { return Ok(None) };
        let mut body = self.body(unit);
        body.extend([
            ("query".to_owned(), query.vector.clone().into_iter().map(Value::Number).collect()),
            ("limit".to_owned(), query.k.into()),
            ("with_payload".to_owned(), false.into()),
            ("with_vector".to_owned(), false.into()),
        ]);
        if !main.name.is_empty() {
            body.insert("using".to_owned(), main.name.clone().into());
        }
        let answer = self.client.json(self.post(unit, "query", body).what(format!("search the collection {}", unit.collection))).await?;
        let found: Wrapped<Found> = answer.parse()?;
        let text = |id: Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        Ok(Some(found.result.points.into_iter().map(|p| Hit { id: text(p.id), score: p.score }).collect()))
    }
}
