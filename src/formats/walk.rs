//! The paths of a layout as a tree, so that a record is walked once, whatever the order of its keys.
//!
//! Not the values: [`super::jsonl`] reads those.

use std::borrow::Cow;
use std::collections::HashSet;

use super::spec::Spec;
use crate::error::{Error, Result};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    Id,
    Vector,
    Named,
    Sparse(String),
    Dense(String),
    Payload,
    Text,
    Namespace,
}

/// One level of keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    children: Vec<(String, Node)>,
    pub(super) slot: Option<Slot>,
}

impl Node {
    /// The tree of a layout.
    ///
    /// # Errors
    /// Two parts of the layout share a path, or one path runs through another.
    pub(super) fn of(spec: &Spec) -> Result<Self> {
        let mut root = Self::default();
        let mut add = |path: &str, slot: Slot| root.insert(path, slot, &spec.name);
        if let Some(id) = &spec.id {
            add(&id.at, Slot::Id)?;
        }
        if let Some(vector) = &spec.vector {
            add(&vector.at, Slot::Vector)?;
        }
        for named in spec.named.iter().chain(&spec.multi) {
            add(named, Slot::Named)?;
        }
        for (name, paths) in &spec.sparse {
            for path in paths {
                add(path, Slot::Sparse(name.clone()))?;
            }
        }
        for (name, path) in &spec.dense {
            add(path, Slot::Dense(name.clone()))?;
        }
        if let Some(text) = &spec.text {
            add(text, Slot::Text)?;
        }
        if let Some(namespace) = spec.namespace.at() {
            add(namespace, Slot::Namespace)?;
        }
        if spec.payload != "*" {
            add(&spec.payload, Slot::Payload)?;
        }
        Ok(root)
    }

    fn insert(&mut self, path: &str, slot: Slot, format: &str) -> Result<()> {
        let mut node = self;
        for part in path.trim_start_matches('/').split('/') {
            let key = part.replace("~1", "/").replace("~0", "~");
            let at = node.children.iter().position(|(k, _)| *k == key).unwrap_or_else(|| {
                node.children.push((key, Self::default()));
                node.children.len() - 1
            });
            node = &mut node.children[at].1;
        }
        if node.slot.is_some() || !node.children.is_empty() {
            return Err(Error::new(format!(
                "format {}: two parts of the layout share the path {}",
                crate::reject::excerpt(format, 40),
                crate::reject::excerpt(path, 60)
            )));
        }
        node.slot = Some(slot);
        Ok(())
    }

    /// The node under `key`.
    pub(super) fn child(&self, key: &str) -> Option<&Self> {
        self.children.iter().find(|(k, _)| k == key).map(|(_, node)| node)
    }
}

/// Keys of one object, to find a key that stands there twice.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

/// Up to here a linear search is faster than hashing.
const FEW: usize = 24;

impl<'a> Seen<'a> {
    pub(super) fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }

    /// Adds a key; false if it was there.
    pub(super) fn add(&mut self, key: Cow<'a, str>) -> bool {
        if self.many.is_empty() && self.few.len() < FEW {
            if self.few.contains(&key) {
                return false;
            }
            self.few.push(key);
            return true;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.drain(..));
        }
        self.many.insert(key)
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.few.iter().any(|k| k == key) || self.many.contains(key)
    }
}
