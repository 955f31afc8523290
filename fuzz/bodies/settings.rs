//! Files that say what records look like: a user's layout, the schema in a Milvus package, a snapshot's manifest.
//!
//! Not detection by records: `whole.rs`.

use vec2lance::formats::milvus::{complete, schema};
use vec2lance::formats::spec::Spec;
use vec2lance::frame::mapping::Mapping;
use vec2lance::manifest::Manifest;

use super::check::said;
use super::decode::{Decoders, decode};

/// Records of several shapes, for whatever layout comes out of the text.
const RECORDS: &str = "{\"id\":\"a\",\"vector\":[1,2],\"payload\":{\"text\":\"t\",\"n\":1}}\n\
    {\"id\":2,\"values\":[1,2],\"vectors\":{\"a\":[[1,2],[3,4]],\"s\":{\"indices\":[1],\"values\":[2]}}}\n\
    {\"pk\":3,\"v\":[1,2],\"s\":{\"7\":0.5},\"title\":\"x\",\"result\":{\"id\":4,\"vector\":[1,2],\"payload\":null}}\n";

/// Any text as a layout's TOML, and as the schema of a Milvus package: an error that a terminal can show, or a layout that
/// decodes.
pub fn spec(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(spec) = said(Spec::parse(&text, "fuzz.toml")) {
        assert!(spec.top_keys().all(|key| !key.contains('/')));
        let mut mapping = Mapping::default();
        if said(mapping.extend(&spec.map, "fuzz.toml")).is_some() && spec.id.is_some() {
            run(spec, mapping);
        }
    }
    if let Some(fields) = said(schema(&text, "fuzz.json")) {
        for flag in [None, Some("pk")] {
            let mut spec = Spec::built_in("milvus").expect("a built-in layout");
            if said(complete(&mut spec, &fields, flag, flag, "fuzz.json")).is_some() {
                run(spec, Mapping::default());
            }
        }
    }
}

fn run(spec: Spec, mapping: Mapping) {
    if let Some(decoders) = said(Decoders::of(spec, mapping, vec![])) {
        let spec = &decoders.spec;
        let places = spec.id.iter().map(|id| &id.at).chain(spec.vector.iter().map(|vector| &vector.at)).chain(&spec.named).chain(&spec.text);
        let places: Vec<&String> = places.chain(spec.sparse.values().flatten()).chain(spec.dense.values()).chain(std::iter::once(&spec.payload)).collect();
        let through = |one: &str, other: &str| other.strip_prefix(one).is_some_and(|rest| rest.starts_with('/'));
        assert!(!places.iter().any(|one| places.iter().any(|other| through(one, other))), "one path runs through another: {places:?}");
        decode(&decoders, RECORDS.as_bytes());
    }
}

/// Any text as a manifest: an error, or a value that is written and read again without a change.
pub fn manifest(data: &[u8]) {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(data).map_err(|e| {
        let text = e.to_string();
        assert_eq!(vec2lance::reject::printable(&text), text);
    }) else {
        return;
    };
    let text = serde_json::to_string(&manifest).expect("a manifest is JSON");
    assert_eq!(serde_json::from_str::<Manifest>(&text).expect("what was written is read"), manifest);
}
