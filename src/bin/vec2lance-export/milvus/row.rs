//! Columns of an answer become rows of JSON, in the layout that `formats/milvus.toml` reads.
//!
//! JSON fields and `$meta` are strings that hold JSON text, as in Milvus' own REST answers: a JSON value that is itself a string stays
//! apart from one that was wrapped.

use serde_json::Value;

use super::cell::{cells, scalar, structs, vector, vectors_in};
use super::column::{Field, FieldData, QueryResults, ScalarField, Scalars, VectorField};

/// Reads every row: its line, and its primary key as a number or a string. Columns are written in the order of `order`, then by their
/// names, so that two answers give the same bytes.
///
/// # Errors
/// What is wrong with the answer, as words.
pub(super) fn lines(mut results: QueryResults, primary: &str, order: &[String]) -> Result<Vec<(String, Value)>, String> {
    let place = |f: &FieldData| (f.is_dynamic, order.iter().position(|name| *name == f.field_name).unwrap_or(order.len()), f.field_name.clone());
    results.fields_data.sort_by_cached_key(place);
    let Some(key) = results.fields_data.iter().find(|f| f.field_name == primary) else {
        return if results.fields_data.is_empty() { Ok(vec![]) } else { Err(format!("no column of the primary key \"{primary}\" in it")) };
    };
    let keys = keys(key)?;
    if keys.is_empty() {
        // Its other columns may say nothing at all.
        return Ok(vec![]);
    }
    let mut columns = results.fields_data.iter().map(|f| Column::new(f, keys.len())).collect::<Result<Vec<_>, _>>()?;
    let mut size = 256;
    let mut rows = Vec::with_capacity(keys.len());
    for (row, key) in keys.into_iter().enumerate() {
        let mut line = Vec::with_capacity(size);
        line.push(b'{');
        for (at, column) in columns.iter_mut().enumerate() {
            if at > 0 {
                line.push(b',');
            }
            line.extend_from_slice(&column.label);
            column.cell(&mut line, row)?;
        }
        line.push(b'}');
        size = line.len() + line.len() / 16;
        rows.push((text(line)?, key));
    }
    Ok(rows)
}

/// The values of the primary key's column.
fn keys(column: &FieldData) -> Result<Vec<Value>, String> {
    match &column.field {
        Some(Field::Scalars(ScalarField { data: Some(Scalars::Long(values)) })) => Ok(values.data.iter().map(|v| Value::from(*v)).collect()),
        Some(Field::Scalars(ScalarField { data: Some(Scalars::String(values)) })) => Ok(values.data.iter().map(|v| Value::from(v.as_str())).collect()),
        None | Some(Field::Scalars(ScalarField { data: None })) => Ok(vec![]),
        _ => Err(format!("the primary key \"{}\" has values of the type {}, which are neither int64 nor varchar", column.field_name, column.data_type)),
    }
}

/// One column while its rows are written.
struct Column<'c> {
    name: &'c str,
    /// The name as JSON, and the colon.
    label: Vec<u8>,
    of: Of<'c>,
    valid: &'c [bool],
    /// Nulls have no place among the values.
    compact: bool,
    /// The next value, where `compact`.
    next: usize,
}

enum Of<'c> {
    Scalars(&'c Scalars),
    Vectors(&'c VectorField),
    Structs(&'c [FieldData]),
}

impl<'c> Column<'c> {
    fn new(field: &'c FieldData, rows: usize) -> Result<Self, String> {
        let name = field.field_name.as_str();
        let mut label = json(name)?;
        label.push(b':');
        let valid = field.valid_data.as_slice();
        if !valid.is_empty() && valid.len() != rows {
            return Err(format!("column \"{name}\" says for {} rows whether they are null, expected {rows}", valid.len()));
        }
        let of = match &field.field {
            Some(Field::Scalars(ScalarField { data: Some(scalars) })) => Of::Scalars(scalars),
            Some(Field::Vectors(vectors)) => Of::Vectors(vectors),
            Some(Field::Structs(structs)) => Of::Structs(&structs.fields),
            // A column of which every row is null may have no values at all.
            _ if valid.len() == rows && !valid.contains(&true) => Of::Structs(&[]),
            _ => return Err(format!("column \"{name}\" has values of the type {}, which this program does not know", field.data_type)),
        };
        let held = match &of {
            Of::Scalars(scalars) => scalars.len(),
            Of::Vectors(vectors) => vectors_in(vectors)?,
            Of::Structs(fields) => {
                let each = fields.iter().map(cells).collect::<Result<Vec<_>, _>>()?;
                each.first().copied().unwrap_or(rows)
            }
        };
        let living = if valid.is_empty() { rows } else { valid.iter().filter(|v| **v).count() };
        if held != rows && held != living {
            return Err(format!("column \"{name}\" has {held} values for {rows} rows, of which {} are null", rows - living));
        }
        Ok(Self { name, label, of, valid, compact: held != rows, next: 0 })
    }

    /// Writes the value of a row; rows come in their order.
    fn cell(&mut self, out: &mut Vec<u8>, row: usize) -> Result<(), String> {
        if self.valid.get(row) == Some(&false) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        let at = if self.compact { self.next } else { row };
        self.next += 1;
        let written = match &self.of {
            Of::Scalars(scalars) => scalar(out, scalars, at),
            Of::Vectors(vectors) => vector(out, vectors, at),
            Of::Structs(fields) => structs(out, fields, at),
        };
        written.map_err(|reason| format!("row {row} of column \"{}\": {reason}", self.name))
    }
}

fn json(text: &str) -> Result<Vec<u8>, String> {
    serde_json::to_vec(text).map_err(|e| e.to_string())
}

fn text(line: Vec<u8>) -> Result<String, String> {
    String::from_utf8(line).map_err(|e| e.to_string())
}
