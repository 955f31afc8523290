//! `rejects` and `formats` as clap types.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `rejects`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each line of the file is one refused record: its place, a code, the reason, and the record itself as `original`.\nMend `original` (as text, or put a JSON object in its place), then:\n  vec2lance convert OUT.rejects.jsonl OUT.lance --append"
)]
pub struct Rejects {
    /// The file, OUT.rejects.jsonl.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Examples of each code.
    #[arg(long, value_name = "N", default_value = "3")]
    pub examples: usize,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `formats`.
#[derive(Debug, Args)]
pub struct Formats {
    /// Print the TOML of one layout, to start a layout of your own from.
    #[arg(long, value_name = "FORMAT")]
    pub print: Option<String>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
