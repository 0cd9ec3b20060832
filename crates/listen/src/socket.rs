//! A client's socket, plain or encrypted, watched while a protocol uses it.
//!
//! Only the socket can see that a reader takes nothing any more: a write has been pending, without a
//! byte of progress, since … It is a number that the listener looks at now and then, so that a
//! stalled reader costs no timer of its own.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use metrics::Counter;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{connections::Holder, tls::Tls};

/// How often a socket that is not read is looked at for its end.
const HANGUP_LOOK: Duration = Duration::from_secs(1);

/// How a connection stands, seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    number: u64,
    /// Since when a write has been pending, in milliseconds since the listener's epoch and plus one;
    /// zero: none is.
    since: AtomicU64,
    /// Bytes that the reader has taken.
    taken: AtomicU64,
    /// Whose it is, once the client has said who it is, or what it wants where nobody must.
    holder: OnceLock<Holder>,
    /// Since when the client has asked for nothing, where that is noted; as `since`.
    idle_since: AtomicU64,
    /// Told when another connection of the same client takes the place.
    displaced: Notify,
    /// Since when a TLS record that holds room has not become whole; as `since`.
    cut_since: AtomicU64,
}

impl Pending {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// Which of its listener's connections it is, counted from the first.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether a write was pending without progress for `limit` at `now`, or a large TLS record has not
    /// become whole for as long.
    pub(crate) fn is_stalled(&self, now: Duration, limit: Duration) -> bool {
        [&self.since, &self.cut_since].into_iter().any(|since| {
            match since.load(Ordering::Relaxed) {
                0 => false,
                since => now.saturating_sub(Duration::from_millis(since - 1)) >= limit,
            }
        })
    }

    /// Notes whether a large TLS record is not whole yet.
    pub(crate) fn set_cut(&self, is_cut: bool, epoch: Instant) {
        if is_cut {
            begin(&self.cut_since, epoch);
        } else {
            self.cut_since.store(0, Ordering::Relaxed);
        }
    }

    /// Whether a write is pending.
    pub(crate) fn is_waiting(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// Bytes that the reader has taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The client is somebody: its connection is not given up for one of anybody else any more. To be
    /// called by who counts what each has.
    pub(crate) fn known(&self, holder: Holder) {
        let _ = self.holder.set(holder);
    }

    pub(crate) fn is_known(&self) -> bool {
        self.holder.get().is_some()
    }

    pub(crate) fn holder(&self) -> Option<&Holder> {
        self.holder.get()
    }

    /// Notes whether the client asks for nothing. Who does not note it is never taken for idle.
    pub(crate) fn set_idle(&self, is_idle: bool, epoch: Instant) {
        if is_idle {
            begin(&self.idle_since, epoch);
        } else {
            self.idle_since.store(0, Ordering::Relaxed);
        }
    }

    /// How long the client has asked for nothing at `now`; `None` while it asks for something.
    pub(crate) fn idle(&self, now: Duration) -> Option<Duration> {
        let since = self.idle_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.saturating_sub(Duration::from_millis(since)))
    }

    /// Another connection of the same client has the place.
    pub(crate) fn displace(&self) {
        self.displaced.notify_one();
    }

    /// Resolves when that has happened.
    pub(crate) async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

/// Notes that something begins now, if it has not begun yet.
fn begin(since: &AtomicU64, epoch: Instant) {
    let now = u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
    let _ = since.compare_exchange(0, now + 1, Ordering::Relaxed, Ordering::Relaxed);
}

/// Plain or encrypted.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// A transport that counts what it sends and tells when it waits.
pub(crate) struct Socket {
    transport: Transport,
    pending: Arc<Pending>,
    epoch: Instant,
    sent: Counter,
}

impl Socket {
    pub(crate) fn new(
        transport: Transport,
        pending: Arc<Pending>,
        epoch: Instant,
        sent: Counter,
    ) -> Self {
        Self { transport, pending, epoch, sent }
    }

    /// Resolves when the client has closed its side, which is seen though nothing is read. Bytes that wait to
    /// be read make the socket ready all the time, so it is looked at now and then.
    pub(crate) async fn hung_up(&self) {
        let stream = match &self.transport {
            Transport::Plain(stream) => stream,
            Transport::Tls(stream) => stream.tcp(),
        };
        while let Ok(ready) = stream.ready(Interest::READABLE).await
            && !ready.is_read_closed()
        {
            sleep(HANGUP_LOOK).await;
        }
    }

    fn written(&self, result: &Poll<io::Result<usize>>) {
        match result {
            Poll::Pending => begin(&self.pending.since, self.epoch),
            Poll::Ready(Ok(count)) => {
                self.pending.since.store(0, Ordering::Relaxed);
                self.pending.taken.fetch_add(*count as u64, Ordering::Relaxed);
                self.sent.increment(*count as u64);
            }
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
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
        self.written(&result);
        result
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
        self.written(&result);
        result
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
