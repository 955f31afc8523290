//! A main vector whose column has another number of values: what `--dimension N --resize …` makes of it, and what that costs.
//!
//! Only for collections that were asked for; without it, a vector of another dimension is refused. Fits nothing ([`super::pca`] does)
//! and reads no dump.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::pca::Components;
use crate::reject::{Code, Refusal};

/// How a vector gets another number of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Longer ones are projected on their principal components.
    Pca,
    /// Of longer ones, the first values are kept.
    Truncate,
    /// Zeros are added to shorter ones.
    Pad,
}

impl Method {
    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pca => "pca",
            Self::Truncate => "truncate",
            Self::Pad => "pad",
        }
    }
}

/// What resizing did to the cosine between vectors, over all pairs of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cosine {
    /// Vectors in the sample.
    pub vectors: usize,
    /// Mean of the absolute change.
    pub mean: f64,
    /// The largest absolute change.
    pub worst: f64,
}

/// What becomes of the vectors of one collection that have so many values.
#[derive(Debug)]
pub struct Step {
    /// Values in the dump.
    pub from: usize,
    /// What is done.
    pub method: Method,
    /// Set before the first record is written or compared. Without them, the first values stand in for the projection: a pass that looks
    /// at other fields, or only counts, asks for no more.
    pub components: OnceLock<Arc<Components>>,
    /// What it did to cosine, once measured.
    pub cosine: OnceLock<Cosine>,
}

/// All of one collection.
#[derive(Debug)]
pub struct Resize {
    /// Values in the dataset.
    pub to: usize,
    /// One for each number of values in the dump that is another one.
    pub steps: Vec<Step>,
}

impl Resize {
    /// Gives the place of the resized vector among `floats`. Where the one at `range` is their end, it gives way to it.
    ///
    /// # Errors
    /// A number of values that the collection does not have; a projection too large for float32.
    pub fn apply(&self, floats: &mut Vec<f32>, range: Range<usize>) -> Result<Range<usize>, Refusal> {
        let (length, start) = (range.len(), range.start);
        if length == self.to {
            return Ok(range);
        }
        let Some(step) = self.steps.iter().find(|s| s.from == length) else {
            let known: Vec<String> = self.steps.iter().map(|s| s.from.to_string()).chain([self.to.to_string()]).collect();
            return Err(Refusal::new(Code::VectorDimension, format!("vector has {length} values, expected {}", known.join(" or "))));
        };
        // What follows the vector belongs to others.
        let start = if range.end == floats.len() {
            start
        } else {
            floats.extend_from_within(range);
            floats.len() - length
        };
        match (step.method, step.components.get()) {
            (Method::Truncate, _) | (Method::Pca, None) => Ok(start..start + self.to),
            (Method::Pad, _) => {
                floats.resize(start + self.to, 0.0);
                Ok(start..start + self.to)
            }
            (Method::Pca, Some(components)) => {
                let vector = floats.split_off(start);
                components.project(&vector, floats);
                match floats[start..].iter().position(|v| !v.is_finite()) {
                    None => Ok(start..start + self.to),
                    Some(at) => Err(Refusal::new(Code::VectorNotFinite, format!("value {at} of the projected vector is too large for float32"))),
                }
            }
        }
    }
}

/// What resizing does to the cosine of each pair of these vectors, `from` values each. `None` if no pair has a cosine on both sides.
#[must_use]
pub fn cosine(resize: &Resize, vectors: &[f32], from: usize) -> Option<Cosine> {
    let before: Vec<Vec<f64>> = vectors.chunks_exact(from).map(unit).collect();
    let after: Vec<Vec<f64>> = vectors
        .chunks_exact(from)
        .map(|vector| {
            let mut floats = vector.to_vec();
            resize.apply(&mut floats, 0..from).map_or_else(|_| vec![], |range| unit(&floats[range]))
        })
        .collect();
    let (mut pairs, mut sum, mut worst) = (0.0, 0.0, 0.0f64);
    for i in 0..before.len() {
        for j in i + 1..before.len() {
            let change = (angle(&after[i], &after[j]) - angle(&before[i], &before[j])).abs();
            if change.is_finite() {
                pairs += 1.0;
                sum += change;
                worst = worst.max(change);
            }
        }
    }
    (pairs > 0.0).then(|| Cosine { vectors: before.len(), mean: sum / pairs, worst })
}

/// The vector with length 1; of no length, it becomes NaN.
fn unit(vector: &[f32]) -> Vec<f64> {
    let length = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    vector.iter().map(|v| f64::from(*v) / length).collect()
}

fn angle(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() { f64::NAN } else { super::eigen::dot(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resize(to: usize, from: usize, method: Method) -> Resize {
        Resize { to, steps: vec![Step { from, method, components: OnceLock::new(), cosine: OnceLock::new() }] }
    }

    #[test]
    fn vectors_are_cut_filled_or_left_alone() {
        let mut floats = vec![9.0, 1.0, 2.0, 3.0];
        assert_eq!(resize(2, 3, Method::Truncate).apply(&mut floats, 1..4).map(|r| floats[r].to_vec()).ok(), Some(vec![1.0, 2.0]));
        assert_eq!(resize(5, 3, Method::Pad).apply(&mut floats, 1..4).map(|r| floats[r].to_vec()).ok(), Some(vec![1.0, 2.0, 3.0, 0.0, 0.0]));
        let mut floats = vec![1.0, 2.0];
        assert_eq!(resize(2, 3, Method::Truncate).apply(&mut floats, 0..2).ok(), Some(0..2));
        let refused = resize(2, 3, Method::Truncate).apply(&mut vec![1.0; 4], 0..4).map_err(|r| (r.code, r.reason));
        assert_eq!(refused, Err((Code::VectorDimension, "vector has 4 values, expected 3 or 2".to_owned())));
    }

    #[test]
    fn a_projection_that_float32_cannot_hold_is_refused() {
        let resize = resize(1, 2, Method::Pca);
        assert_eq!(resize.apply(&mut vec![1.0; 2], 0..2).ok(), Some(0..1));
        let h = 0.5f64.sqrt();
        let (mean, components, variances) = (vec![0.0; 2], vec![h, h], vec![1.0]);
        let made = Components { source: String::new(), collection: String::new(), from: 2, to: 1, rows: 9, total: 2.0, mean, components, variances };
        assert!(resize.steps[0].components.set(Arc::new(made)).is_ok());
        let mut floats = vec![1.0, 1.0];
        assert_eq!(resize.apply(&mut floats, 0..2).ok(), Some(0..1));
        assert!((floats[0] - 2f32.sqrt()).abs() < 1e-6, "{floats:?}");
        let refused = resize.apply(&mut vec![f32::MAX; 2], 0..2).map_err(|r| r.code);
        assert_eq!(refused, Err(Code::VectorNotFinite));
    }

    #[test]
    fn padding_leaves_every_cosine_as_it_is_and_cutting_does_not() {
        let vectors = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 2.0, 1.0, 0.5];
        let padded = cosine(&resize(7, 3, Method::Pad), &vectors, 3).expect("pairs");
        assert!(padded.worst < 1e-15 && padded.vectors == 3, "{padded:?}");
        let cut = cosine(&resize(2, 3, Method::Truncate), &vectors, 3).expect("pairs");
        assert!((cut.worst - 0.5).abs() < 1e-6 && cut.mean > 0.1, "{cut:?}");
    }
}
