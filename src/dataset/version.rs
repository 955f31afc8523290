//! Makes one version of what a run did: whatever number of commits it took, its readers see the next version and no other.
//!
//! Works on a dataset that nobody else sees (the staging folder): it takes manifests away. Lance has no call for this; the manifest
//! format and its naming are Lance's own (`lance_table::io::commit`, naming scheme V2: 2^64 − 1 − version, 20 digits).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance::io::ObjectStore;
use lance_table::io::commit::{ManifestNamingScheme, write_manifest_file_to_path};

use super::commit::Opened;
use super::{Engine, lance_error, uri};
use crate::error::{Error, Result};

/// Turns every version after `base` into the version `base` + 1, with these pairs in its configuration, and gives it this tag;
/// if there is a tag of that name, `-2`, `-3`, … is added. Gives the tag.
///
/// # Errors
/// The dataset cannot be read or written.
pub fn seal(engine: &Engine, path: &Path, opened: Opened, base: u64, config: &BTreeMap<String, String>, tag: &str) -> Result<(Opened, String)> {
    let failed = |e: lance::Error| lance_error("write the version", &e);
    let version = base + 1;
    let dataset = opened.dataset;
    let mut manifest = dataset.manifest().clone();
    let mut indices = engine.block_on(dataset.load_indices()).map_err(failed)?.as_ref().clone();
    for index in &mut indices {
        index.dataset_version = index.dataset_version.min(version);
    }
    manifest.version = version;
    manifest.config_mut().extend(config.iter().map(|(k, v)| (k.clone(), v.clone())));
    drop(dataset);

    let address = uri(path)?;
    let (store, root) = engine.block_on(ObjectStore::from_uri(&address)).map_err(failed)?;
    let name = |version: u64| ManifestNamingScheme::V2.manifest_path(&root, version).filename().unwrap_or_default().to_owned();
    let sealed = root.clone().join("_versions").join("sealed");
    engine.block_on(write_manifest_file_to_path(&store, &mut manifest, Some(indices), &sealed, None)).map_err(failed)?;
    let folder = path.join("_versions");
    for file in files(&folder)? {
        let known = ManifestNamingScheme::V2.parse_version(&file);
        if known.is_some_and(|known| known > base) {
            fs::remove_file(folder.join(&file)).map_err(|e| Error::io("remove", &folder.join(&file), &e))?;
        }
    }
    // It names a version that is no more; without it, Lance looks for the newest one.
    let hint = folder.join("latest_version_hint.json");
    if hint.exists() {
        fs::remove_file(&hint).map_err(|e| Error::io("remove", &hint, &e))?;
    }
    fs::rename(folder.join("sealed"), folder.join(name(version))).map_err(|e| Error::io("rename", &folder.join("sealed"), &e))?;
    forget_transactions(path, base, manifest.transaction_file.as_deref())?;

    let dataset = engine.block_on(Dataset::open(&address)).map_err(failed)?;
    let tags = engine.block_on(dataset.tags().list()).map_err(failed)?;
    let name = |n: usize| if n == 1 { tag.to_owned() } else { format!("{tag}-{n}") };
    // One more name than there are tags: one of them is free.
    let tag = (1..=tags.len() + 1).map(name).find(|t| !tags.contains_key(t)).unwrap_or_default();
    engine.block_on(dataset.tags().create(&tag, version)).map_err(failed)?;
    Ok((Opened { dataset }, tag))
}

/// The records of the commits that are one version now, but the last. Their names begin with the version that they were made on.
fn forget_transactions(path: &Path, base: u64, last: Option<&str>) -> Result<()> {
    let folder = path.join("_transactions");
    if !folder.is_dir() {
        return Ok(());
    }
    for file in files(&folder)? {
        let made_on = file.split('-').next().and_then(|n| n.parse::<u64>().ok());
        if made_on.is_some_and(|n| n >= base) && Some(file.as_str()) != last {
            fs::remove_file(folder.join(&file)).map_err(|e| Error::io("remove", &folder.join(&file), &e))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<String>> {
    let failed = |e: std::io::Error| Error::io("list the folder", folder, &e);
    fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()).map_err(failed)).collect()
}

/// A name as a tag: letters, digits, `.`, `-` and `_`; neither dot at an end nor two in a row, nor `.lock` at the end.
#[must_use]
pub fn tag_name(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        if !(matches!(c, '.' | '-') && out.ends_with(c)) {
            out.push(c);
        }
    }
    let out = out.trim_matches(['.', '-']).trim_end_matches(".lock");
    let out: String = out.chars().take(100).collect();
    if out.is_empty() { "import".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::tag_name;

    #[test]
    fn any_name_becomes_a_tag() {
        for (name, tag) in [("points.jsonl.zst", "points.jsonl.zst"), ("..a b//c..", "a-b-c"), ("", "import"), ("x.lock", "x"), ("日本", "import")] {
            assert_eq!(tag_name(name), tag);
        }
    }
}
