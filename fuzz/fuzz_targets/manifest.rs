//! Any text as a snapshot's manifest: an error, or a value that is written and read again without a change.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::manifest(data));
