//! gRPC through a proxy that resets connections, cuts answers off and lets them wait. It forwards bytes and knows no HTTP/2: what it
//! does is what a network does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Server, export};
use crate::tool::{files, manifest};

/// What happens to a connection.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Fine,
    /// Closed before the first byte.
    Reset,
    /// Closed after so many bytes of answers.
    Cut(usize),
    /// Each piece of an answer waits.
    Slow(Duration),
    /// So many bytes of answers, then silence.
    Silent(usize),
}

/// What happens to the connection of each number.
type Fates = fn(usize) -> Fate;

/// Starts a proxy; `fate` is asked with the number of each connection. Gives its port, and the connections so far.
fn proxy(upstream: u16, fate: impl Fn(usize) -> Fate + Send + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    // Ends with the test's process.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let fate = fate(counted.fetch_add(1, Ordering::Relaxed));
            std::thread::spawn(move || pass(client, upstream, fate));
        }
    });
    (port, count)
}

fn pass(mut client: TcpStream, upstream: u16, fate: Fate) -> std::io::Result<()> {
    if matches!(fate, Fate::Reset) {
        return client.shutdown(Shutdown::Both);
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Both)
    });
    let mut left = if let Fate::Cut(bytes) | Fate::Silent(bytes) = fate { bytes } else { usize::MAX };
    let mut buffer = vec![0; 16 << 10];
    loop {
        let n = server.read(&mut buffer)?.min(left);
        if n == 0 {
            break;
        }
        if let Fate::Slow(pause) = fate {
            std::thread::sleep(pause);
        }
        client.write_all(&buffer[..n])?;
        left -= n;
    }
    if matches!(fate, Fate::Silent(_)) {
        std::thread::sleep(Duration::from_secs(30));
    }
    client.shutdown(Shutdown::Both)
}

#[test]
fn a_network_that_breaks_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start("milvus_stub.py", &["3000"]);
    let more = ["--all", "--grpc", "--batch", "200", "--retries", "40", "--timeout", "2"];
    let whole = folder.path().join("whole");
    export(&server.url, &whole, &more).expect(0);
    let fates: [(&str, Fates); 5] = [
        ("connections reset before the first byte, two of three", |n| if n % 3 == 2 { Fate::Fine } else { Fate::Reset }),
        ("answers cut off after 1 to 400,000 bytes", |n| Fate::Cut(1 + n * 7919 * 13 % 400_000)),
        ("answers that drip", |n| if n == 0 { Fate::Slow(Duration::from_millis(3)) } else { Fate::Fine }),
        ("a server that falls silent", |n| if n < 2 { Fate::Silent(3000 + n * 100_000) } else { Fate::Fine }),
        ("all of them", |n| [Fate::Reset, Fate::Cut(500), Fate::Slow(Duration::from_millis(1)), Fate::Cut(60_000), Fate::Cut(250_000)][n % 5]),
    ];
    for (number, (name, fate)) in fates.into_iter().enumerate() {
        let (port, connections) = proxy(server.port, fate);
        let out = folder.path().join(number.to_string());
        let answer = export(&format!("http://127.0.0.1:{port}"), &out, &more).expect(0);
        assert_eq!(files(&out), files(&whole), "{name}: {answer:?}");
        assert_eq!(manifest(&out)["collections"][0]["count"], 3000);
        println!("| gRPC: {name} | {} connections; identical snapshot, status 0 |", connections.load(Ordering::Relaxed));
    }
}

#[test]
fn who_does_not_answer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let answer = export(&format!("http://127.0.0.1:{nobody}"), &folder.path().join("out"), &["--all", "--retries", "2"]).expect(2);
    assert!(answer.says("3 tries failed") && answer.says(&nobody.to_string()), "{answer:?}");
}
