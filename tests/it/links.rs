//! References: foreign keys of `--link`, the beacons that Weaviate writes, and those that lead nowhere.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use serde_json::Value;

use crate::tool::run;

const AUTHORS: &str = concat!(
    "{\"id\":1,\"vector\":[1,2],\"payload\":{\"title\":\"Ann\"}}\n",
    "{\"id\":18446744073709551615,\"vector\":[2,2],\"payload\":{\"title\":\"Bob\"}}\n",
    "{\"id\":3,\"vector\":[2],\"payload\":{\"title\":\"refused\"}}\n",
);
const BOOKS: &str = concat!(
    "{\"id\":1,\"vector\":[1,2],\"payload\":{\"author_id\":1,\"next\":2}}\n",
    "{\"id\":2,\"vector\":[1,3],\"payload\":{\"author_id\":[\"1\",18446744073709551615,1,null],\"next\":null}}\n",
    "{\"id\":3,\"vector\":[1,4],\"payload\":{\"author_id\":3,\"next\":\"\"}}\n",
    "{\"id\":4,\"vector\":[1,5],\"payload\":{\"author_id\":1.5}}\n",
);
const LINKS: [&str; 4] = ["--link", "author_id=authors", "--link", "next=qdrant/books"];

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// `id → title (field)` of every reference, and whether its uuid is that of a row.
fn references(dataset: &Path) -> Vec<(String, bool)> {
    let engine = vec2lance::dataset::Engine::new(2).expect("a runtime");
    let opened = vec2lance::dataset::commit::open(&engine, dataset).expect("a dataset");
    let columns = ["uuid", "x_original_id", "relationships"].map(str::to_owned);
    let mut all: Vec<RecordBatch> = Vec::new();
    let same: vec2lance::dataset::read::Work<RecordBatch> = Arc::new(|batch| Ok(batch.clone()));
    opened
        .scan(&engine, &columns, 100, &same, &mut |batch| {
            all.push(batch);
            Ok(())
        })
        .expect("rows");
    let texts = |batch: &RecordBatch, name: &str| batch.column_by_name(name).expect("a column").as_string::<i32>().clone();
    let uuids: Vec<String> = all.iter().flat_map(|b| texts(b, "uuid").iter().flatten().map(str::to_owned).collect::<Vec<_>>()).collect();
    let mut out = Vec::new();
    for batch in &all {
        let lists = batch.column_by_name("relationships").expect("a column").as_list::<i32>().clone();
        for row in (0..batch.num_rows()).filter(|row| lists.is_valid(*row)) {
            let items = lists.value(row);
            let of = |at: usize| items.as_struct().column(at).as_string::<i32>().clone();
            let (types, ids, titles, fields) = (of(0), of(1), of(5), of(6));
            for at in (0..items.len()).filter(|at| fields.is_valid(*at)) {
                assert_eq!(types.value(at), "reference");
                let id = texts(batch, "x_original_id").value(row).to_owned();
                out.push((format!("{id} → {} ({})", titles.value(at), fields.value(at)), uuids.iter().any(|u| u == ids.value(at))));
            }
        }
    }
    out
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("out.report.json")).expect("a report")).expect("JSON")
}

#[test]
fn foreign_keys_become_references_and_those_that_dangle_are_listed() {
    let folder = folder(&[("authors.jsonl", AUTHORS), ("books.jsonl", BOOKS)]);
    let answer = run(folder.path(), &[&["convert", "authors.jsonl", "books.jsonl", "out.lance"], &LINKS[..]].concat()).expect(1);
    for words in
        ["author_id: 4 references, 1 without a target: id 3 → authors 3", "next: 1 reference\n", "author_id: records with a value that leads to no record"]
    {
        assert!(answer.stdout.contains(words), "{words} is not in\n{}", answer.stdout);
    }
    let wanted = [
        ("1 → authors 1 (author_id)", true),
        ("1 → books 2 (next)", true),
        ("2 → authors 1 (author_id)", true),
        ("2 → authors 18446744073709551615 (author_id)", true),
        ("3 → authors 3 (author_id)", false),
    ];
    assert_eq!(references(&folder.path().join("out.lance")), wanted.map(|(text, there)| (text.to_owned(), there)));
    let found = &report(folder.path())["links"][0];
    assert_eq!((&found["references"], &found["dangling"], &found["examples"][0]), (&4.into(), &1.into(), &"id 3 → authors 3".into()));
    // What the dump says is in the dataset, so verify is content, and tells what dangles.
    let answer = run(folder.path(), &["verify", "out.lance", "authors.jsonl", "books.jsonl"]).expect(0);
    assert!(answer.stdout.contains("author_id: 4 references, 1 without a target"), "{}", answer.stdout);
    run(folder.path(), &["verify", "out.lance", "books.jsonl"]).expect(0);
    // The refused author is mended and comes later.
    let mended = AUTHORS.replace("[2],", "[2,9],");
    std::fs::write(folder.path().join("authors.jsonl"), mended).expect("written");
    let answer = run(folder.path(), &["convert", "authors.jsonl", "out.lance", "--append", "--verify"]).expect(0);
    assert!(answer.stdout.contains("1 added"), "{}", answer.stdout);
    assert_eq!(report(folder.path())["links"][0]["dangling"], 0);
    // And goes again.
    std::fs::write(folder.path().join("authors.jsonl"), AUTHORS.lines().next().expect("a line")).expect("written");
    run(folder.path(), &["convert", "authors.jsonl", "out.lance", "--upsert", "--delete-missing"]).expect(1);
    assert_eq!(report(folder.path())["links"][0]["dangling"], 2);
}

#[test]
fn a_collection_in_the_dataset_can_be_linked_to_later() {
    let folder = folder(&[("authors.jsonl", AUTHORS), ("books.jsonl", BOOKS)]);
    run(folder.path(), &["convert", "authors.jsonl", "out.lance"]).expect(1);
    run(folder.path(), &["convert", "books.jsonl", "out.lance", "--append", "--link", "author_id=authors"]).expect(1);
    assert_eq!(references(&folder.path().join("out.lance")).len(), 4);
    let links = &report(folder.path())["links"];
    assert_eq!((&links[0]["field"], &links[0]["dangling"]), (&"author_id".into(), &1.into()));
}

#[test]
fn wrong_links_are_refused_before_any_work() {
    let folder = folder(&[("authors.jsonl", AUTHORS), ("books.jsonl", BOOKS), ("map.toml", "drop = [\"next\"]\n")]);
    for (flags, words) in [
        (&["--link", "author_id"][..], "expected FIELD=COLLECTION"),
        (&["--link", "=authors"], "expected FIELD=COLLECTION"),
        (&["--link", "author_id=people"], "no collection of this run has the name people; there are qdrant/authors, qdrant/books"),
        (&["--link", "a=books", "--link", "a=authors"], "linked twice"),
        (&["--link", "next=books", "--map", "map.toml"], "drops this field"),
    ] {
        let answer = run(folder.path(), &[&["convert", "authors.jsonl", "books.jsonl", "out.lance"], flags].concat()).expect(2);
        assert!(answer.stderr.contains(words) && answer.stderr.contains("help: "), "{words}: {}", answer.stderr);
    }
}

#[test]
fn weaviates_own_references_need_no_flag() {
    let article = |id: &str, author: &str| {
        format!(
            "{{\"id\":\"{id}\",\"properties\":{{\"title\":\"t\",\"wrote\":[{{\"beacon\":\"weaviate://localhost/{author}\",\"href\":\"/v1/x\"}}]}},\"vector\":[1,2]}}\n"
        )
    };
    let dump = article("a-1", "Author/b-1") + &article("a-2", "Author/b-2") + &article("a-3", "Publisher/c-1") + &article("a-4", "b-1");
    let authors = "{\"id\":\"b-1\",\"properties\":{\"title\":\"Ann\"},\"vector\":[3,4]}\n";
    let folder = folder(&[("Article.jsonl", &dump), ("Author.jsonl", authors)]);
    let answer = run(folder.path(), &["convert", "Article.jsonl", "Author.jsonl", "out.lance"]).expect(1);
    let words = "wrote: 3 references, 1 to collections that the dataset does not have, 1 without a target: id a-2 → Author b-2";
    assert!(answer.stdout.contains(words), "{}", answer.stdout);
    assert!(answer.stdout.contains("wrote: records with a value that leads to no record"), "{}", answer.stdout);
    let met: Vec<bool> = references(&folder.path().join("out.lance")).into_iter().map(|(_, there)| there).collect();
    assert_eq!(met, [true, false, false]);
    let payload = crate::tool::column(&folder.path().join("out.lance"), "x_source_payload")[2].clone().expect("a payload");
    assert!(payload.contains("weaviate://localhost/Author/b-1"), "{payload}");
    run(folder.path(), &["verify", "out.lance", "Article.jsonl", "Author.jsonl"]).expect(0);
}
