//! One connection: frames out, frames in, each within a time.

use std::time::Duration;

use pluvio_net::{Dialer, Stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{
    config::{Security, Settings},
    error::Error,
    greeting::{Pong, Proof, helo},
    msgpack::{self, Unread, Value},
};

/// How long a server may take to greet: it does so by itself, at once.
const GREETING_MAX: Duration = Duration::from_secs(10);
/// How long a server that is not to be greeted is listened to before anything is sent: one that wants a
/// greeting says so by itself, and a proxy without a server behind it ends the connection.
const QUIET_FOR: Duration = Duration::from_millis(500);
/// Greetings and acknowledgements have some hundred bytes.
const FRAME_BYTES_MAX: usize = 16 << 10;

/// A connection over which chunks may be sent.
pub(super) struct Connection {
    stream: Stream,
    peer: String,
    /// What came and was not read yet.
    buffer: Vec<u8>,
    /// How long an acknowledgement may take.
    within: Duration,
}

impl Connection {
    /// Connects, and greets if there is a key.
    ///
    /// Without a key the protocol says nothing before the first chunk. A proxy whose server is away would
    /// look like a server that a chunk makes end the connection, and events would be tried out of order to
    /// find the one to blame. So the connection has to stay open for a moment first.
    pub(super) async fn open(settings: &Settings) -> Result<Self, Error> {
        let secret = |key, source: &pluvio_secret::SecretSource| {
            source.resolve().map_err(|source| Error::Secret { key, source })
        };
        let proof = match &settings.security {
            Some(Security { shared_key, user }) => {
                let user = match user {
                    Some((username, password)) => {
                        let name = username.resolve_name();
                        let name =
                            name.map_err(|source| Error::Secret { key: "username", source })?;
                        let name = name.expose().to_owned();
                        Some((name, secret("password", password)?.expose().to_owned()))
                    }
                    None => None,
                };
                let key = secret("shared_key", shared_key)?;
                Some(Proof::new(&settings.hostname, key.expose(), user))
            }
            None => None,
        };
        let dialer = match &settings.tls {
            Some(tls) => Dialer::tls(tls)?,
            None => Dialer::plain(),
        };
        let stream = dialer.connect(&settings.host, settings.port).await?;
        let peer = format!("{}:{}", settings.host, settings.port);
        let mut opened = Self { stream, peer, buffer: Vec::new(), within: settings.timeout };
        match proof {
            Some(proof) => opened.greet(proof).await?,
            None => opened.stays_quiet().await?,
        }
        Ok(opened)
    }

    /// Nothing comes from a server that is not greeted, and it stays.
    async fn stays_quiet(&mut self) -> Result<(), Error> {
        match timeout(QUIET_FOR, self.frame()).await {
            Ok(frame) => Err(self.unasked(&frame?)),
            Err(_) => Ok(()),
        }
    }

    async fn greet(&mut self, mut proof: Proof) -> Result<(), Error> {
        let frame = self.frame_within("say HELO", GREETING_MAX).await?;
        let (nonce, auth) = helo(&frame).ok_or_else(|| self.foreign())?;
        self.send(&proof.ping(nonce, &auth)).await?;
        let frame = self.frame_within("answer PING", GREETING_MAX).await?;
        let peer = self.peer.clone();
        match proof.pong(&frame) {
            Some(Pong::Accepted) => Ok(()),
            Some(Pong::Refused(reason)) => Err(Error::Refused { peer, reason }),
            Some(Pong::Impostor) => Err(Error::Impostor { peer }),
            None => Err(Error::Foreign { peer }),
        }
    }

    /// Writes bytes.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = timeout(self.within, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(written) => written.map_err(|source| self.broken(source)),
            Err(_) => Err(self.silent("take a chunk", self.within)),
        }
    }

    /// Waits for the acknowledgement of `chunk`.
    pub(super) async fn acknowledged(&mut self, chunk: &str) -> Result<(), Error> {
        let frame = self.frame_within("acknowledge a chunk", self.within).await?;
        if frame.get("ack").and_then(Value::bytes) == Some(chunk.as_bytes()) {
            return Ok(());
        }
        Err(self.unasked(&frame))
    }

    /// Says that nothing more comes.
    pub(super) async fn close(mut self) {
        let _best_effort = self.stream.shutdown().await;
    }

    async fn frame_within(&mut self, what: &'static str, within: Duration) -> Result<Value, Error> {
        match timeout(within, self.frame()).await {
            Ok(frame) => frame,
            Err(_) => Err(self.silent(what, within)),
        }
    }

    async fn frame(&mut self) -> Result<Value, Error> {
        loop {
            match msgpack::read(&self.buffer) {
                Ok((frame, length)) => {
                    self.buffer.drain(..length);
                    return Ok(frame);
                }
                Err(Unread::More) if self.buffer.len() < FRAME_BYTES_MAX => {}
                Err(_) => return Err(self.foreign()),
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(Error::Closed { peer: self.peer.clone() }),
                Ok(_) => {}
                Err(source) => return Err(self.broken(source)),
            }
        }
    }

    fn broken(&self, source: std::io::Error) -> Error {
        Error::Broken { peer: self.peer.clone(), source }
    }

    /// What a frame means that is no answer.
    fn unasked(&self, frame: &Value) -> Error {
        match helo(frame) {
            Some(_) => Error::KeyWanted { peer: self.peer.clone() },
            None => self.foreign(),
        }
    }

    fn silent(&self, what: &'static str, within: Duration) -> Error {
        Error::Silent { peer: self.peer.clone(), what, within }
    }

    fn foreign(&self) -> Error {
        Error::Foreign { peer: self.peer.clone() }
    }
}
