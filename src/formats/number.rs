//! Decimal text to `f32`: the nearest float, ties to even, bit for bit what `str::parse::<f32>` gives, several times as fast.
//!
//! Not a general number parser: integers, 64-bit values and the digits of metadata stay text elsewhere.
//!
//! How: up to 19 significant digits fit a `u64`; scaled by an exact power of ten (10^0 to 10^22) in `f64`, the result is at
//! most 3 units in the last place away from the true value. Rounding that to `f32` is right unless the value lies within
//! that distance of the midpoint between two `f32`s; those, subnormals and everything unusual go to the standard library.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod plain;
mod run;

pub use plain::plain_f32_array;

use super::json::{Cursor, JsonError, Kind, number_end};
use crate::reject::{Code, Refusal, excerpt};

const EIGHT: u64 = 100_000_000;
/// 10^0 to 10^8.
const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, EIGHT];
const POWERS: [f64; 23] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

const NEGATIVE_POWERS: [f64; 23] =
    [1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20, 1e-21, 1e-22];

/// Parses the JSON number at the start of `bytes[pos..]`: the nearest `f32` and the end offset. The float may be infinite
/// when the decimal overflows.
///
/// # Errors
/// The offset of the byte that is no part of a JSON number.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::float_cmp, reason = "the module doc bounds the rounding")]
pub fn parse_f32(bytes: &[u8], pos: usize) -> Result<(f32, usize), usize> {
    let mut at = pos;
    let negative = bytes.get(at) == Some(&b'-');
    at += usize::from(negative);
    let mut mantissa: u64 = 0;
    let first = at;
    while let Some(digit) = digit(bytes, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let mut digits = at - first;
    if digits == 0 || (digits > 1 && bytes[first] == b'0') {
        return Err(if digits == 0 { at } else { first + 1 });
    }
    let mut scale = 0usize;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let start = at;
        (mantissa, at) = fraction(bytes, at, mantissa);
        scale = at - start;
        if scale == 0 {
            return Err(at);
        }
        // The zero before a point does not use up precision.
        digits = if bytes[first] == b'0' { scale } else { digits + scale };
        // Nor do those behind it: 0.00012 has two significant digits.
        if digits > 19 && bytes[first] == b'0' {
            digits -= bytes[start..at].iter().take_while(|b| **b == b'0').count();
        }
    }
    let mut exponent = -i64::try_from(scale).unwrap_or(i64::MAX);
    if let Some(b'e' | b'E') = bytes.get(at) {
        let end = number_end(bytes, pos)?;
        let text = std::str::from_utf8(&bytes[at + 1..end]).unwrap_or("");
        exponent = exponent.saturating_add(text.trim_start_matches('+').parse::<i64>().unwrap_or(if text.starts_with('-') { -9999 } else { 9999 }));
        at = end;
    }
    if mantissa == 0 && digits <= 19 {
        return Ok((if negative { -0.0 } else { 0.0 }, at));
    }
    let power = exponent.unsigned_abs();
    if digits <= 19 && power <= 22 {
        // A product is several times as fast as a quotient; the rounded reciprocal costs the third of the three units.
        let factor = if exponent < 0 { NEGATIVE_POWERS[power as usize] } else { POWERS[power as usize] };
        if let Some(value) = rounded(mantissa as f64 * factor, negative) {
            return Ok((value, at));
        }
    }
    let text = std::str::from_utf8(&bytes[pos..at]).unwrap_or("");
    text.parse::<f32>().map(|value| (value, at)).map_err(|_| pos)
}

/// The nearest `f32` of a value that is at most 3 units in the last place off; `None` if that may decide about the rounding, and
/// for what is no normal float.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the module doc bounds the rounding")]
fn rounded(scaled: f64, negative: bool) -> Option<f32> {
    let tail = (scaled.to_bits() & 0x1FFF_FFFF).cast_signed();
    let near_midpoint = (tail - 0x1000_0000).abs() <= 4;
    if near_midpoint || scaled < f64::from(f32::MIN_POSITIVE) || scaled >= f64::from(f32::MAX) {
        return None;
    }
    Some(f32::from_bits((scaled as f32).to_bits() | u32::from(negative) << 31))
}

/// Reads on with the digits from `at`, eight at a time in one 64-bit word: the mantissa (modulo 2^64) and the place after them.
fn fraction(bytes: &[u8], mut at: usize, mut mantissa: u64) -> (u64, usize) {
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        // The digits as 0 to 9, the first one in the lowest byte. A byte above 9 gets its highest bit set by the sum, and what
        // the sum carries on only reaches bytes behind the first that is no digit.
        let values = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
        if others == 0 {
            mantissa = mantissa.wrapping_mul(EIGHT).wrapping_add(eight_digits(values));
            at += 8;
            continue;
        }
        let count = (others.trailing_zeros() / 8) as usize;
        if count > 0 {
            // Shifted up, the digits have zeros before them.
            mantissa = mantissa.wrapping_mul(TENS[count]).wrapping_add(eight_digits(values << (64 - 8 * count)));
        }
        return (mantissa, at + count);
    }
    while let Some(digit) = digit(bytes, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    (mantissa, at)
}

/// Eight digits, the first in the lowest byte: pairs, then fours, then all eight (Lemire's method).
fn eight_digits(values: u64) -> u64 {
    let pairs = (values.wrapping_mul(10 << 8 | 1) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000 << 32 | 1) >> 32
}

fn digit(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10).map(u64::from)
}

/// Appends the array of numbers at the cursor to `out` and gives its length.
///
/// # Errors
/// An element is no number (`vector-type`), or overflows float32 (`vector-not-finite`); or the text is no JSON. `out` may
/// then hold some of the values.
pub fn f32_array(cursor: &mut Cursor<'_>, out: &mut Vec<f32>) -> Result<usize, VectorError> {
    let before = out.len();
    cursor.expect(b'[', "an array of numbers")?;
    if cursor.peek() == Some(b']') {
        cursor.set_position(cursor.position() + 1);
        return Ok(0);
    }
    let bytes = cursor.text().as_bytes();
    loop {
        match run::run(bytes, cursor.position(), out) {
            run::End::Before(at) => cursor.set_position(at),
            run::End::Closed(at) => {
                cursor.set_position(at);
                return Ok(out.len() - before);
            }
        }
        let start = match cursor.peek() {
            Some(b'-' | b'0'..=b'9') => cursor.position(),
            _ => return Err(bad_element(cursor, out.len() - before)),
        };
        let Ok((value, mut at)) = parse_f32(bytes, start) else {
            return Err(bad_element(cursor, out.len() - before));
        };
        if value.is_infinite() {
            let index = out.len() - before;
            let text = excerpt(&cursor.text()[start..at], 24);
            return Err(Refusal::new(Code::VectorNotFinite, format!("vector value {text} at index {index} overflows float32")).into());
        }
        out.push(value);
        // The common case first: a comma, perhaps a space, and the next number.
        if bytes.get(at) == Some(&b',') {
            at += 1;
            cursor.set_position(at);
            continue;
        }
        cursor.set_position(at);
        match cursor.peek() {
            Some(b',') => cursor.set_position(cursor.position() + 1),
            Some(b']') => {
                cursor.set_position(cursor.position() + 1);
                return Ok(out.len() - before);
            }
            _ => cursor.expect(b']', "`,` or `]`")?,
        }
    }
}

/// Either the text is no JSON, or it is and the vector is refused.
#[derive(Debug)]
pub enum VectorError {
    /// Not JSON.
    Json(JsonError),
    /// JSON, but no vector.
    Refused(Refusal),
}

impl From<JsonError> for VectorError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<Refusal> for VectorError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn bad_element(cursor: &mut Cursor<'_>, index: usize) -> VectorError {
    match cursor.value() {
        Err(error) if error.code == Code::NonFiniteLiteral => {
            Refusal::new(Code::VectorNotFinite, format!("vector value at index {index} is NaN or infinite, expected a finite number")).into()
        }
        Err(error) => error.into(),
        Ok(value) => {
            let met = match value.kind {
                Kind::String => format!("the string {}", excerpt(value.raw, 24)),
                Kind::Null => "null".to_owned(),
                Kind::Bool => value.raw.to_owned(),
                kind => format!("an {}", kind.name()),
            };
            Refusal::new(Code::VectorType, format!("vector value at index {index} is {met}, expected a number")).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours(text: &str) -> f32 {
        parse_f32(text.as_bytes(), 0).unwrap().0
    }

    #[test]
    fn hard_cases_match_the_standard_library() {
        for text in [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "1",
            "16777217",
            "16777219",
            "1e-45",
            "1e-46",
            "7.006492321624085e-46",
            "1.401298464324817e-45",
            "3.4028234663852886e38",
            "3.4028235677973366e38",
            "1e39",
            "0.10000000149011612",
            "0.1",
            "1.17549435e-38",
            "1.1754943e-38",
            "9007199791611905",
            "4503599895805953e-10",
            "0.000000000000000000000000000000000000000000001",
            "123456789012345678901234567890",
            "1e22",
            "1e23",
            "1E+5",
            "1e0000000000000000000001",
            "5e-324",
            "0e999999999999",
            "100000000000000000000000e-23",
            "1.00000005960464477539062500001",
            "1.000000059604644775390625",
            "1.00000005960464477539062499999",
            "0.00000005960464477539062500000001",
        ] {
            let std: f32 = text.parse().unwrap();
            assert_eq!(ours(text).to_bits(), std.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_number_is_refused() {
        for text in ["", "-", "+1", ".5", "5.", "01", "1e", "1e+", "e5", "--1", "00"] {
            assert!(parse_f32(text.as_bytes(), 0).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn f32_to_text_to_f32_keeps_the_bits(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}"), format!("{}", f64::from(value)), format!("{:e}", f64::from(value))] {
                prop_assert_eq!(ours(&text).to_bits(), bits, "{}", text);
            }
        }

        #[test]
        fn any_decimal_is_the_nearest_float(digits in "[1-9][0-9]{0,24}", point in 0usize..25, exponent in -50i32..50) {
            let point = point.min(digits.len());
            let whole = if point == 0 { "0" } else { &digits[..point] };
            let rest = if point == digits.len() { "0" } else { &digits[point..] };
            let text = format!("{whole}.{rest}e{exponent}");
            let std: f32 = text.parse().unwrap();
            prop_assert_eq!(ours(&text).to_bits(), std.to_bits(), "{}", text);
        }
    }
}
