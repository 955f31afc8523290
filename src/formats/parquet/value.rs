//! Parquet values as JSON: what a payload, a record's other fields and a rejects file keep of them.
//!
//! Not vectors, which never become text.

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

use super::column::MARK;
use crate::formats::json::{Kind, push_string};
use crate::reject::hex;

/// The JSON kind that a column's values have.
pub(super) fn kind_of(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Boolean => Kind::Bool,
        DataType::Null => Kind::Null,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::ListView(_) | DataType::LargeListView(_) => Kind::Array,
        DataType::Struct(_) | DataType::Map(..) => Kind::Object,
        DataType::Dictionary(_, values) => kind_of(values),
        t if t.is_numeric() => Kind::Number,
        _ => Kind::String,
    }
}

/// A row as a JSON object: how a rejected Parquet record is kept.
#[must_use]
pub fn row_text(batch: &RecordBatch, row: usize) -> String {
    let mut out = String::from("{");
    let schema = batch.schema();
    let marked = schema.fields().iter().any(|f| f.metadata().contains_key(MARK));
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let text = field.metadata().get(MARK).zip(array.as_string_opt::<i32>());
        // There, null is what the record does not have.
        if marked && array.is_null(row) {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        match text {
            Some((mark, texts)) if mark == "rest" => {
                let members = texts.value(row);
                out.push_str(members.strip_prefix('{').and_then(|m| m.strip_suffix('}')).unwrap_or(members));
            }
            text => {
                push_string(&mut out, field.name());
                out.push(':');
                match text {
                    Some((_, texts)) => out.push_str(texts.value(row)),
                    None => push_value(&mut out, array, row),
                }
            }
        }
    }
    out.push('}');
    out
}

/// Appends one value as JSON. Floats keep their shortest exact text and decimals their digits; what JSON cannot hold is a string: NaN
/// and infinities by name, bytes as hexadecimal, dates and times as ISO 8601.
pub(super) fn push_value(out: &mut String, array: &ArrayRef, row: usize) {
    let null = match array.data_type() {
        // Their nulls stand elsewhere than in a mask of the array's own.
        DataType::Null | DataType::Dictionary(..) | DataType::RunEndEncoded(..) => array.logical_nulls().is_some_and(|nulls| nulls.is_null(row)),
        _ => array.is_null(row),
    };
    if null {
        out.push_str("null");
        return;
    }
    let list = |out: &mut String, values: &ArrayRef| {
        out.push('[');
        for index in 0..values.len() {
            if index > 0 {
                out.push(',');
            }
            push_value(out, values, index);
        }
        out.push(']');
    };
    match array.data_type() {
        DataType::List(_) => list(out, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(out, &array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(out, &array.as_fixed_size_list().value(row)),
        DataType::ListView(item) => cast_value(out, array, row, &DataType::List(item.clone())),
        DataType::LargeListView(item) => cast_value(out, array, row, &DataType::LargeList(item.clone())),
        DataType::Dictionary(_, values) => cast_value(out, array, row, values),
        DataType::Struct(fields) => {
            out.push('{');
            for (index, (field, child)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_string(out, field.name());
                out.push(':');
                push_value(out, child, row);
            }
            out.push('}');
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            out.push('{');
            for index in 0..entries.len() {
                if index > 0 {
                    out.push(',');
                }
                push_string(out, &array_value_to_string(entries.column(0), index).unwrap_or_default());
                out.push(':');
                push_value(out, entries.column(1), index);
            }
            out.push('}');
        }
        DataType::Float32 => {
            push_float(out, array.as_primitive::<Float32Type>().value(row).is_finite(), &format!("{:?}", array.as_primitive::<Float32Type>().value(row)));
        }
        DataType::Float64 => {
            let value = array.as_primitive::<arrow_array::types::Float64Type>().value(row);
            push_float(out, value.is_finite(), &format!("{value:?}"));
        }
        DataType::Float16 => {
            let value = f32::from(array.as_primitive::<arrow_array::types::Float16Type>().value(row));
            push_float(out, value.is_finite(), &format!("{value:?}"));
        }
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView => {
            let bytes = arrow_cast::cast(array, &DataType::Binary).ok();
            push_string(out, &bytes.map(|b| hex(b.as_binary::<i32>().value(row))).unwrap_or_default());
        }
        t => {
            // A time outside of the calendar's years has no date; its number is its value.
            let text = array_value_to_string(array, row).ok().or_else(|| {
                let number = arrow_cast::cast(array, &DataType::Int64).ok()?;
                array_value_to_string(&number, row).ok()
            });
            let text = text.unwrap_or_else(|| format!("{:?}", array.slice(row, 1)));
            if matches!(kind_of(t), Kind::Number | Kind::Bool) { out.push_str(&text) } else { push_string(out, &text) }
        }
    }
}

/// One value of an array whose type is another one's in disguise.
fn cast_value(out: &mut String, array: &ArrayRef, row: usize, to: &DataType) {
    match arrow_cast::cast(&array.slice(row, 1), to) {
        Ok(plain) => push_value(out, &plain, 0),
        Err(_) => push_string(out, &array_value_to_string(array, row).unwrap_or_default()),
    }
}

fn push_float(out: &mut String, finite: bool, text: &str) {
    if finite { out.push_str(text) } else { push_string(out, text) }
}
