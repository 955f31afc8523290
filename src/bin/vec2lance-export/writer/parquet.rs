//! Parquet parts that lose nothing: a column for each key that the layout knows, holding its JSON text; one for each dense vector of
//! float32, holding floats; and `$rest`, a JSON object with every other key. The columns' metadata says so (`vec2lance` = `json` or
//! `rest`), and by that the converter reads them as it reads lines.
//!
//! A vector whose digits are no float32 stays text, in `$rest`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use vec2lance::error::{Error, Result};

use super::Summed;
use crate::source::Unit;

/// The key of a column's metadata that says what its text is.
const MARK: &str = "vec2lance";
/// The column of all keys that have none of their own.
const REST: &str = "$rest";
/// Bytes of records of a row group, before compression.
const GROUP: usize = 4 << 20;

/// The columns of a unit's parts.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// Keys whose values are kept as JSON text.
    texts: Vec<String>,
    /// Keys of dense vectors of float32.
    floats: Vec<String>,
    schema: SchemaRef,
}

impl Columns {
    /// By the unit's layout.
    ///
    /// # Errors
    /// Its records do not stand one in a line.
    pub(crate) fn of(unit: &Unit) -> Result<Self> {
        let (texts, vector): (&[&str], _) = match unit.layout.as_str() {
            "qdrant" => (&["id", "payload", "shard_key"], Some("vector")),
            "chroma" => (&["id", "document", "metadata", "uri"], Some("embedding")),
            "weaviate" => (&["id", "class", "tenant", "properties", "vectors"], Some("vector")),
            "pinecone" => (&["id", "metadata", "sparseValues"], Some("values")),
            "milvus" => (&[], None),
            other => {
                return Err(Error::new(format!("collection {}: records of the layout {other} cannot be written as Parquet", unit.collection))
                    .help("leave --parquet out; JSON lines hold every layout"));
            }
        };
        let own = unit.vectors.iter().filter(|v| v.kind == "dense" && v.data_type.as_deref().is_none_or(|t| t == "float32"));
        let floats: Vec<String> = match vector {
            Some(key) => own.filter(|v| v.name.is_empty()).map(|_| key.to_owned()).take(1).collect(),
            None => own.filter(|v| v.name != REST).map(|v| v.name.clone()).collect(),
        };
        // A map of vectors, or one of another type, stays text.
        let kept = vector.filter(|key| !floats.iter().any(|f| f == key));
        let texts: Vec<String> = texts.iter().copied().chain(kept).map(str::to_owned).collect();
        let marked = |name: &str, mark: &str| Field::new(name, DataType::Utf8, true).with_metadata(HashMap::from([(MARK.to_owned(), mark.to_owned())]));
        let list = DataType::List(Field::new("item", DataType::Float32, true).into());
        let mut fields: Vec<Field> = texts.iter().map(|name| marked(name, "json")).collect();
        fields.extend(floats.iter().map(|name| Field::new(name, list.clone(), true)));
        fields.push(marked(REST, "rest"));
        Ok(Self { texts, floats, schema: Arc::new(Schema::new(fields)) })
    }
}

/// A part under way.
pub(super) struct Table {
    columns: Columns,
    writer: ArrowWriter<Summed>,
    texts: Vec<StringBuilder>,
    floats: Vec<ListBuilder<Float32Builder>>,
    rest: StringBuilder,
    /// Bytes of records in the builders.
    held: usize,
}

impl Table {
    pub(super) fn new(file: Summed, columns: &Columns) -> io::Result<Self> {
        let level = ZstdLevel::try_new(super::LEVEL).map_err(other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_created_by(concat!("vec2lance-export ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        Ok(Self {
            writer: ArrowWriter::try_new(file, Arc::clone(&columns.schema), Some(properties)).map_err(other)?,
            texts: columns.texts.iter().map(|_| StringBuilder::new()).collect(),
            floats: columns.floats.iter().map(|_| ListBuilder::new(Float32Builder::new())).collect(),
            rest: StringBuilder::new(),
            held: 0,
            columns: columns.clone(),
        })
    }

    pub(super) fn add(&mut self, line: &str) -> io::Result<()> {
        let members = members(line).map_err(io::Error::other)?;
        let (mut rest, mut texts, mut floats) = (String::new(), vec![None; self.texts.len()], vec![false; self.floats.len()]);
        for (key, raw) in members {
            let raw = raw.get();
            if let Some(at) = self.columns.texts.iter().position(|t| *t == key) {
                texts[at] = Some(raw);
                continue;
            }
            if let Some(at) = self.columns.floats.iter().position(|f| *f == key)
                && let Some(values) = exact(raw)
            {
                self.floats[at].values().append_slice(&values);
                floats[at] = true;
                continue;
            }
            rest.push(if rest.is_empty() { '{' } else { ',' });
            let _ = write!(rest, "{}:{raw}", serde_json::Value::from(key));
        }
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.append_option(text));
        self.floats.iter_mut().zip(floats).for_each(|(column, there)| column.append(there));
        self.rest.append_option((!rest.is_empty()).then(|| rest + "}"));
        self.held += line.len();
        if self.held >= GROUP { self.flush() } else { Ok(()) }
    }

    /// Writes the row group under way.
    fn flush(&mut self) -> io::Result<()> {
        let mut arrays: Vec<ArrayRef> = self.texts.iter_mut().map(|t| Arc::new(t.finish()) as ArrayRef).collect();
        arrays.extend(self.floats.iter_mut().map(|f| Arc::new(f.finish()) as ArrayRef));
        arrays.push(Arc::new(self.rest.finish()));
        self.held = 0;
        let batch = RecordBatch::try_new(Arc::clone(&self.columns.schema), arrays).map_err(io::Error::other)?;
        self.writer.write(&batch).and_then(|()| self.writer.flush()).map_err(other)
    }

    pub(super) fn end(mut self) -> io::Result<Summed> {
        if self.held > 0 {
            self.flush()?;
        }
        self.writer.into_inner().map_err(other)
    }
}

/// The writer's error; that of the disk, if it is one.
fn other(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(inner) => io::Error::other(inner),
        },
        error => io::Error::other(error),
    }
}

/// The members of an object in their order, values as they stand.
fn members(line: &str) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a record")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                members.push((Cow::Owned(key), value));
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(line).deserialize_map(Members)
}

/// The values of an array of numbers, if it is one and each is a float32: the shortest digits of one, or its exact value.
fn exact(raw: &str) -> Option<Vec<f32>> {
    let inside = raw.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut values = Vec::new();
    for text in inside.split(',') {
        let (narrow, wide): (f32, f64) = (text.trim().parse().ok()?, text.trim().parse().ok()?);
        let same = |value: f64| value.to_bits() == wide.to_bits();
        if !narrow.is_finite() || !(same(f64::from(narrow)) || narrow.to_string().parse().is_ok_and(same)) {
            return None;
        }
        values.push(narrow);
    }
    Some(values)
}

/// The records of a part as lines; keys may come in another order than they had.
///
/// # Errors
/// It cannot be read.
pub(super) fn lines(path: &Path, each: &mut dyn FnMut(&str)) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| Error::new(format!("cannot read {}: {e}", path.display()));
    let file = File::open(path).map_err(|e| Error::io("read", path, &e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.with_batch_size(256).build()).map_err(|e| failed(&e))?;
    for batch in reader {
        let batch = batch.map_err(|e| failed(&e))?;
        for row in 0..batch.num_rows() {
            each(&line(&batch, row));
        }
    }
    Ok(())
}

fn line(batch: &RecordBatch, row: usize) -> String {
    let mut out = String::from("{");
    let schema = batch.schema();
    for (field, array) in schema.fields().iter().zip(batch.columns()).filter(|(_, array)| array.is_valid(row)) {
        if out.len() > 1 {
            out.push(',');
        }
        if let Some(list) = array.as_list_opt::<i32>() {
            let values = list.value(row);
            let texts: Vec<String> = values.as_primitive::<Float32Type>().values().iter().map(ToString::to_string).collect();
            let _ = write!(out, "{}:[{}]", serde_json::Value::from(field.name().as_str()), texts.join(","));
        } else if field.name() == REST {
            let text = array.as_string::<i32>().value(row);
            out.push_str(text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or_default());
        } else {
            let _ = write!(out, "{}:{}", serde_json::Value::from(field.name().as_str()), array.as_string::<i32>().value(row));
        }
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_vectors_of_float32_become_floats() {
        assert_eq!(
            exact("[0.1, -0.0,1e-42 ,3]").map(|v| v.iter().map(|f| f.to_bits()).collect::<Vec<_>>()),
            Some(vec![0x3dcc_cccd, 0x8000_0000, 714, 0x4040_0000])
        );
        // The exact value of a float32, in the digits of a float64.
        assert_eq!(exact("[0.10000000149011612]"), Some(vec![0.1]));
        for text in ["[0.10000000000000001234,0.3333333333333333]", "[]", "[1e39]", "[[1]]", "{\"a\":[1]}", "null", "[null]", "[NaN]", "[16777217]"] {
            assert_eq!(exact(text), None, "{text}");
        }
    }
}
