//! Values of flags that are more than a word: sizes, limits, bounds.

/// How many rejects are too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxRejects {
    /// More than this number.
    Count(u64),
    /// More than this percentage of the records read.
    Percent(f64),
}

pub(super) fn parse_max_rejects(text: &str) -> Result<MaxRejects, String> {
    let wrong = || "expected a number such as 100, or a percentage such as 0.5%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match percent.trim().parse::<f64>() {
            Ok(p) if (0.0..=100.0).contains(&p) => Ok(MaxRejects::Percent(p)),
            _ => Err(wrong()),
        },
        None => text.parse().map(MaxRejects::Count).map_err(|_| wrong()),
    }
}

pub(super) fn parse_dimension(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=1 << 20).contains(n)).ok_or_else(|| "expected a number from 1 to 1048576, such as 384".to_owned())
}

pub(super) fn parse_recall(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|r| *r > 0.0 && *r <= 1.0).ok_or_else(|| "expected a number above 0 and not above 1, such as 0.95".to_owned())
}

pub(super) fn parse_cosine(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|c| (-1.0..=1.0).contains(c)).ok_or_else(|| "expected a number from -1 to 1, such as 0.99".to_owned())
}

/// Smallest memory that a run can be held to.
const SMALLEST: u64 = 128 << 20;

/// Bytes: a number with B, KB, MB, GB, KiB, MiB, GiB, K, M, G (single letters are binary).
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err("expected a size such as 512MiB or 2GiB".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "expected a size such as 512MiB or 2GiB".to_owned())?;
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes on a command line are far below 2^53")]
    let bytes = (number * unit as f64) as u64;
    if bytes < SMALLEST { Err(format!("at least {} MiB are needed", SMALLEST >> 20)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_limits() {
        assert_eq!(parse_size("512MiB"), Ok(512 << 20));
        assert_eq!(parse_size("1.5G"), Ok(3 << 29));
        assert_eq!(parse_size("500MB"), Ok(500_000_000));
        assert!(parse_size("1MiB").is_err() && parse_size("lots").is_err() && parse_size("").is_err());
        assert_eq!(parse_max_rejects("0.5%"), Ok(MaxRejects::Percent(0.5)));
        assert_eq!(parse_max_rejects("0"), Ok(MaxRejects::Count(0)));
        assert!(parse_max_rejects("101%").is_err() && parse_max_rejects("-1").is_err());
    }
}
