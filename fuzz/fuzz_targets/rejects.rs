//! Any bytes as a rejects file, and as records whose rejects are written to one and read again: the same are refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::rejects(data));
