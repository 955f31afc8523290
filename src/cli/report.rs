//! `report` as clap types.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `report`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "What `convert`, `verify`, `compare`, `tune` and `bench` have found is taken from their files beside the dataset: OUT.report.json, OUT.verify.json, OUT.compare.json, OUT.tune.json, OUT.bench.json, OUT.rejects.jsonl. The page says of each that is missing how to get it.\n\nExample:\n  vec2lance verify points.lance export/ --json > points.verify.json\n  vec2lance report points.lance -o points.html"
)]
pub struct Report {
    /// The dataset.
    #[arg(value_name = "OUT.lance", value_hint = ValueHint::DirPath)]
    pub dataset: PathBuf,
    /// The page to write, one HTML file that needs nothing else; by default OUT.report.html beside the dataset.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// What colours the map of the embeddings: a column, or a top-level field of the payloads; by default the collection.
    #[arg(long, value_name = "FIELD", visible_alias = "colour-by")]
    pub color_by: Option<String>,
    /// Examples of each code of rejects.
    #[arg(long, value_name = "N", default_value = "3")]
    pub examples: usize,
    /// Threads; by default one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Print everything that the page says as JSON; a page is then written only with --output.
    #[arg(long)]
    pub json: bool,
}
