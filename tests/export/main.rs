//! The integration tests of `vec2lance-export`: each module drives the program as a user has it, against a server of one database.
//! A database is one line here and one file, which belongs to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    dead_code,
    reason = "a failure here is a message for a developer, and not every database needs every tool"
)]

mod chroma;
mod milvus;
mod pinecone;
mod proxy;
mod python;
mod qdrant;
mod server;
mod tool;
mod weaviate;
