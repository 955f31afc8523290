//! `search` as clap types.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};

/// `search`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("question").required(true), after_help = "Vectors are searched as `vec2lance tune` has recommended, if it was run.\n\nExample:\n  vec2lance search points.lance --text \"web server\"\n  vec2lance search points.lance --like deb-010000 -k 5 --filter \"collection = 'packages'\"")]
pub struct Search {
    /// The dataset.
    #[arg(value_name = "OUT.lance", value_hint = ValueHint::DirPath)]
    pub dataset: PathBuf,
    /// The rows nearest to the row with this id (the source's id, or the uuid).
    #[arg(long, value_name = "ID", group = "question")]
    pub like: Option<String>,
    /// The rows nearest to a vector: a file with a JSON list of numbers, or a file of queries, of which the first is taken.
    #[arg(long, value_name = "FILE", group = "question", value_hint = ValueHint::FilePath)]
    pub vector: Option<PathBuf>,
    /// With --vector: every query of the file, not the first alone.
    #[arg(long, requires = "vector")]
    pub all: bool,
    /// Rows with these words.
    #[arg(long, value_name = "WORDS", group = "question")]
    pub text: Option<String>,
    /// How many rows.
    #[arg(short, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub k: u32,
    /// Only rows that this SQL condition selects; before the search.
    #[arg(long, value_name = "SQL")]
    pub filter: Option<String>,
    /// Compare with every vector instead of using the index.
    #[arg(long, conflicts_with = "text")]
    pub exact: bool,
    /// Partitions of the index to look into.
    #[arg(long, value_name = "N", conflicts_with_all = ["text", "exact"])]
    pub nprobes: Option<usize>,
    /// Compare so many times k rows by their whole vectors.
    #[arg(long, value_name = "N", conflicts_with_all = ["text", "exact"])]
    pub refine_factor: Option<u32>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
