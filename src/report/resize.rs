//! What `--resize` did to vectors, as the reports tell it.

use serde::Serialize;

use super::text::count;
use crate::frame::resize::{Cosine, Method};
use crate::plan::Plan;
use crate::reject::excerpt;

/// One collection and number of values.
#[derive(Debug, Serialize)]
pub struct ResizeReport {
    /// The database.
    pub source: String,
    /// The collection.
    pub collection: String,
    /// Values in the dump.
    pub from: usize,
    /// Values in the dataset.
    pub to: usize,
    /// `pca`, `truncate` or `pad`.
    pub method: &'static str,
    /// Vectors that the components were made of; null unless by PCA.
    pub fitted_on: Option<u64>,
    /// The part of their variance that is kept, from 0 to 1; null unless by PCA.
    pub variance_kept: Option<f64>,
    /// What it did to cosine; null where nothing was measured. Padding changes none.
    pub cosine: Option<Cosine>,
}

impl ResizeReport {
    /// All of a plan, as far as known.
    #[must_use]
    pub fn all(plan: &Plan) -> Vec<Self> {
        let steps = plan.resizing.iter().flat_map(|r| r.steps().map(|(collection, step)| (r.to, collection, step)));
        steps
            .map(|(to, collection, step)| {
                let components = step.components.get();
                Self {
                    source: collection.source.clone(),
                    collection: collection.name.clone(),
                    from: step.from,
                    to,
                    method: step.method.name(),
                    fitted_on: components.map(|c| c.rows),
                    variance_kept: components.map(|c| c.kept()),
                    cosine: step.cosine.get().copied(),
                }
            })
            .collect()
    }

    /// `collection points: 384 → 128 values by pca, fitted on 600 vectors, 93.12 % of the variance kept; …`
    #[must_use]
    pub fn line(&self) -> String {
        let fitted = self.fitted_on.map(|n| format!(", fitted on {} vectors", count(n))).unwrap_or_default();
        let kept = self.variance_kept.map(|k| format!(", {:.2} % of the variance kept", k * 100.0)).unwrap_or_default();
        let changed = |c: Cosine| {
            let (mean, worst) = (c.mean, c.worst);
            format!("; cosine between vectors changes by {mean:.4} on average, {worst:.4} at worst (all pairs of {} vectors)", c.vectors)
        };
        let cosine = match self.cosine {
            _ if self.method == Method::Pad.name() => "; zeros change neither cosine, dot product nor distance".to_owned(),
            cosine => cosine.map(changed).unwrap_or_default(),
        };
        format!("collection {}: {} → {} values by {}{fitted}{kept}{cosine}", excerpt(&self.collection, 60), self.from, self.to, self.method)
    }

    /// What there is to know beside the figures.
    #[must_use]
    pub fn notes(all: &[Self], components: &str) -> Vec<String> {
        if all.is_empty() {
            return vec![];
        }
        let mut notes = vec!["resized vectors are not kept as the dump has them (--resize); the dump is where they are".to_owned()];
        if all.iter().any(|r| r.method == Method::Pca.name()) {
            notes.push(format!(
                "projected vectors are not normalised, even where the source's are, and the mean is taken off: project queries in the same way, with {components}"
            ));
        }
        if all.iter().any(|r| r.method == Method::Truncate.name()) {
            notes.push("truncated vectors are not normalised again: cut queries to as many values".to_owned());
            let unmeasured = all.iter().any(|r| r.method == Method::Truncate.name() && r.cosine.is_none());
            notes.extend(
                unmeasured.then(|| "what truncation does to cosine was not measured: a pipe is read only once, or there are no two vectors".to_owned()),
            );
        }
        notes
    }
}
