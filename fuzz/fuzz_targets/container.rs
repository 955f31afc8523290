//! Any bytes as a compressed file, and as its contents: bounded memory, and no end is taken for another.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::container(data));
