//! Any bytes as a number: what is accepted is JSON, and has the bits that the standard library gives.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::number(data));
