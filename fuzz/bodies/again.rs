//! A rejects file as input: records that were refused, written beside the output, mended or not, and read once more.
//!
//! Not the records' own layouts (`decode.rs`).

use vec2lance::formats::Decoder;
use vec2lance::formats::rejects::{Origin, RejectsDecoder};
use vec2lance::frame::vectors::Layout;
use vec2lance::reject::Code;

use super::check::{newlines, settle};
use super::decode::{BUILT_IN, Decoders, chosen, lines};

/// Any bytes as a rejects file, and as records: those that are refused are written to such a file, and what comes out of it is
/// refused again, byte for byte and for the same reason.
pub fn rejects(data: &[u8]) {
    for decoders in BUILT_IN.iter() {
        for first in [true, false] {
            read(decoders, data, first);
        }
    }
    for decoders in chosen(data) {
        let mut layout = Layout { main: None, dimension: 2, ..Layout::default() };
        let refused = settle(&decoders.text, &lines(data), &mut layout).rejects;
        let origin = origin(decoders);
        let write = |reject: &vec2lance::reject::Reject| reject.to_json("fuzz", (&origin.source, &origin.collection, &origin.namespace), &origin.format) + "\n";
        let again = read(decoders, refused.iter().map(write).collect::<String>().as_bytes(), true);
        assert_eq!(refused.len(), again.len(), "a record that is refused comes back as something else");
        for (before, after) in refused.iter().zip(&again) {
            assert_eq!(String::from_utf8_lossy(&before.original), String::from_utf8_lossy(&after.original));
            // A rejects file has no record that is cut off: each has its line.
            assert!(before.refusal == after.refusal || before.refusal.code == Code::CutOff, "{before:?}, {after:?}");
        }
    }
}

fn origin(decoders: &Decoders) -> Origin {
    Origin { source: decoders.spec.source.clone(), collection: "fuzz".into(), namespace: String::new(), format: decoders.spec.name.clone() }
}

fn read(decoders: &Decoders, data: &[u8], first: bool) -> Vec<vec2lance::reject::Reject> {
    let inner = decoders.another_text();
    let decoder = RejectsDecoder::new(inner, origin(decoders), 0, first, &decoders.spec.payload);
    let mut layout = Layout { main: None, dimension: 2, ..Layout::default() };
    let decoded = settle(&decoder as &dyn Decoder, &lines(data), &mut layout);
    assert_eq!(decoded.lines as usize, newlines(data) + usize::from(!data.is_empty() && !data.ends_with(b"\n")));
    decoded.rejects
}
