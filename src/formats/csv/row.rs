//! One row as a JSON object: what each cell is, told by its own text and never by its neighbours'.
//!
//! Not the meaning of the fields: that is the layout's, which reads the object as any other record.

use std::fmt::Write as _;

use super::{Cell, Dialect, cells};
use crate::formats::Chunk;
use crate::formats::json::{Cursor, Kind, push_string};
use crate::formats::spec::Spec;
use crate::formats::unpack::{Records, Unpack};
use crate::frame::mapping::{Mapping, Target};
use crate::frame::schema::Column;
use crate::reject::{Code, Refusal, excerpt};

/// What a column's cells are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// An object or array of JSON as it is, any other text as a string.
    ByValue,
    /// A string, whatever it looks like.
    Text,
    /// An array of PostgreSQL, `{a,b}`, or as [`Kept::ByValue`].
    List,
    /// A vector: dense, or sparse as `{index:value,…}/dimensions` with indices from 1.
    Vector,
}

/// Takes the rows of a shard.
#[derive(Debug, Clone)]
pub struct Rows {
    dialect: Dialect,
    columns: Vec<String>,
    kept: Vec<Kept>,
    /// The first row of the shard holds the names.
    header: bool,
}

impl Rows {
    /// Rows with these columns; without names, columns are called by their numbers from 1.
    #[must_use]
    pub fn new(dialect: Dialect, names: Option<&[String]>, spec: &Spec, mapping: &Mapping) -> Self {
        let mut this = Self { dialect, columns: vec![], kept: vec![], header: names.is_some() };
        for name in names.unwrap_or_default() {
            this.kept.push(kept(name, spec, mapping));
            this.columns.push(name.clone());
        }
        if names.is_none() {
            for number in 1..=1600 {
                // No table of PostgreSQL has more columns.
                let name = number.to_string();
                this.kept.push(kept(&name, spec, mapping));
                this.columns.push(name);
            }
        }
        this
    }

    fn record(&self, text: &str, data: &mut String) -> Result<(), Refusal> {
        let cells = cells(text, self.dialect)?;
        if (self.header && cells.len() != self.columns.len()) || cells.len() > self.columns.len() {
            return Err(Refusal::new(Code::BadCsv, format!("{} columns, expected {}", cells.len(), self.columns.len())));
        }
        for (number, (cell, name)) in cells.iter().zip(&self.columns).enumerate() {
            data.push(if number == 0 { '{' } else { ',' });
            push_string(data, name);
            data.push(':');
            match cell {
                Cell::Null => data.push_str("null"),
                Cell::Text(text) => value(text, self.kept[number], name, data)?,
            }
        }
        data.push('}');
        Ok(())
    }
}

impl Unpack for Rows {
    fn unpack(&self, chunk: &Chunk, shard: u32) -> Records {
        let mut out = Records::of(shard);
        let Chunk::Elements(chunk) = chunk else { return out };
        let mut json = String::new();
        for e in &chunk.elements {
            let bytes = &chunk.data[e.start..e.start + e.length];
            let byte = chunk.offset + e.start as u64;
            let place = out.place(e.line, byte, bytes.len());
            let text = match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    out.refuse(place, Refusal::new(Code::InvalidUtf8, format!("byte {} of this row is not UTF-8", error.valid_up_to())), bytes);
                    continue;
                }
            };
            // Nothing but line ends and a byte-order mark can stand before the first row.
            if self.header && chunk.offset == 0 && e.start == chunk.elements[0].start && self.is_header(text) {
                continue;
            }
            // The end of the data, as psql is told it.
            if text.trim_end() == "\\." {
                continue;
            }
            json.clear();
            match self.record(text, &mut json) {
                Ok(()) => out.add(place, |data| data.extend_from_slice(json.as_bytes())),
                Err(refusal) => out.refuse(place, refusal, bytes),
            }
        }
        out
    }
}

impl Rows {
    fn is_header(&self, text: &str) -> bool {
        cells(text, self.dialect).is_ok_and(|cells| cells.iter().map(Cell::text).eq(self.columns.iter().map(|c| Some(c.as_str()))))
    }
}

fn kept(name: &str, spec: &Spec, mapping: &Mapping) -> Kept {
    let at = crate::formats::milvus::pointer(name);
    let vector = spec.vector.as_ref().is_some_and(|v| v.at == at)
        || spec.dense.values().any(|path| *path == at)
        || spec.sparse.values().flatten().any(|path| *path == at);
    if vector {
        Kept::Vector
    } else if spec.text.as_deref() == Some(at.as_str()) || spec.id.as_ref().is_some_and(|id| id.at == at) || mapping.text_order().iter().any(|f| f == name) {
        Kept::Text
    } else if matches!(mapping.target(name), Some(Target::Column(Column::Tags | Column::Contributors))) {
        Kept::List
    } else {
        Kept::ByValue
    }
}

/// Appends a cell as JSON.
fn value(text: &str, kept: Kept, name: &str, out: &mut String) -> Result<(), Refusal> {
    match kept {
        Kept::Vector if text.starts_with('{') => {
            if let Some(json) = sparse(text, name) {
                out.push_str(&json);
            } else if is_json(text) {
                out.push_str(text);
            } else {
                let reason = format!("\"{}\" is no sparse vector, expected {{index:value,…}}/dimensions: {}", excerpt(name, 40), excerpt(text, 40));
                return Err(Refusal::new(Code::SparseVector, reason));
            }
        }
        Kept::List => match list(text) {
            Some(json) => out.push_str(&json),
            None if is_json(text) => out.push_str(text),
            None => push_string(out, text),
        },
        Kept::ByValue | Kept::Vector if is_json(text) => out.push_str(text),
        _ => push_string(out, text),
    }
    Ok(())
}

/// Whether the text is one JSON object or array.
fn is_json(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    text.starts_with(['{', '[']) && cursor.value().is_ok_and(|v| matches!(v.kind, Kind::Object | Kind::Array)) && cursor.end().is_ok()
}

/// Whether the text is a sparse vector of pgvector.
#[must_use]
pub fn is_sparse(text: &str) -> bool {
    sparse(text, "").is_some()
}

/// `{1:0.5,3:2}/5` as `{"indices":[0,2],"values":[0.5,2]}`, and the number of dimensions, which no other place says, beside it.
fn sparse(text: &str, name: &str) -> Option<String> {
    let (pairs, dimensions) = text.strip_prefix('{')?.split_once("}/")?;
    let dimensions: u32 = dimensions.parse().ok()?;
    let (mut indices, mut values) = (String::new(), String::new());
    for pair in pairs.split(',').filter(|_| !pairs.is_empty()) {
        let (index, value) = pair.split_once(':')?;
        let index: u32 = index.trim().parse().ok()?;
        value.trim().parse::<f64>().ok()?;
        if index == 0 || index > dimensions {
            return None;
        }
        if !indices.is_empty() {
            indices.push(',');
            values.push(',');
        }
        indices.push_str(&(index - 1).to_string());
        values.push_str(value.trim());
    }
    let mut out = format!("{{\"indices\":[{indices}],\"values\":[{values}]}},");
    push_string(&mut out, &format!("{name}.dimensions"));
    let _ = write!(out, ":{dimensions}");
    Some(out)
}

/// An array of PostgreSQL as JSON: `{a,"b,c",NULL}`. Elements are strings; one of several dimensions is nested.
fn list(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'{') {
        return None;
    }
    let (mut out, mut at, mut depth) = (String::new(), 0, 0usize);
    loop {
        match bytes.get(at)? {
            b'{' => {
                out.push('[');
                depth += 1;
                at += 1;
                if bytes.get(at) != Some(&b'}') {
                    continue;
                }
            }
            b'"' => {
                let mut element = String::new();
                let mut chars = text[at + 1..].char_indices();
                let end = loop {
                    match chars.next()? {
                        (_, '\\') => element.push(chars.next()?.1),
                        (offset, '"') => break offset,
                        (_, c) => element.push(c),
                    }
                };
                push_string(&mut out, &element);
                at += end + 2;
            }
            _ => {
                let end = at + bytes[at..].iter().position(|b| matches!(b, b',' | b'}' | b'{' | b'"' | b'\\'))?;
                match &text[at..end] {
                    "" => return None,
                    "NULL" => out.push_str("null"),
                    element => push_string(&mut out, element),
                }
                at = end;
            }
        }
        // An element or an empty array's opening has been read.
        loop {
            match bytes.get(at)? {
                b'}' => {
                    out.push(']');
                    depth = depth.checked_sub(1)?;
                    at += 1;
                    if depth == 0 {
                        return (at == bytes.len()).then_some(out);
                    }
                }
                b',' => {
                    out.push(',');
                    at += 1;
                    break;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
pub(super) fn of_value(text: &str, which: &str) -> String {
    let kept = match which {
        "text" => Kept::Text,
        "list" => Kept::List,
        "vector" => Kept::Vector,
        _ => Kept::ByValue,
    };
    let mut out = String::new();
    value(text, kept, "v", &mut out).map_or_else(|r| r.reason, |()| out)
}
