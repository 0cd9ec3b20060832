//! The stream under the client, which sees only frames that it can read.
//!
//! ```text
//!   peer ─▶ whole frames ─▶ `frame::check` ─▶ client
//!                               └▶ the first that is refused ends the reading, and says why
//! ```
//!
//! The client (fe2o3-amqp 0.18, serde_amqp 0.18) has no limit for nesting and walks any range that is
//! settled, so a peer could end the process with one frame, or hold a thread for minutes with another.
//! A frame is kept until all of it is there, which the size that was offered bounds. Frames that go out
//! are not looked at.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    frame::{Refusal, check},
    said::Said,
};

/// The largest frame that is offered and taken, in bytes: the client's own default.
pub(super) const FRAME_BYTES_MAX: u32 = 256 * 1024;
/// `AMQP`, an id and a version.
const HEADER_BYTES: usize = 8;
/// How much is read at once.
const CHUNK_BYTES: usize = 8 * 1024;

/// What was heard of a connection's end that the client does not hand on: it keeps no I/O error once
/// the connection is open, and often loses what was said right before the stream ended.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Why a frame was refused, which ended the reading.
    pub(super) refusal: OnceLock<Refusal>,
    /// The error with which the peer ended the link, the session or the connection.
    pub(super) said: OnceLock<Said>,
}

/// A stream whose frames are checked.
#[derive(Debug)]
pub(super) struct Guard<S> {
    stream: S,
    heard: Arc<Heard>,
    read: BytesMut,
    /// How many bytes of `read` may be handed on.
    checked: usize,
    /// Whether the peer has said what it speaks.
    is_begun: bool,
}

impl<S> Guard<S> {
    /// What comes from `stream` until a frame is refused.
    pub(super) fn new(stream: S, heard: Arc<Heard>) -> Self {
        Self { stream, heard, read: BytesMut::new(), checked: 0, is_begun: false }
    }

    /// How many bytes the next frame or header has; `None`: not all of it is there.
    fn next(&mut self) -> Result<Option<usize>, Refusal> {
        // The first may be anything: the client says that it is no AMQP.
        let is_header = !self.is_begun || self.read.starts_with(b"AMQP");
        if is_header {
            self.is_begun |= self.read.len() >= HEADER_BYTES;
            return Ok((self.read.len() >= HEADER_BYTES).then_some(HEADER_BYTES));
        }
        let Some(&[a, b, c, d]) = self.read.first_chunk() else { return Ok(None) };
        let bytes = u32::from_be_bytes([a, b, c, d]);
        if bytes > FRAME_BYTES_MAX {
            return Err(Refusal::Large { bytes, max: FRAME_BYTES_MAX });
        }
        let bytes = bytes as usize;
        let Some(frame) = self.read.get(..bytes) else { return Ok(None) };
        // Where the body begins, in words of four bytes.
        let begin = frame.get(4).map_or(0, |words| usize::from(*words) * 4);
        if begin < HEADER_BYTES {
            return Err(Refusal::Malformed);
        }
        if let Some(said) = check(frame.get(begin..).ok_or(Refusal::Malformed)?)? {
            // What comes after the first follows from it.
            let _first = self.heard.said.set(said);
        }
        Ok(Some(bytes))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.checked > 0 {
                let count = this.checked.min(buffer.remaining());
                buffer.put_slice(&this.read.split_to(count));
                this.checked -= count;
                return Poll::Ready(Ok(()));
            }
            if let Some(refusal) = this.heard.refusal.get() {
                return Poll::Ready(Err(io::Error::other(refusal.clone())));
            }
            match this.next() {
                Ok(Some(bytes)) => {
                    this.checked = bytes;
                    continue;
                }
                Ok(None) => {}
                Err(refusal) => {
                    // Only this writes it, and only once.
                    let _first = this.heard.refusal.set(refusal);
                    continue;
                }
            }
            let mut chunk = [0; CHUNK_BYTES];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.read.extend_from_slice(chunk.filled());
        }
    }
}

/// A write that fails is left for the reader to find out: the client looks at nothing that the peer
/// said before the end once it knows that it cannot write.
fn unless_gone<T>(written: io::Result<T>, otherwise: T) -> Poll<io::Result<T>> {
    Poll::Ready(Ok(written.unwrap_or(otherwise)))
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        unless_gone(ready!(Pin::new(&mut self.stream).poll_write(context, bytes)), bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        unless_gone(ready!(Pin::new(&mut self.stream).poll_flush(context)), ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const HEADER: &[u8] = b"AMQP\0\x01\0\0";
    const HEARTBEAT: &[u8] = &[0, 0, 0, 8, 2, 0, 0, 0];
    /// An `end` without anything.
    const END: &[u8] = &[0, 0, 0, 12, 2, 0, 0, 0, 0x00, 0x53, 0x17, 0x45];

    /// What is read of `sent`, and what is told at its end.
    async fn read(sent: &[u8]) -> (Vec<u8>, String) {
        let mut read = Vec::new();
        let mut guard = Guard::new(sent, Arc::default());
        let told = guard.read_to_end(&mut read).await.map_err(|error| error.to_string());
        (read, told.err().unwrap_or_default())
    }

    #[tokio::test]
    async fn what_is_good_is_handed_on_as_it_came() {
        let sent = [HEADER, HEADER, HEARTBEAT, END, END].concat();
        assert_eq!(read(&sent).await, (sent.clone(), String::new()));
        // Piece by piece: nothing of a frame before all of it is there.
        let (stream, mut peer) = tokio::io::duplex(64);
        let mut guard = Guard::new(stream, Arc::default());
        for whole in [HEADER, END, HEADER, HEARTBEAT, END] {
            let (last, begin) = whole.split_last().unwrap();
            peer.write_all(begin).await.unwrap();
            let mut read = [0; 64];
            assert!(futures::poll!(Box::pin(guard.read(&mut read))).is_pending());
            peer.write_all(&[*last]).await.unwrap();
            let count = guard.read(&mut read).await.unwrap();
            assert_eq!(read.get(..count), Some(whole));
        }
    }

    #[tokio::test]
    async fn a_peer_that_speaks_something_else_is_seen_by_the_client() {
        let (heard, told) = read(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        assert_eq!(heard, b"HTTP/1.1");
        let large = "the peer sent a frame of 540291120 bytes; it was told to send at most 262144";
        assert_eq!(told, large);
    }

    #[tokio::test]
    async fn a_refused_frame_ends_the_reading_behind_those_before_it() {
        let mut bad = END.to_vec();
        bad.truncate(11);
        bad.push(0x30);
        for (bad, why) in [
            (&bad[..], "the peer sent a frame that is not valid"),
            // Sizes and beginnings that cannot be.
            (&[0, 0, 0, 7, 2, 0, 0, 0], "the peer sent a frame that is not valid"),
            (&[0, 0, 0, 8, 1, 0, 0, 0], "the peer sent a frame that is not valid"),
            (&[0, 0, 0, 8, 3, 0, 0, 0], "the peer sent a frame that is not valid"),
            (
                &[0, 4, 0, 1],
                "the peer sent a frame of 262145 bytes; it was told to send at most 262144",
            ),
        ] {
            let sent = [HEADER, END, bad, END].concat();
            assert_eq!(read(&sent).await, ([HEADER, END].concat(), why.to_owned()));
        }
    }

    #[tokio::test]
    async fn a_write_that_fails_leaves_it_to_the_reader_to_say_why() {
        let (stream, peer) = tokio::io::duplex(64);
        drop(peer);
        let mut guard = Guard::new(stream, Arc::default());
        guard.write_all(HEARTBEAT).await.unwrap();
        assert_eq!(guard.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
