//! The second pass over references: whether the record that each names is in the dataset.
//!
//! Reads the finished dataset, so it holds for a new one as for one that was changed. Memory is bounded: uuids and references are
//! sorted on disk when they do not fit. Writes nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};
use serde::Serialize;

use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::dataset::read::{ADDRESS, Work};
use crate::error::{Error, Result};
use crate::frame::links::Target;
use crate::frame::schema::ORIGINAL_ID;
use crate::sorted::{Fixed, Sorter};

/// References without a target that are listed.
const LISTED: usize = 10;
/// Fields that are counted apart; what comes after them is counted together.
const FIELDS: usize = 1000;
const ROWS: usize = 8192;

/// The references of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Linked {
    /// The field.
    pub field: String,
    /// References in the dataset.
    pub references: u64,
    /// Of those, to records that are not there, of collections that are.
    pub dangling: u64,
    /// And to collections that are not there.
    pub elsewhere: u64,
    /// The first dangling ones: `id 17 → authors 99`.
    pub examples: Vec<String>,
}

/// Looks for the target of every reference.
///
/// # Errors
/// The dataset cannot be read, or the disk is full.
pub fn check(opened: &Opened, engine: &Engine, targets: &[Target], folder: &Path, memory: u64) -> Result<Vec<Linked>> {
    let names: Vec<String> = targets.iter().map(|t| format!("{} ", t.name)).collect();
    let fields: Arc<Mutex<Vec<Linked>>> = Arc::default();
    let seen = Arc::clone(&fields);
    let work: Work<Vec<Entry>> = Arc::new(move |batch| entries(batch, &names, &seen));
    let columns = ["uuid", "relationships"].map(str::to_owned);
    let mut sorter = Sorter::new(folder, memory / 8);
    opened.scan(engine, &columns, ROWS, &work, &mut |all: Vec<Entry>| all.into_iter().try_for_each(|entry| sorter.push(entry)))?;
    let died = || Error::new("a thread that reads the dataset died");
    let mut found = std::mem::take(&mut *fields.lock().map_err(|_| died())?);
    let mut examples: BTreeSet<(u64, u32, u32)> = BTreeSet::new();
    let mut sorted = sorter.finish()?;
    let mut there = None;
    while let Some(entry) = sorted.next_entry()? {
        if entry.at == RECORD {
            there = Some(entry.uuid);
        } else if there != Some(entry.uuid) {
            let field = &mut found[entry.field as usize];
            if entry.known {
                field.dangling += 1;
                examples.insert((entry.address, entry.at, entry.field));
                if examples.len() > LISTED {
                    examples.pop_last();
                }
            } else {
                field.elsewhere += 1;
            }
        }
    }
    for (address, at, field) in examples {
        let row = opened.rows_at(engine, &[address], &[ORIGINAL_ID.to_owned(), "relationships".to_owned()])?;
        let id = row.column_by_name(ORIGINAL_ID).and_then(|c| c.as_string_opt::<i32>()).map(|c| c.value(0).to_owned()).unwrap_or_default();
        let title = relations(&row, 0).and_then(|items| text(&items, TITLE, at as usize)).unwrap_or_default();
        found[field as usize].examples.push(format!("id {id} → {title}"));
    }
    found.sort_by(|a, b| a.field.cmp(&b.field));
    Ok(found)
}

/// Places of a relationship's fields.
const ID: usize = 1;
const TITLE: usize = 5;
const FIELD: usize = 6;

fn relations(batch: &RecordBatch, row: usize) -> Option<arrow_array::StructArray> {
    let lists = batch.column_by_name("relationships")?.as_list_opt::<i32>().filter(|l| l.is_valid(row))?;
    lists.value(row).as_struct_opt().filter(|s| s.num_columns() > FIELD).cloned()
}

fn text(items: &arrow_array::StructArray, field: usize, at: usize) -> Option<String> {
    let texts = items.column(field).as_string_opt::<i32>()?;
    texts.is_valid(at).then(|| texts.value(at).to_owned())
}

/// Every row of a batch, and every reference of it. The link to a header has no field.
fn entries(batch: &RecordBatch, names: &[String], fields: &Mutex<Vec<Linked>>) -> Result<Vec<Entry>> {
    let wrong = || Error::new("the dataset has no column uuid of the right type");
    let uuids = batch.column_by_name("uuid").and_then(|c| c.as_string_opt::<i32>()).ok_or_else(wrong)?;
    let addresses = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(wrong)?;
    let mut out = Vec::with_capacity(batch.num_rows());
    let bytes = |text: &str| uuid::Uuid::parse_str(text).unwrap_or_default().into_bytes();
    for row in 0..batch.num_rows() {
        let address = addresses.value(row);
        out.push(Entry { uuid: bytes(uuids.value(row)), address, at: RECORD, field: 0, known: true });
        let Some(items) = relations(batch, row) else { continue };
        for at in 0..items.len() {
            let (Some(name), Some(id)) = (text(&items, FIELD, at), text(&items, ID, at)) else { continue };
            let title = text(&items, TITLE, at).unwrap_or_default();
            let known = names.iter().any(|name| title.starts_with(name.as_str()));
            let mut fields = fields.lock().map_err(|_| Error::new("a thread that reads the dataset died"))?;
            let field = fields.iter().position(|f| f.field == name).unwrap_or_else(|| {
                if fields.len() < FIELDS {
                    fields.push(Linked { field: name, ..Linked::default() });
                }
                fields.len() - 1
            });
            fields[field].references += 1;
            out.push(Entry { uuid: bytes(&id), address, at: u32::try_from(at).unwrap_or(RECORD - 1), field: u32::try_from(field).unwrap_or(0), known });
        }
    }
    Ok(out)
}

/// `at` of a record's own entry.
const RECORD: u32 = u32::MAX;

/// A record's uuid, or a reference to it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    uuid: [u8; 16],
    address: u64,
    /// The reference's place in its row; [`RECORD`] for the record itself.
    at: u32,
    field: u32,
    /// Whether the collection that it leads to is in the dataset.
    known: bool,
}

impl Fixed for Entry {
    /// A record comes before the references to it.
    type Key = ([u8; 16], bool, u64, u32);
    const BYTES: usize = 16 + 8 + 4 + 4 + 1;

    fn key(&self) -> Self::Key {
        (self.uuid, self.at != RECORD, self.address, self.at)
    }

    fn put(&self, bytes: &mut [u8]) {
        bytes[..16].copy_from_slice(&self.uuid);
        bytes[16..24].copy_from_slice(&self.address.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.at.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.field.to_le_bytes());
        bytes[32] = u8::from(self.known);
    }

    fn get(bytes: &[u8]) -> Self {
        let array = crate::dedupe::array::<4>;
        Self {
            uuid: crate::dedupe::array(bytes),
            address: u64::from_le_bytes(crate::dedupe::array(&bytes[16..])),
            at: u32::from_le_bytes(array(&bytes[24..])),
            field: u32::from_le_bytes(array(&bytes[28..])),
            known: bytes[32] == 1,
        }
    }
}

/// The finding, where a reference leads to a record that is not there: it was refused, or the source did not have it either.
#[must_use]
pub fn finding(links: &[Linked]) -> Option<String> {
    let dangling: u64 = links.iter().map(|l| l.dangling).sum();
    (dangling > 0).then(|| format!("references to records that are not in the dataset: {}", crate::report::count(dangling)))
}
