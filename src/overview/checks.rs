//! What can be signed and what cannot yet: each check with its result in one sentence.
//!
//! Only figures that other parts of the overview hold; nothing is measured here.

use serde::Serialize;
use serde_json::Value;

use super::Overview;
use crate::report::count;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds.
    Good,
    /// It does not hold, or there is something to look at.
    Finding,
    /// It was made of another version of the dataset.
    Stale,
    /// It was not made.
    Missing,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// How it came out.
    pub state: State,
    /// The result in one sentence.
    pub text: String,
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn check(name: &'static str, good: bool, text: String) -> Check {
    Check { name, state: if good { State::Good } else { State::Finding }, text }
}

fn missing(name: &'static str, text: &str) -> Check {
    Check { name, state: State::Missing, text: text.to_owned() }
}

/// All checks.
#[must_use]
pub(super) fn all(overview: &Overview) -> Vec<Check> {
    let mut checks = counts(overview);
    checks.push(verification(overview));
    checks.push(indices(overview));
    checks.push(search(overview));
    checks.push(source(overview));
    checks
}

fn counts(overview: &Overview) -> Vec<Check> {
    let Some(convert) = &overview.convert else {
        return vec![missing("Counts", "The conversion's own report is not there.")];
    };
    let [read, written, rejected, deduplicated] = ["read", "written", "rejected", "deduplicated"].map(|key| number(convert, key));
    let sum = format!("{} read = {} written + {} rejected + {} deduplicated", count(read), count(written), count(rejected), count(deduplicated));
    let adds = read == written + rejected + deduplicated;
    let expected = convert.get("rows").map_or(written, |_| number(convert, "rows"));
    let records = overview.dataset.records;
    let rows = if records == expected {
        format!("The dataset holds the {} records that the conversion counted.", count(records))
    } else {
        format!("The dataset holds {} records; the conversion counted {}.", count(records), count(expected))
    };
    let codes = overview.rejects.as_ref().map_or(0, |r| r.codes.len());
    let rejects = match rejected {
        0 => "No record was refused.".to_owned(),
        1 => "1 record was refused; section Rejects says why.".to_owned(),
        n => format!("{} records were refused, for {codes} {}; section Rejects says why.", count(n), if codes == 1 { "reason" } else { "reasons" }),
    };
    vec![
        check("Counts", adds, if adds { format!("{sum}.") } else { format!("{sum} does not hold.") }),
        check("Rows", records == expected, rows),
        check("Rejects", rejected == 0, rejects),
    ]
}

fn verification(overview: &Overview) -> Check {
    const NAME: &str = "Verification";
    let Some(verify) = &overview.verify else { return missing(NAME, "The rows were not held against the dump.") };
    let (good, version) = (number(verify, "status") == 0, number(verify, "dataset_version"));
    let verified = count(number(verify, "verified"));
    let digests = ["dump_digest", "dataset_digest"].map(|key| verify.get(key).and_then(Value::as_str));
    let text = match digests {
        _ if !good => "Rows differ from the dump; section Verification lists them.".to_owned(),
        [Some(a), Some(b)] if a == b => format!("{verified} rows are what the dump says; both digests are the same."),
        _ => format!("{verified} rows are what the dump says."),
    };
    if good && version != overview.dataset.version {
        // Indices that were built since then make a new version as well, and change no row; nobody can tell that here.
        let text = format!("{text} That was version {version}; the dataset is now at version {}.", overview.dataset.version);
        return Check { name: NAME, state: State::Stale, text };
    }
    check(NAME, good, text)
}

fn indices(overview: &Overview) -> Check {
    const NAME: &str = "Indices";
    let broken: Vec<&str> = overview.indices.iter().filter(|i| i.broken.is_some() || i.unindexed > 0).map(|i| i.name.as_str()).collect();
    if overview.indices.is_empty() {
        return check(NAME, false, "There is no index: every search reads all rows.".to_owned());
    }
    let text = if broken.is_empty() {
        format!("{} indices are whole and cover all rows.", overview.indices.len())
    } else {
        format!("Of {} indices, these have findings: {}.", overview.indices.len(), broken.join(", "))
    };
    check(NAME, broken.is_empty(), text)
}

fn search(overview: &Overview) -> Check {
    const NAME: &str = "Search quality";
    let Some(tune) = &overview.tune else { return missing(NAME, "Recall was not measured.") };
    let (k, target) = (number(tune, "k"), tune.get("target_recall").and_then(Value::as_f64).unwrap_or(0.0));
    let chosen = tune.get("chosen").filter(|c| c.is_object());
    let recall = |value: Option<&Value>| value.and_then(|v| v.get("recall")?.as_f64());
    let text = match (recall(chosen), recall(tune.get("plain"))) {
        (Some(tuned), Some(plain)) => format!("Recall@{k} is {tuned:.3} with the recommended setting, {plain:.3} without; the target is {target}."),
        (Some(tuned), None) => format!("Recall@{k} is {tuned:.3} with the recommended setting; the target is {target}."),
        _ => format!("No setting reaches a recall@{k} of {target}."),
    };
    check(NAME, recall(chosen).is_some_and(|r| r >= target), text)
}

fn source(overview: &Overview) -> Check {
    const NAME: &str = "Same answers as the source";
    let Some(compare) = &overview.compare else { return missing(NAME, "Searches were not compared with the source's.") };
    let overlap = |way: &str| compare.pointer(&format!("/ways/{way}/overlap")).and_then(Value::as_f64);
    let best = ["plain", "tuned", "exact"].into_iter().filter_map(|way| Some((way, overlap(way)?))).collect::<Vec<_>>();
    let shown: Vec<String> = best.iter().map(|(way, overlap)| format!("{:.1} % {way}", overlap * 100.0)).collect();
    let causes = compare.get("causes").and_then(Value::as_array).is_some_and(|c| !c.is_empty());
    check(
        NAME,
        !causes && !best.is_empty(),
        format!("Answers shared with the source: {}.", if shown.is_empty() { "not told".to_owned() } else { shown.join(", ") }),
    )
}
