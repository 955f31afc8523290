//! Seeded k-means (Lloyd's rounds from randomly chosen rows) for partitions and for codebooks.
//!
//! Gives the same centroids whatever the number of threads: every sum is taken in the order of the rows. Not the geometry of
//! an index, which is `train.rs`, nor the inner loop, which is `kernel.rs`.

use rayon::prelude::*;

use super::kernel::{Blocks, Centroids, LANES};
use super::sample::Random;

/// What a centroid is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// The mean of its rows; rows go to the nearest one.
    Euclidean,
    /// The direction of that mean, of length 1; rows go to the one with the largest product.
    Spherical,
}

impl Space {
    fn centroids(self, values: Vec<f32>, width: usize) -> Centroids {
        match self {
            Self::Euclidean => Centroids::l2(values, width),
            Self::Spherical => Centroids::dot(values, width),
        }
    }
}

/// `k` centroids of components `from` to `from + width` of the rows, on this thread: one of a codebook's many.
#[must_use]
pub fn sub_vector(rows: &Blocks, from: usize, width: usize, k: usize, rounds: usize, seed: u64) -> Centroids {
    let mut random = Random(seed);
    let mut row = vec![0.0; rows.width()];
    let mut values = Vec::with_capacity(k * width);
    for at in choose(rows.rows(), k, &mut random) {
        rows.get(at, &mut row);
        values.extend_from_slice(&row[from..from + width]);
    }
    let mut centroids = Centroids::l2(values, width);
    for _ in 0..rounds {
        let mut sums = vec![0f64; k * width];
        let mut counts = vec![0u32; k];
        for (_, rows, block) in rows.parts(from, width) {
            let nearest = centroids.nearest(block);
            for at in &nearest[..rows] {
                counts[*at as usize] += 1;
            }
            for (component, lanes) in block.as_chunks::<LANES>().0.iter().enumerate() {
                for (at, value) in nearest[..rows].iter().zip(lanes) {
                    sums[*at as usize * width + component] += f64::from(*value);
                }
            }
        }
        let mut values = Vec::with_capacity(k * width);
        for (at, (sum, count)) in sums.chunks_exact(width).zip(&counts).enumerate() {
            match count {
                // An empty centroid goes to some row, where it halves a crowded one; if all rows are there already, it idles.
                0 if rows.rows() > k => {
                    rows.get(usize::try_from(random.below(rows.rows() as u64)).unwrap_or(0), &mut row);
                    values.extend_from_slice(&row[from..from + width]);
                }
                0 => values.extend_from_slice(centroids.get(at)),
                n => values.extend(sum.iter().map(|s| mean(*s, *n))),
            }
        }
        if values == centroids.values {
            break;
        }
        centroids = Centroids::l2(values, width);
    }
    centroids
}

/// `k` centroids of whole rows, on all threads.
#[must_use]
pub fn partitions(rows: &Blocks, k: usize, rounds: usize, space: Space, seed: u64) -> Centroids {
    let mut random = Random(seed);
    let width = rows.width();
    let finish = |mut values: Vec<f32>| {
        if space == Space::Spherical {
            values.chunks_exact_mut(width).for_each(normalise);
        }
        values
    };
    let mut values = vec![0.0; k * width];
    for (at, centroid) in choose(rows.rows(), k, &mut random).into_iter().zip(values.chunks_exact_mut(width)) {
        rows.get(at, centroid);
    }
    let mut centroids = space.centroids(finish(values), width);
    for _ in 0..rounds {
        let nearest = assign(rows, &centroids);
        let mut counts = vec![0u32; k];
        for at in &nearest {
            counts[*at as usize] += 1;
        }
        // Each thread sums some components over all rows, so that the order of a sum does not depend on the threads.
        let sums: Vec<Vec<f64>> = (0..width)
            .into_par_iter()
            .map(|component| {
                let mut sums = vec![0f64; k];
                for (first, rows, lanes) in rows.parts(component, 1) {
                    for (at, value) in nearest[first..first + rows].iter().zip(lanes) {
                        sums[*at as usize] += f64::from(*value);
                    }
                }
                sums
            })
            .collect();
        let mut values = vec![0.0; k * width];
        for (at, (centroid, count)) in values.chunks_exact_mut(width).zip(&counts).enumerate() {
            if *count == 0 {
                rows.get(usize::try_from(random.below(rows.rows() as u64)).unwrap_or(0), centroid);
            } else {
                centroid.iter_mut().zip(&sums).for_each(|(value, sums)| *value = mean(sums[at], *count));
            }
        }
        let values = finish(values);
        if values == centroids.values {
            break;
        }
        centroids = space.centroids(values, width);
    }
    centroids
}

/// The nearest centroid of each row.
#[must_use]
pub fn assign(rows: &Blocks, centroids: &Centroids) -> Vec<u32> {
    let mut all: Vec<u32> = rows.blocks().flat_map_iter(|block| centroids.nearest(block)).collect();
    all.truncate(rows.rows());
    all
}

/// Makes the length 1; a zero vector stays.
pub fn normalise(vector: &mut [f32]) {
    let norm = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    if norm > 0.0 {
        for value in vector {
            #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
            {
                *value = (f64::from(*value) / norm) as f32;
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
fn mean(sum: f64, count: u32) -> f32 {
    (sum / f64::from(count)) as f32
}

/// `k` different numbers below `n`, or, where there are fewer, numbers that repeat.
fn choose(n: usize, k: usize, random: &mut Random) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n.max(1)).collect();
    let mut chosen = Vec::with_capacity(k);
    for at in 0..k {
        let at = at % all.len();
        let other = at + usize::try_from(random.below((all.len() - at) as u64)).unwrap_or(0);
        all.swap(at, other);
        chosen.push(all[at]);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four clouds around the corners of a square.
    fn clouds() -> Blocks {
        let mut random = Random(5);
        let corners = [[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]];
        of(&(0..400).map(|i| corners[i % 4].map(|c| c + random.unit())).collect::<Vec<_>>())
    }

    fn of(rows: &[[f32; 2]]) -> Blocks {
        let mut blocks = Blocks::new(rows.len(), 2);
        rows.iter().enumerate().for_each(|(at, row)| blocks.set(at, row));
        blocks
    }

    #[test]
    fn finds_the_clouds() {
        let rows = clouds();
        let whole = partitions(&rows, 8, 10, Space::Euclidean, 1);
        let part = sub_vector(&rows, 0, 2, 8, 10, 1);
        for found in [whole, part] {
            let mut corners: Vec<[bool; 2]> = found.values.chunks_exact(2).map(|c| [c[0] > 5.0, c[1] > 5.0]).collect();
            corners.sort_unstable();
            corners.dedup();
            assert_eq!(corners.len(), 4);
        }
    }

    #[test]
    fn works_with_fewer_rows_than_centroids_and_with_equal_rows() {
        assert_eq!(partitions(&of(&[[1.0, 2.0]]), 3, 5, Space::Euclidean, 1).values, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        assert_eq!(sub_vector(&of(&[[0.5; 2]; 32]), 0, 2, 16, 5, 1).values, vec![0.5; 32]);
        assert_eq!(partitions(&of(&[[3.0, 4.0]]), 1, 5, Space::Spherical, 1).values, [0.6, 0.8]);
    }

    #[test]
    fn threads_do_not_matter() {
        let rows = clouds();
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| partitions(&rows, 7, 6, Space::Euclidean, 9).values)
        };
        assert_eq!(with(1), with(3));
    }
}
