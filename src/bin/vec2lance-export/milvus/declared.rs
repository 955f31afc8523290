//! How a collection is declared on the wire: `schema.CollectionSchema` and below (milvus-proto, `schema.proto`).
//!
//! Messages only; what they mean for an export is `schema.rs`'s business.

use prost::{Message, Oneof};

use super::wire::KeyValue;

/// `schema.CollectionSchema`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CollectionSchema {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) description: String,
    #[prost(bool, tag = "3")]
    pub(super) auto_id: bool,
    #[prost(message, repeated, tag = "4")]
    pub(super) fields: Vec<FieldSchema>,
    #[prost(bool, tag = "5")]
    pub(super) enable_dynamic_field: bool,
    #[prost(message, repeated, tag = "7")]
    pub(super) functions: Vec<FunctionSchema>,
    #[prost(message, repeated, tag = "9")]
    pub(super) struct_array_fields: Vec<StructArrayFieldSchema>,
}

/// `schema.FieldSchema`.
#[derive(Clone, PartialEq, Message)]
#[expect(clippy::struct_excessive_bools, reason = "the published message has them")]
pub(super) struct FieldSchema {
    #[prost(int64, tag = "1")]
    pub(super) field_id: i64,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(bool, tag = "3")]
    pub(super) is_primary_key: bool,
    #[prost(string, tag = "4")]
    pub(super) description: String,
    #[prost(int32, tag = "5")]
    pub(super) data_type: i32,
    #[prost(message, repeated, tag = "6")]
    pub(super) type_params: Vec<KeyValue>,
    #[prost(bool, tag = "8")]
    pub(super) auto_id: bool,
    #[prost(int32, tag = "10")]
    pub(super) element_type: i32,
    #[prost(message, optional, tag = "11")]
    pub(super) default_value: Option<ValueField>,
    #[prost(bool, tag = "12")]
    pub(super) is_dynamic: bool,
    #[prost(bool, tag = "13")]
    pub(super) is_partition_key: bool,
    #[prost(bool, tag = "14")]
    pub(super) is_clustering_key: bool,
    #[prost(bool, tag = "15")]
    pub(super) nullable: bool,
    #[prost(bool, tag = "16")]
    pub(super) is_function_output: bool,
}

/// `schema.FunctionSchema`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FunctionSchema {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) description: String,
    #[prost(int32, tag = "4")]
    pub(super) function_type: i32,
    #[prost(string, repeated, tag = "5")]
    pub(super) input_field_names: Vec<String>,
    #[prost(string, repeated, tag = "7")]
    pub(super) output_field_names: Vec<String>,
    #[prost(message, repeated, tag = "9")]
    pub(super) params: Vec<KeyValue>,
}

/// `schema.StructArrayFieldSchema`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StructArrayFieldSchema {
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) description: String,
    #[prost(message, repeated, tag = "4")]
    pub(super) fields: Vec<FieldSchema>,
    #[prost(message, repeated, tag = "5")]
    pub(super) type_params: Vec<KeyValue>,
    #[prost(bool, tag = "6")]
    pub(super) nullable: bool,
}

/// `schema.ValueField`: a default value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueField {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub(super) data: Option<Value>,
}

/// What a default value is.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(int32, tag = "2")]
    Int(i32),
    #[prost(int64, tag = "3")]
    Long(i64),
    #[prost(float, tag = "4")]
    Float(f32),
    #[prost(double, tag = "5")]
    Double(f64),
    #[prost(string, tag = "6")]
    String(String),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
    #[prost(int64, tag = "8")]
    Timestamptz(i64),
    #[prost(int32, tag = "9")]
    Date(i32),
    #[prost(int64, tag = "10")]
    Time(i64),
}
