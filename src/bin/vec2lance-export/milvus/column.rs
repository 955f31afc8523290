//! The columns in which Milvus answers a query: `QueryResults` and below (milvus-proto, `schema.proto`).
//!
//! Messages only; how a cell of them becomes JSON is `row.rs`'s business.

use prost::{Message, Oneof};

use super::wire::Status;

/// `QueryResults`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct QueryResults {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(message, repeated, tag = "2")]
    pub(super) fields_data: Vec<FieldData>,
    /// The moment that a query with `iterator` has read; 0 where the server keeps no versions.
    #[prost(uint64, tag = "5")]
    pub(super) session_ts: u64,
}

/// `schema.FieldData`: one column.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FieldData {
    /// `schema.DataType`.
    #[prost(int32, tag = "1")]
    pub(super) data_type: i32,
    #[prost(string, tag = "2")]
    pub(super) field_name: String,
    #[prost(oneof = "Field", tags = "3, 4, 8")]
    pub(super) field: Option<Field>,
    #[prost(bool, tag = "6")]
    pub(super) is_dynamic: bool,
    /// False where the row is null; empty where no row is.
    #[prost(bool, repeated, tag = "7")]
    pub(super) valid_data: Vec<bool>,
}

/// What a column holds.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Field {
    #[prost(message, tag = "3")]
    Scalars(ScalarField),
    #[prost(message, tag = "4")]
    Vectors(VectorField),
    #[prost(message, tag = "8")]
    Structs(StructArrayField),
}

/// `schema.StructArrayField`: one column for each field of the structs, whose cells are arrays.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StructArrayField {
    #[prost(message, repeated, tag = "1")]
    pub(super) fields: Vec<FieldData>,
}

/// `schema.ScalarField`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ScalarField {
    #[prost(oneof = "Scalars", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16")]
    pub(super) data: Option<Scalars>,
}

/// What a column of scalars, or one array, holds.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Scalars {
    #[prost(message, tag = "1")]
    Bool(Bools),
    #[prost(message, tag = "2")]
    Int(Ints),
    #[prost(message, tag = "3")]
    Long(Longs),
    #[prost(message, tag = "4")]
    Float(Floats),
    #[prost(message, tag = "5")]
    Double(Doubles),
    #[prost(message, tag = "6")]
    String(Strings),
    #[prost(message, tag = "7")]
    Bytes(Blobs),
    #[prost(message, tag = "8")]
    Array(Arrays),
    #[prost(message, tag = "9")]
    Json(Blobs),
    /// Geometry as well-known binary.
    #[prost(message, tag = "10")]
    Geometry(Blobs),
    /// Microseconds since 1970 in UTC.
    #[prost(message, tag = "11")]
    Timestamptz(Longs),
    /// Geometry as well-known text.
    #[prost(message, tag = "12")]
    GeometryText(Strings),
    #[prost(message, tag = "14")]
    MoleculeText(Strings),
    #[prost(message, tag = "15")]
    Date(Ints),
    #[prost(message, tag = "16")]
    Time(Longs),
}

/// `schema.BoolArray`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Bools {
    #[prost(bool, repeated, tag = "1")]
    pub(super) data: Vec<bool>,
}

/// `schema.IntArray`: of 8, 16 and 32 bits.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ints {
    #[prost(int32, repeated, tag = "1")]
    pub(super) data: Vec<i32>,
}

/// `schema.LongArray`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Longs {
    #[prost(int64, repeated, tag = "1")]
    pub(super) data: Vec<i64>,
}

/// `schema.FloatArray`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Floats {
    #[prost(float, repeated, tag = "1")]
    pub(super) data: Vec<f32>,
}

/// `schema.DoubleArray`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Doubles {
    #[prost(double, repeated, tag = "1")]
    pub(super) data: Vec<f64>,
}

/// `schema.StringArray`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Strings {
    #[prost(string, repeated, tag = "1")]
    pub(super) data: Vec<String>,
}

/// `schema.BytesArray`, `JSONArray`, `GeometryArray`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Blobs {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) data: Vec<Vec<u8>>,
}

/// `schema.ArrayArray`: one scalar column for each row.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Arrays {
    #[prost(message, repeated, tag = "1")]
    pub(super) data: Vec<ScalarField>,
}

/// `schema.VectorField`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct VectorField {
    #[prost(int64, tag = "1")]
    pub(super) dim: i64,
    #[prost(oneof = "Vectors", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub(super) data: Option<Vectors>,
}

/// What a column of vectors holds, one after the other; null ones may be left out.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Vectors {
    #[prost(message, tag = "2")]
    Float(Floats),
    #[prost(bytes, tag = "3")]
    Binary(Vec<u8>),
    #[prost(bytes, tag = "4")]
    Float16(Vec<u8>),
    #[prost(bytes, tag = "5")]
    BFloat16(Vec<u8>),
    #[prost(message, tag = "6")]
    Sparse(Sparse),
    #[prost(bytes, tag = "7")]
    Int8(Vec<u8>),
    #[prost(message, tag = "8")]
    Array(VectorArray),
}

/// `schema.SparseFloatArray`: each vector as pairs of a little-endian u32 (index) and f32 (value).
#[derive(Clone, PartialEq, Message)]
pub(super) struct Sparse {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) contents: Vec<Vec<u8>>,
}

/// `schema.VectorArray`: the vectors of one row in each entry.
#[derive(Clone, PartialEq, Message)]
pub(super) struct VectorArray {
    #[prost(int64, tag = "1")]
    pub(super) dim: i64,
    #[prost(message, repeated, tag = "2")]
    pub(super) data: Vec<VectorField>,
}
