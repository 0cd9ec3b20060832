//! Sends batch after batch, event by event or each in one request.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use pluvio_net::{Dialer, HttpReply};
use pluvio_runtime::{Answers, Connected, Delivered, Outcome, Sink, Standing, Writer};
use pluvio_secret::beginning;

use super::{
    answer::{Verdict, judge},
    config::{Format, Settings},
    error::Error,
    request::Way,
};
use crate::{
    outbound::message::NO_EVENT,
    outbound::per_event::{Fate, Tally},
};

/// A webhook as a sink.
#[derive(Clone, Debug)]
pub struct Webhook(Arc<Settings>);

/// A webhook that answers.
pub struct WebhookWriter {
    way: Way,
    settings: Arc<Settings>,
}

impl Webhook {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }

    /// Whether anybody listens there: so that a host that is down is told as such, and is no failed
    /// event.
    async fn dial(&self) -> Result<(), Error> {
        let dialer = match self.0.url.scheme() {
            "https" => Dialer::tls(&self.0.tls)?,
            _ => Dialer::plain(),
        };
        let port = self.0.url.port_or_known_default().unwrap_or_default();
        dialer.connect(self.0.url.host_str().unwrap_or_default(), port).await?;
        Ok(())
    }
}

impl Sink for Webhook {
    type Writer = WebhookWriter;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<WebhookWriter>, Error> {
        let settings = Arc::clone(&self.0);
        let way =
            Way::new(Arc::clone(&settings), &format!("{}-{}", standing.sink, standing.stream))?;
        self.dial().await?;
        Ok(Connected { writer: WebhookWriter { way, settings }, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let way = Way::new(Arc::clone(&self.0), "probe")?;
        self.dial().await?;
        let reply = way.handshake().await?;
        found(&way, &self.0, &reply)
    }
}

impl Writer for WebhookWriter {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        match self.settings.format {
            Format::CloudeventsBatch => self.write_batch(batch, answers).await,
            _ => self.write_each(batch, answers).await,
        }
    }

    async fn close(self) {}
}

impl WebhookWriter {
    /// One request for all of them.
    async fn write_batch(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let (events, others): (Vec<_>, Vec<_>) = batch.iter().partition(|record| record.is_event());
        for record in others {
            answers.rejected(record.offset(), NO_EVENT.to_owned());
        }
        if events.is_empty() {
            return Outcome::Answered;
        }
        match self.way.send_batch(&events).await {
            Verdict::Taken => {
                for record in events {
                    answers.taken(record.offset());
                }
                Outcome::Answered
            }
            Verdict::Rejected(reason) => Outcome::BatchRejected(reason),
            Verdict::Throttled(wait, why) => Outcome::Throttled { wait, why },
            Verdict::Failed(error) => Outcome::NotConnected(error),
        }
    }

    /// A request for each, in their lanes, until something stops them.
    async fn write_each(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let is_over = AtomicBool::new(false);
        let in_flight_max = self.settings.in_flight_max;
        let tally = Mutex::new(Tally::new(answers));
        let mut lanes = lanes(batch.iter(), in_flight_max > 1).into_iter();
        let mut runs = FuturesUnordered::new();
        for lane in lanes.by_ref().take(in_flight_max) {
            runs.push(run(&self.way, lane, &is_over, &tally));
        }
        while runs.next().await.is_some() {
            if let Some(lane) = lanes.next() {
                runs.push(run(&self.way, lane, &is_over, &tally));
            }
        }
        drop(runs);
        tally.into_inner().unwrap_or_else(PoisonError::into_inner).outcome()
    }
}

/// Events that must arrive one after the other.
type Lane<'b> = Vec<&'b Delivered>;

/// One lane for each subject, in the order of their first events; or one for all.
fn lanes<'b>(pending: impl Iterator<Item = &'b Delivered>, by_subject: bool) -> Vec<Lane<'b>> {
    let (mut lanes, mut of_subject) = (Vec::<Lane<'b>>::new(), HashMap::new());
    for record in pending {
        let subject = record.key().filter(|_| by_subject);
        let lane = *of_subject.entry(subject).or_insert(lanes.len());
        match lanes.get_mut(lane) {
            Some(lane) => lane.push(record),
            None => lanes.push(vec![record]),
        }
    }
    lanes
}

/// Sends a lane's events until one is neither taken nor rejected, or all lanes are over.
async fn run(way: &Way, lane: Lane<'_>, is_over: &AtomicBool, tally: &Mutex<Tally<'_, Error>>) {
    let tally = || tally.lock().unwrap_or_else(PoisonError::into_inner);
    for record in lane {
        if is_over.load(Ordering::Relaxed) || !tally().may_send() {
            break;
        }
        let fate = match way.send(record).await {
            Verdict::Taken => Fate::Taken,
            Verdict::Rejected(reason) => Fate::Rejected(reason),
            Verdict::Throttled(wait, why) => Fate::Later(wait, why),
            Verdict::Failed(error) => Fate::Failed(error),
        };
        if !matches!(fate, Fate::Taken | Fate::Rejected(_)) {
            is_over.store(true, Ordering::Relaxed);
        }
        tally().note(record.offset(), fate);
    }
}

/// What a handshake tells. A receiver need not know of it: only what would hit every event is an
/// error.
fn found(way: &Way, settings: &Settings, reply: &HttpReply) -> Result<String, Error> {
    let (host, status) = (way.host(), reply.status.as_u16());
    let told = |name: &str| reply.headers.get(name).and_then(|value| value.to_str().ok());
    let shown = |value| beginning(value, 100);
    let server = told("server").map(|server| format!(" ({})", shown(server))).unwrap_or_default();
    let Some(origin) = told("webhook-allowed-origin") else {
        return match judge(host, &settings.url, reply, Timestamp::now()) {
            Verdict::Failed(error)
                if reply.status.is_redirection() || matches!(status, 401 | 403 | 410) =>
            {
                Err(error)
            }
            _ => Ok(format!(
                "{host}{server} answers; it does not say whether it takes events (OPTIONS: {status})"
            )),
        };
    };
    let rate = match told("webhook-allowed-rate") {
        Some(rate) if rate != "*" => format!(", {} requests a minute", shown(rate)),
        _ => String::new(),
    };
    Ok(format!("{host}{server} takes events from {}{rate}", shown(origin)))
}
