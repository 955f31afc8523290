//! Which vectors the dataset gets: what the samples of all inputs hold, and which of them is the main one.
//!
//! Not the sampling ([`super::probe`]).

use crate::error::{Error, Result};
use crate::frame::element::Element;
use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::excerpt;

/// A vector that samples hold: name, kind, and how many records have it so.
pub(super) type Met = (String, VectorKind, u64);

/// What all inputs hold, until the layout is made of it.
#[derive(Debug)]
pub(super) struct Vectors {
    asked: Option<String>,
    /// `--vector` names a field, which some input has.
    pub(super) asked_is_field: bool,
    pub(super) inputs: Vec<(String, Vec<Met>)>,
}

/// A vector of all inputs, and the input that has it first.
struct Decided {
    name: String,
    kind: VectorKind,
    dump: String,
}

impl Decided {
    fn is(&self, name: &str, sparse: bool) -> bool {
        self.name == name && (self.kind == VectorKind::Sparse) == sparse
    }
}

impl Vectors {
    pub(super) fn new(asked: Option<String>) -> Self {
        Self { asked, asked_is_field: false, inputs: vec![] }
    }

    /// Main vector and others, and by what the main one was told. The kind that most of the sampled records have wins; other records
    /// are rejects later. Where main vectors are brought `to` one dimension, they may have different ones; that of each input is given,
    /// too.
    pub(super) fn layout(self, to: Option<usize>, notes: &mut Vec<String>) -> Result<(Layout, String, Vec<Option<usize>>)> {
        let mut decided: Vec<Decided> = Vec::new();
        let mut chosen: Vec<(usize, &String, Option<usize>)> = Vec::new();
        let mut conflicts: Vec<(&String, bool, Error)> = Vec::new();
        for (input, (dump, met)) in self.inputs.iter().enumerate() {
            for (name, kind) in most_frequent(met) {
                if kind.can_be_main() {
                    chosen.push((input, name, kind.dimension()));
                }
                let Some(before) = decided.iter_mut().find(|d| d.is(name, kind == VectorKind::Sparse)) else {
                    decided.push(Decided { name: name.clone(), kind, dump: dump.clone() });
                    continue;
                };
                let Some(both) = common(before.kind, kind) else {
                    let error = Error::new(format!(
                        "vector \"{}\" is {} in {} and {} in {dump}; one column cannot hold both",
                        excerpt(name, 40),
                        before.kind.describe(),
                        before.dump,
                        kind.describe()
                    ));
                    conflicts.push((name, before.kind.can_be_main() && kind.can_be_main(), error));
                    continue;
                };
                before.kind = both;
            }
        }
        let (main, by) = self.main(&decided)?;
        for (name, dense, error) in conflicts {
            let is_main = dense && main.is_some_and(|main| main.name == *name);
            if !is_main || to.is_none() {
                return Err(error.help(if is_main { super::resize::FLAGS } else { "convert the dumps into two datasets" }));
            }
        }
        let of = |input: usize| chosen.iter().find(|(at, name, _)| *at == input && main.is_some_and(|main| main.name == **name)).and_then(|(.., d)| *d);
        let met = (0..self.inputs.len()).map(of).collect();
        let Some(main) = main else {
            notes.push("no record has a dense vector: the column vector has dimension 1 and holds only the NaN placeholder".to_owned());
            let mut layout = Layout { main: None, dimension: 1, ..Layout::default() };
            for d in &decided {
                layout.add(&d.name, d.kind);
            }
            return Ok((layout, by, met));
        };
        let dimension = to.or(main.kind.dimension()).unwrap_or(1);
        if dimension > 1 << 20 {
            return Err(Error::new(format!("the vectors have {dimension} dimensions, more than 2^20")));
        }
        let mut layout = Layout { main: Some(main.name.clone()).filter(|n| n != "default"), dimension, ..Layout::default() };
        for d in decided.iter().filter(|d| !d.is(&main.name, false)) {
            layout.add(&d.name, d.kind);
        }
        Ok((layout, by, met))
    }

    /// The vector for the column `vector`: the one that was asked for, else `default`, else the first.
    fn main<'d>(&self, decided: &'d [Decided]) -> Result<(Option<&'d Decided>, String)> {
        let candidates: Vec<&Decided> = decided.iter().filter(|d| d.kind.can_be_main()).collect();
        let list = |all: &[&Decided]| all.iter().map(|d| format!("{} ({})", excerpt(&d.name, 40), d.kind.describe())).collect::<Vec<_>>().join(", ");
        if let Some(name) = self.asked.as_ref().filter(|name| !self.asked_is_field || candidates.iter().any(|d| d.name == **name)) {
            let Some(main) = candidates.iter().find(|d| d.name == *name) else {
                let all: Vec<&Decided> = decided.iter().collect();
                return Err(Error::new(format!("--vector {}: no dense vector has this name; found: {}", excerpt(name, 40), list(&all))));
            };
            return Ok((Some(main), "asked for: --vector".to_owned()));
        }
        let by = |main: &Decided, why: &str| {
            format!("{why}; --vector chooses among {}: the others are columns of their own", {
                let mut all = candidates.clone();
                all.sort_by_key(|d| d.name != main.name);
                list(&all)
            })
        };
        Ok(match (candidates.iter().find(|d| d.name == "default"), candidates.as_slice()) {
            (_, []) => (None, "no record has a dense vector".to_owned()),
            (_, [only]) => (Some(only), "the only dense vector".to_owned()),
            (Some(main), _) => (Some(main), by(main, "the vector without a name, or called default")),
            (None, [first, ..]) => (Some(first), by(first, "the first dense vector of the records")),
        })
    }
}

/// Every vector of one input once, of the kind that most of its records have; the first of the most frequent ones, so that ties do
/// not depend on anything but the records' order. Types of values that differ meet in the one that holds both.
fn most_frequent(met: &[Met]) -> Vec<(&String, VectorKind)> {
    let mut out: Vec<(&String, VectorKind)> = Vec::new();
    for (name, kind, _) in met {
        let sparse = *kind == VectorKind::Sparse;
        if out.iter().any(|(n, k)| *n == name && (*k == VectorKind::Sparse) == sparse) {
            continue;
        }
        let same: Vec<&Met> = met.iter().filter(|(n, k, _)| n == name && (*k == VectorKind::Sparse) == sparse).collect();
        let best = same.iter().map(|(.., count)| *count).max().unwrap_or(0);
        let Some(mut chosen) = same.iter().find(|(.., count)| *count == best).map(|(_, kind, _)| *kind) else { continue };
        for (_, other, _) in same {
            chosen = common(chosen, *other).unwrap_or(chosen);
        }
        out.push((name, chosen));
    }
    out
}

/// The kind that holds both without loss, if there is one.
fn common(one: VectorKind, other: VectorKind) -> Option<VectorKind> {
    let elements = [one.element(), other.element()];
    let dense = one.can_be_main() && other.can_be_main() && one.dimension() == other.dimension();
    match (one, one.dimension()) {
        _ if one == other => Some(one),
        (VectorKind::Dense(..), Some(d)) if dense => {
            Some(VectorKind::Dense(d, if elements.contains(&Element::Float64) { Element::Float64 } else { Element::Float32 }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_meet_in_the_one_that_holds_both() {
        let dense = |e| VectorKind::Dense(4, e);
        assert_eq!(common(dense(Element::Int8), dense(Element::UInt8)), Some(dense(Element::Float32)));
        assert_eq!(common(dense(Element::Float16), dense(Element::Float64)), Some(dense(Element::Float64)));
        assert_eq!(common(dense(Element::Binary), dense(Element::UInt8)), None);
        assert_eq!(common(dense(Element::Float32), VectorKind::Dense(5, Element::Float32)), None);
    }

    #[test]
    fn the_report_says_which_is_the_main_one_and_why() {
        let met = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), VectorKind::Dense(2, Element::Float32), 1)).collect::<Vec<Met>>();
        for (names, asked, main, says) in [
            (vec!["a"], None, Some("a"), "only dense vector"),
            (vec!["b", "a"], None, Some("b"), "the first dense vector"),
            (vec!["b", "default"], None, None, "without a name"),
            (vec!["b", "a"], Some("a"), Some("a"), "--vector"),
        ] {
            let vectors = Vectors { asked: asked.map(str::to_owned), asked_is_field: false, inputs: vec![("d".to_owned(), met(&names))] };
            let (layout, by, _) = vectors.layout(None, &mut vec![]).unwrap();
            assert_eq!(layout.main.as_deref(), main);
            assert!(by.contains(says), "{by}");
        }
    }
}
