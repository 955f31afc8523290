//! The vector index alone, built anew and committed as a version of its own; and a dataset's twin to try indices on: the same files under
//! another name, which costs no room, because Lance never changes a file that is there.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use lance::index::DatasetIndexExt;

use super::{Built, Opened, Order, VECTOR_INDEX, commit, dimension, vector};
use crate::dataset::Engine;
use crate::dataset::choose::choose;
use crate::dataset::lance_error;
use crate::error::{Error, Result};

/// Builds the vector index alone; the others stay as they are.
///
/// # Errors
/// The disk is full, a parameter cannot work, or the index came out untrained.
pub fn build_vector(engine: &Arc<Engine>, opened: &mut Opened, order: &Order) -> Result<Built> {
    let dimension = dimension(&opened.dataset)?;
    let ahead = choose(order.kind, order.wishes, opened.rows(engine)?, dimension)?;
    let (mut built, new) = vector(engine, opened, order, &ahead, dimension)?;
    if let Some(bad) = new.iter().find(|i| i.fragment_bitmap.as_ref().is_none_or(roaring::RoaringBitmap::is_empty)) {
        return Err(Error::new(format!("the index {} came out untrained: it covers no fragment", bad.name)));
    }
    built.names = new.iter().map(|i| i.name.clone()).collect();
    commit(engine, opened, new, &|_| false)?;
    Ok(built)
}

/// What is known of the vector index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorIndex {
    /// Lance's name of its type.
    pub kind: String,
    /// The metric, in Lance's word.
    pub metric: String,
    /// Partitions of its largest part.
    pub partitions: usize,
    /// Sub-vectors and bits of its codes, where it has some.
    pub codes: Option<(u64, u64)>,
    /// Bytes of its files.
    pub bytes: u64,
}

impl Opened {
    /// The index on the column `vector`; none if there is none.
    ///
    /// # Errors
    /// The dataset or the index cannot be read.
    pub fn vector_index(&self, engine: &Engine) -> Result<Option<VectorIndex>> {
        let failed = |e: lance::Error| lance_error("read the vector index", &e);
        let all = engine.block_on(self.dataset.load_indices()).map_err(failed)?;
        let parts: Vec<_> = all.iter().filter(|i| i.name == VECTOR_INDEX).collect();
        if parts.is_empty() {
            return Ok(None);
        }
        let text = engine.block_on(self.dataset.index_statistics(VECTOR_INDEX)).map_err(failed)?;
        let facts: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let word = |at: &str| facts.pointer(at).and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
        let number = |at: &str| facts.pointer(at).and_then(serde_json::Value::as_u64);
        let partitions = facts.pointer("/indices").and_then(serde_json::Value::as_array).into_iter().flatten();
        let partitions = partitions.filter_map(|i| i.get("num_partitions")?.as_u64()).max().unwrap_or(1);
        Ok(Some(VectorIndex {
            kind: word("/index_type"),
            metric: word("/indices/0/metric_type"),
            partitions: usize::try_from(partitions).unwrap_or(1),
            codes: number("/indices/0/sub_index/num_sub_vectors").zip(number("/indices/0/sub_index/nbits")),
            bytes: parts.iter().flat_map(|p| p.files.iter().flatten()).map(|f| f.size_bytes).sum(),
        }))
    }
}

/// Makes a twin of a dataset in a folder that does not exist, on the same volume if it can be. `skip` is a name at the top that is not taken.
///
/// # Errors
/// The folder cannot be written.
pub fn twin(from: &Path, to: &Path, skip: &str) -> Result<()> {
    fs::create_dir_all(to).map_err(|e| Error::io("create", to, &e))?;
    let failed = |e: std::io::Error| Error::io("list the folder", from, &e);
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == skip {
            continue;
        }
        if path.is_dir() {
            twin(&path, &target, "")?;
        } else if fs::hard_link(&path, &target).is_err() {
            // A file system without links.
            fs::copy(&path, &target).map_err(|e| Error::io("copy", &path, &e))?;
        }
    }
    Ok(())
}
