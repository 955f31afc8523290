//! The online binary: parses the command line, runs one export, and answers with its status.
//!
//! A further database is four lines: its `mod` here, its variant in `cli.rs` (`Name(Box<crate::name::Args>)`), its arm in `run`, and
//! `common` below it. Its file gives `Args` (clap, with `#[command(flatten)] pub(crate) common: Common`) and
//! `fn open(args: &Args) -> Result<impl Source>`, which makes the client and sends nothing.

mod chroma;
mod cli;
mod http;
mod journal;
mod milvus;
mod pinecone;
mod progress;
mod qdrant;
mod queries;
mod report;
mod run;
mod secret;
mod source;
mod weaviate;
mod writer;

use std::process::ExitCode;

use clap::Parser;
use vec2lance::error::{Error, Result, Status};

use cli::{Cli, Common, Database};
use run::export;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Clap's own texts: help and version on stdout with 0, a wrong flag on stderr with 2.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    match run(&cli) {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            report::print_error(&error);
            ExitCode::from(error.status().code())
        }
    }
}

fn run(cli: &Cli) -> Result<Status> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Error::new(format!("cannot start the threads of the export: {e}")))?;
    let done = runtime.block_on(async {
        match &cli.database {
            Database::Chroma(args) => export(chroma::open(args).await?, &args.common).await,
            Database::Qdrant(args) => export(qdrant::open(args)?, &args.common).await,
            Database::Milvus(args) => export(milvus::open(args).await?, &args.common).await,
            Database::Pinecone(args) => export(pinecone::open(args)?, &args.common).await,
            Database::Weaviate(args) => weaviate::export(args).await,
        }
    });
    // A thread that waits for a page must not keep an interrupted run alive.
    runtime.shutdown_background();
    report::print(&done?, common(&cli.database).json)
}

fn common(database: &Database) -> &Common {
    match database {
        Database::Chroma(args) => &args.common,
        Database::Qdrant(args) => &args.common,
        Database::Milvus(args) => &args.common,
        Database::Pinecone(args) => &args.common,
        Database::Weaviate(args) => &args.common,
    }
}
