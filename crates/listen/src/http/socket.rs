//! A client's socket, watched while hyper uses it.
//!
//! Only the socket can see that a request line does not end: hyper would call that "headers too
//! large". And it counts what hyper's buffer holds of a request, for which all connections share one
//! bound. All else is [`crate::socket`].

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::limits::{HEAD_BYTES_FREE, HEAD_BYTES_MAX};

/// A request line longer than this will never be served: see `limits::TARGET_BYTES_MAX`.
const LINE_BYTES_MAX: usize = 32 << 10;

pub(super) struct Socket {
    inner: crate::socket::Socket,
    line: Line,
    room: Room,
}

/// A connection's part of the room for large heads. It is kept as long as the connection, because
/// hyper keeps a buffer that has grown.
struct Room {
    all: Arc<Semaphore>,
    /// The part of the address that it came from.
    own: Arc<Semaphore>,
    /// Of both.
    held: Option<[OwnedSemaphorePermit; 2]>,
    /// Bytes that came since an answer went out; more than [`HEAD_BYTES_MAX`] are never buffered.
    came: usize,
    state: RoomState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RoomState {
    Counting,
    /// What comes is not buffered any more.
    Ignoring,
    /// There was none left.
    Full,
}

impl Room {
    fn count(&mut self, bytes: usize) {
        if self.state != RoomState::Counting {
            return;
        }
        self.came = (self.came + bytes).min(HEAD_BYTES_MAX);
        let held = self.held.as_ref().map_or(0, |[own, _]| own.num_permits());
        let needed = self.came.saturating_sub(HEAD_BYTES_FREE).saturating_sub(held);
        if needed == 0 {
            return;
        }
        let more = u32::try_from(needed).unwrap_or(u32::MAX);
        let places =
            [&self.own, &self.all].map(|room| Arc::clone(room).try_acquire_many_owned(more));
        match (places, &mut self.held) {
            ([Ok(own), Ok(all)], Some([held_own, held_all])) => {
                held_own.merge(own);
                held_all.merge(all);
            }
            ([Ok(own), Ok(all)], None) => self.held = Some([own, all]),
            _ => self.state = RoomState::Full,
        }
    }
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
    /// `all` is the room for large heads, in bytes, of all connections together, and `own` that of the address
    /// which this one comes from.
    pub(super) fn new(
        inner: crate::socket::Socket,
        all: Arc<Semaphore>,
        own: Arc<Semaphore>,
    ) -> Self {
        let room = Room { all, own, held: None, came: 0, state: RoomState::Counting };
        Self { inner, line: Line::Open(0), room }
    }

    /// Whether reading was broken off because large heads of all connections have no room left.
    pub(super) fn is_room_full(&self) -> bool {
        self.room.state == RoomState::Full
    }

    /// Whether reading was broken off because the request line did not end.
    pub(super) fn is_line_too_long(&self) -> bool {
        self.line == Line::TooLong
    }

    /// From here on what comes is read away, however long its lines are.
    pub(super) fn stop_looking(&mut self) {
        self.line = Line::Complete;
        self.room.state = RoomState::Ignoring;
        self.room.held = None;
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
            self.room.came = 0;
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
        if self.is_line_too_long() || self.is_room_full() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let came = buffer.filled().get(before..).unwrap_or_default();
        self.look(came);
        self.room.count(came.len());
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
