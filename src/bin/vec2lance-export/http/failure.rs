//! How a request can end badly, and what is said about it. Whether it is tried again is `pace.rs`'s business.

use vec2lance::error::Error;

/// Characters of a server's own words that are shown.
const WORDS: usize = 300;

/// A request that did not succeed, after all tries.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The answer is larger than the server, the protocol or our limit allows: ask for less.
    TooLarge {
        /// What was asked for, as words: "scroll the collection x".
        what: String,
        /// Who refused, and its words.
        message: String,
    },
    /// 401 or 403.
    Denied {
        /// What was asked for.
        what: String,
        /// The HTTP status, or 0 where the protocol has another code.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// 404.
    Missing {
        /// What was asked for.
        what: String,
        /// The server's words.
        message: String,
    },
    /// Another answer that will not change by asking again.
    Refused {
        /// What was asked for.
        what: String,
        /// The HTTP status, or 0 where the protocol has another code.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// Every try failed.
    Exhausted {
        /// What was asked for.
        what: String,
        /// Tries.
        tries: u32,
        /// How the last one failed.
        last: String,
    },
    /// The answer is not what the interface promises: no JSON, a key that is not there, a value of another type.
    Malformed {
        /// What was asked for.
        what: String,
        /// What is wrong with it, and the value met.
        message: String,
    },
    /// Nothing to do with the server: a file of the snapshot, a certificate.
    Local(Error),
}

impl Failure {
    /// An answer that is not what was promised.
    #[must_use]
    pub(crate) fn malformed(what: &str, message: impl Into<String>) -> Self {
        Self::Malformed { what: what.to_owned(), message: message.into() }
    }
}

/// The server's words: what its JSON says under the usual keys, else the text itself; short, and without characters that steer a terminal.
#[must_use]
pub(crate) fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned();
    let said = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|value| {
        let at = ["/status/error", "/error/message", "/error", "/message", "/msg", "/detail"];
        let list = value.pointer("/error").and_then(serde_json::Value::as_array).map(|errors| {
            let each: Vec<&str> = errors.iter().filter_map(|e| e.get("message").and_then(serde_json::Value::as_str)).collect();
            each.join("; ")
        });
        let both = value.get("error").and_then(serde_json::Value::as_str).zip(value.get("message").and_then(serde_json::Value::as_str));
        let both = both.map(|(error, message)| format!("{error}: {message}"));
        list.filter(|l| !l.is_empty()).or(both).or_else(|| at.iter().find_map(|p| value.pointer(p)?.as_str().map(str::to_owned)))
    });
    clean(&said.unwrap_or(text))
}

/// `text` on one line, short, and without characters that steer a terminal.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().filter(|c| !c.is_control()).take(WORDS).collect();
    if line.chars().count() > WORDS {
        short.push('…');
    }
    short
}

/// ": words", or nothing.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let code = |status: u16| if status == 0 { String::new() } else { format!(" ({status})") };
        match failure {
            Failure::TooLarge { what, message } => Self::new(format!("cannot {what}: the answer is too large{}", said(&message)))
                .help("give a smaller --batch; where that is 1 already, a single record is larger than the server or this program allows"),
            Failure::Denied { what, status, message } => Self::new(format!("cannot {what}: access denied{}{}", code(status), said(&message)))
                .help("check the key (expired, of another project, without the right to read); the same command goes on where this one ended"),
            Failure::Missing { what, message } => Self::new(format!("cannot {what}: it does not exist (404){}", said(&message)))
                .help("check --url and the names; `--dry-run --all` lists what there is"),
            Failure::Refused { what, status, message } => Self::new(format!("cannot {what}: the server refuses{}{}", code(status), said(&message)))
                .help("asking again would not change that; check the options and the server's version"),
            Failure::Exhausted { what, tries, last } => Self::new(format!("cannot {what}: {tries} tries failed, the last one: {last}"))
                .passing()
                .help("the same command goes on where this one ended; --retries, --timeout and --rate make it more patient"),
            Failure::Malformed { what, message } => Self::new(format!("cannot {what}: the answer is not what the interface promises: {message}"))
                .help("is --url the database itself, and its version one that the README names? Nothing of this answer was written"),
            Failure::Local(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Local(error)
    }
}
