//! `index` as clap types.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `index`.
#[derive(Debug, Args)]
pub struct Index {
    /// The dataset.
    #[arg(value_name = "OUT.lance", value_hint = ValueHint::DirPath)]
    pub dataset: PathBuf,
    /// Threads; by default one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Memory to stay within: 512MiB, 2GiB, …
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = super::parse_size)]
    pub memory: u64,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which indices.
    #[command(flatten)]
    pub indexing: super::Indexing,
}
