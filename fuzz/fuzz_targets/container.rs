//! Any bytes as a file: plain, zstd, gzip or Parquet, told by its first bytes. An error or records, no panic, bounded memory.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::container(data));
