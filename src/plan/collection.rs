//! The name of a collection, told by the path of its dump when nothing in the dump says it.

use std::path::Path;

use crate::source::find::{Shard, is_stdin};
use crate::source::magic::Encoding;

/// Endings that are no part of a name.
const ENDINGS: [&str; 11] = ["lance", "zst", "gz", "csv", "tsv", "jsonl", "ndjson", "json", "parquet", "zstd", "gzip"];

/// The name that all shards of a folder share, else the folder's own; a file's name without endings and without the number of a shard (`points-003.jsonl.zst` → `points`),
/// so that shards given one by one are one collection.
pub(super) fn name_of(dump: &Path, shards: &[Shard]) -> String {
    if is_stdin(dump) {
        return "stdin".to_owned();
    }
    let absolute = std::path::absolute(dump).unwrap_or_else(|_| dump.to_owned());
    let base = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if dump.is_dir() {
        // The same shards given as a folder or one by one must be the same collection, or their records would get other uuids.
        let own = |shard: &Shard| match shard.encoding {
            // Their path is that of a file inside.
            Encoding::Arrays => shard.path.parent().map(base).unwrap_or_default(),
            Encoding::Table => base(&absolute),
            _ => base(&shard.path),
        };
        let mut stems: Vec<String> = shards.iter().map(|s| stem(&own(s))).collect();
        stems.dedup();
        return match stems.as_slice() {
            [one] if !one.is_empty() => one.clone(),
            _ => Some(base(&absolute)).filter(|n| !n.is_empty()).unwrap_or_else(|| "dump".to_owned()),
        };
    }
    let name = stem(&base(&absolute));
    if name.is_empty() { absolute.parent().map(base).filter(|n| !n.is_empty()).unwrap_or_else(|| "dump".to_owned()) } else { name }
}

fn stem(name: &str) -> String {
    let mut name = name;
    while let Some((rest, ending)) = name.rsplit_once('.')
        && ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(ending))
    {
        name = rest;
    }
    // `-003`, `_part-3`, `.00000-of-00008`
    let mut rest = name;
    if let Some((before, total)) = rest.rsplit_once("-of-")
        && !total.is_empty()
        && total.bytes().all(|b| b.is_ascii_digit())
    {
        rest = before;
    }
    let trimmed = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    if trimmed.len() == rest.len() {
        return name.to_owned();
    }
    if trimmed.is_empty() {
        return String::new();
    }
    let Some(trimmed) = trimmed.strip_suffix(['-', '_', '.']).or_else(|| trimmed.ends_with("part").then_some(trimmed)) else {
        return name.to_owned();
    };
    let trimmed = trimmed.strip_suffix("part").or_else(|| trimmed.strip_suffix("shard")).unwrap_or(trimmed);
    trimmed.trim_end_matches(['-', '_', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn numbers_of_shards_are_no_part_of_the_name() {
        for (file, name) in [
            ("points.jsonl.zst", "points"),
            ("points-003.jsonl", "points"),
            ("points_part-3.parquet", "points"),
            ("points-00000-of-00008.jsonl.gz", "points"),
            ("points.part7.jsonl", "points"),
            ("gpt4.jsonl", "gpt4"),
            ("my.dump.v2.json", "my.dump.v2"),
            ("0001.jsonl", ""),
        ] {
            assert_eq!(stem(file), name, "{file}");
        }
    }
}
