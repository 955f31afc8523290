//! The house rules that a compiler cannot hold: which room may use what, and that tables and folders agree.

use std::path::{Path, PathBuf};

use crate::tool::{names, repository};

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            out.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            out.push((path.strip_prefix(repository("src")).expect("inside src").to_owned(), text));
        }
    }
    out
}

/// A file's code: without comments and without its tests.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
    text[..tests].lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_layout_has_its_line_its_file_and_its_fixtures() {
    let mut built_in: Vec<String> = vec2lance::formats::BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    built_in.sort();
    let mut files: Vec<String> = names(&repository("formats")).into_iter().filter_map(|n| n.strip_suffix(".toml").map(str::to_owned)).collect();
    files.sort();
    assert_eq!(built_in, files);
    let fixtures: Vec<String> = names(&repository("fixtures")).into_iter().filter(|n| n != "README.md" && n != "layouts").collect();
    assert_eq!(built_in, fixtures);
    for name in built_in {
        assert!(!names(&repository("fixtures").join(&name).join("good")).is_empty(), "{name} has no good fixtures");
        assert!(repository("fixtures").join(&name).join("expect.json").is_file(), "{name} has no expect.json");
    }
}

#[test]
fn rooms_use_only_what_they_may() {
    // (room, what its code must not mention)
    let rules: [(&str, &[&str]); 9] = [
        ("source/", &["serde_json", "arrow", "lance::", "crate::formats", "crate::frame", "crate::dataset", "println!"]),
        ("formats/", &["std::thread", "println!", "crate::dataset", "crate::pipeline", "crate::plan", "lance::dataset", "File::open", "File::create"]),
        ("frame/", &["std::fs", "File::", "lance::dataset", "crate::dataset", "crate::source", "qdrant", "pinecone", "weaviate", "chroma", "milvus"]),
        ("dataset/", &["crate::formats", "crate::source", "crate::plan", "crate::pipeline", "println!"]),
        ("cli.rs", &["std::fs", "std::thread", "crate::formats", "crate::source"]),
        ("error.rs", &["crate::formats", "crate::frame", "crate::dataset", "crate::plan"]),
        ("reject.rs", &["crate::formats", "crate::frame", "crate::dataset", "crate::plan"]),
        ("manifest.rs", &["crate::"]),
        // Of the library it uses the contract and the error; the crate's own name is taken out below.
        ("bin/", &["println!"]),
    ];
    for (path, text) in sources(&repository("src")) {
        let shown = path.display().to_string();
        // This crate's own name holds Lance's.
        let code = code(&text).replace("vec2lance", "");
        for (room, forbidden) in rules.iter().filter(|(room, _)| shown.starts_with(room)) {
            for word in *forbidden {
                assert!(!code.contains(word), "{shown} ({room}) mentions {word}");
            }
        }
        // `spec.rs` reads a user's own layout; Parquet needs a file that can seek, and is given one that is open.
        let files = code.replace("use std::fs::File;", "").contains("std::fs");
        assert!(!shown.starts_with("formats/") || shown == "formats/spec.rs" || !files, "{shown} uses files");
        let lance = ["lance::", "lance_core::", "lance_file::", "lance_index::", "lance_linalg::", "lance_table::"];
        let knows = lance.iter().find(|word| mentions(&code, word));
        assert!(shown.starts_with("dataset/") || knows.is_none(), "{shown} mentions {}", knows.unwrap_or(&""));
        let online = shown.starts_with("bin/");
        assert!(shown.starts_with("dataset/") || online || !mentions(&code, "tokio::"), "{shown} mentions tokio");
        let offline = ["::dataset", "::formats", "::frame", "::pipeline", "::plan", "::verify"].iter().find(|word| mentions(&code, word));
        assert!(!online || offline.is_none(), "{shown} mentions {}", offline.unwrap_or(&""));
        let http = ["reqwest::", "tonic::", "prost::", "TcpStream"].iter().find(|word| mentions(&code, word));
        assert!(online || http.is_none(), "{shown} mentions {}", http.unwrap_or(&""));
        let printer =
            shown.starts_with("report/") || ["report.rs", "bin/vec2lance-export/report.rs", "bin/vec2lance-export/progress.rs"].contains(&shown.as_str());
        assert!(printer || !["io::stdout()", "io::stderr()"].iter().any(|w| code.contains(w)) || shown == "main.rs", "{shown} prints");
        assert!(!["println!", "eprintln!", "print!", "eprint!", "dbg!"].iter().any(|w| mentions(&code, w)), "{shown} prints");
        let may_be_unsafe =
            ["source/mmap.rs", "dataset/kernel.rs", "exact/kernel.rs", "formats/number/avx2.rs", "heap.rs", "main.rs"].contains(&shown.as_str());
        assert!(may_be_unsafe || !["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|w| code.contains(w)), "{shown} is unsafe");
    }
}

/// Whether `word` stands in `code` and is no part of a longer name or path.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '"' || c == ':'))
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    for (path, text) in sources(&repository("src")) {
        let shown = path.display();
        assert!(text.starts_with("//! "), "{shown} does not open with what it is for");
        let lines = text.lines().count();
        assert!(lines <= 500, "{shown} has {lines} lines: has it still one subject?");
    }
    for folder in ["tests/it", "tests/export"] {
        for name in names(&repository(folder)).into_iter().filter(|name| name.contains(".rs")) {
            let text = std::fs::read_to_string(repository(folder).join(&name)).expect("a source");
            assert!(text.starts_with("//! "), "{folder}/{name} does not open with what belongs in it");
            assert!(text.lines().count() <= 300, "{folder}/{name}: has it still one subject?");
        }
    }
}
