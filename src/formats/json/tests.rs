//! The cursor against serde_json, and its own limits.

use super::*;

fn whole(text: &str) -> Result<Kind> {
    let mut cursor = Cursor::new(text);
    let value = cursor.value()?;
    cursor.end()?;
    Ok(value.kind)
}

#[test]
fn agrees_with_serde_json_on_what_is_json() {
    for text in [
        "{}",
        "[]",
        "[1,2]",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "01",
        "-",
        "-0",
        "1.",
        ".5",
        "1e",
        "1e+",
        "1E-3",
        "+1",
        "tru",
        "true",
        "nul",
        "null",
        "\"\\u12\"",
        "\"\\x\"",
        "\"a\nb\"",
        "[[[]]]",
        "[[]",
        "{\"a\":{\"b\":[1,{\"c\":null}]}}",
        "{\"a\":1 \"b\":2}",
        "[1 2]",
        "\"",
        "{",
        "",
        " ",
        "{} {}",
        "NaN",
        "-Infinity",
        "[NaN]",
        "\"\\ud83e\\udd80\"",
        "'a'",
        "{'a':1}",
        "{a:1}",
        "1 ",
        " 1",
    ] {
        let ours = whole(text).is_ok();
        let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn depth_is_limited_without_recursion() {
    assert!(whole(&("[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH))).is_ok());
    assert_eq!(whole(&"[".repeat(100_000)).unwrap_err().code, Code::TooDeep);
}

#[test]
fn strings_keep_every_character() {
    let text = r#""\u0000\ud83e\udd80 \"\\\/\b\f\n\r\té""#;
    let value = Cursor::new(text).string().unwrap().value();
    assert_eq!(value, "\0🦀 \"\\/\u{8}\u{c}\n\r\té");
    assert_eq!(whole("\"\\ud800\"").unwrap_err().code, Code::LoneSurrogate);
    assert_eq!(whole("\"\\udc00\"").unwrap_err().code, Code::LoneSurrogate);
}
