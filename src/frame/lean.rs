//! The lean table of `--schema lancedb`: `id`, `vector`, `text`, a typed column for each field of the metadata, and what has no column of
//! its own as JSON in `metadata`. No headers, no relationships, no column of ContextFrame's.
//!
//! Made of the batches that [`super::builder`] makes; nothing is decoded here.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeListArray, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use super::mapping::Mapping;
use super::pairs::string_value;
use super::promote::Scalar;
use super::schema::{NAMESPACE, ORIGINAL_ID, SOURCE_FIELDS, SOURCE_PAYLOAD};
use super::vectors::{Layout, VectorKind, dimension_i32};
use crate::formats::json::{Cursor, JsonError, Kind, push_string};

/// The value of the dataset's configuration under [`KEY`].
pub const NAME: &str = "lancedb";
/// The key in a dataset's configuration that says that it is such a table.
pub const KEY: &str = "vec2lance.table";
/// The id's column.
pub const ID: &str = "id";
/// The text's column.
pub const TEXT: &str = "text";
/// The column of what has none of its own.
pub const METADATA: &str = "metadata";
/// The key under which [`METADATA`] holds fields of the record that are not in its payload.
pub const RECORD_FIELDS: &str = "_fields";

/// Which columns a table has beside those of its fields. They are fixed before the first record is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lean {
    /// Records come from several collections: a column `collection`.
    pub collection: bool,
    /// Records may have a namespace: a column `namespace`.
    pub namespace: bool,
}

impl Lean {
    fn fixed(self) -> Vec<&'static str> {
        let mut names = vec![ID, "vector", TEXT];
        names.extend(self.collection.then_some("collection"));
        names.extend(self.namespace.then_some("namespace"));
        names
    }

    /// The same vectors and fields under the names of this table's columns: a field's own name, `vector_<name>` and `sparse_<name>`; a
    /// number is added where two would have one name.
    #[must_use]
    pub fn renamed(self, layout: &Layout) -> Layout {
        let mut taken: Vec<String> = self.fixed().into_iter().chain([METADATA]).map(str::to_owned).collect();
        let mut free = |name: &str| {
            let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
            // A name that begins with `_` is one of Lance's own.
            let plain = if plain.starts_with('_') || plain.is_empty() { format!("x{plain}") } else { plain };
            let numbered = |n: usize| if n == 1 { plain.clone() } else { format!("{plain}_{n}") };
            let name = (1..=taken.len() + 1).map(numbered).find(|n| !taken.iter().any(|t| t.eq_ignore_ascii_case(n))).unwrap_or_default();
            taken.push(name.clone());
            name
        };
        let mut renamed = layout.clone();
        for column in &mut renamed.promoted {
            column.column = free(&column.field);
        }
        for vector in &mut renamed.others {
            let prefix = if vector.kind == VectorKind::Sparse { "sparse" } else { "vector" };
            vector.column = free(&format!("{prefix}_{}", vector.name));
        }
        renamed
    }

    /// The table's schema. Vectors that are met later come last.
    #[must_use]
    pub fn schema(self, layout: &Layout) -> SchemaRef {
        let renamed = self.renamed(layout);
        let item = Arc::new(Field::new("item", DataType::Float32, true));
        let field = |name: &str| match name {
            ID => Field::new(ID, DataType::Utf8, false),
            "vector" => Field::new("vector", DataType::FixedSizeList(Arc::clone(&item), dimension_i32(layout.dimension)), true),
            other => Field::new(other, DataType::Utf8, true),
        };
        let mut fields: Vec<Field> = self.fixed().into_iter().map(field).collect();
        fields.extend(renamed.promoted.iter().map(super::promote::PromotedColumn::arrow));
        fields.push(Field::new(METADATA, DataType::Utf8, true));
        fields.extend(renamed.others.iter().map(super::vectors::VectorColumn::field));
        Arc::new(Schema::new(fields))
    }

    /// The rows of a batch of [`super::schema::schema`].
    ///
    /// # Errors
    /// The batch is of another schema: a defect of this program.
    pub fn project(self, batch: &RecordBatch, layout: &Layout, mapping: &Mapping) -> Result<RecordBatch, ArrowError> {
        let column = |name: &str| batch.column_by_name(name).cloned().ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")));
        let texts = column("text_content")?;
        let texts = texts.as_string::<i32>();
        let mut columns: Vec<ArrayRef> = vec![
            column(ORIGINAL_ID)?,
            without_placeholders(column("vector")?.as_fixed_size_list())?,
            Arc::new(texts.iter().map(|text| text.filter(|t| !t.is_empty())).collect::<StringArray>()),
        ];
        if self.collection {
            columns.push(column("collection")?);
        }
        if self.namespace {
            columns.push(column(NAMESPACE)?);
        }
        let promoted = layout.promoted.iter().map(|c| column(&c.column)).collect::<Result<Vec<_>, _>>()?;
        let (payloads, fields) = (column(SOURCE_PAYLOAD)?, column(SOURCE_FIELDS)?);
        let (payloads, fields) = (payloads.as_string::<i32>(), fields.as_string::<i32>());
        let mut metadata: Vec<Option<String>> = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let text = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
            let held = |key: &str, kind: Kind| {
                // A moment's text form is not in its column.
                let own = |(at, c): &(usize, &super::promote::PromotedColumn)| {
                    c.field == key && kind != Kind::Null && c.kind.scalar != Scalar::Timestamp && promoted[*at].is_valid(row)
                };
                layout.promoted.iter().enumerate().any(|pair| own(&pair))
            };
            metadata.push(rest(text(payloads).as_deref(), text(fields).as_deref(), &held, mapping, texts.value(row)));
        }
        columns.extend(promoted);
        columns.push(Arc::new(StringArray::from(metadata)));
        for other in &layout.others {
            columns.push(column(&other.column)?);
        }
        RecordBatch::try_new(self.schema(layout), columns)
    }
}

/// The vectors, null where the placeholder is. A vector of a record is finite, so its first value tells.
fn without_placeholders(vectors: &FixedSizeListArray) -> Result<ArrayRef, ArrowError> {
    let values = vectors.values().as_primitive::<arrow_array::types::Float32Type>().values();
    let dimension = usize::try_from(vectors.value_length()).unwrap_or(1).max(1);
    let there: NullBuffer = values.chunks_exact(dimension).map(|vector| !vector[0].is_nan()).collect();
    let DataType::FixedSizeList(item, size) = vectors.data_type() else { return Err(ArrowError::SchemaError("vector is no fixed_size_list".to_owned())) };
    Ok(Arc::new(FixedSizeListArray::try_new(Arc::clone(item), *size, Arc::clone(vectors.values()), Some(there))?))
}

/// What no column holds, as one JSON object; `None` where nothing is left.
fn rest(payload: Option<&str>, fields: Option<&str>, held: &dyn Fn(&str, Kind) -> bool, mapping: &Mapping, text: &str) -> Option<String> {
    let mut out = String::new();
    let mut keys = 0;
    if let Some(payload) = payload {
        let mut members: Vec<(std::borrow::Cow<'_, str>, Kind, &str)> = Vec::new();
        // The decoder has read it: it is an object.
        let _ = Cursor::new(payload).object(|key, cursor| -> Result<(), JsonError> {
            let value = cursor.value()?;
            members.push((key.value(), value.kind, value.raw));
            Ok(())
        });
        keys = members.len();
        let is_text = |name: &&String| members.iter().any(|(key, kind, raw)| key == name.as_str() && *kind == Kind::String && string_value(raw) == text);
        let source = mapping.text_order().iter().find(is_text).filter(|_| !text.is_empty());
        for (key, kind, raw) in members.iter().filter(|(key, kind, _)| !held(key, *kind) && source.is_none_or(|name| name.as_str() != key.as_ref())) {
            push(&mut out, key, raw);
            debug_assert!(*kind != Kind::Null || *raw == "null");
        }
    }
    if let Some(fields) = fields {
        push(&mut out, RECORD_FIELDS, fields);
    }
    (!out.is_empty() || keys == 0 && payload.is_some_and(|p| p != "null")).then(|| format!("{{{out}}}"))
}

fn push(out: &mut String, key: &str, raw: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    push_string(out, key);
    out.push(':');
    out.push_str(raw);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::element::Element;
    use crate::frame::promote::PromotedType;

    #[test]
    fn names_are_the_fields_own_and_never_meet() {
        let mut layout = Layout { dimension: 2, ..Layout::default() };
        for field in ["n", "id", "N", "a.b", "_rowid"] {
            layout.promote(field, PromotedType { list: false, scalar: Scalar::Int64 });
        }
        layout.add("n", VectorKind::Dense(2, Element::Float32));
        layout.add("n", VectorKind::Sparse);
        let schema = Lean { collection: true, namespace: false }.schema(&layout);
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["id", "vector", "text", "collection", "n", "id_2", "N_2", "a_b", "x_rowid", "metadata", "vector_n", "sparse_n"]);
    }

    #[test]
    fn what_no_column_holds_stays() {
        let mut mapping = Mapping::default();
        mapping.set_text_order(vec!["body".to_owned()]);
        let held = |key: &str, kind: Kind| key == "n" && kind == Kind::Number;
        let of = |payload, fields, text| rest(payload, fields, &held, &mapping, text);
        assert_eq!(of(Some(r#"{"n":1,"body":"a\u0062","x":{"y":[1.0]},"z":null}"#), None, "ab").as_deref(), Some(r#"{"x":{"y":[1.0]},"z":null}"#));
        assert_eq!(of(Some(r#"{"n":null,"body":"c"}"#), Some(r#"{"v":2}"#), "ab").as_deref(), Some(r#"{"n":null,"body":"c","_fields":{"v":2}}"#));
        assert_eq!(of(Some(r#"{"n":1}"#), None, ""), None);
        assert_eq!((of(Some("{}"), None, "").as_deref(), of(None, None, "")), (Some("{}"), None));
    }
}
