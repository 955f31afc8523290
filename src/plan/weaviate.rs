//! Weaviate's server-side export: Parquet files that say in their own metadata of which class and tenant they are, and status files
//! that say what the server has written.
//!
//! Not the rows: `formats/weaviate-export.toml` says what they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde_json::Value;

use super::Draft;
use super::beside::Description;
use crate::error::{Error, Result};
use crate::formats::parquet::footer;
use crate::formats::spec::Spec;
use crate::reject::{excerpt, printable};
use crate::source::find::{Found, Shard};
use crate::source::magic::Encoding;

/// The file that ends an export.
const META: &str = "export_metadata.json";

/// Rows that the files of one shard have.
type Rows = BTreeMap<(String, String), u64>;

/// A draft for each class; `None` if these are no files of such an export.
///
/// # Errors
/// A file is damaged.
pub(super) fn drafts(
    dump: &Path,
    found: &mut Found,
    chosen: Option<&(Spec, String)>,
    descriptions: &[Description],
    notes: &mut Vec<String>,
) -> Result<Option<Vec<Draft>>> {
    let mut classes: BTreeMap<String, Vec<Shard>> = BTreeMap::new();
    let mut rows = Rows::new();
    for shard in found.shards.iter().filter(|s| s.encoding == Encoding::Parquet) {
        let file = File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?;
        let footer = footer(file, &shard.name)?;
        let value = |key: &str| footer.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
        let known = ["id", "properties", "creation_time"].iter().all(|c| footer.schema.column_with_name(c).is_some());
        let Some(class) = value("collection").filter(|_| known) else { continue };
        let base = shard.path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let part = base.rsplit_once('_').filter(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())).map_or(base.as_str(), |(b, _)| b);
        let part = part.strip_prefix(&class).and_then(|p| p.strip_prefix('_')).unwrap_or(part).to_owned();
        *rows.entry((class.clone(), part)).or_default() += footer.rows;
        // The tenant is the namespace, wherever the file lies.
        classes.entry(class).or_default().push(Shard { folder: value("tenant"), ..shard.clone() });
    }
    if classes.is_empty() {
        return Ok(None);
    }
    let mut losses = if dump.is_dir() { losses(dump, &rows)? } else { vec![] };
    let taken: Vec<&Shard> = classes.values().flatten().collect();
    for shard in found.shards.iter().filter(|s| !taken.iter().any(|t| t.path == s.path)) {
        let base = shard.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if base == META || is_node_status(&base) || base == "export_plan.json" {
            continue;
        }
        let name = excerpt(&shard.name, 60);
        if shard.encoding == Encoding::Parquet {
            losses.push(format!("{name}: the file does not say of which collection it is; it was not read"));
        } else {
            notes.push(format!("{name}: no file of the export; it was left alone"));
        }
    }
    let spec = match chosen {
        Some(chosen) => chosen.clone(),
        None => (Spec::built_in("weaviate-export")?, "the files' own metadata".to_owned()),
    };
    let mut drafts = Vec::new();
    for (class, shards) in classes {
        let described = descriptions.iter().find_map(|d| d.class(&class));
        let (schema, metric) = described.map_or((None, None), |(text, metric)| (Some(text), metric));
        drafts.push(Draft {
            dump: dump.display().to_string(),
            shards: shards.into_iter().map(|s| (s, None)).collect(),
            name: class.clone(),
            given: Some(class),
            spec: Some(spec.clone()),
            metric,
            schema,
            losses: std::mem::take(&mut losses),
            ..Draft::default()
        });
    }
    Ok(Some(drafts))
}

fn is_node_status(name: &str) -> bool {
    name.starts_with("node_") && name.ends_with("_status.json")
}

/// What the status files say was not written, or was written and is not here.
fn losses(dump: &Path, rows: &Rows) -> Result<Vec<String>> {
    let mut losses = Vec::new();
    let mut shards: BTreeMap<(String, String), Value> = BTreeMap::new();
    let mut classes: Vec<String> = Vec::new();
    let mut seen_meta = false;
    for path in crate::source::find::files(dump)? {
        let base = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let is_meta = base == META;
        if !is_meta && !is_node_status(&base) {
            continue;
        }
        let shown = printable(&path.strip_prefix(dump).unwrap_or(&path).display().to_string());
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
        let Ok(status) = serde_json::from_str::<Value>(&text) else {
            losses.push(format!("{shown}: the file is damaged, so what it says of the export is not known"));
            continue;
        };
        seen_meta |= is_meta;
        let word = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        if word(&status, "status") != "SUCCESS" {
            let why = Some(word(&status, "error")).filter(|e| !e.is_empty()).map(|e| format!(": {}", excerpt(&e, 160))).unwrap_or_default();
            losses.push(format!("{shown}: the export ended with {}{why}", excerpt(&word(&status, "status"), 20)));
        }
        classes.extend(status.get("classes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        for (class, of_class) in ["shardStatus", "shardProgress"].iter().filter_map(|k| status.get(*k)).filter_map(Value::as_object).flatten() {
            for (shard, progress) in of_class.as_object().into_iter().flatten() {
                shards.entry((class.clone(), shard.clone())).or_insert_with(|| progress.clone());
            }
        }
    }
    if !seen_meta {
        losses.push(format!("there is no {META}: the export may not have run to its end"));
    }
    for ((class, shard), progress) in &shards {
        let name = format!("{}/{}", excerpt(class, 60), excerpt(shard, 60));
        let word = |key: &str| progress.get(key).and_then(Value::as_str).filter(|w| !w.is_empty()).map(|w| excerpt(w, 160));
        let status = word("status").unwrap_or_default();
        if status != "SUCCESS" {
            let why = word("skipReason").or_else(|| word("error")).map(|w| format!(": {w}")).unwrap_or_default();
            losses.push(format!("{name}: the server's status of this shard is {status}{why}"));
        }
        let here = rows.get(&(class.clone(), shard.clone())).copied().unwrap_or(0);
        let stated = progress.get("objectsExported").and_then(Value::as_u64);
        if let Some(stated) = stated.filter(|n| *n != here) {
            losses.push(format!("{name}: the server exported {stated} objects, the files hold {here}"));
        }
    }
    for class in classes {
        if !rows.keys().any(|(c, _)| *c == class) && !shards.keys().any(|(c, _)| *c == class) {
            losses.push(format!("{}: the export names this class, and no file of it is here", excerpt(&class, 60)));
        }
    }
    losses.sort();
    losses.dedup();
    Ok(losses)
}
