//! A folder with `manifest.json` is a snapshot: its collections, parts and promises, instead of what can be told by looking.

use std::path::{Component, Path};

use super::Draft;
use crate::error::{Error, Result};
use crate::formats::spec::Spec;
use crate::frame::element::Element;
use crate::frame::vectors::VectorKind;
use crate::manifest::{FILE, FORMAT, Manifest, VERSION};
use crate::reject::{excerpt, printable};
use crate::source::find::{self, Shard};

/// The folder's manifest, if it has one of ours.
///
/// # Errors
/// It cannot be read, is damaged, or of a version that this program does not know.
pub fn load(dump: &Path) -> Result<Option<Manifest>> {
    let path = dump.join(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
    let shown = printable(&path.display().to_string());
    let damaged = |e: &serde_json::Error| {
        Error::new(format!("{shown}:{}: the manifest is damaged: {e}", e.line()))
            .help("copy the snapshot again, or give its parts one by one to convert them without their promises")
    };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| damaged(&e))?;
    let format = value.get("format").and_then(serde_json::Value::as_str);
    if format != Some(FORMAT) {
        tracing::info!(manifest = %shown, "Not a manifest of vec2lance, so it is left alone.");
        return Ok(None);
    }
    if value.get("version").and_then(serde_json::Value::as_u64) != Some(u64::from(VERSION)) {
        return Err(Error::new(format!("{shown}: snapshot version {}, expected {VERSION}", value.get("version").unwrap_or(&serde_json::Value::Null)))
            .help("convert it with the version of vec2lance that exported it, or a later one"));
    }
    serde_json::from_value(value).map(Some).map_err(|e| damaged(&e))
}

/// Whether a part's path stays in the snapshot's folder.
#[must_use]
pub fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Compares the sizes of all parts with their manifests, before the first of them is read: a part that is cut off should be
/// known now and not after hours.
///
/// # Errors
/// A part of another size (status 1), or a manifest that cannot be read.
pub fn check_sizes(dumps: &[std::path::PathBuf]) -> Result<()> {
    for dump in dumps {
        let Some(manifest) = load(dump)? else { continue };
        for part in manifest.collections.iter().flat_map(|c| &c.parts) {
            // A part that is missing, or that lies elsewhere, is an error of the plan's.
            if !is_inside(&part.path) {
                continue;
            }
            let Ok(meta) = std::fs::metadata(dump.join(&part.path)) else { continue };
            if meta.len() != part.bytes {
                let name = printable(&part.path);
                return Err(Error::finding(format!("{name}: {} bytes, expected {} by the manifest; nothing was committed", meta.len(), part.bytes))
                    .help("copy the part again; `vec2lance inspect --check` lists every part that differs"));
            }
        }
    }
    Ok(())
}

/// One draft for each entry.
///
/// # Errors
/// A part is missing, or leaves the snapshot's folder.
pub(super) fn drafts(dump: &Path, manifest: &Manifest, chosen: Option<&(Spec, String)>, notes: &mut Vec<String>) -> Result<Vec<Draft>> {
    for skipped in &manifest.skipped {
        let namespace = skipped.namespace.as_deref().map(|n| format!("/{}", excerpt(n, 40))).unwrap_or_default();
        notes.push(format!("the export skipped {}{namespace}: {}", excerpt(&skipped.collection, 40), excerpt(&skipped.reason, 120)));
    }
    let mut drafts = Vec::new();
    for entry in &manifest.collections {
        let mut spec = match chosen {
            Some(chosen) => chosen.clone(),
            None => (Spec::built_in(entry.layout.as_deref().unwrap_or(&manifest.source))?, "the snapshot's manifest".to_owned()),
        };
        let mut shards = Vec::new();
        for part in &entry.parts {
            if !is_inside(&part.path) {
                return Err(Error::new(format!("{FILE}: the part \"{}\" lies outside of the snapshot's folder", excerpt(&part.path, 80)))
                    .help("this manifest was not written by vec2lance-export; do not trust it"));
            }
            let path = dump.join(&part.path);
            let shard: Shard = find::shard(path, part.path.clone(), None)?;
            shards.push((shard, Some(part.clone())));
        }
        let rows: u64 = entry.parts.iter().map(|p| p.rows).sum();
        if rows != entry.count {
            return Err(Error::finding(format!(
                "{FILE}: collection {} counts {} records, but its parts have {rows}; nothing was committed",
                excerpt(&entry.name, 40),
                entry.count
            )));
        }
        let mut vectors = Vec::new();
        for v in &entry.vectors {
            let dimension =
                || v.dimension.filter(|d| *d > 0).ok_or_else(|| Error::new(format!("{FILE}: vector \"{}\" has no dimension", excerpt(&v.name, 40))));
            let element = match &v.data_type {
                None => Element::Float32,
                Some(told) => Element::named(told).unwrap_or_else(|| {
                    let (name, told) = (excerpt(&v.name, 40), excerpt(told, 20));
                    notes.push(format!("vector \"{name}\" has values of the type {told}, which no column has; they are read as float32"));
                    Element::Float32
                }),
            };
            let name = if v.name.is_empty() { "default".to_owned() } else { v.name.clone() };
            if element != Element::Float32 {
                spec.0.types.insert(name.clone(), element);
            }
            let kind = match v.kind.as_str() {
                "dense" => VectorKind::Dense(dimension()?, element),
                "multi" => VectorKind::Multi(dimension()?, element),
                "sparse" => VectorKind::Sparse,
                other => {
                    notes.push(format!("vector \"{}\" is of kind {}, which the records will show", excerpt(&v.name, 40), excerpt(other, 20)));
                    continue;
                }
            };
            vectors.push((name, kind));
        }
        let mut facts = Vec::new();
        let mut fact = |key: &str, value: Option<String>| facts.extend(value.map(|v| (key.to_owned(), v)));
        fact("source_version", manifest.source_version.clone());
        fact("exported_at", manifest.exported_at.clone());
        fact("source_vectors", serde_json::to_string(&entry.vectors).ok().filter(|v| v != "[]"));
        let metric = entry.metric.clone().or_else(|| entry.vectors.first().and_then(|v| v.metric.clone()));
        drafts.push(Draft {
            dump: dump.display().to_string(),
            shards,
            name: entry.name.clone(),
            given: Some(entry.name.clone()),
            namespace: entry.namespace.clone().filter(|n| !n.is_empty()),
            spec: Some(spec),
            metric,
            facts,
            vectors,
            schema: entry.schema.as_ref().map(ToString::to_string),
            promised: Some(entry.count),
            rejects: None,
            ..Draft::default()
        });
    }
    if drafts.iter().all(|d| d.shards.is_empty()) {
        return Err(Error::new(format!("{}: the snapshot holds no parts: no records", printable(&dump.display().to_string()))));
    }
    Ok(drafts)
}
