//! The sink: a link to one address, and what the peer says to each message.

use std::{
    collections::BTreeMap,
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use fe2o3_amqp::{
    Connection, Sender, Session, connection::ConnectionHandle, link::SendError,
    sasl_profile::SaslProfile, session::SessionHandle,
};
use fe2o3_amqp_types::messaging::{Outcome as Settled, Rejected as PeerRejected};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use pluvio_log::Offset;
use pluvio_runtime::{Answers, Chain, Connected, Delivered, Outcome, Sink, Standing, Writer};
use tokio::time::{Instant, interval, timeout};

use super::{
    config::Settings,
    error::{Blame, Error, Said},
    message::message,
};
use crate::fate::{Fate, Tally};

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

/// An answer to a message that is on its way, with its offset.
type Underway = FuturesUnordered<BoxFuture<'static, (Offset, Result<Settled, SendError>)>>;

/// One write.
struct Flight<'a> {
    tally: Tally<'a, Error>,
    underway: Underway,
    /// What is on its way, and how large its event is.
    open: BTreeMap<Offset, usize>,
    /// Why no more answers come.
    failure: Option<SendError>,
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

    /// Takes in the answers to all that were sent.
    async fn settle(&self, flight: &mut Flight<'_>) -> Result<(), Error> {
        let line = (&self.session, &self.connection);
        while !flight.underway.is_empty() {
            match watched(line, Some(LOOK_INTERVAL), pending(), flight, &self.settings).await {
                Watched::Done(()) | Watched::OutOfPatience => {}
                Watched::Cut => break,
            }
        }
        // What was said before the end.
        while let Some(Some((offset, settled))) = flight.underway.next().now_or_never() {
            flight.note(offset, settled, &self.settings);
        }
        match flight.failure.take() {
            Some(error) => Err(self.failed(error)),
            None if flight.open.is_empty() => Ok(()),
            None => Err(self.cut()),
        }
    }

    fn cut(&self) -> Error {
        Error::Cut { broker: self.settings.peer.to_string() }
    }

    fn failed(&self, error: SendError) -> Error {
        Error::send(self.settings.peer.to_string(), self.settings.address.clone(), error)
    }
}

impl Flight<'_> {
    fn note(&mut self, offset: Offset, settled: Result<Settled, SendError>, settings: &Settings) {
        match settled {
            Ok(settled) => {
                self.open.remove(&offset);
                self.tally.note(offset, fate(settled, settings));
            }
            Err(error) => self.failure = self.failure.take().or(Some(error)),
        }
    }

    /// What the end of the link says about those without an answer.
    fn ended(self, error: Error, answers: &Answers) -> Outcome<Error> {
        let tally = self.tally.outcome();
        if matches!(tally, Outcome::NotConnected(_)) {
            return tally;
        }
        let largest = self.open.iter().max_by_key(|(_, bytes)| **bytes);
        match (error.blame(), self.open.last_key_value(), largest) {
            (Blame::Largest, _, Some((offset, bytes))) => {
                let reason = format!("an event of {bytes} bytes: {}", Chain(&error));
                answers.rejected(*offset, reason);
                Outcome::NotConnected(error)
            }
            (Blame::Some, Some((sent_to, _)), _) => Outcome::Broken { error, sent_to: *sent_to },
            _ => Outcome::NotConnected(error),
        }
    }
}

/// What the peer says to a message: `docs/sinks-refusals.md` has the table.
fn fate(settled: Settled, settings: &Settings) -> Fate<Error> {
    let address = &settings.address;
    let later = |why: String| Fate::Later(Duration::ZERO, why);
    match settled {
        Settled::Accepted(_) => Fate::Taken,
        Settled::Released(_) => later(format!(
            "`{address}` released messages: it does not take them now, or no queue is bound to it"
        )),
        Settled::Modified(_) => later(format!("`{address}` gave messages back as modified")),
        Settled::Rejected(PeerRejected { error: None }) => {
            Fate::Rejected("the broker rejects it, and does not say why".to_owned())
        }
        Settled::Rejected(PeerRejected { error: Some(error) }) => {
            let said = Said::from(&error);
            if said.is_about_all() {
                return Fate::Failed(Error::Refused { address: address.clone(), said });
            }
            match said.is_about_now() {
                true => later(format!("`{address}` does not take messages now: {said}")),
                false => Fate::Rejected(said.to_string()),
            }
        }
        #[expect(unreachable_patterns, reason = "the type has more with transactions")]
        _ => later(format!("`{address}` answered something unknown")),
    }
}

impl Writer for Link {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let mut flight = Flight {
            tally: Tally::new(answers),
            underway: FuturesUnordered::new(),
            open: BTreeMap::new(),
            failure: None,
        };
        let sent = self.send(batch, &mut flight).await;
        let settled = self.settle(&mut flight).await;
        match sent.and(settled) {
            Ok(()) => flight.tally.outcome(),
            Err(error) => flight.ended(error, answers),
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
