//! Answers of a server as they came: the same rows as from the records by themselves, however the answers are set apart.

use std::fmt::Write as _;
use std::path::Path;

use crate::tool::{Answer, Converted, column, command, made_up, repository, run};

/// Answers of `points/scroll`, `each` points a page.
fn pages(rows: u64, dimension: u64, each: usize) -> Vec<String> {
    let text = made_up(0, rows, dimension);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().div_ceil(each) - 1;
    let page = |(number, points): (usize, &[&str])| {
        let next = if number == last { "null".to_owned() } else { ((number + 1) * each).to_string() };
        format!("{{\"result\":{{\"points\":[{}],\"next_page_offset\":{next}}},\"status\":\"ok\",\"time\":0.01}}", points.join(","))
    };
    lines.chunks(each).enumerate().map(page).collect()
}

#[test]
fn pages_give_the_rows_of_their_records_and_a_pipe_gives_them_too() {
    let cases = [
        ("qdrant", "points-small.jsonl", "qdrant-pages", "scroll_joined-small.json.gz"),
        ("qdrant", "points-small.jsonl", "qdrant-pages", "scroll_pretty-small"),
        ("chroma", "collection_gaps-small.jsonl", "chroma-pages", "get_gaps-small.json.gz"),
    ];
    for (format, records, paged, pages) in cases {
        let of = |format: &str, name: &str| Converted::of(&[&repository("fixtures").join(format).join("good").join(name)], &["--collection", "c"]);
        let (one, other) = (of(format, records), of(paged, pages));
        // A payload keeps the white space of its source.
        let same = ["uuid", "x_original_id", "text_content", "x_source_payload"];
        for name in &same[..if pages.contains("pretty") { 3 } else { 4 }] {
            assert_eq!(column(&one.path("out.lance"), name), column(&other.path("out.lance"), name), "{pages}: {name}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let dump = std::fs::File::open(repository("fixtures/qdrant-pages/good/scroll_joined-small.json.gz")).expect("the fixture");
    let output = command(folder.path(), &["convert", "-", "out.lance"]).stdin(dump).output().expect("it starts");
    let answer = Answer::of(&output).expect(0);
    assert!(answer.stdout.contains("24 records"), "{}", answer.stdout);
}

#[test]
fn many_pages_are_verified_in_little_memory_and_duplicates_among_them_are_found_again() {
    for separator in ["\n", ""] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut pages = pages(6000, 32, 700);
        pages.insert(3, "{\"status\":{\"error\":\"overloaded\"}}".to_owned());
        // The first page came twice.
        pages.insert(0, pages[0].clone());
        let text = pages.join(separator);
        std::fs::write(folder.path().join("scroll.json"), &text).expect("written");
        let flags = ["--memory", "128MiB", "--on-duplicate", "reject", "--index", "none"];
        let convert = ["convert", "scroll.json", "out.lance"];
        run(folder.path(), &[&convert[..], &flags[..]].concat()).expect(1);
        let rejects = std::fs::read_to_string(folder.path().join("out.rejects.jsonl")).expect("rejects");
        let rejects: Vec<serde_json::Value> = rejects.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!(rejects.len(), 701);
        for reject in &rejects {
            let original = reject["original"].as_str().expect("a text");
            let at = usize::try_from(reject["byte"].as_u64().expect("a place")).expect("a small file");
            assert_eq!(&text[at..at + original.len()], original);
            assert!(reject["code"] == "lost-page" || original.contains(&format!("\"id\":{},", reject["id"].as_str().expect("an id"))), "{reject}");
        }
        run(folder.path(), &["verify", "out.lance", "scroll.json", "--memory", "128MiB"]).expect(0);
        let sampled = run(folder.path(), &["verify", "out.lance", "scroll.json", "--sample", "50"]).expect(0);
        assert!(!sampled.says("missing"), "{}", sampled.stdout);
    }
}

#[test]
fn columns_have_their_originals_and_files_of_pages_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = "{\"ids\":[\"a\",\"b\"],\"embeddings\":[[1,2],[3,4]],\"metadatas\":[{\"n\":1},null]}";
    std::fs::write(folder.path().join("get.jsonl"), format!("{page}\n{page}\n")).expect("written");
    run(folder.path(), &["convert", "get.jsonl", "out.lance", "--on-duplicate", "reject"]).expect(1);
    let rejects = std::fs::read_to_string(folder.path().join("out.rejects.jsonl")).expect("rejects");
    let first: serde_json::Value = serde_json::from_str(rejects.lines().next().expect("a reject")).expect("JSON");
    assert_eq!(first["original"], "{\"id\":\"a\",\"embedding\":[1,2],\"metadata\":{\"n\":1}}");
    run(folder.path(), &["verify", "out.lance", "get.jsonl"]).expect(0);
    // page-10 comes before page-2 by name; still, one of them was the end.
    let many = folder.path().join("scroll");
    std::fs::create_dir(&many).expect("a folder");
    for (number, page) in pages(33, 4, 3).iter().enumerate() {
        std::fs::write(many.join(format!("page-{number}.json")), page).expect("written");
    }
    run(folder.path(), &["convert", "scroll", "scroll.lance"]).expect(0);
    std::fs::remove_file(many.join("page-10.json")).expect("it was there");
    assert!(run(folder.path(), &["convert", "scroll", "short.lance"]).expect(1).says("not read to its end"));
}

#[test]
fn what_is_no_dump_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |text: &str, words: &str| {
        std::fs::write(folder.path().join("answer.jsonl"), text).expect("written");
        let answer = run(folder.path(), &["convert", "answer.jsonl", "out.lance"]).expect(2);
        assert!(answer.says(words), "{text}: {}", answer.stderr);
        assert!(!Path::new(&folder.path().join("out.lance")).exists());
    };
    refused("{\"matches\":[{\"_id\":\"a\",\"_score\":1}],\"namespace\":\"\"}\n{\"matches\":[],\"namespace\":\"\"}\n", "answer of a search");
    refused("{\"ids\":[[\"a\"]],\"distances\":[[0.1]],\"embeddings\":null}\n", "answer of a search");
    let mut only = String::new();
    let _ = writeln!(only, "{{\"result\":{{\"points\":[],\"next_page_offset\":null}},\"status\":\"ok\",\"time\":0}}");
    refused(&only, "no records");
}

#[cfg(unix)]
#[test]
fn a_run_over_pages_or_rows_goes_on_where_it_died() {
    let rows: String = (0..60_000).fold(String::from("id,content,embedding\n"), |mut text, n| {
        let values: Vec<String> = (0..24).map(|d| format!("0.{:05}", (n * 31 + d * 17) % 99_991)).collect();
        let _ = writeln!(text, "{n},\"two\nlines\",\"[{}]\"", values.join(","));
        text
    });
    for (name, text) in [("dump.json", pages(30_000, 64, 500).concat()), ("dump.csv", rows)] {
        let whole = tempfile::tempdir().expect("a folder");
        let died = tempfile::tempdir().expect("a folder");
        let convert = ["convert", name, "out.lance", "--index", "none", "--memory", "128MiB"];
        for folder in [&whole, &died] {
            std::fs::write(folder.path().join(name), &text).expect("written");
        }
        run(whole.path(), &convert).expect(0);
        crate::resume::killed_with(died.path(), &convert, 1);
        let answer = run(died.path(), &convert).expect(0);
        assert!(answer.stdout.contains("were taken over from the interrupted run"), "{}", answer.stdout);
        for column_name in ["uuid", "x_original_id", "x_source_payload"] {
            assert!(column(&whole.path().join("out.lance"), column_name) == column(&died.path().join("out.lance"), column_name), "{name}: {column_name}");
        }
        run(died.path(), &["verify", "out.lance", name]).expect(0);
    }
}

#[test]
fn classes_in_one_file_are_collections() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let uuid = |n: u32| format!("00000000-0000-0000-0000-{n:012}");
    let object = |n: u32, class: &str, values: &str| format!(r#"{{"class":"{class}","id":"{}","vector":[{values}],"properties":{{"n":{n}}}}}"#, uuid(n));
    let pages = [
        format!(r#"{{"objects":[{},{}]}}"#, object(1, "A", "1,2"), object(2, "B", "3,4")),
        "{\"error\":[{\"message\":\"gone\"}]}".to_owned(),
        format!(r#"{{"objects":[{},{}]}}"#, object(3, "B", "5,6"), object(4, "A", "7,8")),
    ];
    std::fs::write(path.join("pages.jsonl"), pages.join("\n")).expect("written");
    let json = |args: &[&str], status| -> serde_json::Value { serde_json::from_str(&run(path, args).expect(status).stdout).expect("JSON") };
    let report = json(&["convert", "pages.jsonl", "out.lance", "--json"], 1);
    let members = |report: &serde_json::Value| {
        report["collections"].as_array().expect("counts").iter().map(|c| format!("{} {}", c["collection"], c["members"])).collect::<Vec<_>>()
    };
    assert_eq!(members(&report), ["\"A\" 2", "\"B\" 2"]);
    assert_eq!((&report["read"], &report["rejected"], &report["headers"]), (&5.into(), &1.into(), &2.into()), "{report}");
    run(path, &["verify", "out.lance", "pages.jsonl"]).expect(0);
    // A class with tenants may refer to one without.
    let of_tenant = |n: u32, to: &str| {
        format!(r#"{{"class":"T","tenant":"t1","id":"{}","vector":[1,2],"properties":{{"r":[{{"beacon":"weaviate://localhost/{to}"}}]}}}}"#, uuid(n))
    };
    let lines = [of_tenant(11, &format!("U/{}", uuid(13))), of_tenant(12, &format!("T/{}", uuid(11))), object(13, "U", "3,4")];
    std::fs::write(path.join("tenants.jsonl"), lines.join("\n")).expect("written");
    let report = json(&["convert", "tenants.jsonl", "tenants.lance", "--json", "--verify"], 0);
    assert_eq!((&report["links"][0]["references"], &report["links"][0]["dangling"]), (&2.into(), &0.into()), "{}", report["links"]);
    // As plain objects, too; a name of the user's is one for all.
    let lines: Vec<String> = (0..40).map(|n| object(n, ["A", "B", "C"][n as usize % 3], "1,2")).collect();
    std::fs::write(path.join("objects.jsonl"), lines.join("\n")).expect("written");
    assert_eq!(members(&json(&["convert", "objects.jsonl", "three.lance", "--json", "--verify"], 0)), ["\"A\" 14", "\"B\" 13", "\"C\" 13"]);
    assert_eq!(members(&json(&["convert", "objects.jsonl", "one.lance", "--collection", "all", "--json"], 0)), ["\"all\" 40"]);
}
