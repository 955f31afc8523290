//! The command line that all databases share, as clap types. What only one database knows stands in its own file.
//!
//! Decides nothing; a credential is never an argument.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::source::Selection;

/// Writes snapshots of running vector databases, which `vec2lance convert` turns into a Lance dataset.
///
/// Pages through the database, writes its records as they are, counts them by the database's own call before and after, and seals
/// the folder with manifest.json. Nothing is mapped, nothing in the database is changed. The folder can then be carried to a
/// machine without a network.
#[derive(Debug, Parser)]
#[command(name = "vec2lance-export", version, max_term_width = 110, after_help = EXIT)]
pub(crate) struct Cli {
    /// The database.
    #[command(subcommand)]
    pub(crate) database: Database,
}

const EXIT: &str = "\
A killed or failed run is continued by the same command, from the last finished part.

Exit status:
  0    everything was exported, and the counts before, after and written are equal
  1    the snapshot is whole, but a count differs or the source changed meanwhile: see its manifest
  2    the run could not do what was asked; there is no manifest, the same command goes on
  130  interrupted; the same command goes on";

/// One line for each database: its variant here, and its arm in `main.rs`.
#[derive(Debug, Subcommand)]
pub(crate) enum Database {
    /// Export collections of a Chroma server or of Chroma Cloud.
    Chroma(Box<crate::chroma::Args>),
    /// Export collections of a Qdrant server.
    Qdrant(Box<crate::qdrant::Args>),
    /// Export collections of a Milvus server (or Zilliz Cloud, or Milvus Lite).
    Milvus(Box<crate::milvus::Args>),
    /// Export indexes of a Pinecone project, namespace by namespace.
    Pinecone(Box<crate::pinecone::Args>),
    /// Export classes of a Weaviate server, tenant by tenant.
    Weaviate(Box<crate::weaviate::Args>),
}

/// Options that all databases have.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Common {
    /// The snapshot's folder. It is made if it does not exist, and must hold nothing but an unfinished export of the same command.
    #[arg(value_name = "SNAPSHOT", value_hint = ValueHint::DirPath)]
    pub(crate) snapshot: PathBuf,
    /// Where the database answers, without a password.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) url: Option<String>,

    /// Export everything that there is.
    #[arg(long, required_unless_present = "collections", conflicts_with = "collections", help_heading = "What")]
    pub(crate) all: bool,
    /// Export this collection (class, index); repeat it for several.
    #[arg(long = "collection", value_name = "NAME", help_heading = "What", visible_aliases = ["class", "index"])]
    pub(crate) collections: Vec<String>,
    /// Of each collection, export this namespace (tenant, partition, shard key) only; repeat it for several.
    #[arg(long = "namespace", value_name = "NAME", help_heading = "What", visible_aliases = ["tenant", "partition"])]
    pub(crate) namespaces: Vec<String>,
    /// Export only what this filter selects, in the database's own language.
    #[arg(long, value_name = "FILTER", help_heading = "What")]
    pub(crate) filter: Option<String>,
    /// Say what would be read, with counts and an estimate of the size; write nothing.
    #[arg(long, help_heading = "What")]
    pub(crate) dry_run: bool,

    /// Read the key from this file, which only its owner may read (chmod 600), instead of from the environment.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Access")]
    pub(crate) key_file: Option<PathBuf>,
    /// Trust the certificates of these authorities too (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Access")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Go through this proxy. By default, as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.
    #[arg(long, value_name = "URL", help_heading = "Access")]
    pub(crate) proxy: Option<String>,
    /// Ask for compressed answers: less traffic over a slow line, more work for the server.
    #[arg(long, help_heading = "Access")]
    pub(crate) compress: bool,
    /// Seconds that the server may be silent.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "Access")]
    pub(crate) timeout: u64,
    /// Further tries of a request that failed in passing: 429, 5xx, a reset, silence. The pauses between them grow to a minute.
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Access")]
    pub(crate) retries: u32,

    /// Records of a page at most; pages are made smaller where the server or memory asks for it.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Pace")]
    pub(crate) batch: Option<usize>,
    /// Requests a second at most, of all connections together.
    #[arg(long, value_name = "N", value_parser = rate, help_heading = "Pace")]
    pub(crate) rate: Option<f64>,
    /// Requests at the same time, and ranges that a collection is divided into where the database allows it.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one, help_heading = "Pace")]
    pub(crate) concurrency: usize,

    /// Write Parquet instead of zstd-compressed JSON lines.
    #[arg(long, help_heading = "Output")]
    pub(crate) parquet: bool,
    /// Begin a new part after so many bytes of records, before compression (K, M, G).
    #[arg(long, value_name = "BYTES", default_value = "256M", value_parser = size, help_heading = "Output")]
    pub(crate) part_size: u64,
    /// Ask the database itself for the nearest neighbours of N records of each collection, or of the queries of a file (JSON lines with
    /// "id", "vector" and optionally "k", "collection", "namespace"), and keep its answers in queries.jsonl.
    #[arg(long, value_name = "N|FILE", value_parser = queries, help_heading = "Output")]
    pub(crate) record_queries: Option<Queries>,
    /// Throw away what an unfinished export has left in the folder, and begin anew.
    #[arg(long, help_heading = "Output")]
    pub(crate) restart: bool,
    /// Print the report as JSON.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// No progress on stderr.
    #[arg(long, short, help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// Where recorded queries come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Queries {
    /// So many records of each unit.
    Sample(usize),
    /// The lines of a file.
    File(PathBuf),
}

impl Common {
    /// What the user chose.
    pub(crate) fn selection(&self) -> Selection {
        Selection { collections: self.collections.clone(), namespaces: self.namespaces.clone(), filter: self.filter.clone() }
    }

    /// `--url`, or the database's usual one.
    pub(crate) fn url_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.url.as_deref().unwrap_or(usual)
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a number from 1".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0).ok_or_else(|| "expected a number of requests a second, such as 50 or 0.5".to_owned())
}

fn queries(text: &str) -> Result<Queries, String> {
    match text.parse() {
        Ok(0) => Err("expected a number from 1, or a file".to_owned()),
        Ok(n) => Ok(Queries::Sample(n)),
        Err(_) => Ok(Queries::File(text.into())),
    }
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)).filter(|n| *n > 0);
    bytes.ok_or_else(|| "expected a size such as 64M".to_owned())
}
