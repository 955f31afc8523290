//! Any bytes as a dump of one file, from its first byte to rows: the same rows and rejects whatever the way of reading.
#![no_main]

libfuzzer_sys::fuzz_target!(init: vec2lance::let_panics_be_caught(), |data: &[u8]| vec2lance::bodies::decoders(data));
