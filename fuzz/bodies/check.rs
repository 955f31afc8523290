//! What several checks share: errors that a terminal can show, layouts that grow, rows that can be compared.
//!
//! No target's own check.

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use serde::de::IgnoredAny;
use vec2lance::error::{Error, Result};
use vec2lance::formats::{Chunk, Decoded, Decoder};
use vec2lance::frame::vectors::{Layout, VectorKind};
use vec2lance::reject::printable;

/// The value, or nothing, after a look at the error's text: it is printed as it is, so it must not steer a terminal.
pub(super) fn said<T>(result: Result<T>) -> Option<T> {
    result.map_err(|error: Error| shown(&error.to_string(), error.help_text())).ok()
}

fn shown(message: &str, help: Option<&str>) {
    for text in [message, help.unwrap_or_default()] {
        assert_eq!(printable(text), text, "a message holds characters that steer a terminal");
    }
}

/// Whether the text is JSON by another parser, which has no limit of depth here and lets lone surrogates pass.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Line ends. Not a loop of our own: the fuzzer looks at every comparison in one.
pub(super) fn newlines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// A file that holds these bytes, gone when it is dropped.
pub(super) fn file(data: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("room for it");
    file
}

/// Decodes as the pipeline does: what the layout does not know is added to it, and the chunk is decoded again.
pub(super) fn settle(decoder: &dyn Decoder, chunk: &Chunk, layout: &mut Layout) -> Decoded {
    loop {
        let decoded = decoder.decode(chunk, layout).expect("batches fit the schema");
        if decoded.unknown.is_empty() {
            assert_eq!(decoded.records, (decoded.origins.len() + decoded.rejects.len()) as u64);
            assert_eq!(decoded.batch.as_ref().map_or(0, RecordBatch::num_rows), decoded.origins.len());
            rejects_can_be_told(&decoded);
            return decoded;
        }
        let before = layout.others.len();
        for (name, kind) in decoded.unknown {
            if layout.other(&name, kind == VectorKind::Sparse).is_none() {
                layout.add(&name, kind);
            }
        }
        assert!(layout.others.len() > before, "a chunk asks for a vector that the layout has");
    }
}

fn rejects_can_be_told(decoded: &Decoded) {
    for reject in &decoded.rejects {
        shown(&reject.message("fuzz"), None);
        let line = reject.to_json("fuzz", ("qdrant", "fuzz", ""), "qdrant");
        assert!(is_json(&line) && !line.contains('\n'));
    }
}

/// What tells rows apart: the source's columns and every vector's bits, as text.
pub(super) fn texts_of(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let text_of = |row: usize| {
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            let mut values = Vec::new();
            floats(column, row, &mut values);
            let text = arrow_cast::display::array_value_to_string(column, row).expect("a column can be shown");
            format!("{}={text} {values:x?}", field.name())
        });
        columns.collect::<Vec<_>>().join("\n")
    };
    (0..batch.num_rows()).map(text_of).collect()
}

/// The bits of every float below this value, in order.
pub(super) fn floats(column: &ArrayRef, row: usize, out: &mut Vec<u32>) {
    if column.is_null(row) {
        return;
    }
    let list = |values: ArrayRef, out: &mut Vec<u32>| (0..values.len()).for_each(|at| floats(&values, at, out));
    match column.data_type() {
        DataType::Float32 => out.push(column.as_primitive::<Float32Type>().value(row).to_bits()),
        DataType::FixedSizeList(..) => list(column.as_fixed_size_list().value(row), out),
        DataType::List(_) => list(column.as_list::<i32>().value(row), out),
        DataType::Struct(_) => column.as_struct().columns().iter().for_each(|child| floats(child, row, out)),
        _ => {}
    }
}
