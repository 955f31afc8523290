//! The one pass over all rows: every count of the overview that needs each of them, and the sample for what does not.
//!
//! Batches are counted on several threads and added up in their order, so that the last bit of a sum does not depend on threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use serde::Serialize;

use super::columns::Fill;
use super::sample::{Candidate, Sample, mixed};
use super::{fields, vectors};
use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::dataset::read::{ADDRESS, Work};
use crate::error::Result;
use crate::frame::schema::{NAMESPACE, SOURCE_PAYLOAD};
use crate::frame::vectors::VectorColumn;

/// Source, collection and namespace, and the counts met there.
type Placed<'a> = ((Option<&'a str>, Option<&'a str>, Option<&'a str>), [u64; 4]);

/// Places of which the counts are kept; records of more than these are only counted.
const PLACES: usize = 10_000;

/// One collection or namespace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// The database.
    pub source: Option<String>,
    /// The column `collection`; null where the records belong to none.
    pub collection: Option<String>,
    /// Namespace, tenant or partition; null where there is none.
    pub namespace: Option<String>,
    /// Its records.
    pub records: u64,
    /// Of those, records without a vector.
    pub without_vector: u64,
    /// Of those, records whose vector is all zero.
    pub zero_vectors: u64,
    /// Bytes of their texts (`text_content`).
    pub text_bytes: u64,
}

type Key = (Option<String>, Option<String>, Option<String>);

/// What was counted.
#[derive(Debug)]
pub(super) struct Counted {
    /// Rows.
    pub rows: u64,
    /// Of those, headers.
    pub headers: u64,
    /// Records in places that are not listed, because there are too many.
    pub elsewhere: u64,
    places: BTreeMap<Key, [u64; 4]>,
    fills: Vec<Fill>,
    /// The payloads' fields.
    pub fields: fields::Tally,
    /// The main vectors; `None` where there is no such column.
    pub vectors: Option<vectors::Tally>,
    candidates: Vec<Candidate>,
}

/// What is read, and by which columns.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// Columns that are read, in the schema's order.
    pub columns: Vec<Field>,
    /// Columns of which Lance counts the values, because reading them costs much and tells nothing else.
    pub counted: Vec<Field>,
    /// Values of the main vector.
    pub dimension: Option<usize>,
}

impl Reading {
    /// By the dataset's columns.
    #[must_use]
    pub(super) fn of(schema: &Schema) -> Self {
        let (mut columns, mut counted) = (Vec::new(), Vec::new());
        for field in schema.fields() {
            let blob = matches!(field.data_type(), DataType::LargeBinary | DataType::Binary) || field.metadata().contains_key("lance-encoding:blob");
            let other = VectorColumn::of(field).is_some();
            if blob || other { &mut counted } else { &mut columns }.push(field.as_ref().clone());
        }
        let dimension = columns.iter().find(|f| f.name() == "vector").and_then(|f| match f.data_type() {
            DataType::FixedSizeList(item, width) if *item.data_type() == DataType::Float32 => usize::try_from(*width).ok().filter(|w| *w > 0),
            _ => None,
        });
        Self { columns, counted, dimension }
    }

    /// Rows of a batch: a few megabytes of vectors.
    #[must_use]
    pub(super) fn batch(&self) -> usize {
        batch(self.dimension.unwrap_or(1))
    }
}

/// Rows of a batch of such vectors.
#[must_use]
pub(super) fn batch(dimension: usize) -> usize {
    ((2 << 20) / (dimension * 4)).clamp(64, 2048)
}

impl Counted {
    fn new(reading: &Reading) -> Self {
        Self {
            rows: 0,
            headers: 0,
            elsewhere: 0,
            places: BTreeMap::new(),
            fills: vec![Fill::default(); reading.columns.len()],
            fields: fields::Tally::default(),
            vectors: reading.dimension.map(vectors::Tally::new),
            candidates: vec![],
        }
    }

    fn of(batch: &RecordBatch, reading: &Reading, bound: u64) -> Self {
        let mut counted = Self::new(reading);
        let column = |name: &str| batch.column_by_name(name);
        let texts = |name: &str| column(name).and_then(|c| c.as_string_opt::<i32>());
        let kinds = texts("record_type");
        let records: Vec<bool> = (0..batch.num_rows()).map(|row| value(kinds, row) != Some("collection_header")).collect();
        counted.rows = records.len() as u64;
        counted.headers = records.iter().filter(|is| !**is).count() as u64;
        let sorts = counted.vectors(batch, reading, &records, bound);
        let (sources, collections, namespaces, contents) = (texts("source_type"), texts("collection"), texts(NAMESPACE), texts("text_content"));
        let mut last: Option<Placed<'_>> = None;
        for row in (0..records.len()).filter(|row| records[*row]) {
            let key = (value(sources, row), value(collections, row), value(namespaces, row));
            if last.as_ref().is_none_or(|(before, _)| *before != key) {
                counted.place(last.take());
            }
            let (_, counts) = last.get_or_insert((key, [0; 4]));
            counts[0] += 1;
            counts[1] += u64::from(sorts.get(row) == Some(&vectors::Sort::Missing));
            counts[2] += u64::from(sorts.get(row) == Some(&vectors::Sort::Zero));
            counts[3] += value(contents, row).map_or(0, |text| text.len() as u64);
        }
        counted.place(last);
        for (fill, field) in counted.fills.iter_mut().zip(&reading.columns) {
            // Of the main vector, those that are there are counted already.
            if let Some(values) = column(field.name()).filter(|_| field.name() != "vector") {
                *fill = Fill::of(values, &records);
            }
        }
        if let Some(payloads) = column(SOURCE_PAYLOAD) {
            counted.fields = fields::Tally::of(payloads);
        }
        counted
    }

    fn vectors(&mut self, batch: &RecordBatch, reading: &Reading, records: &[bool], bound: u64) -> Vec<vectors::Sort> {
        let (Some(tally), Some(dimension)) = (&mut self.vectors, reading.dimension) else { return vec![] };
        let addresses = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>());
        let Some(column) = batch.column_by_name("vector") else { return vec![] };
        let mut sorts = vec![vectors::Sort::Missing; records.len()];
        let missing = vec![f32::NAN; dimension];
        for (row, sort) in sorts.iter_mut().enumerate().filter(|(row, _)| records[*row]) {
            let vector = floats(column, row, dimension).unwrap_or(&missing);
            *sort = tally.add(vector);
            let address = addresses.map_or(0, |a| a.value(row));
            let key = mixed(address);
            if *sort == vectors::Sort::Usual && key <= bound {
                self.candidates.push(Candidate { key, address, vector: vector.to_vec() });
            }
        }
        sorts
    }

    fn place(&mut self, met: Option<Placed<'_>>) {
        if let Some(((source, collection, namespace), counts)) = met {
            let own = |text: Option<&str>| text.map(str::to_owned);
            self.add((own(source), own(collection), own(namespace)), counts);
        }
    }

    fn add(&mut self, key: Key, counts: [u64; 4]) {
        if self.places.len() >= PLACES && !self.places.contains_key(&key) {
            self.elsewhere += counts[0];
            return;
        }
        self.places.entry(key).or_default().iter_mut().zip(counts).for_each(|(a, b)| *a += b);
    }

    fn merge(&mut self, other: Self, sample: &mut Sample) {
        self.rows += other.rows;
        self.headers += other.headers;
        self.elsewhere += other.elsewhere;
        other.places.into_iter().for_each(|(key, counts)| self.add(key, counts));
        self.fills.iter_mut().zip(other.fills).for_each(|(a, b)| a.merge(b));
        self.fields.merge(other.fields);
        if let (Some(a), Some(b)) = (&mut self.vectors, other.vectors) {
            a.merge(b);
        }
        other.candidates.into_iter().for_each(|row| sample.offer(row));
    }

    /// Rows that are no headers.
    #[must_use]
    pub(super) fn records(&self) -> u64 {
        self.rows - self.headers
    }

    /// How full the columns are that were read, in the schema's order.
    #[must_use]
    pub(super) fn fills(&self) -> &[Fill] {
        &self.fills
    }

    /// The places, the largest first.
    #[must_use]
    pub(super) fn places(&self) -> Vec<Place> {
        let of = |((source, collection, namespace), counts): (&Key, &[u64; 4])| Place {
            source: source.clone(),
            collection: collection.clone(),
            namespace: namespace.clone(),
            records: counts[0],
            without_vector: counts[1],
            zero_vectors: counts[2],
            text_bytes: counts[3],
        };
        let mut places: Vec<Place> = self.places.iter().map(of).collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.records));
        places
    }
}

fn value(texts: Option<&StringArray>, row: usize) -> Option<&str> {
    texts.filter(|t| t.is_valid(row)).map(|t| t.value(row))
}

/// The values of a row's vector; `None` where it is null.
#[must_use]
pub(super) fn floats(column: &ArrayRef, row: usize, dimension: usize) -> Option<&[f32]> {
    let lists = column.as_fixed_size_list_opt().filter(|lists| lists.is_valid(row))?;
    let values = lists.values().as_primitive_opt::<Float32Type>()?.values();
    let start = usize::try_from(lists.value_offset(row)).ok()?;
    values.get(start..start + dimension)
}

/// Reads everything once.
///
/// # Errors
/// The dataset cannot be read.
pub(super) fn pass(engine: &Engine, opened: &Opened, reading: &Reading, sample: &mut Sample) -> Result<Counted> {
    let columns: Vec<String> = reading.columns.iter().map(|f| f.name().clone()).collect();
    let (theirs, bound) = (Arc::new(reading.clone()), sample.bound());
    let work: Work<Counted> = Arc::new(move |batch| Ok(Counted::of(batch, &theirs, bound.load(Ordering::Relaxed))));
    let mut all = Counted::new(reading);
    opened.scan(engine, &columns, reading.batch(), &work, &mut |counted| {
        all.merge(counted, sample);
        Ok(())
    })?;
    Ok(all)
}
