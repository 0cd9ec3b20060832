//! A connection over TLS, with what rustls holds for its client counted.
//!
//! rustls keeps a record until it is whole (18 KiB), messages of a handshake likewise (64 KiB), what of a
//! record nobody has read yet, and what the client does not take of an answer. Of one client that is
//! little, of thousands it is hundreds of megabytes; and it cannot be asked for how much it is. But a
//! record says in the clear how long it is, so all of it can be told from the bytes that pass.
//!
//! ```text
//!   kernel ─▶ Wire ──────────▶ rustls ─────────────────────▶ Tls ─▶ Socket
//!             counts records   a record that is not whole     says what was read
//! ```
//!
//! What a connection holds beyond [`IN_BYTES_FREE`] has one bound for all connections of a listener. One
//! that finds no room is closed; one whose record does not become whole is dropped, as a reader is that
//! takes nothing. Strangers have a room of their own: where it is used up, the oldest of them makes room for
//! the next, and nobody who is known is hurried for it. Answers are encrypted in pieces of [`OUT_BYTES_SMALL`] where there is no room for whole
//! records: that costs a few system calls more, and nobody is closed for it.
//!
//! It refuses to look into records: whatever is in them is rustls' matter.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use pluvio_runtime::LineLimit;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, ServerConnection},
    server::TlsStream,
};
use tracing::warn;

use crate::{
    pending::{Pending, TlsRoom},
    room::{Held, Room},
};

/// What every connection may hold of what its client sends without asking: rustls' buffer has this size
/// from the beginning, and requests and handshakes of most clients are smaller.
const IN_BYTES_FREE: usize = 4 << 10;
/// The same beyond that, all connections of a listener together: 160 records of the largest size that are
/// on their way at a time.
const IN_BYTES_MAX_TOTAL: usize = 2 << 20;
/// Most bytes of a handshake. Clients say 0.5 to 2 KiB; a request may be right behind.
const HANDSHAKE_BYTES_MAX: usize = 16 << 10;
/// What rustls keeps of an answer that the client has not taken, at most: a record.
const OUT_BYTES_LARGE: usize = 16 << 10;
/// The same where [`OUT_BYTES_MAX_TOTAL`] is used up.
const OUT_BYTES_SMALL: usize = 4 << 10;
/// Most bytes beyond [`OUT_BYTES_SMALL`], all connections of a listener together: 340 that are in the
/// middle of an answer at a time.
const OUT_BYTES_MAX_TOTAL: usize = 4 << 20;
/// Most that connections of strangers hold of what comes: half of it is not theirs.
const IN_BYTES_MAX_STRANGERS: usize = IN_BYTES_MAX_TOTAL / 2;
/// What a record has beside its text, at most: head, nonce, type and tag, and some padding.
const RECORD_OVERHEAD_BYTES: usize = 64;
/// Bytes of a record's head: its type, the version, and its length in two bytes.
const HEAD_BYTES: usize = 5;

/// Accepts connections of one listener.
#[derive(Clone)]
pub(crate) struct Acceptor {
    acceptor: TlsAcceptor,
    rooms: Arc<Rooms>,
}

/// What is left for all connections of a listener.
struct Rooms {
    incoming: Room,
    /// Of that, for connections that have not said who they are: others find room all the same.
    strangers: Room,
    outgoing: Arc<Semaphore>,
    /// Connections that were closed for want of room.
    closed: Mutex<LineLimit>,
}

impl Rooms {
    fn refuse(&self) -> io::Error {
        let count = self.closed.lock().unwrap_or_else(PoisonError::into_inner).count();
        if let Some(count) = count {
            warn!(count, "no room for more TLS records that are not whole, closing connections");
        }
        io::Error::other("too many large TLS records at a time")
    }
}

impl Acceptor {
    pub(crate) fn new(config: ServerConfig) -> Self {
        let rooms = Rooms {
            incoming: Room::new(IN_BYTES_MAX_TOTAL - IN_BYTES_MAX_STRANGERS),
            strangers: Room::new(IN_BYTES_MAX_STRANGERS),
            outgoing: Arc::new(Semaphore::new(OUT_BYTES_MAX_TOTAL)),
            closed: Mutex::default(),
        };
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), rooms: Arc::new(rooms) }
    }

    /// A connection, when its handshake is done. It tells `pending` since when a record has not become
    /// whole, counted from `epoch` on.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        pending: Arc<Pending>,
        epoch: Instant,
    ) -> io::Result<Box<Tls>> {
        let rooms = Arc::clone(&self.rooms);
        let records = Records { is_handshake: true, ..Records::default() };
        let is_strangers = true;
        let wire = Wire { stream, rooms, records, held: None, is_strangers, pending, epoch };
        let bounded =
            |session: &mut ServerConnection| session.set_buffer_limit(Some(OUT_BYTES_SMALL));
        let mut stream = self.acceptor.accept_with(wire, bounded).await?;
        stream.get_mut().0.records.is_handshake = false;
        Ok(Box::new(Tls { stream, outgoing: None }))
    }

    /// Whether a client that is known found no room for what it sends since this was asked last.
    pub(crate) fn is_pressed(&self) -> bool {
        self.rooms.incoming.is_pressed()
    }
}

/// Waits until a client that is known finds no room for what it sends; for ever where there is no TLS.
pub(crate) async fn pressed(acceptor: Option<&Acceptor>) {
    match acceptor {
        Some(acceptor) => acceptor.rooms.incoming.pressed().await,
        None => std::future::pending().await,
    }
}

/// The same of a stranger. What it lacks, other strangers hold, and nobody else.
pub(crate) async fn strangers_short(acceptor: Option<&Acceptor>) {
    match acceptor {
        Some(acceptor) => acceptor.rooms.strangers.pressed().await,
        None => std::future::pending().await,
    }
}

/// What of the records that came is with rustls, told from their heads.
#[derive(Debug, Default)]
struct Records {
    /// While it lasts, nothing of it is read, and all that came counts.
    is_handshake: bool,
    head: [u8; HEAD_BYTES],
    /// Bytes of the record that is not whole, its head included.
    partial: usize,
    /// How long it will be; known with its head.
    length: usize,
    /// Most that `partial` has been since nothing was left: a buffer that grew stays until then.
    partial_most: usize,
    /// Bytes and number of whole records, and bytes of text that were read of them, since all was read.
    whole: usize,
    count: usize,
    read: usize,
}

impl Records {
    fn came(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = if self.partial < HEAD_BYTES { HEAD_BYTES } else { self.length };
            let (now, rest) = bytes.split_at(bytes.len().min(wanted - self.partial));
            if let Some(head) = self.head.get_mut(self.partial..self.partial + now.len()) {
                head.copy_from_slice(now);
            }
            self.partial += now.len();
            bytes = rest;
            if self.partial == HEAD_BYTES {
                let [.., high, low] = self.head;
                self.length = HEAD_BYTES + usize::from(u16::from_be_bytes([high, low]));
            }
            self.partial_most = self.partial_most.max(self.partial);
            if self.partial >= HEAD_BYTES && self.partial == self.length {
                self.whole += self.partial;
                self.count += 1;
                self.partial = 0;
            }
        }
    }

    /// Nothing is left to be read, but for a record that is not whole.
    fn drained(&mut self) {
        if self.partial == 0 {
            self.partial_most = 0;
        }
        // Whole records that gave nothing to read are of a handshake that goes on, and rustls keeps them:
        // they stay counted. A renewal of keys is smaller than what is left out here.
        let explained = self.read + self.count * RECORD_OVERHEAD_BYTES + IN_BYTES_FREE;
        if self.read > 0 && self.whole <= explained {
            (self.whole, self.count, self.read) = (0, 0, 0);
        }
    }

    fn held(&self) -> usize {
        if self.is_handshake {
            return self.whole + self.partial;
        }
        self.partial_most + self.whole.saturating_sub(self.read)
    }
}

/// What is under rustls: the socket, which counts what comes.
struct Wire {
    stream: TcpStream,
    rooms: Arc<Rooms>,
    records: Records,
    held: Option<Held>,
    /// Whether that is of the strangers' room.
    is_strangers: bool,
    pending: Arc<Pending>,
    epoch: Instant,
}

impl Wire {
    /// Takes and gives back room for what is held.
    fn settle(&mut self) -> io::Result<()> {
        let needed = self.records.held().saturating_sub(IN_BYTES_FREE);
        if self.records.is_handshake && needed > HANDSHAKE_BYTES_MAX - IN_BYTES_FREE {
            return Err(io::Error::other("the TLS handshake is too large"));
        }
        if self.held.is_none() {
            // What is held stays where it was taken, also when the client says who it is meanwhile.
            self.is_strangers = !self.pending.is_known();
        }
        let room = if self.is_strangers { &self.rooms.strangers } else { &self.rooms.incoming };
        self.held = match self.held.take() {
            _ if needed == 0 => None,
            None => Some(room.try_take(needed).ok_or_else(|| self.rooms.refuse())?),
            Some(mut held) => {
                if !held.grow(needed, room) {
                    return Err(self.rooms.refuse());
                }
                Some(held.shrunk(needed))
            }
        };
        self.pending.set_tls_room(match &self.held {
            None => TlsRoom::None,
            Some(_) if self.is_strangers => TlsRoom::Strangers,
            Some(_) => TlsRoom::Known,
        });
        let is_cut = self.held.is_some() && self.records.partial > 0;
        self.pending.set_cut(is_cut, self.epoch);
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().get(before..).unwrap_or_default();
        if !came.is_empty() {
            self.records.came(came);
            if let Err(error) = self.settle() {
                return Poll::Ready(Err(error));
            }
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection whose handshake is done.
pub(crate) struct Tls {
    stream: TlsStream<Wire>,
    /// Room for whole records of an answer.
    outgoing: Option<OwnedSemaphorePermit>,
}

impl Tls {
    /// What is under it.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.stream.get_ref().0.stream
    }

    /// Lets rustls keep as much of an answer as there is room for.
    fn widen(&mut self) {
        if self.outgoing.is_none() {
            let (wire, session) = self.stream.get_mut();
            let more = u32::try_from(OUT_BYTES_LARGE - OUT_BYTES_SMALL).unwrap_or(u32::MAX);
            self.outgoing = Arc::clone(&wire.rooms.outgoing).try_acquire_many_owned(more).ok();
            let limit = if self.outgoing.is_some() { OUT_BYTES_LARGE } else { OUT_BYTES_SMALL };
            session.set_buffer_limit(Some(limit));
        }
    }

    /// Gives the room back once all is with the kernel.
    fn narrow(&mut self) {
        if self.outgoing.is_some() && !self.stream.get_ref().1.wants_write() {
            self.outgoing = None;
        }
    }
}

impl AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let wire = self.stream.get_mut().0;
        match &result {
            Poll::Ready(_) => wire.records.read += buffer.filled().len() - before,
            Poll::Pending => wire.records.drained(),
        }
        match wire.settle() {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) => result,
        }
    }
}

impl AsyncWrite for Tls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.widen();
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.narrow();
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.widen();
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.narrow();
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.narrow();
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::{
        TlsConnector,
        rustls::{
            ClientConfig, RootCertStore,
            crypto::ring,
            pki_types::{PrivateKeyDer, ServerName},
        },
    };

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// An acceptor, and what connects to it.
    fn both() -> Result<(Acceptor, TlsConnector), Box<dyn std::error::Error>> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let provider = Arc::new(ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok((Acceptor::new(server), TlsConnector::from(Arc::new(client))))
    }

    /// Sends a megabyte both ways; what the listener holds for the connection in between and at the end.
    async fn exchanged(acceptor: &Acceptor, connector: &TlsConnector) -> Outcome {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let accepting = async {
            let (stream, _) = listener.accept().await?;
            acceptor.accept(stream, Arc::default(), Instant::now()).await
        };
        let connecting = connector.connect(ServerName::try_from("localhost")?, stream);
        let (server, mut client) = tokio::try_join!(accepting, connecting)?;
        let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(1 << 20).collect();
        let serving = {
            let sent = sent.clone();
            async move {
                let mut server = server;
                let mut came = vec![0; sent.len()];
                server.read_exact(&mut came).await?;
                server.write_all(&came).await?;
                server.flush().await?;
                io::Result::Ok(server)
            }
        };
        let asking = async {
            client.write_all(&sent).await?;
            client.flush().await?;
            let mut came = vec![0; sent.len()];
            client.read_exact(&mut came).await?;
            io::Result::Ok(came)
        };
        let (server, came) = tokio::try_join!(serving, asking)?;
        assert!(came == sent, "all bytes came, in their order");
        assert!(server.outgoing.is_none());
        Ok(())
    }

    #[tokio::test]
    async fn large_answers_come_whole_with_room_for_them_and_without() -> Outcome {
        let (acceptor, connector) = both()?;
        exchanged(&acceptor, &connector).await?;
        assert_eq!(acceptor.rooms.outgoing.available_permits(), OUT_BYTES_MAX_TOTAL);
        acceptor.rooms.outgoing.forget_permits(OUT_BYTES_MAX_TOTAL);
        exchanged(&acceptor, &connector).await
    }

    #[tokio::test]
    async fn a_connection_that_is_gone_leaves_all_its_room() -> Outcome {
        let (acceptor, connector) = both()?;
        exchanged(&acceptor, &connector).await?;
        let rooms = &acceptor.rooms;
        assert!(rooms.strangers.try_take(IN_BYTES_MAX_STRANGERS).is_some());
        assert!(rooms.incoming.try_take(IN_BYTES_MAX_TOTAL - IN_BYTES_MAX_STRANGERS).is_some());
        Ok(())
    }

    #[tokio::test]
    async fn a_stranger_that_finds_no_room_says_nothing_of_that_of_others() -> Outcome {
        let (acceptor, _) = both()?;
        let _held = acceptor.rooms.strangers.try_take(IN_BYTES_MAX_STRANGERS);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut client = TcpStream::connect(listener.local_addr()?).await?;
        let (stream, _) = listener.accept().await?;
        let mut hello = vec![22, 3, 1, 0x3a, 0x98, 1, 0, 0x3a, 0x94, 3, 3];
        hello.resize(12_000, 0);
        client.write_all(&hello).await?;
        let accepted = acceptor.accept(stream, Arc::default(), Instant::now()).await;
        assert!(accepted.is_err());
        strangers_short(Some(&acceptor)).await;
        assert!(!acceptor.is_pressed());
        Ok(())
    }

    /// A record with so many bytes behind its head.
    fn record(length: u16) -> Vec<u8> {
        let mut record = vec![23, 3, 3];
        record.extend(length.to_be_bytes());
        record.resize(HEAD_BYTES + usize::from(length), 0);
        record
    }

    #[test]
    fn a_record_counts_until_it_was_read_however_it_is_cut() {
        let whole = record(16_000);
        for cut in [1, 2, 5, 6, 4096, 16_004, 16_005] {
            let mut records = Records::default();
            let mut most = 0;
            for piece in whole.chunks(cut) {
                records.came(piece);
                most = most.max(records.held());
            }
            assert!(most >= whole.len(), "{cut}: {most}");
            records.read += 15_983;
            records.drained();
            assert_eq!(records.held(), 0, "{cut}");
        }
    }

    #[test]
    fn a_record_that_is_not_whole_counts_also_behind_one_that_is() {
        let mut records = Records::default();
        records.came(&record(100));
        records.came(&record(16_000)[..9000]);
        records.read += 83;
        records.drained();
        assert_eq!(records.held(), 9000);
    }

    #[test]
    fn a_buffer_that_grew_counts_as_long_as_a_single_byte_keeps_it() {
        let mut records = Records::default();
        records.came(&record(16_000));
        records.read += 15_983;
        records.came(&[23]);
        records.drained();
        assert!(records.held() > 16_000);
    }

    #[test]
    fn records_that_give_nothing_to_read_stay_counted_whatever_was_read_before() {
        let mut records = Records::default();
        records.came(&record(100));
        records.read += 83;
        records.came(&record(16_000));
        records.drained();
        assert!(records.held() >= 16_000);
        records.came(&record(16_000));
        records.drained();
        assert!(records.held() >= 32_000);
    }

    #[test]
    fn a_client_that_renews_its_keys_with_every_request_is_not_counted_up() {
        let mut records = Records::default();
        for _ in 0..100_000 {
            records.came(&record(22));
            records.came(&record(217));
            records.read += 200;
            records.drained();
        }
        assert_eq!(records.held(), 0);
    }
}
