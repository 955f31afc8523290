//! What a collection is, whichever interface told it: its fields, its key, its vectors, and the description as it goes into the
//! manifest, in the words of pymilvus' `describe_collection` or of REST's `collections/describe`.

use serde_json::{Map, Value, json};
use vec2lance::manifest::VectorEntry;

use super::declared::{FieldSchema, FunctionSchema, Value as Default, ValueField};
use super::wire::{DescribeCollectionResponse, IndexDescription, KeyValue};

/// `schema.DataType`: number and name.
const TYPES: [(i32, &str); 28] = [
    (1, "BOOL"),
    (2, "INT8"),
    (3, "INT16"),
    (4, "INT32"),
    (5, "INT64"),
    (10, "FLOAT"),
    (11, "DOUBLE"),
    (20, "STRING"),
    (21, "VARCHAR"),
    (22, "ARRAY"),
    (23, "JSON"),
    (24, "GEOMETRY"),
    (25, "TEXT"),
    (26, "TIMESTAMPTZ"),
    (27, "MOL"),
    (28, "DATE"),
    (29, "TIME"),
    (30, "DECIMAL"),
    (100, "BINARY_VECTOR"),
    (101, "FLOAT_VECTOR"),
    (102, "FLOAT16_VECTOR"),
    (103, "BFLOAT16_VECTOR"),
    (104, "SPARSE_FLOAT_VECTOR"),
    (105, "INT8_VECTOR"),
    (106, "ARRAY_OF_VECTOR"),
    (200, "ARRAY_OF_STRUCT"),
    (201, "STRUCT"),
    (0, "NONE"),
];

/// Its name in capitals; the number where this program does not know it.
fn type_name(number: i32) -> String {
    TYPES.iter().find(|(n, _)| *n == number).map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// The same name, whatever its spelling: `FloatVector`, `FLOAT_VECTOR`, `101`.
fn canonical(spelled: &str) -> String {
    let plain = spelled.to_ascii_uppercase();
    let known = TYPES.iter().find(|(number, name)| plain == number.to_string() || plain.replace('_', "") == name.replace('_', ""));
    known.map_or(plain.as_str(), |(_, name)| name).to_owned()
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    /// As `FLOAT_VECTOR`.
    pub(super) data_type: String,
    pub(super) primary: bool,
    pub(super) dimension: Option<usize>,
    pub(super) nullable: bool,
    pub(super) partition_key: bool,
}

/// A collection.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Description {
    /// For the manifest.
    pub(super) json: Value,
    pub(super) fields: Vec<Field>,
    /// Fields that are lists of structs.
    pub(super) structs: Vec<String>,
    /// Fields that the server makes and does not give back: the sparse vectors of BM25.
    pub(super) withheld: Vec<String>,
    /// The metric of each vector that has an index.
    pub(super) metrics: Vec<(String, String)>,
    /// Whether it keeps fields that its schema does not name.
    pub(super) dynamic: bool,
}

impl Description {
    /// The primary key.
    pub(super) fn primary(&self) -> Option<&Field> {
        self.fields.iter().find(|f| f.primary)
    }

    /// Names of all fields of one type.
    pub(super) fn of_type(&self, data_type: &str) -> Vec<String> {
        self.fields.iter().filter(|f| f.data_type == data_type).map(|f| f.name.clone()).collect()
    }

    fn metric(&self, field: &str) -> Option<String> {
        self.metrics.iter().find(|(name, _)| name == field).map(|(_, metric)| metric.clone())
    }

    /// The vector that a search without a name is about: the first of float32, else the first that is no bits, else the first sparse one.
    pub(super) fn main(&self) -> Option<&Field> {
        let first = |wanted: &dyn Fn(&str) -> bool| self.fields.iter().find(|f| wanted(&f.data_type) && !self.withheld.contains(&f.name));
        first(&|t| t == "FLOAT_VECTOR")
            .or_else(|| first(&|t| element(t).is_some_and(|e| e != "binary")))
            .or_else(|| first(&|t| element(t).is_some()))
            .or_else(|| first(&|t| t == "SPARSE_FLOAT_VECTOR"))
    }

    /// For the manifest, the main one first. The only dense vector of a collection has no name, as the layout reads it.
    pub(super) fn vectors(&self) -> Vec<VectorEntry> {
        let dense = self.fields.iter().filter(|f| element(&f.data_type).is_some()).count();
        let main = self.main().map(|f| f.name.clone());
        let mut all: Vec<(&Field, VectorEntry)> = self
            .fields
            .iter()
            .filter(|f| !self.withheld.contains(&f.name))
            .filter_map(|f| {
                let (kind, of) = match (element(&f.data_type), f.data_type.as_str()) {
                    (Some(of), _) => ("dense", of),
                    (None, "SPARSE_FLOAT_VECTOR") => ("sparse", "float32"),
                    _ => return None,
                };
                let unnamed = kind == "dense" && dense == 1 && of != "binary";
                let entry = VectorEntry {
                    name: if unnamed { String::new() } else { f.name.clone() },
                    kind: kind.to_owned(),
                    dimension: f.dimension.filter(|_| kind == "dense"),
                    data_type: Some(of.to_owned()),
                    metric: self.metric(&f.name),
                    // Milvus computes with lengths; it stores what it was given.
                    normalized: Some(false),
                };
                Some((f, entry))
            })
            .collect();
        all.sort_by_key(|(f, _)| Some(&f.name) != main.as_ref());
        all.into_iter().map(|(_, entry)| entry).collect()
    }

    /// From the wire.
    ///
    /// # Errors
    /// There is no schema in it.
    pub(super) fn of_wire(answer: DescribeCollectionResponse, indexes: &[IndexDescription]) -> Result<Self, String> {
        let Some(schema) = answer.schema else { return Err("it has no schema".to_owned()) };
        let fields = schema.fields.iter().filter(|f| !f.is_dynamic);
        let listed = fields.clone().map(field_json).collect::<Vec<_>>();
        let structs: Vec<Value> = schema
            .struct_array_fields
            .iter()
            .map(|s| {
                let mut fields = json!({"name": s.name, "type": "ARRAY_OF_STRUCT", "description": s.description, "params": params(&s.type_params)});
                fields["nullable"] = s.nullable.into();
                fields["struct_fields"] = s.fields.iter().map(field_json).collect();
                fields
            })
            .collect();
        let indexed: Vec<Value> = indexes
            .iter()
            .map(|i| {
                let mut index = json!({"field_name": i.field_name, "index_name": i.index_name});
                for pair in &i.params {
                    index[pair.key.as_str()] = pair.value.as_str().into();
                }
                index
            })
            .collect();
        let levels = ["Strong", "Session", "Bounded", "Eventually", "Customized"];
        let level = usize::try_from(answer.consistency_level).ok().and_then(|n| levels.get(n));
        let json = json!({
            "collection_name": if answer.collection_name.is_empty() { &schema.name } else { &answer.collection_name },
            "collection_id": answer.collection_id,
            "description": schema.description,
            "auto_id": schema.auto_id,
            "enable_dynamic_field": schema.enable_dynamic_field,
            "num_shards": answer.shards_num,
            "num_partitions": answer.num_partitions,
            "consistency_level": level,
            "created_timestamp": answer.created_timestamp,
            "update_timestamp": answer.update_timestamp,
            "aliases": answer.aliases,
            "properties": params(&answer.properties),
            "fields": listed,
            "struct_array_fields": structs,
            "functions": schema.functions.iter().map(function_json).collect::<Vec<_>>(),
            "indexes": indexed,
        });
        let metric = |i: &IndexDescription| Some((i.field_name.clone(), i.params.iter().find(|p| p.key == "metric_type")?.value.clone()));
        Ok(Self {
            json,
            fields: fields
                .map(|f| Field {
                    name: f.name.clone(),
                    data_type: type_name(f.data_type),
                    primary: f.is_primary_key,
                    dimension: f.type_params.iter().find(|p| p.key == "dim").and_then(|p| p.value.parse().ok()),
                    nullable: f.nullable,
                    partition_key: f.is_partition_key,
                })
                .collect(),
            structs: schema.struct_array_fields.iter().map(|s| s.name.clone()).collect(),
            withheld: schema.functions.iter().filter(|f| f.function_type == 1).flat_map(|f| f.output_field_names.clone()).collect(),
            metrics: indexes.iter().filter_map(metric).collect(),
            dynamic: schema.enable_dynamic_field,
        })
    }

    /// From REST's `data`.
    ///
    /// # Errors
    /// It has no list of fields, or one without a name or type.
    pub(super) fn of_rest(json: Value) -> Result<Self, String> {
        let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
        let flag = |v: &Value, key: &str| v.get(key).and_then(Value::as_bool).unwrap_or(false);
        let list = |key: &str| json.get(key).and_then(Value::as_array).into_iter().flatten();
        if json.get("fields").and_then(Value::as_array).is_none() {
            return Err("it has no list of fields".to_owned());
        }
        let mut fields = Vec::new();
        for f in list("fields").filter(|f| !flag(f, "isDynamic")) {
            let (Some(name), Some(data_type)) = (text(f, "name"), text(f, "type")) else { return Err(format!("a field without name or type: {f}")) };
            let pairs = f.get("params").and_then(Value::as_array).into_iter().flatten();
            let dimension = pairs.filter(|p| text(p, "key").as_deref() == Some("dim")).find_map(|p| match p.get("value") {
                Some(Value::String(text)) => text.parse().ok(),
                other => other.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()),
            });
            let (primary, nullable, partition_key) = (flag(f, "primaryKey"), flag(f, "nullable"), flag(f, "partitionKey"));
            fields.push(Field { name, data_type: canonical(&data_type), primary, dimension, nullable, partition_key });
        }
        let bm25 = list("functions").filter(|f| text(f, "type").as_deref() == Some("BM25"));
        let outputs = bm25.flat_map(|f| f.get("outputFieldNames").and_then(Value::as_array).into_iter().flatten());
        let withheld = outputs.filter_map(|n| n.as_str().map(str::to_owned)).collect();
        let structs = list("structFields").chain(list("structArrayFields")).filter_map(|s| text(s, "name")).collect();
        let metrics = list("indexes").filter_map(|i| text(i, "fieldName").zip(text(i, "metricType"))).collect();
        let dynamic = flag(&json, "enableDynamicField");
        Ok(Self { json, fields, structs, withheld, metrics, dynamic })
    }
}

/// The type of a dense vector's values, in the words of the manifest; none for other fields.
fn element(data_type: &str) -> Option<&'static str> {
    Some(match data_type {
        "FLOAT_VECTOR" => "float32",
        "FLOAT16_VECTOR" => "float16",
        "BFLOAT16_VECTOR" => "bfloat16",
        "INT8_VECTOR" => "int8",
        "BINARY_VECTOR" => "binary",
        _ => return None,
    })
}

fn field_json(f: &FieldSchema) -> Value {
    let mut field = json!({
        "field_id": f.field_id,
        "name": f.name,
        "description": f.description,
        "type": type_name(f.data_type),
        "params": params(&f.type_params),
        "is_primary": f.is_primary_key,
        "auto_id": f.auto_id,
        "nullable": f.nullable,
    });
    if f.element_type != 0 {
        field["element_type"] = type_name(f.element_type).into();
    }
    for (key, said) in [("is_partition_key", f.is_partition_key), ("is_clustering_key", f.is_clustering_key), ("is_function_output", f.is_function_output)] {
        if said {
            field[key] = true.into();
        }
    }
    if let Some(ValueField { data: Some(default) }) = &f.default_value {
        field["default_value"] = match default {
            Default::Bool(v) => (*v).into(),
            Default::Int(v) | Default::Date(v) => (*v).into(),
            Default::Long(v) | Default::Timestamptz(v) | Default::Time(v) => (*v).into(),
            Default::Float(v) => json!(v),
            Default::Double(v) => json!(v),
            Default::String(v) => v.as_str().into(),
            Default::Bytes(v) => String::from_utf8_lossy(v).into(),
        };
    }
    field
}

fn function_json(f: &FunctionSchema) -> Value {
    let kinds = ["Unknown", "BM25", "TextEmbedding", "Rerank", "MinHash", "MolFingerprint"];
    let kind = usize::try_from(f.function_type).ok().and_then(|n| kinds.get(n));
    json!({
        "name": f.name,
        "description": f.description,
        "type": kind,
        "input_field_names": f.input_field_names,
        "output_field_names": f.output_field_names,
        "params": params(&f.params),
    })
}

/// Pairs as an object; what is an integer becomes one, as in pymilvus.
fn params(pairs: &[KeyValue]) -> Value {
    let value = |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
    Value::Object(pairs.iter().map(|p| (p.key.clone(), value(&p.value))).collect::<Map<_, _>>())
}
