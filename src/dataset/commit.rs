//! Makes fragments a dataset: one version with all rows, then the rows that lost against a duplicate are deleted from it.
//!
//! Happens in the staging folder; the output appears by a rename of the whole folder (`pipeline.rs`).

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use lance::Dataset;
use lance::dataset::transaction::{Operation, Transaction};
use lance::dataset::{CommitBuilder, ProjectionRequest};
use roaring::RoaringTreemap;

use super::choose::Metric;
use super::write::{STORAGE, Written};
use super::{Engine, lance_error, uri};
use crate::error::{Error, Result};
use crate::frame::lean;
use crate::reject::printable;

/// An open dataset.
#[derive(Debug, Clone)]
pub struct Opened {
    pub(super) dataset: Dataset,
}

/// Commits fragments, in this order, as the first version of a new dataset.
///
/// # Errors
/// The disk is full, or the fragments do not fit the schema.
pub fn commit(engine: &Engine, path: &Path, schema: &SchemaRef, fragments: Vec<Written>) -> Result<Opened> {
    let failed = |e: lance::Error| lance_error("commit the dataset", &e);
    let schema = lance_core::datatypes::Schema::try_from(schema.as_ref()).map_err(failed)?;
    let fragments = fragments.into_iter().map(|f| f.0).collect();
    let operation = Operation::Overwrite { fragments, schema, config_upsert_values: None, initial_bases: None };
    let uri = uri(path)?;
    let dataset =
        engine.block_on(CommitBuilder::new(uri.as_str()).with_storage_format(STORAGE).execute(Transaction::new(0, operation, None))).map_err(failed)?;
    Ok(Opened { dataset })
}

/// Opens an existing dataset.
///
/// # Errors
/// There is none at this path, or it cannot be read.
pub fn open(engine: &Engine, path: &Path) -> Result<Opened> {
    let shown = printable(&path.display().to_string());
    if !path.exists() {
        return Err(Error::new(format!("{shown}: does not exist")).help("give the path of a folder that `vec2lance convert` has written"));
    }
    if !path.join("_versions").is_dir() {
        return Err(Error::new(format!("{shown}: not a Lance dataset: it has no folder _versions"))
            .help("give the path of a folder that `vec2lance convert` has written"));
    }
    let dataset = engine.block_on(Dataset::open(&uri(path)?)).map_err(|e| lance_error(&format!("open {shown}"), &e))?;
    Ok(Opened { dataset })
}

impl Opened {
    /// Version number.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.dataset.version().version
    }

    /// Rows that are not deleted.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn rows(&self, engine: &Engine) -> Result<u64> {
        engine.block_on(self.dataset.count_rows(None)).map(|n| n as u64).map_err(|e| lance_error("count the rows", &e))
    }

    /// The metric of the vector index, or the one that a header record names.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn metric(&self, engine: &Engine) -> Result<Option<Metric>> {
        Ok(self.header_fact(engine, "metric")?.and_then(|m| Metric::parse(&m)))
    }

    /// Whether it is a lean table instead of a dataset of ContextFrame's.
    #[must_use]
    pub fn is_lean(&self) -> bool {
        self.dataset.config().get(lean::KEY).is_some_and(|name| name == lean::NAME)
    }

    /// The value of a pair that a header record has; a lean table has no headers, so its configuration says it.
    fn header_fact(&self, engine: &Engine, key: &str) -> Result<Option<String>> {
        let failed = |e: lance::Error| lance_error("read the dataset's headers", &e);
        if self.is_lean() {
            return Ok(self.dataset.config().get(&format!("vec2lance.{key}")).cloned());
        }
        let batch = engine.block_on(async {
            let mut scanner = self.dataset.scan();
            // Not through an index: it may be the broken one that is about to be built anew.
            scanner.project(&["custom_metadata"])?.filter("record_type = 'collection_header'")?.use_scalar_index(false);
            scanner.try_into_batch().await
        });
        let batch = batch.map_err(failed)?;
        let Some(lists) = batch.column_by_name("custom_metadata").and_then(|c| c.as_list_opt::<i32>()) else { return Ok(None) };
        for row in 0..lists.len() {
            let items = lists.value(row);
            let pairs = items.as_struct();
            let (keys, values) = (pairs.column(0).as_string::<i32>(), pairs.column(1).as_string::<i32>());
            let found = (0..pairs.len()).find(|i| keys.value(*i) == key).map(|i| values.value(i).to_owned());
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The source's name of the main vector, as the first header tells it; `None` for the unnamed one.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn main_vector(&self, engine: &Engine) -> Result<Option<String>> {
        let text = self.header_fact(engine, "vectors")?;
        let vectors: Vec<serde_json::Value> = text.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
        let main = vectors.iter().find(|v| v.get("column").and_then(serde_json::Value::as_str) == Some("vector"));
        Ok(main.and_then(|v| v.get("name")?.as_str()).filter(|n| *n != "default").map(str::to_owned))
    }

    /// Strings of `column` at these rows (offsets from 0, deleted rows not counted).
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn texts(&self, engine: &Engine, column: &str, rows: &[u64]) -> Result<Vec<Option<String>>> {
        let projection = ProjectionRequest::from_columns([column], self.dataset.schema());
        let batch: RecordBatch = engine.block_on(self.dataset.take(rows, projection)).map_err(|e| lance_error("read rows back", &e))?;
        let texts = batch.column(0).as_string::<i32>();
        Ok((0..texts.len()).map(|i| texts.is_valid(i).then(|| texts.value(i).to_owned())).collect())
    }

    /// Removes files that no longer belong to the newest version: fragments all of whose rows were deleted, older manifests.
    ///
    /// # Errors
    /// The dataset cannot be read or written.
    pub fn clean(&self, engine: &Engine) -> Result<()> {
        let cleaned = engine.block_on(self.dataset.cleanup_old_versions(chrono::TimeDelta::zero(), Some(true), Some(false)));
        cleaned.map(|_| ()).map_err(|e| lance_error("remove files of deleted rows", &e))
    }

    /// Deletes rows by their offset in the whole dataset, as it was committed.
    ///
    /// # Errors
    /// The disk is full, or the dataset cannot be read.
    pub fn delete(&mut self, engine: &Engine, rows: &RoaringTreemap) -> Result<()> {
        let failed = |e: lance::Error| lance_error("delete the rows that have a duplicate", &e);
        let mut updated = Vec::new();
        let mut removed = Vec::new();
        let mut start = 0u64;
        // Fragment by fragment, so that only one fragment's rows are held as numbers.
        for fragment in self.dataset.get_fragments() {
            let end = start + fragment.metadata().physical_rows.unwrap_or(0) as u64;
            let mut inside = rows.iter();
            inside.advance_to(start);
            let inside: Vec<u32> = inside.take_while(|row| *row < end).map(|row| u32::try_from(row - start).unwrap_or(u32::MAX)).collect();
            if !inside.is_empty() {
                let id = fragment.id() as u64;
                match engine.block_on(fragment.extend_deletions(inside)).map_err(failed)? {
                    Some(fragment) => updated.push(fragment.metadata().clone()),
                    None => removed.push(id),
                }
            }
            start = end;
        }
        let operation = Operation::Delete { updated_fragments: updated, deleted_fragment_ids: removed, predicate: "duplicate ids".to_owned() };
        let transaction = Transaction::new(self.version(), operation, None);
        self.dataset = engine.block_on(CommitBuilder::new(Arc::new(self.dataset.clone())).execute(transaction)).map_err(failed)?;
        Ok(())
    }
}
