//! The names under which headers stand in the dataset. ContextFrame finds a header by its name alone, so no two may share one.
//!
//! Only names: what a header says is [`super::header`]'s.

use std::collections::HashMap;

use super::identity::Collection;
use crate::error::{Error, Result};
use crate::reject::excerpt;

/// Every name taken, with who has it.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, Collection>);

impl Names {
    /// Takes the name of a collection's header, and that of its namespace's if it has one.
    ///
    /// # Errors
    /// Another collection or namespace has that name.
    pub fn add(&mut self, collection: &Collection) -> Result<()> {
        self.take(collection.name.clone(), &collection.within(""))?;
        if collection.namespace.is_empty() { Ok(()) } else { self.take(collection.namespace_name(), collection) }
    }

    fn take(&mut self, name: String, collection: &Collection) -> Result<()> {
        let Some(other) = self.0.get(&name).filter(|other| *other != collection) else {
            self.0.entry(name).or_insert_with(|| collection.clone());
            return Ok(());
        };
        let shown = |c: &Collection| {
            let namespace = if c.namespace.is_empty() { String::new() } else { format!(", namespace {}", excerpt(&c.namespace, 40)) };
            format!("{}'s collection {}{namespace}", excerpt(&c.source, 40), excerpt(&c.name, 40))
        };
        let text = format!("two headers would be called \"{}\": {} and {}", excerpt(&name, 60), shown(other), shown(collection));
        Err(Error::new(text).help("ContextFrame finds a collection by its name: convert one of them under another name, with --collection"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once() {
        let of = |source: &str, name: &str, namespace: &str| Collection { source: source.into(), name: name.into(), namespace: namespace.into() };
        let mut names = Names::default();
        for good in [of("qdrant", "a", ""), of("qdrant", "a", ""), of("qdrant", "a", "b"), of("qdrant", "a", "c"), of("milvus", "b", "c")] {
            names.add(&good).unwrap();
        }
        for bad in [of("milvus", "a", ""), of("qdrant", "a/b", ""), of("milvus", "a/c", "d")] {
            assert!(names.add(&bad).unwrap_err().to_string().starts_with("two headers would be called \"a"), "{bad:?}");
        }
    }
}
