//! `--link FIELD=COLLECTION`: which collection each foreign key leads to, among those of the run and of the dataset that it changes.
//!
//! Not the references themselves, which are made record by record ([`crate::frame::links`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::recorded::{LAYOUT, NAMESPACES};
use super::{Input, Plan};
use crate::error::{Error, Result};
use crate::formats::spec::Spec;
use crate::frame::links::{Link, Links, Target};
use crate::reject::excerpt;

/// `FIELD=COLLECTION`.
type Asked = (String, String);

/// Takes a `--link` apart at its first `=`.
///
/// # Errors
/// There is none, or nothing stands on one side of it.
fn parse(text: &str) -> Result<Asked> {
    match text.split_once('=') {
        Some((field, collection)) if !field.is_empty() && !collection.is_empty() => Ok((field.to_owned(), collection.to_owned())),
        _ => Err(Error::new(format!("--link {}: expected FIELD=COLLECTION", excerpt(text, 60))).help("such as --link author_id=authors")),
    }
}

/// Gives the inputs' mappings their references.
pub(super) fn resolve(plan: &mut Plan, asked: &[String], remembered: &BTreeMap<String, String>) -> Result<()> {
    plan.targets = targets(&plan.inputs, remembered);
    let mut keys: Vec<Link> = Vec::new();
    for text in asked {
        let (field, collection) = parse(text)?;
        if keys.iter().any(|l| l.field == field) {
            return Err(Error::new(format!("--link {}: the field is linked twice", excerpt(&field, 40))).help("a field leads to one collection"));
        }
        if let Some(input) = plan.inputs.iter().find(|i| i.mapping.drops(&field)) {
            let what = format!("--link {}: the mapping of {} drops this field", excerpt(&field, 40), excerpt(&input.dump, 60));
            return Err(Error::new(what).help("take it out of one of the two"));
        }
        keys.push(Link { target: one(&plan.targets, &collection, text)?.clone(), field });
    }
    for input in &mut plan.inputs {
        let links = Links { keys: keys.clone(), beacons: input.spec.references.clone(), targets: plan.targets.clone() };
        if !links.is_empty() {
            let mut mapping = (*input.mapping).clone();
            mapping.refer(links);
            input.mapping = Arc::new(mapping);
        }
    }
    Ok(())
}

/// The one collection that is meant: by its name, or by source and name.
fn one<'t>(targets: &'t [Target], asked: &str, text: &str) -> Result<&'t Target> {
    let full = |t: &Target| format!("{}/{}", t.source, t.name);
    let named: Vec<&Target> = targets.iter().filter(|t| t.name == asked).collect();
    let met = if named.is_empty() { targets.iter().filter(|t| full(t) == asked).collect() } else { named };
    let names = |of: &[&Target]| of.iter().take(10).map(|t| excerpt(&full(t), 60)).collect::<Vec<_>>().join(", ");
    match met.as_slice() {
        [one] => Ok(*one),
        [] => {
            let all: Vec<&Target> = targets.iter().collect();
            Err(Error::new(format!("--link {}: no collection of this run has the name {}; there are {}", excerpt(text, 60), excerpt(asked, 40), names(&all)))
                .help("convert both collections in one run, or add this one to the dataset that has the other"))
        }
        many => Err(Error::new(format!("--link {}: the name {} is that of several collections: {}", excerpt(text, 60), excerpt(asked, 40), names(many)))
            .help("name the source too: FIELD=SOURCE/COLLECTION")),
    }
}

/// Collections of the inputs, and those that the dataset remembers.
fn targets(inputs: &[Input], remembered: &BTreeMap<String, String>) -> Vec<Target> {
    let mut all: BTreeMap<(String, String), Target> = BTreeMap::new();
    for input in inputs {
        let collection = &input.collection;
        let target = entry(&mut all, &collection.source, &collection.name);
        // Where references are the source's own, all records of a collection have a tenant or none has.
        target.open |= input.spec.namespace.at().is_some() && (input.says_namespaces || input.spec.references.is_none());
        target.namespaces.extend(input.shards.iter().map(|s| s.membership.collection.namespace.clone()));
    }
    for (key, text) in remembered {
        if let Some((source, name)) = key.strip_prefix(LAYOUT).and_then(|k| k.split_once('/')) {
            let target = entry(&mut all, source, name);
            target.open |= serde_json::from_str::<Spec>(text).is_ok_and(|spec| spec.namespace.at().is_some() && spec.references.is_none());
        } else if let Some((source, name)) = key.strip_prefix(NAMESPACES).and_then(|k| k.split_once('/')) {
            let names = serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
            let target = entry(&mut all, source, name);
            target.open |= names.iter().any(|name| !name.is_empty());
            target.namespaces.extend(names);
        }
    }
    for target in all.values_mut().filter(|t| t.namespaces.is_empty()) {
        target.namespaces.insert(String::new());
    }
    all.into_values().collect()
}

fn entry<'a>(all: &'a mut BTreeMap<(String, String), Target>, source: &str, name: &str) -> &'a mut Target {
    all.entry((source.to_owned(), name.to_owned())).or_insert_with(|| Target {
        source: source.to_owned(),
        name: name.to_owned(),
        namespaces: std::collections::BTreeSet::new(),
        open: false,
    })
}
