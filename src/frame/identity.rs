//! The identity of a record: a UUIDv5 of where it came from, the same on every run, and the facts of its collection.
//!
//! Not a generator of random ids: a re-run must meet the rows of the first one.

use uuid::Uuid;

/// The namespace of every uuid that this program derives: UUIDv5 of the DNS name `vec2lance.invalid`.
fn namespace() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"vec2lance.invalid")
}

/// A source collection as its members and its header show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// The database: `pinecone`, `weaviate`, `qdrant`, `chroma`, `milvus`, or the name of the user's own format.
    pub source: String,
    /// Collection, class or index.
    pub name: String,
    /// Namespace, tenant or partition; empty where the source has none.
    pub namespace: String,
}

impl Collection {
    /// Uuid of the record with this id: UUIDv5 over source, collection, namespace and id, joined by NUL bytes.
    ///
    /// An integer id and the same digits as a string are one identity, because export scripts write `str(id)`.
    #[must_use]
    pub fn member_uuid(&self, id: &str) -> Uuid {
        Uuid::new_v5(&self.space(), id.as_bytes())
    }

    /// The namespace uuid that [`Self::member_uuid`] hashes ids under.
    fn space(&self) -> Uuid {
        let place = format!("{}\0{}\0{}", self.source, self.name, self.namespace);
        Uuid::new_v5(&namespace(), place.as_bytes())
    }

    /// A function from id to uuid with the collection's part of the hash done once.
    pub fn member_uuids(&self) -> impl Fn(&str) -> Uuid + Send + Sync + 'static {
        let space = self.space();
        move |id| Uuid::new_v5(&space, id.as_bytes())
    }

    /// Uuid of the collection's header record. One header serves all namespaces of a collection.
    #[must_use]
    pub fn header_uuid(&self) -> Uuid {
        Uuid::new_v5(&namespace(), format!("header\0{}\0{}", self.source, self.name).as_bytes())
    }

    /// "Collection: NAME".
    #[must_use]
    pub fn header_title(&self) -> String {
        format!("Collection: {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_depends_on_every_part_and_on_nothing_else() {
        let base = Collection { source: "qdrant".into(), name: "points".into(), namespace: String::new() };
        assert_eq!(base.member_uuid("7"), base.clone().member_uuid("7"));
        assert_eq!(base.member_uuids()("7"), base.member_uuid("7"));
        let others = [
            Collection { source: "milvus".into(), ..base.clone() },
            Collection { name: "point".into(), ..base.clone() },
            Collection { namespace: "a".into(), ..base.clone() },
        ];
        for other in others {
            assert_ne!(base.member_uuid("7"), other.member_uuid("7"));
        }
        assert_ne!(base.member_uuid("7"), base.member_uuid("07"));
    }
}
