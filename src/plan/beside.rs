//! Descriptions that stand beside the data, because the data do not carry them: a Milvus collection's, Weaviate's classes.
//!
//! Which files they are is told by name and content; a file that is named so and says something else stays what it was.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Draft, collection};
use crate::cli::Reading;
use crate::error::{Error, Result};
use crate::formats::milvus;
use crate::formats::spec::Spec;
use crate::reject::excerpt;
use crate::source::find::{self, Found, Shard};

/// A description's file is not larger, in bytes.
const LARGEST: u64 = 16 << 20;

/// One description.
#[derive(Debug, Clone)]
pub(super) struct Description {
    /// The file; messages show it.
    path: PathBuf,
    /// Its JSON text.
    text: String,
    /// What it says.
    of: Of,
}

/// What a description is of.
#[derive(Debug, Clone)]
enum Of {
    /// A Milvus collection.
    Milvus(milvus::About),
    /// Weaviate classes, each as an object.
    Weaviate(Vec<Value>),
}

impl Description {
    /// Reads a text; `None` if it is no description.
    fn of(path: &Path, text: String) -> Option<Self> {
        let of = if let Some(about) = milvus::about(&text) {
            Of::Milvus(about)
        } else {
            let value: Value = serde_json::from_str(&text).ok()?;
            let classes = match value.get("classes").and_then(Value::as_array) {
                Some(classes) => classes.clone(),
                None => vec![value],
            };
            let is_class = |c: &Value| {
                c.get("class").is_some_and(Value::is_string) && (c.get("properties").is_some_and(Value::is_array) || c.get("vectorConfig").is_some())
            };
            if classes.is_empty() || !classes.iter().all(is_class) {
                return None;
            }
            Of::Weaviate(classes)
        };
        Some(Self { path: path.to_owned(), text, of })
    }

    fn read(path: &Path) -> Option<Self> {
        let size = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
        if size > LARGEST {
            return None;
        }
        Self::of(path, std::fs::read_to_string(path).ok()?)
    }

    /// The file's own name.
    fn name(&self) -> String {
        self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The class of this name, and the metric that all of its vectors have.
    pub(super) fn class(&self, name: &str) -> Option<(String, Option<String>)> {
        let Of::Weaviate(classes) = &self.of else { return None };
        let class = classes.iter().find(|c| c.get("class").and_then(Value::as_str) == Some(name))?;
        let distance = |of: &Value| of.pointer("/vectorIndexConfig/distance").and_then(Value::as_str).map(str::to_owned);
        let mut metrics: Vec<String> =
            class.get("vectorConfig").and_then(Value::as_object).into_iter().flat_map(|c| c.values()).chain([class]).filter_map(distance).collect();
        metrics.dedup();
        let metric = if metrics.len() == 1 { metrics.pop() } else { None };
        Some((class.to_string(), metric))
    }
}

/// Whether a file may be a description, by its name.
fn is_named_so(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let plain = ["schema.json", "describe.json", "describe_collection.json", "collection.json", "collections_describe.json"].contains(&name.as_str());
    plain || [".schema.json", "_schema.json", "-schema.json", ".describe.json", "_describe.json", "-describe.json"].iter().any(|ending| name.ends_with(ending))
}

/// Takes the descriptions out of what was found in a folder; for a single file, looks beside it.
pub(super) fn take(dump: &Path, found: &mut Found) -> Vec<Description> {
    let mut taken = Vec::new();
    if dump.is_dir() {
        found.shards.retain(|shard| match Some(&shard.path).filter(|p| is_named_so(p)).and_then(|p| Description::read(p)) {
            Some(description) => {
                taken.push(description);
                false
            }
            None => true,
        });
    } else if !find::is_stdin(dump) && found.shards.iter().all(|s| s.regular) {
        let own = dump.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = own.split('.').next().unwrap_or(&own);
        let names = [format!("{stem}.schema.json"), format!("{stem}.describe.json"), "schema.json".to_owned(), "describe.json".to_owned()];
        let beside = names.iter().map(|name| dump.with_file_name(name)).filter(|path| path != dump).find_map(|path| Description::read(&path));
        taken.extend(beside);
    }
    taken
}

/// What `--schema` gives.
///
/// # Errors
/// The file cannot be read, or is no description.
pub(super) fn asked(reading: &Reading) -> Result<Option<Description>> {
    let (path, text) = match (reading.source_schema(), &reading.schema_text) {
        (Some(path), _) => (path.to_owned(), std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?),
        (None, Some(text)) => (PathBuf::from("--schema"), text.clone()),
        (None, None) => return Ok(None),
    };
    let shown = crate::reject::printable(&path.display().to_string());
    match Description::of(&path, text) {
        Some(description) => Ok(Some(description)),
        None => Err(Error::new(format!("{shown}: this describes no collection"))
            .help("expected the JSON that Milvus' collections/describe answers (or describe_collection, CollectionSchema.to_dict), or Weaviate's /v1/schema")),
    }
}

/// A draft for each description that has shards beside or below it, and one for the others. `all` holds what was found, and what
/// `--schema` gave.
pub(super) fn drafts(dump: &Path, found: Found, all: &[Description], chosen: Option<&(Spec, String)>, notes: &mut Vec<String>) -> Vec<Draft> {
    let mut groups: Vec<(Option<usize>, Vec<Shard>)> = Vec::new();
    for shard in found.shards {
        let of = nearest(all, dump, &shard.path);
        match groups.iter_mut().find(|(at, _)| *at == of) {
            Some((_, shards)) => shards.push(shard),
            None => groups.push((of, vec![shard])),
        }
    }
    for (at, description) in all.iter().enumerate() {
        if matches!(description.of, Of::Milvus(_)) && !groups.iter().any(|(of, _)| *of == Some(at)) {
            notes.push(format!("{}: describes a collection, and there are no records beside it", excerpt(&description.name(), 60)));
        }
    }
    let alone = groups.len() == 1;
    let mut drafts = Vec::new();
    for (of, shards) in groups {
        let mut draft = Draft { dump: dump.display().to_string(), name: collection::name_of(dump, &shards), spec: chosen.cloned(), ..Draft::default() };
        if let Some(description) = of.map(|at| &all[at])
            && let Of::Milvus(about) = &description.of
        {
            draft.schema = Some(description.text.clone());
            draft.described = Some(description.name());
            draft.given.clone_from(&about.collection);
            draft.metric.clone_from(&about.metric);
            let folder = description.path.parent().filter(|f| f.starts_with(dump) && *f != dump);
            if let Some(folder) = folder.and_then(Path::file_name).filter(|_| !alone || draft.given.is_none()) {
                draft.name = folder.to_string_lossy().into_owned();
            }
        } else if let Some((text, metric)) = of_class(all, &draft.name) {
            draft.schema = Some(text);
            draft.metric = metric;
        }
        draft.shards = shards.into_iter().map(|s| (s, None)).collect();
        drafts.push(draft);
    }
    drafts
}

/// The class of this name, or the only one; and its metric.
fn of_class(descriptions: &[Description], name: &str) -> Option<(String, Option<String>)> {
    descriptions.iter().find_map(|d| {
        let Of::Weaviate(classes) = &d.of else { return None };
        let only = if let [one] = classes.as_slice() { one.get("class").and_then(Value::as_str) } else { None };
        d.class(name).or_else(|| d.class(only?))
    })
}

/// The Milvus description that is nearest above a shard; else what `--schema` gave.
fn nearest(all: &[Description], dump: &Path, shard: &Path) -> Option<usize> {
    let milvus = all.iter().enumerate().filter(|(_, d)| matches!(d.of, Of::Milvus(_)));
    let own = |d: &Description| d.path.starts_with(dump);
    let above = |d: &Description| own(d) && d.path.parent().is_some_and(|folder| shard.starts_with(folder));
    let inside = milvus.clone().filter(|(_, d)| above(d)).max_by_key(|(_, d)| d.path.components().count());
    // What lies beside a single file was found for it alone.
    let other = milvus.clone().find(|(_, d)| !own(d));
    inside.or(other).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describes_nothing_is_left_alone() {
        let of = |text: &str| Description::of(Path::new("schema.json"), text.to_owned());
        assert!(of("{\"id\":1,\"vector\":[1]}").is_none());
        assert!(of("[]").is_none());
        assert!(of("{\"class\":\"A\",\"id\":\"x\",\"properties\":{}}").is_none());
        let classes = of("{\"classes\":[{\"class\":\"A\",\"properties\":[],\"vectorIndexConfig\":{\"distance\":\"dot\"}}]}").unwrap();
        assert_eq!(classes.class("A").unwrap().1.as_deref(), Some("dot"));
        assert!(classes.class("B").is_none());
        assert!(matches!(of("{\"fields\":[{\"name\":\"pk\",\"is_primary\":true,\"type\":5}]}").unwrap().of, Of::Milvus(_)));
    }
}
