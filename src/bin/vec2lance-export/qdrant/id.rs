//! Ids of points: 64-bit numbers, then UUIDs, in the server's own order, by which it scrolls.

use serde_json::Value;
use uuid::Uuid;

/// An id. The order of the variants is the server's: all numbers come before all UUIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Number(u64),
    Uuid(u128),
}

impl Id {
    /// From the id in an answer or in the journal.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_u64().map(Self::Number),
            Value::String(text) => Uuid::try_parse(text).ok().map(|u| Self::Uuid(u.as_u128())),
            _ => None,
        }
    }

    /// As the server writes it.
    pub(super) fn value(self) -> Value {
        match self {
            Self::Number(number) => number.into(),
            Self::Uuid(bits) => Uuid::from_u128(bits).hyphenated().to_string().into(),
        }
    }

    /// The least id after this one; none after the last UUID.
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::Number(number) => Some(number.checked_add(1).map_or(Self::Uuid(0), Self::Number)),
            Self::Uuid(bits) => bits.checked_add(1).map(Self::Uuid),
        }
    }
}

/// Ids that divide a sample into up to `parallel` parts of equal size, in order.
pub(super) fn bounds(mut sample: Vec<Id>, parallel: usize) -> Vec<Id> {
    sample.sort_unstable();
    sample.dedup();
    let parallel = parallel.min(sample.len() / 2).max(1);
    let mut bounds: Vec<Id> = (1..parallel).filter_map(|n| sample.get(n * sample.len() / parallel).copied()).collect();
    bounds.dedup();
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_before_uuids_and_each_id_has_a_next_one() {
        let uuid = |text: &str| Id::of(&Value::from(text)).expect("a UUID");
        let mut ids = [
            uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"),
            Id::Number(u64::MAX),
            uuid("00000000-0000-0000-0000-000000000000"),
            Id::Number(0),
            uuid("00000000-0000-0000-0000-000000000001"),
        ];
        ids.sort_unstable();
        assert_eq!(ids[0].next(), Some(Id::Number(1)));
        assert_eq!(ids[1], Id::Number(u64::MAX));
        assert_eq!(ids[1].next(), Some(ids[2]));
        assert_eq!(ids[2].next(), Some(ids[3]));
        assert_eq!(ids[4].next(), None);
        assert!(ids.iter().all(|id| Id::of(&id.value()) == Some(*id)));
        assert_eq!(Id::of(&Value::from(-1)), None);
        assert_eq!(Id::of(&Value::from("x")), None);
    }

    #[test]
    fn bounds_divide_what_there_is() {
        let numbers = |n: u64| (0..n).map(Id::Number).collect::<Vec<_>>();
        assert_eq!(bounds(numbers(100), 4), [Id::Number(25), Id::Number(50), Id::Number(75)]);
        assert_eq!(bounds(numbers(1), 4), []);
        assert_eq!(bounds(numbers(5), 4), [Id::Number(2)]);
        assert_eq!(bounds(vec![], 4), []);
        assert_eq!(bounds(numbers(100), 1), []);
    }
}
