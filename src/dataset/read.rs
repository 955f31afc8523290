//! Reads a dataset back: scans, rows by address, what is known of its indices. Writes nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use futures::StreamExt;
use lance::dataset::ProjectionRequest;
use lance::index::DatasetIndexExt;

use super::commit::Opened;
use super::{Engine, lance_error};
use crate::error::{Error, Result};

/// What is done with each batch of a scan, on any thread.
pub type Work<T> = Arc<dyn Fn(&RecordBatch) -> Result<T> + Send + Sync>;

/// The column of a scan that holds each row's address: the fragment's id in the upper 32 bits, the offset in it below.
pub const ADDRESS: &str = "_rowid";

/// One index, all its parts together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct IndexFacts {
    /// Its name.
    pub name: String,
    /// Lance's word for its type.
    #[serde(rename = "type")]
    pub index_type: String,
    /// The metric of a vector index.
    pub metric: Option<String>,
    /// Rows that it covers.
    pub indexed: u64,
    /// Rows that it does not cover.
    pub unindexed: u64,
    /// Why it cannot be used: untrained, or its files are gone or damaged.
    pub broken: Option<String>,
}

/// When and by what a version was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// RFC 3339, UTC.
    pub at: String,
    /// Library and version, as the writer says.
    pub by: Option<String>,
}

impl Opened {
    /// The columns.
    #[must_use]
    pub fn schema(&self) -> Schema {
        Schema::from(self.dataset.schema())
    }

    /// The storage version of its files: `2.1`.
    #[must_use]
    pub fn storage(&self) -> String {
        self.dataset.manifest().data_storage_format.version.to_string()
    }

    /// When the version was written (RFC 3339, UTC), and what wrote it.
    #[must_use]
    pub fn written(&self) -> Stamp {
        let at = self.dataset.version().timestamp.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Stamp { at, by: self.dataset.manifest().writer_version.as_ref().map(|w| format!("{} {}", w.library, w.version)) }
    }

    /// Versions that have a name.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn tags(&self, engine: &Engine) -> Result<BTreeMap<String, u64>> {
        let tags = engine.block_on(self.dataset.tags().list()).map_err(|e| lance_error("list the tags", &e))?;
        Ok(tags.into_iter().map(|(name, tag)| (name, tag.version)).collect())
    }

    /// Key and value pairs that travel with the dataset.
    #[must_use]
    pub fn config(&self) -> &HashMap<String, String> {
        self.dataset.config()
    }

    /// Reads these columns and [`ADDRESS`] of every row in order, a bounded number of batches at a time.
    ///
    /// # Errors
    /// The dataset cannot be read, or `work` or `each` fails.
    pub fn scan<T: Send + 'static>(
        &self,
        engine: &Engine,
        columns: &[String],
        rows: usize,
        work: &Work<T>,
        each: &mut dyn FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let failed = |e: lance::Error| lance_error("read the dataset", &e);
        let mut scanner = self.dataset.scan();
        scanner.project(columns).map_err(failed)?;
        scanner.with_row_id().batch_size(rows).batch_readahead(2).fragment_readahead(1).io_buffer_size(super::sample::IO_BUFFER);
        let stream = engine.block_on(scanner.try_into_stream()).map_err(failed)?;
        let mut stream = stream
            .map(|batch| {
                let work = Arc::clone(work);
                engine.spawn(async move { work(&batch.map_err(|e| lance_error("read the dataset", &e))?) })
            })
            .buffered(rayon::current_num_threads().max(2));
        while let Some(made) = engine.block_on(stream.next()) {
            each(made.map_err(|e| Error::new(format!("reading the dataset died: {e}")))??)?;
        }
        Ok(())
    }

    /// Rows with these addresses, in this order.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn rows_at(&self, engine: &Engine, addresses: &[u64], columns: &[String]) -> Result<RecordBatch> {
        let projection = ProjectionRequest::from_columns(columns, self.dataset.schema());
        engine.block_on(self.dataset.take_rows(addresses, projection)).map_err(|e| lance_error("read rows back", &e))
    }

    /// Rows that a SQL filter selects, with their addresses; by a scalar index if there is one and `by_index`.
    ///
    /// # Errors
    /// The dataset cannot be read, or the filter is wrong.
    pub fn rows_where(&self, engine: &Engine, filter: &str, columns: &[String], by_index: bool) -> Result<RecordBatch> {
        let batch = engine.block_on(async {
            let mut scanner = self.dataset.scan();
            scanner.project(columns)?.filter(filter)?;
            // A proof must not rest on an index, but for looking up what a sample asks for.
            scanner.with_row_id().use_scalar_index(by_index);
            scanner.try_into_batch().await
        });
        batch.map_err(|e| lance_error("search the dataset", &e))
    }

    /// Every index, sorted by name, opened and asked for its statistics.
    ///
    /// # Errors
    /// The list of indices cannot be read.
    pub fn indices(&self, engine: &Engine) -> Result<Vec<IndexFacts>> {
        let all = engine.block_on(self.dataset.load_indices()).map_err(|e| lance_error("list the indices", &e))?;
        let mut names: Vec<&str> = all.iter().map(|i| i.name.as_str()).filter(|n| !n.starts_with("__")).collect();
        names.sort_unstable();
        names.dedup();
        let fragments: Vec<u32> = self.dataset.get_fragments().iter().map(|f| u32::try_from(f.id()).unwrap_or(u32::MAX)).collect();
        names.into_iter().map(|name| Ok(self.index(engine, name, &fragments, all.iter().filter(|i| i.name == name)))).collect()
    }

    fn index<'a>(&self, engine: &Engine, name: &str, fragments: &[u32], parts: impl Iterator<Item = &'a lance_table::format::IndexMetadata>) -> IndexFacts {
        let mut facts = IndexFacts { name: name.to_owned(), index_type: String::new(), metric: None, indexed: 0, unindexed: 0, broken: None };
        let mut covered = roaring::RoaringBitmap::new();
        for part in parts {
            covered |= part.fragment_bitmap.clone().unwrap_or_default();
            facts.broken = facts.broken.or_else(|| self.lost_file(part));
        }
        let bare = fragments.iter().filter(|id| !covered.contains(**id)).count();
        match engine.block_on(self.dataset.index_statistics(name)) {
            Err(error) => facts.broken = facts.broken.or_else(|| Some(lance_error("open it", &error).to_string())),
            Ok(text) => {
                let statistics: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                let number = |key: &str| statistics.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
                statistics.get("index_type").and_then(serde_json::Value::as_str).unwrap_or("?").clone_into(&mut facts.index_type);
                let metric = statistics.pointer("/indices/0/metric_type").and_then(serde_json::Value::as_str);
                facts.metric = metric.map(str::to_owned);
                (facts.indexed, facts.unindexed) = (number("num_indexed_rows"), number("num_unindexed_rows"));
            }
        }
        if facts.broken.is_none() && bare > 0 {
            let why = if bare == fragments.len() {
                "it covers no row: untrained".to_owned()
            } else {
                format!("it does not cover {bare} of {} fragments", fragments.len())
            };
            facts.broken = Some(why);
        }
        facts
    }

    /// A file of an index that is not there, or not as long as when it was written: Lance opens some of them only when a search needs
    /// them.
    fn lost_file(&self, part: &lance_table::format::IndexMetadata) -> Option<String> {
        let folder = Path::new(self.dataset.uri()).join("_indices").join(part.uuid.to_string());
        part.files.iter().flatten().find_map(|file| match std::fs::metadata(folder.join(&file.path)) {
            Err(_) => Some(format!("its file {} is missing", file.path)),
            Ok(meta) if meta.len() != file.size_bytes => Some(format!("its file {} has {} bytes, expected {}", file.path, meta.len(), file.size_bytes)),
            Ok(_) => None,
        })
    }

    /// Rows with raw bytes, which this program never writes.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn raw_rows(&self, engine: &Engine) -> Result<u64> {
        let filter = Some("raw_data IS NOT NULL".to_owned());
        engine.block_on(self.dataset.count_rows(filter)).map(|n| n as u64).map_err(|e| lance_error("read the dataset", &e))
    }

    /// Rows that have a value in this column.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn filled(&self, engine: &Engine, column: &str) -> Result<u64> {
        let filter = Some(format!("`{column}` IS NOT NULL"));
        engine.block_on(self.dataset.count_rows(filter)).map(|n| n as u64).map_err(|e| lance_error("count the values of a column", &e))
    }

    /// Lance's own check of files and manifest against each other.
    ///
    /// # Errors
    /// What it found.
    pub fn validate(&self, engine: &Engine) -> Result<()> {
        engine.block_on(self.dataset.validate()).map_err(|e| lance_error("validate the dataset", &e))
    }
}
