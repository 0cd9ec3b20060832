//! A client's socket, watched while hyper uses it.
//!
//! Only the socket can see that a request line does not end: hyper would call that "headers too
//! large". All else is [`crate::socket`].

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::access::Login;

/// The other end, as an extension of each request.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Shared by the requests of one connection.
    pub(super) login: Arc<Login>,
}

/// A request line longer than this will never be served: see `limits::TARGET_BYTES_MAX`.
const LINE_BYTES_MAX: usize = 32 << 10;

pub(super) struct Socket {
    inner: crate::socket::Socket,
    line: Line,
}

/// How far the request line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So many bytes of it came.
    Open(usize),
    Complete,
    TooLong,
}

impl Socket {
    pub(super) fn new(inner: crate::socket::Socket) -> Self {
        Self { inner, line: Line::Open(0) }
    }

    /// Whether reading was broken off because the request line did not end.
    pub(super) fn is_line_too_long(&self) -> bool {
        self.line == Line::TooLong
    }

    /// From here on what comes is read away, however long its lines are.
    pub(super) fn stop_looking(&mut self) {
        self.line = Line::Complete;
    }

    fn look(&mut self, bytes: &[u8]) {
        if let Line::Open(length) = self.line {
            let length = length + bytes.len();
            self.line = if bytes.contains(&b'\n') {
                Line::Complete
            } else if length > LINE_BYTES_MAX {
                Line::TooLong
            } else {
                Line::Open(length)
            };
        }
    }

    fn written(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(_)) = &result {
            // An answer goes out: what comes next begins with a request line.
            self.line = Line::Open(0);
        }
        result
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_line_too_long() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.look(buffer.filled().get(before..).unwrap_or_default());
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
