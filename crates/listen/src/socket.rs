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
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use metrics::Counter;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{connections::Holder, tls::Tls};

/// How often a socket that is not read is looked at for its end.
const HANGUP_LOOK: Duration = Duration::from_secs(1);

/// What the kernel keeps of bytes that it could not send yet because the client takes nothing, about. By
/// itself it keeps some megabytes, and takes more only when a third of that is gone: a reader of 50 KB/s
/// would seem to take nothing for half a minute. With this it is seen to take something as soon as half of
/// this is gone; what is on its way on a long link is not bounded by it.
const UNSENT_BYTES_MAX: u32 = 32 << 10;

/// Of which room for what comes over TLS a connection holds some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TlsRoom {
    None,
    /// That of connections that have not said who they are.
    Strangers,
    /// That of all others.
    Known,
}

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
    /// A [`TlsRoom`].
    tls_room: AtomicU8,
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

    /// Notes what it holds of the rooms for what comes over TLS.
    pub(crate) fn set_tls_room(&self, room: TlsRoom) {
        self.tls_room.store(room as u8, Ordering::Relaxed);
    }

    /// Whether that is some of `room`.
    pub(crate) fn holds_tls_room(&self, room: TlsRoom) -> bool {
        self.tls_room.load(Ordering::Relaxed) == room as u8
    }

    /// A write waits for the reader.
    pub(crate) fn waits(&self, epoch: Instant) {
        begin(&self.since, epoch);
    }

    /// The reader has taken so many bytes more, and nothing waits for it.
    pub(crate) fn took(&self, bytes: u64) {
        self.since.store(0, Ordering::Relaxed);
        self.taken.fetch_add(bytes, Ordering::Relaxed);
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

/// Prepares a connection that was accepted: what is written goes out at once, and what the client does not
/// take waits here rather than in the kernel. A kernel that cannot do so does as it likes.
pub(crate) fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
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
            Poll::Pending => self.pending.waits(self.epoch),
            Poll::Ready(Ok(count)) => {
                self.pending.took(*count as u64);
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures::FutureExt;
    use metrics::Counter;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpSocket},
    };

    use super::*;

    /// More than a reader and both kernels hold.
    const MUCH: usize = 2 << 20;

    #[tokio::test]
    async fn what_a_reader_does_not_take_waits_here_and_each_bit_that_it_takes_is_seen()
    -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let client = TcpSocket::new_v4()?;
        client.set_recv_buffer_size(16 << 10)?;
        let mut client = client.connect(listener.local_addr()?).await?;
        let (stream, _) = listener.accept().await?;
        prepare(&stream);
        let (pending, epoch) = (Arc::<Pending>::default(), Instant::now());
        let transport = Transport::Plain(stream);
        let mut socket = Socket::new(transport, Arc::clone(&pending), epoch, Counter::noop());
        let answer = vec![7; MUCH];
        let mut sending = Box::pin(socket.write_all(&answer));
        assert!((&mut sending).now_or_never().is_none(), "the kernel took all of it");
        assert!(pending.is_waiting());
        for read in (1..4).map(|times| times * (256 << 10)) {
            let mut bit = vec![0; 256 << 10];
            tokio::select! {
                biased;
                _ = &mut sending => unreachable!("there is more than was read"),
                came = client.read_exact(&mut bit) => came?,
            };
            assert!(pending.taken() < read + (256 << 10), "{} of {read}", pending.taken());
        }
        Ok(())
    }
}
