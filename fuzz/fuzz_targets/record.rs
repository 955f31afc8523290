//! Any bytes as JSON lines of a layout: no panic, every record is a row or a reject in its place, and of a row nothing is lost.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::record(data));
