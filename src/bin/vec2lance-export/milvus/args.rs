//! The command line of `vec2lance-export milvus`. Decides nothing.

use crate::cli::Common;

const HELP: &str = "\
Credentials: $MILVUS_TOKEN (or --key-file) holds a token, or user:password. Reading needs the privileges Query, DescribeCollection,
ShowCollections, ShowPartitions, GetLoadState and IndexDetail; --record-queries needs Search. Collections must be loaded: an export never
loads one.

  vec2lance-export milvus --url http://127.0.0.1:19530 --all SNAPSHOT/
  vec2lance-export milvus --url https://in01-….zillizcloud.com --collection docs --partition a --filter 'year > 2020' SNAPSHOT/";

/// Options of `vec2lance-export milvus`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Export from this database of the server.
    #[arg(long, value_name = "NAME", default_value = "default", help_heading = "What")]
    pub(super) database: String,
    /// Read over gRPC. By default this is what is used where the server answers it: it reads a collection as it was at one moment, and
    /// keeps all digits of dynamic fields.
    #[arg(long, conflicts_with = "rest", help_heading = "Access")]
    pub(super) grpc: bool,
    /// Read over REST v2: through a proxy, or where gRPC is closed.
    #[arg(long, help_heading = "Access")]
    pub(super) rest: bool,
    /// How fresh the data are that a query sees.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Consistency::Strong, help_heading = "What")]
    pub(super) consistency: Consistency,
}

/// `common.ConsistencyLevel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Consistency {
    /// Everything that was written before the query.
    Strong,
    /// Everything that this connection has written, which is nothing.
    Session,
    /// What is a few seconds old.
    Bounded,
    /// What there is.
    Eventually,
}

impl Consistency {
    /// As the interfaces call it.
    pub(super) fn name(self) -> &'static str {
        ["Strong", "Session", "Bounded", "Eventually"][self as usize]
    }
}
