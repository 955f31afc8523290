//! Milvus over REST v2, on a stub: every row digit for digit, and each way in which the server says no.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::export;
use super::rest_stub::{Shared, State, exported, fail, start};
use crate::proxy::{Fault, Proxy};
use crate::server::{Reply, Request};
use crate::tool::{Answer, command, convert_and_verify, files, manifest, records};

const ODD: [&str; 8] = ["\"", "\\", "\n", "\r\n\t", "é漢🦀", "'", "\\\"", ""];

/// A fault of the server itself, in place of its answer.
type Trouble = fn(&Request) -> Option<Reply>;

fn world(count: u64) -> Shared {
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX];
    let keys = ends.into_iter().chain((1..).map(|i| i * 1_000_003)).take(usize::try_from(count).unwrap());
    let texts = (0..count)
        .map(|n| if n == 0 { String::new() } else { format!("{}{n:05}{}", ODD[usize::try_from(n % 8).unwrap()], ODD[usize::try_from(n * 3 % 8).unwrap()]) });
    let rows = keys.zip(0_u64..).map(|(k, n)| (k, n.to_string())).collect();
    let strings = texts.zip(0_u64..).map(|(k, n)| (k, n.to_string())).collect();
    Arc::new(Mutex::new(State { rows, strings, ..State::default() }))
}

/// Holds what was exported against what the stub has.
fn check(state: &Shared, snapshot: &Path) {
    let state = state.lock().unwrap();
    let ints: Vec<String> = state.rows.iter().map(|(k, n)| exported(&k.to_string(), n.parse().unwrap())).collect();
    let texts: Vec<String> = state.strings.iter().map(|(k, n)| exported(&serde_json::to_string(k).unwrap(), n.parse().unwrap())).collect();
    assert_eq!(records(snapshot, "ints", None), ints);
    assert_eq!(records(snapshot, "texts", None), texts);
}

fn is_page(request: &Request) -> bool {
    request.path.ends_with("/query") && !request.json()["limit"].is_null()
}

#[test]
fn every_row_comes_out_digit_for_digit() {
    let folder = tempfile::tempdir().unwrap();
    let state = world(700);
    let server = start(&state, |_, _| None);
    for (name, more) in [("told", vec!["--rest"]), ("found", vec![]), ("small pages", vec!["--rest", "--batch", "1"])] {
        let out = folder.path().join(name);
        let answer = export(&server.url(), &out, &[vec!["--all"], more].concat()).expect(0);
        check(&state, &out);
        assert!(answer.says("asleep: it is not loaded") && answer.says("integers above 2^53"), "{answer:?}");
    }
    // A server that does not know the header writes int64 as strings.
    state.lock().unwrap().old = true;
    let old = folder.path().join("old");
    export(&server.url(), &old, &["--all"]).expect(0);
    check(&state, &old);
    assert_eq!(files(&old), files(&folder.path().join("told")));
    assert_eq!(manifest(&old)["collections"][0]["metric"], "COSINE");
    // The converter takes no id without a character.
    state.lock().unwrap().strings.remove("");
    let named = folder.path().join("named");
    export(&server.url(), &named, &["--all"]).expect(0);
    convert_and_verify(&named, &[]);
}

#[test]
fn rows_in_another_order_are_sorted_and_a_choice_of_rows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = world(300);
    let server = start(&state, |_, _| None);
    state.lock().unwrap().shuffled = true;
    let out = folder.path().join("shuffled");
    export(&server.url(), &out, &["--all", "--batch", "50"]).expect(0);
    check(&state, &out);
    state.lock().unwrap().shuffled = false;
    state.lock().unwrap().arbitrary = true;
    let answer = export(&server.url(), &folder.path().join("arbitrary"), &["--all", "--batch", "50"]).expect(2);
    assert!(answer.says("not in the order of the primary key"), "{answer:?}");
}

#[test]
fn what_passes_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = world(200);
    let whole = folder.path().join("whole");
    let more = ["--all", "--rest", "--batch", "20", "--retries", "40", "--timeout", "1"];
    export(&start(&state, |_, _| None).url(), &whole, &more).expect(0);
    let cases: [(&str, Trouble); 6] = [
        ("rate limit on HTTP 200", |r| {
            (r.number % 3 == 1).then(|| fail(8, "request is rejected by grpc RateLimiter middleware, please retry later: rate limit exceeded[rate=10]"))
        }),
        ("429", |r| (r.number % 3 == 1).then(|| Reply::text(429, "{\"code\":8,\"message\":\"rate limit exceeded\"}").header("retry-after", "1"))),
        ("service not ready", |r| (r.number % 4 == 1).then(|| fail(1, "service not ready[node=7]: Initializing"))),
        ("503 as HTML", |r| (r.number % 3 == 1).then(|| Reply::text(503, "<html>no</html>"))),
        ("a body cut off", |r| (is_page(r) && r.number % 2 == 1).then(|| Reply { cut: Some(60), ..Reply::text(200, &"x".repeat(400)) })),
        ("a body without a length, cut off", |r| {
            (is_page(r) && r.number % 2 == 1).then(|| Reply { unframed: true, ..Reply::text(200, "{\"code\":0,\"data\":[{\"pk\":1,") })
        }),
    ];
    for (number, (name, trouble)) in cases.into_iter().enumerate() {
        let server = start(&state, move |request, _| trouble(request));
        let out = folder.path().join(number.to_string());
        let answer = export(&server.url(), &out, &more).expect(0);
        assert_eq!(files(&out), files(&whole), "{name}: {answer:?}");
        println!("| REST: {name} | tried again; identical snapshot, status 0 |");
    }
    let server = start(&state, |_, _| None);
    let faults =
        vec![Fault::Delay(Duration::from_millis(20)), Fault::Reset, Fault::Cut(10), Fault::Cut(900), Fault::TooMany, Fault::Unavailable, Fault::Drip(500)];
    for seed in 1..=3 {
        let proxy = Proxy::random(server.port, seed * 7919, 30, faults.clone());
        let out = folder.path().join(format!("proxy {seed}"));
        export(&proxy.url(), &out, &more).expect(0);
        assert_eq!(files(&out), files(&whole), "seed {seed}");
    }
}

#[test]
fn pages_that_are_too_large_are_made_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let state = world(300);
    state.lock().unwrap().largest = Some(37);
    let out = folder.path().join("out");
    export(&start(&state, |_, _| None).url(), &out, &["--all"]).expect(0);
    check(&state, &out);
}

#[test]
fn what_does_not_pass_ends_the_run_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let state = world(200);
    let cases: [(&str, Trouble, &str); 6] = [
        (
            "not loaded any more",
            |r| (is_page(r) && r.number > 20).then(|| fail(101, "collection not loaded[collection=ints]")),
            "collection not loaded[collection=ints] (code 101)",
        ),
        (
            "dropped meanwhile",
            |r| (is_page(r) && r.number > 20).then(|| fail(100, "can't find collection[database=default][collection=ints]")),
            "can't find collection",
        ),
        ("no privilege", |r| is_page(r).then(|| fail(1401, "privilege not permitted: PrivilegeQuery")), "access denied: privilege not permitted"),
        (
            "a plan that cannot be made",
            |r| is_page(r).then(|| fail(1100, "failed to create query plan")),
            "the server refuses: failed to create query plan (code 1100)",
        ),
        ("another server's JSON", |r| is_page(r).then(|| Reply::text(200, "{\"hello\":1}")), "not what the interface promises"),
        ("rows that are none", |r| is_page(r).then(|| Reply::text(200, "{\"code\":0,\"data\":[[1]]}")), "a row is no object"),
    ];
    for (number, (name, trouble, says)) in cases.into_iter().enumerate() {
        let out = folder.path().join(number.to_string());
        let answer = export(&start(&state, move |request, _| trouble(request)).url(), &out, &["--all", "--rest", "--batch", "20", "--retries", "2"]).expect(2);
        assert!(answer.says(says) && answer.says("help:"), "{name}: {answer:?}");
        assert!(!out.join("manifest.json").exists());
        export(&start(&state, |_, _| None).url(), &out, &["--all", "--rest", "--batch", "20"]).expect(0);
        check(&state, &out);
        println!("| REST: {name} | status 2, `{says}`; the same command finishes it |");
    }
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let state = world(20);
    state.lock().unwrap().token = Some("right-token".to_owned());
    let server = start(&state, |_, _| None);
    let run = |out: &str, key: &str| {
        let (url, out) = (server.url(), folder.path().join(out));
        Answer::of(&command(&["milvus", "--url", &url, "--all", out.to_str().unwrap()]).env("MILVUS_TOKEN", key).output().unwrap())
    };
    let wrong = run("a", "wrong-token").expect(2);
    assert!(wrong.says("access denied") && !wrong.says("wrong-token"), "{wrong:?}");
    run("b", "right-token").expect(0);
}

#[test]
fn a_source_that_changes_is_found_by_its_counts() {
    let folder = tempfile::tempdir().unwrap();
    let state = world(200);
    let out = folder.path().join("out");
    let server = start(&state, |request, state| {
        if is_page(request) && request.number > 15 {
            state.rows.insert(i64::MAX - 1, "7".to_owned());
        }
        None
    });
    let answer = export(&server.url(), &out, &["--all", "--batch", "20", "--concurrency", "1"]).expect(1);
    assert!(answer.says("it changed meanwhile"), "{answer:?}");
}
