//! JSON text as text: the value of a string, a value without white space, a string with its escapes.
//!
//! Not validation: what comes here was read by [`Cursor`] before.

use std::borrow::Cow;

use super::Cursor;

/// The value of a raw string whose escapes were validated by [`Cursor::string`].
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (c, taken) = match escape.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'u') => {
                let unit = |at: usize| escape.get(at..at + 4).and_then(|h| u32::from_str_radix(h, 16).ok()).unwrap_or(0xFFFD);
                let high = unit(1);
                if (0xD800..=0xDBFF).contains(&high) {
                    let joined = 0x10000 + ((high - 0xD800) << 10) + (unit(7).wrapping_sub(0xDC00) & 0x3FF);
                    (char::from_u32(joined).unwrap_or('\u{FFFD}'), 11)
                } else {
                    (char::from_u32(high).unwrap_or('\u{FFFD}'), 5)
                }
            }
            Some(&other) => (other as char, 1),
            None => break,
        };
        out.push(c);
        rest = &escape[taken..];
    }
    out.push_str(rest);
    out
}

/// `raw` (a valid JSON value) without white space outside of strings.
#[must_use]
pub fn compact(raw: &str) -> Cow<'_, str> {
    let space = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t');
    if !raw.as_bytes().iter().any(&space) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.bytes().position(|b| b == b'"' || space(&b)) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('"') {
            let mut cursor = Cursor::new(rest);
            let end = if cursor.string().is_ok() { cursor.position() } else { rest.len() };
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Appends `text` as a JSON string with its quotes.
pub fn push_string(out: &mut String, text: &str) {
    if text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_leaves_strings_alone() {
        assert_eq!(compact("{ \"a b\" : [ 1 ,\n 2 ] }"), "{\"a b\":[1,2]}");
    }
}
