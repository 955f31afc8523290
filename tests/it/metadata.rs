//! Metadata there and back: random payloads of every type, converted, and made again of a row's columns as `formats/METADATA.md` says.
//! The same by other libraries: `tests/acceptance/check_metadata_back.py`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use vec2lance::formats::json::canonical;

use crate::dice::Dice;
use crate::tool::Converted;

/// The columns that are needed, of all rows but headers.
fn rows(dataset: &Path) -> Vec<RecordBatch> {
    let engine = vec2lance::dataset::Engine::new(2).expect("a runtime");
    let opened = vec2lance::dataset::commit::open(&engine, dataset).expect("a dataset");
    let columns: Vec<String> = [&TEXTS[..], &["tags", "contributors", "position", "custom_metadata", "x_original_id", "x_source_payload", "record_type"]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut all = Vec::new();
    let same: vec2lance::dataset::read::Work<RecordBatch> = Arc::new(|batch| Ok(batch.clone()));
    opened
        .scan(&engine, &columns, 1000, &same, &mut |batch| {
            all.push(batch);
            Ok(())
        })
        .expect("rows");
    all
}

const TEXTS: [&str; 11] = ["title", "text_content", "version", "context", "uri", "author", "created_at", "updated_at", "status", "source_file", "source_url"];

fn text<'b>(batch: &'b RecordBatch, column: &str, row: usize) -> Option<&'b str> {
    let texts = batch.column_by_name(column).expect("the column").as_string::<i32>();
    texts.is_valid(row).then(|| texts.value(row))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The payload's fields as `formats/METADATA.md` gives them back: key and JSON text, in no order.
fn back(batch: &RecordBatch, row: usize) -> Vec<(String, String)> {
    let pairs = batch.column_by_name("custom_metadata").expect("the column").as_list::<i32>().value(row);
    let (keys, values) = (pairs.as_struct().column(0).as_string::<i32>(), pairs.as_struct().column(1).as_string::<i32>());
    let pairs: BTreeMap<&str, &str> = (0..keys.len()).map(|at| (keys.value(at), values.value(at))).collect();
    assert_eq!(pairs.len(), keys.len(), "a key stands twice");
    let object = |key: &str| -> BTreeMap<String, Option<String>> { pairs.get(key).map_or_else(BTreeMap::new, |t| serde_json::from_str(t).expect("an object")) };
    let (types, columns, renamed) = (object("_types"), object("_columns"), object("_renamed"));
    let mut out = Vec::new();
    let nulls = types.iter().filter(|(_, kind)| kind.as_deref() == Some("null")).map(|(key, _)| (key.as_str(), "null"));
    let ours = ["source", "original_id", "namespace", "vector_type", "_types", "_columns", "_renamed"];
    for (key, value) in pairs.iter().map(|(k, v)| (*k, *v)).filter(|(key, _)| !ours.contains(key)).chain(nulls) {
        let own = match renamed.get(key) {
            Some(Some(own)) => own.clone(),
            Some(None) => continue,
            None => key.strip_prefix("payload:").unwrap_or(key).to_owned(),
        };
        out.push((own, if types.contains_key(key) { value.to_owned() } else { quoted(value) }));
    }
    let list = |column: &str| {
        let lists = batch.column_by_name(column).expect("the column").as_list::<i32>();
        lists.is_valid(row).then(|| {
            let items = lists.value(row);
            let items = items.as_string::<i32>();
            format!("[{}]", (0..items.len()).map(|at| quoted(items.value(at))).collect::<Vec<_>>().join(","))
        })
    };
    let position = batch.column_by_name("position").expect("the column").as_primitive::<Int32Type>();
    let mut held: Vec<(&str, Option<String>)> = TEXTS.iter().map(|name| (*name, text(batch, name, row).map(quoted))).collect();
    held.extend([("tags", list("tags")), ("contributors", list("contributors"))]);
    held.push(("position", position.is_valid(row).then(|| position.value(row).to_string())));
    let made_up = quoted(&format!("Document {}", text(batch, "x_original_id", row).expect("an id")));
    for (column, value) in held {
        let Some(value) = value else { continue };
        match columns.get(column) {
            Some(Some(field)) => out.push((field.clone(), value)),
            Some(None) => {}
            None if column == "text_content" || (column == "title" && value == made_up) => {}
            None => out.push((column.to_owned(), value)),
        }
    }
    out
}

/// Converts payloads, and holds both ways back against them.
fn there_and_back(payloads: &[String], map: Option<&str>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (dump, mapping) = (folder.path().join("points.jsonl"), folder.path().join("map.toml"));
    let mut lines = String::new();
    for (id, payload) in payloads.iter().enumerate() {
        let _ = writeln!(lines, "{{\"id\":{id},\"vector\":[1,{id}],\"payload\":{payload}}}");
    }
    std::fs::write(&dump, lines).expect("written");
    let mut flags = vec!["--from", "qdrant", "--index", "none", "--verify"];
    if let Some(text) = map {
        std::fs::write(&mapping, text).expect("written");
        flags.extend(["--map", mapping.to_str().expect("UTF-8")]);
    }
    let run = Converted::of(&[&dump], &flags);
    assert_eq!(run.answer.status, Some(0), "{}{}", run.answer.stdout, run.answer.stderr);
    let mut met = 0;
    for batch in rows(&run.path("out.lance")) {
        for row in (0..batch.num_rows()).filter(|row| text(&batch, "record_type", *row) == Some("document")) {
            let id: usize = text(&batch, "x_original_id", row).expect("an id").parse().expect("a number");
            let wanted = canonical(&payloads[id]).expect("JSON");
            assert_eq!(text(&batch, "x_source_payload", row), Some(payloads[id].as_str()));
            let fields: Vec<String> = back(&batch, row).iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
            assert_eq!(canonical(&format!("{{{}}}", fields.join(","))).as_deref(), Some(wanted.as_str()), "record {id}: {}", payloads[id]);
            met += 1;
        }
    }
    assert_eq!(met, payloads.len());
}

const MAP: &str = "text_fields = [\"headline\", \"text\"]\n[map]\nlink = \"source_url\"\nlabels = \"tags\"\nday = \"custom:date\"\nn = \"custom:_types\"\nN = \"custom:payload:x\"\nk1 = \"title\"\nk2 = \"position\"\nk3 = \"custom:date\"\n";

#[test]
fn ten_thousand_values_come_back_from_both_columns() {
    let mut dice = Dice(5);
    let (mut payloads, mut values) = (Vec::new(), 0);
    while values < 10_000 {
        let (payload, fields) = dice.payload();
        payloads.push(payload);
        values += fields;
    }
    there_and_back(&payloads, None);
    there_and_back(&payloads, Some(MAP));
}

#[test]
fn the_odd_ones_come_back_too() {
    let deep = format!("{{\"deep\":{}{}}}", "[{\"a\":".repeat(255), "1".to_owned() + &"}]".repeat(255));
    let long = format!("{{\"long\":{}.{}e-3,\"text\":\"{}\"}}", "9".repeat(2000), "8".repeat(2000), "x".repeat(70_000));
    let mut payloads = [
        "{\"title\":\"Document 0\"}",
        "{\"title\":\"Document 2\"}",
        "{\"title\":\"\",\"text\":\"\"}",
        "{\"text\":null,\"content\":\"c\"}",
        "{\"\":\"\",\"payload:\":null}",
        "{\"date\":\"2\",\"day\":\"1\",\"k3\":\"3\"}",
        "{\"day\":null,\"k3\":\"3\"}",
        "{\"k3\":{\"x\":[]},\"day\":1}",
        "{\"tags\":[],\"labels\":[\"x\"]}",
        "{\"labels\":[],\"tags\":[\"x\"]}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "{\"n\":1,\"_types\":2,\"payload:_types\":3}",
        "{}",
    ]
    .map(str::to_owned)
    .to_vec();
    payloads.extend([deep, long]);
    there_and_back(&payloads, None);
    there_and_back(&payloads, Some(MAP));
}
