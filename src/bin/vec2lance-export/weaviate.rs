//! Weaviate over REST: classes and their tenants, paged by the cursor `after`; or its own export to Parquet (`--server-export`).
//!
//! Layout of a line: an object of `/v1/objects`, as it came (`formats/weaviate.toml`). GraphQL is asked for counts and searches
//! only, never for objects: it would need every property by name. Written from the OpenAPI of 1.40.

mod count;
mod files;
mod ids;
mod page;
mod schema;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::Args as ClapArgs;
use serde_json::{Value, json};
use vec2lance::error::{Error, Result};

use crate::cli::Common;
use crate::http::{Client, Failure, Request, Settings, segment};
use crate::run::{self, Outcome};
use crate::secret::Secret;
use crate::source::{Count, Hit, LeftOut, Page, Query, Range, Selection, Source, Unit};
use page::Tally;
use schema::{Class, Tenant};

/// Where the key may stand in the environment.
const KEYS: &[&str] = &["WEAVIATE_API_KEY"];
/// Steps of the search for the last id: enough for any spread, and few calls.
const STEPS: usize = 130;

/// Objects from which on a unit is read in several ranges.
const WORTH_CUTTING: u64 = 2000;

/// What only Weaviate knows.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "\
The key (or an OIDC token) is read from $WEAVIATE_API_KEY or --key-file; without one, the server must allow anonymous access. The rights
to read collections, tenants and data are enough. Tenants that are not ACTIVE are left out and listed: reading them could activate them.
--filter is refused: Weaviate's cursor takes none.

Examples:
  vec2lance-export weaviate --class Article snapshot
  vec2lance-export weaviate --url https://weaviate.example --all --key-file key.txt --rate 20 snapshot
  vec2lance-export weaviate --class Shop --tenant acme --tenant globex snapshot
  vec2lance-export weaviate --all --server-export filesystem --export-dir /mnt/weaviate/exports snapshot")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Let the server write Parquet itself (1.37 and newer, EXPORT_ENABLED=true): a point-in-time snapshot.
    #[arg(long, value_name = "BACKEND", help_heading = "Output", value_parser = ["filesystem", "s3", "gcs", "azure"])]
    server_export: Option<String>,
    /// The folder in which the files of the server's export can be read here: its own disk, a mount, or a copy of the bucket.
    #[arg(long, value_name = "DIR", requires = "server_export", help_heading = "Output")]
    export_dir: Option<PathBuf>,
    /// The id of the server's export. An export that has it already is not started again.
    #[arg(long, value_name = "ID", requires = "server_export", help_heading = "Output")]
    export_id: Option<String>,
}

/// A server.
pub(crate) struct Weaviate {
    client: Client,
    tallies: Mutex<BTreeMap<(String, Option<String>), Tally>>,
}

/// Runs the export that the command line asks for.
///
/// # Errors
/// As [`run::export`].
pub(crate) async fn export(args: &Args) -> Result<Outcome> {
    let source = Weaviate::connect(&args.common)?;
    match &args.server_export {
        Some(backend) => server::export(&source, backend, args).await,
        None => run::export(source, &args.common).await,
    }
}

impl Weaviate {
    fn connect(common: &Common) -> Result<Self> {
        let url = common.url_or("http://127.0.0.1:8080");
        let url = url.trim_end_matches('/').trim_end_matches("/v1");
        // Without a key: a server that allows anonymous access.
        let auth = Secret::find(common.key_file.as_deref(), KEYS)?.map(|key| ("authorization", key.prefixed("Bearer ")));
        let client = Client::new(&Settings::of(common)?, url, auth.into_iter().collect())?;
        Ok(Self { client, tallies: Mutex::default() })
    }

    fn tally(&self, unit: &Unit, change: impl FnOnce(&mut Tally)) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        change(tallies.entry((unit.collection.clone(), unit.namespace.clone())).or_default());
    }

    /// The classes that were chosen, each with its schema as the server wrote it.
    async fn classes(&self, chosen: &Selection) -> Result<Vec<(Class, Value)>> {
        let answer = self.client.json(Request::get("/v1/schema").what("read the schema")).await?;
        let schema: Value = answer.owned()?;
        let Some(list) = schema.get("classes").and_then(Value::as_array) else { return Err(answer.malformed("it has no classes").into()) };
        let mut classes = Vec::new();
        for value in list {
            let class: Class = serde_json::from_value(value.clone()).map_err(|e| answer.malformed(&format!("a class cannot be read: {e}")))?;
            classes.push((class, value.clone()));
        }
        classes.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        // The server writes the first letter large, whatever it was given.
        let same = |wanted: &str, class: &str| wanted.get(..1).zip(class.get(..1)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b)) && wanted[1..] == class[1..];
        if let Some(missing) = chosen.collections.iter().find(|wanted| !classes.iter().any(|(class, _)| same(wanted, &class.name))) {
            let known: Vec<&str> = classes.iter().map(|(class, _)| class.name.as_str()).collect();
            return Err(Error::new(format!("there is no class {missing}")).help(format!("this key sees: {}", listed(&known))));
        }
        if !chosen.collections.is_empty() {
            classes.retain(|(class, _)| chosen.collections.iter().any(|wanted| same(wanted, &class.name)));
        }
        Ok(classes)
    }

    /// The tenants of a class, by name.
    async fn tenants(&self, class: &str) -> Result<Vec<Tenant>> {
        let request = Request::get(format!("/v1/schema/{}/tenants", segment(class))).what(format!("list the tenants of {class}"));
        let mut tenants: Vec<Tenant> = self.client.json(request).await?.owned()?;
        tenants.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tenants)
    }

    /// A class, or one tenant of it, with what some of its objects tell.
    async fn unit(&self, class: &Class, schema: &Value, tenant: Option<String>) -> Result<Unit> {
        let mut unit = Unit {
            collection: class.name.clone(),
            namespace: tenant,
            layout: "weaviate".to_owned(),
            metric: None,
            vectors: Vec::new(),
            schema: schema.clone(),
            losses: vec![
                "properties that are null are left out by the server, as if they were not set".to_owned(),
                "integers are stored as doubles: those beyond 2^53 were rounded when they were written".to_owned(),
            ],
            private: json!({ "named": class.named() }),
        };
        unit.vectors = self.vectors(class, &unit).await?;
        unit.metric = unit.vectors.first().and_then(|vector| vector.metric.clone());
        Ok(unit)
    }

    /// About the last id: halves what lies between the one that is known to exist and the end until the rest no longer matters.
    async fn last_id(&self, unit: &Unit, first: u128) -> Result<u128, Failure> {
        let (mut known, mut end) = (first, u128::MAX);
        for _ in 0..STEPS {
            let rest = end - known;
            if rest <= 1 || rest <= (known - first) / 16 {
                break;
            }
            let middle = known + rest / 2;
            match self.first_behind(unit, &ids::text(middle)).await? {
                Some(id) if id > middle => known = id,
                Some(_) => break,
                None => end = middle,
            }
        }
        Ok(known)
    }
}

/// Names in a sentence, the first of many.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    const MOST: usize = 20;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| crate::http::clean(name.as_ref())).collect();
    match names.len().saturating_sub(MOST) {
        0 if names.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Source for Weaviate {
    fn name(&self) -> &'static str {
        "weaviate"
    }

    async fn version(&self) -> Result<Option<String>> {
        let answer: Value = self.client.json(Request::get("/v1/meta").what("ask for the version")).await?.owned()?;
        Ok(answer.get("version").and_then(Value::as_str).map(str::to_owned))
    }

    async fn units(&self, chosen: &Selection) -> Result<(Vec<Unit>, Vec<LeftOut>)> {
        if chosen.filter.is_some() {
            return Err(Error::new("Weaviate cannot page through the objects that a filter chooses: its cursor refuses `where`, and offsets end at 10,000")
                .help("export the whole class or some tenants (--tenant), and choose after the conversion"));
        }
        let (mut units, mut left) = (Vec::new(), Vec::new());
        let mut met = std::collections::BTreeSet::new();
        for (class, schema) in self.classes(chosen).await? {
            if !class.has_tenants() {
                if chosen.namespaces.is_empty() {
                    units.push(self.unit(&class, &schema, None).await?);
                } else {
                    left.push(LeftOut { collection: class.name, namespace: None, reason: "the class has no tenants, and some were asked for".to_owned() });
                }
                continue;
            }
            for tenant in self.tenants(&class.name).await? {
                met.insert(tenant.name.clone());
                if !chosen.namespaces.is_empty() && !chosen.namespaces.contains(&tenant.name) {
                    continue;
                }
                if tenant.readable() {
                    units.push(self.unit(&class, &schema, Some(tenant.name)).await?);
                } else {
                    // Reading it would activate it where the class says so, and that changes the source.
                    let reason = format!("the tenant is {}", tenant.activity_status.unwrap_or_default());
                    left.push(LeftOut { collection: class.name.clone(), namespace: Some(tenant.name), reason });
                }
            }
        }
        if let Some(missing) = chosen.namespaces.iter().find(|wanted| !met.contains(*wanted)) {
            let known: Vec<&str> = met.iter().map(String::as_str).collect();
            return Err(Error::new(format!("there is no tenant {missing}")).help(format!("there are: {}", listed(&known))));
        }
        Ok((units, left))
    }

    async fn count(&self, unit: &Unit) -> Result<Option<Count>> {
        Ok(self.counted(unit).await?)
    }

    async fn ranges(&self, unit: &Unit, _workdir: &Path, parallel: usize) -> Result<Vec<Range>> {
        if parallel < 2 || self.counted(unit).await?.is_some_and(|count| count.value < WORTH_CUTTING) {
            return Ok(vec![Range::whole()]);
        }
        let Some(first) = self.first_behind(unit, "").await? else { return Ok(vec![Range::whole()]) };
        let last = self.last_id(unit, first).await?;
        let mut bounds = vec![Value::Null];
        bounds.extend(ids::cuts(first, last, parallel).into_iter().map(|id| Value::String(ids::text(id))));
        let ends = bounds.iter().skip(1).cloned().chain([Value::Null]);
        Ok(bounds.iter().cloned().zip(ends).map(|(from, to)| Range { from, to }).collect())
    }

    async fn page(&self, unit: &Unit, _workdir: &Path, range: &Range, after: Option<&Value>, limit: usize) -> Result<Page, Failure> {
        self.objects(unit, range, after, limit).await
    }

    async fn search(&self, unit: &Unit, query: &Query) -> Result<Option<Vec<Hit>>> {
        Ok(self.nearest(unit, query).await?)
    }
}
