//! How fast, and in how much memory: against a server that answers from memory at once, so that the exporter is what is measured.
//! Run it alone: `cargo test --release --test export -- --ignored throughput --nocapture`.

use serde_json::{Value, json};

use crate::server::{Reply, Server};
use crate::tool::run;

/// Points with the numbers 0 to `count` as ids.
fn server(count: usize, dimension: u64) -> Server {
    let points: Vec<String> = (0..count as u64)
        .map(|n| {
            format!("{{\"id\":{n},\"payload\":{{\"title\":\"Record {n}\",\"text\":\"{}\"}},\"vector\":{}}}", "word ".repeat(40), super::vector(n, dimension))
        })
        .collect();
    Server::start(move |request| {
        let ok = |result: &str| Reply::text(200, &format!("{{\"result\":{result},\"status\":\"ok\",\"time\":0.0}}"));
        let body = request.json();
        let number = |key: &str| body[key].as_u64().and_then(|n| usize::try_from(n).ok());
        match request.path.rsplit('/').next() {
            Some("collections") => ok(r#"{"collections":[{"name":"big"}]}"#),
            Some("big") => ok(&json!({"config": {"params": {"vectors": {"size": dimension, "distance": "Dot"}}}}).to_string()),
            Some("count") => ok(&json!({"count": count}).to_string()),
            Some("query") => ok(&json!({"points": (0..100).map(|n| json!({"id": n * count / 100})).collect::<Vec<_>>()}).to_string()),
            Some("scroll") => {
                let from = number("offset").unwrap_or(0);
                let to = (from + number("limit").unwrap()).min(count);
                let next = if to < count { Value::from(to) } else { Value::Null };
                ok(&format!("{{\"points\":[{}],\"next_page_offset\":{next}}}", points[from..to].join(",")))
            }
            _ => Reply::json(200, &json!({"version": "1.19.0"})),
        }
    })
}

#[test]
#[ignore = "a measurement"]
fn throughput_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    println!("| dimension | records | flags | records/s | peak memory |");
    for (dimension, count) in [(384, 60_000), (1536, 15_000)] {
        let server = server(count, dimension);
        for (name, flags) in
            [("lines", vec![]), ("one", vec!["--concurrency", "1"]), ("parquet", vec!["--parquet"]), ("many", vec!["--concurrency", "16", "--batch", "10000"])]
        {
            let out = folder.path().join(format!("{dimension}-{name}"));
            let answer = run(&[&["qdrant", "--url", &server.url(), "--all", "--json", out.to_str().unwrap()], flags.as_slice()].concat()).expect(0);
            let report: Value = serde_json::from_str(&answer.stdout).unwrap();
            let mib = report["peak_memory"].as_u64().unwrap() >> 20;
            println!("| {dimension} | {count} | {} | {:.0} | {mib} MiB |", flags.join(" "), report["records_per_second"].as_f64().unwrap());
            assert!(mib < 200, "{mib} MiB");
        }
    }
}
