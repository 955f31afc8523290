//! Dates of a dump in the dataset: days, exact timestamps, and what stays of the source's own text.

use crate::tool::{column, run, shown};

#[test]
fn dates_under_the_usual_names_are_days_and_timestamps() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = [
        // Weaviate's own stand beside the properties, which win.
        r#"{"class":"A","id":"00000000-0000-0000-0000-000000000001","creationTimeUnix":1704252200123,"lastUpdateTimeUnix":1704252300123,"properties":{"n":1},"vector":[1,2]}"#,
        r#"{"class":"A","id":"00000000-0000-0000-0000-000000000002","creationTimeUnix":1704252200123,"properties":{"createdAt":"2020-05-06T07:08:09+02:00","updated_at":"2020-05-07"},"vector":[1,2]}"#,
        r#"{"class":"A","id":"00000000-0000-0000-0000-000000000003","properties":{"created":"2020-01-02T03:04:05.123456789Z","modified":"soon","timestamp":"2020-01-01"},"vector":[1,2]}"#,
        r#"{"class":"A","id":"00000000-0000-0000-0000-000000000004","properties":{"created":"31 Dec 1969","last_modified":20240229},"vector":[1,2]}"#,
    ];
    std::fs::write(folder.path().join("a.jsonl"), lines.join("\n")).expect("written");
    let answer = run(folder.path(), &["convert", "a.jsonl", "out.lance", "--verify"]).expect(0);
    assert!(answer.stdout.contains("dates finer than a microsecond, which x_created_at cannot hold: 1;"), "{}", answer.stdout);
    let out = folder.path().join("out.lance");
    let days = |name: &str| column(&out, name);
    let some = |day: &str| Some(day.to_owned());
    assert_eq!(days("created_at")[1..], [some("2024-01-03"), some("2020-05-06"), some("2020-01-02"), some("1969-12-31")]);
    assert_eq!(days("updated_at")[1..], [some("2024-01-03"), some("2020-05-07"), None, some("2024-02-29")]);
    let times = |name: &str| shown(&out, name, "x_original_id IS NOT NULL");
    assert_eq!(times("x_created_at"), ["2024-01-03T03:23:20.123Z", "2020-05-06T05:08:09Z", "null", "1969-12-31T00:00:00Z"]);
    assert_eq!(times("x_updated_at"), ["2024-01-03T03:25:00.123Z", "2020-05-07T00:00:00Z", "null", "2024-02-29T00:00:00Z"]);
    assert_eq!(shown(&out, "x_original_id", "x_created_at < timestamp '1970-01-01'").len(), 1);
    let metadata = shown(&out, "custom_metadata", "x_original_id IS NOT NULL");
    assert!(metadata[1].contains("2020-05-06T07:08:09+02:00") && metadata[2].contains("soon"), "{metadata:?}");
}
