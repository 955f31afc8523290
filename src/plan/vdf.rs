//! A folder with `VDF_META.json` is a dump of vdf-io (vector-io): its indexes and namespaces, and what it says is missing of them.
//!
//! Not the rows: they are Parquet files like any other, whose columns differ from file to file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::Draft;
use crate::error::{Error, Result};
use crate::formats::milvus::pointer;
use crate::formats::spec::{IdSpec, IdType, Spec, VectorSpec};
use crate::reject::{excerpt, printable};
use crate::source::find;

/// The file.
pub(super) const FILE: &str = "VDF_META.json";

/// One namespace of one index.
struct Part {
    index: String,
    namespace: String,
    /// Relative to the dump; `None` in old metas.
    path: Option<PathBuf>,
    vectors: Vec<String>,
    total: Option<u64>,
    exported: Option<u64>,
    metric: Option<String>,
    facts: Vec<(String, String)>,
}

/// A draft for each namespace of each index; `None` if the folder is no such dump.
///
/// # Errors
/// The meta is damaged, or names a path outside of the dump.
pub(super) fn drafts(dump: &Path, chosen: Option<&(Spec, String)>, notes: &mut Vec<String>) -> Result<Option<Vec<Draft>>> {
    let meta_path = dump.join(FILE);
    if !meta_path.is_file() {
        return Ok(None);
    }
    let shown = printable(&meta_path.display().to_string());
    let text = std::fs::read_to_string(&meta_path).map_err(|e| Error::io("read", &meta_path, &e))?;
    let meta: Value = serde_json::from_str(&text).map_err(|e| {
        Error::new(format!("{shown}:{}: the meta file is damaged: {e}", e.line()))
            .help("export again; or give the Parquet files one by one, with --id-field and --vector-field")
    })?;
    let mut parts = parts(&meta, &shown)?;
    let (mut files, mut nobodys) = assign(dump, &mut parts, &shown)?;
    let id = meta.get("id_column").and_then(Value::as_str).unwrap_or("id").to_owned();
    let source = meta.get("exported_from").and_then(Value::as_str).map(str::to_lowercase).filter(|s| !s.is_empty()).unwrap_or_else(|| "vdf".to_owned());
    let exported_at = meta.get("exported_at").and_then(Value::as_str);
    let mut drafts = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        let name = if part.namespace.is_empty() { excerpt(&part.index, 60) } else { format!("{}/{}", excerpt(&part.index, 60), excerpt(&part.namespace, 60)) };
        let mut losses = std::mem::take(&mut nobodys);
        if let (Some(total), Some(exported)) = (part.total, part.exported)
            && total != exported
        {
            losses.push(format!("{name}: {FILE} says that {exported} of {total} records were exported: the dump lacks the others"));
        }
        let mut stated = part.exported.or(part.total);
        let files = std::mem::take(&mut files[at]);
        if files.is_empty() {
            match stated.take() {
                Some(n) if n > 0 => losses.push(format!("{name}: {FILE} states {n} records, and no file of them is in the dump")),
                _ => notes.push(format!("{name}: the dump holds no file of it")),
            }
        }
        let mut shards = Vec::new();
        for file in files {
            let inside = file.strip_prefix(dump).unwrap_or(&file).display().to_string();
            shards.push((find::shard(file, inside, None)?, None));
        }
        let (spec, told_by) = match chosen {
            Some((spec, by)) if spec.name != "vdf" => (spec.clone(), by.clone()),
            _ => (layout(&source, &id, &part.vectors)?, FILE.to_owned()),
        };
        let mut facts = part.facts;
        facts.extend(exported_at.map(|at| ("exported_at".to_owned(), at.to_owned())));
        drafts.push(Draft {
            dump: dump.display().to_string(),
            shards,
            name: part.index.clone(),
            given: Some(part.index),
            namespace: Some(part.namespace).filter(|n| !n.is_empty()),
            spec: Some((spec, told_by)),
            metric: part.metric,
            facts,
            stated: stated.map(|n| (n, FILE)),
            losses,
            ..Draft::default()
        });
    }
    if drafts.iter().all(|d| d.shards.is_empty()) {
        return Err(Error::new(format!("{}: none of the folders that {FILE} names holds a Parquet file", printable(&dump.display().to_string())))
            .help("the dump may have been copied without its data: copy the whole folder again"));
    }
    Ok(Some(drafts))
}

/// What the meta lists. Keys that older versions lack are left open.
fn parts(meta: &Value, shown: &str) -> Result<Vec<Part>> {
    let Some(indexes) = meta.get("indexes").and_then(Value::as_object) else {
        return Err(Error::new(format!("{shown}: there is no object \"indexes\""))
            .help("expected the file that vdf-io writes: {\"indexes\": {\"name\": [{\"data_path\": …}]}}"));
    };
    let mut all = Vec::new();
    // By name, whatever the order in the file.
    for (index, entry) in indexes.iter().collect::<BTreeMap<_, _>>() {
        let list = match entry {
            Value::Array(list) => list.clone(),
            Value::Object(_) => vec![entry.clone()],
            _ => {
                return Err(Error::new(format!(
                    "{shown}: index \"{}\" is {}, expected a list of namespaces",
                    excerpt(index, 40),
                    excerpt(&entry.to_string(), 40)
                )));
            }
        };
        for entry in list {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
            let count = |key: &str| entry.get(key).and_then(|v| v.as_u64().or_else(|| v.as_f64().filter(|f| *f >= 0.0 && f.fract() == 0.0).map(whole)));
            let path = match text("data_path").map(|p| inside(&p)) {
                Some(Err(path)) => {
                    return Err(Error::new(format!("{shown}: the data_path \"{}\" lies outside of the dump's folder", excerpt(&path, 80)))
                        .help("this file was not written by vdf-io; do not trust it"));
                }
                Some(Ok(path)) => Some(path),
                None => None,
            };
            let vectors: Vec<String> =
                entry.get("vector_columns").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            let mut facts: Vec<(String, String)> =
                text("model_name").filter(|m| m != "NOT_PROVIDED").map(|m| ("model_name".to_owned(), m)).into_iter().collect();
            facts.extend(entry.get("index_config").filter(|c| !c.is_null()).map(|c| ("index_config".to_owned(), c.to_string())));
            all.push(Part {
                index: index.clone(),
                namespace: text("namespace").unwrap_or_default(),
                path,
                vectors: if vectors.is_empty() { vec!["vector".to_owned()] } else { vectors },
                total: count("total_vector_count"),
                exported: count("exported_vector_count"),
                metric: text("metric"),
                facts,
            });
        }
    }
    Ok(all)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number that is not negative")]
fn whole(n: f64) -> u64 {
    n as u64
}

/// A `data_path` as a path inside of the dump; the text itself if it leaves it.
fn inside(path: &str) -> std::result::Result<PathBuf, String> {
    let plain = path.replace('\\', "/");
    let mut out = PathBuf::new();
    for part in Path::new(&plain).components() {
        match part {
            Component::Normal(part) => out.push(part),
            Component::CurDir => {}
            _ => return Err(path.to_owned()),
        }
    }
    Ok(out)
}

/// The Parquet files of each part: those under its `data_path`, and under nobody's deeper one; and sentences about files of no part.
fn assign(dump: &Path, parts: &mut [Part], shown: &str) -> Result<(Vec<Vec<PathBuf>>, Vec<String>)> {
    let own = std::path::absolute(dump).ok().and_then(|p| p.file_name().map(PathBuf::from)).unwrap_or_default();
    let alone = parts.len() == 1;
    for part in parts.iter_mut() {
        // Some versions write the dump's own name in front; old ones no path at all.
        part.path = match part.path.take() {
            Some(path) if !dump.join(&path).exists() => Some(path.strip_prefix(&own).map_or_else(|_| path.clone(), Path::to_path_buf)),
            Some(path) => Some(path),
            None => inside(&part.index).ok().filter(|p| dump.join(p).is_dir()).or_else(|| alone.then(PathBuf::new)),
        };
        if part.path.is_none() {
            return Err(Error::new(format!("{shown}: index \"{}\" has no data_path, and there is no folder of its name", excerpt(&part.index, 40)))
                .help("add the line \"data_path\": \"FOLDER\" to it"));
        }
    }
    for (at, part) in parts.iter().enumerate() {
        if let Some(other) = parts[..at].iter().find(|p| p.path == part.path) {
            let name = |p: &Part| format!("{}/{}", excerpt(&p.index, 40), excerpt(&p.namespace, 40));
            return Err(Error::new(format!("{shown}: {} and {} have the same data_path, so their records cannot be told apart", name(other), name(part)))
                .help("convert the Parquet files themselves, without the meta file"));
        }
    }
    let root = dump.canonicalize().map_err(|e| Error::io("read", dump, &e))?;
    let (mut of, mut nobodys) = (vec![Vec::new(); parts.len()], Vec::new());
    for file in find::files(dump)? {
        if !file.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")) {
            continue;
        }
        let name = file.strip_prefix(dump).unwrap_or(&file).to_owned();
        if !file.canonicalize().is_ok_and(|real| real.starts_with(&root)) {
            return Err(Error::new(format!("{}: a link that leads out of the dump's folder", printable(&name.display().to_string())))
                .help("copy the file itself into the dump"));
        }
        let depth = |part: &Part| part.path.as_ref().filter(|p| name.starts_with(p)).map(|p| p.components().count());
        let best = (0..parts.len()).filter(|i| depth(&parts[*i]).is_some()).max_by_key(|i| depth(&parts[*i]));
        match best {
            Some(best) => of[best].push(file),
            None => {
                nobodys.push(format!("{}: the file lies in none of the folders that {FILE} names; it was not read", printable(&name.display().to_string())));
            }
        }
    }
    Ok((of, nobodys))
}

/// The layout of the rows: one column each for id and vectors, every other one is a field of the payload.
fn layout(source: &str, id: &str, vectors: &[String]) -> Result<Spec> {
    let mut spec = Spec::built_in("vdf")?;
    source.clone_into(&mut spec.source);
    spec.id = Some(IdSpec { at: pointer(id), types: vec![IdType::String, IdType::Integer] });
    spec.vector = None;
    match vectors {
        [one] => spec.vector = Some(VectorSpec { at: pointer(one), named: false, multi: false }),
        several => spec.dense.extend(several.iter().map(|name| (name.clone(), pointer(name)))),
    }
    // Chroma's document is a text of its own; in other databases, a field of this name is one like any other.
    if source == "chroma" {
        spec.text = Some("/document".to_owned());
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_path_stays_inside_or_is_refused() {
        for (path, expected) in [("a/b.parquet", "a/b.parquet"), ("./a/", "a"), ("a\\b", "a/b"), (".", "")] {
            assert_eq!(inside(path).unwrap(), std::path::PathBuf::from(expected), "{path}");
        }
        for path in ["../a", "/etc", "a/../../b"] {
            assert!(inside(path).is_err(), "{path}");
        }
    }
}
