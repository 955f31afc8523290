//! `tune` as clap types.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `tune`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "The settings are stored in the dataset (a version of its own), where `compare`, `search` and `bench` find them, and printed as a line of\nPython. The result is also written beside the dataset: OUT.tune.json.\n\nExample:\n  vec2lance tune points.lance --target-recall 0.95 --queries queries.parquet"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Tune {
    /// The dataset.
    #[arg(value_name = "OUT.lance", value_hint = ValueHint::DirPath)]
    pub dataset: PathBuf,
    /// The share of the true nearest that is to be found.
    #[arg(long, value_name = "RECALL", default_value = "0.95", value_parser = super::parse_recall)]
    pub target_recall: f64,
    /// Queries to tune for, in any shape that `compare` reads.
    #[arg(long, value_name = "FILE", conflicts_with = "sample", value_hint = ValueHint::FilePath)]
    pub queries: Option<PathBuf>,
    /// Without --queries: so many of the dataset's own vectors, none of which counts as its own neighbour.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub sample: u32,
    /// Neighbours of each query.
    #[arg(short, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub k: u32,
    /// Where a plain search does not reach the target: build the fastest index that does.
    #[arg(long)]
    pub rebuild: bool,
    /// Do not try other indices, which takes as long as building each; by default they are tried where a plain search does not reach the
    /// target and there are at most 300,000 rows.
    #[arg(long, conflicts_with_all = ["rebuild", "alternatives"])]
    pub no_alternatives: bool,
    /// Try other indices in any case.
    #[arg(long)]
    pub alternatives: bool,
    /// Do not store the settings in the dataset.
    #[arg(long)]
    pub dry_run: bool,
    /// Threads; by default one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Memory to stay within: 512MiB, 2GiB, …
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = super::parse_size)]
    pub memory: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
