//! Numbers and two-column tables as people read them.

use std::fmt::Write as _;

/// `1,234,567`
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `2 records`
pub(super) fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `5.6 MB`: powers of 1000, as disks and files are counted.
#[must_use]
pub fn bytes(n: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// Lines of a label and a text; further lines of one label are indented.
#[derive(Debug, Default)]
pub struct Table(String);

const WIDTH: usize = 12;

impl Table {
    /// Adds a line.
    pub fn row(&mut self, label: &str, text: &str) {
        let _ = writeln!(self.0, "{label:<WIDTH$} {text}");
    }

    /// Adds a line only if there is something to say.
    pub fn some(&mut self, label: &str, text: Option<String>) {
        if let Some(text) = text {
            self.row(label, &text);
        }
    }

    /// Adds all lines under one label.
    pub fn list(&mut self, label: &str, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            self.row(if index == 0 { label } else { "" }, line);
        }
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(0), bytes(999), bytes(5_600_000), bytes(123_456_789)], ["0 B", "999 B", "5.6 MB", "123 MB"]);
    }
}
