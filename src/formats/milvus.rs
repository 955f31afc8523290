//! The schema that a Milvus package carries: which field is the key, which the vector, and what the others are.
//!
//! Not the entities: they go through the text decoder with a layout that this completes.

use serde_json::Value;

use super::spec::{IdSpec, IdType, Spec, VectorSpec};
use crate::error::{Error, Result};
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
    /// Dimension, if the schema has one.
    pub dimension: Option<usize>,
}

/// Milvus' numbers of its types (`schema.proto`, enum `DataType`): what `str(field.dtype)` writes on Python 3.11 and later.
const TYPES: [(&str, &str); 16] = [
    ("1", "BOOL"),
    ("2", "INT8"),
    ("3", "INT16"),
    ("4", "INT32"),
    ("5", "INT64"),
    ("10", "FLOAT"),
    ("11", "DOUBLE"),
    ("21", "VARCHAR"),
    ("22", "ARRAY"),
    ("23", "JSON"),
    ("100", "BINARY_VECTOR"),
    ("101", "FLOAT_VECTOR"),
    ("102", "FLOAT16_VECTOR"),
    ("103", "BFLOAT16_VECTOR"),
    ("104", "SPARSE_FLOAT_VECTOR"),
    ("105", "INT8_VECTOR"),
];

/// Reads the schema's JSON text: an array of `{"name", "type", "is_primary", "dimension"}`, or an object with `fields`.
///
/// # Errors
/// It is neither.
pub fn schema(text: &str, shard: &str) -> Result<Vec<SchemaField>> {
    let value: Value = serde_json::from_str(text).map_err(|e| Error::new(format!("{shard}: the schema is no JSON: {e}")))?;
    let fields = value.as_array().or_else(|| value.get("fields").and_then(Value::as_array));
    let Some(fields) = fields else {
        return Err(Error::new(format!("{shard}: the schema is {}, expected an array of fields", excerpt(text, 40))));
    };
    let read = |field: &Value| -> Result<SchemaField> {
        let get = |keys: [&str; 2]| keys.iter().find_map(|k| field.get(*k)).cloned().unwrap_or(Value::Null);
        let Some(name) = field.get("name").and_then(Value::as_str) else {
            return Err(Error::new(format!("{shard}: a field of the schema has no name: {}", excerpt(&field.to_string(), 80))));
        };
        let raw = match get(["type", "data_type"]) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let plain = raw.rsplit('.').next().unwrap_or(&raw).to_ascii_uppercase();
        let data_type = TYPES.iter().find(|(number, _)| *number == plain).map_or(plain.as_str(), |(_, name)| name).to_owned();
        let dimension = match get(["dimension", "dim"]) {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|n| usize::try_from(n).ok()),
        };
        let primary = get(["is_primary", "primaryKey"]).as_bool().unwrap_or(false);
        Ok(SchemaField { name: name.to_owned(), data_type, primary, dimension })
    };
    fields.iter().map(read).collect()
}

/// Completes the layout from the schema and the user's flags: the key, the main vector, other dense and sparse vectors.
/// Half-precision, int8 and binary vectors stay in the payload as the source wrote them.
///
/// # Errors
/// No key or no float vector is named anywhere.
pub fn complete(spec: &mut Spec, fields: &[SchemaField], id: Option<&str>, vector: Option<&str>, shard: &str) -> Result<()> {
    let names = || fields.iter().map(|f| format!("{} ({})", f.name, f.data_type)).collect::<Vec<_>>().join(", ");
    let Some(id) = id.map(str::to_owned).or_else(|| fields.iter().find(|f| f.primary).map(|f| f.name.clone())) else {
        return Err(Error::new(format!("{shard}: the schema names no primary key among its fields: {}", names())).help("name it with --id-field"));
    };
    let dense: Vec<&SchemaField> = fields.iter().filter(|f| f.data_type == "FLOAT_VECTOR").collect();
    let Some(main) = vector.map(str::to_owned).or_else(|| dense.first().map(|f| f.name.clone())) else {
        return Err(Error::new(format!("{shard}: the schema names no FLOAT_VECTOR field: {}", names())).help("name the field with --vector-field"));
    };
    for field in dense.iter().filter(|f| f.name != main) {
        spec.dense.insert(field.name.clone(), pointer(&field.name));
    }
    for field in fields.iter().filter(|f| f.data_type == "SPARSE_FLOAT_VECTOR") {
        spec.sparse.insert(field.name.clone(), vec![pointer(&field.name)]);
    }
    spec.id = Some(IdSpec { at: pointer(&id), types: vec![IdType::String, IdType::Integer] });
    spec.vector = Some(VectorSpec { at: pointer(&main), named: false, multi: false });
    Ok(())
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
    fn no_vector_field_is_named_with_what_is_there() {
        let fields = schema("[{\"name\":\"pk\",\"type\":\"VARCHAR\",\"is_primary\":true}]", "t").unwrap();
        let mut spec = Spec::built_in("milvus").unwrap();
        let error = complete(&mut spec, &fields, None, None, "t.json").unwrap_err();
        assert!(error.to_string().contains("pk (VARCHAR)") && error.help_text().is_some());
    }
}
