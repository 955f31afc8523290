//! Any bytes as a number: what is accepted is JSON, and has the bits that the standard library gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::number(data));
