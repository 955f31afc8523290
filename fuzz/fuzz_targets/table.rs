//! Any bytes as rows of CSV or of `COPY`'s text: each is JSON or refused, whatever the size of a read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::table(data));
