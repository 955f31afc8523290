//! The Arrow schema of the dataset: ContextFrame's 27 columns in its own order, then ours.
//!
//! The types are those that ContextFrame 0.1.1 appends and reads without complaint; one column missing or of another type
//! and its `add` fails. Extra columns must start with `x_`.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};

use super::vectors::{Layout, dimension_i32};

/// The source's id as text.
pub const ORIGINAL_ID: &str = "x_original_id";
/// The source's payload as JSON text.
pub const SOURCE_PAYLOAD: &str = "x_source_payload";
/// Top-level fields of the source record that are neither id, vector nor payload, as one JSON object.
pub const SOURCE_FIELDS: &str = "x_source_fields";

/// The namespace, tenant or partition; null where there is none, and in headers.
pub const NAMESPACE: &str = "x_namespace";

/// The key of a vector column's field metadata that holds the source's name of the vector.
pub const VECTOR_NAME: &str = "vec2lance:name";

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn texts(name: &str) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))), true)
}

/// Children of one relationship.
#[must_use]
pub fn relationship_fields() -> Fields {
    let mut fields = vec![Field::new("type", DataType::Utf8, false)];
    fields.extend(["id", "uri", "path", "cid", "title", "description"].map(text));
    fields.into()
}

/// Children of one custom-metadata pair.
#[must_use]
pub fn pair_fields() -> Fields {
    vec![text("key"), text("value")].into()
}

/// A list of structs, items nullable and named `item`.
#[must_use]
pub fn list_of(children: Fields) -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(children), true)))
}

/// The whole schema for this layout of vectors. Later vectors come last, so that the columns before them keep their place.
#[must_use]
pub fn schema(layout: &Layout) -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let blob = [("lance-encoding:blob".to_owned(), "true".to_owned())].into();
    let mut fields = vec![
        Field::new("uuid", DataType::Utf8, false),
        text("text_content"),
        Field::new("vector", DataType::FixedSizeList(item, dimension_i32(layout.dimension)), true),
        Field::new("title", DataType::Utf8, false),
        text("version"),
        text("context"),
        text("uri"),
        text("local_path"),
        text("cid"),
        text("collection"),
        text("collection_id"),
        text("collection_id_type"),
        Field::new("position", DataType::Int32, true),
        text("author"),
        texts("contributors"),
        text("created_at"),
        text("updated_at"),
        texts("tags"),
        text("status"),
        text("source_file"),
        text("source_type"),
        text("source_url"),
        Field::new("relationships", list_of(relationship_fields()), true),
        Field::new("custom_metadata", list_of(pair_fields()), true),
        text("record_type"),
        text("raw_data_type"),
        Field::new("raw_data", DataType::LargeBinary, true).with_metadata(blob),
        text(ORIGINAL_ID),
        text(SOURCE_PAYLOAD),
        text(SOURCE_FIELDS),
        text(NAMESPACE),
    ];
    fields.extend(super::dates::fields());
    fields.extend(layout.promoted.iter().map(super::promote::PromotedColumn::arrow));
    fields.extend(layout.others.iter().map(super::vectors::VectorColumn::field));
    Arc::new(Schema::new(fields))
}

/// The columns that a field of a payload may be mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The text that is searched.
    TextContent,
    /// The title.
    Title,
    /// `MAJOR.MINOR.PATCH`.
    Version,
    /// Free text.
    Context,
    /// A URI.
    Uri,
    /// Free text.
    Author,
    /// A list of strings.
    Contributors,
    /// `YYYY-MM-DD`.
    CreatedAt,
    /// `YYYY-MM-DD`.
    UpdatedAt,
    /// A list of strings.
    Tags,
    /// Free text.
    Status,
    /// Free text.
    SourceFile,
    /// Free text.
    SourceUrl,
    /// An integer from 0 to 2^31 − 1.
    Position,
}

impl Column {
    /// Every column that can be a target, with its name.
    pub const ALL: [(&'static str, Self); 14] = [
        ("text_content", Self::TextContent),
        ("title", Self::Title),
        ("version", Self::Version),
        ("context", Self::Context),
        ("uri", Self::Uri),
        ("author", Self::Author),
        ("contributors", Self::Contributors),
        ("created_at", Self::CreatedAt),
        ("updated_at", Self::UpdatedAt),
        ("tags", Self::Tags),
        ("status", Self::Status),
        ("source_file", Self::SourceFile),
        ("source_url", Self::SourceUrl),
        ("position", Self::Position),
    ];

    /// The column of this name, if a field may be mapped to it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, column)| *column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_27_columns_are_contextframes() {
        let schema = schema(&Layout { main: None, dimension: 3, ..Layout::default() });
        assert_eq!(schema.field(26).name(), "raw_data");
        assert!(schema.fields().iter().skip(27).all(|f| f.name().starts_with("x_")));
        for (name, _) in Column::ALL {
            assert!(schema.index_of(name).unwrap() < 27, "{name}");
        }
    }
}
