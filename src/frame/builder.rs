//! Records to one Arrow batch in the dataset's schema.
//!
//! Refuses nothing: a decoder has checked ids, dimensions and kinds before. Decides only where a value goes, by the mapping.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, LargeBinaryBuilder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, ListArray, RecordBatch, StringArray, StructArray, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use uuid::Uuid;

use super::identity::Collection;
use super::mapping::{Mapping, Target, fits};
use super::pairs::{PairsBuilder, string_value};
use super::record::{Other, Payload, Record};
use super::schema::{Column, list_of, relationship_fields, schema};
use super::vectors::{Layout, VectorColumn, VectorKind, dimension_i32};
use crate::formats::json::{Cursor, JsonError, Kind};

/// What is the same for every record of a collection.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The collection.
    pub collection: Collection,
    /// `member_of`, or `reference` for writers of ContextFrame 0.1.1.
    pub relationship: &'static str,
    /// The main vector's name where the source gives it one other than `default`.
    pub vector_type: Option<String>,
}

/// Where a target column's text builder lies in [`FrameBuilder::texts`].
const TEXTS: [(&str, Column); 9] = [
    ("version", Column::Version),
    ("context", Column::Context),
    ("uri", Column::Uri),
    ("author", Column::Author),
    ("created_at", Column::CreatedAt),
    ("updated_at", Column::UpdatedAt),
    ("status", Column::Status),
    ("source_file", Column::SourceFile),
    ("source_url", Column::SourceUrl),
];

/// Builds one batch.
#[derive(Debug)]
pub struct FrameBuilder<'m> {
    membership: &'m Membership,
    mapping: &'m Mapping,
    layout: &'m Layout,
    rows: usize,
    uuids: StringBuilder,
    text_content: StringBuilder,
    vector: Vec<f32>,
    title: StringBuilder,
    texts: [StringBuilder; TEXTS.len()],
    position: Int32Builder,
    tags: ListBuilder<StringBuilder>,
    contributors: ListBuilder<StringBuilder>,
    pairs: PairsBuilder,
    ids: StringBuilder,
    payloads: StringBuilder,
    rest: StringBuilder,
    others: Vec<OtherBuilder>,
}

impl<'m> FrameBuilder<'m> {
    /// An empty builder.
    #[must_use]
    pub fn new(membership: &'m Membership, mapping: &'m Mapping, layout: &'m Layout) -> Self {
        Self {
            membership,
            mapping,
            layout,
            rows: 0,
            uuids: StringBuilder::new(),
            text_content: StringBuilder::new(),
            vector: Vec::new(),
            title: StringBuilder::new(),
            texts: std::array::from_fn(|_| StringBuilder::new()),
            position: Int32Builder::new(),
            tags: ListBuilder::new(StringBuilder::new()),
            contributors: ListBuilder::new(StringBuilder::new()),
            pairs: PairsBuilder::default(),
            ids: StringBuilder::new(),
            payloads: StringBuilder::new(),
            rest: StringBuilder::new(),
            others: layout.others.iter().map(OtherBuilder::new).collect(),
        }
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds one record. Its vectors have the layout's dimensions and its id is there.
    pub fn append(&mut self, uuid: Uuid, record: &Record<'_>) {
        let id = record.id.as_deref().unwrap_or_default();
        let mut buffer = Uuid::encode_buffer();
        self.uuids.append_value(uuid.hyphenated().encode_lower(&mut buffer));
        self.ids.append_value(id);
        match &record.payload {
            Payload::Missing => self.payloads.append_null(),
            Payload::Text(text) => self.payloads.append_value(text),
        }
        if record.rest.is_empty() {
            self.rest.append_null();
        } else {
            self.rest.append_value(format!("{{{}}}", record.rest));
        }
        match &record.main {
            Some(range) => self.vector.extend_from_slice(&record.floats[range.clone()]),
            None => self.vector.extend(std::iter::repeat_n(f32::NAN, self.layout.dimension)),
        }
        for (index, builder) in self.others.iter_mut().enumerate() {
            builder.append(record.others.iter().find(|(at, _)| *at == index).map(|(_, other)| other), record);
        }
        self.pairs.push("source", &format!("{}_migration", self.membership.collection.source));
        self.pairs.push("original_id", id);
        if !self.membership.collection.namespace.is_empty() {
            self.pairs.push("namespace", &self.membership.collection.namespace);
        }
        if let Some(name) = &self.membership.vector_type {
            self.pairs.push("vector_type", name);
        }
        self.append_fields(id, record);
        self.pairs.end_row();
        self.rows += 1;
    }

    fn append_fields(&mut self, id: &str, record: &Record<'_>) {
        let text_field = if record.text.is_some() {
            None
        } else {
            let found = |name: &String| record.fields.iter().position(|f| f.kind == Kind::String && f.key == name.as_str());
            self.mapping.text_order().iter().find_map(found)
        };
        let mut taken: [Option<usize>; Column::ALL.len()] = [None; Column::ALL.len()];
        for (index, field) in record.fields.iter().enumerate() {
            if text_field == Some(index) {
                continue;
            }
            let mut rename = None;
            match self.mapping.target(&field.key) {
                Some(Target::Column(column)) => {
                    let slot = &mut taken[*column as usize];
                    let value = if field.kind == Kind::String { string_value(&field.raw) } else { field.raw.as_ref().into() };
                    let whole = !matches!(column, Column::Tags | Column::Contributors) || strings(&value).is_some();
                    if slot.is_none() && whole && fits(*column, field.kind, &value) {
                        *slot = Some(index);
                        continue;
                    }
                }
                Some(Target::Custom(key)) => rename = Some(key.as_str()),
                None => {}
            }
            self.pairs.push_field(field, rename, &record.fields);
        }
        let field = |column: Column| taken[column as usize].map(|index| &record.fields[index]);
        match (&record.text, text_field) {
            (Some(text), _) => self.text_content.append_value(text),
            (None, Some(index)) => self.text_content.append_value(string_value(&record.fields[index].raw)),
            (None, None) => self.text_content.append_value(""),
        }
        match field(Column::Title) {
            Some(title) => self.title.append_value(string_value(&title.raw)),
            None => self.title.append_value(format!("Document {id}")),
        }
        for (builder, (_, column)) in self.texts.iter_mut().zip(TEXTS) {
            builder.append_option(field(column).map(|f| string_value(&f.raw)));
        }
        self.position.append_option(field(Column::Position).and_then(|f| f.raw.parse::<i32>().ok()));
        append_list(&mut self.tags, field(Column::Tags).and_then(|f| strings(&f.raw)));
        append_list(&mut self.contributors, field(Column::Contributors).and_then(|f| strings(&f.raw)));
    }

    /// The batch, in the order of [`schema`].
    ///
    /// # Errors
    /// A column that does not fit the schema: a defect of this program, not of the data.
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows;
        let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) };
        let none = || -> ArrayRef { Arc::new(StringArray::new_null(rows)) };
        let collection = &self.membership.collection;
        let header = collection.header_uuid().to_string();
        let mut texts: Vec<ArrayRef> = self.texts.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
        let mut take = |column: Column| -> ArrayRef {
            let at = TEXTS.iter().position(|(_, c)| *c == column).unwrap_or_default();
            std::mem::replace(&mut texts[at], none())
        };
        let mut raw_data = LargeBinaryBuilder::new();
        (0..rows).for_each(|_| raw_data.append_null());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.uuids.finish()),
            Arc::new(self.text_content.finish()),
            fixed_list(self.layout.dimension, std::mem::take(&mut self.vector), None)?,
            Arc::new(self.title.finish()),
            take(Column::Version),
            take(Column::Context),
            take(Column::Uri),
            none(),
            none(),
            same(&collection.name),
            same(&header),
            same("uuid"),
            Arc::new(self.position.finish()),
            take(Column::Author),
            Arc::new(self.contributors.finish()),
            take(Column::CreatedAt),
            take(Column::UpdatedAt),
            Arc::new(self.tags.finish()),
            take(Column::Status),
            take(Column::SourceFile),
            same(&collection.source),
            take(Column::SourceUrl),
            relationships(self.membership, &header, rows)?,
            self.pairs.finish(),
            same("document"),
            none(),
            Arc::new(raw_data.finish()),
            Arc::new(self.ids.finish()),
            Arc::new(self.payloads.finish()),
            Arc::new(self.rest.finish()),
        ];
        for builder in self.others {
            columns.push(builder.finish()?);
        }
        RecordBatch::try_new(schema(self.layout), columns)
    }
}

/// The strings of a JSON array of nothing but strings.
fn strings(raw: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let done = Cursor::new(raw).array(|cursor| -> Result<(), JsonError> {
        out.push(cursor.string()?.value().into_owned());
        Ok(())
    });
    done.ok().map(|()| out)
}

fn append_list(builder: &mut ListBuilder<StringBuilder>, values: Option<Vec<String>>) {
    match values {
        Some(values) => {
            for value in values {
                builder.values().append_value(value);
            }
            builder.append(true);
        }
        None => builder.append(false),
    }
}

/// A fixed-size list column over `values` (rows × dimension).
///
/// # Errors
/// The number of values is no multiple of the dimension.
pub fn fixed_list(dimension: usize, values: Vec<f32>, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    Ok(Arc::new(FixedSizeListArray::try_new(item, dimension_i32(dimension), Arc::new(Float32Array::from(values)), nulls)?))
}

/// One relationship to the header in each row.
fn relationships(membership: &Membership, header: &str, rows: usize) -> Result<ArrayRef, ArrowError> {
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) };
    let none = || -> ArrayRef { Arc::new(StringArray::new_null(rows)) };
    let title = membership.collection.header_title();
    let children = vec![same(membership.relationship), same(header), none(), none(), none(), same(&title), none()];
    let items = StructArray::try_new(relationship_fields(), children, None)?;
    let DataType::List(item) = list_of(relationship_fields()) else { unreachable!("list_of makes a list") };
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_repeated_length(1, rows), Arc::new(items), None)?))
}

/// Builds the column of one vector beside the main one.
#[derive(Debug)]
struct OtherBuilder {
    column: VectorColumn,
    valid: Vec<bool>,
    floats: Vec<f32>,
    indices: Vec<u32>,
    /// Ends of the inner lists (rows of multi-vectors, or sparse entries per row).
    inner: Vec<i32>,
    /// Ends of the outer lists of multi-vectors, in inner lists.
    outer: Vec<i32>,
}

impl OtherBuilder {
    fn new(column: &VectorColumn) -> Self {
        Self { column: column.clone(), valid: vec![], floats: vec![], indices: vec![], inner: vec![0], outer: vec![0] }
    }

    fn append(&mut self, other: Option<&Other>, record: &Record<'_>) {
        self.valid.push(other.is_some());
        match (self.column.kind, other) {
            (VectorKind::Dense(_), Some(Other::Dense(range))) => self.floats.extend_from_slice(&record.floats[range.clone()]),
            (VectorKind::Dense(d), _) => self.floats.extend(std::iter::repeat_n(0.0, d)),
            (VectorKind::Multi(_), other) => {
                if let Some(Other::Multi(rows)) = other {
                    for range in rows {
                        self.floats.extend_from_slice(&record.floats[range.clone()]);
                        self.inner.push(end(self.floats.len()));
                    }
                }
                self.outer.push(end(self.inner.len() - 1));
            }
            (VectorKind::Sparse, other) => {
                if let Some(Other::Sparse { indices, values }) = other {
                    self.indices.extend_from_slice(&record.indices[indices.clone()]);
                    self.floats.extend_from_slice(&record.floats[values.clone()]);
                }
                self.inner.push(end(self.floats.len()));
            }
        }
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = Some(NullBuffer::from(self.valid));
        let offsets = |ends: Vec<i32>| OffsetBuffer::new(ScalarBuffer::from(ends));
        let item = |data_type: DataType| Arc::new(Field::new("item", data_type, true));
        match self.column.kind {
            VectorKind::Dense(d) => fixed_list(d, self.floats, nulls),
            VectorKind::Multi(_) => {
                let rows = ListArray::try_new(item(DataType::Float32), offsets(self.inner), Arc::new(Float32Array::from(self.floats)), None)?;
                let field = item(arrow_array::Array::data_type(&rows).clone());
                Ok(Arc::new(ListArray::try_new(field, offsets(self.outer), Arc::new(rows), nulls)?))
            }
            VectorKind::Sparse => {
                let ends = offsets(self.inner);
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
