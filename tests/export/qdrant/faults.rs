//! Each fault with its outcome, and that what was written is what the server holds. The table of the README is printed by this.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::stub::{answer, error, start};
use super::{export, held, world};
use crate::proxy::{Fault, Proxy};
use crate::server::{Reply, Request};
use crate::tool::{Answer, command, files, manifest, records};

fn is_page(request: &Request) -> bool {
    request.path.ends_with("/scroll")
}

/// A fault of the server itself, in place of its answer.
type Trouble = fn(&Request) -> Option<Reply>;

#[test]
fn each_passing_fault_is_survived() {
    let cases: [(&str, Trouble); 9] = [
        ("429 with Retry-After in seconds", |r| {
            (r.number % 4 == 1).then(|| error(429, "Rate limiting exceeded: Read rate limit exceeded").header("retry-after", "1"))
        }),
        ("429 with Retry-After as a date", |r| (r.number % 4 == 1).then(|| Reply::text(429, "").header("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"))),
        ("500", |r| (r.number % 3 == 1).then(|| error(500, "Service internal error: task panicked"))),
        ("503 of a load balancer, as HTML", |r| (r.number % 3 == 1).then(|| Reply::text(503, "<html><h1>503</h1></html>"))),
        ("408", |r| (r.number % 5 == 1).then(|| error(408, "Timeout error"))),
        ("a body cut off before its length", |r| (is_page(r) && r.number % 2 == 1).then(|| Reply { cut: Some(40), ..Reply::text(200, &"x".repeat(400)) })),
        ("a body without a length, cut off", |r| {
            (is_page(r) && r.number % 2 == 1).then(|| Reply { unframed: true, ..Reply::text(200, "{\"result\":{\"points\":[{\"id\":1,\"vec") })
        }),
        ("a connection closed before the answer", |r| (r.number % 3 == 1).then(|| Reply { cut: Some(0), unframed: true, ..Reply::text(503, "") })),
        ("a server that is silent for longer than --timeout", |r| {
            (r.number % 20 == 7).then(|| Reply { delay: Duration::from_millis(1400), ..Reply::text(200, "{}") })
        }),
    ];
    let folder = tempfile::tempdir().unwrap();
    let state = world(120);
    let whole = folder.path().join("whole");
    export(&start(&state, |_, _| None).url(), &whole, &["--all", "--batch", "10"]).expect(0);
    for (number, (name, trouble)) in cases.into_iter().enumerate() {
        let server = start(&state, move |request, _| trouble(request));
        let out = folder.path().join(number.to_string());
        let answer = export(&server.url(), &out, &["--all", "--batch", "10", "--timeout", "1", "--retries", "30"]).expect(0);
        assert_eq!(files(&out), files(&whole), "{name}");
        assert!(!answer.says(" 0 of them tried again"), "{name}: {answer:?}");
        println!("| {name} | tried again; identical snapshot, status 0 |");
    }
}

#[test]
fn a_proxy_that_spoils_a_third_of_all_requests_changes_nothing() {
    let state = world(300);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    export(&server.url(), &whole, &["--all", "--batch", "15"]).expect(0);
    let faults = vec![
        Fault::Delay(Duration::from_millis(20)),
        Fault::Reset,
        Fault::Cut(10),
        Fault::Cut(300),
        Fault::Cut(2000),
        Fault::TooMany,
        Fault::Unavailable,
        Fault::Drip(700),
    ];
    for seed in 1..=5 {
        let proxy = Proxy::random(server.port, seed * 7919, 34, faults.clone());
        let out = folder.path().join(seed.to_string());
        export(&proxy.url(), &out, &["--all", "--batch", "15", "--retries", "30"]).expect(0);
        assert_eq!(files(&out), files(&whole), "seed {seed}");
        let done = proxy.faults.load(std::sync::atomic::Ordering::Relaxed);
        assert!(done > 10, "{done} faults");
    }
}

#[test]
fn each_lasting_fault_ends_the_run_and_says_what_to_do() {
    let cases: [(&str, Trouble, &str, &str); 7] = [
        (
            "a token that expires on the way (401)",
            |r| (r.number > 12).then(|| Reply::text(401, "Token expired")),
            "access denied (401): Token expired",
            "the same command goes on",
        ),
        ("403", |r| is_page(r).then(|| error(403, "Forbidden: Global read access is required")), "access denied (403): Forbidden", "check the key"),
        (
            "a collection that is dropped meanwhile (404)",
            |r| is_page(r).then(|| error(404, "Not found: Collection `docs` doesn't exist!")),
            "does not exist (404)",
            "check --url",
        ),
        (
            "400",
            |r| is_page(r).then(|| error(400, "Bad request: Wrong input")),
            "the server refuses (400): Bad request: Wrong input",
            "asking again would not change that",
        ),
        ("a redirect", |r| is_page(r).then(|| Reply::text(302, "").header("location", "http://127.0.0.1:9/")), "the server refuses (302)", "help:"),
        ("another server's JSON", |r| is_page(r).then(|| Reply::text(200, "{\"hello\":1}")), "not what the interface promises", "it begins with {\"hello\":1}"),
        (
            "500 without an end",
            |r| is_page(r).then(|| error(500, "Service internal error")),
            "tries failed, the last one: HTTP 500: Service internal error",
            "--retries",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let state = world(120);
    for (number, (name, trouble, says, help)) in cases.into_iter().enumerate() {
        let out = folder.path().join(number.to_string());
        let broken = start(&state, move |request, _| trouble(request));
        let answer = export(&broken.url(), &out, &["--all", "--batch", "10", "--retries", "3"]).expect(2);
        assert!(answer.says(says) && answer.says(help), "{name}: {answer:?}");
        assert!(!out.join("manifest.json").exists());
        // Once the cause is gone, the same command goes on.
        export(&start(&state, |_, _| None).url(), &out, &["--all", "--batch", "10"]).expect(0);
        assert_eq!(records(&out, "docs", None), held(&state, "docs", 0), "{name}");
        println!("| {name} | status 2, no manifest, `{says}`; the same command finishes it |");
    }
    let nobody = { start(&state, |_, _| None).url() };
    let answer = export(&nobody, &folder.path().join("nobody"), &["--all", "--retries", "2"]).expect(2);
    assert!(answer.says("3 tries failed"), "{answer:?}");
}

#[test]
fn pages_that_are_too_large_are_made_smaller() {
    let state = world(120);
    state.lock().unwrap().max_limit = Some(33);
    let folder = tempfile::tempdir().unwrap();
    let server = start(&state, |_, _| None);
    let out = folder.path().join("strict");
    export(&server.url(), &out, &["--all"]).expect(0);
    assert_eq!(records(&out, "docs", None), held(&state, "docs", 0));
    // 413 of a gateway, whatever the limit of the server.
    state.lock().unwrap().max_limit = None;
    let server = start(&state, |request, _| (is_page(request) && request.json()["limit"].as_u64() > Some(3)).then(|| Reply::text(413, "Payload Too Large")));
    let out = folder.path().join("gateway");
    export(&server.url(), &out, &["--all"]).expect(0);
    assert_eq!(records(&out, "docs", None), held(&state, "docs", 0));
    let server = start(&state, |request, _| is_page(request).then(|| Reply::text(413, "Payload Too Large")));
    let answer = export(&server.url(), &folder.path().join("never"), &["--all"]).expect(2);
    assert!(answer.says("the answer is too large: Payload Too Large") && answer.says("a single record"), "{answer:?}");
    // A server without the query interface gives one range.
    state.lock().unwrap().old = true;
    let out = folder.path().join("old");
    export(&start(&state, |_, _| None).url(), &out, &["--all"]).expect(0);
    assert_eq!(records(&out, "docs", None), held(&state, "docs", 0));
}

#[test]
fn keys_are_never_shown_and_files_must_be_private() {
    let state = world(20);
    state.lock().unwrap().key = Some("sesame-open-1234".to_owned());
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let (out, url) = (folder.path().join("out"), server.url());
    let args = ["qdrant", "--url", &url, "--all", out.to_str().unwrap()];
    let with = |key: &str| Answer::of(&command(&args).env("QDRANT_API_KEY", key).output().unwrap());
    assert!(export(&server.url(), &out, &["--all"]).expect(2).says("access denied (401)"));
    let wrong = with("wrong-key-9876").expect(2);
    assert!(wrong.says("Invalid API key or JWT …") && !wrong.says("9876"), "{wrong:?}");
    with("sesame-open-1234").expect(0);
    let manifest = manifest(&out).to_string();
    assert!(!manifest.contains("sesame"));
    let file = folder.path().join("key");
    std::fs::File::create(&file).unwrap().write_all(b"sesame-open-1234\n").unwrap();
    let other = folder.path().join("other");
    let flags = ["--all", "--key-file", file.to_str().unwrap()];
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(export(&server.url(), &other, &flags).expect(2).says("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    export(&server.url(), &other, &flags).expect(0);
    assert!(export("http://user:pass@127.0.0.1:1", &other, &["--all"]).expect(2).says("shell's history"));
}

#[test]
fn a_proxy_is_asked_and_its_password_is_not_an_argument() {
    let state = world(20);
    // A proxy gets whole addresses.
    let server = start(&state, |request, state| {
        let path = request.path.strip_prefix("http://qdrant.invalid:6333")?.to_owned();
        Some(answer(&Request { path, ..request.clone() }, state))
    });
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    export("http://qdrant.invalid:6333", &out, &["--all", "--proxy", &server.url()]).expect(0);
    assert_eq!(records(&out, "docs", None), held(&state, "docs", 0));
    let other = folder.path().join("other");
    assert!(export(&server.url(), &other, &["--all", "--proxy", "http://me:secret@127.0.0.1:1"]).expect(2).says("HTTPS_PROXY"));
}

#[test]
fn the_rate_is_kept() {
    let state = world(100);
    let server = start(&state, |_, _| None);
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    export(&server.url(), &folder.path().join("out"), &["--collection", "docs", "--batch", "10", "--rate", "20"]).expect(0);
    let requests = server.requests.load(std::sync::atomic::Ordering::Relaxed);
    let (least, took) = (Duration::from_millis(50) * u32::try_from(requests - 1).unwrap(), begun.elapsed());
    assert!(took >= least, "{requests} requests in {took:?}");
}
