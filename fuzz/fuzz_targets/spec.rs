//! Any text as a layout's TOML or a Milvus schema: an error or a layout that decodes, no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::spec(data));
