//! Each way in which the service or the network can fail, with its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::stub::Stub;
use super::{compare, run, stub};
use crate::server::{Reply, Request, Server};
use crate::tool;

type Spoil = fn(&Request, Reply) -> Reply;

/// Spoils calls on the data plane whose path ends so, behind the first ones, while `on`.
fn spoiled(stub: &Arc<Stub>, on: &Arc<AtomicBool>, call: &'static str, times: usize, spoil: Spoil) -> Server {
    let (answering, on, left) = (Arc::clone(stub), Arc::clone(on), std::sync::Mutex::new(times));
    let server = Server::start(move |request| {
        let reply = answering.answer(request);
        let mut left = left.lock().unwrap();
        if request.path.ends_with(call) && request.number > 40 && on.load(Ordering::Relaxed) && *left > 0 {
            *left -= 1;
            drop(left);
            return spoil(request, reply);
        }
        reply
    });
    *stub.url.lock().unwrap() = server.url();
    server
}

const LIST: &str = "/vectors/list";
const FETCH: &str = "/vectors/fetch";
const DOCUMENTS: &str = "/documents/fetch";

/// Name, call, how often it happens, what happens, the status of the run, and words that it must say.
const FAULTS: &[(&str, &str, usize, Spoil, i32, &str)] = &[
    ("429 in plain text", FETCH, 4, |_, _| Reply::text(429, "Too many requests"), 0, ""),
    ("429 with Retry-After", LIST, 4, |_, _| Reply::text(429, "").header("retry-after", "2"), 0, ""),
    (
        "read units of the month are used up",
        FETCH,
        usize::MAX,
        |_, _| Reply::text(429, "{\"code\":8,\"message\":\"You have reached your read unit limit for the current month (2000000)\"}"),
        2,
        "read unit limit",
    ),
    ("500 in passing", DOCUMENTS, 3, |_, _| Reply::text(500, "{\"error\":{\"code\":\"INTERNAL\",\"message\":\"internal error\"},\"status\":500}"), 0, ""),
    ("503 for ever", LIST, usize::MAX, |_, _| Reply::text(503, "upstream connect error"), 2, "HTTP 503: upstream connect error"),
    ("a body that is cut", FETCH, 3, |_, reply| Reply { cut: Some(reply.body.len() / 2), ..reply }, 0, ""),
    ("a list that is cut", LIST, 3, |_, reply| Reply { cut: Some(reply.body.len() / 2), unframed: true, ..reply }, 0, ""),
    ("silence", FETCH, 2, |_, reply| Reply { delay: Duration::from_millis(1600), ..reply }, 0, ""),
    ("the key is revoked", FETCH, usize::MAX, |_, _| Reply::text(401, "Unauthorized"), 2, "access denied (401): Unauthorized"),
    ("the key may not read", LIST, usize::MAX, |_, _| Reply::text(403, "Forbidden"), 2, "access denied (403)"),
    ("the index is deleted", FETCH, usize::MAX, |_, _| Reply::text(404, ""), 2, "does not exist (404)"),
    (
        "413 for many documents",
        DOCUMENTS,
        usize::MAX,
        |request, reply| if request.json()["ids"].as_array().is_some_and(|ids| ids.len() > 7) { Reply::text(413, "") } else { reply },
        0,
        "",
    ),
    (
        "the token has expired",
        LIST,
        usize::MAX,
        |request, reply| {
            if request.one("paginationToken").is_some() { Reply::text(400, "{\"code\":3,\"message\":\"Invalid pagination token\"}") } else { reply }
        },
        2,
        "Invalid pagination token",
    ),
    (
        "the token of this page for the next one",
        LIST,
        usize::MAX,
        |_, _| Reply::text(200, "{\"vectors\":[{\"id\":\"a\"}],\"pagination\":{\"next\":\"same\"},\"namespace\":\"\"}"),
        2,
        "the next page has the token of this one",
    ),
    ("HTML instead of JSON", FETCH, usize::MAX, |_, _| Reply::text(200, "<html>"), 2, "not what the interface promises"),
    ("JSON without anything", LIST, usize::MAX, |_, _| Reply::text(200, "{}"), 2, "neither ids nor a namespace"),
    (
        "another record than was asked for",
        FETCH,
        usize::MAX,
        |_, _| Reply::text(200, "{\"vectors\":{\"zz\":{\"id\":\"zz\",\"values\":[1]}},\"namespace\":\"\"}"),
        2,
        "was not asked for",
    ),
    (
        "a record under another's id",
        FETCH,
        usize::MAX,
        |_, _| Reply::text(200, "{\"vectors\":{\"zz\":{\"id\":\"yy\",\"values\":[1]}},\"namespace\":\"\"}"),
        2,
        "says that it is yy",
    ),
];

#[test]
fn each_fault_has_its_outcome() {
    for (name, call, times, spoil, status, words) in FAULTS {
        let (stub, on) = (Arc::new(stub()), Arc::new(AtomicBool::new(true)));
        let server = spoiled(&stub, &on, call, *times, *spoil);
        let folder = tempfile::tempdir().unwrap();
        let snapshot = folder.path().join("s");
        let flags = ["--all", "--part-size", "6K", "--timeout", "1", "--retries", "6"];
        let answer = run(&server.url(), &snapshot, &flags);
        assert_eq!(answer.status, Some(*status), "{name}: {} {}", answer.stdout, answer.stderr);
        assert!(answer.says(words), "{name}: {}", answer.stderr);
        println!("| {name} | {status} | {} |", answer.stderr.lines().next().unwrap_or("every record is there").replace(&server.url(), "URL"));
        if *status != 0 {
            assert!(answer.stderr.contains("help: ") && !snapshot.join("manifest.json").exists(), "{name}");
            on.store(false, Ordering::Relaxed);
            run(&server.url(), &snapshot, &flags).expect(0);
        }
        for index in ["dense", "words", "docs"] {
            compare(&stub, index, &snapshot, &|_, _| true);
        }
    }
}

#[test]
fn a_key_is_needed_and_never_sent_elsewhere() {
    let stub = Arc::new(stub());
    let server = super::serve(&stub, Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let answer = tool::run(&["pinecone", path.to_str().unwrap(), "--url", &server.url(), "--all", "--quiet"]).expect(2);
    assert!(answer.says("Pinecone needs an API key") && answer.says("PINECONE_API_KEY"), "{}", answer.stderr);
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
    let answer = run(&server.url(), &path, &["--index", "nosuch"]).expect(2);
    assert!(answer.says("there is no index nosuch") && answer.says("dense, docs, empty, words, young"), "{}", answer.stderr);
    let answer = run(&server.url(), &path, &["--index", "dense", "--namespace", "nosuch"]).expect(2);
    assert!(answer.says("there is no namespace nosuch") && answer.says("__default__, tenant/0"), "{}", answer.stderr);
}
