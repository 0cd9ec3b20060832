//! One connection to RabbitMQ with one channel: what is written, what is read, and the heartbeats.
//!
//! Reading and writing go on at once, so that neither side waits for the other with full buffers. It
//! refuses to connect again.

use std::{io, time::Duration};

use bytes::BytesMut;
use pluvio_log::Offset;
use pluvio_net::Stream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    time::{Instant, sleep_until, timeout},
};

use crate::endpoint::keepalive::KeepAlive;

use super::{
    config::Settings,
    error::Error,
    frame::{self, FRAME_BYTES_MAX, Message, PROTOCOL},
    method, read,
    said::{Refusal, Said},
    underway::{Sent, Underway},
};

/// How long a broker may take to let us in.
const LOGIN_MAX: Duration = Duration::from_secs(15);
/// How often we want to hear from it.
const HEARTBEAT_S: u16 = 20;
/// How long an idle connection is listened to: what has come is there.
const LISTEN: Duration = Duration::from_millis(5);

/// A broker that has let us in.
#[derive(Debug)]
pub(super) struct Client {
    broker: String,
    stream: Stream,
    inbox: BytesMut,
    /// What is still to be written.
    pub(super) outbox: BytesMut,
    is_flushed: bool,
    /// Why nothing can be written any more; what the broker said before that may still be read.
    unwritable: Option<io::Error>,
    frame_max: u32,
    heartbeat: Duration,
    written_at: Instant,
    heard_at: Instant,
    /// It wants nothing to be published, and why.
    pub(super) blocked: Option<String>,
    /// The delivery tag of the next publish.
    next_tag: u64,
    pub(super) underway: Underway,
}

impl Client {
    /// Connects, logs in and finds the exchange: one attempt.
    pub(super) async fn connect(settings: &Settings, name: &str) -> Result<Self, Error> {
        let credentials = settings.login.resolve()?;
        let mut client = Self::on(settings.peer.dial().await?, settings.peer.to_string());
        let username = credentials.username.as_ref().map_or("", |secret| secret.expose());
        let password = credentials.password.as_ref().map_or("", |secret| secret.expose());
        let login = client.log_in(settings, name, username, password);
        match timeout(LOGIN_MAX, login).await {
            Ok(done) => done?,
            Err(_) => return Err(Error::Silent { broker: client.broker }),
        }
        Ok(client)
    }

    /// On a connection on which nothing was said.
    fn on(stream: Stream, broker: String) -> Self {
        let now = Instant::now();
        Self {
            broker,
            stream,
            inbox: BytesMut::new(),
            outbox: BytesMut::from(&PROTOCOL[..]),
            is_flushed: true,
            unwritable: None,
            frame_max: FRAME_BYTES_MAX,
            heartbeat: Duration::from_secs(HEARTBEAT_S.into()),
            written_at: now,
            heard_at: now,
            blocked: None,
            next_tag: 1,
            underway: Underway::default(),
        }
    }

    async fn log_in(
        &mut self,
        settings: &Settings,
        name: &str,
        username: &str,
        password: &str,
    ) -> Result<(), Error> {
        let broker = self.broker.clone();
        let refused = |error| match error {
            Error::Closed { refusal, .. } => Error::Login { broker: broker.clone(), refusal },
            error => error,
        };
        if self.said().await.map_err(refused)? != Said::Start {
            return Err(self.out_of_turn());
        }
        method::start_ok(&mut self.outbox, name, username, password);
        let Said::Tune { frame_max, heartbeat_s } = self.said().await.map_err(refused)? else {
            return Err(self.out_of_turn());
        };
        let least = |ours: u32, theirs: u32| if theirs == 0 { ours } else { ours.min(theirs) };
        self.frame_max = least(FRAME_BYTES_MAX, frame_max);
        let heartbeat_s = least(HEARTBEAT_S.into(), heartbeat_s.into());
        self.heartbeat = Duration::from_secs(heartbeat_s.into());
        let heartbeat_s = u16::try_from(heartbeat_s).unwrap_or(HEARTBEAT_S);
        method::open(&mut self.outbox, self.frame_max, heartbeat_s, &settings.virtual_host);
        self.done().await.map_err(refused)?;
        method::channel_open(&mut self.outbox);
        self.done().await?;
        if !settings.exchange.is_empty() {
            method::exchange(&mut self.outbox, &settings.exchange);
            self.done().await.map_err(|error| error.at(&settings.exchange))?;
        }
        method::confirm_select(&mut self.outbox);
        self.done().await
    }

    /// Appends a publish; or says why it never can be.
    pub(super) fn publish(
        &mut self,
        settings: &Settings,
        message: Message,
        offset: Offset,
    ) -> Result<(), String> {
        let (exchange, is_mandatory) = (&settings.exchange, settings.mandatory);
        frame::publish(&mut self.outbox, exchange, is_mandatory, &message, self.frame_max)?;
        let Message { routing_key, message_id, body, .. } = message;
        let bytes = body.len() as u64;
        self.underway.sent(self.next_tag, Sent { offset, routing_key, message_id, bytes });
        self.next_tag += 1;
        Ok(())
    }

    /// Sends what is to be sent until something is said that matters.
    pub(super) async fn said(&mut self) -> Result<Said, Error> {
        loop {
            let said = read::said(&mut self.inbox)
                .map_err(|source| Error::NotAmqp { broker: self.broker.clone(), source })?;
            match said {
                None => self.turn().await?,
                Some(Said::Nothing) => (),
                Some(Said::Closed(refusal) | Said::ChannelClosed(refusal)) => {
                    return Err(self.closed(refusal));
                }
                Some(said) => {
                    self.note(&said)?;
                    return Ok(said);
                }
            }
        }
    }

    fn note(&mut self, said: &Said) -> Result<(), Error> {
        match said {
            Said::Blocked(why) => self.blocked = Some(why.clone()),
            Said::Unblocked => self.blocked = None,
            Said::Confirmed { tag, is_multiple, is_taken } => {
                self.underway.confirmed(*tag, *is_multiple, *is_taken);
            }
            Said::Returned { routing_key, refusal } => {
                self.underway.returned(routing_key.clone(), refusal.clone());
            }
            Said::Header { message_id, bytes }
                if !self.underway.header(message_id.as_deref(), *bytes) =>
            {
                return Err(self.out_of_turn());
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in what was said meanwhile, and says that we are there.
    pub(super) async fn listen(&mut self) -> Result<(), Error> {
        if self.written_at.elapsed() >= self.heartbeat / 2 {
            frame::heartbeat(&mut self.outbox);
        }
        while let Ok(said) = timeout(LISTEN, self.said()).await {
            said?;
        }
        Ok(())
    }

    /// Says goodbye, as well as it goes.
    pub(super) async fn end(&mut self) {
        method::close(&mut self.outbox);
        let _best_effort = self.stream.write_all(&self.outbox).await;
        let _best_effort = self.stream.shutdown().await;
    }

    async fn done(&mut self) -> Result<(), Error> {
        loop {
            match self.said().await? {
                Said::Done => return Ok(()),
                Said::Blocked(_) | Said::Unblocked => (),
                _ => return Err(self.out_of_turn()),
            }
        }
    }

    /// Reads or writes some bytes, or a heartbeat.
    async fn turn(&mut self) -> Result<(), Error> {
        let silent_at = self.heard_at + 2 * self.heartbeat;
        let beat_at = self.written_at + self.heartbeat / 2;
        let is_writable = self.unwritable.is_none();
        let has_output = is_writable && (!self.outbox.is_empty() || !self.is_flushed);
        let (mut reader, mut writer) = split(&mut self.stream);
        let done = tokio::select! {
            read = reader.read_buf(&mut self.inbox) => match read {
                Ok(0) => Err(self.unwritable.take().unwrap_or(io::ErrorKind::UnexpectedEof.into())),
                read => {
                    self.heard_at = Instant::now();
                    read.map(|_| ())
                }
            },
            written = push(&mut writer, &mut self.outbox), if has_output => {
                self.written_at = Instant::now();
                match written {
                    Ok(is_flushed) => self.is_flushed = is_flushed,
                    // Why it ended the connection may have come before that.
                    Err(error) => self.unwritable = Some(error),
                }
                Ok(())
            },
            () = sleep_until(silent_at) => {
                return Err(Error::Silent { broker: self.broker.clone() });
            }
            () = sleep_until(beat_at), if is_writable && !has_output => {
                frame::heartbeat(&mut self.outbox);
                Ok(())
            }
        };
        done.map_err(|source| Error::Cut { broker: self.broker.clone(), source })
    }

    fn closed(&self, refusal: Refusal) -> Error {
        Error::Closed { broker: self.broker.clone(), refusal }
    }

    fn out_of_turn(&self) -> Error {
        Error::OutOfTurn { broker: self.broker.clone() }
    }
}

impl KeepAlive for Client {
    type Error = Error;

    fn silence_max(&self) -> Duration {
        self.heartbeat / 2
    }

    async fn keep_alive(&mut self) -> Result<(), Error> {
        self.listen().await
    }
}

/// Writes some of `outbox`, or flushes what was written; `true`: everything is on its way.
async fn push(writer: &mut (impl AsyncWrite + Unpin), outbox: &mut BytesMut) -> io::Result<bool> {
    if outbox.is_empty() {
        writer.flush().await?;
        return Ok(true);
    }
    match writer.write_buf(outbox).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Found by an attack: one end of eight was told as a cut connection, because the write failed before the read.
    #[tokio::test]
    async fn what_a_broker_says_last_is_heard_though_nothing_can_be_written_to_it() {
        // `connection.close` with code 320.
        let closes = b"\x01\0\0\0\0\0\x12\0\x0a\0\x32\x01\x40\x07restart\0\0\0\0\xce";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for _ in 0..50 {
            let dialed = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut broker, _) = listener.accept().await.unwrap();
            let mut client = Client::on(Stream::Plain(dialed), "broker".to_owned());
            // What it has not read when it leaves makes the system end the connection at once.
            client.stream.write_all(PROTOCOL).await.unwrap();
            broker.readable().await.unwrap();
            broker.write_all(closes).await.unwrap();
            drop(broker);
            while client.stream.write_all(PROTOCOL).await.is_ok() {}
            let said = client.said().await;
            assert!(
                matches!(&said, Err(Error::Closed { refusal, .. }) if refusal.code == 320),
                "{said:?}"
            );
        }
    }
}
