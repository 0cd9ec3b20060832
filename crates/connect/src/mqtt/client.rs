//! One connection to a broker: what is written, what is read, and the ping that keeps it alive.
//!
//! Reading and writing go on at once, so that neither side waits for the other with full buffers. It
//! refuses to connect again.

use std::{io, num::NonZeroU16, time::Duration};

use bytes::{Buf as _, BytesMut};
use pluvio_net::Stream;
use pluvio_secret::Secret;
use rmqtt_codec::{
    error::{DecodeError, EncodeError},
    types::Publish,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    time::{Instant, sleep_until, timeout},
};

use crate::endpoint::keepalive::KeepAlive;

use super::{
    config::Settings,
    error::Error,
    packet::{Answer, Codec, Granted, Hello},
};

/// A broker that hands us messages nobody asked for, and does not read what we answer, is left.
const OUTBOX_BYTES_MAX: usize = 16 << 20;
/// How long a broker may take to answer a login.
const LOGIN_MAX: Duration = Duration::from_secs(10);

/// A broker that has let us in.
#[derive(Debug)]
pub(super) struct Client {
    broker: String,
    stream: Stream,
    codec: Codec,
    inbox: BytesMut,
    /// So much of what comes is left aside.
    skipped: usize,
    /// Nothing can be written any more; what was said before that is still read.
    unwritable: Option<io::Error>,
    /// What is still to be written.
    pub(super) outbox: BytesMut,
    is_flushed: bool,
    /// How long nothing may be written before a ping is.
    keep_alive: Duration,
    written_at: Instant,
    /// When the ping was sent that has no answer yet.
    pinged_at: Option<Instant>,
    /// The packet id of the next publish, counted through the whole connection.
    pub(super) next_id: NonZeroU16,
    pub(super) granted: Granted,
}

impl Client {
    /// Connects and logs in: one attempt.
    pub(super) async fn connect(settings: &Settings, client_id: &str) -> Result<Self, Error> {
        let credentials = settings.login.resolve()?;
        let mut client = Self {
            broker: settings.peer.to_string(),
            stream: settings.peer.dial().await?,
            codec: Codec::new(settings.version),
            inbox: BytesMut::new(),
            skipped: 0,
            unwritable: None,
            outbox: BytesMut::new(),
            is_flushed: true,
            keep_alive: settings.keep_alive,
            written_at: Instant::now(),
            pinged_at: None,
            next_id: NonZeroU16::MIN,
            granted: Granted {
                receive_max: 1,
                qos_max: settings.qos,
                can_retain: true,
                packet_bytes_max: None,
                keep_alive_s: None,
            },
        };
        let hello = Hello {
            client_id,
            username: credentials.username.as_ref().map(Secret::expose),
            password: credentials.password.as_ref().map(Secret::expose),
            keep_alive_s: u16::try_from(settings.keep_alive.as_secs()).unwrap_or(u16::MAX),
        };
        let written = client.codec.hello(&hello, &mut client.outbox);
        written.map_err(|source| client.encode(source))?;
        let answer = timeout(LOGIN_MAX, client.answer()).await;
        let no_answer = |source| Error::NoAnswer {
            broker: client.broker.clone(),
            version: settings.version,
            source,
        };
        let answer = answer.map_err(|_| no_answer(io::ErrorKind::TimedOut.into()))?;
        match answer {
            Ok(answer) => client.granted = client.granted_by(answer)?,
            Err(Error::Cut { source, .. }) => return Err(no_answer(source)),
            Err(Error::Decode { source, .. }) => return Err(no_answer(io::Error::other(source))),
            Err(error) => return Err(error),
        }
        if let Some(seconds) = client.granted.keep_alive_s.filter(|seconds| *seconds > 0) {
            client.keep_alive = client.keep_alive.min(Duration::from_secs(seconds.into()));
        }
        client.can_all_of(settings)?;
        Ok(client)
    }

    /// Sends what is to be sent until there is an answer other than to a ping.
    pub(super) async fn answer(&mut self) -> Result<Answer, Error> {
        loop {
            match self.answer_or_pong().await? {
                Answer::Pong => (),
                answer => return Ok(answer),
            }
        }
    }

    /// Sends everything and a ping behind it, and waits for its answer: then the broker has read
    /// everything.
    pub(super) async fn until_read(&mut self) -> Result<(), Error> {
        self.ping()?;
        // The answer to an earlier ping proves nothing; a broker answers in order.
        let mut due = 1 + u32::from(self.pinged_at.is_some());
        self.pinged_at = Some(Instant::now());
        while due > 0 {
            match self.answer_or_pong().await? {
                Answer::Pong => due -= 1,
                Answer::Received(ack) => self.release(ack.id)?,
                Answer::Acked(_) => (),
                _ => return Err(self.decode(DecodeError::UnsupportedPacketType)),
            }
        }
        Ok(())
    }

    /// Appends a publish, and gives its bytes; or says why it never can be.
    pub(super) fn publish(&mut self, publish: Publish, bytes_max: usize) -> Result<usize, String> {
        self.codec.publish(publish, bytes_max, &mut self.outbox)
    }

    /// Appends the release of a publish that was received; also of one that was released before, because
    /// a broker that says again that it has it waits for that.
    pub(super) fn release(&mut self, id: u16) -> Result<(), Error> {
        let Some(id) = NonZeroU16::new(id) else {
            return Err(self.decode(DecodeError::PacketIdRequired));
        };
        self.codec.release(id, &mut self.outbox).map_err(|source| self.encode(source))?;
        self.limit_outbox()
    }

    /// Says goodbye, as well as it goes.
    pub(super) async fn end(&mut self) {
        if self.codec.bye(&mut self.outbox).is_ok() {
            let _best_effort = self.stream.write_all(&self.outbox).await;
            let _best_effort = self.stream.shutdown().await;
        }
    }

    /// What the broker has said that makes no sense.
    pub(super) fn decode(&self, source: DecodeError) -> Error {
        Error::Decode { broker: self.broker.clone(), source }
    }

    async fn answer_or_pong(&mut self) -> Result<Answer, Error> {
        loop {
            let skipped = self.skipped.min(self.inbox.len());
            self.inbox.advance(skipped);
            self.skipped -= skipped;
            if self.skipped > 0 {
                self.turn().await?;
                continue;
            }
            let answer = self.codec.answer(&mut self.inbox);
            match answer.map_err(|source| self.decode(source))? {
                Some(Answer::Pong) => {
                    self.pinged_at = None;
                    return Ok(Answer::Pong);
                }
                Some(Answer::Ended(reason, text)) => {
                    return Err(Error::Ended { broker: self.broker.clone(), reason, text });
                }
                Some(Answer::Unasked { rest, answer }) => {
                    self.skipped = rest;
                    if let Some(answer) = answer {
                        self.outbox.extend_from_slice(&answer);
                    }
                    self.limit_outbox()?;
                }
                Some(answer) => return Ok(answer),
                None => self.turn().await?,
            }
        }
    }

    fn limit_outbox(&self) -> Result<(), Error> {
        match self.outbox.len() > OUTBOX_BYTES_MAX {
            true => Err(self.decode(DecodeError::UnsupportedPacketType)),
            false => Ok(()),
        }
    }

    /// Reads or writes some bytes, or pings.
    async fn turn(&mut self) -> Result<(), Error> {
        let until = self.pinged_at.unwrap_or(self.written_at) + self.keep_alive;
        let is_writable = self.unwritable.is_none();
        let has_output = is_writable && (!self.outbox.is_empty() || !self.is_flushed);
        let (mut reader, mut writer) = split(&mut self.stream);
        let done = tokio::select! {
            read = reader.read_buf(&mut self.inbox) => match read {
                Ok(0) => Err(self.unwritable.take().unwrap_or(io::ErrorKind::UnexpectedEof.into())),
                read => read.map(|_| true),
            },
            written = push(&mut writer, &mut self.outbox), if has_output => {
                match written {
                    Ok(is_flushed) => self.is_flushed = is_flushed,
                    // Why it ended the connection may have come before that.
                    Err(error) => self.unwritable = Some(error),
                }
                self.written_at = Instant::now();
                Ok(true)
            },
            () = sleep_until(until) => Ok(false),
        };
        match done {
            Ok(true) => Ok(()),
            Ok(false) if self.pinged_at.is_some() => {
                Err(Error::Silent { broker: self.broker.clone() })
            }
            Ok(false) => {
                self.pinged_at = Some(Instant::now());
                self.ping()
            }
            Err(source) => Err(Error::Cut { broker: self.broker.clone(), source }),
        }
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.codec.ping(&mut self.outbox).map_err(|source| self.encode(source))
    }

    fn granted_by(&self, answer: Answer) -> Result<Granted, Error> {
        let broker = self.broker.clone();
        match answer {
            Answer::Granted(granted) => Ok(granted),
            Answer::Refused(reason, text) => Err(Error::Refused { broker, reason, text }),
            Answer::RefusedThree(reason) => Err(Error::RefusedThree { broker, reason }),
            _ => Err(self.decode(DecodeError::UnsupportedPacketType)),
        }
    }

    /// Said at once and not by a connection that ends at the first publish.
    fn can_all_of(&self, settings: &Settings) -> Result<(), Error> {
        let unable = |key| Err(Error::Unable { broker: self.broker.clone(), key });
        if settings.qos > self.granted.qos_max {
            return unable("qos");
        }
        if settings.retain && !self.granted.can_retain {
            return unable("retain");
        }
        Ok(())
    }

    fn encode(&self, source: EncodeError) -> Error {
        Error::Encode { broker: self.broker.clone(), source }
    }
}

impl KeepAlive for Client {
    type Error = Error;

    fn silence_max(&self) -> Duration {
        self.keep_alive.mul_f32(0.75)
    }

    async fn keep_alive(&mut self) -> Result<(), Error> {
        self.until_read().await
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
