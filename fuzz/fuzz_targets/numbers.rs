//! Any text as an array of numbers: taken in runs or one by one, the same values come out.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &str| bodies::numbers(data));
