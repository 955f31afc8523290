//! Any text as a layout's TOML, a snapshot's manifest, or a Milvus schema: an error or a value, no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vec2lance::formats::spec::Spec;
use vec2lance::manifest::Manifest;

fuzz_target!(|text: &str| {
    let _ = Spec::parse(text, "fuzz.toml");
    let _ = serde_json::from_str::<Manifest>(text);
    let _ = vec2lance::formats::milvus::schema(text, "fuzz");
    let _ = vec2lance::formats::detect::framing(text.as_bytes(), &["data".to_owned()]);
});
