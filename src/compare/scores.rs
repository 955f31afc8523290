//! In which measure the source's scores are, told by the scores themselves: every database has its own, and some change it by version.
//!
//! For rows that the source found, the true distances by every metric are known; the measure is the one that gives the source's numbers.
//! If none does, the vectors are not those that the source has searched, and whether they were normalised can be told too.

use crate::dataset::choose::Metric;

/// A row that the source found, with its score and what is true of it here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// The row.
    pub address: u64,
    /// What the source said.
    pub score: f64,
    /// Cosine distance, squared Euclidean distance, 1 − product.
    pub distances: [f64; 3],
    /// Length of the query.
    pub query: f64,
    /// Length of the row's vector.
    pub row: f64,
}

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::Dot];

/// How a source's number is made of a distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The distance itself: Chroma, Milvus' L2, Weaviate but for dot.
    Distance,
    /// 1 − distance, which is the cosine or the product: Qdrant, Pinecone, Milvus.
    Similarity,
    /// The root of the squared distance: Qdrant's Euclid.
    Root,
    /// The negated product: Weaviate's dot.
    Negated,
    /// (1 + cosine) / 2: Weaviate's certainty.
    Certainty,
}

const FORMS: [(Form, &str); 5] = [
    (Form::Distance, "the distance"),
    (Form::Similarity, "1 − distance"),
    (Form::Root, "the root of the squared distance"),
    (Form::Negated, "distance − 1"),
    (Form::Certainty, "1 − distance / 2"),
];

impl Form {
    /// The source's number for a distance.
    fn of(self, distance: f64) -> f64 {
        match self {
            Self::Distance => distance,
            Self::Similarity => 1.0 - distance,
            Self::Root => distance.max(0.0).sqrt(),
            Self::Negated => distance - 1.0,
            Self::Certainty => 1.0 - distance / 2.0,
        }
    }

    /// The distance behind a source's number.
    #[must_use]
    pub(super) fn back(self, score: f64) -> f64 {
        match self {
            Self::Distance => score,
            Self::Similarity => 1.0 - score,
            Self::Root => score * score,
            Self::Negated => score + 1.0,
            Self::Certainty => 2.0 - 2.0 * score,
        }
    }

    /// In words.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        FORMS.iter().find(|(form, _)| *form == self).map_or("", |(_, name)| name)
    }

    fn fits(self, metric: Metric) -> bool {
        match self {
            Self::Root => metric == Metric::L2,
            Self::Negated => metric == Metric::Dot,
            Self::Certainty => metric == Metric::Cosine,
            Self::Similarity => metric != Metric::L2,
            Self::Distance => true,
        }
    }
}

/// The measure that fits best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// By which metric.
    pub metric: Metric,
    /// In which form.
    pub form: Form,
    /// Median difference, relative to the size of the scores.
    pub error: f64,
}

/// Above this, a measure does not fit: sources keep some vectors in 16 bits, or normalise them in float32.
const GOOD: f64 = 2e-3;

impl Fit {
    /// Whether the scores are those of the dataset's vectors.
    #[must_use]
    pub(super) fn good(&self) -> bool {
        self.error <= GOOD
    }
}

/// The measure that fits best under `metric`, and the best of all; none without scores.
#[must_use]
pub(super) fn fit(pairs: &[Pair], metric: Metric) -> Option<(Fit, Fit)> {
    let scale = median(pairs.iter().map(|p| p.score.abs()))?.max(1e-6);
    let mut all = Vec::new();
    for (at, candidate) in METRICS.into_iter().enumerate() {
        for (form, _) in FORMS.into_iter().filter(|(form, _)| form.fits(candidate)) {
            let error = median(pairs.iter().map(|p| (form.of(p.distances[at]) - p.score).abs())).unwrap_or(f64::INFINITY);
            all.push(Fit { metric: candidate, form, error: error / scale });
        }
    }
    let best = |fits: &mut dyn Iterator<Item = &Fit>| fits.min_by(|a, b| a.error.total_cmp(&b.error)).copied();
    let own = best(&mut all.iter().filter(|f| f.metric == metric))?;
    let any = best(&mut all.iter())?;
    // Of vectors of length 1, several metrics fit alike.
    Some((own, if own.good() { own } else { any }))
}

/// Whether the source's scores are those of the same directions at other lengths: the vectors here all have length 1, and the length that
/// each row must have had in the source is the same by every query that found it. Gives the range of those lengths.
#[must_use]
pub(super) fn normalised(pairs: &[Pair], metric: Metric) -> Option<(f64, f64)> {
    if metric == Metric::Cosine || pairs.iter().any(|p| (p.row - 1.0).abs() > 1e-3) {
        return None;
    }
    let mut best: Option<(f64, (f64, f64))> = None;
    for (form, _) in FORMS.into_iter().filter(|(form, _)| form.fits(metric)) {
        let mut sorted: Vec<(u64, [Option<f64>; 2])> = pairs.iter().map(|p| (p.address, lengths(p, metric, form.back(p.score)))).collect();
        sorted.sort_by_key(|(address, _)| *address);
        let (mut agree, mut all, mut range) = (0usize, 0usize, (f64::INFINITY, 0f64));
        for rows in sorted.chunk_by(|a, b| a.0 == b.0).filter(|rows| rows.len() > 1) {
            let near = |a: f64, b: f64| (a - b).abs() <= 0.01 * a.abs().max(b.abs());
            let common = rows[0].1.iter().flatten().find(|length| rows[1..].iter().all(|(_, other)| other.iter().flatten().any(|o| near(**length, *o))));
            all += 1;
            if let Some(length) = common {
                agree += 1;
                range = (range.0.min(*length), range.1.max(*length));
            }
        }
        let share = crate::exact::share(agree, all);
        if all >= 5 && share >= 0.8 && best.is_none_or(|(before, _)| share > before) {
            best = Some((share, range));
        }
    }
    best.map(|(_, range)| range)
}

/// The lengths that a row of this direction can have had if its distance is this one.
fn lengths(pair: &Pair, metric: Metric, distance: f64) -> [Option<f64>; 2] {
    // The product of the query with the row's direction.
    let product = (1.0 - pair.distances[2]) / pair.row;
    let positive = |length: f64| (length.is_finite() && length > 1e-9).then_some(length);
    if metric == Metric::Dot {
        return [positive((1.0 - distance) / product), None];
    }
    // t² − 2t·product + |q|² = distance
    let root = (product * product - pair.query * pair.query + distance).sqrt();
    [positive(product + root), positive(product - root)]
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    if values.is_empty() {
        return None;
    }
    let at = values.len() / 2;
    Some(*values.select_nth_unstable_by(at, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::distance;

    /// Scores of rows at lengths 1, 2, 3, …, as a source with these gives them, and what is true of the rows as `here` keeps them.
    fn pairs(metric: Metric, form: Form, here: impl Fn(f32) -> f32) -> Vec<Pair> {
        let direction = |n: u16| [f32::from(n).cos(), f32::from(n).sin() * 0.6, f32::from(n).sin() * 0.8];
        let mut out = Vec::new();
        for query in 0..6u16 {
            let q = direction(query * 7 + 1).map(|v| v * 1.5);
            for row in 0..8u16 {
                let length = 1.0 + f32::from(row);
                let (told, kept) = (direction(row).map(|v| v * length), direction(row).map(|v| v * here(length)));
                let distances = METRICS.map(|m| distance(m, &q, &kept));
                out.push(Pair { address: row.into(), score: form.of(distance(metric, &q, &told)), distances, query: 1.5, row: f64::from(here(length)) });
            }
        }
        out
    }

    #[test]
    fn every_measure_is_told_by_its_numbers() {
        for (form, _) in FORMS {
            for metric in METRICS.into_iter().filter(|m| form.fits(*m)) {
                let (own, any) = fit(&pairs(metric, form, |length| length), metric).unwrap();
                assert!(own == any && own.good() && own.form == form, "{metric:?} {form:?}: {own:?}");
                assert!((form.back(form.of(0.37)) - 0.37).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn another_metric_is_named() {
        let (own, any) = fit(&pairs(Metric::L2, Form::Root, |length| length), Metric::Cosine).unwrap();
        assert!(!own.good() && any.good() && any.metric == Metric::L2);
    }

    #[test]
    fn normalised_vectors_are_told_from_others() {
        for metric in [Metric::L2, Metric::Dot] {
            let (low, high) = normalised(&pairs(metric, Form::Distance, |_| 1.0), metric).unwrap();
            assert!((low - 1.0).abs() < 0.01 && (high - 8.0).abs() < 0.05, "{metric:?}: {low} to {high}");
            assert!(normalised(&pairs(metric, Form::Distance, |length| length), metric).is_none());
        }
    }
}
