//! A client's socket, plain or encrypted, watched while a protocol uses it.
//!
//! Only the socket can see that a reader takes nothing any more: a write has been pending, without a
//! byte of progress, since … It is a number that the listener looks at now and then, so that a
//! stalled reader costs no timer of its own.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use metrics::Counter;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{pending::Pending, tls::Tls};

/// How often a socket that is not read is looked at for its end.
const HANGUP_LOOK: Duration = Duration::from_secs(1);

/// What the kernel keeps of bytes that it could not send yet because the client takes nothing, about. By
/// itself it keeps some megabytes, and takes more only when a third of that is gone: a reader of 50 KB/s
/// would seem to take nothing for half a minute. With this it is seen to take something as soon as half of
/// this is gone; what is on its way on a long link is not bounded by it.
const UNSENT_BYTES_MAX: u32 = 32 << 10;

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
