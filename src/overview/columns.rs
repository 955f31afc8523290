//! How full each column is. Counts only; what a value means is nobody's business here.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde::Serialize;

use super::part;

/// One column, over all records. Headers of collections are no records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, in words: `text`, `list of text`, `384 × float32`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Records whose value is neither null nor empty; of the main vector, records that have one.
    pub filled: u64,
    /// The same as a part of all records, from 0 to 1.
    pub share: f64,
    /// Bytes of the shortest text that is not empty.
    pub shortest: Option<u64>,
    /// Bytes of the longest text.
    pub longest: Option<u64>,
    /// Mean bytes of a text that is not empty.
    pub mean: Option<f64>,
}

/// What has been counted of one column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fill {
    filled: u64,
    /// Texts only: bytes of the shortest, of the longest, of all.
    texts: Option<(u64, u64, u64)>,
}

impl Fill {
    /// Counts the rows of a batch that are records.
    #[must_use]
    pub(super) fn of(values: &ArrayRef, records: &[bool]) -> Self {
        let mut fill = Self::default();
        let rows = records.iter().enumerate().filter(|(row, is)| **is && values.is_valid(*row)).map(|(row, _)| row);
        match values.data_type() {
            DataType::Utf8 => {
                let texts = values.as_string::<i32>();
                rows.for_each(|row| fill.text(texts.value_length(row)));
            }
            DataType::List(_) => {
                let lists = values.as_list::<i32>();
                fill.filled = rows.filter(|row| lists.value_length(*row) > 0).count() as u64;
            }
            _ => fill.filled = rows.count() as u64,
        }
        fill
    }

    /// A column of which only the number of values is known.
    #[must_use]
    pub(super) fn counted(filled: u64) -> Self {
        Self { filled, texts: None }
    }

    fn text(&mut self, bytes: i32) {
        let bytes = u64::from(bytes.unsigned_abs());
        if bytes == 0 {
            return;
        }
        self.filled += 1;
        self.texts = Some(self.texts.map_or((bytes, bytes, bytes), |(shortest, longest, all)| (shortest.min(bytes), longest.max(bytes), all + bytes)));
    }

    /// Takes in what was counted of other rows.
    pub(super) fn merge(&mut self, other: Self) {
        self.filled += other.filled;
        self.texts = match (self.texts, other.texts) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1), a.2 + b.2)),
            (a, b) => a.or(b),
        };
    }

    /// As reported.
    #[must_use]
    pub(super) fn column(&self, name: &str, kind: &DataType, records: u64) -> Column {
        Column {
            name: name.to_owned(),
            kind: words(kind),
            filled: self.filled,
            share: part(self.filled, records),
            shortest: self.texts.map(|t| t.0),
            longest: self.texts.map(|t| t.1),
            mean: self.texts.map(|t| part(t.2, self.filled)),
        }
    }
}

/// A type as people say it.
#[must_use]
pub(super) fn words(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 => "text".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Binary | DataType::LargeBinary => "bytes".to_owned(),
        DataType::Timestamp(_, zone) => if zone.is_some() { "timestamp, UTC" } else { "timestamp" }.to_owned(),
        DataType::FixedSizeList(item, length) => format!("{length} × {}", words(item.data_type())),
        DataType::List(item) => format!("list of {}", words(item.data_type())),
        DataType::Struct(fields) => format!("({})", fields.iter().map(|f| f.name().clone()).collect::<Vec<_>>().join(", ")),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn null_and_empty_are_not_filled_and_headers_do_not_count() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), None, Some(""), Some("é"), Some("header")]));
        let records = [true, true, true, true, false];
        let mut fill = Fill::of(&texts, &records);
        let column = fill.column("t", &DataType::Utf8, 4);
        assert_eq!((column.filled, column.shortest, column.longest, column.mean, column.share), (2, Some(2), Some(3), Some(2.5), 0.5));
        fill.merge(Fill::of(&texts, &records));
        assert_eq!(fill.column("t", &DataType::Utf8, 8).filled, 4);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), None]));
        assert_eq!(Fill::of(&numbers, &[true, true]).column("n", &DataType::Int64, 2).filled, 1);
    }

    #[test]
    fn types_in_words() {
        use arrow_schema::Field;
        let item = |kind| Arc::new(Field::new("item", kind, true));
        assert_eq!(words(&DataType::FixedSizeList(item(DataType::Float32), 384)), "384 × float32");
        assert_eq!(words(&DataType::List(item(DataType::Utf8))), "list of text");
    }
}
