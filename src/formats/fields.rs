//! Which field is the id and which are vectors, where no layout says it and every array of numbers is a vector: rows of a table, documents.
//!
//! Told by the names and by the first records. A field that is wrong here is refused row by row later, or kept as metadata: nothing is lost by a guess.

use super::Chunk;
use super::csv::is_sparse;
use super::detect::texts;
use super::json::{Cursor, JsonError, Kind};
use super::milvus::pointer;
use super::number::f32_array;
use super::spec::{IdSpec, IdType, Spec, VectorSpec};
use crate::error::{Error, Result};
use crate::frame::pairs::string_value;
use crate::reject::{excerpt, printable};

/// Rows looked at.
const ROWS: usize = 100;

/// What the first rows have in one column.
#[derive(Debug, Default)]
struct Met {
    name: String,
    dense: usize,
    sparse: usize,
    other: usize,
}

/// Completes a layout: the id is the field that was asked for, else `id`, else the first one; the main vector is the one that was
/// asked for, else the first field that holds vectors. `rows` are the first records as JSON. Gives by what that was told.
///
/// # Errors
/// A field that was asked for is not there, or a row of a table has no vectors at all.
pub fn complete(spec: &mut Spec, rows: &Chunk, id: Option<&str>, vector: Option<&str>, shown: &str) -> Result<String> {
    let columns = look(rows);
    let shown = printable(shown);
    let all = columns.iter().map(|c| excerpt(&c.name, 30)).collect::<Vec<_>>().join(", ");
    let named = |name: &str, flag: &str| {
        if columns.iter().any(|c| c.name == name) {
            return Ok(name.to_owned());
        }
        Err(Error::new(format!("{shown}: {flag} {}: there is no such field; the fields are {all}", excerpt(name, 40)))
            .help("without a header, the columns of a table are called by their numbers from 1"))
    };
    // A few broken values among the first do not make a column of vectors something else: they are refused.
    let dense: Vec<&str> = columns.iter().filter(|c| c.dense > c.sparse + c.other).map(|c| c.name.as_str()).collect();
    let sparse: Vec<&str> = columns.iter().filter(|c| c.sparse > c.dense + c.other).map(|c| c.name.as_str()).collect();
    let main = match vector {
        Some(name) => Some(named(name, "--vector")?).filter(|name| !sparse.contains(&name.as_str())),
        None => dense.first().map(|name| (*name).to_owned()),
    };
    if main.is_none() && sparse.is_empty() && spec.csv {
        return Err(Error::new(format!("{shown}: no field of the first rows holds vectors like [1,2,3]; the fields are {all}")).help("name it with --vector"));
    }
    let id = if let Some(name) = id {
        named(name, "--id")?
    } else {
        let usual = ["id", "_id", "pk", "uuid"].into_iter().find(|name| columns.iter().any(|c| c.name == *name));
        let first = || columns.iter().map(|c| c.name.as_str()).find(|name| !dense.contains(name) && !sparse.contains(name));
        usual.or_else(first).map(str::to_owned).ok_or_else(|| Error::new(format!("{shown}: no field can be the id; the fields are {all}")))?
    };
    for name in dense.iter().filter(|name| Some(**name) != main.as_deref() && **name != id) {
        spec.dense.insert((*name).to_owned(), pointer(name));
    }
    for name in &sparse {
        spec.sparse.insert((*name).to_owned(), vec![pointer(name)]);
    }
    let vectors: Vec<String> = main.iter().map(|m| excerpt(m, 40)).chain(spec.dense.keys().chain(spec.sparse.keys()).map(|n| excerpt(n, 40))).collect();
    let told = format!("id in {}, vectors in {}", excerpt(&id, 40), vectors.join(", "));
    spec.id = Some(IdSpec { at: pointer(&id), types: vec![IdType::String, IdType::Integer] });
    spec.vector = main.map(|main| VectorSpec { at: pointer(&main), named: false, multi: false });
    Ok(told)
}

fn look(rows: &Chunk) -> Vec<Met> {
    let mut columns: Vec<Met> = Vec::new();
    for text in texts(rows).into_iter().take(ROWS) {
        // A row that is no JSON is refused when it is read.
        let _ = Cursor::new(text).object(|key, cursor| -> std::result::Result<(), JsonError> {
            let key = key.value();
            let value = cursor.value()?;
            let at = columns.iter().position(|c| c.name == key).unwrap_or_else(|| {
                columns.push(Met { name: key.into_owned(), ..Met::default() });
                columns.len() - 1
            });
            let column = &mut columns[at];
            let mut floats = Vec::new();
            match value.kind {
                Kind::Null => {}
                Kind::Array if f32_array(&mut Cursor::new(value.raw), &mut floats).is_ok_and(|n| n > 1) => column.dense += 1,
                Kind::String if is_sparse(&string_value(value.raw)) => column.sparse += 1,
                Kind::Object if is_pair(value.raw) => column.sparse += 1,
                _ => column.other += 1,
            }
            Ok(())
        });
    }
    columns
}

/// Whether an object has indices and values, and nothing else.
fn is_pair(raw: &str) -> bool {
    let (mut indices, mut values, mut others) = (false, false, false);
    let read = Cursor::new(raw).object(|key, cursor| -> std::result::Result<(), JsonError> {
        let key = key.value();
        let list = cursor.value()?.kind == Kind::Array;
        match key.as_ref() {
            "indices" if list => indices = true,
            "values" if list => values = true,
            _ => others = true,
        }
        Ok(())
    });
    read.is_ok() && indices && values && !others
}
