//! Any text as a layout's TOML, a snapshot's manifest, or a Milvus schema: an error or a value, no panic.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::settings(text));
