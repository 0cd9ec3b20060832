//! The sink: a message for each event, in order, and what the broker says to each.
//!
//! Each answer is reported when it comes. A broker that ends the connection because of a packet's size
//! does not say which packet; of those without an answer the largest is too large, if any is.

use std::{sync::Arc, time::Duration};

use pluvio_runtime::{Answers, Chain, Connected, Delivered, Outcome, Sink, Standing, Writer};
use rmqtt_codec::{
    error::DecodeError,
    types::{Publish, QoS},
    v5::PublishProperties,
};

use super::{
    client::Client,
    config::{Settings, Version},
    error::{Blame, Error},
    flight::Flight,
    packet::{Ack, Answer, TOPIC_NAME_INVALID},
};
use crate::{
    endpoint::keepalive::Kept,
    outbound::message::MessageFormat,
    outbound::name_template::NameContext,
    outbound::per_event::{Fate, Tally},
};

/// So much is encoded ahead of what the connection takes.
const OUTBOX_BYTES_MAX: usize = 1 << 20;
/// What an absent attribute is in a topic.
const ABSENT: &str = "none";

/// A broker as a sink.
#[derive(Clone, Debug)]
pub struct Mqtt(pub(super) Arc<Settings>);

impl Mqtt {
    /// What no other sink may have: a client id at a broker, which ends the connection of the one before.
    /// The one that is made from a sink's name is its own.
    pub fn identity(&self) -> Option<String> {
        let (id, peer) = (self.0.client_id.as_ref()?, &self.0.peer);
        Some(format!("`{}:{}` as the client `{id}`", peer.host, peer.port))
    }
}

impl Sink for Mqtt {
    type Writer = Publisher;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<Publisher>, Error> {
        let settings = Arc::clone(&self.0);
        let client_id = match &settings.client_id {
            Some(client_id) => client_id.clone(),
            // Two clients with one id would end each other's connection for ever.
            None if standing.is_beside => format!("pluvio-{}.replay", standing.sink),
            None => format!("pluvio-{}", standing.sink),
        };
        let client = Client::connect(&settings, &client_id).await?;
        let kept = Kept::new(client);
        Ok(Connected { writer: Publisher { settings, standing, kept }, cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        // Another name: a running sink keeps its connection.
        let client_id = self.0.client_id.as_deref().unwrap_or("pluvio");
        let mut client = Client::connect(&self.0, &format!("{client_id}-check")).await?;
        let granted = client.granted;
        let packets = granted
            .packet_bytes_max
            .map_or_else(String::new, |bytes| format!(", packets of up to {bytes} bytes"));
        let found = format!(
            "MQTT {} at {}, up to {} publishes on their way{packets}; whether `topic` may be \
             published to shows at the first event",
            self.0.version, self.0.peer, granted.receive_max,
        );
        client.end().await;
        Ok(found)
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
        let mut flight = Flight::new(batch.len(), client.granted.receive_max, client.next_id);
        let mut tally = Tally::new(answers);
        match self.publish(&mut client, batch, &mut flight, &mut tally).await {
            Ok(()) => tally.outcome(),
            Err(error) => match tally.outcome() {
                // Said before the end, and the reason for it, mostly.
                outcome @ Outcome::NotConnected(_) => outcome,
                _ => self.ended(error, batch, &flight, answers),
            },
        }
    }

    async fn close(self) {
        if let Ok(mut client) = self.kept.last_client().await {
            client.end().await;
        }
    }
}

impl Publisher {
    async fn publish(
        &self,
        client: &mut Client,
        batch: &[Delivered],
        flight: &mut Flight,
        tally: &mut Tally<'_, Error>,
    ) -> Result<(), Error> {
        let is_acked = self.settings.qos != QoS::AtMostOnce;
        loop {
            while client.outbox.len() < OUTBOX_BYTES_MAX
                && tally.may_send()
                && let Some((at, id)) = flight.next()
                && let Some(record) = batch.get(at)
            {
                let packet = self.packet(record, is_acked.then_some(id));
                match packet.and_then(|it| client.publish(it, self.bytes_max(client))) {
                    Ok(bytes) => flight.sent(bytes),
                    Err(reason) => {
                        tally.note(record.offset(), Fate::Rejected(reason));
                        flight.left_out();
                    }
                }
                client.next_id = flight.next_id();
            }
            if flight.has_landed() {
                if flight.is_sent() || !tally.may_send() {
                    return Ok(());
                }
            } else if is_acked {
                let answer = client.answer().await?;
                self.settle(client, flight, answer, batch, tally)?;
            } else {
                client.until_read().await?;
                for at in flight.underway() {
                    if let Some(record) = batch.get(at).filter(|_| flight.is_open(at)) {
                        tally.note(record.offset(), Fate::Taken);
                        flight.settle(at);
                    }
                }
            }
        }
    }

    fn settle(
        &self,
        client: &mut Client,
        flight: &mut Flight,
        answer: Answer,
        batch: &[Delivered],
        tally: &mut Tally<'_, Error>,
    ) -> Result<(), Error> {
        let (ack, is_released) = match answer {
            Answer::Received(ack) => (ack, true),
            Answer::Acked(ack) => (ack, false),
            _ => return Err(client.decode(DecodeError::UnsupportedPacketType)),
        };
        if is_released {
            return client.release(ack.id);
        }
        let place = flight.place(ack.id).and_then(|at| Some((at, batch.get(at)?)));
        // It came twice, or after its write: what it is about has its answer.
        let Some((at, record)) = place else { return Ok(()) };
        let topic = || self.topic(record).unwrap_or_default();
        tally.note(record.offset(), self.fate(ack, topic));
        flight.settle(at);
        Ok(())
    }

    /// What a reason says about the event: `docs/sinks-refusals.md` has the table.
    fn fate(&self, ack: Ack, topic: impl FnOnce() -> String) -> Fate<Error> {
        let Ack { reason, text, .. } = ack;
        let words = text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        let told = |what: &str| format!("the broker takes no such {what}{words}");
        match reason {
            0..0x80 => Fate::Taken,
            0x91 => Fate::Later(Duration::ZERO, format!("the packet id is in use (0x91){words}")),
            0x97 => Fate::Later(Duration::ZERO, format!("a quota is used up (0x97){words}")),
            0x95 => Fate::Rejected(told("large packet")),
            0x99 => Fate::Rejected(told("payload")),
            TOPIC_NAME_INVALID if self.settings.topic.constant().is_none() => {
                Fate::Rejected(told("topic"))
            }
            0x87 => Fate::Failed(Error::NotAllowed { topic: topic(), text }),
            // Unspecified, and whatever the implementation means: mostly of all, sometimes of one.
            0x80 | 0x83 => Fate::Suspected(Error::Publish { topic: topic(), reason, text }),
            reason => Fate::Failed(Error::Publish { topic: topic(), reason, text }),
        }
    }

    /// What the end of the connection says about those without an answer.
    fn ended(
        &self,
        error: Error,
        batch: &[Delivered],
        flight: &Flight,
        answers: &Answers,
    ) -> Outcome<Error> {
        let is_templated = self.settings.topic.constant().is_none();
        match error.blame(is_templated) {
            Blame::Largest => {
                let largest = flight.largest();
                if let Some((record, bytes)) =
                    largest.and_then(|(at, bytes)| Some((batch.get(at)?, bytes)))
                {
                    let reason = format!("a packet of {bytes} bytes: {}", Chain(&error));
                    answers.rejected(record.offset(), reason);
                }
                Outcome::NotConnected(error)
            }
            Blame::Some if !flight.has_landed() => {
                let last = flight.underway().end.checked_sub(1).and_then(|at| batch.get(at));
                match last.map(Delivered::offset) {
                    Some(sent_to) => Outcome::Broken { error, sent_to },
                    None => Outcome::NotConnected(error),
                }
            }
            Blame::Some | Blame::None => Outcome::NotConnected(error),
        }
    }

    fn bytes_max(&self, client: &Client) -> usize {
        let granted = client.granted.packet_bytes_max.unwrap_or(u32::MAX);
        self.settings.packet_bytes_max.min(usize::try_from(granted).unwrap_or(usize::MAX))
    }

    fn packet(
        &self,
        record: &Delivered,
        packet_id: Option<std::num::NonZeroU16>,
    ) -> Result<Publish, String> {
        let settings = &self.settings;
        let message = settings.format.message(record)?;
        let topic = self.topic(record).ok_or(crate::outbound::message::NO_EVENT)?;
        let properties = (settings.version == Version::Five).then(|| PublishProperties {
            content_type: message.content_type.map(Into::into),
            user_properties: message
                .attributes
                .into_iter()
                .map(|(name, value)| (name.into(), value.to_string().into()))
                .collect(),
            is_utf8_payload: settings.format == MessageFormat::Cloudevents,
            ..PublishProperties::default()
        });
        Ok(Publish {
            dup: false,
            retain: settings.retain,
            qos: settings.qos,
            topic: topic.into(),
            packet_id,
            payload: message.body,
            properties,
        })
    }

    fn topic(&self, record: &Delivered) -> Option<String> {
        let place = NameContext {
            stream: self.standing.stream.as_str(),
            sink: self.standing.sink.as_str(),
            recorded: record.recorded(),
        };
        let is_allowed = |c: char| !matches!(c, '/' | '+' | '#') && !c.is_control();
        Some(self.settings.topic.name(record.event()?, place, ABSENT, '-', is_allowed))
    }
}
