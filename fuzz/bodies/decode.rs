//! Text records of each layout: what is accepted has kept everything, what is not says where it stands and why.
//!
//! Not the cutting into records (`lines.rs`, `document.rs`), and not Parquet (`columns.rs`).

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use serde_json::Value;
use vec2lance::error::Result;
use vec2lance::formats::json::{Cursor, JsonError, canonical, compact};
use vec2lance::formats::jsonl::{Context, TextDecoder};
use vec2lance::formats::milvus::{SchemaField, complete};
use vec2lance::formats::parquet::ParquetDecoder;
use vec2lance::formats::spec::Spec;
use vec2lance::formats::{Chunk, Decoded, detect};
use vec2lance::frame::builder::Membership;
use vec2lance::frame::identity::Collection;
use vec2lance::frame::mapping::Mapping;
use vec2lance::frame::vectors::Layout;
use vec2lance::reject::Code;
use vec2lance::source::chunk::{ChunkData, LineChunk};

use super::check::{floats, is_json, newlines, settle};

/// The decoders of one layout.
pub(super) struct Decoders {
    pub(super) spec: Arc<Spec>,
    pub(super) text: TextDecoder,
    /// Numbers by the standard library.
    pub(super) plain: TextDecoder,
    pub(super) parquet: ParquetDecoder,
    context: Context,
}

impl Decoders {
    pub(super) fn of(spec: Spec, mapping: Mapping, foreign: Vec<String>) -> Result<Self> {
        let collection = Collection { source: spec.source.clone(), name: "fuzz".into(), namespace: String::new() };
        let context = Context {
            spec: Arc::new(spec),
            mapping: Arc::new(mapping),
            membership: Arc::new(Membership { collection, relationship: "member_of", vector_type: None }),
            shard: 0,
            foreign: Arc::new(foreign),
            plain: false,
            resize: None,
        };
        Ok(Self {
            spec: Arc::clone(&context.spec),
            text: TextDecoder::new(context.clone())?,
            plain: TextDecoder::new(Context { plain: true, ..context.clone() })?,
            parquet: ParquetDecoder::new(context.clone())?,
            context,
        })
    }

    /// A decoder of text for somebody who wants one of his own.
    pub(super) fn another_text(&self) -> TextDecoder {
        TextDecoder::new(self.context.clone()).expect("the layout was consistent before")
    }
}

pub(super) static KNOWN: LazyLock<Vec<Spec>> = LazyLock::new(|| Spec::all().expect("built-in layouts parse"));

/// Every built-in layout, with its own mapping; Milvus' is completed by a schema that has a field of each kind.
pub(super) static BUILT_IN: LazyLock<Vec<Decoders>> = LazyLock::new(|| {
    let of = |mut spec: Spec| {
        if spec.id.is_none() {
            let field = |name: &str, data_type: &str| SchemaField {
                name: name.into(),
                data_type: data_type.into(),
                primary: name == "pk",
                automatic: false,
                dimension: None,
            };
            let fields = [field("pk", "INT64"), field("v", "FLOAT_VECTOR"), field("w", "FLOAT_VECTOR"), field("s", "SPARSE_FLOAT_VECTOR")];
            complete(&mut spec, &fields, None, None, "fuzz").expect("a schema with a key and a vector");
        }
        let mut mapping = Mapping::default();
        mapping.extend(&spec.map, "fuzz").expect("built-in layouts name columns");
        let foreign = foreign(&spec);
        Decoders::of(spec, mapping, foreign).expect("built-in layouts are consistent")
    };
    KNOWN.iter().cloned().map(of).collect()
});

/// Keys that only records of other layouts have, as the plan finds them.
pub(super) fn foreign(spec: &Spec) -> Vec<String> {
    let own: Vec<&str> = spec.top_keys().collect();
    let others = KNOWN.iter().flat_map(Spec::top_keys).filter(|key| !own.contains(key) && !["id", "document"].contains(key));
    if spec.payload == "*" { vec![] } else { others.map(str::to_owned).collect() }
}

/// The layout that the records' keys tell, and one that their length chooses: all of them at once would be slow.
pub(super) fn chosen(data: &[u8]) -> Vec<&'static Decoders> {
    let told = detect::layout(&detect::keys_of(&lines(data)), &KNOWN).map(|(spec, _)| spec.name);
    let other = data.len() % BUILT_IN.len();
    let taken = BUILT_IN.iter().enumerate().filter(|(at, decoders)| *at == other || told.as_ref() == Some(&decoders.spec.name));
    taken.map(|(_, decoders)| decoders).collect()
}

pub(super) fn lines(data: &[u8]) -> Chunk {
    Chunk::Lines(LineChunk { offset: 0, data: ChunkData::Owned(data.to_vec()), newlines: newlines(data), last: true, oversize: None })
}

/// Any bytes as JSON lines of a layout: no panic, every record is a row or a reject in its place, and of a row nothing is
/// lost: neither a field nor a number of a vector.
pub fn record(data: &[u8]) {
    for line in data.split(|b| *b == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
        json(line);
    }
    for decoders in chosen(data) {
        decode(decoders, data);
    }
}

/// The cursor against another parser; texts that are made of a value are the same value.
fn json(text: &str) {
    let mut cursor = Cursor::new(text);
    match cursor.value().and_then(|value| cursor.end().map(|()| value.raw)) {
        Ok(raw) => {
            assert!(is_json(raw), "{raw}");
            let one = canonical(raw).expect("canonical text of a value");
            assert_eq!(canonical(&one).as_ref(), Some(&one));
            assert_eq!(canonical(&compact(raw)).as_ref(), Some(&one));
            if let (Ok(a), Ok(b)) = (serde_json::from_str::<Value>(raw), serde_json::from_str::<Value>(&one)) {
                assert_eq!(a, b);
            }
        }
        Err(error) => assert!(matches!(error.code, Code::TooDeep | Code::LoneSurrogate) || !is_json(text), "{text}: {error:?}"),
    }
}

pub(super) fn decode(decoders: &Decoders, data: &[u8]) {
    let chunk = lines(data);
    let mut layout = Layout { main: None, dimension: 2, ..Layout::default() };
    let decoded = settle(&decoders.text, &chunk, &mut layout);
    assert_eq!(decoded.lines as usize, newlines(data) + usize::from(!data.is_empty() && !data.ends_with(b"\n")));
    // Under the layout that has come of it, both ways of reading numbers say the same.
    let plain = settle(&decoders.plain, &chunk, &mut layout);
    assert_eq!(decoded.rejects, plain.rejects);
    // Floats are the same if their bits are.
    assert_eq!(decoded.batch, plain.batch);
    places(&decoded, data);
    if let Some(batch) = &decoded.batch {
        kept(&decoders.spec, batch, &decoded, data);
    }
}

/// Every record's place is where it stands: the refused ones carry their bytes.
fn places(decoded: &Decoded, data: &[u8]) {
    let line_at = |at: usize| newlines(&data[..at]) as u64 + 1;
    let places = decoded.origins.iter().map(|o| (o.place, None)).chain(decoded.rejects.iter().map(|r| (r.place, Some(&r.original))));
    for (place, original) in places {
        let at = place.byte.expect("text has offsets") as usize;
        let bytes = &data[at..at + place.length as usize];
        assert_eq!(place.line, Some(line_at(at)));
        assert!(original.is_none_or(|original| original == bytes), "the place of a reject is that of its bytes");
        assert!(original.is_some() || bytes.starts_with(b"{"), "the place of a row is that of its object");
    }
}

/// Nothing of the accepted records is lost, told by another parser as far as that one reads them.
fn kept(spec: &Spec, batch: &RecordBatch, decoded: &Decoded, data: &[u8]) {
    let column = |name: &str| batch.column_by_name(name).expect("a column of the schema");
    let texts = |name: &str| column(name).as_string::<i32>().clone();
    let (ids, payloads, rests, uuids) = (texts("x_original_id"), texts("x_source_payload"), texts("x_source_fields"), texts("uuid"));
    let schema = batch.schema();
    let mut without_vector = 0;
    for (row, origin) in decoded.origins.iter().enumerate() {
        let at = origin.place.byte.unwrap_or_default() as usize;
        let text = std::str::from_utf8(&data[at..at + origin.place.length as usize]).expect("a row is UTF-8");
        assert_eq!(uuids.value(row), uuid_text(origin.uuid));
        let value = |column: &StringArray| {
            column.is_valid(row).then(|| {
                assert!(is_json(column.value(row)));
                serde_json::from_str::<Value>(column.value(row)).ok()
            })
        };
        let (payload, rest) = (value(&payloads).flatten(), value(&rests).map_or("{}", |_| rests.value(row)));
        let mut main = Vec::new();
        floats(column("vector"), row, &mut main);
        if main.iter().all(|bits| f32::from_bits(*bits).is_nan()) {
            without_vector += 1;
            main.clear();
        }
        let others = schema.fields().iter().zip(batch.columns()).filter(|(f, _)| f.name().starts_with("x_vector_") || f.name().starts_with("x_sparse_"));
        others.for_each(|(_, other)| floats(other, row, &mut main));
        // Deeper than the other parser goes, or a number that it cannot hold.
        let Ok(record) = serde_json::from_str::<Value>(text) else { continue };
        assert_eq!(main.len(), numbers_of(&record, spec), "a vector's number is lost: {text}");
        let id = value_at(&record, &spec.id.as_ref().expect("a layout with an id").at).expect("a row has an id");
        assert_eq!(ids.value(row), id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        fields_are_kept(spec, &record, payload.as_ref(), rest);
    }
    assert_eq!(decoded.without_vector, without_vector);
}

fn fields_are_kept(spec: &Spec, record: &Value, payload: Option<&Value>, rest: &str) {
    let fields = record.as_object().expect("a row is an object");
    let own: Vec<&str> = spec.top_keys().collect();
    let beside = |key: &str| fields.get(key).filter(|_| !own.contains(&key));
    if spec.payload == "*" {
        let payload = payload.and_then(Value::as_object).expect("a payload of all other fields");
        assert!(fields.keys().all(|key| beside(key) == payload.get(key)), "a field is lost: {record}");
    } else {
        assert_eq!(payload, value_at(record, &spec.payload));
        // Not by that parser: a key may be the same as the path of a null vector, and both are there.
        let mut kept = Vec::new();
        let walked = Cursor::new(rest).object(|key, cursor| -> std::result::Result<(), JsonError> {
            kept.push((key.value().into_owned(), serde_json::from_str::<Value>(cursor.value()?.raw).ok()));
            Ok(())
        });
        assert!(walked.is_ok());
        let is_kept = |key: &String, value: &Value| kept.iter().any(|(k, v)| k == key && v.as_ref() == Some(value));
        assert!(fields.keys().all(|key| beside(key).is_none_or(|value| is_kept(key, value))), "a field is lost: {record}");
    }
}

/// The value at a path of keys; the program's paths, other than JSON pointers, do not lead into arrays.
fn value_at<'a>(record: &'a Value, path: &str) -> Option<&'a Value> {
    path[1..].split('/').try_fold(record, |value, part| value.as_object()?.get(&part.replace("~1", "/").replace("~0", "~")))
}

/// Numbers in the places where the layout has vectors; of a sparse one, its values.
fn numbers_of(record: &Value, spec: &Spec) -> usize {
    fn count(value: &Value) -> usize {
        match value {
            Value::Number(_) => 1,
            Value::Array(values) => values.iter().map(count).sum(),
            Value::Object(sparse) => sparse.get("values").map_or(sparse.len() - usize::from(sparse.contains_key("indices")), count),
            _ => 0,
        }
    }
    let named = |value: &Value| value.as_object().map_or_else(|| count(value), |map| map.values().map(count).sum());
    let at = |path: &String| value_at(record, path);
    let maps = spec.vector.as_ref().and_then(|v| at(&v.at)).into_iter().chain(spec.named.as_ref().and_then(at));
    let sparse = spec.sparse.values().flatten().chain(spec.dense.values()).filter_map(at);
    maps.map(named).sum::<usize>() + sparse.map(count).sum::<usize>()
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let hex = vec2lance::reject::hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
