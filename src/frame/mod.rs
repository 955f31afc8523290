//! COLUMNS: ContextFrame's 27 columns and our `x_` ones; which field of a payload goes where; records to Arrow.
//!
//! Knows no format's name and opens no file: a decoder hands over [`record::Record`]s, a batch comes back.

pub mod builder;
pub mod header;
pub mod identity;
pub mod mapping;
pub mod pairs;
pub mod record;
pub mod schema;
pub mod vectors;
