//! Any bytes as answers of servers: every record is a row or a reject in its place, whatever the size of a read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::pages(data));
