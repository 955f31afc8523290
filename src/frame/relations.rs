//! The column `relationships`: a record's links to its headers, and its references to other records.
//!
//! Not which those are: headers follow from the collection, references from [`super::links`].

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, ListArray, StringArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};

use super::links::Reference;
use super::schema::{list_of, relationship_fields};

/// The type of a reference.
const REFERENCE: &str = "reference";

/// Builds the column row by row.
#[derive(Debug)]
pub(super) struct Relations {
    types: StringBuilder,
    ids: StringBuilder,
    titles: StringBuilder,
    /// The field that a reference was made of; null for the link to a header.
    fields: StringBuilder,
    offsets: Vec<i32>,
}

impl Default for Relations {
    fn default() -> Self {
        Self { types: StringBuilder::new(), ids: StringBuilder::new(), titles: StringBuilder::new(), fields: StringBuilder::new(), offsets: vec![0] }
    }
}

impl Relations {
    /// The row's link to a header, of this type.
    pub(super) fn header(&mut self, kind: &str, id: &str, title: &str) {
        self.types.append_value(kind);
        self.ids.append_value(id);
        self.titles.append_value(title);
        self.fields.append_null();
    }

    /// Ends the row, with its references.
    pub(super) fn end_row(&mut self, references: &[Reference]) {
        for reference in references {
            self.types.append_value(REFERENCE);
            self.ids.append_value(&reference.id);
            self.titles.append_value(&reference.title);
            self.fields.append_value(&reference.field);
        }
        self.offsets.push(i32::try_from(arrow_array::builder::ArrayBuilder::len(&self.ids)).unwrap_or(i32::MAX));
    }

    /// The column.
    ///
    /// # Errors
    /// It does not fit the schema: a defect of this program.
    pub(super) fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let ids = self.ids.finish();
        let none = || -> ArrayRef { Arc::new(StringArray::new_null(ids.len())) };
        let (types, titles, fields) = (self.types.finish(), self.titles.finish(), self.fields.finish());
        let children: Vec<ArrayRef> = vec![Arc::new(types), Arc::new(ids.clone()), none(), none(), none(), Arc::new(titles), Arc::new(fields)];
        let items = StructArray::try_new(relationship_fields(), children, None)?;
        let DataType::List(item) = list_of(relationship_fields()) else { unreachable!("list_of makes a list") };
        Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::new(ScalarBuffer::from(self.offsets)), Arc::new(items), None)?))
    }
}
