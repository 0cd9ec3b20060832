//! One watcher that looks at its lines.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use memchr::memchr;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::decode::Decoder;

/// What the benchmarks read of an event.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) r#type: String,
    pub(crate) time: Option<Timestamp>,
    pub(crate) recordedtime: Option<Timestamp>,
}

/// An open watch.
#[derive(Debug)]
pub(crate) struct Watcher {
    stream: TcpStream,
    decoder: Decoder,
    /// What came of the body and was not taken.
    body: Vec<u8>,
    buffer: Vec<u8>,
}

/// A request as all watchers send it.
pub(crate) fn request(address: SocketAddr, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: {address}\r\naccept: application/x-ndjson\r\n\r\n")
}

impl Watcher {
    /// Opens a watch; it is open on return.
    pub(crate) async fn open(address: SocketAddr, target: &str) -> Result<Watcher> {
        Self::ask(address, &request(address, target)).await
    }

    /// Opens a watch by this request.
    pub(crate) async fn ask(address: SocketAddr, request: &str) -> Result<Watcher> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes()).await?;
        let (decoder, buffer) = (Decoder::new(), vec![0; 256 << 10]);
        let mut watcher = Watcher { stream, decoder, body: Vec::new(), buffer };
        while !watcher.decoder.is_open() {
            watcher.receive().await?;
        }
        Ok(watcher)
    }

    /// Waits for the next lines and gives those that are whole, each with its line break.
    pub(crate) async fn next(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(last) = memchr::memrchr(b'\n', &self.body) {
                let rest = self.body.split_off(last + 1);
                return Ok(std::mem::replace(&mut self.body, rest));
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<()> {
        let count = self.stream.read(&mut self.buffer).await?;
        if count == 0 {
            bail!("the watch ended");
        }
        let Watcher { decoder, body, buffer, .. } = self;
        decoder.feed(&buffer[..count], |part| body.extend_from_slice(part))
    }
}

/// The events of some lines.
pub(crate) fn events(mut lines: &[u8]) -> Result<Vec<Line>> {
    let mut events = Vec::new();
    while let Some(end) = memchr(b'\n', lines) {
        if end > 0 {
            let event = serde_json::from_slice(&lines[..end]);
            events.push(event.context("a line is no event")?);
        }
        lines = &lines[end + 1..];
    }
    Ok(events)
}
