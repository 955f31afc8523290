//! When a record was made and last changed: from the fields that say so under the usual names, to a day and an exact timestamp.
//!
//! Not the reading of a date ([`super::moment`]). The fields themselves stay where they are; these columns are derived from them.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::TimestampMicrosecondBuilder;
use arrow_schema::{DataType, Field, TimeUnit};

use super::mapping::{Mapping, Target};
use super::moment::{Moment, of_value};
use super::record::Record;
use super::schema::Column;
use crate::formats::json::{Cursor, JsonError, Kind};

/// When the record was made.
pub const CREATED: &str = "x_created_at";
/// When it was last changed.
pub const UPDATED: &str = "x_updated_at";

/// Names of fields that say when a record was made, the surest first. `timestamp`, `date` and `time` are not among them: they do not say
/// of what.
const MADE: [&str; 18] = [
    "created_at",
    "createdAt",
    "CreatedAt",
    "created",
    "created_on",
    "createdOn",
    "created_time",
    "createdTime",
    "created_date",
    "createdDate",
    "creation_time",
    "creationTime",
    "creation_date",
    "creationDate",
    "date_created",
    "dateCreated",
    "created_timestamp",
    "creationTimeUnix",
];
/// And when it was last changed.
const CHANGED: [&str; 21] = [
    "updated_at",
    "updatedAt",
    "UpdatedAt",
    "updated",
    "updated_on",
    "updatedOn",
    "update_time",
    "updateTime",
    "updated_time",
    "updatedTime",
    "last_updated",
    "lastUpdated",
    "date_updated",
    "dateUpdated",
    "modified",
    "modified_at",
    "modifiedAt",
    "last_modified",
    "lastModified",
    "date_modified",
    "lastUpdateTimeUnix",
];

/// The type of every column of time: microseconds, UTC.
#[must_use]
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The two columns.
#[must_use]
pub fn fields() -> [Field; 2] {
    [CREATED, UPDATED].map(|name| Field::new(name, timestamp(), true))
}

/// Whether a payload field of this name is read as one of the two dates.
#[must_use]
pub fn is_date(key: &str, mapping: &Mapping) -> bool {
    role(key, mapping).is_some()
}

/// 0 for when it was made, 1 for when it was changed; and how sure the name is, 0 being the surest.
fn role(key: &str, mapping: &Mapping) -> Option<(usize, usize)> {
    match mapping.target(key) {
        Some(Target::Column(Column::CreatedAt)) => return Some((0, 0)),
        Some(Target::Column(Column::UpdatedAt)) => return Some((1, 0)),
        // The user wants it elsewhere.
        Some(_) => return None,
        None => {}
    }
    let known = |names: &[&str]| names.iter().position(|name| *name == key);
    known(&MADE).map(|rank| (0, rank + 1)).or_else(|| known(&CHANGED).map(|rank| (1, rank + 1)))
}

/// The dates of one record: made, changed. Of several fields that hold one, that with the surest name counts, and the payload before the
/// record's other fields.
#[must_use]
pub fn dates(record: &Record<'_>, mapping: &Mapping) -> [Option<Moment>; 2] {
    let mut found: [Option<(usize, Moment)>; 2] = [None; 2];
    let mut look = |key: &str, kind: Kind, raw: &str, later: usize| {
        let Some((at, rank)) = role(key, mapping) else { return };
        let rank = rank + later;
        if found[at].is_none_or(|(best, _)| rank < best)
            && let Some(moment) = of_value(kind, raw)
        {
            found[at] = Some((rank, moment));
        }
    };
    for field in &record.fields {
        look(&field.key, field.kind, &field.raw, 0);
    }
    if !record.rest.is_empty() {
        let text = format!("{{{}}}", record.rest);
        // It was put together by ourselves, so it is JSON.
        let _ = Cursor::new(&text).object(|key, cursor| -> Result<(), JsonError> {
            let value = cursor.value()?;
            look(&key.value(), value.kind, value.raw, MADE.len() + CHANGED.len());
            Ok(())
        });
    }
    found.map(|found| found.map(|(_, moment)| moment))
}

/// Builds the two columns.
#[derive(Debug, Default)]
pub struct DatesBuilder {
    columns: [TimestampMicrosecondBuilder; 2],
    /// Values of each that are finer than a microsecond, so that the column is null.
    finer: [u64; 2],
}

impl DatesBuilder {
    /// Adds one record; gives both days for the columns that hold one. What stands in such a column already (`taken`) is what counts.
    pub fn append(&mut self, record: &Record<'_>, mapping: &Mapping, taken: [Option<Moment>; 2]) -> [Option<String>; 2] {
        let mut days = [None, None];
        for (at, found) in dates(record, mapping).into_iter().enumerate() {
            let moment = taken[at].or(found);
            days[at] = moment.and_then(Moment::day);
            let exact = moment.filter(|m| m.exact);
            self.finer[at] += u64::from(moment.is_some() && exact.is_none());
            self.columns[at].append_option(exact.map(|m| m.micros));
        }
        days
    }

    /// Values of each column that are finer than a microsecond.
    pub fn unfit(&self) -> impl Iterator<Item = (String, u64)> {
        [CREATED, UPDATED].into_iter().zip(self.finer).filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_owned(), n))
    }

    /// The columns, in the order of [`fields`].
    pub fn finish(&mut self) -> [ArrayRef; 2] {
        self.columns.each_mut().map(|column| Arc::new(column.finish().with_timezone("UTC")) as ArrayRef)
    }
}
