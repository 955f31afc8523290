//! Expressions in Milvus' language that cut a collection at its primary key, and the order of keys.

use std::cmp::Ordering;

use serde_json::Value;

use crate::source::Range;

/// Selects what a page may hold: of `range`, what follows `after`, and of it what the user's filter selects. The filter stands last,
/// because `element_filter` must.
pub(super) fn page(primary: &str, varchar: bool, range: &Range, after: Option<&Value>, filter: Option<&str>) -> String {
    span(primary, varchar, range, after, None, filter)
}

/// As [`page`], up to the key `last` and with it.
pub(super) fn span(primary: &str, varchar: bool, range: &Range, after: Option<&Value>, last: Option<&Value>, filter: Option<&str>) -> String {
    let mut parts = Vec::new();
    match (after, &range.from) {
        (Some(key), _) => parts.push(cut(primary, ">", key)),
        (None, Value::Null) => {}
        (None, from) => parts.push(cut(primary, ">=", from)),
    }
    match (last, &range.to) {
        (Some(last), _) => parts.push(cut(primary, "<=", last)),
        (None, Value::Null) => {}
        (None, to) => parts.push(cut(primary, "<", to)),
    }
    if parts.is_empty() {
        parts.push(everything(primary, varchar));
    }
    parts.extend(filter.map(|f| format!("({f})")));
    parts.join(" and ")
}

/// Selects every entity. The empty key and the two ends of int64 belong to it.
pub(super) fn everything(primary: &str, varchar: bool) -> String {
    if varchar { format!("{primary} >= \"\"") } else { format!("{primary} <= {}", i64::MAX) }
}

/// One comparison. The parser reads the sign apart from the digits, and the digits of the smallest int64 are none of 64 bits: what is
/// said of it is said of its neighbour instead.
fn cut(primary: &str, operator: &str, key: &Value) -> String {
    if key.as_i64() != Some(i64::MIN) {
        return format!("{primary} {operator} {}", literal(key));
    }
    let second = i64::MIN + 1;
    match operator {
        ">" => format!("{primary} >= {second}"),
        "<=" => format!("{primary} < {second}"),
        ">=" => everything(primary, false),
        _ => format!("{primary} < {second} and {primary} >= {second}"),
    }
}

/// A key as a literal, with the escapes that every version reads.
fn literal(key: &Value) -> String {
    let Value::String(text) = key else { return key.to_string() };
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The order in which Milvus compares keys: numbers by value, strings by their bytes.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => a.as_i64().cmp(&b.as_i64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_where_the_last_one_ended() {
        let range = |from: Value, to: Value| Range { from, to };
        let all = range(Value::Null, Value::Null);
        assert_eq!(page("pk", true, &all, None, None), "pk >= \"\"");
        assert_eq!(page("pk", false, &all, None, Some("a > 1")), "pk <= 9223372036854775807 and (a > 1)");
        assert_eq!(page("pk", false, &range(1.into(), 9.into()), None, None), "pk >= 1 and pk < 9");
        assert_eq!(page("pk", false, &range(1.into(), 9.into()), Some(&(-3).into()), Some("b")), "pk > -3 and pk < 9 and (b)");
        assert_eq!(span("pk", true, &all, Some(&"a".into()), Some(&"b".into()), Some("f")), "pk > \"a\" and pk <= \"b\" and (f)");
    }

    #[test]
    fn the_smallest_key_is_not_written_out() {
        let all = Range::whole();
        assert_eq!(page("pk", false, &all, Some(&i64::MIN.into()), None), "pk >= -9223372036854775807");
        assert_eq!(span("pk", false, &all, None, Some(&i64::MIN.into()), None), "pk < -9223372036854775807");
    }

    #[test]
    fn keys_are_escaped() {
        assert_eq!(literal(&"a\"b\\c\n\r\t\u{7}é'".into()), "\"a\\\"b\\\\c\\n\\r\\t\u{7}é'\"");
        assert_eq!(compare(&"a".into(), &"é".into()), Ordering::Less);
        assert_eq!(compare(&(-1).into(), &1.into()), Ordering::Less);
    }
}
