//! Any text as an array of numbers: taken in runs or one by one, the same values come out.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::numbers(data));
