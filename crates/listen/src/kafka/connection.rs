//! One connection: requests in, answers out in the same order.
//!
//! One request is worked on at a time; what comes meanwhile waits in the buffer and in the socket.
//! While a request waits for a record or a rebalance, the socket is read on, up to one frame, so that
//! a client that is gone is noticed and no wait outlives it.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc};

use bytes::{Buf, Bytes};
use metrics::counter;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};
use tracing::debug;

use super::{
    hangup::Hangup,
    limits::{
        DENIED_PAUSE, FRAME_BYTES_FREE, FRAME_BYTES_MAX, FRAME_BYTES_MAX_UNAUTHENTICATED,
        READ_AHEAD_BYTES_MAX,
    },
    meter,
    request::{Answer, Request, Session},
    server::Server,
    turn::Turn,
    wire::Incoming,
};
use crate::{
    connections::{Places, Pressure},
    holder::Holder,
    pending::Pending,
    room::Held,
    socket::{self, Socket, Transport},
    tls::{self, Acceptor},
};

/// What all connections of one listener are served with.
pub(super) struct Host {
    pub(super) server: Server,
    pub(super) tls: Option<Acceptor>,
    pub(super) places: Arc<Places>,
    pub(super) epoch: Instant,
}

impl Host {
    /// Waits until somebody finds no room.
    pub(super) async fn pressed(&self) {
        tokio::select! {
            () = self.server.room.pressed() => {}
            () = self.server.parts.pressed() => {}
            () = tls::pressed(self.tls.as_ref()) => {}
        }
    }

    /// Whose readers others wait for now.
    pub(super) fn pressure(&self) -> Pressure {
        Pressure {
            on_all: self.server.room.is_pressed(),
            on_clients: self.server.parts.take_pressed(),
            on_tls: self.tls.as_ref().is_some_and(Acceptor::is_pressed),
        }
    }

    /// Waits until a stranger finds no room for what it sends over TLS.
    pub(super) async fn strangers_short(&self) {
        tls::strangers_short(self.tls.as_ref()).await;
    }
}

/// How a connection ended.
enum End {
    /// The client went, or the listener drains.
    Closed,
    /// This side had a reason.
    Hangup(Hangup),
}

impl From<Hangup> for End {
    fn from(reason: Hangup) -> Self {
        Self::Hangup(reason)
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl Host {
    /// Serves `stream` until one side is done with it.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, pending: Arc<Pending>) {
        socket::prepare(&stream);
        let Ok(local) = stream.local_addr() else { return };
        let login_until = Instant::now() + self.server.limits.login;
        let transport = match &self.tls {
            None => Transport::Plain(stream),
            Some(acceptor) => {
                let accepting = acceptor.accept(stream, Arc::clone(&pending), self.epoch);
                match timeout_at(login_until, accepting).await {
                    Ok(Ok(tls)) => Transport::Tls(tls),
                    Ok(Err(error)) => return debug!(%peer, %error, "TLS handshake failed"),
                    Err(_) => return debug!(%peer, "TLS handshake took too long"),
                }
            }
        };
        let sent = counter!(meter::SENT_BYTES);
        let socket = Socket::new(transport, Arc::clone(&pending), self.epoch, sent);
        let mut connection = Connection {
            server: &self.server,
            places: &self.places,
            epoch: self.epoch,
            session: Session::new(&self.server, peer, local),
            socket,
            buffer: Incoming::default(),
            held: None,
            pending,
            login_until,
        };
        if let Err(End::Hangup(reason)) = connection.run().await {
            counter!(meter::HANGUPS, "reason" => reason.label()).increment(1);
            debug!(%peer, %reason, "closed a kafka connection");
        }
        let _ = connection.socket.shutdown().await;
    }
}

struct Connection<'a> {
    server: &'a Server,
    places: &'a Places,
    epoch: Instant,
    session: Session,
    socket: Socket,
    buffer: Incoming,
    /// What `buffer` holds of the room that all connections share, and in whose part of it. The last request
    /// in its memory takes it along.
    held: Option<(Holder, Held)>,
    pending: Arc<Pending>,
    /// By when a client must have said who it is.
    login_until: Instant,
}

impl Connection<'_> {
    async fn run(&mut self) -> Result<(), End> {
        while let Some((frame, held)) = self.frame().await? {
            let read = Request::read(&frame, held)?;
            // The request alone has it now, and may be done with it long before it is answered.
            drop(frame);
            let mut request = match read {
                Ok(request) => request,
                Err(answer) => {
                    self.send(answer).await?;
                    continue;
                }
            };
            self.admit()?;
            let turn = match self.session.holder() {
                Some(holder) if request.is_dear() => tokio::select! {
                    biased;
                    turn = self.server.turns.take(holder) => turn,
                    () = gone(&mut self.socket, &mut self.buffer) => return Err(End::Closed),
                },
                _ => Turn::default(),
            };
            let may_wait = request.may_wait();
            let answering = self.session.answer(self.server, &mut request, turn);
            let answer = if may_wait {
                tokio::select! {
                    biased;
                    answer = answering => answer?,
                    () = gone(&mut self.socket, &mut self.buffer) => return Err(End::Closed),
                }
            } else {
                answering.await?
            };
            drop(request);
            self.admit()?;
            if let Some(answer) = answer {
                self.send(answer).await?;
            }
        }
        Ok(())
    }

    /// Says whose the connection is, as soon as that is known.
    fn admit(&self) -> Result<(), Hangup> {
        match self.session.holder() {
            Some(holder) if !self.pending.is_known() => {
                let admitted = self.places.admit(&self.pending, holder.clone());
                admitted.map_err(|_| Hangup::ShareFull)
            }
            _ => Ok(()),
        }
    }

    /// The next frame and its place; `None` when the client is done or the listener drains.
    async fn frame(&mut self) -> Result<Option<(Bytes, Option<Held>)>, End> {
        let bytes_max = match self.session.is_unknown() {
            true => FRAME_BYTES_MAX_UNAUTHENTICATED,
            false => FRAME_BYTES_MAX,
        };
        let mut begun = None;
        loop {
            self.hold()?;
            let taken = self.buffer.take_frame(bytes_max);
            if let Some(frame) = taken.map_err(|_| Hangup::FrameTooLarge)? {
                self.pending.set_idle(false, self.epoch);
                // Where much came behind it, that is in the same memory.
                let held = if self.buffer.has_grown() { None } else { self.held.take() };
                return Ok(Some((frame, held.map(|(_, held)| held))));
            }
            self.pending.set_idle(self.buffer.is_empty(), self.epoch);
            let now = Instant::now();
            let limits = self.server.limits;
            let until = if self.session.is_unknown() {
                self.login_until
            } else if self.buffer.is_empty() {
                now + limits.idle
            } else {
                *begun.get_or_insert(now + limits.begun)
            };
            let reason = match self.buffer.is_empty() && !self.session.is_unknown() {
                true => Hangup::Idle,
                false => Hangup::TooSlow,
            };
            tokio::select! {
                read = timeout_at(until, self.socket.read_buf(self.buffer.space())) => {
                    if read.map_err(|_| reason)?? == 0 {
                        return Ok(None);
                    }
                }
                () = self.pending.displaced() => return Err(Hangup::Displaced.into()),
                () = self.server.drain.cancelled() => return Ok(None),
            }
        }
    }

    /// Takes room for what the buffer holds, in the part of its client; a stranger's is that of its address.
    fn hold(&mut self) -> Result<(), Hangup> {
        let beyond = self.buffer.len().saturating_sub(FRAME_BYTES_FREE);
        if beyond == 0 {
            return Ok(());
        }
        let holder = self.session.holder().cloned();
        let holder = holder.unwrap_or_else(|| Holder::at(self.session.peer.ip()));
        // A client that has just said who it is begins anew.
        self.held.take_if(|(of, _)| *of != holder);
        let held = self.held.as_ref().map_or(0, |(_, held)| held.bytes());
        let needed = beyond.saturating_sub(held);
        if needed > 0 {
            let part = self.server.frame_parts.of(&holder);
            let more = self.server.frames.try_take_some_of(&part, needed, needed);
            let more = more.ok_or(Hangup::NoRoom)?;
            match &mut self.held {
                Some((_, held)) => held.merge(more),
                None => self.held = Some((holder, more)),
            }
        }
        Ok(())
    }

    async fn send(&mut self, answer: Answer) -> Result<(), End> {
        if answer.last == Some(Hangup::Denied) {
            sleep(DENIED_PAUSE).await;
        }
        let mut pieces = Pieces::new(answer.pieces);
        self.socket.write_all_buf(&mut pieces).await?;
        self.socket.flush().await?;
        match answer.last {
            Some(reason) => Err(reason.into()),
            None => Ok(()),
        }
    }
}

/// Resolves when the client is gone. What it says meanwhile is kept; if that is much, nothing is read any
/// more until its request is answered, and only its end is looked for.
async fn gone(socket: &mut Socket, buffer: &mut Incoming) {
    while buffer.len() < READ_AHEAD_BYTES_MAX {
        match socket.read_buf(buffer.space()).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    socket.hung_up().await;
}

/// Several pieces as one buffer, so that the kernel gathers them instead of us.
struct Pieces {
    pieces: VecDeque<Bytes>,
    remaining: usize,
}

impl Pieces {
    fn new(pieces: Vec<Bytes>) -> Self {
        let pieces: VecDeque<Bytes> = pieces.into_iter().filter(|p| !p.is_empty()).collect();
        Self { remaining: pieces.iter().map(Bytes::len).sum(), pieces }
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [io::IoSlice<'a>]) -> usize {
        let slices = into.iter_mut().zip(&self.pieces);
        slices.map(|(slice, piece)| *slice = io::IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        self.remaining = self.remaining.saturating_sub(count);
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                return piece.advance(count);
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_gathered_and_taken_off_in_any_cut() {
        let whole = b"abcdefgh";
        for cut in 0..=whole.len() {
            let parts = [&b"ab"[..], b"", b"cde", b"f", b"gh"];
            let mut pieces = Pieces::new(parts.map(Bytes::from_static).to_vec());
            assert_eq!(pieces.remaining(), whole.len());
            pieces.advance(cut);
            let mut slices = [io::IoSlice::new(&[]); 8];
            let count = pieces.chunks_vectored(&mut slices);
            let rest: Vec<u8> = slices.iter().take(count).flat_map(|s| s.iter().copied()).collect();
            assert_eq!(rest, &whole[cut..]);
            assert_eq!(pieces.remaining(), whole.len() - cut);
        }
    }
}
