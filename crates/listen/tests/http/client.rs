//! A small HTTP client that shows what it gets: whole answers, and watches line by line.

use std::{net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything here takes: a test that waits for ever should fail instead.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work).await.expect_in_time()
}

trait InTime<T> {
    fn expect_in_time(self) -> T;
}

impl<T, E> InTime<T> for Result<T, E> {
    #[track_caller]
    fn expect_in_time(self) -> T {
        self.ok().unwrap()
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Response<Incoming> {
    let stream = within(TcpStream::connect(address)).await.unwrap();
    send_over(stream, method, target, headers).await
}

pub(crate) async fn send_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Response<Incoming> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    within(sender.send_request(request(method, target, headers))).await.unwrap()
}

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::builder().method(method).uri(target);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).unwrap()
}

/// A connection that several requests go over.
pub(crate) struct Client(http1::SendRequest<Empty<Bytes>>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within(TcpStream::connect(address)).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn get_with(&mut self, target: &str, headers: &[(&str, &str)]) -> Reply {
        within(self.0.ready()).await.unwrap();
        Reply::of(within(self.0.send_request(request("GET", target, headers))).await.unwrap()).await
    }
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) async fn get(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Self {
        Self::of(send(address, "GET", target, headers).await).await
    }

    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The ids of a page's events.
    pub(crate) fn ids(&self) -> Vec<i64> {
        let page = self.json();
        let events = page.as_array().unwrap_or_else(|| unreachable!("no page: {page}"));
        events.iter().map(id).collect()
    }

    /// The target of the link with `relation`.
    pub(crate) fn link(&self, relation: &str) -> Option<String> {
        let relation = format!("rel=\"{relation}\"");
        let link = self.header("link")?.split(", ").find(|link| link.ends_with(&relation))?;
        Some(link[1..link.find('>').unwrap()].to_owned())
    }

    /// A problem's status and the beginning of its detail, checked to be a problem at all.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.text()
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        (self.status.as_u16(), problem["detail"].as_str().unwrap().to_owned())
    }
}

/// The id of an event, as a number.
pub(crate) fn id(event: &serde_json::Value) -> i64 {
    event["id"].as_str().unwrap().parse().unwrap()
}

/// A watch.
pub(crate) struct Watching {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    buffer: BytesMut,
}

impl Watching {
    pub(crate) async fn open(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Self {
        Self::of(send(address, "GET", target, headers).await)
    }

    pub(crate) fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        Self { status, headers, body, buffer: BytesMut::new() }
    }

    /// The next line; `None` after a clean end. An unclean end fails the test.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(at + 1);
                return Some(String::from_utf8(line[..at].to_vec()).unwrap());
            }
            match within(self.body.frame()).await {
                Some(frame) => self.buffer.extend_from_slice(&frame.unwrap().into_data().unwrap()),
                None => {
                    assert!(self.buffer.is_empty(), "half a line at the end");
                    return None;
                }
            }
        }
    }

    /// The next event, heartbeats left out.
    pub(crate) async fn event(&mut self) -> Option<serde_json::Value> {
        loop {
            let line = self.line().await?;
            if !line.is_empty() {
                return Some(serde_json::from_str(&line).unwrap());
            }
        }
    }

    /// The ids of the next `count` events.
    pub(crate) async fn ids(&mut self, count: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(id(&self.event().await.unwrap()));
        }
        ids
    }

    /// All that is left, up to a clean end.
    pub(crate) async fn rest(&mut self) -> Vec<serde_json::Value> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    /// Whether anything has come that was not read yet; asks the socket, does not wait.
    pub(crate) async fn is_silent(&mut self) -> bool {
        let frame = futures::poll!(std::pin::pin!(self.body.frame()));
        self.buffer.is_empty() && frame.is_pending()
    }

    /// The next block of Server-Sent Events as its lines.
    pub(crate) async fn block(&mut self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            match self.line().await? {
                line if line.is_empty() => return Some(lines),
                line => lines.push(line),
            }
        }
    }
}
