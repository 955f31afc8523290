//! A request as data: it can be sent again.

use reqwest::{Method, Url};
use serde::Serialize;
use vec2lance::error::Error;

use super::{Answer, BODY_LIMIT, Failure};

/// What a source says of an answer whose status is one of success.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is one.
    Fine,
    /// It says that it failed, and may succeed later; with the server's words.
    Again(String),
    /// It says that it is too large.
    TooLarge(String),
    /// It says that the credentials are wrong.
    Denied(String),
    /// It says that what was asked for does not exist.
    Missing(String),
    /// It says that it will not.
    Refused(String),
}

/// One request. Build it with [`Request::get`] and its kind.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(super) method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    what: Option<String>,
    pub(super) limit: usize,
    pub(super) too_large: &'static [&'static str],
    pub(super) judge: Option<fn(&Answer) -> Verdict>,
    pub(super) patient: bool,
}

impl Request {
    fn new(method: Method, path: impl Into<String>, body: Option<Vec<u8>>) -> Self {
        let (query, headers) = (vec![], vec![]);
        Self { method, path: path.into(), query, headers, body, what: None, limit: BODY_LIMIT, too_large: &[], judge: None, patient: false }
    }

    /// GET. `path` begins with `/`; names in it are escaped by [`segment`].
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// DELETE.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    /// POST with a body of JSON.
    pub(crate) fn post(path: impl Into<String>, body: impl Serialize) -> Self {
        // What we send are our own types, whose keys are strings.
        Self::new(Method::POST, path, Some(serde_json::to_vec(&body).unwrap_or_default()))
    }

    /// A pair of the query string; the same key may come several times.
    #[must_use]
    pub(crate) fn query(mut self, key: &'static str, value: impl std::fmt::Display) -> Self {
        self.query.push((key, value.to_string()));
        self
    }

    /// A header line. Not for credentials: those are the client's.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What this request is for, as it stands in messages after "cannot": `scroll the collection x`.
    #[must_use]
    pub(crate) fn what(mut self, what: impl Into<String>) -> Self {
        self.what = Some(super::clean(&what.into()));
        self
    }

    /// Bytes of the answer that are read at most.
    #[must_use]
    pub(crate) fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Words of the server that mean "too large", whatever the status.
    #[must_use]
    pub(crate) fn too_large_when(mut self, signs: &'static [&'static str]) -> Self {
        self.too_large = signs;
        self
    }

    /// Looks at an answer with a status of success, where the protocol says there what went wrong.
    #[must_use]
    pub(crate) fn judge(mut self, judge: fn(&Answer) -> Verdict) -> Self {
        self.judge = Some(judge);
        self
    }

    /// The server works for long before it answers, or the answer is long: hours instead of minutes, and no second try after silence.
    #[must_use]
    pub(crate) fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// `what`, and where.
    pub(super) fn described(&self, base: &str) -> String {
        match &self.what {
            Some(what) => format!("{what} at {base}"),
            None => format!("ask {base} for {} {}", self.method, super::clean(&self.path)),
        }
    }

    /// The whole address.
    pub(super) fn url(&self, base: &Url) -> Result<Url, Failure> {
        let text = format!("{}{}", base.as_str().trim_end_matches('/'), self.path);
        let mut url = Url::parse(&text).map_err(|e| Error::new(format!("no address can be made of {}: {e}", super::clean(&self.path))))?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

/// A name as one segment of a path.
#[must_use]
pub(crate) fn segment(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::with_capacity(name.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (byte == b'.' && name != "." && name != "..") {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_segment() {
        assert_eq!(segment("a/b c.d"), "a%2Fb%20c.d");
        assert_eq!(segment("é"), "%C3%A9");
        let base = Url::parse("http://h:1/x/").expect("a URL");
        let url = Request::get(format!("/c/{}/p", segment("?#%"))).query("k", "a&b").query("k", 2).url(&base).expect("a URL");
        assert_eq!(url.as_str(), "http://h:1/x/c/%3F%23%25/p?k=a%26b&k=2");
    }
}
