//! NumPy arrays, one file a field, as rows: what Milvus' BulkWriter calls `numpy`, and what people save by hand.
//!
//! Opens no file: it is handed them. Pickled objects are refused, because reading one runs a program.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{Field, Schema, SchemaRef};

use super::Chunk;
use crate::error::{Error, Result};
use crate::reject::{excerpt, printable};

/// Longest header that is read, in bytes; real ones have about a hundred.
const HEADER: usize = 1 << 16;

/// One array.
struct Column {
    file: File,
    /// As messages show it.
    name: String,
    /// Kind of an item, as NumPy writes it: `b i u f U S V`.
    kind: u8,
    /// Bytes of an item.
    item: usize,
    big_endian: bool,
    rows: u64,
    /// Items in a row where it has two axes.
    width: Option<usize>,
}

/// The rows of a folder of arrays, in batches.
pub struct Arrays {
    columns: Vec<Column>,
    schema: SchemaRef,
    batch: usize,
    next: u64,
    rows: u64,
}

impl std::fmt::Debug for Arrays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrays").field("schema", &self.schema).field("rows", &self.rows).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Arrays {
    /// Opens the arrays (field, name for messages, file) at the row with the number `first`, from 0; batches have at most `batch` rows.
    ///
    /// # Errors
    /// No array, one of a type that is not read, one that is cut off, or of another number of rows than the others.
    pub fn open(files: Vec<(String, String, File)>, batch: usize, first: u64) -> Result<Self> {
        let mut columns: Vec<Column> = Vec::new();
        let mut fields = Vec::new();
        for (field, name, file) in files {
            let mut column = Column::open(file, &printable(&name))?;
            if let Some(other) = columns.first()
                && other.rows != column.rows
            {
                let (met, expected) = (column.rows, other.rows);
                return Err(Error::new(format!("{}: {met} rows, but {} has {expected}", column.name, other.name))
                    .help("the arrays of one folder are the fields of the same records: export them again together"));
            }
            column.seek(first)?;
            let empty = column.array(&[])?;
            fields.push(Field::new(field, arrow_array::Array::data_type(&empty).clone(), true));
            columns.push(column);
        }
        let rows = columns.first().map_or(0, |c| c.rows);
        Ok(Self { columns, schema: Arc::new(Schema::new(fields)), batch: batch.max(1), next: first.min(rows), rows })
    }

    /// Bytes of one row in all files.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        self.columns.iter().map(|c| c.row() as u64).sum()
    }

    /// The next rows.
    ///
    /// # Errors
    /// A file cannot be read on.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let count = usize::try_from(self.rows - self.next).unwrap_or(usize::MAX).min(self.batch);
        if count == 0 {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.take(count)).collect::<Result<_>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|e| Error::new(format!("the arrays do not fit together: {e}")))?;
        let first = self.next;
        self.next += count as u64;
        Ok(Some(Chunk::Rows { batch, first }))
    }
}

impl Column {
    fn open(mut file: File, name: &str) -> Result<Self> {
        let damaged = |why: &str| Error::new(format!("{name}: the NumPy array is damaged or cut off: {why}")).help("copy the file again from its source");
        let mut start = [0; 12];
        file.read_exact(&mut start[..10]).map_err(|_| damaged("it has no header"))?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err(damaged("it does not begin with \\x93NUMPY"));
        }
        let (length, offset) = if start[6] == 1 {
            (usize::from(u16::from_le_bytes([start[8], start[9]])), 10)
        } else {
            file.read_exact(&mut start[10..]).map_err(|_| damaged("it has no header"))?;
            (u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize, 12)
        };
        if length > HEADER {
            return Err(damaged(&format!("its header is {length} bytes long")));
        }
        let mut header = vec![0; length];
        file.read_exact(&mut header).map_err(|_| damaged("its header is cut off"))?;
        let header = String::from_utf8_lossy(&header);
        let value = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches([' ', ':', '\'', '"']));
        let (Some(descr), Some(order), Some(shape)) = (value("'descr'"), value("'fortran_order'"), value("'shape'")) else {
            return Err(damaged("its header names no descr, fortran_order and shape"));
        };
        let refuse = |what: &str, help: &str| Err(Error::new(format!("{name}: {what}")).help(help));
        let descr = descr.split('\'').next().unwrap_or("");
        let (order_of_bytes, kind, item) = dtype(descr);
        if kind == b'O' {
            return refuse(
                "the array holds pickled Python objects, which are not read: reading one runs a program",
                "save it with a type of its own: strings as str, JSON as text",
            );
        }
        let shape: Option<Vec<u64>> =
            shape.strip_prefix('(').and_then(|s| s.split(')').next()).map(|s| s.split(',').filter_map(|n| n.trim().parse().ok()).collect());
        let (rows, width) = match shape.as_deref() {
            Some([rows]) => (*rows, None),
            Some([rows, width]) if *width > 0 && *width <= 1 << 24 => (*rows, usize::try_from(*width).ok()),
            _ => return refuse("the array has neither one axis nor two", "expected one value or one vector a record"),
        };
        if order.starts_with("True") && width.is_some_and(|w| w > 1) && rows > 1 {
            return refuse("the array is in Fortran order", "save it with numpy.ascontiguousarray(array)");
        }
        let unit = if kind == b'U' { 4 } else { 1 };
        let fits = match kind {
            b'b' => item == 1,
            b'i' | b'u' => matches!(item, 1 | 2 | 4 | 8),
            b'f' => matches!(item, 2 | 4 | 8),
            b'V' => item == 2,
            b'U' | b'S' => width.is_none(),
            _ => false,
        };
        if !fits {
            return refuse(
                &format!("the array has the type {}, which is not read", excerpt(descr, 30)),
                "expected booleans, integers, floats (f2, f4, f8), bfloat16, or one axis of str or bytes",
            );
        }
        let column = Self { name: name.to_owned(), kind, item: item * unit, big_endian: order_of_bytes == b'>', rows, width, file };
        let size = column.file.metadata().map_err(|e| Error::new(format!("{name}: {e}")))?.len();
        let expected = (offset + length) as u64 + rows.saturating_mul(column.row() as u64);
        if size != expected {
            return Err(damaged(&format!("{size} bytes, expected {expected} by its header")));
        }
        Ok(column)
    }

    /// Bytes of a row.
    fn row(&self) -> usize {
        self.item * self.width.unwrap_or(1)
    }

    fn seek(&mut self, first: u64) -> Result<()> {
        let back = self.rows.saturating_sub(first).saturating_mul(self.row() as u64);
        let from = SeekFrom::End(-i64::try_from(back).unwrap_or(i64::MAX));
        self.file.seek(from).map(|_| ()).map_err(|e| Error::new(format!("{}: {e}", self.name)))
    }

    fn take(&mut self, rows: usize) -> Result<ArrayRef> {
        let mut bytes = vec![0; rows * self.row()];
        self.file.read_exact(&mut bytes).map_err(|e| Error::new(format!("{}: cannot be read on: {e}", self.name)))?;
        self.array(&bytes)
    }

    /// The items of whole rows as an Arrow array: values, or fixed-size lists of them.
    fn array(&self, bytes: &[u8]) -> Result<ArrayRef> {
        let failed = |e: arrow_schema::ArrowError| Error::new(format!("{}: {e}", self.name));
        let items: ArrayRef = match (self.kind, self.item) {
            (b'b', _) => Arc::new(bytes.iter().map(|b| Some(*b != 0)).collect::<BooleanArray>()),
            (b'i', 1) => self.numbers::<Int8Type, 1>(bytes, i8::from_le_bytes),
            (b'i', 2) => self.numbers::<Int16Type, 2>(bytes, i16::from_le_bytes),
            (b'i', 4) => self.numbers::<Int32Type, 4>(bytes, i32::from_le_bytes),
            (b'i', _) => self.numbers::<Int64Type, 8>(bytes, i64::from_le_bytes),
            (b'u', 1) => self.numbers::<UInt8Type, 1>(bytes, u8::from_le_bytes),
            (b'u', 2) => self.numbers::<UInt16Type, 2>(bytes, u16::from_le_bytes),
            (b'u', 4) => self.numbers::<UInt32Type, 4>(bytes, u32::from_le_bytes),
            (b'u', _) => self.numbers::<UInt64Type, 8>(bytes, u64::from_le_bytes),
            (b'f', 2) => self.numbers::<Float16Type, 2>(bytes, <Float16Type as ArrowPrimitiveType>::Native::from_le_bytes),
            (b'f', 4) => self.numbers::<Float32Type, 4>(bytes, f32::from_le_bytes),
            (b'f', _) => self.numbers::<Float64Type, 8>(bytes, f64::from_le_bytes),
            (b'V', _) => Arc::new(FixedSizeBinaryArray::try_new(2, bytes.to_vec().into(), None).map_err(failed)?),
            _ => Arc::new(self.texts(bytes)?),
        };
        let Some(width) = self.width else { return Ok(items) };
        let item = Arc::new(Field::new("item", arrow_array::Array::data_type(&items).clone(), true));
        let list = FixedSizeListArray::try_new(item, i32::try_from(width).unwrap_or(i32::MAX), items, None).map_err(failed)?;
        Ok(Arc::new(list))
    }

    fn numbers<T: ArrowPrimitiveType, const N: usize>(&self, bytes: &[u8], read: fn([u8; N]) -> T::Native) -> ArrayRef
    where
        T::Native: ArrowNativeType,
    {
        let (items, _) = bytes.as_chunks::<N>();
        let value = |item: &[u8; N]| {
            let mut item = *item;
            if self.big_endian {
                item.reverse();
            }
            read(item)
        };
        Arc::new(PrimitiveArray::<T>::from_iter_values(items.iter().map(value)))
    }

    /// Strings: NumPy fills them up with NULs, and gives them back without.
    fn texts(&self, bytes: &[u8]) -> Result<StringArray> {
        if self.item == 0 {
            return Ok(StringArray::from_iter_values(std::iter::repeat_n("", 0)));
        }
        let bad = || Error::new(format!("{}: a value is no text", self.name)).help("save strings as numpy.str_");
        let mut values = Vec::new();
        for item in bytes.chunks_exact(self.item) {
            if self.kind == b'S' {
                let text = std::str::from_utf8(item).map_err(|_| bad())?;
                values.push(text.trim_end_matches('\0').to_owned());
                continue;
            }
            let (points, _) = item.as_chunks::<4>();
            let point = |p: &[u8; 4]| if self.big_endian { u32::from_be_bytes(*p) } else { u32::from_le_bytes(*p) };
            let text: Option<String> = points.iter().map(|p| char::from_u32(point(p))).collect();
            values.push(text.ok_or_else(bad)?.trim_end_matches('\0').to_owned());
        }
        Ok(StringArray::from_iter_values(values))
    }
}

/// Byte order, kind and number of a NumPy type such as `<f4`; a kind of 0 where it is none.
fn dtype(descr: &str) -> (u8, u8, usize) {
    let bytes = descr.as_bytes();
    let (order, rest) = match bytes.first() {
        Some(order @ (b'<' | b'>' | b'|' | b'=')) => (*order, &descr[1..]),
        _ => (b'|', descr),
    };
    if rest == "bfloat16" {
        return (order, b'V', 2);
    }
    let kind = rest.bytes().next().filter(u8::is_ascii_alphabetic).unwrap_or(0);
    let number = rest.get(1..).unwrap_or("");
    match number.parse() {
        Ok(n) => (order, kind, n),
        Err(_) if kind == b'O' => (order, kind, 8),
        Err(_) => (order, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::dtype;

    #[test]
    fn types_are_told_apart() {
        assert_eq!(dtype("<f4"), (b'<', b'f', 4));
        assert_eq!(dtype("|O"), (b'|', b'O', 8));
        assert_eq!(dtype(">i8"), (b'>', b'i', 8));
        assert_eq!(dtype("<U36"), (b'<', b'U', 36));
        for odd in ["", "é", "[('a', '<f4')]", "<M8[us]", "<"] {
            assert_eq!(dtype(odd).1, 0, "{odd}");
        }
    }
}
