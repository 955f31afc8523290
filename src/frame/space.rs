//! The namespaces of one batch: a record's own, else its shard's. Each is hashed once, whatever the number of its records.
//!
//! Not counts: those are kept by who writes or verifies.

use std::collections::HashMap;

use uuid::Uuid;

use super::identity::Collection;

/// The namespaces met so far; number 0 is the shard's.
#[derive(Debug)]
pub(super) struct Spaces {
    all: Vec<Space>,
    numbers: HashMap<String, u32>,
}

/// One namespace.
#[derive(Debug)]
pub(super) struct Space {
    collection: Collection,
    /// What ids are hashed under.
    ids: Uuid,
    /// Uuid and title of its header; `None` for the empty namespace.
    pub(super) header: Option<(String, String)>,
}

impl Space {
    fn of(collection: Collection) -> Self {
        let header = (!collection.namespace.is_empty()).then(|| (collection.namespace_uuid().to_string(), collection.namespace_title()));
        Self { ids: collection.space(), header, collection }
    }

    /// Its name; empty where there is none.
    pub(super) fn namespace(&self) -> &str {
        &self.collection.namespace
    }

    /// Uuid of the member with this id.
    pub(super) fn uuid(&self, id: &str) -> Uuid {
        Uuid::new_v5(&self.ids, id.as_bytes())
    }
}

impl Spaces {
    pub(super) fn new(shard: &Collection) -> Self {
        Self { all: vec![Space::of(shard.clone())], numbers: [(shard.namespace.clone(), 0)].into() }
    }

    /// The number of a record's namespace; `None` is the shard's.
    pub(super) fn number(&mut self, namespace: Option<&str>) -> u32 {
        let Some(name) = namespace else { return 0 };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Space::of(self.all[0].collection.within(name)));
        self.numbers.insert(name.to_owned(), number);
        number
    }

    pub(super) fn get(&self, number: u32) -> &Space {
        &self.all[number as usize]
    }

    /// All names, by number.
    pub(super) fn names(&self) -> Vec<String> {
        self.all.iter().map(|s| s.namespace().to_owned()).collect()
    }
}
