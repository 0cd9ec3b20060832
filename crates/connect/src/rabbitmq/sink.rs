//! The sink: a message for each event, in order, and what the broker says to each.

use std::{sync::Arc, time::Duration};

use pluvio_event::Event;
use pluvio_log::Offset;
use pluvio_runtime::{Answers, Chain, Connected, Delivered, Outcome, Sink, Standing, Writer};
use tokio::time::timeout;

use super::{
    client::Client,
    config::Settings,
    error::{Blame, Error},
    field::SHORT_BYTES_MAX,
    frame::Message,
    underway::Answer,
};
use crate::{
    endpoint::keepalive::Kept,
    outbound::message::NO_EVENT,
    outbound::name_template::NameContext,
    outbound::per_event::{Fate, Tally},
};

/// What a nack means.
const NACKED: &str = "the broker did not take all events (basic.nack): a queue is full and rejects \
    publishes, or the broker is in trouble";
/// How long a broker that blocks publishers is waited for within a write, without a confirm.
const BLOCKED_PATIENCE: Duration = Duration::from_secs(1);
/// How long until it is looked at again.
const BLOCKED_WAIT: Duration = Duration::from_secs(1);
/// So much is encoded ahead of what the connection takes.
const OUTBOX_BYTES_MAX: usize = 1 << 20;

/// An exchange as a sink.
#[derive(Clone, Debug)]
pub struct Rabbitmq(pub(super) Arc<Settings>);

impl Sink for Rabbitmq {
    type Writer = Publisher;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<Publisher>, Error> {
        let settings = Arc::clone(&self.0);
        let client = Client::connect(&settings, &format!("pluvio-{}", standing.sink)).await?;
        let kept = Kept::new(client);
        Ok(Connected { writer: Publisher { settings, standing, kept }, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let mut client = Client::connect(&self.0, "pluvio-check").await?;
        let exchange = match self.0.exchange.as_str() {
            "" => "the default exchange".to_owned(),
            exchange => format!("exchange `{exchange}`"),
        };
        client.end().await;
        Ok(format!(
            "{exchange} is there, in virtual host `{}` of {}; whether queues are bound, and whether \
             it may be written to, shows at the first event",
            self.0.virtual_host, self.0.peer,
        ))
    }
}

/// A connection to publish by.
#[derive(Debug)]
pub struct Publisher {
    settings: Arc<Settings>,
    standing: Standing,
    kept: Kept<Client>,
}

impl Writer for Publisher {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        let mut client = match self.kept.client().await {
            Ok(client) => client,
            Err(error) => return Outcome::NotConnected(error),
        };
        let mut tally = Tally::new(answers);
        let published = self.publish(&mut client, batch, &mut tally).await;
        self.report(&mut client, &mut tally);
        let Err(error) = published else { return tally.outcome() };
        match tally.outcome() {
            // Said before the end.
            outcome @ Outcome::NotConnected(_) => outcome,
            _ => ended(error.at(&self.settings.exchange), &client, answers),
        }
    }

    async fn close(self) {
        if let Ok(mut client) = self.kept.last_client().await {
            client.end().await;
        }
    }
}

impl Publisher {
    /// Sends what is not on its way yet, and takes in answers until all have one.
    async fn publish(
        &self,
        client: &mut Client,
        batch: &[Delivered],
        tally: &mut Tally<'_, Error>,
    ) -> Result<(), Error> {
        if client.blocked.is_some() {
            client.listen().await?;
        }
        // Sent by an earlier write over this connection, and not answered for when that ended.
        let mut known = client.underway.offsets();
        known.extend(self.report(client, tally));
        let mut records = batch.iter().filter(|record| !known.contains(&record.offset()));
        let mut next = records.next();
        loop {
            while client.outbox.len() < OUTBOX_BYTES_MAX
                && client.blocked.is_none()
                && tally.may_send()
                && let Some(record) = next
            {
                let offset = record.offset();
                let message = self.message(record);
                let sent = message.and_then(|it| client.publish(&self.settings, it, offset));
                if let Err(reason) = sent {
                    tally.note(offset, Fate::Rejected(reason));
                }
                next = records.next();
            }
            let is_over = next.is_none() || client.blocked.is_some() || !tally.may_send();
            if client.underway.is_empty() && is_over {
                break;
            }
            if client.blocked.is_none() {
                client.said().await?;
            } else {
                // What it has read before it blocked is confirmed soon.
                match timeout(BLOCKED_PATIENCE, client.said()).await {
                    Ok(said) => drop(said?),
                    Err(_) => break,
                }
            }
            self.report(client, tally);
        }
        if let (Some(why), Some(first)) = (&client.blocked, batch.first()) {
            let why = format!("{} blocks publishers: {why}", self.settings.peer);
            tally.note(first.offset(), Fate::Later(BLOCKED_WAIT, why));
        }
        Ok(())
    }

    /// Reports what was said; gives those that have arrived.
    fn report(&self, client: &mut Client, tally: &mut Tally<'_, Error>) -> Vec<Offset> {
        let mut taken = Vec::new();
        for (offset, answer) in client.underway.answered() {
            tally.note(
                offset,
                match answer {
                    Answer::Taken => {
                        taken.push(offset);
                        Fate::Taken
                    }
                    Answer::Nacked => Fate::Later(Duration::ZERO, NACKED.to_owned()),
                    Answer::Unroutable { routing_key, refusal } => {
                        Fate::Failed(Error::Unroutable {
                            exchange: self.settings.exchange.clone(),
                            routing_key,
                            refusal,
                        })
                    }
                },
            );
        }
        taken
    }

    fn message(&self, record: &Delivered) -> Result<Message, String> {
        let settings = &self.settings;
        let event = record.event().ok_or(NO_EVENT)?;
        let message = settings.format.message(record)?;
        let place = NameContext {
            stream: self.standing.stream.as_str(),
            sink: self.standing.sink.as_str(),
            recorded: record.recorded(),
        };
        let headers = message.attributes.into_iter();
        Ok(Message {
            routing_key: settings.routing_key.key(event, place)?,
            content_type: message.content_type,
            headers: headers.map(|(name, it)| (format!("ce-{name}"), it.to_string())).collect(),
            message_id: message_id(event),
            is_persistent: settings.persistent,
            body: message.body,
        })
    }
}

/// What tells messages apart: source and id; or, if that is longer than a message's id may be, the
/// name-based UUID made of it.
fn message_id(event: &Event) -> String {
    let id = format!("{} {}", event.source(), event.id());
    if id.len() <= SHORT_BYTES_MAX {
        return id;
    }
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, id.as_bytes()).to_string()
}

/// What the end of the channel or the connection says about those without an answer.
fn ended(error: Error, client: &Client, answers: &Answers) -> Outcome<Error> {
    match (error.blame(), client.underway.offsets().last()) {
        (Blame::Largest, _) => {
            if let Some(largest) = client.underway.largest() {
                let reason = format!("a message of {} bytes: {}", largest.bytes, Chain(&error));
                answers.rejected(largest.offset, reason);
            }
            Outcome::NotConnected(error)
        }
        (Blame::Some, Some(sent_to)) => Outcome::Broken { error, sent_to: *sent_to },
        _ => Outcome::NotConnected(error),
    }
}
