//! A client's socket, watched while hyper uses it.
//!
//! Two things only the socket can see: that a reader takes nothing any more (a write has been
//! pending, without a byte of progress, since …), and that a request line does not end (hyper would
//! call that "headers too large"). The first is a number that the listener looks at now and then, so
//! that a stalled reader costs no timer of its own.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use metrics::Counter;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::server::TlsStream;

/// The other end, as an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// A request line longer than this will never be served: see `limits::TARGET_BYTES_MAX`.
const LINE_BYTES_MAX: usize = 32 << 10;

/// Since when a write has been pending, in milliseconds since the listener's epoch and plus one;
/// zero: none is.
#[derive(Debug, Default)]
pub(super) struct Pending(AtomicU64);

impl Pending {
    /// Whether a write was pending without progress for `limit` at `now`.
    pub(super) fn is_stalled(&self, now: Duration, limit: Duration) -> bool {
        match self.0.load(Ordering::Relaxed) {
            0 => false,
            since => now.saturating_sub(Duration::from_millis(since - 1)) >= limit,
        }
    }
}

/// Plain or encrypted.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(super) struct Socket {
    transport: Transport,
    pending: Arc<Pending>,
    epoch: Instant,
    line: Line,
    sent: Counter,
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
    pub(super) fn new(
        transport: Transport,
        pending: Arc<Pending>,
        epoch: Instant,
        sent: Counter,
    ) -> Self {
        Self { transport, pending, epoch, line: Line::Open(0), sent }
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
        match &result {
            Poll::Pending => {
                let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
                let _ = self.pending.0.compare_exchange(
                    0,
                    now + 1,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
            }
            Poll::Ready(Ok(count)) => {
                self.pending.0.store(0, Ordering::Relaxed);
                self.sent.increment(*count as u64);
                // An answer goes out: what comes next begins with a request line.
                self.line = Line::Open(0);
            }
            Poll::Ready(Err(_)) => {}
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
        let result = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
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
        let result = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        };
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
