//! Parquet: the bytes of a file, and batches of columns as files can hold them.
//!
//! Not text (`decode.rs`).

use std::fs::File;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, MapArray, NullArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, TimeUnit};
use vec2lance::formats::json::Cursor;
use vec2lance::formats::parquet::{Rows, footer, row_text};
use vec2lance::formats::{Chunk, Decoder, detect};
use vec2lance::frame::vectors::Layout;

use super::check::{file, is_json, said, settle, texts_of};
use super::decode::BUILT_IN;

/// Rows after which a file is left alone: a few bytes can say that a null is repeated for ever.
const ENOUGH: usize = 2000;

/// Any bytes as a Parquet file: an error or as many rows as the footer says, the same in batches of every size and from every
/// row, and every row is a record or a reject.
pub fn parquet(data: &[u8]) {
    let file = file(data);
    let open = || File::open(file.path()).expect("it was just written");
    // As the plan does: a file whose footer is bad is read no further.
    let Some(footer) = said(footer(open(), "fuzz")) else { return };
    let read = |rows: usize, first: u64| {
        let mut out = Vec::new();
        let mut reader = said(Rows::open_at(open(), "fuzz", rows, first))?;
        while let Some(chunk) = said(reader.next_chunk())? {
            out.push(chunk);
            if out.iter().map(height).sum::<usize>() > ENOUGH {
                return None;
            }
        }
        Some(out)
    };
    let Some(chunks) = read(16, 0) else { return };
    let texts = texts(&chunks, 0);
    assert_eq!(footer.rows, texts.len() as u64, "rows that the footer promises are missing");
    let from = texts.len() / 2;
    for (rows, first) in [(1, 0), (7, from)] {
        // Of a damaged page, one size may meet what another passes over; then it is an error.
        if let Some(chunks) = read(rows, first as u64) {
            assert_eq!(self::texts(&chunks, first), texts[first..]);
        }
    }
    chunks.iter().for_each(decode);
}

fn height(chunk: &Chunk) -> usize {
    if let Chunk::Rows { batch, .. } = chunk { batch.num_rows() } else { 0 }
}

/// Every row as text; `first` is the number of the first one.
fn texts(chunks: &[Chunk], mut from: usize) -> Vec<String> {
    let mut out = Vec::new();
    for chunk in chunks {
        let Chunk::Rows { batch, first } = chunk else { unreachable!("Parquet gives rows") };
        assert_eq!(*first, from as u64);
        out.extend((0..batch.num_rows()).map(|row| row_text(batch, row)));
        from += batch.num_rows();
    }
    out
}

/// Any bytes as a recipe for a batch of columns: names that layouts have, types that files have, values of every kind.
pub fn rows(data: &[u8]) {
    let mut recipe = Recipe(data);
    let height = recipe.below(5) + 1;
    let columns: Vec<(String, ArrayRef)> = (0..=recipe.below(5)).map(|_| (NAMES[recipe.below(NAMES.len())].to_owned(), recipe.array(height, 0))).collect();
    let fields: Fields = columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one height");
    decode(&Chunk::Rows { batch, first: 0 });
}

/// Every layout's decoder on these rows.
fn decode(chunk: &Chunk) {
    let Chunk::Rows { batch, first } = chunk else { unreachable!("Parquet gives rows") };
    for row in 0..batch.num_rows() {
        let text = row_text(batch, row);
        assert!(is_json(&text), "{text}");
        let mut cells = batch.columns().iter();
        let walked = Cursor::new(&text).object(|_, cursor| -> Result<(), vec2lance::formats::json::JsonError> {
            let (cell, value) = (cells.next().expect("a column for each key"), cursor.value()?);
            let null = cell.logical_nulls().is_some_and(|nulls| nulls.is_null(row));
            assert_eq!(null, value.raw == "null", "a null of type {} is written {}", cell.data_type(), value.raw);
            Ok(())
        });
        assert!(walked.is_ok());
    }
    assert_eq!(detect::keys_of(chunk).len(), 1);
    said(detect::entity_fields(chunk, None, None, "fuzz"));
    for decoders in BUILT_IN.iter() {
        let mut layout = Layout { main: None, dimension: 2, ..Layout::default() };
        // A column of a type that can be no id or no vector at all ends the run.
        if let Err(ArrowError::CastError(_) | ArrowError::InvalidArgumentError(_)) = decoders.parquet.decode(chunk, &layout) {
            continue;
        }
        let decoded = settle(&decoders.parquet, chunk, &mut layout);
        assert_eq!(decoded.records, batch.num_rows() as u64);
        let mut numbers: Vec<u64> = decoded.origins.iter().map(|o| o.place.record).chain(decoded.rejects.iter().map(|r| r.place.record)).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(first + 1..=first + decoded.records));
        decoded.batch.as_ref().map(texts_of);
    }
}

const NAMES: [&str; 17] = [
    "id",
    "pk",
    "values",
    "vector",
    "vectors",
    "embedding",
    "v",
    "w",
    "s",
    "sparse_values",
    "sparseValues",
    "metadata",
    "payload",
    "properties",
    "document",
    "title",
    "x",
];
const CHILDREN: [&str; 5] = ["indices", "values", "a", "default", "id"];
const TEXTS: [&str; 8] = ["", "a", "{}", "{\"a\":1,\"title\":\"t\"}", "null", "{\"a\":", "[1]", "\u{1b}\"\n"];
const NUMBERS: [f64; 8] = [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY, 1e39, 1e-46, 4_294_967_295.0];

/// Bytes that decide what is built; when they are used up, zeros.
struct Recipe<'a>(&'a [u8]);

impl Recipe<'_> {
    fn below(&mut self, end: usize) -> usize {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*byte) % end
    }

    /// Values, some of them null.
    fn some<T>(&mut self, height: usize, make: impl Fn(usize) -> T) -> Vec<Option<T>> {
        (0..height).map(|_| self.below(256)).map(|byte| (byte % 5 != 4).then(|| make(byte))).collect()
    }

    fn nulls(&mut self, height: usize) -> Option<NullBuffer> {
        (self.below(2) == 1).then(|| (0..height).map(|_| self.below(4) != 3).collect::<Vec<bool>>().into())
    }

    fn array(&mut self, height: usize, depth: usize) -> ArrayRef {
        use DataType::{Binary, Date32, Decimal128, Dictionary, Float16, Float32, Int8, Int32, LargeUtf8, Time32, Timestamp, UInt32, UInt64, Utf8View};
        let kinds = if depth < 3 { 9 } else { 5 };
        let plain: ArrayRef = match self.below(kinds) {
            0 => Arc::new(StringArray::from(self.some(height, |byte| TEXTS[byte % TEXTS.len()]))),
            1 => Arc::new(Int64Array::from(self.some(height, |byte| [0, 1, -1, 7, i64::MAX][byte % 5]))),
            2 => Arc::new(Float64Array::from(self.some(height, |byte| NUMBERS[byte % NUMBERS.len()]))),
            3 => Arc::new(BooleanArray::from(self.some(height, |byte| byte % 2 == 1))),
            4 => Arc::new(NullArray::new(height)),
            5 => return self.fields(height, depth),
            6 => return self.map(height),
            _ => return self.list(height, depth),
        };
        let types = [
            LargeUtf8,
            Utf8View,
            Binary,
            Dictionary(Box::new(Int8), Box::new(DataType::Utf8)),
            Int32,
            UInt32,
            UInt64,
            Float16,
            Float32,
            Date32,
            Time32(TimeUnit::Second),
            Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Decimal128(20, 3),
        ];
        let wanted = self.below(2 * types.len());
        types.get(wanted).and_then(|wanted| arrow_cast::cast(&plain, wanted).ok()).unwrap_or(plain)
    }

    fn fields(&mut self, height: usize, depth: usize) -> ArrayRef {
        let from = self.below(CHILDREN.len());
        let children: Vec<ArrayRef> = (0..=self.below(3)).map(|_| self.array(height, depth + 1)).collect();
        let names = CHILDREN.iter().cycle().skip(from);
        let fields: Fields = names.zip(&children).map(|(name, child)| Field::new(*name, child.data_type().clone(), true)).collect();
        Arc::new(StructArray::new(fields, children, self.nulls(height)))
    }

    fn ends(&mut self, height: usize) -> OffsetBuffer<i32> {
        OffsetBuffer::from_lengths((0..height).map(|_| self.below(4)))
    }

    fn list(&mut self, height: usize, depth: usize) -> ArrayRef {
        let ends = if self.below(2) == 0 { OffsetBuffer::from_repeated_length(2, height) } else { self.ends(height) };
        let values = self.array(*ends.last().expect("a first offset") as usize, depth + 1);
        let item = Arc::new(Field::new("item", values.data_type().clone(), true));
        let list: ArrayRef = Arc::new(ListArray::new(item.clone(), ends, values, self.nulls(height)));
        let types = [DataType::LargeList(item.clone()), DataType::FixedSizeList(item.clone(), 2), DataType::ListView(item)];
        let wanted = self.below(2 * types.len());
        types.get(wanted).and_then(|wanted| arrow_cast::cast(&list, wanted).ok()).unwrap_or(list)
    }

    fn map(&mut self, height: usize) -> ArrayRef {
        let ends = self.ends(height);
        let entries = *ends.last().expect("a first offset") as usize;
        let keys = StringArray::from_iter_values((0..entries).map(|_| TEXTS[self.below(TEXTS.len())]));
        let values = self.array(entries, 3);
        let fields: Fields = vec![Field::new("keys", DataType::Utf8, false), Field::new("values", values.data_type().clone(), true)].into();
        let entries = StructArray::new(fields.clone(), vec![Arc::new(keys), values], None);
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        Arc::new(MapArray::new(field, ends, entries, self.nulls(height), false))
    }
}
