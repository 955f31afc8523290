//! `compare` as clap types.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::dataset::choose::Metric;

/// `compare`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Each query is run three ways: plain, as ContextFrame's knn_search does it; tuned, with nprobes and refine_factor; and exactly.\nThe result is also written beside the dataset: OUT.compare.json (with every query) and OUT.compare.csv. The exit status is 1 if\nthe dataset is not what the source has searched: rows missing, vectors changed, another metric, fields swapped.\n\nExample:\n  vec2lance compare points.lance --queries export/queries.jsonl"
)]
pub struct Compare {
    /// The dataset.
    #[arg(value_name = "OUT.lance", value_hint = ValueHint::DirPath)]
    pub dataset: PathBuf,
    /// Queries, with what the source answered: JSON lines of {"id","vector","text"?,"k"?,"filter"?,"results":[{"id","score"}…]}, Parquet with
    /// such columns, or raw search responses with their requests. Without results, the exact answer is the reference.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub queries: PathBuf,
    /// The source's raw responses, in the order of the queries.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub responses: Option<PathBuf>,
    /// Rows of each query, where it does not say.
    #[arg(short, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub k: u32,
    /// How the source measures distance; by default as the dataset's header says, else as its index does.
    #[arg(long, value_enum, value_name = "METRIC")]
    pub metric: Option<Metric>,
    /// Of the tuned way: partitions to look into; by default as `vec2lance tune` has recommended, else 20.
    #[arg(long, value_name = "N")]
    pub nprobes: Option<usize>,
    /// Of the tuned way: compare so many times k rows by their whole vectors; by default as `vec2lance tune` has recommended, else 10.
    #[arg(long, value_name = "N")]
    pub refine_factor: Option<u32>,
    /// End with status 1 if the tuned way's recall is below this.
    #[arg(long, value_name = "RECALL", value_parser = super::parse_recall)]
    pub min_recall: Option<f64>,
    /// How many of the worst queries to show.
    #[arg(long, value_name = "N", default_value = "3")]
    pub worst: usize,
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
