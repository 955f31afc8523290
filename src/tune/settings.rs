//! The settings of a search that were chosen for a dataset, as they travel in its configuration.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The key in the dataset's configuration.
pub const KEY: &str = "vec2lance.search";

/// What `tune` recommends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Rows asked for when it was measured.
    pub k: usize,
    /// The metric of the index.
    pub metric: String,
    /// Partitions to look into; none for Lance's own choice.
    pub nprobes: Option<usize>,
    /// So many times k rows are compared by their whole vectors; none for no comparison.
    pub refine_factor: Option<u32>,
    /// What was to be reached.
    pub target_recall: f64,
    /// What these settings reached.
    pub recall: f64,
    /// What a search without settings reached, such as ContextFrame's `knn_search`.
    pub plain_recall: f64,
}

impl Settings {
    /// As the dataset remembers them.
    #[must_use]
    pub fn of(config: &HashMap<String, String>) -> Option<Self> {
        serde_json::from_str(config.get(KEY)?).ok()
    }

    /// The pair for the configuration.
    #[must_use]
    pub fn pair(&self) -> (String, String) {
        (KEY.to_owned(), serde_json::to_string(self).unwrap_or_default())
    }
}
