//! Byte scanners under the cursor: the next byte of a string that matters, the end of a number.
//!
//! Not the grammar around them.

use crate::reject::excerpt;

/// The first character, safe on a terminal.
pub(in crate::formats) fn first_char(text: &str) -> String {
    text.chars().next().map(|c| excerpt(c.encode_utf8(&mut [0; 4]), 1)).unwrap_or_default()
}

/// First byte at or after `pos` that is a quote, a backslash or a control character; eight bytes at a time.
pub(super) fn find_special(bytes: &[u8], mut pos: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |x: u64, n: u64| x.wrapping_sub(ONES * n) & !x & HIGH;
    while let Some(chunk) = bytes.get(pos..pos + 8) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let x = u64::from_le_bytes(word);
        let found = below(x, 0x20) | below(x ^ (ONES * u64::from(b'"')), 1) | below(x ^ (ONES * u64::from(b'\\')), 1);
        if found != 0 {
            return pos + (found.trailing_zeros() / 8) as usize;
        }
        pos += 8;
    }
    while bytes.get(pos).is_some_and(|&b| b >= 0x20 && b != b'"' && b != b'\\') {
        pos += 1;
    }
    pos
}

/// End of the JSON number that starts at `pos`, or the offset where a digit was missing.
///
/// # Errors
/// The offset of the first byte that breaks the grammar `-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?`.
pub fn number_end(bytes: &[u8], pos: usize) -> std::result::Result<usize, usize> {
    let digits = |mut at: usize| {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == start { Err(at) } else { Ok(at) }
    };
    let mut at = pos;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(at)?;
    }
    Ok(at)
}
