//! Any bytes as one JSON document, cut at any place: no panic, and the same elements whatever the size of a read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vec2lance::formats::elements::Elements;

fn read(data: &[u8], step: usize) -> Option<Vec<Vec<u8>>> {
    let mut rest = data.to_vec();
    let fill = move |buffer: &mut Vec<u8>, _: usize| {
        let take = step.min(rest.len());
        buffer.extend(rest.drain(..take));
        Ok(rest.is_empty())
    };
    let mut elements = Elements::open(Box::new(fill), "fuzz", &["data".to_owned()], 1 << 16).ok()?;
    let mut out = Vec::new();
    while let Some(chunk) = elements.next_chunk(64).ok()? {
        out.extend(chunk.elements.iter().map(|e| chunk.data[e.start..e.start + e.length].to_vec()));
    }
    Some(out)
}

fuzz_target!(|data: &[u8]| {
    let whole = read(data, usize::MAX);
    assert_eq!(whole, read(data, 1));
    assert_eq!(whole, read(data, 7));
});
