//! What only Chroma Cloud does, on a stub that follows the server's OpenAPI (1.5.9) and the published quotas: 300 records a call (422
//! "Quota exceeded" for a larger limit, or for none), 10 reads of a collection at the same time (429), keys, a key's own tenant and
//! databases, `spann`, sparse vectors, records without an embedding, and a `log_position` that moves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::export;
use crate::server::{Reply, Request, Server};
use crate::tool::{Answer, command, manifest, records};

const ID: &str = "0b0c2f0e-1111-4222-8333-444455556666";
const KEY: &str = "ck-9f8e7d6c5b4a";

/// How the stub behaves.
#[derive(Clone, Copy)]
struct Cloud {
    records: usize,
    /// Header that must carry the key, and its value.
    auth: (&'static str, &'static str),
    /// Records that are deleted from the front at each call that lists ids.
    deleted: usize,
    /// It does not refuse a limit that is too large, but gives fewer.
    silent: bool,
}

const USUAL: Cloud = Cloud { records: 2000, auth: ("x-chroma-token", KEY), deleted: 0, silent: false };

fn record(n: usize) -> String {
    let vector = if n % 50 == 7 { "null".to_owned() } else { format!("[{n}.0,0.1,-0.0,1e-42]") };
    let metadata = match n % 4 {
        0 => "null".to_owned(),
        1 => format!(r##"{{"words":{{"#type":"sparse_vector","indices":[1,{n}],"tokens":["a","b"],"values":[0.5,0.1]}}}}"##),
        2 => r#"{"big":9223372036854775807,"one":1.0}"#.to_owned(),
        _ => r#"{"list":[1,2],"text":"\n"}"#.to_owned(),
    };
    format!(r#"{{"id":"r{n}","embedding":{vector},"document":"d{n}","metadata":{metadata},"uri":null}}"#)
}

struct State {
    ids: Vec<usize>,
    log: u64,
}

fn error(status: u16, error: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": error, "message": message}))
}

fn start(cloud: Cloud) -> (Server, Arc<AtomicUsize>) {
    let state = Mutex::new(State { ids: (0..cloud.records).collect(), log: 7 });
    let (reading, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let server = Server::start(move |request| {
        if request.path == "/api/v2/version" {
            return Reply::text(200, "\"1.0.0\"");
        }
        if request.header(cloud.auth.0) != Some(cloud.auth.1) {
            return error(401, "AuthError", &format!("Unauthorized: {}", request.header(cloud.auth.0).unwrap_or("no key")));
        }
        let now = reading.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(now, Ordering::SeqCst);
        let reply = if now > 10 { error(429, "RateLimitError", "Too many concurrent reads") } else { answer(request, cloud, &mut state.lock().unwrap()) };
        // Long enough that requests meet.
        std::thread::sleep(Duration::from_millis(2));
        reading.fetch_sub(1, Ordering::SeqCst);
        reply
    });
    (server, most)
}

fn collection(state: &State) -> Value {
    json!({
        "id": ID, "name": "docs", "dimension": 4, "metadata": null, "tenant": "t-1", "database": "prod", "version": 3, "log_position": state.log,
        "configuration_json": {"hnsw": null, "spann": {"space": "cosine"}, "embedding_function": null},
        "schema": {"keys": {"words": {"sparse_vector": {"sparse_vector_index": {"enabled": true}}}}},
    })
}

fn answer(request: &Request, cloud: Cloud, state: &mut State) -> Reply {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().skip(2).map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["auth", "identity"]) => Reply::json(200, &json!({"user_id": "u", "tenant": "t-1", "databases": ["prod"]})),
        // The key is one of a database: it may not list others.
        ("GET", ["tenants", _] | ["tenants", _, "databases"]) => error(403, "AuthError", "Forbidden"),
        ("GET", ["tenants", "t-1", "databases", "prod", "collections"]) => {
            let all = if request.one("offset") == Some("0") { json!([collection(state)]) } else { json!([]) };
            Reply::json(200, &all)
        }
        ("GET", ["tenants", "t-1", "databases", "prod", "collections_count"]) => Reply::text(200, "1"),
        ("GET", ["tenants", "t-1", "databases", "prod", "collections", "docs"]) => Reply::json(200, &collection(state)),
        ("GET", ["tenants", "t-1", "databases", "prod", "collections", ID, "count"]) => Reply::text(200, &state.ids.len().to_string()),
        ("POST", ["tenants", "t-1", "databases", "prod", "collections", ID, "get"]) => get(&request.json(), cloud, state),
        ("POST", ["tenants", "t-1", "databases", "prod", "collections", ID, "query"]) => {
            Reply::json(200, &json!({"ids": [["r1", "r2"]], "distances": [[0.25, null]], "include": ["distances"]}))
        }
        _ => error(404, "NotFoundError", &format!("no {}", request.path)),
    }
}

fn get(body: &Value, cloud: Cloud, state: &mut State) -> Reply {
    let limit = body["limit"].as_u64().unwrap_or(u64::MAX);
    if limit > 300 && !cloud.silent {
        let message = format!("Quota exceeded: 'Limit value' exceeded quota limit for action 'Get': current usage of {limit} exceeds limit of 300");
        return error(422, "ChromaError", &message);
    }
    let (limit, offset) = (usize::try_from(limit.min(300)).unwrap(), usize::try_from(body["offset"].as_u64().unwrap_or(0)).unwrap());
    let asked = body["ids"].as_array().map(|ids| ids.iter().map(|id| id.as_str().unwrap()[1..].parse().unwrap()).collect::<Vec<usize>>());
    let some: Vec<usize> = match &asked {
        Some(asked) => state.ids.iter().copied().filter(|n| asked.contains(n)).take(limit).collect(),
        None => state.ids.iter().copied().skip(offset).take(limit).collect(),
    };
    let of = |key: &str| -> Value {
        let include = body["include"].as_array().unwrap().iter().any(|i| i.as_str().unwrap().starts_with(key));
        let values = some.iter().map(|n| serde_json::from_str::<Value>(&record(*n)).unwrap()[key].take()).collect();
        if include { Value::Array(values) } else { Value::Null }
    };
    // Of the numbers, the text is kept: the stub's own JSON library would write 1e-42 in another way.
    let vectors: Vec<String> =
        some.iter().map(|n| record(*n).split("\"embedding\":").nth(1).unwrap().split(",\"document\"").next().unwrap().to_owned()).collect();
    let vectors = if of("embedding").is_null() { "null".to_owned() } else { format!("[{}]", vectors.join(",")) };
    let ids: Vec<String> = some.iter().map(|n| format!("r{n}")).collect();
    if asked.is_none() && cloud.deleted > 0 && limit > 1 {
        let gone = cloud.deleted.min(state.ids.len());
        state.ids.drain(..gone);
        state.log += 1;
    }
    let text = format!(
        r#"{{"ids":{},"embeddings":{vectors},"documents":{},"uris":{},"metadatas":{},"include":{}}}"#,
        json!(ids),
        of("document"),
        of("uri"),
        of("metadata"),
        body["include"]
    );
    Reply::text(200, &text)
}

fn with_key(server: &Server, out: &std::path::Path, key: &str, more: &[&str]) -> Answer {
    let url = server.url();
    let args = [&["chroma", "--url", &url, out.to_str().unwrap(), "--all"], more].concat();
    Answer::of(&command(&args).env("CHROMA_API_KEY", key).output().expect("the program starts"))
}

fn all(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(record).collect()
}

#[test]
fn its_limits_are_met() {
    let folder = tempfile::tempdir().unwrap();
    for (name, silent) in [("refuses", false), ("silent", true)] {
        let (server, most) = start(Cloud { silent, ..USUAL });
        let out = folder.path().join(name);
        let answer = with_key(&server, &out, KEY, &["--concurrency", "8", "--record-queries", "2"]).expect(0);
        let place = Some("t-1/prod");
        assert!(records(&out, "docs", place) == all(0..2000), "{name}");
        let entry = &manifest(&out)["collections"][0];
        assert_eq!((entry["metric"].as_str(), entry["marker_before"]["log_position"].as_u64()), (Some("cosine"), Some(7)));
        assert!(entry["losses"].to_string().contains("Sparse vectors stay in the metadata, as Chroma gives them: words."), "{entry}");
        assert!(entry["notes"].to_string().contains("without an embedding"), "{entry}");
        assert!(most.load(Ordering::SeqCst) <= 10);
        assert_eq!(crate::tool::lines(&out.join("queries.jsonl")).len(), 2);
        let text = format!("{answer:?}{}", std::fs::read_to_string(out.join("manifest.json")).unwrap());
        assert!(!text.contains(KEY));
    }
}

#[test]
fn deletes_between_pages_of_ids_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Fewer than the pages overlap by, and more.
    for deleted in [5, 100, 290] {
        let (server, _) = start(Cloud { deleted, records: 6000, ..USUAL });
        let out = folder.path().join(deleted.to_string());
        with_key(&server, &out, KEY, &[]).expect(1);
        let got = records(&out, "docs", Some("t-1/prod"));
        let entry = &manifest(&out)["collections"][0];
        let left = usize::try_from(entry["count_after"]["value"].as_u64().unwrap()).unwrap();
        assert!(got[got.len() - left..] == all(6000 - left..6000), "{deleted}: what is left at the end");
        assert_ne!(entry["marker_before"]["log_position"], entry["marker_after"]["log_position"]);
    }
}

#[test]
fn keys_are_sent_as_told_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let ways = [
        ("token", ("x-chroma-token", KEY)),
        ("bearer", ("authorization", "Bearer ck-9f8e7d6c5b4a")),
        ("basic", ("authorization", "Basic Y2stOWY4ZTdkNmM1YjRh")),
    ];
    for (flag, auth) in ways {
        let (server, _) = start(Cloud { auth, records: 10, ..USUAL });
        let out = folder.path().join(flag);
        with_key(&server, &out, KEY, &["--auth", flag]).expect(0);
        assert_eq!(records(&out, "docs", Some("t-1/prod")), all(0..10));
        let wrong = with_key(&server, &folder.path().join("wrong"), "ck-wrong-wrong", &["--auth", flag, "--restart"]).expect(2);
        assert!(wrong.says("access denied (401)") && !wrong.says("ck-wrong") && !wrong.says("Y2st"), "{wrong:?}");
    }
    let (server, _) = start(Cloud { records: 10, ..USUAL });
    assert!(export(&server.url(), &folder.path().join("none"), &["--all"]).expect(2).says("access denied (401)"));
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let flags = ["--all", "--key-file", file.to_str().unwrap()];
    assert!(export(&server.url(), &folder.path().join("open"), &flags).expect(2).says("chmod 600"));
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    export(&server.url(), &folder.path().join("file"), &flags).expect(0);
}
