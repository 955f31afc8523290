//! Ready lines of Python for a search with the recommended settings.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::Point;
use crate::dataset::choose::Metric;

/// One line for each library; `q` is the query, a float32 array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Python {
    /// ContextFrame.
    pub contextframe: String,
    /// pylance.
    pub pylance: String,
    /// LanceDB.
    pub lancedb: String,
}

/// The lines; without settings where a plain search is enough.
pub(super) fn lines(dataset: &Path, metric: Metric, k: usize, chosen: Option<&Point>, plain: bool) -> Python {
    let point = chosen.filter(|_| !plain);
    let path = quoted(&dataset.display().to_string());
    let mut nearest = format!("{{\"column\": \"vector\", \"q\": q, \"k\": {k}");
    let mut fluent = String::new();
    if let Some(n) = point.and_then(|p| p.nprobes) {
        let _ = write!(nearest, ", \"nprobes\": {n}");
        let _ = write!(fluent, ".nprobes({n})");
    }
    if let Some(factor) = point.and_then(|p| p.refine_factor) {
        let _ = write!(nearest, ", \"refine_factor\": {factor}");
        let _ = write!(fluent, ".refine_factor({factor})");
    }
    nearest.push('}');
    let folder = dataset.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = dataset.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let contextframe = if point.is_some() { format!("scanner(nearest={nearest}).to_table()") } else { format!("knn_search(q, k={k})") };
    Python {
        contextframe: format!("FrameDataset.open({path}).{contextframe}"),
        pylance: format!("lance.dataset({path}).to_table(nearest={nearest})"),
        lancedb: format!(
            "lancedb.connect({}).open_table({}).search(q).distance_type(\"{}\"){fluent}.limit({k}).to_arrow()",
            quoted(&folder.display().to_string()),
            quoted(&name),
            metric.name()
        ),
    }
}

/// A Python string literal.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_can_be_pasted() {
        let point = Point { nprobes: Some(20), refine_factor: Some(10), recall: 1.0, p50_ms: 1.0 };
        let tuned = lines(Path::new("d/a.lance"), Metric::Cosine, 10, Some(&point), false);
        assert_eq!(
            tuned.pylance,
            "lance.dataset(\"d/a.lance\").to_table(nearest={\"column\": \"vector\", \"q\": q, \"k\": 10, \"nprobes\": 20, \"refine_factor\": 10})"
        );
        assert_eq!(
            tuned.lancedb,
            "lancedb.connect(\"d\").open_table(\"a\").search(q).distance_type(\"cosine\").nprobes(20).refine_factor(10).limit(10).to_arrow()"
        );
        assert_eq!(lines(Path::new("a.lance"), Metric::L2, 5, Some(&point), true).contextframe, "FrameDataset.open(\"a.lance\").knn_search(q, k=5)");
    }
}
