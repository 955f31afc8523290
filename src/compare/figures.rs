//! The figures of one answer against another, and their averages. Pure.
//!
//! Those of the usual migration guides: overlap, precision, recall, F1, whether the first five kept their order; and Spearman's rank
//! correlation (1904) over the rows that both have.

use serde::Serialize;

use crate::exact::share;

/// How one answer agrees with the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Rows that both have.
    pub overlap: usize,
    /// Of the rows found, the share that the reference has.
    pub precision: f64,
    /// Of the reference, the share that was found.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Whether the first five rows are the same in the same order.
    pub first5_in_order: bool,
    /// From −1 to 1; null where fewer than two rows are in both.
    pub rank_correlation: Option<f64>,
    /// Mean difference between the distance found and that of the reference, of rows that both have; null without scores.
    pub score_difference: Option<f64>,
}

/// Averages over all queries.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Averages {
    /// Mean number of rows that both have.
    pub overlap: f64,
    /// Mean.
    pub precision: f64,
    /// Mean.
    pub recall: f64,
    /// Mean.
    pub f1: f64,
    /// Queries whose first five rows kept their order.
    pub first5_in_order: usize,
    /// Mean over queries that have one.
    pub rank_correlation: Option<f64>,
    /// Mean over queries that have one.
    pub score_difference: Option<f64>,
    /// Queries whose F1 is 1.
    pub perfect: usize,
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Its id.
    pub id: String,
    /// Its distance, in the dataset's measure; none where the source's scores could not be read as one.
    pub distance: Option<f64>,
}

/// Compares an answer with the reference. Both without doubled ids.
#[must_use]
pub(super) fn figures(reference: &[Row], found: &[Row]) -> Figures {
    // Pairs of places, in the reference's order.
    let both: Vec<(usize, usize)> =
        reference.iter().enumerate().filter_map(|(at, row)| found.iter().position(|f| f.id == row.id).map(|other| (at, other))).collect();
    let overlap = both.len();
    // Nothing to find, and nothing found, is a whole answer.
    let part = |whole: usize| if whole == 0 { f64::from(u8::from(overlap == whole && reference.len() == found.len())) } else { share(overlap, whole) };
    let (precision, recall) = (part(found.len()), part(reference.len()));
    let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    let first = |rows: &[Row]| rows.iter().take(5).map(|r| r.id.clone()).collect::<Vec<_>>();
    let differences: Vec<f64> =
        both.iter().filter_map(|(at, other)| Some((reference[*at].distance? - found[*other].distance?).abs())).filter(|d| d.is_finite()).collect();
    Figures {
        overlap,
        precision,
        recall,
        f1,
        first5_in_order: first(reference) == first(found),
        rank_correlation: correlation(&both),
        score_difference: mean(differences.into_iter()),
    }
}

/// Spearman's rho of the ranks that rows have among those in both lists: no ties, because a row has one place.
fn correlation(both: &[(usize, usize)]) -> Option<f64> {
    let n = both.len();
    if n < 2 {
        return None;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|i| both[*i].1);
    let squares: f64 = order.iter().enumerate().map(|(rank, i)| float(rank.abs_diff(*i)).powi(2)).sum();
    let n = float(n);
    Some(1.0 - 6.0 * squares / (n * (n * n - 1.0)))
}

/// The mean; none of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / float(count))
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows in an answer")]
fn float(n: usize) -> f64 {
    n as f64
}

impl Averages {
    /// Over all queries; zeros without any.
    #[must_use]
    pub fn of(all: &[&Figures]) -> Self {
        let over = |value: &dyn Fn(&Figures) -> f64| mean(all.iter().map(|f| value(f))).unwrap_or(0.0);
        Self {
            overlap: over(&|f| float(f.overlap)),
            precision: over(&|f| f.precision),
            recall: over(&|f| f.recall),
            f1: over(&|f| f.f1),
            first5_in_order: all.iter().filter(|f| f.first5_in_order).count(),
            rank_correlation: mean(all.iter().filter_map(|f| f.rank_correlation)),
            score_difference: mean(all.iter().filter_map(|f| f.score_difference)),
            perfect: all.iter().filter(|f| f.f1 >= 1.0).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(ids: &str) -> Vec<Row> {
        ids.chars().enumerate().map(|(at, c)| Row { id: c.to_string(), distance: Some(float(at)) }).collect()
    }

    #[test]
    fn figures_of_the_guide() {
        let same = figures(&rows("abcdef"), &rows("abcdef"));
        assert_eq!((same.f1, same.first5_in_order, same.rank_correlation, same.score_difference), (1.0, true, Some(1.0), Some(0.0)));
        let half = figures(&rows("abcd"), &rows("dcxy"));
        assert_eq!((half.overlap, half.precision, half.recall, half.f1), (2, 0.5, 0.5, 0.5));
        assert_eq!((half.rank_correlation, half.score_difference), (Some(-1.0), Some(2.0)));
        let short = figures(&rows("abcd"), &rows("a"));
        assert_eq!((short.precision, short.recall, short.rank_correlation), (1.0, 0.25, None));
        assert_eq!((figures(&[], &[]).f1, figures(&rows("a"), &[]).f1, figures(&[], &rows("a")).f1), (1.0, 0.0, 0.0));
    }

    #[test]
    fn one_exchanged_pair_lowers_the_correlation_a_little() {
        let rho = figures(&rows("abcde"), &rows("bacde")).rank_correlation.unwrap();
        assert!((rho - 0.9).abs() < 1e-12);
    }

    #[test]
    fn averages_leave_out_what_is_not_there() {
        let (a, b) = (figures(&rows("abc"), &rows("abc")), figures(&rows("abc"), &rows("x")));
        let all = Averages::of(&[&a, &b]);
        assert_eq!((all.recall, all.perfect, all.first5_in_order, all.rank_correlation), (0.5, 1, 1, Some(1.0)));
    }
}
