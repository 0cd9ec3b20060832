//! The sink: a message for each event, in order, and what the broker says to each.

use std::sync::Arc;

use pluvio_runtime::{Connected, Delivered, Outcome, Sink, Standing, Writer};

use super::{
    client::Client,
    config::Settings,
    error::Error,
    frame::{Message, Said},
};
use crate::{
    fate::{self, Fate},
    kept::Kept,
    message::NO_EVENT,
    template::Place,
};

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

    async fn write(&mut self, batch: &[Delivered]) -> Outcome<Error> {
        let mut client = match self.kept.client().await {
            Ok(client) => client,
            Err(error) => return Outcome::NotConnected(error),
        };
        match self.publish(&mut client, batch).await {
            Ok(fates) => fate::outcome(batch.iter().map(Delivered::offset).zip(fates).collect()),
            Err(error) => Outcome::NotConnected(error.at(&self.settings.exchange)),
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
        let mut fates = vec![None; batch.len()];
        if client.is_blocked {
            client.listen().await?;
        }
        // Which event has which tag: those that are not sent have none.
        let (first_tag, mut places) = (client.next_tag, Vec::with_capacity(batch.len()));
        let (mut next, mut open) = (0, 0_usize);
        while !client.is_blocked && (next < batch.len() || open > 0) {
            while client.outbox.len() < OUTBOX_BYTES_MAX
                && let Some(record) = batch.get(next)
            {
                let sent = self.message(record).and_then(|it| client.publish(&self.settings, &it));
                match sent {
                    Ok(_) => {
                        places.push(next);
                        open += 1;
                    }
                    Err(reason) => fates[next] = Some(Fate::Rejected(reason)),
                }
                next += 1;
            }
            if open == 0 {
                continue;
            }
            if let Some((range, fate)) = self.confirmed(client.said().await?, first_tag, &places)? {
                for place in places.get(range).unwrap_or_default() {
                    if let Some(open_fate) = fates.get_mut(*place).filter(|fate| fate.is_none()) {
                        *open_fate = Some(fate.clone());
                        open -= 1;
                    }
                }
            }
        }
        Ok(fates)
    }

    /// Which of the batch's publishes are confirmed by that, by their order.
    fn confirmed(
        &self,
        said: Said,
        first_tag: u64,
        places: &[usize],
    ) -> Result<Option<(std::ops::Range<usize>, Fate)>, Error> {
        match said {
            Said::Confirmed { tag, is_multiple, is_taken } => {
                // Of what was sent before this batch, nobody waits for an answer.
                let Some(last) = tag.checked_sub(first_tag) else { return Ok(None) };
                let last = usize::try_from(last).unwrap_or(usize::MAX).min(places.len());
                let from = if is_multiple { 0 } else { last };
                let fate = if is_taken { Fate::Taken } else { Fate::Later };
                Ok(Some((from..last.saturating_add(1).min(places.len()), fate)))
            }
            Said::Returned { routing_key, refusal } => Err(Error::Unroutable {
                exchange: self.settings.exchange.clone(),
                routing_key,
                refusal,
            }),
            _ => Ok(None),
        }
    }

    fn message(&self, record: &Delivered) -> Result<Message, String> {
        let settings = &self.settings;
        let event = record.event().ok_or(NO_EVENT)?;
        let message = settings.format.message(record)?;
        let place = Place {
            stream: self.standing.stream.as_str(),
            sink: self.standing.sink.as_str(),
            recorded: record.recorded(),
        };
        let headers = message.attributes.into_iter();
        Ok(Message {
            routing_key: settings.routing_key.key(event, place)?,
            content_type: message.content_type,
            headers: headers.map(|(name, it)| (format!("ce-{name}"), it.to_string())).collect(),
            message_id: format!("{} {}", event.source(), event.id()),
            is_persistent: settings.persistent,
            body: message.body,
        })
    }
}
