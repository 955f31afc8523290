//! Records, cells and values, by hand and made up.

use proptest::prelude::*;

use super::row::of_value;
use super::*;
use crate::formats::pieces::Pieces;

const CSV: Dialect = Dialect { separator: b',', quotes: true };
const TSV: Dialect = Dialect { separator: b'\t', quotes: false };

fn pieces(text: &str, dialect: Dialect, step: usize, target: usize) -> Vec<(u64, String)> {
    let mut rest = text.as_bytes().to_vec();
    let fill = move |buffer: &mut Vec<u8>, _: usize| {
        let take = step.min(rest.len());
        buffer.extend(rest.drain(..take));
        Ok(rest.is_empty())
    };
    let mut pieces = Pieces::open(Box::new(fill), Box::new(Lines::new(dialect)), "t.csv", 1 << 20, usize::MAX).unwrap();
    let mut out = Vec::new();
    while let Some(chunk) = pieces.next_chunk(target).unwrap() {
        out.extend(chunk.elements.iter().map(|e| (e.line, String::from_utf8(chunk.data[e.start..e.start + e.length].to_vec()).unwrap())));
    }
    out
}

fn values(record: &str, dialect: Dialect) -> Vec<Option<String>> {
    cells(record, dialect).unwrap().iter().map(|c| c.text().map(str::to_owned)).collect()
}

/// A cell as COPY writes it: quotes where they are needed, and always around an empty string.
fn written(cell: Option<&str>) -> String {
    match cell {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Some(text) => text.to_owned(),
    }
}

proptest! {
    #[test]
    fn any_cells_come_back_whatever_the_step_and_the_chunk(
        rows in prop::collection::vec(prop::collection::vec(prop::option::of("[a\",\n\r é]{0,6}"), 2..4), 1..8),
        step in 1usize..40,
        target in 1usize..40,
    ) {
        let text: String = rows.iter().map(|row| row.iter().map(|c| written(c.as_deref())).collect::<Vec<_>>().join(",") + "\n").collect();
        let read: Vec<_> = pieces(&text, CSV, step, target).iter().map(|(_, record)| values(record, CSV)).collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn any_text_is_cut_the_same_way_and_never_panics(text in "[a\"\\\\N,\t\n\r{}\\[\\]:1/]{0,60}", step in 1usize..40, target in 1usize..40) {
        for dialect in [CSV, TSV] {
            let whole = pieces(&text, dialect, 1000, 1000);
            prop_assert_eq!(&pieces(&text, dialect, step, target), &whole);
            for (_, record) in &whole {
                let _ = cells(record, dialect);
                for which in ["text", "list", "vector", "value"] {
                    of_value(record, which);
                }
            }
            let _ = super::dialect(text.as_bytes(), step % 2 == 0);
        }
    }
}

#[test]
fn null_is_not_the_empty_string() {
    assert_eq!(values("a,,\"\"", CSV), [Some("a".into()), None, Some(String::new())]);
    assert_eq!(values("a\t\\N\t\t\\\\N\\t\\n\\x41\\102", TSV), [Some("a".into()), None, Some(String::new()), Some("\\N\t\nAB".into())]);
    assert_eq!(values("a,\"x \"\"y\"\"\nz\"\r", CSV), [Some("a".into()), Some("x \"y\"\nz".into())]);
    assert!(cells("\"a\"b,c", CSV).is_err_and(|r| r.code == Code::BadCsv));
    assert!(cells("a,\"b", CSV).is_err_and(|r| r.code == Code::CutOff));
}

#[test]
fn a_value_is_told_by_itself() {
    for (text, which, json) in [
        ("42", "value", "\"42\""),
        ("true", "value", "\"true\""),
        ("{\"a\": 1}", "value", "{\"a\": 1}"),
        ("{a,b}", "value", "\"{a,b}\""),
        ("{\"a\": 1}", "text", "\"{\\\"a\\\": 1}\""),
        ("{a,\"b, \\\"c\",NULL}", "list", "[\"a\",\"b, \\\"c\",null]"),
        ("{{1,2},{3,4}}", "list", "[[\"1\",\"2\"],[\"3\",\"4\"]]"),
        ("{}", "list", "[]"),
        ("{a,b", "list", "\"{a,b\""),
        ("[0.5,-1e-05]", "vector", "[0.5,-1e-05]"),
        ("{1:0.5,5:2}/5", "vector", "{\"indices\":[0,4],\"values\":[0.5,2]},\"v.dimensions\":5"),
        ("{}/5", "vector", "{\"indices\":[],\"values\":[]},\"v.dimensions\":5"),
        ("{6:1}/5", "vector", "\"v\" is no sparse vector, expected {index:value,…}/dimensions: {6:1}/5"),
        ("abc", "vector", "\"abc\""),
    ] {
        assert_eq!(of_value(text, which), json, "{text} as {which}");
    }
}

#[test]
fn tables_are_told_from_other_text() {
    let told = |head: &str, named: bool| super::dialect(head.as_bytes(), named).map(|d| (d.separator as char, d.quotes));
    assert_eq!(told("id,name,v\n1,x,\"[1,2]\"\n", false), Some((',', true)));
    assert_eq!(told("id\tname\tv\n1\tx\t[1,2]\n", false), Some(('\t', false)));
    assert_eq!(told("1\tx\t{1:2}/3\n", false), Some(('\t', false)));
    assert_eq!(told("1,\"[1,2", false), None);
    assert_eq!(told("hello, world\nhow, are you\n", false), None);
    assert_eq!(told("hello, world\nhow, are you\n", true), Some((',', true)));
    assert_eq!(told("{\"id\":1,\"v\":[1,2]}\n", false), None);
    assert_eq!(told("", false), None);
    let names = |head: &str| super::header(head.as_bytes(), CSV);
    assert_eq!(names("id,name\n1,x\n"), Some(vec!["id".to_owned(), "name".to_owned()]));
    for head in ["1,x\n", "a,a\n", "a,\n", "a,\"[1]\"\n"] {
        assert_eq!(names(head), None, "{head}");
    }
}
