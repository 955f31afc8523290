//! The command line of `vec2lance-export chroma`, and the client that it asks for. Sends nothing.

use std::sync::atomic::AtomicUsize;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use vec2lance::error::{Error, Result};

use super::Chroma;
use crate::cli::Common;
use crate::http::{Client, Settings};
use crate::secret::Secret;

/// What Chroma Cloud gives in one answer, unless it was agreed otherwise.
const CLOUD: usize = 300;

const HELP: &str = "\
Needs a key with the right to read (list and get collections, count, get), and query for --record-queries. A self-hosted server \
without authentication needs none.

  vec2lance-export chroma snapshot/ --url http://127.0.0.1:8000 --all
  CHROMA_API_KEY=… vec2lance-export chroma snapshot/ --url https://api.trychroma.com --tenant 0a1b… --database prod --collection docs
  vec2lance-export chroma snapshot/ --all --filter '{\"year\": {\"$gte\": 2024}}' --where-document '{\"$contains\": \"budget\"}'

Without --tenant, the key's own tenant is read (default_tenant where there are no keys); Chroma has no call that \
lists tenants. Without --database, all databases of the tenant.";

/// How the key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scheme {
    /// x-chroma-token: KEY (Chroma Cloud, and most servers).
    Token,
    /// Authorization: Bearer KEY.
    Bearer,
    /// Authorization: Basic; the key is user:password.
    Basic,
}

/// `vec2lance-export chroma`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Export the collections of this database only; repeat it for several. By default, those of all databases of the tenant.
    #[arg(long = "database", value_name = "NAME", help_heading = "What")]
    databases: Vec<String>,
    /// Export only records whose document this selects, as Chroma's where_document in JSON. --filter is its where.
    #[arg(long, value_name = "JSON", help_heading = "What")]
    where_document: Option<String>,
    /// How the key from $CHROMA_API_KEY or --key-file is sent.
    #[arg(long, value_enum, default_value = "token", help_heading = "Access")]
    auth: Scheme,
}

/// Makes the client; sends nothing.
///
/// # Errors
/// The URL, the key, or a filter cannot be used.
pub(crate) async fn open(args: &Args) -> Result<Chroma> {
    let url = args.common.url_or("http://127.0.0.1:8000").trim_end_matches('/');
    let url = url.strip_suffix("/api/v2").or_else(|| url.strip_suffix("/api/v1")).unwrap_or(url);
    let key = Secret::find(args.common.key_file.as_deref(), &["CHROMA_API_KEY"])?;
    let auth = key.map(|key| match args.auth {
        Scheme::Token => ("x-chroma-token", key),
        Scheme::Bearer => ("authorization", key.prefixed("Bearer ")),
        Scheme::Basic => ("authorization", Secret::new(format!("Basic {}", STANDARD.encode(key.expose())))),
    });
    let settings = Settings::of(&args.common)?;
    let client = Client::new(&settings, url, auth.into_iter().collect())?;
    let cap = if client.base().contains(".trychroma.com") { CLOUD } else { usize::MAX };
    let mut databases = args.databases.clone();
    databases.sort_unstable();
    databases.dedup();
    Ok(Chroma {
        client,
        databases,
        filter: condition(args.common.filter.as_deref(), "--filter", r#"{"year": {"$gte": 2024}}"#)?,
        documents: condition(args.where_document.as_deref(), "--where-document", r#"{"$contains": "budget"}"#)?,
        cap: AtomicUsize::new(cap),
        waited: AtomicUsize::new(0),
    })
}

/// A condition of the command line, as JSON.
fn condition(text: Option<&str>, flag: &str, such: &str) -> Result<Option<Value>> {
    let Some(text) = text else { return Ok(None) };
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.as_object().is_some_and(|o| !o.is_empty()) => Ok(Some(value)),
        Ok(_) => Err(Error::new(format!("{flag} must be a JSON object with a condition")).help(format!("such as {flag} '{such}'"))),
        Err(e) => Err(Error::new(format!("{flag} is no JSON: {e}")).help(format!("such as {flag} '{such}'"))),
    }
}
