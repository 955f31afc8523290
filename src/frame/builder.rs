//! Records to one Arrow batch in the dataset's schema.
//!
//! Refuses nothing: a decoder has checked ids, dimensions and kinds before. Decides only where a value goes, by the mapping.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, LargeBinaryBuilder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Field};
use uuid::Uuid;

use super::dates::DatesBuilder;
use super::identity::Collection;
use super::mapping::{Constant, Joined, Mapping, Target, fits};
use super::moment::{of_iso, of_value};
use super::others::OtherBuilder;
use super::pairs::{PairsBuilder, string_value};
use super::promote::PromotedBuilder;
use super::record::{Payload, Record};
use super::relations::Relations;
use super::schema::{Column, schema};
use super::space::Spaces;
use super::unseen::Unseen;
use super::vectors::{Layout, dimension_i32};
use crate::formats::json::{Cursor, JsonError, Kind, push_string};

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
    uuids: StringBuilder,
    text_content: StringBuilder,
    vector: Vec<f32>,
    title: StringBuilder,
    texts: [StringBuilder; TEXTS.len()],
    position: Int32Builder,
    tags: ListBuilder<StringBuilder>,
    contributors: ListBuilder<StringBuilder>,
    pairs: PairsBuilder,
    /// Uuid and title of the collection's header.
    header: (String, String),
    relations: Relations,
    ids: StringBuilder,
    payloads: StringBuilder,
    rest: StringBuilder,
    unseen: Unseen,
    dates: DatesBuilder,
    promoted: PromotedBuilder,
    spaces: Spaces,
    /// The number of each row's namespace.
    rows_spaces: Vec<u32>,
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
            uuids: StringBuilder::new(),
            text_content: StringBuilder::new(),
            vector: Vec::new(),
            title: StringBuilder::new(),
            texts: std::array::from_fn(|_| StringBuilder::new()),
            position: Int32Builder::new(),
            tags: ListBuilder::new(StringBuilder::new()),
            contributors: ListBuilder::new(StringBuilder::new()),
            pairs: PairsBuilder::default(),
            header: (membership.collection.header_uuid().to_string(), membership.collection.header_title()),
            relations: Relations::default(),
            ids: StringBuilder::new(),
            payloads: StringBuilder::new(),
            rest: StringBuilder::new(),
            unseen: Unseen::default(),
            dates: DatesBuilder::default(),
            promoted: PromotedBuilder::new(&layout.promoted),
            spaces: Spaces::new(&membership.collection),
            rows_spaces: Vec::new(),
            others: layout.others.iter().map(OtherBuilder::new).collect(),
        }
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows_spaces.len()
    }

    /// What was met that no row shows. Read it before [`Self::finish`].
    pub fn take_unseen(&mut self) -> Unseen {
        std::mem::take(&mut self.unseen)
    }

    /// Values that a column of their own could not hold so far, by column.
    #[must_use]
    pub fn unfit(&self) -> BTreeMap<String, u64> {
        self.dates.unfit().chain(self.promoted.unfit()).collect()
    }

    /// Every namespace of the rows so far, by the numbers that [`Self::append`] gives; 0 is the shard's, met or not.
    #[must_use]
    pub fn spaces(&self) -> Vec<String> {
        self.spaces.names()
    }

    /// Adds one record. Its vectors have the layout's dimensions and its id is there. Gives its uuid, and the number of its namespace.
    pub fn append(&mut self, record: &Record<'_>) -> (Uuid, u32) {
        let id = record.id.as_deref().unwrap_or_default();
        let number = self.spaces.number(record.namespace.as_deref());
        let uuid = self.spaces.get(number).uuid(id);
        let mut buffer = Uuid::encode_buffer();
        self.uuids.append_value(uuid.hyphenated().encode_lower(&mut buffer));
        self.ids.append_value(id);
        match &record.payload {
            Payload::Missing => self.payloads.append_null(),
            Payload::Text(text) => self.payloads.append_value(text),
        }
        self.rest.append_option(rest(record, self.mapping));
        match &record.main {
            Some(range) => self.vector.extend_from_slice(&record.floats[range.clone()]),
            None => self.vector.extend(std::iter::repeat_n(f32::NAN, self.layout.dimension)),
        }
        for (index, builder) in self.others.iter_mut().enumerate() {
            builder.append(record.others.iter().find(|(at, _)| *at == index).map(|(_, other)| other), record);
        }
        self.pairs.push("source", &format!("{}_migration", self.membership.collection.source));
        self.pairs.push("original_id", id);
        let namespace = self.spaces.get(number).namespace();
        if !namespace.is_empty() {
            self.pairs.push("namespace", namespace);
        }
        if let Some(name) = &self.membership.vector_type {
            self.pairs.push("vector_type", name);
        }
        self.relations.header(self.membership.relationship, &self.header.0, &self.header.1);
        if let Some((id, title)) = &self.spaces.get(number).header {
            self.relations.header(self.membership.relationship, id, title);
        }
        self.relations.end_row(&self.mapping.links().of(record, &self.membership.collection, namespace, &mut self.unseen));
        for field in &record.dropped {
            self.unseen.drop(field);
        }
        self.append_fields(id, record);
        self.promoted.append(record);
        self.pairs.end_row();
        self.rows_spaces.push(number);
        (uuid, number)
    }

    fn append_fields(&mut self, id: &str, record: &Record<'_>) {
        let mapping = self.mapping;
        let text_field = if record.text.is_some() {
            None
        } else {
            let found = |name: &String| record.fields.iter().position(|f| f.kind == Kind::String && f.key == name.as_str());
            mapping.text_order().iter().find_map(found)
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
                    if slot.is_none() && whole && mapping.constant(*column).is_none() && fits(*column, field.kind, &value) {
                        *slot = Some(index);
                        continue;
                    }
                }
                Some(Target::Custom(key)) => rename = Some(key.as_str()),
                None => {}
            }
            self.pairs.push_field(field, rename, &record.fields, mapping);
        }
        for (key, value) in mapping.pairs() {
            self.pairs.push_constant(key, value);
        }
        let field = |column: Column| taken[column as usize].map(|index| &record.fields[index]);
        match (mapping.joined(), &record.text, text_field) {
            (Some(joined), ..) => self.text_content.append_value(join(joined, record)),
            (None, Some(text), _) => self.text_content.append_value(text),
            (None, None, Some(index)) => self.text_content.append_value(string_value(&record.fields[index].raw)),
            (None, None, None) => self.text_content.append_value(""),
        }
        match (mapping.constant(Column::Title), field(Column::Title)) {
            (Some(Constant::Text(title)), _) => self.title.append_value(title),
            (_, Some(title)) => self.title.append_value(string_value(&title.raw)),
            _ => self.title.append_value(format!("Document {id}")),
        }
        self.note_columns(id, record, text_field, &taken);
        let constant = |column| if let Some(Constant::Text(day)) = mapping.constant(column) { of_iso(day) } else { None };
        let moment = |column| constant(column).or_else(|| field(column).and_then(|f| of_value(f.kind, &f.raw)));
        let [made, changed] = self.dates.append(record, mapping, [moment(Column::CreatedAt), moment(Column::UpdatedAt)]);
        for (name, column, day) in [("created_at", Column::CreatedAt, &made), ("updated_at", Column::UpdatedAt, &changed)] {
            // A day that was read out of a field, which stays where it is.
            if day.is_some() && field(column).is_none() && mapping.constant(column).is_none() {
                self.pairs.note_column(name, None);
            }
        }
        for (builder, (_, column)) in self.texts.iter_mut().zip(TEXTS) {
            match (mapping.constant(column), column) {
                (Some(Constant::Text(text)), _) => builder.append_value(text),
                (_, Column::CreatedAt) => builder.append_option(made.as_deref()),
                (_, Column::UpdatedAt) => builder.append_option(changed.as_deref()),
                _ => builder.append_option(field(column).map(|f| string_value(&f.raw))),
            }
        }
        self.position.append_option(match mapping.constant(Column::Position) {
            Some(Constant::Position(number)) => Some(*number),
            _ => field(Column::Position).and_then(|f| f.raw.parse::<i32>().ok()),
        });
        for (builder, column) in [(&mut self.tags, Column::Tags), (&mut self.contributors, Column::Contributors)] {
            let list = match mapping.constant(column) {
                Some(Constant::Texts(texts)) => Some(texts.clone()),
                _ => field(column).and_then(|f| strings(&f.raw)),
            };
            append_list(builder, list);
        }
    }

    /// Says of each column what cannot be told from its name: which field it holds.
    fn note_columns(&mut self, id: &str, record: &Record<'_>, text: Option<usize>, taken: &[Option<usize>; Column::ALL.len()]) {
        if let Some(index) = text {
            self.pairs.note_column("text_content", Some(&record.fields[index].key));
        }
        for (name, column) in Column::ALL {
            if self.mapping.constant(column).is_some() {
                self.pairs.note_column(name, None);
            }
            let Some(field) = taken[column as usize].map(|index| &record.fields[index]) else { continue };
            // Without a title, a record gets one that looks like this.
            let made = || column == Column::Title && string_value(&field.raw).strip_prefix("Document ") == Some(id);
            if field.key != name || made() {
                self.pairs.note_column(name, Some(&field.key));
            }
        }
    }

    /// The batch, in the order of [`schema`].
    ///
    /// # Errors
    /// A column that does not fit the schema: a defect of this program, not of the data.
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows();
        let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) };
        let none = || -> ArrayRef { Arc::new(StringArray::new_null(rows)) };
        let collection = &self.membership.collection;
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
            same(&self.header.0),
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
            self.relations.finish()?,
            self.pairs.finish(),
            same("document"),
            none(),
            Arc::new(raw_data.finish()),
            Arc::new(self.ids.finish()),
            Arc::new(self.payloads.finish()),
            Arc::new(self.rest.finish()),
            Arc::new(self.rows_spaces.iter().map(|n| Some(self.spaces.get(*n).namespace()).filter(|name| !name.is_empty())).collect::<StringArray>()),
        ];
        columns.extend(self.dates.finish());
        columns.extend(self.promoted.finish()?);
        for builder in self.others {
            columns.push(builder.finish()?);
        }
        RecordBatch::try_new(schema(self.layout), columns)
    }
}

/// Fields without a place of their own, as one object; with them, the text outside of the payload where it is joined with others.
fn rest(record: &Record<'_>, mapping: &Mapping) -> Option<String> {
    let mut out = record.rest.clone();
    let own = mapping.joined().and_then(|j| j.own.as_ref()).zip(record.text.as_ref());
    if let Some((name, text)) = own {
        push_key(&mut out, name);
        push_string(&mut out, text);
    }
    (!out.is_empty()).then(|| format!("{{{out}}}"))
}

/// Appends `"key":` to the inside of an object.
fn push_key(object: &mut String, key: &str) {
    if !object.is_empty() {
        object.push(',');
    }
    push_string(object, key);
    object.push(':');
}

/// The strings among the joined fields that are there and not empty, with the separator between them.
fn join(joined: &Joined, record: &Record<'_>) -> String {
    let part = |name: &String| match &record.text {
        Some(text) if joined.own.as_ref() == Some(name) => Some(Cow::Borrowed(text.as_ref())),
        _ => record.fields.iter().find(|f| f.kind == Kind::String && f.key == name.as_str()).map(|f| string_value(&f.raw)),
    };
    joined.fields.iter().filter_map(part).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(&joined.separator)
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
