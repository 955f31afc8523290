//! Any bytes as JSON lines of each layout: no panic, every record is a row or a reject, and payloads that are kept are JSON.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::record(data));
