//! The sink: a message for each event, in order, and what the broker says to each.

use std::sync::Arc;

use pluvio_runtime::{Connected, Delivered, Outcome, Sink, Standing, Writer};
use rmqtt_codec::{
    error::DecodeError,
    types::{Publish, QoS},
    v5::PublishProperties,
};

use super::{
    client::Client,
    config::{Settings, Version},
    error::Error,
    flight::Flight,
    packet::{Ack, Answer, TOPIC_NAME_INVALID},
};
use crate::{
    fate::{self, Fate},
    kept::Kept,
    message::MessageFormat,
    template::Place,
};

/// So much is encoded ahead of what the connection takes.
const OUTBOX_BYTES_MAX: usize = 1 << 20;
/// What an absent attribute is in a topic.
const ABSENT: &str = "none";

/// A broker as a sink.
#[derive(Clone, Debug)]
pub struct Mqtt(pub(super) Arc<Settings>);

impl Sink for Mqtt {
    type Writer = Publisher;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<Publisher>, Error> {
        let settings = Arc::clone(&self.0);
        let client_id = match &settings.client_id {
            Some(client_id) => client_id.clone(),
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

    async fn write(&mut self, batch: &[Delivered]) -> Outcome<Error> {
        let mut client = match self.kept.client().await {
            Ok(client) => client,
            Err(error) => return Outcome::NotConnected(error),
        };
        match self.publish(&mut client, batch).await {
            Ok(fates) => fate::outcome(batch.iter().map(Delivered::offset).zip(fates).collect()),
            Err(error) => Outcome::NotConnected(error),
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
    ) -> Result<Vec<Option<Fate>>, Error> {
        let mut flight = Flight::new(batch.len(), client.granted.receive_max);
        loop {
            while client.outbox.len() < OUTBOX_BYTES_MAX
                && let Some((at, id)) = flight.next()
                && let Some(record) = batch.get(at)
            {
                let is_acked = self.settings.qos != QoS::AtMostOnce;
                match self.packet(record, is_acked.then_some(id)) {
                    Ok(packet) => match client.publish(packet, self.bytes_max(client)) {
                        Ok(()) => flight.sent(),
                        Err(reason) => flight.rejected(reason),
                    },
                    Err(reason) => flight.rejected(reason),
                }
                if !is_acked {
                    flight.taken_unless_rejected(at);
                }
            }
            if self.settings.qos == QoS::AtMostOnce {
                client.until_read().await?;
            }
            if flight.has_landed() {
                break;
            }
            if self.settings.qos != QoS::AtMostOnce {
                let answer = client.answer().await?;
                self.settle(client, &mut flight, answer, batch)?;
            }
        }
        Ok(flight.fates())
    }

    fn settle(
        &self,
        client: &mut Client,
        flight: &mut Flight,
        answer: Answer,
        batch: &[Delivered],
    ) -> Result<(), Error> {
        let (ack, is_released) = match answer {
            Answer::Received(ack) => (ack, true),
            Answer::Acked(ack) => (ack, false),
            _ => return Err(client.decode(DecodeError::UnsupportedPacketType)),
        };
        let Some(at) = flight.place(ack.id) else {
            return Err(client.decode(DecodeError::PacketIdRequired));
        };
        if is_released {
            return client.release(ack.id);
        }
        let topic = || batch.get(at).and_then(|record| self.topic(record)).unwrap_or_default();
        flight.settle(at, self.fate(ack, topic)?);
        Ok(())
    }

    /// What a reason says about the event; or that it is not about the event.
    fn fate(&self, ack: Ack, topic: impl FnOnce() -> String) -> Result<Fate, Error> {
        let Ack { reason, text, .. } = ack;
        let told = |what: &str| match &text {
            Some(text) => format!("the broker takes no such {what}: {text}"),
            None => format!("the broker takes no such {what}"),
        };
        match reason {
            0..0x80 => Ok(Fate::Taken),
            0x97 => Ok(Fate::Later),
            0x95 => Ok(Fate::Rejected(told("large packet"))),
            0x99 => Ok(Fate::Rejected(told("payload"))),
            TOPIC_NAME_INVALID if self.settings.topic.constant().is_none() => {
                Ok(Fate::Rejected(told("topic")))
            }
            0x87 => Err(Error::NotAllowed { topic: topic(), text }),
            reason => Err(Error::Publish { topic: topic(), reason, text }),
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
        let topic = self.topic(record).ok_or(crate::message::NO_EVENT)?;
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
        let place = Place {
            stream: self.standing.stream.as_str(),
            sink: self.standing.sink.as_str(),
            recorded: record.recorded(),
        };
        let is_allowed = |c: char| !matches!(c, '/' | '+' | '#') && !c.is_control();
        Some(self.settings.topic.name(record.event()?, place, ABSENT, '-', is_allowed))
    }
}
