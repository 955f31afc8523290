//! Runs of plain decimals in an array, `0.123,-1.5,…`: the separators are found first, 64 bytes at a time, so that the numbers
//! between them are parsed independently of each other and the CPU works on several at once.
//!
//! Not a parser of its own: whatever is not a sign, one digit, a point and up to 19 digits, with at most one space before it,
//! is left to [`super::parse_f32`], and so is every error. Both give the same bits (a property test says so).

use super::{EIGHT, NEGATIVE_POWERS, TENS, eight_digits, rounded};

/// Where a run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Before the element at this offset, which is for somebody else.
    Before(usize),
    /// With the array; the offset is that behind its `]`.
    Closed(usize),
}

/// Appends the elements from `pos`, where an element must begin, as far as they are plain decimals.
pub(super) fn run(bytes: &[u8], pos: usize, out: &mut Vec<f32>) -> End {
    #[cfg(target_arch = "x86_64")]
    if let Some(end) = super::avx2::run(bytes, pos, out) {
        return end;
    }
    portable(bytes, pos, out)
}

fn portable(bytes: &[u8], pos: usize, out: &mut Vec<f32>) -> End {
    walk(bytes, pos, out, separators, plain)
}

/// The walk from separator to separator; `separators` and `plain` are those for the CPU.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled inside of the functions for a kind of CPU")]
pub(super) fn walk(
    bytes: &[u8],
    pos: usize,
    out: &mut Vec<f32>,
    separators: impl Fn(&[u8; BLOCK]) -> u64,
    plain: impl Fn(&[u8], usize, usize) -> Option<f32>,
) -> End {
    let mut start = pos;
    let mut at = pos;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        let mut found = separators(block);
        while found != 0 {
            let end = at + found.trailing_zeros() as usize;
            found &= found - 1;
            let Some(value) = plain(bytes, start, end) else { return End::Before(start) };
            out.push(value);
            start = end + 1;
            if bytes[end] == b']' {
                return End::Closed(start);
            }
        }
        at += BLOCK;
    }
    End::Before(start)
}

/// Sign, the digit before the point, and the number of digits behind it, of what stands in `start..end`; `window` is the bytes
/// before `end`. `None` if it is not plain.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled inside of the functions for a kind of CPU")]
pub(super) fn shape<const N: usize>(window: &[u8; N], start: usize, end: usize) -> Option<(bool, u64, usize)> {
    // Offsets in the window.
    let mut first = (start + N).checked_sub(end)?;
    first += usize::from(*window.get(first)? == b' ');
    let negative = *window.get(first)? == b'-';
    first += usize::from(negative);
    let [whole, b'.'] = *window.get(first..)?.first_chunk::<2>()? else { return None };
    let whole = u64::from(whole.wrapping_sub(b'0'));
    let count = N - first - 2;
    // Eighteen digits fit an i64, which converts faster than a u64; a nineteenth does if they begin with a zero.
    let fits = whole <= 9 && count != 0 && count <= MOST && (whole == 0 || count <= 17);
    fits.then_some((negative, whole, count))
}

/// The decimal in `bytes[start..end]`, if it is plain.
#[inline]
fn plain(bytes: &[u8], start: usize, end: usize) -> Option<f32> {
    let window = bytes.get(..end)?.last_chunk::<WINDOW>()?;
    let (negative, whole, count) = shape(window, start, end)?;
    let (words, _) = window.as_chunks::<8>();
    let low = digits(words[2], count)?;
    let middle = digits(words[1], count.saturating_sub(8))?;
    let mut mantissa = middle.wrapping_mul(EIGHT).wrapping_add(low);
    if count > 16 {
        mantissa = mantissa.wrapping_add(digits(words[0], count - 16)?.wrapping_mul(EIGHT * EIGHT));
    }
    if whole > 0 {
        mantissa = mantissa.wrapping_add(whole.wrapping_mul(power(count)));
    }
    let mantissa = i64::try_from(mantissa).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "the module doc of the parent bounds the rounding")]
    rounded(mantissa as f64 * NEGATIVE_POWERS[count], negative)
}

/// 10^n, for n up to 17.
fn power(n: usize) -> u64 {
    let rest = n % 8;
    let eights = [1, EIGHT, EIGHT * EIGHT][n / 8];
    TENS[rest].wrapping_mul(eights)
}

/// The last `count` of these eight characters (all, if it is more than 8), if they are digits.
#[inline]
fn digits(word: [u8; 8], count: usize) -> Option<u64> {
    // The first character is the lowest byte.
    const KEEP: [u64; 9] = {
        let mut keep = [u64::MAX; 9];
        let mut n = 0;
        while n < 8 {
            keep[n] = !(u64::MAX >> (8 * n));
            n += 1;
        }
        keep
    };
    let values = (u64::from_le_bytes(word) ^ 0x3030_3030_3030_3030) & KEEP[count.min(8)];
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    (others == 0).then(|| eight_digits(values))
}

/// Digits behind the point at most.
pub(super) const MOST: usize = 19;
/// Bytes of the longest plain decimal: a space, a sign, a digit, a point, 19 digits, and one to spare.
const WINDOW: usize = 24;
/// Bytes that are searched for separators at once.
const BLOCK: usize = 64;

/// Which of 64 bytes are `,` or `]`; the lowest bit is the first byte.
#[inline]
fn separators(block: &[u8; BLOCK]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    // The highest bit of each byte that is not zero; no byte carries into the next.
    let filled = |word: u64| ((word & LOW) + LOW) | word;
    let mut found = 0;
    for (at, word) in block.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let others = filled(word ^ (ONES * u64::from(b','))) & filled(word ^ (ONES * u64::from(b']')));
        let bits = (!others & !LOW) >> 7;
        // The product gathers the lowest bit of byte i at bit 56 + i.
        found |= (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * at);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::parse_f32;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn separators_are_found(bytes in proptest::collection::vec(prop_oneof![Just(b','), Just(b']'), any::<u8>()], BLOCK)) {
            let block = bytes.as_slice().first_chunk::<BLOCK>().unwrap();
            let one_by_one = bytes.iter().rev().fold(0, |found, byte| found << 1 | u64::from(matches!(byte, b',' | b']')));
            prop_assert_eq!(separators(block), one_by_one);
        }

        /// What the run takes, it gives as the other parser does; what it leaves begins where an element does.
        #[test]
        fn a_run_gives_what_one_by_one_gives(texts in proptest::collection::vec("[ ]{0,2}-?[0-9]{1,2}([.][0-9]{0,21})?(e-?[0-9]{1,2})?", 1..40)) {
            let array = format!("{}]{}", texts.join(","), " ".repeat(80));
            let mut out = Vec::new();
            let end = run(array.as_bytes(), 0, &mut out);
            let mut at = 0;
            for (value, text) in out.iter().zip(&texts) {
                let (other, length) = parse_f32(text.trim_start().as_bytes(), 0).unwrap();
                prop_assert_eq!(length, text.trim_start().len());
                prop_assert_eq!(value.to_bits(), other.to_bits(), "{}", text);
                at += text.len() + 1;
            }
            prop_assert_eq!(end, if out.len() == texts.len() { End::Closed(at) } else { End::Before(at) });
            let mut other = Vec::new();
            portable(array.as_bytes(), 0, &mut other);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            // Their windows differ, so they may stop at different elements near the beginning.
            let both = out.len().min(other.len());
            prop_assert_eq!(bits(&out[..both]), bits(&other[..both]));
        }

        #[test]
        fn floats_as_python_writes_them_are_taken(values in proptest::collection::vec(-1f32..1f32, 40..60), long in any::<bool>()) {
            prop_assume!(values.iter().all(|v| v.abs() > 1e-2));
            let texts: Vec<String> = values.iter().map(|v| if long { f64::from(*v).to_string() } else { v.to_string() }).collect();
            let array = format!("[{}]{}", texts.join(","), " ".repeat(80));
            let mut out = Vec::new();
            // The first decimals have too little before them for the window.
            let from = 1 + texts[..9].iter().map(|t| t.len() + 1).sum::<usize>();
            for run in [run, portable] {
                out.clear();
                let end = run(array.as_bytes(), from, &mut out);
                prop_assert!(matches!(end, End::Closed(_)), "stopped after {}", out.len());
                prop_assert_eq!(out.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), values[9..].iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            }
        }
    }
}
