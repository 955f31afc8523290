//! The header record of a collection: what it was called, how many members it has, when and from what it was migrated.
//!
//! Not the members. A header's own `collection_id` stays null: ContextFrame's tools read it as the parent collection.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_schema::ArrowError;

use super::builder::fixed_list;
use super::identity::Collection;
use super::pairs::PairsBuilder;
use super::schema::schema;
use super::vectors::Layout;

/// The facts of one collection.
#[derive(Debug, Clone)]
pub struct Header {
    /// The collection; its namespace is not shown, because one header serves all of them.
    pub collection: Collection,
    /// Members in the dataset.
    pub count: u64,
    /// Pairs beside the fixed ones: metric, schema, vectors, namespaces, source version.
    pub facts: Vec<(String, String)>,
    /// RFC 3339 time of the migration.
    pub migrated: String,
}

/// One row for each header, in the dataset's schema.
///
/// # Errors
/// A column that does not fit the schema: a defect of this program.
pub fn batch(headers: &[Header], layout: &Layout) -> Result<RecordBatch, ArrowError> {
    let rows = headers.len();
    let schema = schema(layout);
    let texts = |make: &dyn Fn(&Header) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(headers.iter().map(make))) };
    let mut pairs = PairsBuilder::default();
    for header in headers {
        let count = header.count.to_string();
        let source = &header.collection.source;
        pairs.push("source", &format!("{source}_migration"));
        pairs.push("source_type", source);
        pairs.push("collection_name", &header.collection.name);
        pairs.push("item_count", &count);
        pairs.push("collection_member_count", &count);
        pairs.push("migrated_date", &header.migrated);
        for (key, value) in &header.facts {
            pairs.push(key, value);
        }
        pairs.end_row();
    }
    let pairs = pairs.finish();
    let columns = schema.fields().iter().map(|field| -> Result<ArrayRef, ArrowError> {
        Ok(match field.name().as_str() {
            "uuid" => texts(&|h| h.collection.header_uuid().to_string()),
            "title" => texts(&|h| h.collection.header_title()),
            "text_content" => texts(&|h| format!("Migrated collection from {}: {}", h.collection.source, h.collection.name)),
            "vector" => fixed_list(layout.dimension, vec![f32::NAN; rows * layout.dimension], None)?,
            "collection" => texts(&|h| h.collection.name.clone()),
            "created_at" => texts(&|h| h.migrated.chars().take(10).collect()),
            "source_type" => texts(&|h| h.collection.source.clone()),
            "record_type" => texts(&|_| "collection_header".to_owned()),
            "custom_metadata" => Arc::clone(&pairs),
            _ => new_null_array(field.data_type(), rows),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(&schema), columns)
}
