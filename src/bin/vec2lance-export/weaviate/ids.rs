//! Object ids as 128-bit numbers: where to begin so that a given id is the first one, and how to cut what lies between two ids.
//!
//! Weaviate gives objects in the order of their ids' bytes, which is that of the numbers. It does not ask a server.

use uuid::Uuid;

/// The number of an id in its usual text form.
pub(super) fn number(text: &str) -> Option<u128> {
    Uuid::try_parse(text).ok().map(|id| id.as_u128())
}

/// The id in the form that the server writes: lower case, with hyphens.
pub(super) fn text(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

/// What `after` must say so that the answer begins with this id or the one behind it. `after` is exclusive; empty, it asks for the first.
pub(super) fn just_before(id: u128) -> String {
    id.checked_sub(1).map(text).unwrap_or_default()
}

/// Cuts the ids from `first` to about `last` into `parallel` ranges of equal width; gives the beginnings of all but the first.
/// Ids of random or hashed UUIDs are spread evenly, so that the ranges hold about as many objects each.
pub(super) fn cuts(first: u128, last: u128, parallel: usize) -> Vec<u128> {
    let Ok(parts) = u128::try_from(parallel) else { return Vec::new() };
    let width = last.saturating_sub(first) / parts.max(1);
    if width == 0 {
        return Vec::new();
    }
    (1..parts).map(|part| first + width * part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers() {
        let id = "00000000-0000-4000-8000-000000000001";
        assert_eq!(number(id).map(text).as_deref(), Some(id));
        assert_eq!(number(id).map(just_before).as_deref(), Some("00000000-0000-4000-8000-000000000000"));
        assert_eq!(just_before(0), "");
        assert_eq!(number("no id"), None);
    }

    #[test]
    fn cuts_rise_and_stay_inside() {
        let cut = cuts(0, u128::MAX, 4);
        assert_eq!(cut.len(), 3);
        assert!(cut.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(text(cut[1]), "7fffffff-ffff-ffff-ffff-fffffffffffe");
        assert!(cuts(5, 5, 4).is_empty());
        assert!(cuts(9, 5, 4).is_empty());
    }
}
