//! Which JSON value fits which type, how columns are named, and where a path leads.

use super::*;

fn fits(scalar: Scalar, raw: &str) -> bool {
    let kind = Cursor::new(raw).kind().unwrap();
    value(scalar, kind, raw).is_some()
}

#[test]
fn a_value_fits_only_where_it_stays_itself() {
    use Scalar::{Bool, Float64, Int64, String, Timestamp, UInt64};
    for (scalar, good, bad) in [
        (Int64, &["0", "-9223372036854775808", "9223372036854775807", "5.0", "1e3"][..], &["9223372036854775808", "1.5", "1e30", "\"1\"", "true"][..]),
        (UInt64, &["0", "18446744073709551615", "3.0"], &["-1", "18446744073709551616"]),
        (Float64, &["0.1", "-1e-300", "9007199254740992", "18446744073709551616"], &["9007199254740993", "1e999", "\"0.1\""]),
        (Bool, &["true", "false"], &["1", "\"true\""]),
        (String, &["\"\"", "\"a\\n\""], &["1", "[]"]),
        (Timestamp, &["\"2024-01-03\"", "\"2024-01-03T03:23:20.123456Z\""], &["\"2024-01-03T03:23:20.1234567Z\"", "\"soon\"", "1704252200"]),
    ] {
        for raw in good {
            assert!(fits(scalar, raw), "{scalar:?} {raw}");
        }
        for raw in bad {
            assert!(!fits(scalar, raw), "{scalar:?} {raw}");
        }
    }
    assert_eq!(items(Int64, "[1,null,2]").map(|i| i.len()), Some(3));
    assert_eq!(items(Int64, "[1,\"2\"]"), None);
}

#[test]
fn types_are_read_as_they_are_written() {
    for (name, scalar) in NAMES {
        for list in [false, true] {
            let kind = PromotedType { list, scalar };
            assert_eq!(PromotedType::parse(&kind.name()), Some(kind), "{name}");
            let column = PromotedColumn { field: "a b".to_owned(), column: "x_a_b".to_owned(), kind };
            assert_eq!(PromotedColumn::of(&column.arrow()), Some(column));
        }
    }
    assert!(PromotedType::parse("int32").is_none() && PromotedType::parse("list<list<int64>>").is_none());
}

#[test]
fn no_two_columns_share_a_name() {
    let mut layout = Layout { dimension: 2, ..Layout::default() };
    for field in ["n", "N", "a.b", "a b", "original_id", "namespace", "vector_x", "created_at"] {
        layout.promote(field, PromotedType { list: false, scalar: Scalar::Int64 });
    }
    let columns: Vec<_> = layout.promoted.iter().map(|c| c.column.as_str()).collect();
    assert_eq!(columns, ["x_n", "x_N_2", "x_a_b", "x_a_b_2", "x_original_id_2", "x_namespace_2", "x_field_vector_x", "x_created_at_2"]);
}

#[test]
fn a_field_that_is_called_like_a_path_comes_first() {
    let keys = Keys::new(["a.b", "a.b.c"].into_iter());
    let find = |fields: &[(&'static str, &'static str)]| {
        let fields: Vec<_> = fields.iter().map(|(key, raw)| (*key, Cursor::new(raw).kind().unwrap(), *raw)).collect();
        keys.find(fields.into_iter()).into_iter().map(|f| f.map(|(_, raw)| raw)).collect::<Vec<_>>()
    };
    assert_eq!(find(&[("a", "{\"b\":{\"c\":1}}")]), [Some("{\"c\":1}"), Some("1")]);
    assert_eq!(find(&[("a.b", "2"), ("a", "{\"b\":3}")]), [Some("2"), None]);
    assert_eq!(find(&[("a", "{\"b\":3}"), ("a.b", "2")]), [Some("2"), None]);
    assert_eq!(find(&[("a", "{\"b.c\":4,\"b\":{\"c\":5}}")]), [Some("{\"c\":5}"), Some("4")]);
    assert_eq!(find(&[("a", "7")]), [None, None]);
}
