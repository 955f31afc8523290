//! Ids that stand in more than one collection or namespace of a dataset: they stay apart, and are counted.
//!
//! Reads the dataset that was just written, four short columns of it, and sorts fingerprints on disk where memory does not hold them.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use sha2::{Digest, Sha256};

use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::dataset::read::Work;
use crate::dedupe::array;
use crate::error::{Error, Result};
use crate::frame::schema::{NAMESPACE, ORIGINAL_ID};
use crate::sorted::{Fixed, Sorter};

/// Rows of a batch that is read back.
const ROWS: usize = 8192;

/// An id and where it stands, as the first halves of their SHA-256.
#[derive(Debug, Clone, Copy)]
struct Stand {
    id: [u8; 16],
    place: [u8; 16],
}

impl Fixed for Stand {
    type Key = ([u8; 16], [u8; 16]);
    const BYTES: usize = 32;

    fn key(&self) -> Self::Key {
        (self.id, self.place)
    }

    fn put(&self, bytes: &mut [u8]) {
        bytes[..16].copy_from_slice(&self.id);
        bytes[16..].copy_from_slice(&self.place);
    }

    fn get(bytes: &[u8]) -> Self {
        Self { id: array(bytes), place: array(&bytes[16..]) }
    }
}

/// Counts them.
///
/// # Errors
/// The dataset cannot be read, or the disk is full.
pub(super) fn meeting(engine: &Engine, opened: &Opened, scratch: &std::path::Path, memory: u64) -> Result<u64> {
    let mut sorter = Sorter::new(scratch, memory / 8);
    let columns = [ORIGINAL_ID, "source_type", "collection", NAMESPACE].map(str::to_owned);
    let work: Work<Vec<Stand>> = Arc::new(stands);
    opened.scan(engine, &columns, ROWS, &work, &mut |all| all.into_iter().try_for_each(|one| sorter.push(one)))?;
    let mut sorted = sorter.finish()?;
    let (mut met, mut last, mut counted) = (0, None::<Stand>, false);
    while let Some(one) = sorted.next_entry()? {
        match last {
            Some(before) if before.id == one.id => {
                if before.place != one.place && !counted {
                    met += 1;
                    counted = true;
                }
            }
            _ => counted = false,
        }
        last = Some(one);
    }
    Ok(met)
}

/// The members of a batch; headers have no id.
fn stands(batch: &RecordBatch) -> Result<Vec<Stand>> {
    let texts = |name: &str| {
        let column = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        column.ok_or_else(|| Error::new(format!("the dataset has no column {name} of strings")))
    };
    let ids = texts(ORIGINAL_ID)?;
    let places = [texts("source_type")?, texts("collection")?, texts(NAMESPACE)?];
    let of = |row: usize| {
        let mut place = Sha256::new();
        for column in places {
            let text = if column.is_valid(row) { column.value(row) } else { "" };
            place.update((text.len() as u64).to_le_bytes());
            place.update(text);
        }
        Stand { id: array(&Sha256::digest(ids.value(row))), place: array(&place.finalize()) }
    };
    Ok((0..batch.num_rows()).filter(|row| ids.is_valid(*row)).map(of).collect())
}
