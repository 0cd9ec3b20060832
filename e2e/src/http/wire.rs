//! Bytes to heads and bodies.
//!
//! Everything read lies in one buffer until it is understood, and the only thing awaited is more of
//! it: a read that is dropped half-way loses nothing.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Larger heads are no answers of ours.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// A chunk's size line is a hexadecimal number.
const SIZE_LINE_BYTES_MAX: usize = 64;

/// A status line and headers.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// How the body is delimited.
    pub(super) fn framing(&self) -> Result<Framing> {
        if matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(Framing::Length(0));
        }
        match (self.header("transfer-encoding"), self.header("content-length")) {
            (Some("chunked"), _) => Ok(Framing::Chunked { left: 0, is_first: true }),
            (Some(other), _) => bail!("transfer encoding `{other}` is not understood"),
            (None, Some(length)) => {
                let length = length.parse().with_context(|| format!("bad length `{length}`"))?;
                Ok(Framing::Length(length))
            }
            (None, None) => Ok(Framing::UntilClosed),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("no status line: `{first}`"))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Self { status, headers })
    }
}

/// How the rest of a body is delimited.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// This many bytes.
    Length(usize),
    /// Chunks; `left` bytes of the present one.
    Chunked { left: usize, is_first: bool },
    /// Until the connection is closed.
    UntilClosed,
    /// It is over.
    Over,
}

/// A connection and what was read from it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Wire {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("failed to connect to {address}"))?;
        stream.set_nodelay(true).context("failed to turn off delays")?;
        Ok(Self { stream, buffer: BytesMut::new() })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.context("failed to send a request")
    }

    /// Reads more; `false` at the end of the connection.
    async fn fill(&mut self) -> Result<bool> {
        self.buffer.reserve(4 << 10);
        let count = self.stream.read_buf(&mut self.buffer).await;
        Ok(count.context("the connection broke")? > 0)
    }

    /// Reads a status line and headers.
    pub(super) async fn head(&mut self) -> Result<Head> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(end);
                self.buffer.advance(4);
                return Head::parse(&String::from_utf8_lossy(&head));
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                bail!("the answer's head does not end");
            }
            if !self.fill().await? {
                bail!("the connection was closed before an answer");
            }
        }
    }

    /// Some bytes of the body; `None` at its proper end. An end without one is an error.
    pub(super) async fn body(&mut self, framing: &mut Framing) -> Result<Option<Bytes>> {
        loop {
            match framing {
                Framing::Over | Framing::Length(0) => return Ok(None),
                Framing::Chunked { left: 0, is_first } => {
                    if let Some(size) = self.chunk_size(*is_first)? {
                        *framing = match size {
                            0 => Framing::Over,
                            left => Framing::Chunked { left, is_first: false },
                        };
                        continue;
                    }
                }
                Framing::Length(left) | Framing::Chunked { left, .. } => {
                    if !self.buffer.is_empty() {
                        let taken = self.buffer.len().min(*left);
                        *left -= taken;
                        return Ok(Some(self.buffer.split_to(taken).freeze()));
                    }
                }
                Framing::UntilClosed if !self.buffer.is_empty() => {
                    return Ok(Some(self.buffer.split().freeze()));
                }
                Framing::UntilClosed => {}
            }
            if !self.fill().await? {
                if matches!(framing, Framing::UntilClosed) {
                    *framing = Framing::Over;
                    continue;
                }
                bail!("the body was cut off");
            }
        }
    }

    /// The size of the next chunk, if its line is here: behind the end of the one before, if any.
    fn chunk_size(&mut self, is_first: bool) -> Result<Option<usize>> {
        let skipped = if is_first { 0 } else { 2 };
        let Some(rest) = self.buffer.get(skipped..) else { return Ok(None) };
        let Some(end) = find(rest, b"\r\n") else {
            if rest.len() > SIZE_LINE_BYTES_MAX {
                bail!("a chunk has no size");
            }
            return Ok(None);
        };
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .with_context(|| format!("`{line}` is no size of a chunk"))?;
        let mut consumed = skipped + end + 2;
        if size == 0 {
            // No trailers are sent to us: the end is an empty line.
            if self.buffer.len() < consumed + 2 {
                return Ok(None);
            }
            consumed += 2;
        }
        self.buffer.advance(consumed);
        Ok(Some(size))
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Reads an answer that arrives in pieces of `size` bytes; the body, or what is wrong.
    async fn read(answer: &'static str, size: usize) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut wire = Wire::connect(listener.local_addr()?).await?;
        let (mut server, _) = listener.accept().await?;
        let sending = tokio::spawn(async move {
            for piece in answer.as_bytes().chunks(size) {
                server.write_all(piece).await?;
                server.flush().await?;
            }
            anyhow::Ok(())
        });
        let head = wire.head().await?;
        let mut framing = head.framing()?;
        let mut body = Vec::new();
        while let Some(bytes) = wire.body(&mut framing).await? {
            body.extend_from_slice(&bytes);
        }
        sending.await??;
        Ok(String::from_utf8(body)?)
    }

    #[tokio::test]
    async fn chunks_are_put_together_however_they_arrive() -> Result<()> {
        const ANSWER: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                              6\r\nrain, \r\nA;x=y\r\nand\r\nagain\r\n0\r\n\r\n";
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(read(ANSWER, size).await?, "rain, and\r\nagain");
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_body_that_ends_too_early_is_an_error() {
        let cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nrain, \r\n";
        assert!(read(cut, 1000).await.is_err(), "no last chunk");
        let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nrain";
        assert!(read(short, 1000).await.is_err(), "less than promised");
    }
}
