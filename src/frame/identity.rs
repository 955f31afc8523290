//! The identity of a record: a UUIDv5 of where it came from, the same on every run, and the facts of its collection.
//!
//! Not a generator of random ids: a re-run must meet the rows of the first one.

use uuid::Uuid;

/// The namespace of every uuid that this program derives: UUIDv5 of the DNS name `vec2lance.invalid`.
fn namespace() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"vec2lance.invalid")
}

/// A source collection as its members and its header show it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
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
    pub(super) fn space(&self) -> Uuid {
        let place = format!("{}\0{}\0{}", self.source, self.name, self.namespace);
        Uuid::new_v5(&namespace(), place.as_bytes())
    }

    /// The same collection, in this namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    /// Uuid of the namespace's own header record, which stands under the collection's.
    #[must_use]
    pub fn namespace_uuid(&self) -> Uuid {
        Uuid::new_v5(&namespace(), format!("header\0{}\0{}\0{}", self.source, self.name, self.namespace).as_bytes())
    }

    /// What the namespace's header has as its collection: `NAME/NAMESPACE`.
    #[must_use]
    pub fn namespace_name(&self) -> String {
        format!("{}/{}", self.name, self.namespace)
    }

    /// "Collection: NAME/NAMESPACE".
    #[must_use]
    pub fn namespace_title(&self) -> String {
        format!("Collection: {}", self.namespace_name())
    }

    /// Uuid of the collection's header record.
    #[must_use]
    pub fn header_uuid(&self) -> Uuid {
        Uuid::new_v5(&namespace(), format!("header\0{}\0{}", self.source, self.name).as_bytes())
    }

    /// Source, name and namespace.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, &str) {
        (&self.source, &self.name, &self.namespace)
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
        let others = [
            Collection { source: "milvus".into(), ..base.clone() },
            Collection { name: "point".into(), ..base.clone() },
            Collection { namespace: "a".into(), ..base.clone() },
        ];
        for other in others {
            assert_ne!(base.member_uuid("7"), other.member_uuid("7"));
        }
        assert_ne!(base.member_uuid("7"), base.member_uuid("07"));
        let (a, b) = (base.within("a"), base.within("b"));
        assert_eq!((a.header_uuid(), a.namespace_title().as_str()), (base.header_uuid(), "Collection: points/a"));
        assert!(a.namespace_uuid() != b.namespace_uuid() && a.namespace_uuid() != a.header_uuid());
    }
}
