//! The sink: a link to one address, and what the peer says to each message.

use std::{future::Future, sync::Arc, time::Duration};

use fe2o3_amqp::{
    Connection, Sender, Session, connection::ConnectionHandle, link::SendError,
    sasl_profile::SaslProfile, session::SessionHandle,
};
use futures::{FutureExt as _, StreamExt as _};
use pluvio_net::Stream;
use pluvio_runtime::{Answers, Connected, Delivered, Outcome, Sink, Standing, Writer};
use tokio::time::{Instant, interval, timeout};

use super::{
    config::Settings,
    error::Error,
    flight::Flight,
    guard::{FRAME_BYTES_MAX, Guard, Heard},
    message::message,
};
use crate::outbound::per_event::Fate;

/// How long a peer may take to let us in.
const LOGIN_MAX: Duration = Duration::from_secs(10);
/// How long credit is waited for: a peer with room gives it within a round trip.
const CREDIT_MAX: Duration = Duration::from_secs(5);
/// How often a wait looks whether the connection is still there.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// After so long without a frame the peer is gone; it sends empty ones before.
const SILENCE_MAX_MILLIS: u32 = 30_000;

/// An address as a sink.
#[derive(Clone, Debug)]
pub struct Amqp(pub(super) Arc<Settings>);

impl Sink for Amqp {
    type Writer = Link;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<Link>, Error> {
        let name = format!("pluvio-{}-{}", standing.sink, uuid::Uuid::new_v4());
        let writer = Link::attach(Arc::clone(&self.0), &name).await?;
        Ok(Connected { writer, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let name = format!("pluvio-check-{}", uuid::Uuid::new_v4());
        let link = Link::attach(Arc::clone(&self.0), &name).await?;
        let size = match link.sender.max_message_size() {
            Some(bytes) if bytes > 0 && bytes < u64::MAX => {
                format!(", messages of up to {bytes} bytes")
            }
            _ => String::new(),
        };
        let found = format!("`{}` at {} can be sent to{size}", self.0.address, self.0.peer);
        link.close().await;
        Ok(found)
    }
}

/// An attached link; dropping it ends its connection.
#[derive(Debug)]
pub struct Link {
    settings: Arc<Settings>,
    sender: Sender,
    session: SessionHandle<()>,
    connection: ConnectionHandle<()>,
    heard: Arc<Heard>,
}

impl Link {
    async fn attach(settings: Arc<Settings>, name: &str) -> Result<Self, Error> {
        let silent = |_| Error::Silent { broker: settings.peer.to_string() };
        timeout(LOGIN_MAX * 2, Self::attach_once(&settings, name)).await.map_err(silent)?
    }

    async fn attach_once(settings: &Arc<Settings>, name: &str) -> Result<Self, Error> {
        let credentials = settings.login.resolve()?;
        let profile = match (credentials.username, credentials.password) {
            (Some(username), Some(password)) => SaslProfile::Plain {
                username: username.expose().to_owned(),
                password: password.expose().to_owned(),
            },
            _ => SaslProfile::Anonymous,
        };
        let heard = Arc::<Heard>::default();
        let stream = Guard::new(settings.peer.dial().await?, Arc::clone(&heard));
        let attached = Self::attach_on(stream, profile, settings, name, &heard).await;
        attached.map_err(|error| judged(error, &heard, settings))
    }

    async fn attach_on(
        stream: Guard<Stream>,
        profile: SaslProfile,
        settings: &Arc<Settings>,
        name: &str,
        heard: &Arc<Heard>,
    ) -> Result<Self, Error> {
        let broker = settings.peer.to_string();
        let opening = Connection::builder()
            .container_id(name)
            // TLS, if any, is below; the scheme says what is spoken above it.
            .scheme("amqp")
            .hostname(settings.peer.host.as_str())
            .max_frame_size(FRAME_BYTES_MAX)
            .idle_time_out(SILENCE_MAX_MILLIS)
            .sasl_profile(profile)
            .open_with_stream(stream);
        let opened = timeout(LOGIN_MAX, opening).await;
        let opened = opened.map_err(|_| Error::Silent { broker: broker.clone() })?;
        let mut connection = opened.map_err(|source| Error::open(broker.clone(), source))?;
        let session = Session::begin(&mut connection).await;
        let mut session = session.map_err(|source| Error::begin(broker, source))?;
        let sender = Sender::attach(&mut session, name, settings.address.as_str()).await;
        let sender = sender.map_err(|source| Error::attach(settings.address.clone(), source))?;
        let (settings, heard) = (Arc::clone(settings), Arc::clone(heard));
        Ok(Self { settings, sender, session, connection, heard })
    }

    /// Sends as many as there is credit for, in order, and takes in answers meanwhile.
    async fn send(&mut self, batch: &[Delivered], flight: &mut Flight<'_>) -> Result<(), Error> {
        for record in batch {
            let offset = record.offset();
            let message = match message(record, &self.settings) {
                Ok(message) => message,
                Err(reason) => {
                    flight.tally.note(offset, Fate::Rejected(reason));
                    continue;
                }
            };
            if !flight.tally.may_send() || flight.failure.is_some() {
                break;
            }
            let sending = self.sender.send_batchable(message);
            let line = (&self.session, &self.connection);
            match watched(line, Some(CREDIT_MAX), sending, flight, &self.settings).await {
                Watched::Done(Ok(underway)) => {
                    flight.open.insert(offset, record.stored().len());
                    flight.underway.push(Box::pin(async move { (offset, underway.await) }));
                }
                Watched::Done(Err(
                    error @ (SendError::MessageSizeExceeded(_) | SendError::MessageEncodeError),
                )) => flight.tally.note(offset, Fate::Rejected(error.to_string())),
                Watched::Done(Err(error)) => return Err(self.failed(error)),
                Watched::OutOfPatience => {
                    let why = format!("`{}` gives no credit to send", self.settings.address);
                    flight.tally.note(offset, Fate::Later(Duration::ZERO, why));
                    break;
                }
                Watched::Cut => return Err(self.cut()),
            }
        }
        Ok(())
    }

    /// Takes in the answers to all that were sent, or until the link ends.
    async fn settle(&mut self, flight: &mut Flight<'_>) -> Result<(), Error> {
        let mut end = None;
        let mut looks = interval(LOOK_INTERVAL);
        looks.tick().await;
        while end.is_none() && !flight.underway.is_empty() {
            tokio::select! {
                biased;
                Some((offset, settled)) = flight.underway.next() => {
                    flight.note(offset, settled, &self.settings);
                }
                // A link that is detached without being closed leaves what is open without an answer.
                why = self.sender.on_detach() => end = Some(self.failed(SendError::Detached(why))),
                _ = looks.tick() => if self.session.is_ended() || self.connection.is_closed() {
                    end = Some(self.cut());
                }
            }
        }
        // What was said before the end.
        while let Some(Some((offset, settled))) = flight.underway.next().now_or_never() {
            flight.note(offset, settled, &self.settings);
        }
        if flight.open.is_empty() {
            return Ok(());
        }
        let failure = flight.failure.take().map(|error| self.failed(error));
        Err(end.or(failure).unwrap_or_else(|| self.cut()))
    }

    fn cut(&self) -> Error {
        Error::Cut { broker: self.settings.peer.to_string() }
    }

    fn failed(&self, error: SendError) -> Error {
        Error::send(self.settings.peer.to_string(), self.settings.address.clone(), error)
    }
}

/// What ended a link: what was heard of it, if that says more than the client does.
fn judged(error: Error, heard: &Heard, settings: &Settings) -> Error {
    match (heard.refusal.get(), heard.said.get()) {
        (Some(refusal), _) => {
            Error::Frame { broker: settings.peer.to_string(), source: refusal.clone() }
        }
        (None, Some(said)) if !matches!(error, Error::Refused { .. }) => {
            Error::Refused { address: settings.address.clone(), said: said.clone() }
        }
        (None, _) => error,
    }
}

impl Writer for Link {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let mut flight = Flight::new(answers);
        let sent = self.send(batch, &mut flight).await;
        let settled = self.settle(&mut flight).await;
        match sent.and(settled) {
            Ok(()) => flight.tally.outcome(),
            Err(error) => flight.ended(judged(error, &self.heard, &self.settings), answers),
        }
    }

    async fn close(mut self) {
        let _best_effort = self.sender.close().await;
        let _best_effort = self.session.end().await;
        let _best_effort = self.connection.close().await;
    }
}

/// What came first.
enum Watched<T> {
    Done(T),
    Cut,
    OutOfPatience,
}

/// Waits for `future`, and takes in answers meanwhile. The client does not end what waits for credit
/// when its connection ends, so somebody has to look.
async fn watched<F: Future>(
    (session, connection): (&SessionHandle<()>, &ConnectionHandle<()>),
    patience: Option<Duration>,
    future: F,
    flight: &mut Flight<'_>,
    settings: &Settings,
) -> Watched<F::Output> {
    let begun = Instant::now();
    let mut looks = interval(LOOK_INTERVAL);
    looks.tick().await;
    tokio::pin!(future);
    loop {
        tokio::select! {
            biased;
            done = &mut future => return Watched::Done(done),
            Some((offset, settled)) = flight.underway.next(), if !flight.underway.is_empty() => {
                flight.note(offset, settled, settings);
            }
            _ = looks.tick() => {}
        }
        if session.is_ended() || connection.is_closed() {
            return Watched::Cut;
        }
        if patience.is_some_and(|patience| begun.elapsed() >= patience) {
            return Watched::OutOfPatience;
        }
    }
}
