//! Any bytes as a NumPy array: an error, or the same rows in batches of any size.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::arrays(data));
