//! Any bytes as one JSON document, cut at any place: no panic, and the same elements whatever the size of a read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::elements(data));
