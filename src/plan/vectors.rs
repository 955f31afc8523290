//! Which vectors the dataset gets: what the samples of all inputs hold, and which of them is the main one.
//!
//! Not the sampling ([`super::probe`]).

use crate::cli::Reading;
use crate::error::{Error, Result};
use crate::frame::element::Element;
use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::excerpt;

/// A vector that samples hold: name, kind, and how many records have it so.
pub(super) type Met = (String, VectorKind, u64);

/// What all inputs hold, until the layout is made of it.
#[derive(Debug)]
pub(super) struct Vectors {
    /// `--vector`.
    asked: Option<String>,
    /// It is not the command line that asks, but what a dataset remembers: inputs without that vector have another one.
    remembered: bool,
    /// The main vector's name in the dataset that is there.
    there: Option<String>,
    /// `--vector` names a field, which some input has.
    pub(super) asked_is_field: bool,
    pub(super) inputs: Vec<Seen>,
}

/// What one input holds.
#[derive(Debug)]
pub(super) struct Seen {
    /// The dump, printable.
    pub(super) dump: String,
    /// Source and collection: inputs of one have one main vector.
    pub(super) collection: (String, String),
    /// The main vector that its layout or the plan's source asks for.
    pub(super) own: Option<String>,
    pub(super) met: Vec<Met>,
}

/// What is decided of all of them.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) layout: Layout,
    /// By what the main vector was told.
    pub(super) by: String,
    /// Name and number of values of each input's main vector, in the order of the inputs.
    pub(super) mains: Vec<Option<(String, Option<usize>)>>,
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
    pub(super) fn new(reading: &Reading) -> Self {
        let (asked, there) = (reading.vector.clone(), reading.main_there.clone());
        Self { asked, remembered: reading.vector_remembered, there, asked_is_field: false, inputs: vec![] }
    }

    /// Main vectors and others, and by what the main ones were told. The kind that most of the sampled records have wins; other records
    /// are rejects later. Main vectors have one dimension, or are brought `to` one.
    pub(super) fn layout(self, to: Option<usize>, notes: &mut Vec<String>) -> Result<Decision> {
        let kinds: Vec<Vec<(&String, VectorKind)>> = self.inputs.iter().map(|seen| most_frequent(&seen.met)).collect();
        let (main, by, names) = self.main(&kinds)?;
        let mut first: Option<(&Seen, &str, VectorKind)> = None;
        let mut mains = Vec::new();
        let mut decided: Vec<Decided> = Vec::new();
        for ((seen, kinds), own) in self.inputs.iter().zip(&kinds).zip(&names) {
            let mut met = None;
            for (name, kind) in kinds {
                if own.as_deref() == Some(name.as_str()) && kind.can_be_main() {
                    met = kind.dimension();
                    let (before, called, of) = *first.get_or_insert((seen, name, *kind));
                    if of.dimension() != kind.dimension() && to.is_none() {
                        return Err(contradiction([(called, of, &before.dump), (name, *kind, &seen.dump)]).help(super::resize::FLAGS));
                    }
                    continue;
                }
                let Some(before) = decided.iter_mut().find(|d| d.is(name, *kind == VectorKind::Sparse)) else {
                    decided.push(Decided { name: (*name).clone(), kind: *kind, dump: seen.dump.clone() });
                    continue;
                };
                let Some(both) = common(before.kind, *kind) else {
                    let error = contradiction([(&before.name, before.kind, &before.dump), (name, *kind, &seen.dump)]);
                    return Err(error.help("convert the dumps into two datasets, or each collection into its own with --per-collection"));
                };
                before.kind = both;
            }
            mains.push(own.clone().map(|name| (name, met)));
        }
        let (mut layout, by) = if let (Some(main), Some((.., kind))) = (main, first) {
            let dimension = to.or(kind.dimension()).unwrap_or(1);
            if dimension > 1 << 20 {
                return Err(Error::new(format!("the vectors have {dimension} dimensions, more than 2^20")));
            }
            let others = self.others(&main, &names);
            (Layout { main: Some(main).filter(|n| n != DEFAULT), dimension, ..Layout::default() }, format!("{by}{others}"))
        } else {
            notes.push("no record has a dense vector: the column vector has dimension 1 and holds only the NaN placeholder".to_owned());
            (Layout { main: None, dimension: 1, ..Layout::default() }, by)
        };
        for d in &decided {
            layout.add(&d.name, d.kind);
        }
        Ok(Decision { layout, by, mains })
    }

    /// The name of the dataset's main vector, by what it was told, and that of each input: what was asked for, else the dataset's, else
    /// `default`, else the collection's first.
    fn main(&self, kinds: &[Vec<(&String, VectorKind)>]) -> Result<(Option<String>, String, Vec<Option<String>>)> {
        let dense = |at: usize| kinds[at].iter().filter(|(_, kind)| kind.can_be_main());
        let all: Vec<(&String, VectorKind)> = kinds.iter().flatten().copied().collect();
        let candidates = distinct(all.iter().filter(|(_, kind)| kind.can_be_main()).copied());
        let asked = self.asked.as_ref().filter(|name| candidates.iter().any(|(n, _)| n == name));
        if let Some(name) = self.asked.as_ref().filter(|_| asked.is_none() && !self.asked_is_field && !self.remembered) {
            return Err(Error::new(format!("--vector {}: no dense vector has this name; found: {}", excerpt(name, 40), list(&distinct(all.into_iter())))));
        }
        let (main, by) = match (asked.or(self.there.as_ref()), candidates.iter().find(|(n, _)| *n == DEFAULT), candidates.as_slice()) {
            (Some(name), ..) if asked.is_some() => (Some(name.clone()), "asked for: --vector".to_owned()),
            (Some(name), ..) => (Some(name.clone()), "as the dataset has it".to_owned()),
            (None, _, []) => (None, "no record has a dense vector".to_owned()),
            (None, _, [(only, _)]) => (Some((*only).clone()), "the only dense vector".to_owned()),
            (None, Some((default, _)), _) => (Some((*default).clone()), "the vector without a name, or called default".to_owned()),
            (None, None, [(first, _), ..]) => (Some((*first).clone()), "the first dense vector of the records".to_owned()),
        };
        let mut names = Vec::new();
        for (at, seen) in self.inputs.iter().enumerate() {
            let same = |other: &usize| self.inputs[*other].collection == seen.collection;
            // All inputs of a collection are looked at, so that its shards agree.
            let own = distinct((0..self.inputs.len()).filter(same).flat_map(dense).copied());
            let has = |name: &str| own.iter().find(|(n, _)| *n == name).map(|(n, _)| (*n).clone());
            let asks = (0..self.inputs.len()).filter(same).find_map(|other| self.inputs[other].own.as_deref());
            if let Some(name) = asks.filter(|name| has(name).is_none() && !own.is_empty()) {
                return Err(Error::new(format!("{}: the main vector is to be {}; found: {}", seen.dump, excerpt(name, 40), list(&own))));
            }
            let first = || own.first().map(|(n, _)| (*n).clone());
            names.push(asks.and_then(has).or_else(|| main.as_deref().and_then(has)).or_else(|| has(DEFAULT)).or_else(first));
            debug_assert!(at + 1 == names.len());
        }
        let many = candidates.len() > 1 && asked.is_none() && self.there.is_none() && self.inputs.iter().all(|seen| seen.own.is_none());
        let by = if many {
            let mut shown = candidates.clone();
            shown.sort_by_key(|(n, _)| Some(*n) != main.as_ref());
            format!("{by}; --vector chooses among {}: the others are columns of their own", list(&shown))
        } else {
            by
        };
        // What the sources ask for may be none of the names above.
        let main =
            if names.iter().flatten().any(|name| Some(name) == main.as_ref()) || self.there.is_some() { main } else { names.iter().flatten().next().cloned() };
        Ok((main, by, names))
    }

    /// The collections whose main vector has another name than the dataset's.
    fn others(&self, main: &str, names: &[Option<String>]) -> String {
        let mut shown: Vec<String> = Vec::new();
        for (seen, name) in self.inputs.iter().zip(names) {
            let Some(name) = name.as_deref().filter(|name| *name != main) else { continue };
            let text = format!("; of collection {}: {}", excerpt(&seen.collection.1, 40), excerpt(name, 40));
            if !shown.contains(&text) {
                shown.push(text);
            }
        }
        shown.concat()
    }
}

/// The name of a vector that has none.
const DEFAULT: &str = "default";

fn list(all: &[(&String, VectorKind)]) -> String {
    all.iter().map(|(name, kind)| format!("{} ({})", excerpt(name, 40), kind.describe())).collect::<Vec<_>>().join(", ")
}

/// The first of every name and family.
fn distinct<'a>(all: impl Iterator<Item = (&'a String, VectorKind)>) -> Vec<(&'a String, VectorKind)> {
    let mut out: Vec<(&String, VectorKind)> = Vec::new();
    for (name, kind) in all {
        let sparse = kind == VectorKind::Sparse;
        if !out.iter().any(|(n, k)| *n == name && (*k == VectorKind::Sparse) == sparse) {
            out.push((name, kind));
        }
    }
    out
}

/// Two vectors that one column would have to hold.
fn contradiction([(one, kind, dump), (other, of, there)]: [(&str, VectorKind, &str); 2]) -> Error {
    let (one, other) = (excerpt(one, 40), excerpt(other, 40));
    let second = if one == other { String::new() } else { format!("vector \"{other}\" ") };
    Error::new(format!("vector \"{one}\" is {} in {dump} and {second}{} in {there}; one column cannot hold both", kind.describe(), of.describe()))
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
            let vectors = of(asked, vec![("c", None, met(&names))]);
            let Decision { layout, by, .. } = vectors.layout(None, &mut vec![]).unwrap();
            assert_eq!(layout.main.as_deref(), main);
            assert!(by.contains(says), "{by}");
        }
    }

    fn of(asked: Option<&str>, inputs: Vec<(&str, Option<&str>, Vec<Met>)>) -> Vectors {
        let seen = |(name, own, met): (&str, Option<&str>, Vec<Met>)| Seen {
            dump: format!("{name}.jsonl"),
            collection: ("s".to_owned(), name.to_owned()),
            own: own.map(str::to_owned),
            met,
        };
        let inputs = inputs.into_iter().map(seen).collect();
        Vectors { asked: asked.map(str::to_owned), remembered: false, there: None, asked_is_field: false, inputs }
    }

    #[test]
    fn every_collection_has_a_main_vector_of_its_own() {
        let dense = |name: &str, d: usize| (name.to_owned(), VectorKind::Dense(d, Element::Float32), 1);
        let names = |decision: &Decision| decision.mains.iter().map(|m| m.as_ref().map(|(name, _)| name.clone())).collect::<Vec<_>>();
        let made = of(None, vec![("a", None, vec![dense("default", 4)]), ("b", None, vec![dense("text", 4), dense("image", 8)])]);
        let made = made.layout(None, &mut vec![]).unwrap();
        assert_eq!(names(&made), [Some("default".to_owned()), Some("text".to_owned())]);
        assert_eq!((made.layout.main, made.layout.others.len()), (None, 1));
        assert!(made.by.contains("of collection b: text"), "{}", made.by);
        let asked = of(None, vec![("a", None, vec![dense("default", 4)]), ("b", Some("image"), vec![dense("text", 8), dense("image", 4)])]);
        assert_eq!(names(&asked.layout(None, &mut vec![]).unwrap())[1].as_deref(), Some("image"));
        let shards = of(None, vec![("a", None, vec![dense("y", 4)]), ("a", None, vec![dense("x", 4), dense("y", 4)])]);
        assert_eq!(names(&shards.layout(None, &mut vec![]).unwrap()), [Some("y".to_owned()), Some("y".to_owned())]);
        let apart = of(None, vec![("a", None, vec![dense("x", 4)]), ("b", None, vec![dense("y", 8)])]);
        let error = apart.layout(None, &mut vec![]).unwrap_err().to_string();
        assert!(error.contains("\"x\" is dense, 4 dimensions in a.jsonl and vector \"y\" dense, 8 dimensions in b.jsonl"), "{error}");
    }
}
