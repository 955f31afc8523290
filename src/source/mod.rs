//! BYTES: finds shards, tells compression by content, maps or reads them, and cuts text at `\n`.
//!
//! Knows no JSON, no Arrow, no Lance.

pub mod checksum;
pub mod chunk;
pub mod find;
pub mod magic;
mod mmap;
pub mod stream;
