//! Building indices: every kind, the same bytes in every run, and nothing left behind. What they find is in `acceptance.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::tool::{command, made_up, names, run};

fn folder(rows: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, rows, 8)).expect("written");
    folder
}

/// The files of the vector index: the only ones with this name.
fn vector_index(dataset: &Path) -> BTreeMap<String, Vec<u8>> {
    let indices = dataset.join("_indices");
    let mut out = BTreeMap::new();
    for uuid in names(&indices).into_iter().filter(|uuid| indices.join(uuid).join("auxiliary.idx").is_file()) {
        for name in names(&indices.join(&uuid)) {
            out.insert(name.clone(), std::fs::read(indices.join(&uuid).join(name)).expect("readable"));
        }
    }
    out
}

#[test]
fn an_index_can_be_rebuilt_in_every_kind() {
    let folder = folder(600);
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--index", "none", "--metric", "l2"]).expect(0);
    assert!(!folder.path().join("out.lance/_indices").exists(), "--index none builds nothing");
    let kinds = [
        ("ivf_flat", "IVF_FLAT, l2"),
        ("ivf_pq", "IVF_PQ, l2"),
        ("ivf_hnsw_sq", "IVF_HNSW_SQ, l2"),
        ("no_vector", "no vector index"),
        ("ivf_flat", "IVF_FLAT, l2"),
        ("none", "none"),
    ];
    for (kind, words) in kinds {
        let text = run(folder.path(), &["index", "out.lance", "--index", kind]).expect(0).stdout;
        assert!(text.contains(words), "{text}");
        assert!(!folder.path().join("out.lance/_building").exists(), "{kind}");
    }
    assert_eq!(names(folder.path()), ["out.lance", "out.report.json", "points.jsonl"]);
}

#[test]
fn the_same_rows_give_an_ivf_pq_index_of_the_same_bytes() {
    for metric in ["cosine", "l2", "dot"] {
        let mut before: Option<BTreeMap<String, Vec<u8>>> = None;
        for (threads, memory) in [("1", "1GiB"), ("3", "256MiB"), ("2", "1GiB")] {
            let folder = folder(2000);
            let args = ["convert", "points.jsonl", "out.lance", "--index", "ivf_pq", "--partitions", "3", "--metric", metric];
            run(folder.path(), &[&args[..], &["--threads", threads, "--memory", memory]].concat()).expect(0);
            let now = vector_index(&folder.path().join("out.lance"));
            assert_eq!(now.keys().collect::<Vec<_>>(), ["auxiliary.idx", "index.idx"]);
            if let Some(before) = &before {
                for (name, bytes) in before {
                    assert!(*bytes == now[name], "{metric}: {name} differs with {threads} threads");
                }
            }
            before = Some(now);
        }
    }
}

#[test]
fn what_a_killed_index_run_leaves_is_swept_by_the_next() {
    let folder = folder(300);
    run(folder.path(), &["convert", "points.jsonl", "out.lance", "--index", "none"]).expect(0);
    let mut child = command(folder.path(), &["index", "out.lance"]).spawn().expect("it starts");
    let scratch = folder.path().join("out.lance/_building");
    while !scratch.join(".vec2lance-lock").exists() && child.try_wait().expect("it runs").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("it dies");
    child.wait().expect("it is gone");
    std::fs::create_dir_all(scratch.join("left")).expect("made");
    run(folder.path(), &["index", "out.lance"]).expect(0);
    assert!(!scratch.exists());
}

#[test]
fn a_dataset_in_a_folder_with_an_odd_name_is_indexed_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let odd = folder.path().join("ä 100% #1");
    std::fs::create_dir(&odd).expect("made");
    std::fs::write(odd.join("points.jsonl"), made_up(0, 600, 8)).expect("written");
    let answer = run(&odd, &["convert", "points.jsonl", "out.lance", "--index", "ivf_pq"]).expect(0);
    assert!(answer.stdout.contains("IVF_PQ, cosine"), "{}", answer.stdout);
}
