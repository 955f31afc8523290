//! The schema that a Milvus package carries: which field is the key, which the vector, and what the others are.
//!
//! Not the entities: they go through the text decoder with a layout that this completes.

use serde_json::Value;

use super::spec::{IdSpec, IdType, Spec, VectorSpec};
use crate::error::{Error, Result};
use crate::frame::element::Element;
use crate::reject::excerpt;

/// One field of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaField {
    /// Name.
    pub name: String,
    /// Type as Milvus calls it, without `DataType.`; numbers are translated.
    pub data_type: String,
    /// Whether it is the primary key.
    pub primary: bool,
    /// Whether the server makes its values, which BulkWriter then leaves out.
    pub automatic: bool,
    /// Dimension, if the schema has one.
    pub dimension: Option<usize>,
}

/// What a schema says beside its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The collection.
    pub collection: Option<String>,
    /// The metric of its first index on a vector.
    pub metric: Option<String>,
}

/// Milvus' numbers of its types (`schema.proto`, enum `DataType`): what `str(field.dtype)` writes on Python 3.11 and later.
const TYPES: [(&str, &str); 22] = [
    ("1", "BOOL"),
    ("2", "INT8"),
    ("3", "INT16"),
    ("4", "INT32"),
    ("5", "INT64"),
    ("10", "FLOAT"),
    ("11", "DOUBLE"),
    ("20", "STRING"),
    ("21", "VARCHAR"),
    ("22", "ARRAY"),
    ("23", "JSON"),
    ("24", "GEOMETRY"),
    ("25", "TEXT"),
    ("26", "TIMESTAMPTZ"),
    ("100", "BINARY_VECTOR"),
    ("101", "FLOAT_VECTOR"),
    ("102", "FLOAT16_VECTOR"),
    ("103", "BFLOAT16_VECTOR"),
    ("104", "SPARSE_FLOAT_VECTOR"),
    ("105", "INT8_VECTOR"),
    ("106", "ARRAY_OF_VECTOR"),
    ("201", "STRUCT"),
];

/// The field in which a collection keeps what its schema does not name.
pub const DYNAMIC: &str = "$meta";

/// Reads the schema's JSON text: an array of `{"name", "type", "is_primary", "dimension"}`, or an object with `fields`, as a package
/// carries it, `describe_collection` gives it, `CollectionSchema.to_dict` makes it, or `collections/describe` answers it.
///
/// # Errors
/// It is none of these.
pub fn schema(text: &str, shard: &str) -> Result<Vec<SchemaField>> {
    let value: Value = serde_json::from_str(text).map_err(|e| Error::new(format!("{shard}: the schema is no JSON: {e}")))?;
    let value = inner(&value);
    let Some(fields) = value.as_array().or_else(|| value.get("fields").and_then(Value::as_array)) else {
        return Err(Error::new(format!("{shard}: the schema is {}, expected an array of fields", excerpt(text, 40))));
    };
    let all = first(value, ["auto_id", "autoId", "autoID"]).as_bool().unwrap_or(false);
    fields.iter().map(|field| read(field, all, shard)).collect()
}

fn read(field: &Value, all_automatic: bool, shard: &str) -> Result<SchemaField> {
    let Some(name) = field.get("name").and_then(Value::as_str) else {
        return Err(Error::new(format!("{shard}: a field of the schema has no name: {}", excerpt(&field.to_string(), 80))));
    };
    let raw = match first(field, ["type", "data_type", "dataType"]) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // `DataType.FLOAT_VECTOR`, `<DataType.FLOAT_VECTOR: 101>`, `FloatVector`, `101`
    let plain = raw.rsplit('.').next().unwrap_or(&raw).split(':').next().unwrap_or("").trim_matches(['<', '>', ' ']).to_ascii_uppercase();
    let known = TYPES.iter().find(|(number, name)| *number == plain || name.replace('_', "") == plain.replace('_', ""));
    let data_type = known.map_or(plain.as_str(), |(_, name)| name).to_owned();
    // A dictionary, or a list of keys and values.
    let params = field.get("params").unwrap_or(&Value::Null);
    let listed = params.as_array().into_iter().flatten().find(|p| p.get("key").and_then(Value::as_str) == Some("dim")).and_then(|p| p.get("value"));
    let dimension = match [first(field, ["dimension", "dim", "dim"]), params.get("dim").or(listed).unwrap_or(&Value::Null)].into_iter().find(|v| !v.is_null()) {
        Some(Value::String(text)) => text.parse().ok(),
        other => other.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()),
    };
    let primary = first(field, ["is_primary", "primaryKey", "is_primary_key"]).as_bool().unwrap_or(false);
    let automatic = primary && (all_automatic || first(field, ["auto_id", "autoId", "autoID"]).as_bool().unwrap_or(false));
    Ok(SchemaField { name: name.to_owned(), data_type, primary, automatic, dimension })
}

/// The description inside of a server's answer.
fn inner(value: &Value) -> &Value {
    let wrapped = ["data", "schema"].into_iter().filter_map(|key| value.get(key)).find(|v| v.get("fields").is_some());
    if value.get("fields").is_some() { value } else { wrapped.unwrap_or(value) }
}

fn first<'v>(value: &'v Value, keys: [&str; 3]) -> &'v Value {
    keys.iter().filter_map(|k| value.get(*k)).find(|v| !v.is_null()).unwrap_or(&Value::Null)
}

/// Fields whose values are JSON, which a file may hold as text.
#[must_use]
pub fn json_fields(fields: &[SchemaField]) -> Vec<String> {
    let named = fields.iter().filter(|f| matches!(f.data_type.as_str(), "JSON" | "ARRAY" | "STRUCT")).map(|f| f.name.clone());
    named.chain((!fields.is_empty()).then(|| DYNAMIC.to_owned())).collect()
}

/// What else the text says, if it is a collection's description: it has fields, and one of them is the key.
#[must_use]
pub fn about(text: &str) -> Option<About> {
    let fields = schema(text, "").ok()?;
    if !fields.iter().any(|f| f.primary) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let value = inner(&value);
    let string = |v: &Value| v.as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    let indexes = value.get("indexes").and_then(Value::as_array);
    let metric = indexes.into_iter().flatten().find_map(|i| string(first(i, ["metricType", "metric_type", "metric"])));
    Some(About { collection: string(first(value, ["collectionName", "collection_name", "name"])), metric })
}

/// Completes the layout from the schema and the user's flags: the key, the main vector, the other vectors with their types.
///
/// # Errors
/// No key or no vector is named anywhere.
pub fn complete(spec: &mut Spec, fields: &[SchemaField], id: Option<&str>, vector: Option<&str>, shard: &str) -> Result<()> {
    let names = || fields.iter().map(|f| format!("{} ({})", f.name, f.data_type)).collect::<Vec<_>>().join(", ");
    let Some(id) = id.map(str::to_owned).or_else(|| fields.iter().find(|f| f.primary).map(|f| f.name.clone())) else {
        return Err(Error::new(format!("{shard}: the schema names no primary key among its fields: {}", names())).help("name it with --id-field"));
    };
    let dense: Vec<(&SchemaField, Element)> = fields.iter().filter_map(|f| Some((f, element_of(&f.data_type)?))).collect();
    let sparse = || fields.iter().filter(|f| f.data_type == "SPARSE_FLOAT_VECTOR");
    if vector.is_none() && dense.is_empty() && sparse().next().is_none() {
        return Err(Error::new(format!("{shard}: the schema names no vector field: {}", names())).help("name the field with --vector-field"));
    }
    // Of several, each keeps its name, and --vector chooses the main one; bits are no floats, so they are never that.
    let only = match dense.as_slice() {
        [(field, element)] if *element != Element::Binary => Some(field.name.clone()),
        _ => None,
    };
    let main = vector.map(str::to_owned).or(only);
    for (field, element) in &dense {
        let is_main = main.as_ref() == Some(&field.name);
        if !is_main {
            spec.dense.insert(field.name.clone(), pointer(&field.name));
        }
        if *element != Element::Float32 {
            spec.types.insert(if is_main { "default".to_owned() } else { field.name.clone() }, *element);
        }
    }
    for field in sparse() {
        spec.sparse.insert(field.name.clone(), vec![pointer(&field.name)]);
    }
    spec.id = Some(IdSpec { at: pointer(&id), types: vec![IdType::String, IdType::Integer] });
    spec.vector = main.map(|main| VectorSpec { at: pointer(&main), named: false, multi: false });
    Ok(())
}

/// The type of the values of such a field; `None` if it is no dense vector.
fn element_of(data_type: &str) -> Option<Element> {
    data_type.ends_with("_VECTOR").then(|| Element::named(data_type)).flatten()
}

/// A key as a JSON pointer of one segment (RFC 6901).
#[must_use]
pub fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings_of_a_float_vector_are_one() {
        for spelling in ["\"FLOAT_VECTOR\"", "\"DataType.FLOAT_VECTOR\"", "\"101\"", "101"] {
            let text = format!("[{{\"name\":\"pk\",\"type\":21,\"is_primary\":true}},{{\"name\":\"v\",\"type\":{spelling},\"dimension\":8}}]");
            let fields = schema(&text, "t").unwrap();
            assert_eq!((fields[1].data_type.as_str(), fields[1].dimension), ("FLOAT_VECTOR", Some(8)));
            let mut spec = Spec::built_in("milvus").unwrap();
            complete(&mut spec, &fields, None, None, "t").unwrap();
            assert_eq!((spec.id.unwrap().at, spec.vector.unwrap().at), ("/pk".to_owned(), "/v".to_owned()));
        }
    }

    #[test]
    fn a_servers_answer_says_the_same_as_a_dictionary() {
        let answer = r#"{"code":0,"data":{"collectionName":"c","indexes":[{"fieldName":"v","metricType":"L2"}],"fields":[
            {"name":"pk","primaryKey":true,"autoId":true,"type":"Int64"},
            {"name":"v","type":"Float16Vector","params":[{"key":"dim","value":"8"}]},{"name":"b","type":"BinaryVector"},{"name":"j","type":"JSON"}]}}"#;
        let dict = r#"{"auto_id":true,"fields":[{"name":"pk","is_primary":true,"type":5},{"name":"v","type":"<DataType.FLOAT16_VECTOR: 102>","params":{"dim":8}},
            {"name":"b","type":100},{"name":"j","type":23}]}"#;
        assert_eq!(schema(answer, "a").unwrap(), schema(dict, "d").unwrap());
        assert_eq!(about(answer), Some(About { collection: Some("c".into()), metric: Some("L2".into()) }));
        assert_eq!(about(r#"{"fields": []}"#), None);
        assert_eq!(json_fields(&schema(answer, "a").unwrap()), ["j", "$meta"]);
    }

    #[test]
    fn no_vector_field_is_named_with_what_is_there() {
        let fields = schema("[{\"name\":\"pk\",\"type\":\"VARCHAR\",\"is_primary\":true}]", "t").unwrap();
        let mut spec = Spec::built_in("milvus").unwrap();
        let error = complete(&mut spec, &fields, None, None, "t.json").unwrap_err();
        assert!(error.to_string().contains("pk (VARCHAR)") && error.help_text().is_some());
    }
}
