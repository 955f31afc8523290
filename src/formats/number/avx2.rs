//! [`super::run`] for CPUs with AVX2: 32 bytes at a time where the portable one takes eight. The same decimals are taken, and
//! the same bits come out (property tests hold both against one parser).

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_extract_epi64, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_movemask_epi8,
    _mm256_or_si256, _mm256_packus_epi32, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_sub_epi8, _mm256_subs_epu8, _mm256_testz_si256,
};

use super::run::{End, MOST, shape, walk};
use super::{EIGHT, NEGATIVE_POWERS, rounded};

/// As [`super::run::run`]; `None` where the CPU has no AVX2 (or, as no real one does, AVX2 without BMI).
pub(super) fn run(bytes: &[u8], pos: usize, out: &mut Vec<f32>) -> Option<End> {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx2") && has!("bmi1") && has!("bmi2")) {
        return None;
    }
    #[expect(unsafe_code, reason = "a function compiled for AVX2 and BMI may only be called where the CPU has both")]
    // SAFETY: the lines above have asked the CPU for everything that the function is compiled for.
    Some(unsafe { run_avx2(bytes, pos, out) })
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn run_avx2(bytes: &[u8], pos: usize, out: &mut Vec<f32>) -> End {
    walk(bytes, pos, out, |block| separators(block), |bytes, start, end| plain(bytes, start, end))
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
#[inline]
fn plain(bytes: &[u8], start: usize, end: usize) -> Option<f32> {
    let window = bytes.get(..end)?.last_chunk::<32>()?;
    let (negative, whole, count) = shape(window, start, end)?;
    let values = _mm256_and_si256(_mm256_sub_epi8(load(window), _mm256_set1_epi8(b'0'.cast_signed())), load(&KEEP[count]));
    let above_nine = _mm256_subs_epu8(values, _mm256_set1_epi8(9));
    if _mm256_testz_si256(above_nine, above_nine) == 0 {
        return None;
    }
    // Pairs, fours, and eights of digits, each the first times a power of ten plus the second.
    let pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi16((1 << 8) + 10));
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32((1 << 16) + 100));
    let eights = _mm256_madd_epi16(_mm256_packus_epi32(fours, fours), _mm256_set1_epi32((1 << 16) + 10_000));
    let first = _mm256_extract_epi64::<0>(eights).cast_unsigned() >> 32;
    let last = _mm256_extract_epi64::<2>(eights).cast_unsigned();
    let mantissa = first
        .wrapping_mul(EIGHT * EIGHT)
        .wrapping_add((last & 0xFFFF_FFFF).wrapping_mul(EIGHT))
        .wrapping_add(last >> 32)
        .wrapping_add(whole.wrapping_mul(POWERS[count]));
    let mantissa = i64::try_from(mantissa).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "the module doc of the parent bounds the rounding")]
    rounded(mantissa as f64 * NEGATIVE_POWERS[count], negative)
}

/// Which of 64 bytes are `,` or `]`; the lowest bit is the first byte.
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[inline]
fn separators(block: &[u8; 64]) -> u64 {
    let (halves, _) = block.as_chunks::<32>();
    let half = |bytes: &[u8; 32]| {
        let bytes = load(bytes);
        let comma = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b','.cast_signed()));
        let bracket = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b']'.cast_signed()));
        u64::from(_mm256_movemask_epi8(_mm256_or_si256(comma, bracket)).cast_unsigned())
    };
    half(&halves[0]) | half(&halves[1]) << 32
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
#[inline]
fn load(bytes: &[u8; 32]) -> __m256i {
    #[expect(unsafe_code, reason = "no safe function loads a whole register; four words put together cost six instructions more")]
    // SAFETY: exactly the 32 bytes of the array are read, and no alignment is asked for.
    unsafe {
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}

/// Row n keeps the last n of 32 bytes.
static KEEP: [[u8; 32]; MOST + 1] = {
    let mut keep = [[0; 32]; MOST + 1];
    let mut count = 0;
    while count <= MOST {
        let mut at = 32 - count;
        while at < 32 {
            keep[count][at] = 0xFF;
            at += 1;
        }
        count += 1;
    }
    keep
};

/// 10^0 to 10^19.
static POWERS: [u64; MOST + 1] = {
    let mut powers = [1; MOST + 1];
    let mut n = 1;
    while n <= MOST {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};
