//! A point in time out of a text or a number, as databases, languages and people write it: microseconds since 1970 in UTC.
//!
//! Not the choice of fields that hold one ([`super::dates`]). A time without a zone is read as UTC. What could be two days
//! (`01/02/2024`) or is none (`2024`, `2024-01`) is no moment.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::formats::json::Kind;

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since 1970-01-01T00:00:00Z; what is finer is cut off.
    pub micros: i64,
    /// Whether nothing was cut off.
    pub exact: bool,
}

const SECOND: i64 = 1_000_000;

impl Moment {
    /// The day in UTC as `YYYY-MM-DD`; `None` outside of the years 0 to 9999, which that form cannot say.
    #[must_use]
    pub fn day(self) -> Option<String> {
        let day = DateTime::from_timestamp(self.micros.div_euclid(SECOND), 0)?.date_naive().to_string();
        (day.len() == 10).then_some(day)
    }

    fn of(time: NaiveDateTime) -> Self {
        let time = time.and_utc();
        Self { micros: time.timestamp_micros(), exact: time.timestamp_subsec_nanos().is_multiple_of(1000) }
    }

    fn of_day(day: NaiveDate) -> Option<Self> {
        day.and_hms_opt(0, 0, 0).map(Self::of)
    }
}

/// RFC 3339 and the common forms of ISO 8601: `2024-01-03`, `2024-01-03T03:23`, `2024-01-03 03:23:20.5+02:00`, …
#[must_use]
pub fn of_iso(text: &str) -> Option<Moment> {
    iso(text, false)
}

/// A JSON value of a field that holds a date by its name. Texts: as [`of_iso`], `2024/01/03`, `20240103T032320Z`, RFC 2822, days with a
/// month's name, and what else programs print. Numbers, and texts of digits: `20240103`, or the time since 1970 in seconds, milli-, micro-
/// or nanoseconds, told by size (from 10^8, 10^11, 10^14, 10^17 on).
#[must_use]
pub fn of_value(kind: Kind, raw: &str) -> Option<Moment> {
    match kind {
        Kind::Number => of_number(raw),
        Kind::String => of_text(super::pairs::string_value(raw).trim()),
        _ => None,
    }
}

fn of_text(text: &str) -> Option<Moment> {
    // No date is longer, and only what could be one is looked at.
    if text.len() > 80 || !text.is_ascii() {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return of_number(text);
    }
    iso(text, true).or_else(|| printed(text))
}

/// Forms that programs and people print.
fn printed(text: &str) -> Option<Moment> {
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(Moment::of(time.naive_utc()));
    }
    // JavaScript adds the zone's name in brackets.
    let plain = text.split(" (").next().unwrap_or(text);
    if let Ok(time) = DateTime::parse_from_str(plain, "%a %B %d %Y %H:%M:%S GMT%z") {
        return Some(Moment::of(time.naive_utc()));
    }
    let times = ["%a %B %e %H:%M:%S %Y", "%B %d, %Y %H:%M:%S", "%d %B %Y %H:%M:%S", "%Y/%m/%d %H:%M"];
    if let Some(time) = times.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()) {
        return Some(Moment::of(time));
    }
    let days = ["%d %B %Y", "%B %d, %Y", "%B %d %Y", "%d-%B-%Y", "%a, %d %B %Y"];
    days.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok()).and_then(Moment::of_day)
}

/// Digits and marks, front to back.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let number = head.iter().try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))?;
        self.0 = rest;
        Some(number)
    }

    fn take(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Digits of a fraction: microseconds, and whether that is all of it.
    fn fraction(&mut self) -> Option<(i64, bool)> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (head, rest) = self.0.split_at(digits);
        self.0 = rest;
        let micros = head.iter().chain(std::iter::repeat(&b'0')).take(6).fold(0, |n, b| n * 10 + i64::from(b - b'0'));
        (digits > 0).then(|| (micros, head.iter().skip(6).all(|b| *b == b'0')))
    }

    /// Seconds east of UTC; nothing is UTC.
    fn zone(&mut self) -> Option<i64> {
        while self.take(b" ").is_some() {}
        if self.0.is_empty() || matches!(self.0, b"Z" | b"z" | b"UTC" | b"GMT") {
            self.0 = &[];
            return Some(0);
        }
        let sign = if self.take(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number(2)?;
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.take(b":");
            self.number(2)?
        };
        (hours < 24 && minutes < 60 && self.0.is_empty()).then_some(sign * i64::from(hours * 3600 + minutes * 60))
    }
}

/// `loose` also takes `/` in days and the form without marks.
fn iso(text: &str, loose: bool) -> Option<Moment> {
    let mut at = Reader(text.as_bytes());
    let year = i32::try_from(at.number(4)?).ok()?;
    let mark = at.take(if loose { b"-/" } else { b"-" });
    if mark.is_none() && !loose {
        return None;
    }
    let month = at.number(2)?;
    if let Some(mark) = mark {
        at.take(&[mark])?;
    }
    let day = NaiveDate::from_ymd_opt(year, month, at.number(2)?)?;
    if at.0.is_empty() {
        return Moment::of_day(day);
    }
    at.take(b"Tt ")?;
    let hour = at.number(2)?;
    let colon = at.take(b":").is_some();
    if colon != mark.is_some() {
        return None;
    }
    let minute = at.number(2)?;
    let (mut second, mut fraction) = (0, (0, true));
    if if colon { at.take(b":").is_some() } else { at.0.first().is_some_and(u8::is_ascii_digit) } {
        second = at.number(2)?;
        if at.take(b".,").is_some() {
            fraction = at.fraction()?;
        }
    }
    let zone = at.zone()?;
    let time = day.and_hms_opt(hour, minute, second)?.and_utc().timestamp() - zone;
    Some(Moment { micros: time.checked_mul(SECOND)?.checked_add(fraction.0)?, exact: fraction.1 })
}

/// The time since 1970 in a unit that its size tells, or a day written as one number.
fn of_number(text: &str) -> Option<Moment> {
    let scientific = text.contains(['e', 'E']);
    let plain = if scientific { text.parse::<f64>().ok().filter(|n| n.fract() == 0.0 && n.abs() < 1e15)?.to_string() } else { text.to_owned() };
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let number: i128 = whole.parse().ok()?;
    let size = number.unsigned_abs();
    if size < 100_000_000 {
        let day = whole.len() == 8 && fraction.is_empty() && (19_000_101..30_000_000).contains(&size);
        return if day { iso(whole, true) } else { None };
    }
    // Nanoseconds in one unit.
    let unit: i128 = match size {
        ..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        100_000_000_000_000_000..100_000_000_000_000_000_000 => 1,
        _ => return None,
    };
    let digits = fraction.bytes().take(9).fold(0i128, |n, b| n * 10 + i128::from(b.wrapping_sub(b'0')));
    let part = digits * unit / 10i128.pow(u32::try_from(fraction.len().min(9)).unwrap_or(9));
    let finer = digits * unit % 10i128.pow(u32::try_from(fraction.len().min(9)).unwrap_or(9)) != 0 || fraction.bytes().skip(9).any(|b| b != b'0');
    let nanos = number * unit + if whole.starts_with('-') { -part } else { part };
    Some(Moment { micros: i64::try_from(nanos.div_euclid(1000)).ok()?, exact: nanos.rem_euclid(1000) == 0 && !finer })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Option<Moment> {
        of_value(Kind::String, &serde_json::Value::from(value).to_string())
    }

    #[test]
    fn one_moment_in_every_form() {
        let wanted = Moment { micros: 1_704_252_200_000_000, exact: true };
        for form in [
            "2024-01-03T03:23:20Z",
            "2024-01-03t03:23:20z",
            "2024-01-03 03:23:20",
            "2024-01-03 03:23:20 UTC",
            "2024-01-03T05:23:20+02:00",
            "2024-01-02T22:53:20.000000000-0430",
            "2024/01/03 03:23:20",
            "20240103T032320Z",
            "Wed, 03 Jan 2024 03:23:20 +0000",
            "Wed Jan 03 2024 05:23:20 GMT+0200 (EET)",
            "Wed Jan  3 03:23:20 2024",
            "Jan 03, 2024 03:23:20",
            "1704252200",
            "1704252200000",
        ] {
            assert_eq!(text(form), Some(wanted), "{form}");
        }
        for number in ["1704252200", "1704252200.0", "1.7042522E9", "1704252200000", "1704252200000000", "1704252200000000000"] {
            assert_eq!(of_value(Kind::Number, number), Some(wanted), "{number}");
        }
        assert_eq!(wanted.day().as_deref(), Some("2024-01-03"));
    }

    #[test]
    fn days_and_finer_and_older_times() {
        for form in ["2024-01-03", "2024/01/03", "20240103", "3 Jan 2024", "3 January 2024", "January 3, 2024", "03-Jan-2024"] {
            assert_eq!(text(form).and_then(Moment::day).as_deref(), Some("2024-01-03"), "{form}");
        }
        assert_eq!(of_value(Kind::Number, "20240103").and_then(Moment::day).as_deref(), Some("2024-01-03"));
        assert_eq!(text("2024-01-03T00:00:00.123456700Z"), Some(Moment { micros: 1_704_240_000_123_456, exact: false }));
        assert_eq!(of_value(Kind::Number, "1704252200.123456"), Some(Moment { micros: 1_704_252_200_123_456, exact: true }));
        assert_eq!(text("1969-12-31T23:59:59.5Z"), Some(Moment { micros: -500_000, exact: true }));
        assert_eq!(text("2024-01-03T00:30:00+02:00").and_then(Moment::day).as_deref(), Some("2024-01-02"));
        assert_eq!(text("9999-12-31T23:59:59-12:00").and_then(Moment::day), None);
    }

    #[test]
    fn what_is_no_moment_or_could_be_two() {
        for form in ["", "2024", "2024-01", "01/02/2024", "2023-02-29", "2024-01-03T24:00", "2024-01-03T03:23:60Z", "2024-01-03T0323", "soon", "1.20.3", "12"] {
            assert_eq!(text(form), None, "{form}");
        }
        for number in ["2024", "0", "-5", "99999999", "1e300", "123456789012345678901234567890"] {
            assert_eq!(of_value(Kind::Number, number), None, "{number}");
        }
        assert_eq!(of_iso("20240103"), None);
        assert_eq!(of_iso("2024/01/03"), None);
    }
}
