//! Rows as a reader knows them again: id, title and collection.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use serde::Serialize;

use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::error::Result;
use crate::frame::schema::{NAMESPACE, ORIGINAL_ID};

/// Characters of a title or an id that are kept.
const LONGEST: usize = 120;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The source's id; the uuid where there is none.
    pub id: String,
    /// The title, cut where it is long.
    pub title: String,
    /// The collection.
    pub collection: Option<String>,
}

/// Columns that a row is known by, as far as the dataset has them.
#[must_use]
pub(super) fn columns(opened: &Opened) -> Vec<String> {
    let schema = opened.schema();
    let known = [ORIGINAL_ID, "uuid", "title", "collection", NAMESPACE, "source_type"];
    known.iter().filter(|name| schema.column_with_name(name).is_some()).map(|name| (*name).to_owned()).collect()
}

/// A text of a batch; `None` where it is null or not there.
#[must_use]
pub(super) fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let texts = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    texts.is_valid(row).then(|| cut(texts.value(row)))
}

/// The beginning of a text.
#[must_use]
pub(super) fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// One row of a batch.
#[must_use]
pub(super) fn of(batch: &RecordBatch, row: usize) -> Shown {
    Shown {
        id: text(batch, ORIGINAL_ID, row).or_else(|| text(batch, "uuid", row)).unwrap_or_default(),
        title: text(batch, "title", row).unwrap_or_default(),
        collection: text(batch, "collection", row),
    }
}

/// Rows by their addresses, in this order.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn shown(engine: &Engine, opened: &Opened, addresses: &[u64]) -> Result<Vec<Shown>> {
    let columns = columns(opened);
    if addresses.is_empty() || columns.is_empty() {
        return Ok(vec![]);
    }
    let batch = opened.rows_at(engine, addresses, &columns)?;
    Ok((0..batch.num_rows()).map(|row| of(&batch, row)).collect())
}
