//! `bench` as clap types.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `bench`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "The result is also written beside the dataset: OUT.bench.json, and as a further line of OUT.bench.history.jsonl. It is held against the\nearlier result there, or against --against; a change is beyond noise if the ranges over the repetitions do not meet.\n\nExample:\n  vec2lance bench points.lance --queries queries.parquet"
)]
pub struct Bench {
    /// The dataset.
    #[arg(value_name = "OUT.lance", value_hint = ValueHint::DirPath)]
    pub dataset: PathBuf,
    /// Queries, in any shape that `compare` reads; their texts are searched for too.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sample", "uniform"], value_hint = ValueHint::FilePath)]
    pub queries: Option<PathBuf>,
    /// Without --queries: so many of the dataset's own vectors, titles and ids.
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub sample: u32,
    /// Uniform random vectors instead: near nothing, so that an index is faster or slower than with real ones.
    #[arg(long)]
    pub uniform: bool,
    /// Rows of each query.
    #[arg(short, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub k: u32,
    /// How often all queries are asked.
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repetitions: u16,
    /// Queries with nothing in memory, of each kind; 0 for none.
    #[arg(long, value_name = "N", default_value = "10")]
    pub cold: u16,
    /// Search without settings, whatever `vec2lance tune` has recommended.
    #[arg(long)]
    pub plain: bool,
    /// An earlier result to hold this one against; by default OUT.bench.json, if it is there.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub against: Option<PathBuf>,
    /// Clients at the same time, beside runs with one; by default one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
