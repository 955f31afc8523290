//! A proxy that spoils traffic by a seeded schedule: delays, resets, bodies that end too early, 429 and 503 storms, slow drips.
//! It knows HTTP/1.1 on the way in (it counts requests), and forwards bytes on the way out, so that every database can be put behind it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// One way to spoil a connection's next answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Leave it alone.
    None,
    /// Wait before it.
    Delay(Duration),
    /// Close before the first byte.
    Reset,
    /// Close after so many bytes of the answer.
    Cut(usize),
    /// Answer 429 with `Retry-After: 1` instead.
    TooMany,
    /// Answer 503 instead.
    Unavailable,
    /// Forward so many bytes at once, with a pause of a millisecond between.
    Drip(usize),
}

/// A proxy before `127.0.0.1:port`; it ends when this is dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    stop: Arc<AtomicBool>,
    /// Faults done so far.
    pub(crate) faults: Arc<AtomicUsize>,
}

impl Proxy {
    /// `schedule` says what happens to the request of this number, from 0. A connection carries one request.
    pub(crate) fn start(upstream: u16, schedule: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (stop, faults, next, schedule) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(schedule));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&faults));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (next, counted, schedule) = (Arc::clone(&next), Arc::clone(&counted), Arc::clone(&schedule));
                std::thread::spawn(move || {
                    let Ok(client) = stream else { return };
                    let fault = schedule(next.fetch_add(1, Ordering::Relaxed));
                    counted.fetch_add(usize::from(fault != Fault::None), Ordering::Relaxed);
                    // A side that goes away is what this is for.
                    let _ = pass(client, upstream, fault);
                });
            }
        });
        Self { port, stop, faults }
    }

    /// A share of all requests, in percent, gets one of these faults, by a seed.
    pub(crate) fn random(upstream: u16, seed: u64, percent: u64, faults: Vec<Fault>) -> Self {
        let state = AtomicU64::new(seed | 1);
        Self::start(upstream, move |_| {
            let mut x = state.load(Ordering::Relaxed);
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            state.store(x, Ordering::Relaxed);
            if x % 100 < percent { faults[usize::try_from((x >> 32) % faults.len() as u64).unwrap_or(0)] } else { Fault::None }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass(mut client: TcpStream, upstream: u16, fault: Fault) -> std::io::Result<()> {
    client.set_read_timeout(Some(Duration::from_mins(2)))?;
    let request = request(&mut client)?;
    if request.is_empty() {
        return Ok(());
    }
    match fault {
        Fault::Delay(pause) => std::thread::sleep(pause),
        Fault::Reset => return client.shutdown(Shutdown::Both),
        Fault::TooMany => return refuse(&mut client, "429 Too Many Requests\r\nretry-after: 1"),
        Fault::Unavailable => return refuse(&mut client, "503 Service Unavailable"),
        _ => {}
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    server.write_all(&request)?;
    let mut left = if let Fault::Cut(bytes) = fault { bytes } else { usize::MAX };
    let mut buffer = vec![0; if let Fault::Drip(bytes) = fault { bytes.max(1) } else { 64 << 10 }];
    loop {
        let n = server.read(&mut buffer)?;
        let n = n.min(left);
        if n == 0 {
            break;
        }
        client.write_all(&buffer[..n])?;
        left -= n;
        if matches!(fault, Fault::Drip(_)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    client.shutdown(Shutdown::Both)
}

fn refuse(client: &mut TcpStream, status: &str) -> std::io::Result<()> {
    let body = "{\"status\":{\"error\":\"the proxy says no\"},\"error\":\"the proxy says no\"}";
    write!(client, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    client.shutdown(Shutdown::Write)
}

/// A whole request, which is told to be the last one of its connection.
fn request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Ok(vec![]);
        }
        bytes.extend_from_slice(&buffer[..n]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let length = text.lines().filter_map(|l| l.split_once(':')).find(|(k, _)| k.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, v)| v.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < head + 4 + length {
        let n = client.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
    let lines = text.lines().filter(|l| !l.to_lowercase().starts_with("connection:"));
    let mut out = lines.collect::<Vec<_>>().join("\r\n").into_bytes();
    out.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
    out.extend_from_slice(&bytes[head + 4..]);
    Ok(out)
}
