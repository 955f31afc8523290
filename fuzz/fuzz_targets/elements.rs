//! Any bytes as one JSON document, cut at any place: no panic, and the same elements whatever the size of a read.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::elements(data));
