//! An HTTP/1.1 client with limits, and errors that say which part of the way failed.
//!
//! It sends one request and reads one answer. What it refuses, each for a reason:
//! redirects (a login must not be sent on to a host that nobody configured), proxies taken from the
//! environment (a private cloud is not reached through them, and a forgotten `https_proxy` is a
//! long search), cookies (their owner is the session, see the clients in `clouds`), HTTP/2 (vCenter's
//! own is young), and bodies without end.
//!
//! An answer with any status is an answer: only what prevents one is an [`HttpError`].

mod error;
mod resolve;
mod reuse;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::{Bytes, BytesMut};
use url::Url;

pub use self::error::{HttpError, Part};
use self::resolve::SystemResolver;
use self::reuse::Connection;
use crate::tls::{TlsError, TlsOptions};

/// A peer in the same data center answers a connect in milliseconds; ten seconds covers a lost
/// SYN twice and still lets a status line appear while somebody is looking.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read, after decompression: a page of 1,000 vCenter events takes 2 MB,
/// of very large ones 20 MB. Beyond it the peer is broken or hostile.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Applies to requests which set nothing: the slowest answers known, a vCenter that builds a
/// collector over years of events, take under a minute.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// How long the body of an answer that is judged by its status may take: it is read to tell an error's
/// words, and to use the connection again.
const BODY_PATIENCE: Duration = Duration::from_secs(2);

/// Below the idle time of common load balancers, so that we close first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Opens connections by one set of TLS options and sends requests over them.
#[derive(Debug, Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    /// Opens a connection for each request.
    unpooled: reqwest::Client,
}

/// One request, complete before it is sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    answer_bytes_max: Option<usize>,
    is_repeatable: bool,
    is_by_status: bool,
}

/// One whole answer.
#[derive(Debug, Clone)]
pub struct HttpReply {
    /// The status, whatever it is.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
    /// Whether the body did not end in the time that it was given; only of requests that are judged
    /// [by their status](Request::by_status).
    pub is_unended: bool,
}

/// How much of an answer's body is read, and for how long.
struct BodyLimits {
    bytes_max: Option<usize>,
    is_by_status: bool,
}

impl HttpClient {
    /// Reads the files which the options name and prepares a client; connects to nobody yet.
    pub fn new(tls: &TlsOptions) -> Result<HttpClient, TlsError> {
        let tls = tls.client_config()?;
        let client = |idle_max| {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Arc::new(SystemResolver))
                .http1_only()
                .gzip(true)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_max_idle_per_host(idle_max)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .tcp_nodelay(true)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .user_agent(concat!("pluvio/", env!("CARGO_PKG_VERSION")))
                .connector_layer(reuse::NotingConnects)
                .build()
                .map_err(TlsError::Client)
        };
        Ok(HttpClient { inner: client(usize::MAX)?, unpooled: client(0)? })
    }

    /// Sends one request once and reads the whole answer. A [repeatable](Request::repeatable) one is
    /// sent once more, over a connection of its own, if a connection that had been used before ended
    /// without a byte of an answer.
    pub async fn send(&self, request: Request) -> Result<HttpReply, HttpError> {
        let again = request.is_repeatable.then(|| request.clone());
        let (sent, was_reused) = attempt(&self.inner, request).await;
        match (sent, again) {
            (Err(HttpError::Reset { .. }), Some(request)) if was_reused => {
                attempt(&self.unpooled, request).await.0
            }
            (sent, _) => sent,
        }
    }
}

/// Sends it once; also whether its connection had been used before.
async fn attempt(
    client: &reqwest::Client,
    request: Request,
) -> (Result<HttpReply, HttpError>, bool) {
    let host = authority_of(&request.url);
    let body =
        BodyLimits { bytes_max: request.answer_bytes_max, is_by_status: request.is_by_status };
    let sending = client
        .request(request.method, request.url)
        .headers(request.headers)
        .timeout(request.timeout)
        .body(request.body)
        .send();
    let (began, was_reused) = reuse::noted(sending, |sent, connection| {
        let waited_for = match connection {
            Connection::Opening => Part::Connection,
            Connection::Opened | Connection::Reused => Part::Head,
        };
        let began = sent.map_err(|error| HttpError::classify(&host, error, waited_for));
        (began, connection == Connection::Reused)
    })
    .await;
    let reply = match began {
        Ok(response) => read(&host, response, body).await,
        Err(error) => Err(error),
    };
    (reply, was_reused)
}

impl Request {
    /// A request without a body.
    pub fn get(url: Url) -> Request {
        Request::new(Method::GET, url, Bytes::new())
    }

    /// A request with a body; its type goes into the headers.
    pub fn post(url: Url, body: impl Into<Bytes>) -> Request {
        Request::new(Method::POST, url, body)
    }

    /// Adds a header, or replaces it.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Request {
        self.headers.insert(name, value);
        self
    }

    /// With these headers and no others.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Request {
        self.headers = headers;
        self
    }

    /// How long the whole exchange may take, the body included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Request {
        self.timeout = timeout;
        self
    }

    /// Keeps at most `bytes` of the answer's body and leaves the rest, with its connection: for an
    /// answer whose length is the other side's choice.
    #[must_use]
    pub fn answer_bytes_max(mut self, bytes: usize) -> Request {
        self.answer_bytes_max = Some(bytes);
        self
    }

    /// Says that the answer's status says everything: a body that cannot be read to its end (cut off, not
    /// in the encoding that its headers name, or not ended two seconds after the headers came) counts as
    /// far as it could be read.
    #[must_use]
    pub fn by_status(mut self) -> Request {
        self.is_by_status = true;
        self
    }

    /// Says that the server may be sent this request twice. A server may close a connection at the
    /// moment in which the next request is written to it; RFC 9112, section 9.3.1, lets a client repeat
    /// what it knows to be harmless. Not for requests that move something at the server, such as the
    /// cursor of a collector.
    #[must_use]
    pub fn repeatable(mut self) -> Request {
        self.is_repeatable = true;
        self
    }

    /// A request by any method.
    pub fn new(method: Method, url: Url, body: impl Into<Bytes>) -> Request {
        Request {
            method,
            url,
            headers: HeaderMap::new(),
            body: body.into(),
            timeout: REQUEST_TIMEOUT,
            answer_bytes_max: None,
            is_repeatable: false,
            is_by_status: false,
        }
    }
}

async fn read(
    host: &str,
    mut response: reqwest::Response,
    limits: BodyLimits,
) -> Result<HttpReply, HttpError> {
    let BodyLimits { bytes_max, is_by_status } = limits;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let ends = is_by_status.then(|| tokio::time::Instant::now() + BODY_PATIENCE);
    let mut body = BytesMut::new();
    let mut is_unended = false;
    loop {
        let chunk = match ends {
            Some(ends) => tokio::time::timeout_at(ends, response.chunk()).await,
            None => Ok(response.chunk().await),
        };
        match chunk {
            Ok(Ok(Some(chunk))) if bytes_max.is_some_and(|max| body.len() + chunk.len() > max) => {
                let room = bytes_max.unwrap_or_default().saturating_sub(body.len());
                body.extend_from_slice(&chunk[..room]);
                break;
            }
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                return Err(HttpError::TooLarge { host: host.to_owned() });
            }
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => break,
            Ok(Err(error)) if is_by_status => {
                is_unended = error.is_timeout();
                break;
            }
            Ok(Err(error)) => return Err(HttpError::classify(host, error, Part::Body)),
            Err(_elapsed) => {
                is_unended = true;
                break;
            }
        }
    }
    Ok(HttpReply { status, headers, body: body.freeze(), is_unended })
}

/// Host and port for error texts; never the user info, the path or the query.
pub fn authority_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
