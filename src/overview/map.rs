//! A map of the embeddings: the sampled vectors on their first two principal components, in groups.
//!
//! Shows how the vectors lie along the two directions in which they differ most, and nothing else: see the part of the variance.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use serde::Serialize;
use serde_json::Value;

use super::real;
use super::rows::{self, cut};
use super::sample::{Candidate, Sample};
use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::error::{Error, Result};
use crate::frame::pca::Moments;
use crate::frame::schema::{NAMESPACE, SOURCE_PAYLOAD};
use crate::reject::printable;

/// Groups with a colour of their own.
const GROUPS: usize = 8;
/// Titles that stand for a group.
const TYPICAL: usize = 3;

/// The map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Map {
    /// Vectors shown.
    pub sampled: u64,
    /// Vectors that are neither missing nor zero.
    pub of: u64,
    /// The part of the sample's variance along both axes, from 0 to 1.
    pub variance: [f64; 2],
    /// What the groups are by: `collection`, `namespace`, or a field.
    pub by: String,
    /// The groups, the largest first; `(others)` last.
    pub groups: Vec<Group>,
    /// Every point.
    pub points: Vec<Point>,
}

/// Points of one colour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The value that its records share.
    pub name: String,
    /// How many points.
    pub points: u64,
    /// Their mean.
    pub centre: [f64; 2],
    /// Titles of the points nearest to that.
    pub typical: Vec<String>,
}

/// One vector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Along the first component.
    pub x: f64,
    /// Along the second.
    pub y: f64,
    /// Its group, as a place in the list.
    pub group: usize,
    /// The record's title.
    pub title: String,
}

/// Values of records that have none.
const NONE: &str = "(none)";
/// Values that have no colour of their own.
const OTHERS: &str = "(others)";

/// Draws the map; `None` where the vectors have no two directions.
///
/// # Errors
/// The dataset cannot be read, or no record of the sample has the field that is asked for.
pub(super) fn map(engine: &Engine, opened: &Opened, sample: &Sample, vectors: u64, dimension: usize, field: Option<&str>) -> Result<Option<Map>> {
    let mut rows: Vec<&Candidate> = sample.rows().collect();
    rows.sort_by_key(|row| row.address);
    let mut moments = Moments::new(dimension);
    for row in &rows {
        moments.add(&row.vector);
    }
    let Some(found) = (dimension > 1).then(|| moments.components("", "", 2).ok()).flatten() else { return Ok(None) };
    let variance = [0, 1].map(|at| if found.total > 0.0 { found.variances.get(at).copied().unwrap_or(0.0) / found.total } else { 0.0 });
    let addresses: Vec<u64> = rows.iter().map(|row| row.address).collect();
    let schema = opened.schema();
    let mut columns = rows::columns(opened);
    let column = field.and_then(|name| [name.to_owned(), format!("x_{name}")].into_iter().find(|c| schema.column_with_name(c).is_some()));
    let wanted = match (field, &column) {
        (Some(_), Some(column)) => Some(column.clone()),
        (Some(_), None) => schema.column_with_name(SOURCE_PAYLOAD).map(|_| SOURCE_PAYLOAD.to_owned()),
        _ => None,
    };
    columns.extend(wanted.into_iter().filter(|c| !columns.contains(c)).collect::<Vec<_>>());
    let batch = opened.rows_at(engine, &addresses, &columns)?;
    let (by, names) = match field {
        Some(name) => (name.to_owned(), chosen(&batch, name, column.as_deref())?),
        None => default(&batch),
    };
    let (groups, of) = grouped(&names);
    let mut points = Vec::with_capacity(rows.len());
    let mut place = Vec::with_capacity(2);
    for (at, row) in rows.iter().enumerate() {
        place.clear();
        found.project(&row.vector, &mut place);
        let (x, y) = (f64::from(place[0]), f64::from(place[1]));
        points.push(Point { x: digits(x), y: digits(y), group: of[at], title: rows::text(&batch, "title", at).unwrap_or_default() });
    }
    let groups = groups.into_iter().enumerate().map(|(at, name)| group(name, at, &points)).collect();
    Ok(Some(Map { sampled: rows.len() as u64, of: vectors, variance, by, groups, points }))
}

/// The values of a column or of a payload's field.
fn chosen(batch: &RecordBatch, name: &str, column: Option<&str>) -> Result<Vec<String>> {
    let values: Vec<Option<String>> = (0..batch.num_rows())
        .map(|row| match column.and_then(|c| batch.column_by_name(c)) {
            Some(values) if values.is_null(row) => None,
            Some(values) if values.as_string_opt::<i32>().is_some() => Some(cut(values.as_string::<i32>().value(row))),
            Some(values) => Some(crate::verify::print::shown(values, row, 60)),
            None => {
                let payloads = batch.column_by_name(SOURCE_PAYLOAD)?.as_string_opt::<i32>()?;
                let payload: Value = serde_json::from_str(payloads.is_valid(row).then(|| payloads.value(row))?).ok()?;
                match payload.get(name)? {
                    Value::Null => None,
                    Value::String(text) => Some(cut(text)),
                    other => Some(cut(&other.to_string())),
                }
            }
        })
        .collect();
    if values.iter().all(Option::is_none) {
        return Err(Error::new(format!("--color-by {}: none of {} sampled records has a value there", printable(name), values.len()))
            .help("give a column, or a top-level field of the payloads; `report --json` lists both"));
    }
    Ok(values.into_iter().map(|v| v.unwrap_or_else(|| NONE.to_owned())).collect())
}

/// By collection; by namespace, where there is one collection with several of them; by database, where these are several.
fn default(batch: &RecordBatch) -> (String, Vec<String>) {
    let of = |column: &str| -> Vec<String> { (0..batch.num_rows()).map(|row| rows::text(batch, column, row).unwrap_or_else(|| NONE.to_owned())).collect() };
    for (by, column) in [("collection", "collection"), ("namespace", NAMESPACE), ("database", "source_type")] {
        let names = of(column);
        if names.windows(2).any(|pair| pair[0] != pair[1]) {
            return (by.to_owned(), names);
        }
    }
    ("collection".to_owned(), of("collection"))
}

/// The names of the groups, and the group of each row.
fn grouped(names: &[String]) -> (Vec<String>, Vec<usize>) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let kept = if order.len() > GROUPS { GROUPS - 1 } else { order.len() };
    let mut groups: Vec<String> = order.iter().take(kept).map(|(name, _)| (*name).to_owned()).collect();
    let places: BTreeMap<&str, usize> = order.iter().take(kept).enumerate().map(|(at, (name, _))| (*name, at)).collect();
    let of = names.iter().map(|name| places.get(name.as_str()).copied().unwrap_or(kept)).collect();
    if order.len() > kept {
        groups.push(OTHERS.to_owned());
    }
    (groups, of)
}

fn group(name: String, at: usize, points: &[Point]) -> Group {
    let own: Vec<&Point> = points.iter().filter(|p| p.group == at).collect();
    let count = own.len() as u64;
    let n = real(count.max(1));
    let centre = [own.iter().map(|p| p.x).sum::<f64>() / n, own.iter().map(|p| p.y).sum::<f64>() / n];
    let mut nearest: Vec<(f64, &str)> = own.iter().map(|p| ((p.x - centre[0]).hypot(p.y - centre[1]), p.title.as_str())).collect();
    nearest.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    nearest.dedup_by(|a, b| a.1 == b.1);
    let typical = nearest.iter().take(TYPICAL).map(|(_, title)| (*title).to_owned()).collect();
    Group { name, points: count, centre: centre.map(digits), typical }
}

/// Five significant digits: more than a picture shows, and half the size.
fn digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_the_largest_and_the_others() {
        let names: Vec<String> = (0..100).map(|n| format!("g{}", if n < 50 { 0 } else { n % 12 })).collect();
        let (groups, of) = grouped(&names);
        assert_eq!((groups.len(), groups[0].as_str(), groups[7].as_str()), (8, "g0", OTHERS));
        assert!(of.iter().all(|g| *g < 8) && of[0] == 0);
        let (groups, of) = grouped(&["b".to_owned(), "a".to_owned()]);
        assert_eq!((groups, of), (vec!["a".to_owned(), "b".to_owned()], vec![1, 0]));
    }

    #[test]
    fn digits_are_five() {
        assert!((digits(0.123_456_789) - 0.12346).abs() < 1e-12 && digits(-98765.4) < -98764.0 && digits(0.0) == 0.0);
    }
}
