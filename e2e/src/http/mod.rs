//! A small HTTP/1.1 client: what the tests need to see of the wire, and nothing else.
//!
//! A [`Connection`] asks and reads answers one after the other; a [`Watch`] reads lines from an
//! answer that goes on. Both read through `wire`, where all state lies, so that every wait may be
//! dropped and begun again.
//!
//! It refuses TLS, redirects, compression and pipelining; what it does not understand is an error.

mod watch;
mod wire;

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

pub use watch::{Line, Watch};
pub use wire::Head;
use wire::{Framing, Wire};

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status line and headers.
    pub head: Head,
    /// The body, de-chunked.
    pub body: Vec<u8>,
}

impl Answer {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON: {}", self.text()))
    }
}

/// A connection that is kept open between requests.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    address: SocketAddr,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self { wire: Wire::connect(address).await?, address })
    }

    /// Sends a request and reads the whole answer. `headers` are complete lines.
    pub async fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[String],
        body: &[u8],
    ) -> Result<Answer> {
        let request = request(self.address, method, target, headers, body);
        self.ask_raw(&request, method == "HEAD").await
    }

    /// Sends bytes as they are, which may be no proper request at all, and reads an answer.
    pub async fn ask_raw(&mut self, bytes: &[u8], is_head: bool) -> Result<Answer> {
        self.wire.send(bytes).await?;
        let head = self.wire.head().await?;
        let mut framing = if is_head { Framing::Length(0) } else { head.framing()? };
        let mut body = Vec::new();
        while let Some(bytes) = self.wire.body(&mut framing).await? {
            body.extend_from_slice(&bytes);
        }
        Ok(Answer { head, body })
    }
}

/// A request's bytes.
fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[String],
    body: &[u8],
) -> Vec<u8> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n");
    for header in headers {
        request += header;
        request += "\r\n";
    }
    if !body.is_empty() || method == "POST" {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Asks once, on a connection of its own.
pub async fn get(address: SocketAddr, target: &str) -> Result<Answer> {
    let mut connection = Connection::open(address).await?;
    connection.ask("GET", target, &["Connection: close".to_owned()], &[]).await
}

/// Asks once with an empty body.
pub async fn post(address: SocketAddr, target: &str) -> Result<Answer> {
    let mut connection = Connection::open(address).await?;
    connection.ask("POST", target, &["Connection: close".to_owned()], &[]).await
}
