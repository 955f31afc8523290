//! Any bytes as a recipe for columns as Parquet files can hold them: every row is a record or a reject, nulls stay nulls.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vec2lance::bodies::rows(data));
