//! Decimal text to `f32`: one number, and arrays of them by every way that the program has.
//!
//! Not where the values go: `decode.rs`.

use vec2lance::formats::json::Cursor;
use vec2lance::formats::number::{VectorError, f32_array, parse_f32, plain_f32_array};

/// Any bytes as a number: what is accepted is JSON, and has the bits that the standard library gives.
pub fn number(data: &[u8]) {
    let parsed = parse_f32(data, 0);
    if let Ok((value, end)) = parsed {
        let text = std::str::from_utf8(&data[..end]).expect("numbers are ASCII");
        serde_json::from_str::<serde::de::IgnoredAny>(text).expect("what is accepted is JSON");
        assert_eq!(value.to_bits(), text.parse::<f32>().expect("a JSON number is a float").to_bits(), "{text}");
    }
    // What stands before and behind changes nothing.
    let moved = [b"[0.5,", data, b",1.25]        "].concat();
    if !data.is_empty() && data.iter().all(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
        let here = parse_f32(&moved, 5).map(|(value, end)| (value.to_bits(), end - 5)).map_err(|at| at - 5);
        assert_eq!(here, parsed.map(|(value, end)| (value.to_bits(), end)));
    }
}

/// Any text as an array of numbers: taken in runs, one by one or by the standard library, the same values come out, or all
/// refuse it.
pub fn numbers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let array = format!("[{text}]");
    let mut taken = Vec::new();
    let mut cursor = Cursor::new(&array);
    let closed = f32_array(&mut cursor, &mut taken);
    // Of an array that breaks off, the last number may be part of something that is none.
    let sure = if closed.is_ok() { taken.len() } else { taken.len().saturating_sub(1) };
    for (value, text) in taken[..sure].iter().zip(text.split([',', ']'])) {
        assert_eq!(value.to_bits(), text.trim().parse::<f32>().expect("what was taken is a number").to_bits(), "{text}");
    }
    let other: Option<Vec<serde_json::Number>> = serde_json::from_str(&array).ok();
    if let (Ok(length), Some(other)) = (&closed, other) {
        assert_eq!((*length, taken.len()), (other.len(), other.len()));
    }
    let (mut plain, mut beside) = (Vec::new(), Cursor::new(&array));
    let said = |done: &Result<usize, VectorError>| done.as_ref().copied().map_err(|e| format!("{e:?}"));
    let plainly = plain_f32_array(&mut beside, &mut plain);
    assert_eq!(said(&closed), said(&plainly));
    if closed.is_ok() {
        assert_eq!(bits(&taken), bits(&plain));
        assert_eq!(cursor.position(), beside.position());
    }
    // Room behind the array lets the last numbers of it be taken in runs, too.
    let (roomy, mut again) = (format!("{array}{}", " ".repeat(80)), Vec::new());
    assert_eq!(f32_array(&mut Cursor::new(&roomy), &mut again).is_ok(), closed.is_ok());
    assert_eq!(bits(&taken[..sure]), bits(&again[..sure]));
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}
