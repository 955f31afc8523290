//! One cell of a column as JSON.
//!
//! Numbers have the shortest digits that give the same bits again; what JSON has no number for is the string `NaN`, `Infinity` or
//! `-Infinity`, as in Milvus' own REST answers. float16, bfloat16 and binary vectors are base64 of their bytes.

use base64::Engine as _;
use serde::Serialize;

use super::column::{Field, FieldData, ScalarField, Scalars, VectorField, Vectors};

impl Scalars {
    /// Values, or arrays.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bool(v) => v.data.len(),
            Self::Int(v) | Self::Date(v) => v.data.len(),
            Self::Long(v) | Self::Timestamptz(v) | Self::Time(v) => v.data.len(),
            Self::Float(v) => v.data.len(),
            Self::Double(v) => v.data.len(),
            Self::String(v) | Self::GeometryText(v) | Self::MoleculeText(v) => v.data.len(),
            Self::Bytes(v) | Self::Json(v) | Self::Geometry(v) => v.data.len(),
            Self::Array(v) => v.data.len(),
        }
    }
}

/// Writes one scalar, or one array.
pub(super) fn scalar(out: &mut Vec<u8>, scalars: &Scalars, at: usize) -> Result<(), String> {
    let missing = || "there is no such value".to_owned();
    match scalars {
        Scalars::Bool(v) => put(out, v.data.get(at).ok_or_else(missing)?),
        Scalars::Int(v) | Scalars::Date(v) => put(out, v.data.get(at).ok_or_else(missing)?),
        Scalars::Long(v) | Scalars::Timestamptz(v) | Scalars::Time(v) => put(out, v.data.get(at).ok_or_else(missing)?),
        Scalars::Float(v) => float(out, *v.data.get(at).ok_or_else(missing)?),
        Scalars::Double(v) => double(out, *v.data.get(at).ok_or_else(missing)?),
        Scalars::String(v) | Scalars::GeometryText(v) | Scalars::MoleculeText(v) => put(out, v.data.get(at).ok_or_else(missing)?),
        Scalars::Json(v) => put(out, std::str::from_utf8(v.data.get(at).ok_or_else(missing)?).map_err(|e| format!("the JSON is no UTF-8: {e}"))?),
        Scalars::Bytes(v) | Scalars::Geometry(v) => base64(out, v.data.get(at).ok_or_else(missing)?),
        Scalars::Array(v) => {
            let elements = v.data.get(at).ok_or_else(missing)?.data.as_ref();
            list(out, elements.map_or(0, Scalars::len), |out, i| elements.map_or(Ok(()), |e| scalar(out, e, i)))
        }
    }
}

/// Writes one vector; the vectors of one row, where each row has several.
pub(super) fn vector(out: &mut Vec<u8>, field: &VectorField, at: usize) -> Result<(), String> {
    let width = vector_width(field)?;
    let slice = |bytes: &[u8]| bytes.get(at * width..(at + 1) * width).map(<[u8]>::to_vec).ok_or("there is no such vector");
    match &field.data {
        Some(Vectors::Float(v)) => {
            let values = v.data.get(at * width..(at + 1) * width).ok_or("there is no such vector")?;
            list(out, values.len(), |out, i| float(out, values[i]))
        }
        Some(Vectors::Binary(v) | Vectors::Float16(v) | Vectors::BFloat16(v)) => base64(out, &slice(v)?),
        Some(Vectors::Int8(v)) => {
            let values = slice(v)?;
            list(out, values.len(), |out, i| put(out, &values[i].cast_signed()))
        }
        Some(Vectors::Sparse(v)) => sparse(out, v.contents.get(at).ok_or("there is no such vector")?),
        Some(Vectors::Array(v)) => {
            let vectors = v.data.get(at).ok_or("there is no such list of vectors")?;
            list(out, vectors_in(vectors)?, |out, i| vector(out, vectors, i))
        }
        None => Err("the vector is of a type that this program does not know".to_owned()),
    }
}

/// Values or bytes of one vector.
fn vector_width(field: &VectorField) -> Result<usize, String> {
    let dimension = usize::try_from(field.dim).map_err(|_| format!("the dimension is {}", field.dim))?;
    let width = match &field.data {
        Some(Vectors::Float(_) | Vectors::Int8(_)) => dimension,
        Some(Vectors::Binary(_)) => dimension.div_ceil(8),
        Some(Vectors::Float16(_) | Vectors::BFloat16(_)) => dimension * 2,
        Some(Vectors::Sparse(_) | Vectors::Array(_)) | None => return Ok(1),
    };
    if width == 0 { Err("the dimension is 0".to_owned()) } else { Ok(width) }
}

/// Vectors that a column holds.
pub(super) fn vectors_in(field: &VectorField) -> Result<usize, String> {
    let held = match &field.data {
        Some(Vectors::Float(v)) => v.data.len(),
        Some(Vectors::Binary(v) | Vectors::Float16(v) | Vectors::BFloat16(v) | Vectors::Int8(v)) => v.len(),
        Some(Vectors::Sparse(v)) => v.contents.len(),
        Some(Vectors::Array(v)) => v.data.len(),
        None => 0,
    };
    if held == 0 {
        return Ok(0);
    }
    let width = vector_width(field)?;
    if held.is_multiple_of(width) { Ok(held / width) } else { Err(format!("{held} values of vectors are no multiple of {width}")) }
}

/// Index and value, little-endian, after each other.
fn sparse(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), String> {
    let (pairs, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(format!("a sparse vector of {} bytes, expected a multiple of 8", bytes.len()));
    }
    out.push(b'{');
    for (at, [a, b, c, d, e, f, g, h]) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.push(b'"');
        put(out, &u32::from_le_bytes([*a, *b, *c, *d]))?;
        out.extend_from_slice(b"\":");
        float(out, f32::from_le_bytes([*e, *f, *g, *h]))?;
    }
    out.push(b'}');
    Ok(())
}

/// Rows that a struct's field has.
pub(super) fn cells(field: &FieldData) -> Result<usize, String> {
    match &field.field {
        Some(Field::Scalars(ScalarField { data: Some(scalars) })) => Ok(scalars.len()),
        Some(Field::Vectors(vectors)) => vectors_in(vectors),
        _ => Err(format!("the struct's field \"{}\" has values of the type {}, which this program does not know", field.field_name, field.data_type)),
    }
}

/// Writes the structs of one row, each as an object.
pub(super) fn structs(out: &mut Vec<u8>, fields: &[FieldData], at: usize) -> Result<(), String> {
    let length = |field: &FieldData| match &field.field {
        Some(Field::Scalars(ScalarField { data: Some(Scalars::Array(v)) })) => v.data.get(at).map(|cell| cell.data.as_ref().map_or(0, Scalars::len)),
        Some(Field::Vectors(VectorField { data: Some(Vectors::Array(v)), .. })) => v.data.get(at).and_then(|cell| vectors_in(cell).ok()),
        _ => None,
    };
    let mut lengths = fields.iter().map(|f| length(f).ok_or_else(|| format!("the struct's field \"{}\" is no list", f.field_name)));
    let first = lengths.next().transpose()?.unwrap_or(0);
    for other in lengths {
        let other = other?;
        if other != first {
            return Err(format!("its struct has fields of {first} and of {other} values"));
        }
    }
    list(out, first, |out, i| {
        out.push(b'{');
        for (n, field) in fields.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            // Stored as `struct[field]`.
            let name = field.field_name.as_str();
            put(out, name.split_once('[').map_or(name, |(_, inner)| inner.strip_suffix(']').unwrap_or(name)))?;
            out.push(b':');
            match &field.field {
                Some(Field::Scalars(ScalarField { data: Some(Scalars::Array(v)) })) => {
                    let Some(elements) = v.data.get(at).and_then(|cell| cell.data.as_ref()) else { return Err("no such value".to_owned()) };
                    scalar(out, elements, i)?;
                }
                Some(Field::Vectors(VectorField { data: Some(Vectors::Array(v)), .. })) => {
                    let Some(vectors) = v.data.get(at) else { return Err("no such vector".to_owned()) };
                    vector(out, vectors, i)?;
                }
                _ => return Err("no list".to_owned()),
            }
        }
        out.push(b'}');
        Ok(())
    })
}

fn list(out: &mut Vec<u8>, length: usize, mut element: impl FnMut(&mut Vec<u8>, usize) -> Result<(), String>) -> Result<(), String> {
    out.push(b'[');
    for i in 0..length {
        if i > 0 {
            out.push(b',');
        }
        element(out, i)?;
    }
    out.push(b']');
    Ok(())
}

fn float(out: &mut Vec<u8>, value: f32) -> Result<(), String> {
    if value.is_finite() { put(out, &value) } else { double(out, f64::from(value)) }
}

fn double(out: &mut Vec<u8>, value: f64) -> Result<(), String> {
    match value {
        v if v.is_nan() => put(out, "NaN"),
        f64::INFINITY => put(out, "Infinity"),
        f64::NEG_INFINITY => put(out, "-Infinity"),
        v => put(out, &v),
    }
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), String> {
    put(out, &base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), String> {
    serde_json::to_writer(out, value).map_err(|e| e.to_string())
}
