//! Columns that hold JSON text, as `vec2lance-export --parquet` writes them, are read as lines are.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use super::ParquetDecoder;
use crate::formats::jsonl::{Context, TextDecoder};
use crate::formats::spec::Spec;
use crate::formats::{Chunk, Decoder};
use crate::frame::builder::Membership;
use crate::frame::identity::Collection;
use crate::frame::vectors::Layout;
use crate::source::chunk::{ChunkData, LineChunk};

const LINES: [&str; 5] = [
    r#"{"id":5,"vector":[0.5,-0.0],"payload":{"n":18446744073709551615,"f":1.50,"t":"é"}}"#,
    r#"{"id":"00000000-0000-0000-0000-000000000001","vector":[1.0,2.0],"payload":null}"#,
    r#"{"id":6,"vector":[3.0,0.1]}"#,
    r#"{"id":7,"vector":[0.12345678901234567,0.1],"payload":{},"shard_key":7,"other":[1.50,null]}"#,
    r#"{"id":null,"vector":[3.0,0.1],"payload":{"a":1}}"#,
];

fn marked(name: &str, mark: &str) -> Field {
    Field::new(name, DataType::Utf8, true).with_metadata(HashMap::from([("vec2lance".to_owned(), mark.to_owned())]))
}

/// The same records in columns.
fn batch() -> RecordBatch {
    let texts = |values: [Option<&str>; 5]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let mut vectors = ListBuilder::new(Float32Builder::new());
    for values in [Some([0.5, -0.0]), Some([1.0, 2.0]), Some([3.0, 0.1]), None, Some([3.0, 0.1])] {
        if let Some(v) = values {
            vectors.values().append_slice(&v);
        }
        vectors.append(values.is_some());
    }
    let list = DataType::List(Field::new("item", DataType::Float32, true).into());
    let schema = Schema::new(vec![marked("id", "json"), marked("payload", "json"), Field::new("vector", list, true), marked("$rest", "rest")]);
    let columns: Vec<ArrayRef> = vec![
        texts([Some("5"), Some("\"00000000-0000-0000-0000-000000000001\""), Some("6"), Some("7"), Some("null")]),
        texts([Some(r#"{"n":18446744073709551615,"f":1.50,"t":"é"}"#), Some("null"), None, Some("{}"), Some(r#"{"a":1}"#)]),
        Arc::new(vectors.finish()),
        texts([None, None, None, Some(r#"{"vector":[0.12345678901234567,0.1],"shard_key":7,"other":[1.50,null]}"#), None]),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).expect("a batch")
}

#[test]
fn columns_of_json_text_are_read_as_lines_are() {
    let collection = Collection { source: "qdrant".to_owned(), name: "docs".to_owned(), namespace: String::new() };
    let context = Context {
        spec: Arc::new(Spec::built_in("qdrant").expect("the layout")),
        mapping: Arc::default(),
        membership: Arc::new(Membership { collection, relationship: "member_of", vector_type: None }),
        shard: 0,
        foreign: Arc::default(),
        plain: false,
        resize: None,
    };
    let layout = Layout { main: None, dimension: 2, others: vec![], promoted: vec![] };
    let data = ChunkData::Owned((LINES.join("\n") + "\n").into_bytes());
    let lines = Chunk::Lines(LineChunk { offset: 0, data, newlines: LINES.len(), last: true, oversize: None });
    let text = TextDecoder::new(context.clone()).map(|d| d.decode(&lines, &layout).expect("decoded")).expect("a decoder");
    let rows = Chunk::Rows { batch: batch(), first: 0 };
    let parquet = ParquetDecoder::new(context).map(|d| d.decode(&rows, &layout).expect("decoded")).expect("a decoder");
    assert_eq!(parquet.batch, text.batch);
    assert_eq!(parquet.batch.as_ref().map(RecordBatch::num_rows), Some(4));
    assert_eq!((parquet.records, parquet.rounded), (text.records, text.rounded));
    let codes = |rejects: &[crate::reject::Reject]| rejects.iter().map(|r| (r.refusal.code.name(), r.refusal.reason.clone())).collect::<Vec<_>>();
    assert_eq!(codes(&parquet.rejects), codes(&text.rejects));
    assert!(String::from_utf8_lossy(&parquet.rejects[0].original).starts_with(r#"{"id":null,"payload":{"a":1},"vector":["#));
}
