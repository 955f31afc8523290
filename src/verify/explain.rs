//! What exactly differs: reads the records in question again, takes their rows from the dataset, and holds field against field.
//!
//! Runs only when fingerprints differ. With a bound on the cosine it looks at every row that differs, else at those that are
//! listed.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema;
use serde::Serialize;

use super::join::Row;
use super::print::{Columns, label, same_cell, shown};
use super::{Run, Verified};
use crate::dataset::commit::Opened;
use crate::error::{Error, Result};
use crate::formats::Decoded;
use crate::frame::schema::ORIGINAL_ID;
use crate::pipeline::read::{Event, Shared, read};
use crate::plan::Position;
use crate::reject::{Place, place_text};

/// Characters shown of a value.
const SHOWN: usize = 100;

/// A row to look at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// Both sides have it.
    Different(Row, Row),
    /// Only the dump.
    Missing(Row),
    /// Only the dataset.
    Unexpected(Row),
    /// The dataset, once more.
    Doubled(Row),
}

/// One difference.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// `different`, `missing`, `unexpected` or `doubled`.
    pub kind: &'static str,
    /// The source's id.
    pub id: Option<String>,
    /// The row's uuid.
    pub uuid: String,
    /// Where the record stands: `points.jsonl:17 (byte 4711)`.
    pub place: Option<String>,
    /// What differs.
    pub fields: Vec<FieldDifference>,
}

/// One field that differs.
#[derive(Debug, Clone, Serialize)]
pub struct FieldDifference {
    /// The column.
    pub field: String,
    /// The dump's value.
    pub dump: String,
    /// The dataset's value.
    pub dataset: String,
}

impl Run<'_> {
    /// Fills in `found.differences`, and takes back what the cosine allows.
    pub(super) fn explain(&self, wanted: Vec<Wanted>, found: &mut Verified) -> Result<()> {
        let mut of_dump: BTreeMap<u64, (Row, Option<Row>)> = BTreeMap::new();
        for item in wanted {
            match item {
                Wanted::Different(a, b) => drop(of_dump.insert(a.row, (a, Some(b)))),
                Wanted::Missing(a) => drop(of_dump.insert(a.row, (a, None))),
                Wanted::Unexpected(b) => found.differences.push(self.only_there("unexpected", &b)?),
                Wanted::Doubled(b) => found.differences.push(self.only_there("doubled", &b)?),
            }
        }
        let Some(last) = of_dump.keys().next_back().copied() else { return Ok(()) };
        let mut found_here = Vec::new();
        let layout: Shared = Arc::new(RwLock::new(Arc::new(self.plan.layout.clone())));
        let work: crate::pipeline::feed::Work<Option<RecordBatch>> = Arc::new(|decoded: &mut Decoded| Ok(decoded.batch.take()));
        let mut next = 0u64;
        read(self.plan, &layout, Position::default(), self.stop, &work, &mut |event| {
            let Event::Part(part) = event else { return Ok(true) };
            let first = next;
            next += part.decoded.origins.len() as u64;
            let Some(batch) = part.made else { return Ok(true) };
            for (number, (a, b)) in of_dump.range(first..next) {
                let at = usize::try_from(number - first).unwrap_or(0);
                self.one(&batch, at, a, b.as_ref(), found, &mut found_here)?;
            }
            Ok(next <= last)
        })?;
        found_here.append(&mut found.differences);
        found_here.truncate(self.asked.list);
        found.differences = found_here;
        Ok(())
    }

    fn one(&self, batch: &RecordBatch, at: usize, a: &Row, b: Option<&Row>, found: &mut Verified, out: &mut Vec<Difference>) -> Result<()> {
        let id = text(batch, ORIGINAL_ID, at);
        let place = Some(self.place(&a.place));
        let uuid = uuid::Uuid::from_bytes(a.uuid).to_string();
        let Some(b) = b else {
            out.push(Difference { kind: "missing", id, uuid, place, fields: vec![] });
            return Ok(());
        };
        let there = self.opened.rows_at(self.engine, &[b.row], &Columns::names(&self.opened.schema()))?;
        let fields = fields(batch, at, &there, self.asked.cosine)?;
        if fields.is_empty() && self.asked.cosine.is_some() {
            found.different -= 1;
            found.near += 1;
            found.verified += 1;
            found.groups.get_mut(a.group).different -= 1;
        } else if out.len() < self.asked.list {
            out.push(Difference { kind: "different", id, uuid, place, fields });
        }
        Ok(())
    }

    fn only_there(&self, kind: &'static str, row: &Row) -> Result<Difference> {
        let batch = self.opened.rows_at(self.engine, &[row.row], &[ORIGINAL_ID.to_owned(), "uuid".to_owned()])?;
        Ok(Difference { kind, id: text(&batch, ORIGINAL_ID, 0), uuid: text(&batch, "uuid", 0).unwrap_or_default(), place: None, fields: vec![] })
    }

    /// A place with its shard's name.
    pub(super) fn place(&self, place: &Place) -> String {
        let name = self.plan.shards().nth(place.shard as usize).map_or("?", |(_, s)| s.shard.name.as_str());
        place_text(place, name)
    }
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// The columns of a schema by what they hold: a vector's column may have another name on the other side.
fn labels(schema: &Schema, opened: &[String]) -> BTreeMap<String, usize> {
    schema.fields().iter().enumerate().filter(|(_, f)| opened.contains(f.name())).map(|(at, f)| (label(f), at)).collect()
}

/// The fields in which row `at` of the dump's batch and the only row of the dataset's differ.
fn fields(dump: &RecordBatch, at: usize, dataset: &RecordBatch, cosine: Option<f64>) -> Result<Vec<FieldDifference>> {
    let ours = labels(dump.schema_ref(), &Columns::names(dump.schema_ref()));
    let theirs = labels(dataset.schema_ref(), &Columns::names(dataset.schema_ref()));
    let mut names: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    let mut out = Vec::new();
    for name in names {
        let (a, b) = (ours.get(name).map(|i| dump.column(*i)), theirs.get(name).map(|i| dataset.column(*i)));
        if same_cell(name, a.map(|c| (c, at)), b.map(|c| (c, 0)))? {
            continue;
        }
        let vectors = a.zip(b).and_then(|(a, b)| Some((floats(a, at)?, floats(b, 0)?)));
        if let Some((a, b)) = &vectors {
            if cosine.is_some_and(|bound| alike(a, b, bound)) {
                continue;
            }
            if let ([a], [b]) = (a.as_slice(), b.as_slice()) {
                out.push(vector_difference(name, a, b));
                continue;
            }
        }
        let of = |column: Option<&ArrayRef>, row: usize| column.map_or_else(|| "no such column".to_owned(), |c| shown(c, row, usize::MAX));
        let (dump, dataset) = around(&of(a, at), &of(b, 0));
        out.push(FieldDifference { field: name.clone(), dump, dataset });
    }
    Ok(out)
}

/// The vector of one row, or the rows of its multi-vector.
fn floats(column: &ArrayRef, row: usize) -> Option<Vec<Vec<f32>>> {
    let values = |list: &ArrayRef| Some(list.as_primitive_opt::<Float32Type>()?.values().to_vec());
    if let Some(list) = column.as_fixed_size_list_opt() {
        return Some(vec![values(&Some(list).filter(|l| l.is_valid(row))?.value(row))?]);
    }
    let rows = column.as_list_opt::<i32>().filter(|l| l.is_valid(row))?.value(row);
    let rows = rows.as_fixed_size_list_opt()?;
    (0..rows.len()).map(|at| values(&rows.value(at))).collect()
}

/// Whether each vector is near enough to its counterpart.
fn alike(a: &[Vec<f32>], b: &[Vec<f32>], bound: f64) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits())) || similarity(a, b).is_some_and(|c| c >= bound))
}

/// Cosine of the angle; none where a vector has no direction, or they have not as many values.
fn similarity(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    (a.len() == b.len() && norms > 0.0).then(|| dot(a, b) / norms).filter(|c| c.is_finite())
}

fn vector_difference(name: &str, a: &[f32], b: &[f32]) -> FieldDifference {
    let differs = |(x, y): (&f32, &f32)| x.to_bits() != y.to_bits();
    let first = a.iter().zip(b).position(differs).unwrap_or(a.len().min(b.len()));
    let count = a.iter().zip(b).filter(|pair| differs(*pair)).count();
    let one = |v: &[f32]| v.get(first).map_or("no value".to_owned(), |x| format!("{x} (0x{:08x})", x.to_bits()));
    let cosine = similarity(a, b).map(|c| format!(", cosine {c:.9}")).unwrap_or_default();
    FieldDifference { field: format!("{name}[{first}]"), dump: one(a), dataset: format!("{}; {count} of {} values differ{cosine}", one(b), a.len()) }
}

/// Both texts around the first place in which they differ.
fn around(a: &str, b: &str) -> (String, String) {
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let from = same.saturating_sub(SHOWN / 3);
    let cut = |text: &str| {
        let part: String = text.chars().skip(from).take(SHOWN).collect();
        let before = if from > 0 { "…" } else { "" };
        let after = if text.chars().nth(from + SHOWN).is_some() { "…" } else { "" };
        format!("{before}{part}{after}")
    };
    (cut(a), cut(b))
}

/// Rows with these uuids.
pub(super) fn by_uuid(opened: &Opened, engine: &crate::dataset::Engine, uuids: &[[u8; 16]]) -> Result<RecordBatch> {
    let list: Vec<String> = uuids.iter().map(|u| format!("'{}'", uuid::Uuid::from_bytes(*u))).collect();
    let mut columns = Columns::names(&opened.schema());
    columns.push("uuid".to_owned());
    if list.is_empty() {
        return Err(Error::new("no row is asked for"));
    }
    opened.rows_where(engine, &format!("uuid IN ({})", list.join(",")), &columns, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_difference_is_shown() {
        let (a, b) = around(&format!("{}1{}", "x".repeat(500), "y".repeat(500)), &format!("{}2{}", "x".repeat(500), "y".repeat(500)));
        assert!(a.starts_with('…') && a.ends_with('…') && a.contains("x1y") && b.contains("x2y"), "{a} {b}");
        assert_eq!(around("a", "b"), ("a".to_owned(), "b".to_owned()));
        let difference = vector_difference("vector", &[1.0, 2.0], &[1.0, 2.000_000_2]);
        assert_eq!((difference.field.as_str(), difference.dump.as_str()), ("vector[1]", "2 (0x40000000)"));
        assert!(difference.dataset.starts_with("2.0000002 (0x40000001); 1 of 2 values differ, cosine "), "{}", difference.dataset);
    }
}
