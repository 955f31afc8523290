//! Which scalar index each promoted column gets, by how many different values it has. Builds nothing.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use lance_index::scalar::BuiltinIndexType;

use super::Engine;
use super::commit::Opened;
use crate::error::Result;
use crate::frame::promote::PromotedColumn;

/// A column has few different values up to so many, ...
const FEW: usize = 256;
/// ... if each stands in at least so many rows, on average.
const ROWS_OF_EACH: u64 = 4;

/// Every promoted column with the index that serves it: LABEL_LIST for lists, BITMAP where few values come again and again, else BTREE.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn promoted(engine: &Engine, opened: &Opened) -> Result<Vec<(String, BuiltinIndexType)>> {
    let columns: Vec<PromotedColumn> = opened.schema().fields().iter().filter_map(|f| PromotedColumn::of(f)).collect();
    let plain: Vec<String> = columns.iter().filter(|c| !c.kind.list).map(|c| c.column.clone()).collect();
    let few = if plain.is_empty() { vec![] } else { few(engine, opened, &plain)? };
    let kind = |c: &PromotedColumn| match plain.iter().position(|name| *name == c.column) {
        None => BuiltinIndexType::LabelList,
        Some(at) if few.get(at) == Some(&true) => BuiltinIndexType::Bitmap,
        Some(_) => BuiltinIndexType::BTree,
    };
    Ok(columns.iter().map(|c| (c.column.clone(), kind(c))).collect())
}

/// Whether each column has few different values.
fn few(engine: &Engine, opened: &Opened, columns: &[String]) -> Result<Vec<bool>> {
    let names: Arc<Vec<String>> = Arc::new(columns.to_vec());
    let work: super::read::Work<Vec<(BTreeSet<u64>, u64)>> = Arc::new(move |batch| {
        let of = |name: &String| batch.column_by_name(name).map(different).unwrap_or_default();
        Ok(names.iter().map(of).collect())
    });
    let mut met: Vec<(BTreeSet<u64>, u64)> = vec![(BTreeSet::new(), 0); columns.len()];
    opened.scan(engine, columns, 4096, &work, &mut |batch| {
        for ((values, rows), (more, count)) in met.iter_mut().zip(batch) {
            *rows += count;
            if values.len() <= FEW {
                values.extend(more);
            }
        }
        Ok(())
    })?;
    Ok(met.into_iter().map(|(values, rows)| values.len() <= FEW && values.len() as u64 * ROWS_OF_EACH <= rows).collect())
}

/// Hashes of the different values of one batch, a few more than [`FEW`] at most, and its rows that are not null.
fn different(column: &ArrayRef) -> (BTreeSet<u64>, u64) {
    let mut values = BTreeSet::new();
    for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
        let mut hash = DefaultHasher::new();
        match column.data_type() {
            DataType::Int64 => column.as_primitive::<Int64Type>().value(row).hash(&mut hash),
            DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).hash(&mut hash),
            DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_bits().hash(&mut hash),
            DataType::Boolean => column.as_boolean().value(row).hash(&mut hash),
            DataType::Utf8 => column.as_string::<i32>().value(row).hash(&mut hash),
            DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(row).hash(&mut hash),
            _ => {}
        }
        values.insert(hash.finish());
        if values.len() > FEW {
            break;
        }
    }
    (values, (column.len() - column.null_count()) as u64)
}
