//! The header records of a collection and of its namespaces: what they were called, how many members they have, when and from what
//! they were migrated.
//!
//! Not the members. ContextFrame's tools read a header's own `collection_id` as the parent collection: null for a collection's, the
//! collection's header for a namespace's.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_schema::ArrowError;

use super::builder::fixed_list;
use super::identity::Collection;
use super::pairs::PairsBuilder;
use super::schema::schema;
use super::vectors::Layout;

/// The facts of one collection, or of one namespace of it.
#[derive(Debug, Clone)]
pub struct Header {
    /// The collection; with a namespace, this is that namespace's header.
    pub collection: Collection,
    /// Members in the dataset.
    pub count: u64,
    /// Pairs beside the fixed ones: metric, schema, vectors, namespaces, source version. None for a namespace.
    pub facts: Vec<(String, String)>,
    /// RFC 3339 time of the migration.
    pub migrated: String,
}

impl Collection {
    /// Whether its header is that of a namespace.
    fn is_namespace(&self) -> bool {
        !self.namespace.is_empty()
    }
}

/// The header's text.
#[must_use]
pub fn header_text(collection: &Collection) -> String {
    let name = if collection.is_namespace() { &collection.namespace_name() } else { &collection.name };
    format!("Migrated collection from {}: {name}", collection.source)
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
        if header.collection.is_namespace() {
            pairs.push("namespace", &header.collection.namespace);
        }
        pairs.push("item_count", &count);
        pairs.push("collection_member_count", &count);
        pairs.push("migrated_date", &header.migrated);
        for (key, value) in &header.facts {
            pairs.push(key, value);
        }
        pairs.end_row();
    }
    let pairs = pairs.finish();
    let parents = |make: &dyn Fn(&Header) -> String| -> ArrayRef {
        Arc::new(headers.iter().map(|h| h.collection.is_namespace().then(|| make(h))).collect::<StringArray>())
    };
    let columns = schema.fields().iter().map(|field| -> Result<ArrayRef, ArrowError> {
        Ok(match field.name().as_str() {
            "uuid" => texts(&|h| if h.collection.is_namespace() { h.collection.namespace_uuid() } else { h.collection.header_uuid() }.to_string()),
            "title" => texts(&|h| if h.collection.is_namespace() { h.collection.namespace_title() } else { h.collection.header_title() }),
            "text_content" => texts(&|h| header_text(&h.collection)),
            "vector" => fixed_list(layout.dimension, vec![f32::NAN; rows * layout.dimension], None)?,
            "collection" => texts(&|h| if h.collection.is_namespace() { h.collection.namespace_name() } else { h.collection.name.clone() }),
            "collection_id" => parents(&|h| h.collection.header_uuid().to_string()),
            "collection_id_type" => parents(&|_| "uuid".to_owned()),
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
