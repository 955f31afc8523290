//! What is looked up about rows: which of them have the source's ids, and the ids, titles and vectors of rows that were found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::dataset::read::{ADDRESS, Work};
use crate::error::{Error, Result};

/// Rows of a scan at a time.
const BATCH: usize = 8192;
/// Rows that are read by their addresses at a time.
const TAKE: usize = 4096;

/// Where the source's ids are.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Address of the first row with each id.
    pub(super) at: BTreeMap<String, u64>,
    /// Ids that no row has.
    pub(super) missing: BTreeSet<String>,
    /// The column that has more than half of the missing ones, and how many.
    pub(super) elsewhere: Option<(String, usize)>,
}

/// The column that holds the source's ids: ours, or that of a dataset that another program has written.
///
/// # Errors
/// There is none.
pub(super) fn id_column(opened: &Opened) -> Result<String> {
    let schema = opened.schema();
    let text = |name: &&str| schema.field_with_name(name).is_ok_and(|f| f.data_type() == &DataType::Utf8);
    let found = ["x_original_id", "id", "uuid"].into_iter().find(text);
    found.map(str::to_owned).ok_or_else(|| Error::new("the dataset has none of the columns x_original_id, id and uuid, so rows cannot be named"))
}

/// Looks for ids in one pass over the column; if many are missing, in every other column of strings too.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn find(engine: &Engine, opened: &Opened, column: &str, wanted: BTreeSet<String>) -> Result<Ids> {
    if wanted.is_empty() {
        return Ok(Ids::default());
    }
    let wanted = Arc::new(wanted);
    let at = pass(engine, opened, column, &wanted)?;
    let missing: BTreeSet<String> = wanted.iter().filter(|id| !at.contains_key(*id)).cloned().collect();
    let mut elsewhere = None;
    if missing.len() * 2 > wanted.len() {
        let missing = Arc::new(missing.clone());
        for field in opened.schema().fields() {
            if field.data_type() != &DataType::Utf8 || field.name() == column || field.name() == "x_source_payload" {
                continue;
            }
            let found = pass(engine, opened, field.name(), &missing)?.len();
            if found * 2 > missing.len() && elsewhere.as_ref().is_none_or(|(_, most)| found > *most) {
                elsewhere = Some((field.name().clone(), found));
            }
        }
    }
    Ok(Ids { at, missing, elsewhere })
}

fn pass(engine: &Engine, opened: &Opened, column: &str, wanted: &Arc<BTreeSet<String>>) -> Result<BTreeMap<String, u64>> {
    let (name, wanted) = (column.to_owned(), Arc::clone(wanted));
    let work: Work<Vec<(String, u64)>> = Arc::new(move |batch: &RecordBatch| {
        let texts =
            batch.column_by_name(&name).and_then(|c| c.as_string_opt::<i32>()).ok_or_else(|| Error::new(format!("the column {name} holds no strings")))?;
        let addresses = addresses(batch)?;
        let rows = (0..texts.len()).filter(|row| texts.is_valid(*row) && wanted.contains(texts.value(*row)));
        Ok(rows.map(|row| (texts.value(row).to_owned(), addresses[row])).collect())
    });
    let mut at = BTreeMap::new();
    opened.scan(engine, &[column.to_owned()], BATCH, &work, &mut |found| {
        for (id, address) in found {
            at.entry(id).or_insert(address);
        }
        Ok(())
    })?;
    Ok(at)
}

fn addresses(batch: &RecordBatch) -> Result<&[u64]> {
    let column = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>());
    column.map(|c| c.values().as_ref()).ok_or_else(|| Error::new("the rows came back without their addresses"))
}

/// A column of strings at these rows.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn texts(engine: &Engine, opened: &Opened, column: &str, rows: &BTreeSet<u64>) -> Result<BTreeMap<u64, String>> {
    let mut out = BTreeMap::new();
    let rows: Vec<u64> = rows.iter().copied().collect();
    for part in rows.chunks(TAKE) {
        let batch = opened.rows_at(engine, part, &[column.to_owned()])?;
        let Some(texts) = batch.column_by_name(column).and_then(|c| c.as_string_opt::<i32>()) else { continue };
        out.extend(part.iter().enumerate().filter(|(at, _)| texts.is_valid(*at)).map(|(at, address)| (*address, texts.value(at).to_owned())));
    }
    Ok(out)
}

/// Gives each row's vector to `each`, some rows at a time. Rows without one are left out.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn vectors(engine: &Engine, opened: &Opened, column: &str, rows: &BTreeSet<u64>, each: &mut dyn FnMut(u64, &[f32])) -> Result<()> {
    let rows: Vec<u64> = rows.iter().copied().collect();
    for part in rows.chunks(TAKE) {
        let batch = opened.rows_at(engine, part, &[column.to_owned()])?;
        let wrong = || Error::new(format!("the column {column} is no fixed_size_list of float32"));
        let lists = batch.column_by_name(column).and_then(|c| c.as_fixed_size_list_opt()).ok_or_else(wrong)?;
        for (at, address) in part.iter().enumerate().filter(|(at, _)| lists.is_valid(*at)) {
            let vector = lists.value(at);
            each(*address, vector.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.values());
        }
    }
    Ok(())
}
