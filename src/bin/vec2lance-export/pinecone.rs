//! Pinecone over REST: ids first, by listing, from a file or by queries, then the records by their ids.
//!
//! Layout of a line: a vector as `vectors/fetch` gives it (`formats/pinecone.toml`), or a page of one document
//! (`formats/pinecone-documents.toml`). Written from the OpenAPI of 2026-04 (vectors) and 2026-07 (documents).

mod control;
mod fetch;
mod lines;
mod list;
mod notes;
mod search;
mod sweep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::{Value, json};
use vec2lance::error::{Error, Result};

use crate::cli::Common;
use crate::http::{Client, Failure, Request, Settings, segment};
use crate::secret::Secret;
use crate::source::{Count, Hit, LeftOut, Page, PageSize, Query, Range, Selection, Source, Unit};
use crate::weaviate::listed;
use control::{Kind, Private, Stats, private};

/// Where the key may stand in the environment.
const KEYS: &[&str] = &["PINECONE_API_KEY"];
/// The header that says which interface is meant; every call needs it.
const VERSION: &str = "x-pinecone-api-version";
/// How the namespace without a name is written where a name is needed.
const DEFAULT: &str = "__default__";

/// Queries of a sweep at most.
const QUERIES: u64 = 2000;
/// Queries without a new id that end a sweep.
const PATIENCE: u64 = 50;

/// What only Pinecone knows.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "\
The API key is read from $PINECONE_API_KEY or --key-file; a key that may read the control plane and the data plane is enough. --url is the
control plane, by default https://api.pinecone.io. --collection names an index; the namespace without a name is __default__. --batch is
100 at most. Reading costs read units: about 11 for 100 records; the manifest holds the sums.

Examples:
  vec2lance-export pinecone --index articles --dry-run snapshot
  vec2lance-export pinecone --all --key-file key.txt --rate 50 snapshot
  vec2lance-export pinecone --index articles --namespace __default__ --filter '{\"genre\":{\"$eq\":\"drama\"}}' snapshot
  vec2lance-export pinecone --index old-pods --ids ids.txt snapshot")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Read the records with these ids instead of listing them: one id a line, or {"id": …, "namespace": …}. For pod indexes, which
    /// cannot list their ids.
    #[arg(long, value_name = "FILE", conflicts_with = "filter", help_heading = "What")]
    ids: Option<PathBuf>,
    /// Queries by which the ids of a pod index are looked for, at most.
    #[arg(long, value_name = "N", default_value_t = QUERIES, help_heading = "What")]
    sweep_queries: u64,
    /// Give up looking after so many queries without a new id.
    #[arg(long, value_name = "N", default_value_t = PATIENCE, help_heading = "What")]
    sweep_patience: u64,
}

/// The two interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Vectors,
    Documents,
}

impl Api {
    fn version(self) -> &'static str {
        match self {
            Self::Vectors => "2026-04",
            Self::Documents => "2026-07",
        }
    }
}

/// A project.
pub(crate) struct Pinecone {
    control: Client,
    settings: Settings,
    key: Secret,
    data: Mutex<BTreeMap<String, Client>>,
    /// The last counts of each host, and when they were asked for.
    counts: Mutex<BTreeMap<String, (Instant, Arc<Stats>)>>,
    args: Args,
    filter: Option<Value>,
    /// Checksum of the file of ids: another file is another export.
    ids: Option<String>,
}

/// What asks for the next page.
#[derive(Debug, Deserialize)]
struct Pagination {
    #[serde(default)]
    next: Option<String>,
}

/// What a call cost.
#[derive(Debug, Deserialize)]
struct Usage {
    #[serde(default, alias = "readUnits")]
    read_units: u64,
}

/// The token of the next page, if there is one.
///
/// # Errors
/// It is the same as before: the pages would never end.
fn next(pagination: Option<Pagination>, before: Option<&str>, what: &str) -> Result<Option<String>, Failure> {
    let next = pagination.and_then(|pagination| pagination.next).filter(|token| !token.is_empty());
    if next.is_some() && next.as_deref() == before {
        return Err(Failure::malformed(what, "the next page has the token of this one"));
    }
    Ok(next)
}

/// `index`, or `index (namespace n)`.
fn place(unit: &Unit) -> String {
    unit.namespace.as_ref().map_or_else(|| unit.collection.clone(), |name| format!("{} (namespace {name})", unit.collection))
}

/// The path of a call on documents.
fn documents(unit: &Unit, call: &str) -> String {
    format!("/namespaces/{}/documents/{call}", segment(unit.namespace.as_deref().unwrap_or(DEFAULT)))
}

/// The project that the command line names. Sends nothing.
///
/// # Errors
/// There is no key; the filter is no JSON; an address is none.
pub(crate) fn open(args: &Args) -> Result<Pinecone> {
    Pinecone::connect(args, &args.common)
}

impl Pinecone {
    fn connect(args: &Args, common: &Common) -> Result<Self> {
        let key = Secret::find(common.key_file.as_deref(), KEYS)?
            .ok_or_else(|| Error::new("Pinecone needs an API key").help("set PINECONE_API_KEY, or write it to a file (chmod 600) and give --key-file"))?;
        let filter = common.filter.as_deref().map(|text| match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(map)) if !map.is_empty() => Ok(Value::Object(map)),
            Ok(_) => Err(Error::new("--filter must be an object that is not empty")),
            Err(e) => Err(Error::new(format!("--filter is no JSON: {e}"))),
        });
        let filter = filter.transpose().map_err(|e| e.and_help("write it as in --filter '{\"genre\": {\"$eq\": \"drama\"}}'"))?;
        let settings = Settings::of(common)?;
        let control = Client::new(&settings, common.url_or("https://api.pinecone.io"), vec![("api-key", key.clone())])?;
        let ids = args.ids.as_deref().map(list::checksum).transpose()?;
        Ok(Self { control, settings, key, data: Mutex::default(), counts: Mutex::default(), args: args.clone(), filter, ids })
    }

    /// The client of a data plane.
    fn data(&self, host: &str) -> Result<Client> {
        let mut clients = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(host) {
            return Ok(client.clone());
        }
        let client = Client::new(&self.settings, host, vec![("api-key", self.key.clone())])?;
        clients.insert(host.to_owned(), client.clone());
        Ok(client)
    }

    /// Whether the records come from a filter's pages instead of by their ids.
    fn selects(&self, private: &Private) -> bool {
        self.filter.is_some() && private.kind != Kind::Pods
    }
}

impl Source for Pinecone {
    fn name(&self) -> &'static str {
        "pinecone"
    }

    fn page_size(&self) -> PageSize {
        // More ids do not fit into an address.
        PageSize { records: fetch::MOST, bytes: 4 << 20 }
    }

    fn options(&self) -> BTreeMap<String, Value> {
        let mut options = BTreeMap::new();
        if let Some(sum) = &self.ids {
            options.insert("ids".to_owned(), json!(format!("sha256 {sum}")));
        }
        for (flag, value, usual) in [("sweep-queries", self.args.sweep_queries, QUERIES), ("sweep-patience", self.args.sweep_patience, PATIENCE)] {
            if value != usual {
                options.insert(flag.to_owned(), json!(value));
            }
        }
        options
    }

    async fn version(&self) -> Result<Option<String>> {
        // The service has none; what counts is the interface. The call is the first one, and shows whether the key is right.
        self.control.json(Request::get("/indexes").header(VERSION, Api::Documents.version()).what("list the indexes")).await?;
        Ok(Some(format!("API {} and {}", Api::Vectors.version(), Api::Documents.version())))
    }

    async fn units(&self, chosen: &Selection) -> Result<(Vec<Unit>, Vec<LeftOut>)> {
        let (indexes, left) = self.indexes(chosen).await?;
        let mut units = Vec::new();
        let mut met = std::collections::BTreeSet::new();
        let wanted: Vec<&str> = chosen.namespaces.iter().map(|name| if name == DEFAULT { "" } else { name.as_str() }).collect();
        for index in indexes {
            for namespace in self.namespaces(&self.data(&index.host)?, &index).await? {
                met.insert(namespace.clone());
                if !wanted.is_empty() && !wanted.contains(&namespace.as_str()) {
                    continue;
                }
                let documents = index.kind == Kind::Documents;
                units.push(Unit {
                    collection: index.name.clone(),
                    namespace: Some(namespace).filter(|name| !name.is_empty()),
                    layout: if documents { "pinecone-documents" } else { "pinecone" }.to_owned(),
                    metric: index.vectors.first().and_then(|vector| vector.metric.clone()),
                    vectors: index.vectors.clone(),
                    schema: index.schema.clone(),
                    losses: vec!["every number in the metadata is a double: integers beyond 2^53 were rounded when they were written".to_owned()],
                    private: json!(Private { kind: index.kind, host: index.host.clone() }),
                });
            }
        }
        if let Some(missing) = wanted.iter().find(|name| !met.contains(**name)) {
            let known: Vec<&str> = met.iter().map(|name| if name.is_empty() { DEFAULT } else { name.as_str() }).collect();
            return Err(Error::new(format!("there is no namespace {}", if missing.is_empty() { DEFAULT } else { missing }))
                .help(format!("there are: {}", listed(&known))));
        }
        Ok((units, left))
    }

    async fn count(&self, unit: &Unit) -> Result<Option<Count>> {
        let private = private(unit)?;
        let value = self.counted(unit, &private).await?;
        // Of a pod index, the count is all that tells whether the sweep or the list of ids was complete: a difference is a finding.
        Ok(value.map(|value| Count { value, by: "describe_index_stats".to_owned(), exact: private.kind == Kind::Pods }))
    }

    fn resumes_lists(&self) -> bool {
        true
    }

    async fn ranges(&self, unit: &Unit, workdir: &Path, parallel: usize) -> Result<Vec<Range>> {
        let private = private(unit)?;
        let file = match (&self.args.ids, &self.filter) {
            (Some(file), _) => {
                Self::take_ids(unit, file, workdir)?;
                list::IDS
            }
            (None, Some(filter)) if self.selects(&private) => {
                self.select(unit, &private, filter, workdir).await?;
                list::RECORDS
            }
            _ if private.kind == Kind::Pods => {
                self.sweep(unit, &private, workdir).await?;
                list::IDS
            }
            _ => {
                self.list(unit, &private, workdir).await?;
                list::IDS
            }
        };
        let path = workdir.join(file);
        let starts = lines::cuts(&path, lines::known(&path).bytes, parallel)?;
        lines::note_ranges(&path, starts.len() as u64)?;
        let ends = starts.iter().skip(1).map(|start| json!(start)).chain([Value::Null]);
        Ok(starts.iter().map(|start| json!(start)).zip(ends).map(|(from, to)| Range { from, to }).collect())
    }

    async fn page(&self, unit: &Unit, workdir: &Path, range: &Range, after: Option<&Value>, limit: usize) -> Result<Page, Failure> {
        self.records(unit, &private(unit)?, workdir, range, after, limit).await
    }

    fn sample(&self, unit: &Unit, record: &Value) -> Option<(String, Vec<serde_json::Number>)> {
        search::sample(unit, record)
    }

    async fn search(&self, unit: &Unit, query: &Query) -> Result<Option<Vec<Hit>>> {
        Ok(self.nearest(unit, &private(unit)?, query).await?)
    }
}
