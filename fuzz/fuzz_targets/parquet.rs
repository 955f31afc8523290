//! Any bytes as a Parquet file: an error or as many rows as the footer says, each a record or a reject.
#![no_main]

libfuzzer_sys::fuzz_target!(init: vec2lance::let_panics_be_caught(), |data: &[u8]| vec2lance::bodies::parquet(data));
