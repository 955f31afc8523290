//! The columns of vectors beside the main one: dense in their own element type, multi and sparse.
//!
//! Not which vector goes where ([`super::vectors`]), and not the main one ([`super::builder`]).

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, ListArray, StructArray, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};

use super::element::Element;
use super::record::{Other, Record};
use super::vectors::{VectorColumn, VectorKind, dimension_i32};

/// Builds the column of one vector beside the main one.
#[derive(Debug)]
pub(super) struct OtherBuilder {
    column: VectorColumn,
    valid: Vec<bool>,
    /// Values of float32.
    floats: Vec<f32>,
    /// Values of any other type.
    bytes: Vec<u8>,
    indices: Vec<u32>,
    /// Ends of the rows' lists: in rows of multi-vectors, or in sparse entries.
    ends: Vec<i32>,
    /// Rows of multi-vectors so far.
    rows: usize,
}

impl OtherBuilder {
    pub(super) fn new(column: &VectorColumn) -> Self {
        Self { column: column.clone(), valid: vec![], floats: vec![], bytes: vec![], indices: vec![], ends: vec![0], rows: 0 }
    }

    pub(super) fn append(&mut self, other: Option<&Other>, record: &Record<'_>) {
        self.valid.push(other.is_some());
        match (self.column.kind, other) {
            (VectorKind::Dense(..), Some(Other::Dense(range))) => self.floats.extend_from_slice(&record.floats[range.clone()]),
            (VectorKind::Dense(..), Some(Other::Typed(range))) => self.bytes.extend_from_slice(&record.bytes[range.clone()]),
            (VectorKind::Dense(d, Element::Float32), _) => self.floats.extend(std::iter::repeat_n(0.0, d)),
            (VectorKind::Dense(d, element), _) => self.bytes.extend(std::iter::repeat_n(0, element.bytes(d))),
            (VectorKind::Multi(..), other) => {
                match other {
                    Some(Other::Multi(rows)) => {
                        for range in rows {
                            self.floats.extend_from_slice(&record.floats[range.clone()]);
                        }
                        self.rows += rows.len();
                    }
                    Some(Other::TypedMulti(rows)) => {
                        for range in rows {
                            self.bytes.extend_from_slice(&record.bytes[range.clone()]);
                        }
                        self.rows += rows.len();
                    }
                    _ => {}
                }
                self.ends.push(end(self.rows));
            }
            (VectorKind::Sparse, other) => {
                if let Some(Other::Sparse { indices, values }) = other {
                    self.indices.extend_from_slice(&record.indices[indices.clone()]);
                    self.floats.extend_from_slice(&record.floats[values.clone()]);
                }
                self.ends.push(end(self.floats.len()));
            }
        }
    }

    pub(super) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = Some(NullBuffer::from(self.valid));
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let item = |data_type: DataType| Arc::new(Field::new("item", data_type, true));
        match self.column.kind {
            VectorKind::Dense(d, element) | VectorKind::Multi(d, element) => {
                let values = if element == Element::Float32 { Arc::new(Float32Array::from(self.floats)) } else { element.array(self.bytes)? };
                let fixed = |nulls| FixedSizeListArray::try_new(Arc::new(element.item()), dimension_i32(element.items(d)), values, nulls);
                if matches!(self.column.kind, VectorKind::Dense(..)) {
                    return Ok(Arc::new(fixed(nulls)?));
                }
                let rows = fixed(None)?;
                let field = item(arrow_array::Array::data_type(&rows).clone());
                Ok(Arc::new(ListArray::try_new(field, ends, Arc::new(rows), nulls)?))
            }
            VectorKind::Sparse => {
                let indices = ListArray::try_new(item(DataType::UInt32), ends.clone(), Arc::new(UInt32Array::from(self.indices)), None)?;
                let values = ListArray::try_new(item(DataType::Float32), ends, Arc::new(Float32Array::from(self.floats)), None)?;
                let DataType::Struct(fields) = self.column.field().data_type().clone() else { unreachable!("sparse is a struct") };
                Ok(Arc::new(StructArray::try_new(fields, vec![Arc::new(indices), Arc::new(values)], nulls)?))
            }
        }
    }
}

fn end(length: usize) -> i32 {
    // A chunk is far below 2 GiB, so a batch of it cannot reach this.
    i32::try_from(length).unwrap_or(i32::MAX)
}
