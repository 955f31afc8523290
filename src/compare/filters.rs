//! A source's filter as SQL over the dataset's columns, where it can be said: comparisons of promoted fields, and their combinations.
//!
//! Pinecone's and Chroma's operators (`$eq`, `$in`, `$and`, …) and Qdrant's `must`, `should`, `must_not` with `match` and `range`.

use arrow_schema::Schema;
use serde_json::Value;

use crate::frame::promote::PromotedColumn;

/// SQL for a filter: a text is SQL already.
///
/// # Errors
/// Why it cannot be said, as the end of a sentence.
pub(super) fn sql(filter: &Value, schema: &Schema) -> Result<String, String> {
    match filter {
        Value::String(text) => Ok(text.clone()),
        Value::Object(object) if ["must", "should", "must_not"].iter().any(|key| object.contains_key(*key)) => qdrant(filter, schema),
        Value::Object(object) => {
            let parts: Vec<String> = object.iter().map(|(key, value)| entry(key, value, schema)).collect::<Result<_, _>>()?;
            if parts.is_empty() { Err("is empty".to_owned()) } else { Ok(joined(&parts, "AND")) }
        }
        _ => Err("is neither a text nor an object".to_owned()),
    }
}

fn joined(parts: &[String], word: &str) -> String {
    format!("({})", parts.join(&format!(" {word} ")))
}

fn entry(key: &str, value: &Value, schema: &Schema) -> Result<String, String> {
    if let (Some(word), Some(list)) = (
        match key {
            "$and" => Some("AND"),
            "$or" => Some("OR"),
            _ => None,
        },
        value.as_array(),
    ) {
        let parts: Vec<String> = list.iter().map(|item| sql(item, schema)).collect::<Result<_, _>>()?;
        return Ok(joined(&parts, word));
    }
    let column = column(key, schema)?;
    let Some(conditions) = value.as_object() else { return Ok(format!("{column} = {}", literal(value)?)) };
    let parts: Vec<String> = conditions.iter().map(|(operator, value)| compared(&column, operator, value)).collect::<Result<_, _>>()?;
    Ok(joined(&parts, "AND"))
}

fn compared(column: &str, operator: &str, value: &Value) -> Result<String, String> {
    let sign = match operator.trim_start_matches('$') {
        "eq" => "=",
        "ne" => "!=",
        "gt" => ">",
        "gte" => ">=",
        "lt" => "<",
        "lte" => "<=",
        name @ ("in" | "nin" | "any") => {
            let items: Vec<String> = value.as_array().into_iter().flatten().map(literal).collect::<Result<_, _>>()?;
            let not = if name == "nin" { "NOT " } else { "" };
            return Ok(format!("{column} {not}IN ({})", items.join(", ")));
        }
        other => return Err(format!("has the operator {other}, which is not known here")),
    };
    Ok(format!("{column} {sign} {}", literal(value)?))
}

fn qdrant(filter: &Value, schema: &Schema) -> Result<String, String> {
    let mut parts = Vec::new();
    for (key, word) in [("must", "AND"), ("should", "OR"), ("must_not", "OR")] {
        let Some(value) = filter.get(key) else { continue };
        let list = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        let conditions: Vec<String> = list.into_iter().map(|condition| qdrant_condition(condition, schema)).collect::<Result<_, _>>()?;
        if !conditions.is_empty() {
            parts.push(format!("{}{}", if key == "must_not" { "NOT " } else { "" }, joined(&conditions, word)));
        }
    }
    if parts.is_empty() { Err("is empty".to_owned()) } else { Ok(joined(&parts, "AND")) }
}

fn qdrant_condition(condition: &Value, schema: &Schema) -> Result<String, String> {
    let Some(key) = condition.get("key").and_then(Value::as_str) else { return qdrant(condition, schema) };
    let column = column(key, schema)?;
    if let Some(range) = condition.get("range").and_then(Value::as_object) {
        let parts: Vec<String> = range.iter().filter(|(_, v)| !v.is_null()).map(|(operator, v)| compared(&column, operator, v)).collect::<Result<_, _>>()?;
        return Ok(joined(&parts, "AND"));
    }
    let wanted = condition.get("match").ok_or("has a condition that is neither match nor range")?;
    match (wanted.get("value"), wanted.get("any")) {
        (Some(value), _) => compared(&column, "eq", value),
        (_, Some(list)) => compared(&column, "in", list),
        _ => Err("has a match that is neither of a value nor of any".to_owned()),
    }
}

fn column(field: &str, schema: &Schema) -> Result<String, String> {
    let promoted = schema.fields().iter().filter_map(|f| PromotedColumn::of(f)).find(|c| c.field == field);
    let name = promoted.map(|c| c.column).or_else(|| schema.field_with_name(field).ok().map(|f| f.name().clone()));
    name.map(|name| format!("`{name}`"))
        .ok_or_else(|| format!("asks for the field {}, which has no column (convert with --promote)", crate::reject::printable(field)))
}

fn literal(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(format!("'{}'", text.replace('\'', "''"))),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err("compares with a value that is neither text, number nor boolean".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field};
    use serde_json::json;

    #[test]
    fn filters_of_three_databases() {
        let schema = Schema::new(vec![Field::new("section", DataType::Utf8, true), Field::new("size", DataType::Int64, true)]);
        let of = |filter: Value| sql(&filter, &schema);
        assert_eq!(of(json!("size > 3")).unwrap(), "size > 3");
        assert_eq!(of(json!({"section": "o'caml"})).unwrap(), "(`section` = 'o''caml')");
        assert_eq!(
            of(json!({"$and": [{"section": {"$in": ["a", "b"]}}, {"size": {"$gte": 3, "$lt": 9}}]})).unwrap(),
            "((((`section` IN ('a', 'b'))) AND ((`size` >= 3 AND `size` < 9))))"
        );
        let qdrant = json!({"must": [{"key": "section", "match": {"value": "a"}}], "must_not": [{"key": "size", "range": {"gt": 5, "lte": null}}]});
        assert_eq!(of(qdrant).unwrap(), "((`section` = 'a') AND NOT ((`size` > 5)))");
        assert!(of(json!({"colour": 1})).unwrap_err().contains("--promote"));
        assert!(of(json!({"size": {"$near": 1}})).unwrap_err().contains("near"));
    }
}
