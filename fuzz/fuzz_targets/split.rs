//! Any bytes, any sizes of chunks and lines, mapped or streamed: the pieces joined are the input, each ends with a line.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::split(data));
