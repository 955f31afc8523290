//! HTTP as all databases use it: time-outs, tries, rate, limits of size, TLS and proxy; and what an answer's status means.
//!
//! Knows no database. How often and how fast is `http/pace.rs`, what is said about failures `http/failure.rs`.

mod download;
mod failure;
mod pace;
mod request;

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url, Version};
use vec2lance::error::{Error, Result};

use crate::cli::Common;
use crate::secret::Secret;
pub(crate) use failure::{Failure, clean, words};
pub(crate) use pace::{Attempt, Pace, requests, retry_after};
pub(crate) use request::{Request, Verdict, segment};

/// Bytes of an answer that are read, unless the request says otherwise.
pub(crate) const BODY_LIMIT: usize = 64 << 20;
/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a request may last that says that it will.
const PATIENCE: Duration = Duration::from_hours(24);
/// Within how many time-outs of silence an answer must be whole, although it never fell silent.
const WHOLE: u32 = 20;

/// What holds for every client of a run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Rate, concurrency and tries.
    pub(crate) pace: Pace,
    /// How long a server may be silent.
    pub(crate) timeout: Duration,
    /// Certificates of private authorities, as PEM.
    pub(crate) authorities: Option<Vec<u8>>,
    /// Proxy for everything; by default what the environment says.
    pub(crate) proxy: Option<String>,
    /// Ask for compressed answers.
    pub(crate) compress: bool,
}

impl Settings {
    /// What the command line says.
    ///
    /// # Errors
    /// The file of certificates cannot be read, or the proxy's address carries a password.
    pub(crate) fn of(common: &Common) -> Result<Self> {
        let read = |path: &Path| std::fs::read_to_string(path).map(String::into_bytes).map_err(|e| Error::io("read", path, &e));
        if let Some(proxy) = &common.proxy {
            address(proxy, "--proxy")?;
        }
        Ok(Self {
            pace: Pace::new(common.rate, common.concurrency, common.retries),
            timeout: Duration::from_secs(common.timeout.max(1)),
            authorities: common.ca_file.as_deref().map(read).transpose()?,
            proxy: common.proxy.clone(),
            compress: common.compress,
        })
    }
}

/// A URL from the command line.
///
/// # Errors
/// It is none, or carries a password, which would stand in the shell's history.
fn address(text: &str, flag: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|e| Error::new(format!("{flag} is no URL: {e}")).help(format!("write it as in {flag} http://127.0.0.1:8000")))?;
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") || url.host_str().is_none() {
        return Err(Error::new(format!("{flag} must begin with http:// or https:// and name a host")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::new(format!("{flag} carries a user name or password, which the shell's history keeps"))
            .help("give the key in the environment or with --key-file; a proxy's password goes into the variable HTTPS_PROXY"));
    }
    Ok(url)
}

/// One host and its credentials. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: reqwest::Client,
    /// For requests over which the server works in silence.
    patient: reqwest::Client,
    base: Url,
    auth: Vec<Secret>,
    pace: Pace,
}

/// A whole answer with a status of success.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The body, unpacked.
    pub(crate) body: Vec<u8>,
    /// Header lines.
    pub(crate) headers: HeaderMap,
    what: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Failure::Malformed`], with the beginning of what came instead.
    pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|e| self.malformed(&e.to_string()))
    }

    /// As [`Answer::parse`], for types that borrow nothing.
    ///
    /// # Errors
    /// As [`Answer::parse`].
    pub(crate) fn owned<T: serde::de::DeserializeOwned>(&self) -> Result<T, Failure> {
        self.parse()
    }

    /// This answer is not what was promised.
    pub(crate) fn malformed(&self, why: &str) -> Failure {
        let begins = clean(&String::from_utf8_lossy(&self.body[..self.body.len().min(120)]));
        Failure::malformed(&self.what, format!("{}; it begins with {begins}", clean(why)))
    }
}

impl Client {
    /// A client of `base` (scheme, host, port and what stands before every path), which sends `auth` with every request.
    ///
    /// # Errors
    /// The URL is none or carries a password; the certificates are damaged; a credential does not fit into a header.
    pub(crate) fn new(settings: &Settings, base: &str, auth: Vec<(&'static str, Secret)>) -> Result<Self> {
        let mut base = address(base, "--url")?;
        base.set_query(None);
        base.set_fragment(None);
        let mut headers = HeaderMap::new();
        for (name, secret) in &auth {
            let mut value =
                HeaderValue::from_str(secret.expose()).map_err(|_| Error::new(format!("the key for the header {name} holds characters that no header can")))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        let build = |patient: bool| Self::build(settings, headers.clone(), patient);
        let (inner, patient) = (build(false)?, build(true)?);
        Ok(Self { inner, patient, base, auth: auth.into_iter().map(|(_, secret)| secret).collect(), pace: settings.pace.clone() })
    }

    fn build(settings: &Settings, headers: HeaderMap, patient: bool) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("vec2lance-export/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT.min(settings.timeout))
            .gzip(settings.compress)
            .tcp_keepalive(Duration::from_secs(30))
            // A redirect could carry the key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(20));
        builder = if patient { builder.timeout(PATIENCE) } else { builder.read_timeout(settings.timeout).timeout(settings.timeout * WHOLE) };
        if let Some(pem) = &settings.authorities {
            let bundle = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| Error::new(format!("--ca-file holds no certificates: {}", text_of(&e))))?;
            if bundle.is_empty() {
                return Err(Error::new("--ca-file holds no certificates").help("it must be PEM: lines between BEGIN CERTIFICATE and END CERTIFICATE"));
            }
            for certificate in bundle {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if let Some(proxy) = &settings.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|e| Error::new(format!("--proxy cannot be used: {}", text_of(&e))))?);
        }
        builder.build().map_err(|e| Error::new(format!("cannot prepare HTTP: {}", text_of(&e))))
    }

    /// Scheme, host and port, as people know the server.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Sends a request and reads its whole answer, trying again where that may help.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn json(&self, request: Request) -> Result<Answer, Failure> {
        let what = request.described(self.base());
        let url = request.url(&self.base)?;
        self.pace.retry(&what, || self.once(&request, &url, &what)).await
    }

    async fn once(&self, request: &Request, url: &Url, what: &str) -> Result<Answer, Attempt> {
        let response = self.send(request, url).await?;
        let (status, headers, version) = (response.status(), response.headers().clone(), response.version());
        let body = self.body(response, request.limit, what).await?;
        self.judge(request, status, &headers, &body, what)?;
        // Without a length and without chunks, a connection that is cut looks like the end.
        let framed = version >= Version::HTTP_2 || headers.contains_key("content-length") || headers.contains_key("transfer-encoding");
        if !framed && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err_and(|e| e.is_eof()) {
            return Err(Attempt::Again { reason: "the answer was cut off".to_owned(), after: None });
        }
        let answer = Answer { body, headers, what: what.to_owned() };
        match request.judge.map_or(Verdict::Fine, |judge| judge(&answer)) {
            Verdict::Fine => Ok(answer),
            Verdict::Again(reason) => Err(Attempt::Again { reason: self.hidden(&clean(&reason)), after: header_pause(&answer.headers) }),
            Verdict::TooLarge(message) => Err(Failure::TooLarge { what: what.to_owned(), message: self.hidden(&clean(&message)) }.into()),
            Verdict::Denied(message) => Err(Failure::Denied { what: what.to_owned(), status: 0, message: self.hidden(&clean(&message)) }.into()),
            Verdict::Missing(message) => Err(Failure::Missing { what: what.to_owned(), message: self.hidden(&clean(&message)) }.into()),
            Verdict::Refused(message) => Err(Failure::Refused { what: what.to_owned(), status: 0, message: self.hidden(&clean(&message)) }.into()),
        }
    }

    async fn send(&self, request: &Request, url: &Url) -> Result<reqwest::Response, Attempt> {
        let client = if request.patient { &self.patient } else { &self.inner };
        let mut builder = client.request(request.method.clone(), url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.header("content-type", "application/json").body(body.clone());
        }
        let sent = builder.send().await.map_err(|e| self.broken(&e));
        match sent {
            // It may have done it: a second one would leave two behind.
            Err(Attempt::Again { reason, .. }) if request.patient && request.method == reqwest::Method::POST => {
                Err(Failure::Exhausted { what: request.described(self.base()), tries: 1, last: reason }.into())
            }
            sent => sent,
        }
    }

    /// The body, up to `limit` bytes of it.
    async fn body(&self, mut response: reqwest::Response, limit: usize, what: &str) -> Result<Vec<u8>, Attempt> {
        let expected = response.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let mut body = Vec::with_capacity(expected.min(limit));
        while let Some(piece) = response.chunk().await.map_err(|e| self.broken(&e))? {
            if body.len() + piece.len() > limit {
                let message = format!("more than {} MiB", limit >> 20);
                return Err(Failure::TooLarge { what: what.to_owned(), message }.into());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// What a status says.
    fn judge(&self, request: &Request, status: StatusCode, headers: &HeaderMap, body: &[u8], what: &str) -> Result<(), Attempt> {
        if status.is_success() {
            return Ok(());
        }
        let (message, what) = (self.hidden(&words(body)), what.to_owned());
        if status == StatusCode::PAYLOAD_TOO_LARGE || request.too_large.iter().any(|sign| message.contains(sign)) {
            return Err(Failure::TooLarge { what, message }.into());
        }
        let code = status.as_u16();
        match code {
            401 | 403 => Err(Failure::Denied { what, status: code, message }.into()),
            404 => Err(Failure::Missing { what, message }.into()),
            // 408 and 425: the server gave up waiting, or would not yet.
            408 | 425 | 429 | 500..=599 if code != 501 && code != 505 => {
                let reason = if message.is_empty() { format!("HTTP {code}") } else { format!("HTTP {code}: {message}") };
                Err(Attempt::Again { reason, after: header_pause(headers) })
            }
            300..=399 => {
                let message = "it answers with a redirect, which is not followed because it could carry the key elsewhere".to_owned();
                Err(Failure::Refused { what, status: code, message }.into())
            }
            _ => Err(Failure::Refused { what, status: code, message }.into()),
        }
    }

    /// A failure below HTTP: it may pass, except for what is wrong with the request itself or with the certificate.
    fn broken(&self, error: &reqwest::Error) -> Attempt {
        let reason = self.hidden(&text_of(error));
        let certificate = ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|word| reason.contains(word));
        if error.is_builder() || certificate {
            let help = if certificate { "a private authority's certificate is given with --ca-file" } else { "check --url" };
            return Attempt::Stop(Failure::Local(Error::new(format!("cannot reach {}: {reason}", self.base())).help(help)));
        }
        Attempt::Again { reason, after: None }
    }

    /// `text` without credentials.
    fn hidden(&self, text: &str) -> String {
        self.auth.iter().fold(text.to_owned(), |text, secret| secret.hide(&text))
    }
}

fn header_pause(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after").and_then(|v| v.to_str().ok()).and_then(retry_after)
}

/// An error and its causes on one line, without the URL.
fn text_of(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    if error.is_timeout() {
        return "the server did not answer in time".to_owned();
    }
    let mut cause = error.source();
    let mut deepest = None;
    while let Some(next) = cause {
        deepest = Some(next);
        cause = next.source();
    }
    clean(&deepest.map_or_else(|| "the request failed".to_owned(), ToString::to_string))
}
