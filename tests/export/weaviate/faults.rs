//! Each way in which a server or the network can fail, with its outcome: passing ones leave nothing out, lasting ones end with words
//! that help, and the same command then goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::stub::Stub;
use super::{compare, run, stub};
use crate::server::{Reply, Request, Server};
use crate::tool;

type Spoil = fn(&Request, Reply) -> Reply;

/// Spoils the listing of pages behind the first ones, while `on`.
fn spoiled(stub: &Arc<Stub>, on: &Arc<AtomicBool>, times: usize, spoil: Spoil) -> Server {
    let (stub, on, left) = (Arc::clone(stub), Arc::clone(on), std::sync::Mutex::new(times));
    Server::start(move |request| {
        let reply = stub.answer(request);
        let mut left = left.lock().unwrap();
        if request.path == "/v1/objects" && request.number > 30 && on.load(Ordering::Relaxed) && *left > 0 {
            *left -= 1;
            drop(left);
            return spoil(request, reply);
        }
        reply
    })
}

/// Name, how often it happens, what happens, the status of the run, and words that it must say.
const FAULTS: &[(&str, usize, Spoil, i32, &str)] = &[
    ("429 without Retry-After", 4, |_, _| Reply::text(429, "slow down"), 0, ""),
    ("429 with Retry-After in seconds", 4, |_, _| Reply::text(429, "").header("retry-after", "1"), 0, ""),
    ("429 with Retry-After as a date", 4, |_, _| Reply::text(429, "").header("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), 0, ""),
    ("429 for ever", usize::MAX, |_, _| Reply::text(429, "too many requests"), 2, "tries failed, the last one: HTTP 429: too many requests"),
    ("500 in passing", 3, |_, _| Reply::text(500, "{\"error\":[{\"message\":\"shard is busy\"}]}"), 0, ""),
    ("503 for ever", usize::MAX, |_, _| Reply::text(503, "{\"error\":[{\"message\":\"leader not found\"}]}"), 2, "leader not found"),
    ("a body that is cut", 3, |_, reply| Reply { cut: Some(reply.body.len() / 2), ..reply }, 0, ""),
    ("a body that is cut and has no length", 3, |_, reply| Reply { cut: Some(reply.body.len() / 2), unframed: true, ..reply }, 0, ""),
    ("silence", 2, |_, reply| Reply { delay: Duration::from_millis(1600), ..reply }, 0, ""),
    (
        "the token expires",
        usize::MAX,
        |_, _| Reply::text(401, "{\"code\":401,\"message\":\"oidc auth: token is expired\"}"),
        2,
        "access denied (401): oidc auth: token is expired",
    ),
    (
        "the right is taken away",
        usize::MAX,
        |_, _| Reply::text(403, "{\"error\":[{\"message\":\"forbidden: read_data\"}]}"),
        2,
        "access denied (403): forbidden: read_data",
    ),
    ("the class is deleted", usize::MAX, |_, _| Reply::text(404, ""), 2, "does not exist (404)"),
    ("the tenant is put to sleep", usize::MAX, |_, _| Reply::text(422, "{\"error\":[{\"message\":\"tenant not active\"}]}"), 2, "tenant not active"),
    (
        "413 for large pages",
        usize::MAX,
        |request, reply| if request.one("limit").is_some_and(|n| n.parse::<u32>().unwrap() > 20) { Reply::text(413, "") } else { reply },
        0,
        "",
    ),
    (
        "a lower QUERY_MAXIMUM_RESULTS",
        usize::MAX,
        |request, reply| {
            if request.one("limit").is_some_and(|n| n.parse::<u32>().unwrap() > 30) {
                Reply::json(422, &json!({ "error": [{ "message": "offset or limit: query maximum results exceeded" }] }))
            } else {
                reply
            }
        },
        0,
        "",
    ),
    ("HTML instead of JSON", usize::MAX, |_, _| Reply::text(200, "<html>login</html>"), 2, "not what the interface promises"),
    ("JSON without objects", usize::MAX, |_, _| Reply::text(200, "{\"totalResults\":0}"), 2, "missing field `objects`"),
    ("an object without an id", usize::MAX, |_, _| Reply::text(200, "{\"objects\":[{\"class\":\"Note\"}]}"), 2, "missing field `id`"),
    ("an id that is no UUID", usize::MAX, |_, _| Reply::text(200, "{\"objects\":[{\"id\":\"7\"}]}"), 2, "the id 7 is no UUID"),
    ("pages that go back", usize::MAX, |_, _| Reply::text(200, "{\"objects\":[{\"id\":\"00000000-0000-0000-0000-000000000000\"}]}"), 2, "would leave gaps"),
    ("a redirect", usize::MAX, |_, _| Reply::text(307, "").header("location", "http://127.0.0.1:9/"), 2, "redirect"),
];

#[test]
fn each_fault_has_its_outcome() {
    for (name, times, spoil, status, words) in FAULTS {
        let (stub, on) = (Arc::new(stub()), Arc::new(AtomicBool::new(true)));
        let server = spoiled(&stub, &on, *times, *spoil);
        let folder = tempfile::tempdir().unwrap();
        let snapshot = folder.path().join("s");
        let flags = ["--all", "--batch", "50", "--part-size", "10K", "--timeout", "1", "--retries", "6"];
        let answer = run(&server.url(), &snapshot, &flags);
        assert_eq!(answer.status, Some(*status), "{name}: {} {}", answer.stdout, answer.stderr);
        assert!(answer.says(words), "{name}: {}", answer.stderr);
        println!("| {name} | {status} | {} |", answer.stderr.lines().next().unwrap_or("every record is there").replace(&server.url(), "URL"));
        if *status != 0 {
            assert!(answer.stderr.contains("help: ") && !snapshot.join("manifest.json").exists(), "{name}");
            on.store(false, Ordering::Relaxed);
            run(&server.url(), &snapshot, &flags).expect(0);
        }
        compare(&stub, &snapshot);
    }
}

#[test]
fn keys_are_needed_and_not_shown() {
    let stub = Arc::new(stub());
    let server = super::serve(&stub);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let answer = tool::run(&["weaviate", path.to_str().unwrap(), "--url", &server.url(), "--all", "--quiet"]).expect(2);
    assert!(answer.says("access denied (401)"), "{}", answer.stderr);
    let key = folder.path().join("key");
    std::fs::write(&key, "wrong-key-12345\n").unwrap();
    let with = |key: &std::path::Path| {
        tool::run(&["weaviate", path.to_str().unwrap(), "--url", &server.url(), "--all", "--quiet", "--key-file", key.to_str().unwrap()])
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(with(&key).expect(2).says("chmod 600"));
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let answer = with(&key).expect(2);
    assert!(answer.says("access denied") && !answer.says("wrong-key"), "{}", answer.stderr);
}
