//! Milvus over gRPC: the calls, with the tries and pauses of the run, and what a status means.
//!
//! The interface of a server and of Milvus Lite alike. Its query can read the collection as it was at one moment.

use std::time::Duration;

use base64::Engine as _;
use prost::Message;
use tonic::client::Grpc as Unary;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Uri};
use tonic::{Code, Request, Status as Broken};
use tonic_prost::ProstCodec;
use vec2lance::error::{Error, Result};

use super::column::QueryResults;
use super::wire::{
    ClientInfo, CollectionRequest, ConnectRequest, ConnectResponse, DescribeCollectionResponse, DescribeIndexResponse, GetLoadStateResponse,
    GetVersionResponse, SearchResults, ShowCollectionsResponse, ShowPartitionsResponse, Status,
};
use crate::http::{Attempt, Failure, Pace, Settings, clean};
use crate::secret::Secret;

/// Bytes of one answer: what the page sizes aim at, four times over.
const LARGEST: usize = 96 << 20;
/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(15);

/// The part of the service's name before the call's.
const SERVICE: &str = "milvus.proto.milvus.MilvusService";

/// An answer that says how it went.
pub(super) trait Answer: Message + Default + 'static {
    fn status(&self) -> Option<&Status>;
}

macro_rules! answers {
    ($($name:ident),+) => { $(impl Answer for $name { fn status(&self) -> Option<&Status> { self.status.as_ref() } })+ };
}

answers!(
    ConnectResponse,
    GetVersionResponse,
    ShowCollectionsResponse,
    DescribeCollectionResponse,
    DescribeIndexResponse,
    ShowPartitionsResponse,
    GetLoadStateResponse,
    QueryResults,
    SearchResults
);

/// A server. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Grpc {
    channel: Channel,
    pace: Pace,
    timeout: Duration,
    database: String,
    authorization: Option<MetadataValue<Ascii>>,
    secret: Option<Secret>,
    shown: String,
}

impl Grpc {
    /// Prepares a connection, which is made with the first call. `secret` is a token or `user:password`.
    ///
    /// # Errors
    /// The address is none, or the certificates are damaged.
    pub(super) fn new(settings: &Settings, url: &str, database: &str, secret: Option<&Secret>) -> Result<Self> {
        let shown = url.trim_end_matches('/').to_owned();
        let failed = |e: tonic::transport::Error| Error::new(format!("cannot prepare gRPC to {shown}: {}", text_of(&e))).help("check --url and --ca-file");
        let mut endpoint = Endpoint::from_shared(shown.clone())
            .map_err(failed)?
            .user_agent(concat!("vec2lance-export/", env!("CARGO_PKG_VERSION")))
            .map_err(failed)?
            .connect_timeout(CONNECT.min(settings.timeout))
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(8 << 20);
        if shown.starts_with("https:") {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(pem) = &settings.authorities {
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(tls).map_err(failed)?;
        }
        let header = |secret: &Secret| {
            let mut value = MetadataValue::try_from(base64::engine::general_purpose::STANDARD.encode(secret.expose())).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        Ok(Self {
            channel: endpoint.connect_lazy(),
            pace: settings.pace.clone(),
            timeout: settings.timeout,
            database: database.to_owned(),
            authorization: secret.and_then(header),
            secret: secret.cloned(),
            shown,
        })
    }

    /// The database's name for requests; empty for the default one.
    pub(super) fn database(&self) -> String {
        self.database.clone()
    }

    /// Asks once who is there, without further tries: whether anything speaks gRPC at this address.
    pub(super) async fn knock(&self) -> bool {
        let asked = self.send::<_, GetVersionResponse>("GetVersion", super::wire::Empty {});
        match tokio::time::timeout(CONNECT, asked).await {
            Ok(Ok(_)) => true,
            // It does, and does not let us in, or not now.
            Ok(Err(broken)) => matches!(broken.code(), Code::Unauthenticated | Code::PermissionDenied | Code::ResourceExhausted),
            Err(_) => false,
        }
    }

    /// The server's version in its own word.
    ///
    /// # Errors
    /// See [`Grpc::call`].
    pub(super) async fn version(&self) -> Result<Option<String>, Failure> {
        let client_info = Some(ClientInfo { sdk_type: "vec2lance-export".to_owned(), sdk_version: env!("CARGO_PKG_VERSION").to_owned() });
        // Servers before 2.3 do not know it, and need not.
        let hello: Result<ConnectResponse, Failure> = self.call("Connect", ConnectRequest { client_info }, "connect").await;
        if let Err(failure @ (Failure::Denied { .. } | Failure::Exhausted { .. } | Failure::Local(_))) = hello {
            return Err(failure);
        }
        let answer: GetVersionResponse = self.call("GetVersion", super::wire::Empty {}, "ask for the version").await?;
        Ok(Some(answer.version).filter(|v| !v.is_empty()))
    }

    /// A request about one collection.
    pub(super) fn about(&self, collection: &str) -> CollectionRequest {
        CollectionRequest { db_name: self.database(), collection_name: collection.to_owned() }
    }

    /// Sends a request and reads its answer, trying again where that may help.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(super) async fn call<Q: Message + Clone + 'static, A: Answer>(&self, method: &str, request: Q, what: &str) -> Result<A, Failure> {
        let what = format!("{} at {}", clean(what), self.shown);
        self.pace
            .retry(&what, || async {
                let sent = tokio::time::timeout(self.timeout, self.send::<Q, A>(method, request.clone())).await;
                let answer = match sent {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(broken)) => return Err(self.broken(&broken, &what)),
                    Err(_) => return Err(Attempt::Again { reason: "the server did not answer in time".to_owned(), after: None }),
                };
                match answer.status().filter(|s| s.code != 0 || s.error_code != 0) {
                    Some(status) => Err(self.refused(status, &what)),
                    None => Ok(answer),
                }
            })
            .await
    }

    async fn send<Q: Message + 'static, A: Answer>(&self, method: &str, message: Q) -> Result<A, Broken> {
        let mut client = Unary::new(self.channel.clone()).max_decoding_message_size(LARGEST);
        client.ready().await.map_err(|e| Broken::unavailable(text_of(&e)))?;
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        if !self.database.is_empty()
            && let Ok(value) = MetadataValue::try_from(self.database.as_str())
        {
            request.metadata_mut().insert("dbname", value);
        }
        let path = format!("/{SERVICE}/{method}").parse::<Uri>().ok().and_then(|uri| uri.path_and_query().cloned());
        let Some(path) = path else { return Err(Broken::internal("no such call")) };
        client.unary(request, path, ProstCodec::<Q, A>::default()).await.map(tonic::Response::into_inner)
    }

    /// A failure of the protocol or below it.
    fn broken(&self, broken: &Broken, what: &str) -> Attempt {
        let (what, message) = (what.to_owned(), self.hidden(&words(broken)));
        match broken.code() {
            Code::ResourceExhausted | Code::OutOfRange if is_too_large(&message) => Failure::TooLarge { what, message }.into(),
            Code::Unauthenticated | Code::PermissionDenied => Failure::Denied { what, status: 0, message }.into(),
            Code::NotFound => Failure::Missing { what, message }.into(),
            Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange | Code::AlreadyExists => Failure::Refused { what, status: 0, message }.into(),
            Code::Unimplemented => Failure::Refused { what, status: 0, message: format!("it does not know this call of gRPC: {message}") }.into(),
            _ if ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|word| message.contains(word)) => {
                Failure::Local(Error::new(format!("cannot {what}: {message}")).help("a private authority's certificate is given with --ca-file")).into()
            }
            code => Attempt::Again { reason: format!("{code:?}: {message}"), after: None },
        }
    }

    /// A failure that the server tells in its answer. Numbers are those of `pkg/util/merr` and, where the second is 0, of the old
    /// enumeration.
    fn refused(&self, status: &Status, what: &str) -> Attempt {
        let (what, message) = (what.to_owned(), self.hidden(&clean(&status.reason)));
        if is_too_large(&message) {
            return Failure::TooLarge { what, message }.into();
        }
        match (status.code, status.error_code) {
            // Not ready, unavailable, over a limit of requests; rate limit.
            (8, _) | (0, 49) => Attempt::Again { reason: format!("rate limit: {message}"), after: None },
            _ if status.retriable => Attempt::Again { reason: message, after: None },
            (1400..=1499 | 1800, _) | (0, 3) => Failure::Denied { what, status: 0, message }.into(),
            (100 | 200 | 800, _) | (0, 4) => Failure::Missing { what, message }.into(),
            _ => Failure::Refused { what, status: 0, message }.into(),
        }
    }

    /// `text` without the credential, as it is and as it is sent.
    fn hidden(&self, text: &str) -> String {
        let Some(secret) = &self.secret else { return text.to_owned() };
        let sent = Secret::new(base64::engine::general_purpose::STANDARD.encode(secret.expose()));
        sent.hide(&secret.hide(text))
    }
}

/// Words by which servers and clients of gRPC say that an answer is too large.
pub(super) fn is_too_large(message: &str) -> bool {
    ["larger than max", "message length too large", "maxOutputSize", "message too large", "exceed the limit size"].iter().any(|sign| message.contains(sign))
}

/// A status' own words, and those of what caused it.
fn words(broken: &Broken) -> String {
    use std::error::Error as _;
    let mut text = broken.message().to_owned();
    let mut cause = broken.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    clean(&text)
}

/// An error and the deepest of its causes.
fn text_of(error: &tonic::transport::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    clean(&deepest.to_string())
}
