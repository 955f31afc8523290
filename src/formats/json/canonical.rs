//! One text for all spellings of a JSON value: keys sorted, no white space, strings escaped in one way.
//!
//! Numbers keep their digits: `1`, `1.0` and `1e0` are three values here, because a migration must not turn one into another.

use super::{Cursor, JsonError, Kind, push_string};

/// The canonical text of one JSON value; `None` if `raw` is none.
#[must_use]
pub fn canonical(raw: &str) -> Option<String> {
    let mut cursor = Cursor::new(raw);
    // Once, because what is deeper than the cursor allows would be recursion without a bound.
    cursor.value().and_then(|_| cursor.end()).ok()?;
    let mut out = String::with_capacity(raw.len());
    write(&mut Cursor::new(raw), &mut out).ok()?;
    Some(out)
}

fn write(cursor: &mut Cursor<'_>, out: &mut String) -> Result<(), JsonError> {
    match cursor.kind()? {
        Kind::Object => {
            let mut fields = Vec::new();
            cursor.object(|key, cursor| -> Result<(), JsonError> {
                let mut text = String::new();
                write(cursor, &mut text)?;
                fields.push((key.value(), text));
                Ok(())
            })?;
            // Stable: of a key that stands twice, the order is kept.
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            for (at, (key, text)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_string(out, key);
                out.push(':');
                out.push_str(text);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            let mut first = true;
            cursor.array(|cursor| -> Result<(), JsonError> {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                write(cursor, out)
            })?;
            out.push(']');
        }
        Kind::String => {
            let string = cursor.string()?;
            if string.escaped {
                push_string(out, &string.value());
            } else {
                out.push('"');
                out.push_str(string.raw);
                out.push('"');
            }
        }
        _ => out.push_str(cursor.value()?.raw),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_one_and_values_are_not() {
        let one = canonical("{ \"b\" : [1, {\"y\":null,\"x\":\"\\u00e9\\/\"}],\n\"a\":\"é\\u0041\"}").unwrap();
        assert_eq!(one, "{\"a\":\"éA\",\"b\":[1,{\"x\":\"é/\",\"y\":null}]}");
        assert_eq!(canonical(&one).as_deref(), Some(one.as_str()));
        for (a, b) in [("1", "1.0"), ("1e2", "100"), ("0", "-0"), ("\"1\"", "1"), ("[1,2]", "[2,1]"), ("{\"a\":null}", "{}")] {
            assert_ne!(canonical(a), canonical(b), "{a} {b}");
        }
        assert_eq!(canonical("{\"a\":1,\"a\":2}").as_deref(), Some("{\"a\":1,\"a\":2}"));
        assert_eq!(canonical("{\"a\":1} x"), None);
        assert_eq!(canonical(&"[".repeat(100_000)), None);
    }
}
