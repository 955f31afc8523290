//! Exact search against the plainest loop there is, with rows that cannot be found, ties, and rounding that must not hide a neighbour.

use super::block::{Finder, Hit, Queries, distance};
use super::{Neighbours, settle};
use crate::dataset::choose::Metric;

/// A small generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(i16::try_from(self.0 >> 49).unwrap_or(0)) / 16384.0 - 1.0
    }

    fn many(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next()).collect()
    }
}

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::Dot];

fn found(metric: Metric, width: usize, queries: &[f32], rows: &[f32], keep: usize) -> Vec<Vec<Hit>> {
    let queries = Queries::new(metric, width, queries.to_vec());
    let half = rows.len() / width / 2;
    let finders = [(0, half), (half, rows.len() / width)].map(|(from, to)| {
        let mut finder = Finder::new(&queries, keep);
        finder.look(&queries, &rows[from * width..to * width], |row| (!(from + row).is_multiple_of(97)).then_some((from + row) as u64));
        finder
    });
    Finder::merge(finders.into())
}

fn plainly(metric: Metric, width: usize, query: &[f32], rows: &[f32], keep: usize) -> Vec<Hit> {
    let all = rows.chunks_exact(width).enumerate().filter(|(at, row)| !at.is_multiple_of(97) && row.iter().all(|v| v.is_finite()));
    let mut all: Vec<Hit> = all.map(|(at, row)| Hit { distance: distance(metric, query, row), address: at as u64 }).filter(|h| !h.distance.is_nan()).collect();
    all.sort();
    all.truncate(keep);
    all
}

#[test]
fn finds_what_the_plainest_loop_finds() {
    let mut random = Random(7);
    for metric in METRICS {
        for (width, count, rows) in [(1, 1, 5), (3, 13, 700), (16, 12, 1000), (50, 30, 3000), (384, 25, 900)] {
            let (queries, mut rows) = (random.many(width * count), random.many(width * rows));
            rows[3 * width..4 * width].fill(f32::NAN);
            rows[2 * width..3 * width].fill(0.0);
            let have = found(metric, width, &queries, &rows, 10);
            for (query, have) in queries.chunks_exact(width).zip(have) {
                assert_eq!(have, plainly(metric, width, query, &rows, 10), "{metric:?}, {width} wide");
            }
        }
    }
}

#[test]
fn rounding_hides_no_neighbour() {
    // Far from the origin, float32 cannot tell these rows apart by |x|² − 2qx.
    let mut random = Random(11);
    let (width, base) = (64, 1000.0);
    let rows: Vec<f32> = random.many(width * 4000).iter().map(|v| base + v / 8.0).collect();
    let queries: Vec<f32> = random.many(width * 5).iter().map(|v| base + v / 8.0).collect();
    for metric in METRICS {
        for (query, have) in queries.chunks_exact(width).zip(found(metric, width, &queries, &rows, 10)) {
            assert_eq!(have, plainly(metric, width, query, &rows, 10), "{metric:?}");
        }
    }
}

#[test]
fn large_and_small_values_are_compared_too() {
    let mut random = Random(5);
    for scale in [1e-25f32, 1e-20, 1e-18, 1e17] {
        let rows: Vec<f32> = random.many(8 * 500).iter().map(|v| v * scale).collect();
        let queries: Vec<f32> = random.many(8 * 3).iter().map(|v| v * scale).collect();
        for (query, have) in queries.chunks_exact(8).zip(found(Metric::Cosine, 8, &queries, &rows, 5)) {
            assert_eq!(have, plainly(Metric::Cosine, 8, query, &rows, 5), "{scale}");
        }
    }
}

#[test]
fn a_query_without_direction_finds_nothing_by_cosine() {
    let rows = [1.0, 0.0, 0.0, 1.0];
    let counts = |metric, query: [f32; 2]| found(metric, 2, &query, &rows, 5)[0].len();
    assert_eq!((counts(Metric::Cosine, [0.0; 2]), counts(Metric::L2, [0.0; 2])), (0, 1));
    assert_eq!(counts(Metric::L2, [f32::NAN, 0.0]), 0);
}

#[test]
fn rows_as_near_as_the_last_count_as_found() {
    let hit = |distance, address| Hit { distance, address };
    let two = settle(vec![hit(0.1, 1), hit(0.2, 2), hit(0.2, 3), hit(0.3, 4)], 2);
    assert_eq!((two.nearest.len(), two.ties.len()), (2, 1));
    let recall = |found: &[u64]| two.recall(found.iter().copied());
    assert!(recall(&[1, 3]) > 0.99 && (recall(&[1, 4]) - 0.5).abs() < 1e-9 && recall(&[]) == 0.0);
    assert!((Neighbours::default().recall([].into_iter()) - 1.0).abs() < 1e-9);
}
