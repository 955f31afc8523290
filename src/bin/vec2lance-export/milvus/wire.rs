//! The messages of Milvus' gRPC interface that an export needs, with the field numbers of the published protocol (milvus-proto,
//! `milvus.proto`, `schema.proto`, `common.proto`). Fields that are not read are left out; the decoder passes over them.
//!
//! Written by hand because these and those of `declared.rs` and `column.rs` are a fiftieth of the protocol, and nothing has
//! to be generated at build time.

use prost::Message;

use super::declared::CollectionSchema;

/// `common.KeyValuePair`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `common.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    /// The old enumeration; servers before 2.3 know no other.
    #[prost(int32, tag = "1")]
    pub(super) error_code: i32,
    #[prost(string, tag = "2")]
    pub(super) reason: String,
    #[prost(int32, tag = "3")]
    pub(super) code: i32,
    #[prost(bool, tag = "4")]
    pub(super) retriable: bool,
}

/// A request without fields: `GetVersion`, `ListDatabases`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Empty {}

/// `common.ClientInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ClientInfo {
    #[prost(string, tag = "1")]
    pub(super) sdk_type: String,
    #[prost(string, tag = "2")]
    pub(super) sdk_version: String,
}

/// `ConnectRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ConnectRequest {
    #[prost(message, optional, tag = "2")]
    pub(super) client_info: Option<ClientInfo>,
}

/// `common.ServerInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServerInfo {
    #[prost(string, tag = "1")]
    pub(super) build_tags: String,
}

/// `ConnectResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ConnectResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(message, optional, tag = "2")]
    pub(super) server_info: Option<ServerInfo>,
}

/// `GetVersionResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetVersionResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

/// `ShowCollectionsRequest`; `type` 0 means all of them.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ShowCollectionsRequest {
    #[prost(string, tag = "2")]
    pub(super) db_name: String,
}

/// `ShowCollectionsResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ShowCollectionsResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(string, repeated, tag = "2")]
    pub(super) collection_names: Vec<String>,
}

/// `DescribeCollectionRequest`, and `HasCollectionRequest`, which has the same fields.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CollectionRequest {
    #[prost(string, tag = "2")]
    pub(super) db_name: String,
    #[prost(string, tag = "3")]
    pub(super) collection_name: String,
}

/// `DescribeCollectionResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DescribeCollectionResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(message, optional, tag = "2")]
    pub(super) schema: Option<CollectionSchema>,
    #[prost(int64, tag = "3")]
    pub(super) collection_id: i64,
    #[prost(uint64, tag = "6")]
    pub(super) created_timestamp: u64,
    #[prost(int32, tag = "8")]
    pub(super) shards_num: i32,
    #[prost(string, repeated, tag = "9")]
    pub(super) aliases: Vec<String>,
    #[prost(int32, tag = "11")]
    pub(super) consistency_level: i32,
    #[prost(string, tag = "12")]
    pub(super) collection_name: String,
    #[prost(message, repeated, tag = "13")]
    pub(super) properties: Vec<KeyValue>,
    #[prost(int64, tag = "15")]
    pub(super) num_partitions: i64,
    #[prost(uint64, tag = "18")]
    pub(super) update_timestamp: u64,
}

/// `DescribeIndexResponse`; the request is a [`CollectionRequest`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct DescribeIndexResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(message, repeated, tag = "2")]
    pub(super) index_descriptions: Vec<IndexDescription>,
}

/// `IndexDescription`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct IndexDescription {
    #[prost(string, tag = "1")]
    pub(super) index_name: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) params: Vec<KeyValue>,
    #[prost(string, tag = "4")]
    pub(super) field_name: String,
}

/// `ShowPartitionsResponse`; the request is a [`CollectionRequest`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct ShowPartitionsResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(string, repeated, tag = "2")]
    pub(super) partition_names: Vec<String>,
}

/// `GetLoadStateRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetLoadStateRequest {
    #[prost(string, tag = "2")]
    pub(super) collection_name: String,
    #[prost(string, repeated, tag = "3")]
    pub(super) partition_names: Vec<String>,
    #[prost(string, tag = "4")]
    pub(super) db_name: String,
}

/// `GetLoadStateResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetLoadStateResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    /// 0 no such collection, 1 not loaded, 2 loading, 3 loaded.
    #[prost(int32, tag = "2")]
    pub(super) state: i32,
}

/// `QueryRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct QueryRequest {
    #[prost(string, tag = "2")]
    pub(super) db_name: String,
    #[prost(string, tag = "3")]
    pub(super) collection_name: String,
    #[prost(string, tag = "4")]
    pub(super) expr: String,
    #[prost(string, repeated, tag = "5")]
    pub(super) output_fields: Vec<String>,
    #[prost(string, repeated, tag = "6")]
    pub(super) partition_names: Vec<String>,
    #[prost(uint64, tag = "8")]
    pub(super) guarantee_timestamp: u64,
    #[prost(message, repeated, tag = "9")]
    pub(super) query_params: Vec<KeyValue>,
    #[prost(int32, tag = "11")]
    pub(super) consistency_level: i32,
    #[prost(bool, tag = "12")]
    pub(super) use_default_consistency: bool,
}

/// `SearchRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchRequest {
    #[prost(string, tag = "2")]
    pub(super) db_name: String,
    #[prost(string, tag = "3")]
    pub(super) collection_name: String,
    #[prost(string, repeated, tag = "4")]
    pub(super) partition_names: Vec<String>,
    #[prost(string, tag = "5")]
    pub(super) dsl: String,
    /// A serialised [`PlaceholderGroup`].
    #[prost(bytes = "vec", tag = "6")]
    pub(super) placeholder_group: Vec<u8>,
    /// 1: `dsl` is an expression.
    #[prost(int32, tag = "7")]
    pub(super) dsl_type: i32,
    #[prost(message, repeated, tag = "9")]
    pub(super) search_params: Vec<KeyValue>,
    #[prost(uint64, tag = "11")]
    pub(super) guarantee_timestamp: u64,
    #[prost(int64, tag = "12")]
    pub(super) nq: i64,
    #[prost(int32, tag = "14")]
    pub(super) consistency_level: i32,
    #[prost(bool, tag = "15")]
    pub(super) use_default_consistency: bool,
}

/// `common.PlaceholderGroup`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PlaceholderGroup {
    #[prost(message, repeated, tag = "1")]
    pub(super) placeholders: Vec<PlaceholderValue>,
}

/// `common.PlaceholderValue`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PlaceholderValue {
    #[prost(string, tag = "1")]
    pub(super) tag: String,
    /// As the number of the vector's data type.
    #[prost(int32, tag = "2")]
    pub(super) placeholder_type: i32,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) values: Vec<Vec<u8>>,
}

/// `SearchResults`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchResults {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(message, optional, tag = "2")]
    pub(super) results: Option<SearchResultData>,
}

/// `schema.SearchResultData`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchResultData {
    #[prost(float, repeated, tag = "4")]
    pub(super) scores: Vec<f32>,
    #[prost(message, optional, tag = "5")]
    pub(super) ids: Option<Ids>,
}

/// `schema.IDs`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ids {
    #[prost(message, optional, tag = "1")]
    pub(super) int_id: Option<super::column::Longs>,
    #[prost(message, optional, tag = "2")]
    pub(super) str_id: Option<super::column::Strings>,
}
