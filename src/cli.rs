//! The command line: clap types and nothing else. What they mean is decided in `plan.rs`.

mod bench;
mod compare;
mod index;
mod lists;
mod report;
mod search;
mod tune;
mod values;

pub use bench::Bench;
pub use compare::Compare;
pub use index::Index;
pub use lists::{Formats, Rejects};
pub use report::Report;
pub use search::Search;
pub use tune::Tune;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::dataset::choose::{IndexKind, Metric};
use crate::dataset::write::Compression;
use crate::dedupe::OnDuplicate;
use crate::frame::resize::Method;
pub use values::MaxRejects;
use values::{parse_cosine, parse_dimension, parse_max_rejects, parse_recall, parse_size};

/// Turns dumps of Pinecone, Weaviate, Qdrant, Chroma and Milvus into an indexed Lance dataset that ContextFrame opens.
///
/// Works offline: no internet socket is opened, and on Linux the kernel is told to refuse them.
#[derive(Debug, Parser)]
#[command(name = "vec2lance", version, max_term_width = 110, after_help = EXIT)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on stderr: stages (-v), details (-vv).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

const EXIT: &str = "\
Exit status:
  0    everything was converted and every check passed
  1    the run reached the end of the input and the data had findings: rejects, duplicates that
       nobody had decided about, counts or checksums that differ (then nothing is committed)
  2    the run could not do what was asked; nothing was committed
  130  interrupted; nothing was committed";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Convert dumps into one indexed Lance dataset.
    Convert(Box<Convert>),
    /// Say what dumps are and what `convert` would do; writes nothing.
    Inspect(Box<Inspect>),
    /// Hold every row of a dataset against the dumps that it was made of; writes nothing.
    Verify(Box<Verify>),
    /// Build or rebuild the indices of a dataset.
    Index(Index),
    /// Look into a dataset: the rows nearest to a row or a vector, or with some words.
    Search(Search),
    /// Hold the dataset's answers against those of the source: is the same found as there?
    Compare(Compare),
    /// Find the settings of a search, or the index, that find enough of the true neighbours.
    Tune(Tune),
    /// Measure how long searches take.
    Bench(Bench),
    /// Say what was wrong with the records of a rejects file, by code and with examples.
    Rejects(Rejects),
    /// Write one page about a dataset, to hand over: what was migrated, what was checked, what it holds and how well it is searched.
    Report(Report),
    /// List the layouts that can be read.
    Formats(Formats),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// `convert`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Example:\n  vec2lance convert export/ points.lance\n  zstd -dc dump.jsonl.zst | vec2lance convert --from qdrant --collection points - points.lance"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Convert {
    /// Dumps: a file, a folder of shards or of a snapshot, or `-` for standard input; then the dataset to write, which must not exist.
    /// With --plan, there may be no dump; with --per-collection, there is no dataset here.
    #[arg(required_unless_present = "plan", num_args = 1.., value_name = "DUMP… OUT.lance", value_hint = ValueHint::AnyPath)]
    pub dumps: Vec<PathBuf>,
    /// The dataset to write: the last of the paths.
    #[arg(skip)]
    pub out: PathBuf,
    /// Make one dataset for each collection instead of one for all: `<collection>.lance` in this folder. Collections may then have
    /// different dimensions and metrics.
    #[arg(long, value_name = "OUT_DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["append", "upsert", "expect_rows", "errors_json", "link"])]
    pub per_collection: Option<PathBuf>,
    /// Stop, with nothing committed, when more records than this are rejected: a number, or a percentage of those read.
    #[arg(long, value_name = "N|P%", value_parser = parse_max_rejects)]
    pub max_rejects: Option<MaxRejects>,
    /// Fail, with nothing committed, unless exactly so many records are read.
    #[arg(long, value_name = "N")]
    pub expect_rows: Option<u64>,
    /// Which record stays when several have one id. By default the last one does, and the run ends with status 1 to say so.
    #[arg(long, value_enum, value_name = "RULE")]
    pub on_duplicate: Option<OnDuplicate>,
    /// How a member is linked to its collection's header. ContextFrame 0.1.1 reads `member_of` but refuses to write such a
    /// record again; `reference` lets it.
    #[arg(long, value_enum, default_value = "member_of", value_name = "TYPE")]
    pub member_relationship: Relationship,
    /// Replace the dataset if it exists; the old one stays until the new one is whole.
    #[arg(long, conflicts_with_all = ["append", "upsert"])]
    pub overwrite: bool,
    /// Add to the dataset the records whose (source, collection, namespace, id) it does not have yet.
    #[arg(long, conflicts_with = "upsert")]
    pub append: bool,
    /// Add new records to the dataset and replace those that have changed; rows that have not are not written again.
    #[arg(long)]
    pub upsert: bool,
    /// With --upsert, of a full re-export: remove rows of the dump's collections and namespaces that the dump does not have.
    #[arg(long, requires = "upsert", conflicts_with = "append")]
    pub delete_missing: bool,
    /// Begin anew, whatever an interrupted run has left. Without it, the same command goes on where that run ended.
    #[arg(long)]
    pub restart: bool,
    /// Payload fields that get a typed column `x_<field>` with an index beside the JSON: FIELD:TYPE (int64, uint64, float64, bool, string,
    /// timestamp, list<…> of each), FIELD for the type that all its values have, or `auto` for every field that has one.
    #[arg(long, value_name = "FIELD[:TYPE],…|auto", value_delimiter = ',')]
    pub promote: Vec<String>,
    /// Verify every row when the dataset is written, as `vec2lance verify` does.
    #[arg(long)]
    pub verify: bool,
    /// Also list the rejects as a JSON array of {"id", "error"}, as migration scripts do.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "migration_errors.json", value_hint = ValueHint::FilePath)]
    pub errors_json: Option<PathBuf>,
    /// How text is stored. Vectors are never compressed.
    #[arg(long, value_enum, default_value = "none", value_name = "CODEC")]
    pub compression: Compression,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// How dumps are read.
    #[command(flatten)]
    pub reading: Reading,
    /// Which indices.
    #[command(flatten)]
    pub indexing: Indexing,
}

/// `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Options by which the dataset was converted (--from, --collection, …) are remembered in it and need not be given again.\n\nExample:\n  vec2lance verify points.lance export/"
)]
pub struct Verify {
    /// The dataset.
    #[arg(value_name = "OUT.lance", value_hint = ValueHint::DirPath)]
    pub dataset: PathBuf,
    /// The dumps, in the order in which they were converted.
    #[arg(required_unless_present = "plan", num_args = 1.., value_name = "DUMP", value_hint = ValueHint::AnyPath)]
    pub dumps: Vec<PathBuf>,
    /// A quick look: compare about so many records, spread over the dump, instead of all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sample: Option<u64>,
    /// A looser test: a vector may differ if the cosine of both is at least this, such as 0.99.
    #[arg(long, value_name = "BOUND", value_parser = parse_cosine)]
    pub cosine: Option<f64>,
    /// How many differences to list with both values.
    #[arg(long, value_name = "N", default_value = "20")]
    pub list: usize,
    /// Which record of one id counts; by default, as the dataset was converted.
    #[arg(long, value_enum, value_name = "RULE")]
    pub on_duplicate: Option<OnDuplicate>,
    /// How members are linked to the header; by default, as the dataset was converted.
    #[arg(long, value_enum, value_name = "TYPE")]
    pub member_relationship: Option<Relationship>,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// How dumps are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `inspect`.
#[derive(Debug, Clone, Args)]
pub struct Inspect {
    /// Dumps: a file, a folder of shards or of a snapshot, or `-` for standard input.
    #[arg(required_unless_present = "plan", num_args = 1.., value_name = "DUMP", value_hint = ValueHint::AnyPath)]
    pub dumps: Vec<PathBuf>,
    /// Read everything and hold every part of a snapshot against its manifest: the yearly check of an archive.
    #[arg(long)]
    pub check: bool,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
    /// How dumps are read.
    #[command(flatten)]
    pub reading: Reading,
    /// Which indices.
    #[command(flatten)]
    pub indexing: Indexing,
}

impl Cli {
    /// Tells the dataset from the dumps, which clap cannot where dumps may be missing.
    ///
    /// # Errors
    /// A dump or the dataset is missing, in clap's words.
    pub fn settled(mut self) -> Result<Self, clap::Error> {
        if let Command::Convert(convert) = &mut self.command {
            if convert.per_collection.is_none() {
                convert.out = convert.dumps.pop().unwrap_or_default();
            }
            let no_out = convert.per_collection.is_none() && convert.out.as_os_str().is_empty();
            if no_out || convert.dumps.is_empty() && convert.reading.plan.is_none() {
                let text = "a dump, or the dataset to write, is missing: expected at least two paths, or --plan and one";
                return Err(<Self as clap::CommandFactory>::command().find_subcommand_mut("convert").map_or_else(
                    || clap::Error::raw(clap::error::ErrorKind::MissingRequiredArgument, text),
                    |convert| convert.clone().bin_name("vec2lance convert").error(clap::error::ErrorKind::MissingRequiredArgument, text),
                ));
            }
        }
        Ok(self)
    }
}

/// How dumps are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading")]
pub struct Reading {
    /// Sources, each with a path and what it is, as a TOML file (grammar: formats/README.md); they are read before other dumps.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plan: Option<PathBuf>,
    /// What a plan says of each dump, in their order.
    #[arg(skip)]
    pub sources: Vec<Option<crate::plan::sources::Source>>,
    /// What earlier plans said, as a dataset remembers it.
    #[arg(skip)]
    pub remembered: Vec<crate::plan::sources::Source>,
    /// The database that the dumps come from; by default it is told by their content. `vec2lance formats` lists them.
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<String>,
    /// A layout of your own, as a TOML file (grammar: formats/README.md).
    #[arg(long, value_name = "FILE", conflicts_with = "from", value_hint = ValueHint::FilePath)]
    pub format: Option<PathBuf>,
    /// The layout's TOML itself, as a dataset remembers it.
    #[arg(skip)]
    pub format_text: Option<String>,
    /// Name of the collection; by default the manifest's, the package's, or the file's.
    #[arg(long, value_name = "NAME")]
    pub collection: Option<String>,
    /// The vector that becomes the column `vector`: a named vector, or the field or column that holds it; by default `default`, else
    /// the collection's first. Collections without a vector of this name have their own `default` or first one there.
    #[arg(long, value_name = "NAME")]
    pub vector: Option<String>,
    /// Read the dumps of this collection only (source and name).
    #[arg(skip)]
    pub only: Option<(String, String)>,
    /// It is the dataset that remembers the above, and not the command line.
    #[arg(skip)]
    pub vector_remembered: bool,
    /// The main vector's name in the dataset that is to be changed.
    #[arg(skip)]
    pub main_there: Option<String>,
    /// Values of the column `vector`, where main vectors have another number of them; with --resize only. Without both, two dimensions
    /// in one run are an error.
    #[arg(long, value_name = "N", requires = "resize", value_parser = parse_dimension)]
    pub dimension: Option<usize>,
    /// What becomes of main vectors that have not --dimension values. A list: `pca,pad` projects longer ones and fills up shorter ones.
    #[arg(long, value_enum, value_name = "METHOD,…", value_delimiter = ',', requires = "dimension")]
    pub resize: Vec<Method>,
    /// Values of vectors in the dumps that a dataset was made of, by collection, as it remembers them.
    #[arg(skip)]
    pub dimensions: std::collections::BTreeMap<String, String>,
    /// The field or column that holds the id. Columns of a table without a header are called by their numbers, from 1.
    #[arg(long, value_name = "FIELD", visible_alias = "id")]
    pub id_field: Option<String>,
    /// The field that holds the main vector (Milvus entities without a schema).
    #[arg(long, value_name = "FIELD")]
    pub vector_field: Option<String>,
    /// What becomes of fields, as a TOML file: to columns, renamed, dropped, joined to the text, constants (grammar: formats/README.md).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub map: Option<PathBuf>,
    /// That TOML itself, as a dataset remembers it.
    #[arg(skip)]
    pub map_text: Option<String>,
    /// Layouts of collections, as a dataset remembers them.
    #[arg(skip)]
    pub layouts: std::collections::BTreeMap<String, String>,
    /// Fields tried for `text_content`, first to last.
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', visible_alias = "text")]
    pub text_fields: Option<Vec<String>>,
    /// A field whose values are ids of another collection of the run or dataset: each becomes a relationship `reference` to that record,
    /// and those without a target are listed. May be given more than once; SOURCE/COLLECTION where two sources have the same name.
    #[arg(long, value_name = "FIELD=COLLECTION")]
    pub link: Vec<String>,
    /// The field or column that holds the metadata as a JSON object; by default, every field that is nothing else is metadata.
    #[arg(long, value_name = "FIELD")]
    pub metadata: Option<String>,
    /// `lancedb`: write a lean table for LanceDB (id, vector, text, a typed column for each field of the metadata, other vectors) instead of
    /// ContextFrame's columns. Or a file with the source's schema (what Milvus' `collections/describe` or Weaviate's `/v1/schema` answers), for dumps that do
    /// not carry it.
    #[arg(long, value_name = "lancedb|FILE")]
    pub schema: Vec<String>,
    /// The source's schema itself, as a dataset remembers it.
    #[arg(skip)]
    pub schema_text: Option<String>,
    /// Threads that decode; by default one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Memory to stay within, whatever the size of the input: 512MiB, 2GiB, …
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_size)]
    pub memory: u64,
    /// Read plain files instead of mapping them: slower, but a file that another program shortens is an error, not a crash.
    #[arg(long)]
    pub no_mmap: bool,
}

impl Reading {
    /// The file with the source's schema.
    #[must_use]
    pub fn source_schema(&self) -> Option<&std::path::Path> {
        self.schema.iter().find(|s| *s != crate::frame::lean::NAME).map(std::path::Path::new)
    }

    /// Whether a lean table is asked for.
    #[must_use]
    pub fn lean(&self) -> bool {
        self.schema.iter().any(|s| s == crate::frame::lean::NAME)
    }
}

/// Which indices.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Index")]
pub struct Indexing {
    /// The vector index. `auto`: IVF_PQ above 100,000 vectors, an exact IVF_FLAT below.
    #[arg(long, value_enum, default_value = "auto", value_name = "TYPE")]
    pub index: IndexKindArg,
    /// How distance is measured; by default as the dump's manifest or schema says, else cosine.
    #[arg(long, value_enum, value_name = "METRIC")]
    pub metric: Option<Metric>,
    /// Partitions of the vector index.
    #[arg(long, value_name = "N")]
    pub partitions: Option<usize>,
    /// Sub-vectors of the product quantiser; must divide the dimension.
    #[arg(long, value_name = "N")]
    pub sub_vectors: Option<usize>,
    /// Bits of a product quantiser's code: 4 or 8; of IVF_RQ, of each value: 1 to 9.
    #[arg(long, value_name = "N")]
    pub bits: Option<usize>,
    /// With --index auto: the share of the true 10 nearest that a search without settings must find, such as 0.95. It is measured, and
    /// where the usual index does not reach it, others are built until one does.
    #[arg(long, value_name = "RECALL", value_parser = parse_recall)]
    pub target_recall: Option<f64>,
    /// Index every other vector too: dense ones by the metric, multi-vectors by cosine, bits and bytes by Hamming distance.
    #[arg(long)]
    pub vector_indices: bool,
}

/// The names on the command line, with the underscores that Lance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexKindArg {
    /// IVF_PQ above 100,000 vectors, an exact IVF_FLAT below.
    Auto,
    /// Product-quantised codes: smallest and fastest, approximate.
    #[value(name = "ivf_pq")]
    IvfPq,
    /// Whole vectors; exact with one partition.
    #[value(name = "ivf_flat")]
    IvfFlat,
    /// A graph over scalar-quantised vectors.
    #[value(name = "ivf_hnsw_sq")]
    IvfHnswSq,
    /// A byte for each value.
    #[value(name = "ivf_sq")]
    IvfSq,
    /// RaBitQ codes: some bits for each value.
    #[value(name = "ivf_rq")]
    IvfRq,
    /// Full text and scalar indices only.
    #[value(name = "no_vector")]
    NoVector,
    /// No index of any kind; `vec2lance index` can build them later.
    None,
}

impl From<IndexKindArg> for IndexKind {
    fn from(arg: IndexKindArg) -> Self {
        match arg {
            IndexKindArg::Auto => Self::Auto,
            IndexKindArg::IvfPq => Self::IvfPq,
            IndexKindArg::IvfFlat => Self::IvfFlat,
            IndexKindArg::IvfHnswSq => Self::IvfHnswSq,
            IndexKindArg::IvfSq => Self::IvfSq,
            IndexKindArg::IvfRq => Self::IvfRq,
            IndexKindArg::NoVector => Self::NoVector,
            IndexKindArg::None => Self::None,
        }
    }
}

/// The type of the one relationship of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relationship {
    /// `member_of`.
    #[value(name = "member_of", alias = "member-of")]
    MemberOf,
    /// `reference`.
    Reference,
}

impl Relationship {
    /// The word in the dataset.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MemberOf => "member_of",
            Self::Reference => "reference",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
