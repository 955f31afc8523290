//! Random JSON of every kind, the same in every run: numbers of all spellings, escapes, nesting, keys that are like ours. No test stands
//! here.

use std::collections::BTreeMap;

/// The same numbers in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }

    fn number(&mut self) -> String {
        match self.below(5) {
            0 => self.one(&["0", "-0", "-0.0", "1", "1.0", "1e0", "1E+2", "1e400", "-1e-400", "9223372036854775807", "-9223372036854775808"]).to_owned(),
            1 => self.one(&["18446744073709551615", "18446744073709551616", "123456789012345678901234567890.5", "0.1", "2.50", "1e-7"]).to_owned(),
            2 => self.next().cast_signed().to_string(),
            3 => format!("{:?}", f64::from_bits((self.next() & !(0x7FF << 52)) | (self.below(0x7FF) << 52))),
            _ => format!("{}.{:0width$}", self.below(1000), self.below(1000), width = 3 + usize::try_from(self.below(20)).expect("small")),
        }
    }

    fn string(&mut self) -> String {
        const PARTS: [&str; 18] = [
            "a",
            "Z9",
            " ",
            "é",
            "日本",
            "😀",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\\"",
            "\\\\",
            "\\/",
            "\\n",
            "\\u0000",
            "\\u001f",
            "null",
            "1.0",
            "{",
            "\u{7f}\u{2028}",
        ];
        (0..self.below(6)).map(|_| self.one(&PARTS)).fold(String::from("\""), |text, part| text + part) + "\""
    }

    fn value(&mut self, depth: u64) -> String {
        let space = |dice: &mut Self| dice.one(&["", "", " ", "\t "]).to_owned();
        match self.below(if depth == 0 { 4 } else { 9 }) {
            0 => self.one(&["null", "true", "false", "\"\"", "[]", "{}", "[null]", "\"null\"", "\"1\""]).to_owned(),
            1 => self.number(),
            2 | 3 => self.string(),
            4 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| space(self) + &self.value(depth - 1)).collect();
                format!("[{}{}]", items.join(","), space(self))
            }
            5 => {
                let mut fields = BTreeMap::new();
                for _ in 0..self.below(4) {
                    fields.insert(self.string(), self.value(depth - 1));
                }
                let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} : {value}")).collect();
                format!("{{{}}}", fields.join(", "))
            }
            6 => format!("{{\"lat\":{},\"lon\": {}}}", self.number(), self.number()),
            7 => format!("[{}]", (0..self.below(4)).map(|_| self.string()).collect::<Vec<_>>().join(",")),
            _ => self
                .one(&[
                    "\"2024-02-29\"",
                    "\"2024-02-30\"",
                    "\"1.20.3\"",
                    "\"Document 7\"",
                    "7",
                    "2147483647",
                    "[\"a\",\"b\"]",
                    "[\"a\",1]",
                    "\"2024-02-29T01:02:03.123456789Z\"",
                ])
                .to_owned(),
        }
    }

    fn key(&mut self) -> String {
        const KEYS: [&str; 45] = [
            "title",
            "version",
            "context",
            "uri",
            "author",
            "contributors",
            "created_at",
            "updated_at",
            "tags",
            "status",
            "source_file",
            "source_url",
            "position",
            "text",
            "content",
            "description",
            "document",
            "text_content",
            "source",
            "original_id",
            "namespace",
            "vector_type",
            "_types",
            "_columns",
            "_renamed",
            "payload:",
            "payload:source",
            "payload:payload:_types",
            "",
            " ",
            "a.b",
            "a/b~",
            "ключ",
            "鍵",
            "😀",
            "\\\"",
            "\\u0000",
            "n",
            "N",
            "geo",
            "link",
            "headline",
            "day",
            "date",
            "labels",
        ];
        if self.below(4) == 0 { format!("k{}", self.below(20)) } else { self.one(&KEYS).to_owned() }
    }

    /// A payload of about eight fields, and their number.
    pub(crate) fn payload(&mut self) -> (String, u64) {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for _ in 0..5 + self.below(8) {
            fields.insert(self.key(), self.value(3));
        }
        let number = fields.len() as u64;
        let mut fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let at = usize::try_from(self.below(number)).expect("small");
        fields.rotate_left(at);
        (format!("{{{}}}", fields.join(",")), number)
    }
}
