//! The same arrays by the standard library's parser, one number at a time: the second opinion that `verify` asks for.
//!
//! Slow on purpose: it shares no step with the fast way, so a mistake there shows.

use super::{VectorError, f32_array};
use crate::formats::json::{Cursor, Kind};

/// As [`f32_array`]: appends the array's values and gives their number. What is refused is refused by [`f32_array`], so that
/// both ways say the same.
///
/// # Errors
/// As [`f32_array`].
pub fn plain_f32_array(cursor: &mut Cursor<'_>, out: &mut Vec<f32>) -> Result<usize, VectorError> {
    let (start, before) = (cursor.clone(), out.len());
    let mut plain = true;
    let closed = cursor.array(|cursor| -> Result<(), VectorError> {
        let value = cursor.value()?;
        match value.raw.parse::<f32>() {
            Ok(number) if value.kind == Kind::Number && number.is_finite() => out.push(number),
            _ => plain = false,
        }
        Ok(())
    });
    if plain && closed.is_ok() {
        return Ok(out.len() - before);
    }
    *cursor = start;
    out.truncate(before);
    f32_array(cursor, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_bits_or_the_same_refusal() {
        for text in ["[]", "[ 1.5 , -0.0,3e-39]", "[0.1,0.30000001192092896]", "[1e39]", "[1,\"2\"]", "[1,2", "[NaN]", "7", "[1,]"] {
            let run = |f: fn(&mut Cursor<'_>, &mut Vec<f32>) -> Result<usize, VectorError>| {
                let (mut cursor, mut out) = (Cursor::new(text), vec![]);
                let done = f(&mut cursor, &mut out).map_err(|e| format!("{e:?}"));
                let bits: Vec<u32> = out.iter().map(|v| v.to_bits()).collect();
                if done.is_ok() { (done, bits, cursor.position()) } else { (done, vec![], 0) }
            };
            assert_eq!(run(plain_f32_array), run(f32_array), "{text}");
        }
    }
}
