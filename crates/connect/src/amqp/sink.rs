//! The sink: a link to one address, and what the peer says to each message.

use std::{sync::Arc, time::Duration};

use fe2o3_amqp::{
    Connection, Sender, Session, connection::ConnectionHandle, link::SendError,
    link::delivery::DeliveryFut, sasl_profile::SaslProfile, session::SessionHandle,
};
use fe2o3_amqp_types::messaging::{Outcome as Settled, Rejected as PeerRejected};
use pluvio_log::Offset;
use pluvio_runtime::{Connected, Delivered, Outcome, Sink, Standing, Writer};
use tokio::time::{Instant, timeout};

use super::{
    config::Settings,
    error::{Error, Said},
    message::message,
};
use crate::fate::{self, Fate};

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
}

/// A message that is on its way, or never will be.
enum Sent {
    Underway(DeliveryFut<Result<Settled, SendError>>),
    Never(String),
}

impl Link {
    async fn attach(settings: Arc<Settings>, name: &str) -> Result<Self, Error> {
        let silent = |_| Error::Silent { broker: settings.peer.to_string() };
        timeout(LOGIN_MAX * 2, Self::attach_once(&settings, name)).await.map_err(silent)?
    }

    async fn attach_once(settings: &Arc<Settings>, name: &str) -> Result<Self, Error> {
        let broker = settings.peer.to_string();
        let credentials = settings.login.resolve()?;
        let profile = match (credentials.username, credentials.password) {
            (Some(username), Some(password)) => SaslProfile::Plain {
                username: username.expose().to_owned(),
                password: password.expose().to_owned(),
            },
            _ => SaslProfile::Anonymous,
        };
        let stream = settings.peer.dial().await?;
        let opening = Connection::builder()
            .container_id(name)
            // TLS, if any, is below; the scheme says what is spoken above it.
            .scheme("amqp")
            .hostname(settings.peer.host.as_str())
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
        Ok(Self { settings: Arc::clone(settings), sender, session, connection })
    }

    /// Sends as many as there is credit for, in order.
    async fn send(&mut self, batch: &[Delivered]) -> Result<Vec<(Offset, Sent)>, Error> {
        let mut sent = Vec::with_capacity(batch.len());
        for record in batch {
            let message = match message(record, &self.settings) {
                Ok(message) => message,
                Err(reason) => {
                    sent.push((record.offset(), Sent::Never(reason)));
                    continue;
                }
            };
            let sending = self.sender.send_batchable(message);
            let line = (&self.session, &self.connection);
            let sending = match watched(line, Some(CREDIT_MAX), sending).await {
                Watched::Done(sending) => sending,
                Watched::OutOfPatience => break,
                Watched::Cut => return Err(self.cut()),
            };
            let sending = match sending {
                Ok(underway) => Sent::Underway(underway),
                Err(
                    error @ (SendError::MessageSizeExceeded(_) | SendError::MessageEncodeError),
                ) => Sent::Never(error.to_string()),
                Err(error) => return Err(self.failed(error)),
            };
            sent.push((record.offset(), sending));
        }
        Ok(sent)
    }

    /// What the peer says to each that was sent.
    async fn fates(&self, sent: Vec<(Offset, Sent)>) -> Result<Vec<(Offset, Option<Fate>)>, Error> {
        let mut fates = Vec::with_capacity(sent.len());
        for (offset, sent) in sent {
            let fate = match sent {
                Sent::Never(reason) => Fate::Rejected(reason),
                Sent::Underway(underway) => {
                    let line = (&self.session, &self.connection);
                    match watched(line, None, underway).await {
                        Watched::Done(Ok(settled)) => self.fate(settled)?,
                        Watched::Done(Err(error)) => return Err(self.failed(error)),
                        Watched::Cut | Watched::OutOfPatience => return Err(self.cut()),
                    }
                }
            };
            fates.push((offset, Some(fate)));
        }
        Ok(fates)
    }

    fn fate(&self, settled: Settled) -> Result<Fate, Error> {
        let Settled::Rejected(PeerRejected { error }) = settled else {
            let is_taken = matches!(settled, Settled::Accepted(_));
            return Ok(if is_taken { Fate::Taken } else { Fate::Later });
        };
        let Some(error) = error else {
            return Ok(Fate::Rejected("the broker rejects it, and does not say why".to_owned()));
        };
        let said = Said::from(&error);
        if said.is_about_all() {
            return Err(Error::Refused { address: self.settings.address.clone(), said });
        }
        Ok(if said.is_about_room() { Fate::Later } else { Fate::Rejected(said.to_string()) })
    }

    fn cut(&self) -> Error {
        Error::Cut { broker: self.settings.peer.to_string() }
    }

    fn failed(&self, error: SendError) -> Error {
        Error::send(self.settings.peer.to_string(), self.settings.address.clone(), error)
    }
}

impl Writer for Link {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered]) -> Outcome<Error> {
        let sent = match self.send(batch).await {
            Ok(sent) => sent,
            Err(error) => return Outcome::NotConnected(error),
        };
        match self.fates(sent).await {
            Ok(mut fates) => {
                // Those behind had no credit.
                let rest = batch.iter().skip(fates.len()).map(|record| (record.offset(), None));
                fates.extend(rest);
                fate::outcome(fates)
            }
            Err(error) => Outcome::NotConnected(error),
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

/// Waits for `future`. The client does not end what waits for credit when its connection ends, so
/// somebody has to look.
async fn watched<F: Future>(
    (session, connection): (&SessionHandle<()>, &ConnectionHandle<()>),
    patience: Option<Duration>,
    future: F,
) -> Watched<F::Output> {
    let begun = Instant::now();
    tokio::pin!(future);
    loop {
        if let Ok(done) = timeout(LOOK_INTERVAL, &mut future).await {
            return Watched::Done(done);
        }
        if session.is_ended() || connection.is_closed() {
            return Watched::Cut;
        }
        if patience.is_some_and(|patience| begun.elapsed() >= patience) {
            return Watched::OutOfPatience;
        }
    }
}
