//! Are fields where they belong? The values that the source's answers carry, and each row's own payload, are held against the columns; a
//! field whose values stand in another one was swapped with it.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::Array;
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;
use serde_json::Value;

use super::Case;
use super::rows::Ids;
use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::error::Result;
use crate::exact::share;
use crate::frame::promote::PromotedColumn;
use crate::reject::printable;

/// Rows that are looked at, at most.
const SAMPLE: usize = 1000;
/// A field that agrees less often is not at home.
const HOME: f64 = 0.5;
/// A field whose values stand elsewhere that often has moved there.
const MOVED: f64 = 0.9;

type Values = Vec<Option<String>>;
/// Columns by name, and the payload of each row.
type Columns = (BTreeMap<String, Values>, Vec<Option<Value>>);

/// A sentence for each field that stands in another's place.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn swapped(engine: &Engine, opened: &Opened, cases: &[Case<'_>], ids: &Ids) -> Result<Vec<String>> {
    let mut told: BTreeMap<u64, Option<&Value>> = BTreeMap::new();
    for result in cases.iter().flat_map(|c| c.query.results.iter().flatten()) {
        if let Some(address) = ids.at.get(&result.id) {
            told.entry(*address).or_insert(result.fields.as_ref());
        }
    }
    if told.is_empty() {
        told.extend(cases.iter().flat_map(|c| c.found.get("exact").into_iter().flatten()).map(|(address, _)| (*address, None)));
    }
    let told: Vec<(u64, Option<&Value>)> = told.into_iter().take(SAMPLE).collect();
    let rows: Vec<u64> = told.iter().map(|(address, _)| *address).collect();
    let (columns, payloads) = columns(engine, opened, &rows)?;
    let promoted: BTreeMap<String, String> = opened.schema().fields().iter().filter_map(|f| PromotedColumn::of(f)).map(|c| (c.field, c.column)).collect();
    let own = by_field(payloads.iter().map(Option::as_ref));
    let answered = by_field(told.iter().map(|(_, fields)| *fields));

    let mut moved: BTreeSet<(String, String)> = BTreeSet::new();
    // Each row's own payload against the columns that are made of it.
    for (field, values) in &own {
        let home = promoted.get(field).map(String::as_str).or_else(|| (field == "title").then_some("title"));
        if let Some(home) = home {
            moved.extend(away(values, home, &columns).map(|to| (home.to_owned(), to)));
        }
    }
    // A field and the column that is made of it are one place.
    let mut alias: BTreeMap<String, String> = BTreeMap::new();
    for (field, values) in &own {
        let column = columns.iter().find(|(_, column)| agreement(values, column) >= MOVED);
        alias.extend(column.map(|(column, _)| (format!("field {field}"), column.clone())));
    }
    // What the source answers against what the dataset says of the same row.
    let mut here = columns;
    here.extend(own.into_iter().map(|(field, values)| (format!("field {field}"), values)));
    for (field, values) in &answered {
        let home = if field == "document" && !here.contains_key("field document") { "text_content".to_owned() } else { format!("field {field}") };
        moved.extend(away(values, &home, &here).map(|to| (home.clone(), to)));
    }
    let place = |name: String| alias.get(&name).cloned().unwrap_or(name);
    Ok(sentences(&moved.into_iter().map(|(home, to)| (place(home), place(to))).collect()))
}

/// The share of values that are the same in another list.
fn agreement(values: &Values, other: &Values) -> f64 {
    let both: Vec<bool> = values.iter().zip(other).filter(|(a, _)| a.is_some()).map(|(a, b)| a == b).collect();
    share(both.iter().filter(|equal| **equal).count(), both.len())
}

/// Where values stand that should stand in `home` and do not.
fn away(values: &Values, home: &str, all: &BTreeMap<String, Values>) -> Option<String> {
    // A field of few values agrees with another by chance.
    let distinct: BTreeSet<&String> = values.iter().flatten().collect();
    if distinct.len() < 3 || all.get(home).is_some_and(|other| agreement(values, other) >= HOME) {
        return None;
    }
    let best = all.iter().filter(|(name, _)| *name != home).map(|(name, other)| (agreement(values, other), name)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= MOVED).then(|| best.1.clone())
}

fn sentences(moved: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut out = Vec::new();
    for (home, to) in moved {
        let (a, b) = (printable(home), printable(to));
        if moved.contains(&(to.clone(), home.clone())) {
            if home < to {
                out.push(format!("{a} and {b} are swapped: each holds the other's values"));
            }
        } else {
            out.push(format!("the values that belong in {a} stand in {b}"));
        }
    }
    out
}

/// The columns of text and of promoted fields at these rows, and the payloads.
fn columns(engine: &Engine, opened: &Opened, rows: &[u64]) -> Result<Columns> {
    let schema = opened.schema();
    let mut names: Vec<String> = ["title", "text_content"].iter().filter(|n| schema.field_with_name(n).is_ok()).map(|n| (*n).to_owned()).collect();
    names.extend(schema.fields().iter().filter(|f| PromotedColumn::of(f).is_some()).map(|f| f.name().clone()));
    let has_payload = schema.field_with_name("x_source_payload").is_ok_and(|f| f.data_type() == &DataType::Utf8);
    names.extend(has_payload.then(|| "x_source_payload".to_owned()));
    if rows.is_empty() || names.is_empty() {
        return Ok((BTreeMap::new(), vec![]));
    }
    let batch = opened.rows_at(engine, rows, &names)?;
    let text = |name: &str| -> Values {
        let Some(column) = batch.column_by_name(name) else { return vec![] };
        (0..batch.num_rows()).map(|row| column.is_valid(row).then(|| array_value_to_string(column, row).ok()).flatten()).collect()
    };
    let payloads = text("x_source_payload").into_iter().map(|t| serde_json::from_str(&t?).ok()).collect();
    let columns = names.iter().filter(|n| *n != "x_source_payload").map(|name| (name.clone(), text(name))).collect();
    Ok((columns, payloads))
}

/// Objects, turned into columns: strings as they are, other values as JSON.
fn by_field<'a>(objects: impl ExactSizeIterator<Item = Option<&'a Value>>) -> BTreeMap<String, Values> {
    let rows = objects.len();
    let mut out: BTreeMap<String, Values> = BTreeMap::new();
    for (row, object) in objects.enumerate() {
        for (key, value) in object.and_then(Value::as_object).into_iter().flatten() {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            out.entry(key.clone()).or_insert_with(|| vec![None; rows])[row] = text;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: &[&str]) -> Values {
        texts.iter().map(|t| (!t.is_empty()).then(|| (*t).to_owned())).collect()
    }

    #[test]
    fn a_swap_is_one_sentence_and_chance_is_none() {
        let all: BTreeMap<String, Values> =
            [("title".to_owned(), values(&["x", "y", "z"])), ("text_content".to_owned(), values(&["a", "b", "c"]))].into_iter().collect();
        assert_eq!(away(&values(&["a", "b", "c"]), "title", &all).as_deref(), Some("text_content"));
        assert_eq!(away(&values(&["x", "y", ""]), "title", &all), None, "at home");
        assert_eq!(away(&values(&["a", "a", "a"]), "title", &all), None, "too few values to tell");
        let moved = [("title".to_owned(), "text".to_owned()), ("text".to_owned(), "title".to_owned())].into_iter().collect();
        assert_eq!(sentences(&moved), ["text and title are swapped: each holds the other's values"]);
    }
}
