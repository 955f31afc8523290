//! Which vector index, and with which parameters: the guide's rule and the figures behind it. Pure; reads nothing.
//!
//! The numbers are chosen for a reader who cannot tune a search: ContextFrame's `knn_search` sets neither `nprobes` nor
//! `refine_factor`, so what it finds is decided here.

use crate::error::{Error, Result};

/// How distance is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Metric {
    /// 1 − cosine similarity.
    Cosine,
    /// Squared Euclidean distance.
    L2,
    /// 1 − dot product.
    Dot,
}

impl Metric {
    /// Lance's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::L2 => "l2",
            Self::Dot => "dot",
        }
    }

    /// The metric behind any of the databases' names for it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "cosine" | "cos" => Some(Self::Cosine),
            "l2" | "euclid" | "euclidean" | "l2-squared" | "l2_squared" => Some(Self::L2),
            "dot" | "ip" | "dotproduct" | "dot_product" | "inner_product" => Some(Self::Dot),
            _ => None,
        }
    }
}

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum IndexKind {
    /// IVF_PQ above 100,000 usable vectors or where memory is short, exact IVF_FLAT below.
    Auto,
    /// Product-quantised, the smallest.
    IvfPq,
    /// Whole vectors, exact with one partition.
    IvfFlat,
    /// A graph over scalar-quantised vectors.
    IvfHnswSq,
    /// Scalar-quantised, a byte for each value.
    IvfSq,
    /// RaBitQ: rotated, then some bits for each value (Gao and Long 2024).
    IvfRq,
    /// No vector index, but full text and scalar ones.
    NoVector,
    /// No index of any kind.
    None,
}

/// The user's own parameters; `None` leaves the choice here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// `--partitions`.
    pub partitions: Option<usize>,
    /// `--sub-vectors`.
    pub sub_vectors: Option<usize>,
    /// `--bits`.
    pub bits: Option<usize>,
    /// `--memory` in bytes; `None` for as much as it takes.
    pub memory: Option<u64>,
    /// `--target-recall`: what a search without settings must find. Not looked at here.
    pub target_recall: Option<f64>,
}

/// The index that will be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// `IVF_PQ`, `IVF_FLAT`, `IVF_HNSW_SQ`, `IVF_SQ`, `IVF_RQ`; `NoVector` and `None` build no vector index.
    pub kind: IndexKind,
    /// Partitions.
    pub partitions: usize,
    /// Sub-vectors (IVF_PQ only; 0 otherwise).
    pub sub_vectors: usize,
    /// Bits of a code (IVF_PQ and IVF_RQ only; 0 otherwise).
    pub bits: usize,
    /// Why, one sentence each.
    pub why: Vec<String>,
}

impl Choice {
    /// Lance's name of the index type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            IndexKind::IvfPq => "IVF_PQ",
            IndexKind::IvfFlat => "IVF_FLAT",
            IndexKind::IvfHnswSq => "IVF_HNSW_SQ",
            IndexKind::IvfSq => "IVF_SQ",
            IndexKind::IvfRq => "IVF_RQ",
            IndexKind::Auto | IndexKind::NoVector | IndexKind::None => "none",
        }
    }
}

/// The guide's threshold: IVF_PQ pays above so many vectors.
pub const PQ_FROM: u64 = 100_000;
/// Lance holds the vectors of an IVF_FLAT partition about so many times while it writes it (measured).
const FLAT_COPIES: u64 = 4;
/// What it holds besides.
const FLAT_BASE: u64 = 128 << 20;
/// Up to this many partitions, no neighbour can hide in one that is not searched: without `nprobes`, Lance 14 looks into at
/// least 6 partitions under L2 and 8 under cosine for 10 neighbours (`AutoProbeConfig` in its `knn/adaptive_probe.rs`).
const ALL_SEARCHED: u64 = 6;
/// Rows of a partition below which more partitions are not worth their centroids.
const SMALL_PARTITION: u64 = 8_192;
/// Bits of a value of an IVF_RQ code; Lance's default.
const RQ_BITS: usize = 5;
/// Rows of a partition in large datasets, where only some partitions are searched.
const LARGE_PARTITION: u64 = 32_768;

/// Chooses for `usable` vectors of `dimension` values.
///
/// # Errors
/// A parameter of the user's that cannot work with this dimension or number of vectors.
pub fn choose(kind: IndexKind, wishes: Wishes, usable: u64, dimension: usize) -> Result<Choice> {
    if wishes.target_recall.is_some() && kind != IndexKind::Auto {
        return Err(Error::new("--target-recall chooses the index, and --index names one").help("give --index auto, or leave --target-recall out"));
    }
    let mut why = Vec::new();
    let none = |kind, reason: &str| Choice { kind, partitions: 0, sub_vectors: 0, bits: 0, why: vec![reason.to_owned()] };
    if kind == IndexKind::None {
        return Ok(none(kind, "asked for: --index none; `vec2lance index` builds them later"));
    }
    if kind == IndexKind::NoVector {
        return Ok(none(kind, "asked for: --index no_vector"));
    }
    if usable == 0 {
        return Ok(none(IndexKind::NoVector, "no record has a vector"));
    }
    let flat = usable.saturating_mul(dimension as u64 * 4).saturating_mul(FLAT_COPIES).saturating_add(FLAT_BASE);
    let mut kind = match kind {
        IndexKind::Auto if usable <= PQ_FROM && wishes.memory.is_some_and(|memory| flat > memory) => {
            why.push(format!("IVF_PQ because writing an exact IVF_FLAT of these vectors takes about {} MiB, more than --memory allows", flat >> 20));
            IndexKind::IvfPq
        }
        IndexKind::Auto if usable > PQ_FROM => {
            why.push(format!("IVF_PQ because there are more than {PQ_FROM} vectors"));
            IndexKind::IvfPq
        }
        IndexKind::Auto => {
            why.push(format!("IVF_FLAT because {usable} vectors are few enough to search exactly (IVF_PQ from {PQ_FROM})"));
            IndexKind::IvfFlat
        }
        asked => asked,
    };
    let mut bits = wishes.bits.unwrap_or(if kind == IndexKind::IvfRq { RQ_BITS } else { 8 });
    if kind == IndexKind::IvfRq && !(1..=9).contains(&bits) {
        return Err(Error::new(format!("--bits {bits}: Lance has IVF_RQ codes of 1 to 9 bits")).help("leave --bits out for 5"));
    }
    if kind != IndexKind::IvfRq && bits != 4 && bits != 8 {
        return Err(Error::new(format!("--bits {bits}: Lance has codes of 4 or 8 bits")).help("leave --bits out for 8"));
    }
    if kind == IndexKind::IvfPq && usable < 1 << bits {
        if usable >= 16 && wishes.bits.is_none() {
            bits = 4;
            why.push(format!("4 bits because 8 bits need 256 vectors to train and there are {usable}"));
        } else {
            kind = IndexKind::IvfFlat;
            why.push(format!("IVF_FLAT instead of IVF_PQ because {usable} vectors are too few to train {} centroids", 1 << bits));
        }
    }
    let partitions = partitions(kind, wishes, usable, &mut why)?;
    let sub_vectors = if kind == IndexKind::IvfPq { sub_vectors(wishes, dimension, bits, &mut why)? } else { 0 };
    let bits = if matches!(kind, IndexKind::IvfPq | IndexKind::IvfRq) { bits } else { 0 };
    Ok(Choice { kind, partitions, sub_vectors, bits, why })
}

fn partitions(kind: IndexKind, wishes: Wishes, usable: u64, why: &mut Vec<String>) -> Result<usize> {
    if let Some(n) = wishes.partitions {
        if n == 0 || n as u64 > usable {
            return Err(Error::new(format!("--partitions {n}: expected 1 to {usable}, the number of vectors")));
        }
        return Ok(n);
    }
    let few = (usable / SMALL_PARTITION).min(ALL_SEARCHED);
    let n = match kind {
        IndexKind::IvfPq | IndexKind::IvfRq | IndexKind::IvfSq => usize::try_from((usable / LARGE_PARTITION).max(few)).unwrap_or(1).clamp(1, 4096),
        _ => 1,
    };
    why.push(match kind {
        IndexKind::IvfPq | IndexKind::IvfRq | IndexKind::IvfSq if n as u64 <= ALL_SEARCHED => {
            format!("{n} partitions, so few that a search without nprobes looks into all of them")
        }
        IndexKind::IvfPq | IndexKind::IvfRq | IndexKind::IvfSq => {
            format!("{n} partitions of about {LARGE_PARTITION} rows, so that a search without nprobes looks into many neighbours")
        }
        IndexKind::IvfFlat => "1 partition, so that every search is exact".to_owned(),
        _ => "1 partition, one graph over all vectors".to_owned(),
    });
    Ok(n)
}

fn sub_vectors(wishes: Wishes, dimension: usize, bits: usize, why: &mut Vec<String>) -> Result<usize> {
    let fits = |m: usize| m > 0 && dimension.is_multiple_of(m) && (bits == 8 || m.is_multiple_of(2));
    if let Some(m) = wishes.sub_vectors {
        if !fits(m) {
            let even = if bits == 4 { ", and even for 4 bits" } else { "" };
            return Err(Error::new(format!("--sub-vectors {m}: must divide the dimension {dimension}{even}")));
        }
        return Ok(m);
    }
    let m = (1..=dimension / 2).rev().find(|m| fits(*m)).unwrap_or(if fits(dimension) { dimension } else { 1 });
    why.push(format!("{m} sub-vectors of {} dimensions each, because a search without refine sees only the codes", dimension / m));
    Ok(m)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(usable: u64, dimension: usize) -> Choice {
        choose(IndexKind::Auto, Wishes::default(), usable, dimension).unwrap()
    }

    #[test]
    fn the_rule_of_the_guide() {
        assert_eq!(auto(0, 8).kind, IndexKind::NoVector);
        let small = auto(100_000, 384);
        assert_eq!((small.kind, small.partitions), (IndexKind::IvfFlat, 1));
        let large = auto(100_001, 384);
        assert_eq!((large.kind, large.sub_vectors, large.bits), (IndexKind::IvfPq, 192, 8));
        assert_eq!(auto(200_000, 7).sub_vectors, 1);
        let tight = Wishes { memory: Some(256 << 20), ..Wishes::default() };
        let kind = |n| choose(IndexKind::Auto, tight, n, 384).unwrap().kind;
        assert_eq!((kind(10_000), kind(60_000)), (IndexKind::IvfFlat, IndexKind::IvfPq));
    }

    #[test]
    fn too_few_vectors_for_a_codebook_change_the_index_and_say_so() {
        let pq = |n, wishes| choose(IndexKind::IvfPq, wishes, n, 8).unwrap();
        assert_eq!(pq(255, Wishes::default()).bits, 4);
        assert_eq!(pq(15, Wishes::default()).kind, IndexKind::IvfFlat);
        let asked = pq(255, Wishes { bits: Some(8), ..Wishes::default() });
        assert_eq!(asked.kind, IndexKind::IvfFlat);
        assert!(asked.why[0].contains("255"));
        assert!(choose(IndexKind::IvfPq, Wishes { sub_vectors: Some(3), ..Wishes::default() }, 1000, 8).is_err());
    }
}
