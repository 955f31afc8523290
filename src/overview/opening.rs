//! How the result is opened, as lines to copy. The parameters are those that `tune` recommends, where it was run.

use serde::Serialize;
use serde_json::Value;

use super::beside::quoted;

/// One way to open the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opening {
    /// With what.
    pub name: &'static str,
    /// Commands and code.
    pub code: String,
}

/// A path as a Python string.
fn python(path: &str) -> String {
    serde_json::to_string(path).unwrap_or_default()
}

/// All ways, for a dataset at this path; `tune` may hold a ready line for each.
#[must_use]
pub(super) fn ways(path: &str, dimension: Option<usize>, tune: Option<&Value>) -> Vec<Opening> {
    let line = |key: &str, usual: String| tune.and_then(|t| t.pointer(&format!("/python/{key}"))?.as_str().map(str::to_owned)).unwrap_or(usual);
    let query = format!("query_vector = [...]  # {} numbers, from the model that made the vectors", dimension.map_or("as many".to_owned(), |d| d.to_string()));
    let shown = python(path);
    let (parent, table) = match path.trim_end_matches('/').rsplit_once('/') {
        Some((parent, table)) => (if parent.is_empty() { "/" } else { parent }, table),
        None => (".", path),
    };
    let frames = line("contextframe", "hits = frames.knn_search(query_vector, k=10)".to_owned());
    let lance = line("pylance", "hits = dataset.to_table(nearest={\"column\": \"vector\", \"q\": query_vector, \"k\": 10})".to_owned());
    let lancedb = line("lancedb", "hits = table.search(query_vector).limit(10).to_list()".to_owned());
    vec![
        Opening {
            name: "ContextFrame",
            code: format!(
                "# pip install --no-deps contextframe==0.1.1\n# pip install pylance==14.0.2 pyarrow 'numpy>=2' jsonschema pyyaml\nfrom contextframe import FrameDataset\nframes = FrameDataset.open({shown})\n{query}\n{frames}\nframes.full_text_search(\"words\")"
            ),
        },
        Opening { name: "pylance", code: format!("# pip install pylance==14.0.2\nimport lance\ndataset = lance.dataset({shown})\n{query}\n{lance}") },
        Opening {
            name: "LanceDB",
            code: format!(
                "# pip install lancedb\nimport lancedb\ntable = lancedb.connect({}).open_table({})\n{query}\n{lancedb}",
                python(parent),
                python(table.trim_end_matches(".lance"))
            ),
        },
        Opening { name: "the terminal", code: format!("vec2lance search {} --text \"words\"", quoted(path)) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_python_and_the_shell() {
        let ways = ways("a \"b\"/c d.lance", Some(3), None);
        assert!(ways[0].code.contains(r#"FrameDataset.open("a \"b\"/c d.lance")"#) && ways[0].code.contains("# 3 numbers"), "{}", ways[0].code);
        assert!(ways[2].code.contains(r#"connect("a \"b\"").open_table("c d")"#), "{}", ways[2].code);
        assert!(ways[3].code.starts_with("vec2lance search 'a \"b\"/c d.lance'"), "{}", ways[3].code);
        let tuned = serde_json::json!({"python": {"pylance": "tuned()"}});
        assert!(super::ways("x.lance", None, Some(&tuned))[1].code.ends_with("\ntuned()"));
    }
}
