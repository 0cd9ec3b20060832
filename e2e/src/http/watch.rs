//! One watch: lines for as long as the server sends them.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use bytes::{Bytes, BytesMut};

use super::{
    Head, request,
    wire::{Framing, Wire},
};

/// What a watch gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// One line with something in it, without its end.
    Event(Bytes),
    /// The server ended the answer properly: nothing more will come.
    End,
}

/// An answer of `/api/v1/events?watch=true` that is being read.
#[derive(Debug)]
pub struct Watch {
    wire: Wire,
    framing: Framing,
    /// Status line and headers, which come before any event.
    pub head: Head,
    text: BytesMut,
}

impl Watch {
    /// Begins to watch; `query` is added to `watch=true`, for example `offset=earliest`.
    pub async fn open(address: SocketAddr, query: &str) -> Result<Self> {
        let separator = if query.is_empty() { "" } else { "&" };
        let target = format!("/api/v1/events?watch=true{separator}{query}");
        let mut wire = Wire::connect(address).await?;
        wire.send(&request(address, "GET", &target, &[], &[])).await?;
        let head = wire.head().await?;
        if head.status != 200 {
            bail!("`{target}` was answered with status {}", head.status);
        }
        let framing = head.framing()?;
        Ok(Self { wire, framing, head, text: BytesMut::new() })
    }

    /// The next line that is not empty; empty ones are heartbeats. An error means that the
    /// connection broke off in the middle. May be dropped while it waits: nothing is lost.
    pub async fn line(&mut self) -> Result<Line> {
        let mut searched = 0;
        loop {
            let found = self.text[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = found.map(|at| searched + at) {
                let line = self.text.split_to(end + 1).freeze();
                let line = line.slice(..end);
                searched = 0;
                if !line.is_empty() {
                    return Ok(Line::Event(line));
                }
                continue;
            }
            searched = self.text.len();
            match self.wire.body(&mut self.framing).await? {
                Some(bytes) => self.text.extend_from_slice(&bytes),
                None if self.text.is_empty() => return Ok(Line::End),
                None => bail!("the watch ended in the middle of a line"),
            }
        }
    }
}
