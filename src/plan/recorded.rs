//! The options by which a dataset was converted, as they travel with it: so that `verify`, `--append` and `--upsert` read a dump in the
//! same way without being told again. Flags on the command line win.
//!
//! Options only: nothing that a run has found out about a dump.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sources::{self, Source};
use crate::cli::{Convert, IndexKindArg, Reading, Relationship};
use crate::dedupe::OnDuplicate;
use crate::error::{Error, Result};
use crate::frame::lean;
use crate::frame::promote::PromotedColumn;
use crate::frame::resize::Method;

/// The key in the dataset's configuration.
pub const KEY: &str = "vec2lance.options";
/// The key of the program's version.
pub const VERSION_KEY: &str = "vec2lance.version";

/// The key of the promoted columns, as JSON.
const PROMOTED_KEY: &str = "vec2lance.promoted";
/// What keys of layouts begin with; source and collection follow.
pub(super) const LAYOUT: &str = "vec2lance.layout.";
/// What keys of the namespaces of collections begin with.
pub(super) const NAMESPACES: &str = "vec2lance.namespaces.";

/// The key of the layout by which a collection's records were read, completed by its schema and by flags.
#[must_use]
pub fn layout_key(source: &str, collection: &str) -> String {
    format!("{LAYOUT}{source}/{collection}")
}

/// The options that decide about rows and indices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Recorded {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The TOML itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimension: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resize: Vec<Method>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector_field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    /// The TOML itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<String>,
    /// The source's schema itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_fields: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    link: Vec<String>,
    /// `last` where it was not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_duplicate: Option<OnDuplicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_relationship: Option<Relationship>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<IndexKindArg>,
    /// What a plan said of the dumps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plan: Vec<Source>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    promote: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    vector_indices: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lancedb: bool,
}

impl Recorded {
    /// What a conversion was asked for.
    ///
    /// # Errors
    /// A file that an option names cannot be read.
    pub fn of(convert: &Convert) -> Result<Self> {
        let reading = &convert.reading;
        let text = |path: &Path| std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e));
        let of_file = |path: &Option<std::path::PathBuf>, kept: &Option<String>| match path {
            Some(path) => text(path).map(Some),
            None => Ok(kept.clone()),
        };
        Ok(Self {
            from: reading.from.clone(),
            format: of_file(&reading.format, &reading.format_text)?,
            collection: reading.collection.clone(),
            vector: reading.vector.clone(),
            dimension: reading.dimension,
            resize: reading.resize.clone(),
            id_field: reading.id_field.clone(),
            vector_field: reading.vector_field.clone(),
            metadata: reading.metadata.clone(),
            map: of_file(&reading.map, &reading.map_text)?,
            schema: of_file(&reading.source_schema().map(Path::to_owned), &reading.schema_text)?,
            text_fields: reading.text_fields.clone(),
            link: reading.link.clone(),
            on_duplicate: convert.on_duplicate,
            member_relationship: Some(convert.member_relationship),
            index: Some(convert.indexing.index),
            plan: sources::all(reading),
            promote: convert.promote.clone(),
            vector_indices: convert.indexing.vector_indices,
            lancedb: reading.lean(),
        })
    }

    /// What a dataset's configuration says; defaults where it says nothing.
    #[must_use]
    pub fn read(config: &std::collections::HashMap<String, String>) -> Self {
        config.get(KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The promoted columns that a dataset was made with.
    #[must_use]
    pub fn promoted(config: &std::collections::HashMap<String, String>) -> Vec<PromotedColumn> {
        config.get(PROMOTED_KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// As pairs of a dataset's configuration, with the layout of each collection of the plan.
    #[must_use]
    pub fn pairs(&self, plan: &super::Plan) -> BTreeMap<String, String> {
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut pairs: BTreeMap<String, String> = [(KEY.to_owned(), text), (VERSION_KEY.to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into();
        if plan.lean.is_some() {
            pairs.insert(lean::KEY.to_owned(), lean::NAME.to_owned());
            // What a header says elsewhere.
            pairs.insert("vec2lance.metric".to_owned(), plan.metric.name().to_owned());
        }
        if !plan.layout.promoted.is_empty() {
            pairs.insert(PROMOTED_KEY.to_owned(), serde_json::to_string(&plan.layout.promoted).unwrap_or_default());
        }
        for input in &plan.inputs {
            let spec = serde_json::to_string(input.spec.as_ref()).unwrap_or_default();
            pairs.insert(layout_key(&input.collection.source, &input.collection.name), spec);
        }
        // Where a reference leads depends on the namespaces that its collection has: a later run must know the same ones.
        for target in plan.targets.iter().filter(|t| t.namespaces.iter().any(|n| !n.is_empty())) {
            let names = serde_json::to_string(&target.namespaces).unwrap_or_default();
            pairs.insert(format!("{NAMESPACES}{}/{}", target.source, target.name), names);
        }
        for met in plan.resizing.iter().flat_map(|r| &r.collections).filter(|c| !c.dimensions.is_empty()) {
            let text = serde_json::to_string(&met.dimensions).unwrap_or_default();
            pairs.insert(super::resize::dimensions_key(&met.source, &met.name), text);
        }
        pairs
    }

    /// Fills in what the command line leaves open. Gives the options taken over, for the report.
    pub fn fill(&self, config: &std::collections::HashMap<String, String>, reading: &mut Reading) -> Vec<String> {
        reading.layouts =
            config.iter().filter(|(key, _)| key.starts_with(LAYOUT) || key.starts_with(NAMESPACES)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let theirs = config.iter().filter(|(key, _)| key.starts_with(super::resize::DIMENSIONS));
        reading.dimensions = theirs.map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut taken = Vec::new();
        let mut take = |name: &str, own: &mut Option<String>, theirs: &Option<String>, shown: bool| {
            if own.is_none() && theirs.is_some() {
                own.clone_from(theirs);
                let value = if shown { format!(" {}", own.as_deref().unwrap_or_default()) } else { String::new() };
                taken.push(format!("--{name}{value}"));
            }
        };
        if reading.from.is_none() && reading.format.is_none() {
            take("from", &mut reading.from, &self.from, true);
            take("format", &mut reading.format_text, &self.format, false);
        }
        take("collection", &mut reading.collection, &self.collection, true);
        reading.vector_remembered = reading.vector.is_none();
        take("vector", &mut reading.vector, &self.vector, true);
        take("id-field", &mut reading.id_field, &self.id_field, true);
        take("vector-field", &mut reading.vector_field, &self.vector_field, true);
        take("metadata", &mut reading.metadata, &self.metadata, true);
        if reading.map.is_none() {
            take("map", &mut reading.map_text, &self.map, false);
        }
        if reading.source_schema().is_none() {
            take("schema", &mut reading.schema_text, &self.schema, false);
        }
        if reading.dimension.is_none()
            && let Some(dimension) = self.dimension
        {
            reading.dimension = Some(dimension);
            reading.resize.clone_from(&self.resize);
            let methods: Vec<&str> = self.resize.iter().map(|m| m.name()).collect();
            taken.push(format!("--dimension {dimension} --resize {}", methods.join(",")));
        }
        if reading.text_fields.is_none() && self.text_fields.is_some() {
            reading.text_fields.clone_from(&self.text_fields);
            taken.push("--text-fields".to_owned());
        }
        if reading.link.is_empty() && !self.link.is_empty() {
            reading.link.clone_from(&self.link);
            taken.push(format!("--link {}", self.link.join(" --link ")));
        }
        taken
    }

    /// What a plan said of the dumps.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.plan
    }

    /// Which record of one id counts.
    #[must_use]
    pub fn on_duplicate(&self) -> OnDuplicate {
        self.on_duplicate.unwrap_or(OnDuplicate::Last)
    }

    /// The same, as it was asked for.
    #[must_use]
    pub fn asked_on_duplicate(&self) -> Option<OnDuplicate> {
        self.on_duplicate
    }

    /// The type of the members' relationship.
    #[must_use]
    pub fn relationship(&self) -> Relationship {
        self.member_relationship.unwrap_or(Relationship::MemberOf)
    }

    /// What `--promote` asked for.
    #[must_use]
    pub fn promote(&self) -> &[String] {
        &self.promote
    }

    /// Whether the vectors beside the main one are indexed.
    #[must_use]
    pub fn vector_indices(&self) -> bool {
        self.vector_indices
    }

    /// The index asked for.
    #[must_use]
    pub fn index(&self) -> IndexKindArg {
        self.index.unwrap_or(IndexKindArg::Auto)
    }
}
