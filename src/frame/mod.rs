//! COLUMNS: ContextFrame's 27 columns and our `x_` ones; which field of a payload goes where; records to Arrow.
//!
//! Knows no format's name and opens no file: a decoder hands over [`record::Record`]s, a batch comes back.

pub mod builder;
pub mod dates;
pub mod eigen;
pub mod element;
pub mod header;
pub mod identity;
pub mod infer;
pub mod lean;
pub mod links;
pub mod mapping;
pub mod moment;
pub mod names;
mod others;
pub mod pairs;
pub mod pca;
pub mod promote;
pub mod record;
mod relations;
pub mod resize;
pub mod schema;
mod space;
pub mod unseen;
pub mod vectors;
