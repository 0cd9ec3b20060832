//! The harness itself on the servers that Pluvio delivers to: each takes messages from a client that
//! we did not write and tells them back, over a restart, too. So what is told of Pluvio's can be
//! believed.

mod brokers;
mod kafka;
mod receivers;
mod stores;

use std::time::Duration;

use anyhow::{Result, ensure};
use pluvio_e2e::arrived::{self, Message};
use serde_json::json;
use tokio::time::Instant;

use crate::runner::Scenario;

/// How long something may take to arrive that was acknowledged.
const ARRIVAL_MAX: Duration = Duration::from_secs(20);
/// How many messages are written.
const MESSAGES: usize = 3;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let all =
        [brokers::scenarios(), stores::scenarios(), receivers::scenarios(), kafka::scenarios()];
    // Nothing of Pluvio is tried here.
    all.concat().into_iter().map(Scenario::rare).collect()
}

/// A server, and how many seconds it took to start.
async fn timed<S>(start: impl Future<Output = Result<S>>) -> Result<(S, String)> {
    let begun = Instant::now();
    let server = start.await?;
    Ok((server, format!("{:.1}", begun.elapsed().as_secs_f64())))
}

/// Messages whose bodies are events: with text beyond ASCII, and with keys in order.
fn samples(place: &str) -> Vec<Message> {
    let sample = |number: usize| {
        let id = format!("drop-{number}");
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": "https://sky.example/sdk",
            "type": "example.rain",
            "sequence": number.to_string(),
            "data": {"place": "Regnbuevägen ½ ☂", "drops": number},
        });
        let mut message = Message { key: Some(id), ..Message::json(place, &event) };
        message.properties.insert("intensity".to_owned(), format!("½ × {number}"));
        message
    };
    (1..=MESSAGES).map(sample).collect()
}

/// The same as above in binary mode: attributes are properties with this prefix, data is the body.
fn binary_samples(place: &str, prefix: &str) -> Vec<Message> {
    let sample = |number: usize| {
        let id = format!("drop-{number}");
        let attributes = [
            ("specversion", "1.0"),
            ("id", &id),
            ("source", "https://sky.example/sdk"),
            ("type", "example.rain"),
            ("subject", "½ ☂"),
            ("sequence", &number.to_string()),
        ];
        let properties =
            attributes.map(|(name, value)| (format!("{prefix}{name}"), value.to_owned()));
        Message { properties: properties.into(), ..Message::json(place, &json!({"drops": number})) }
    };
    (1..=MESSAGES).map(sample).collect()
}

/// Fails unless what arrived is what was sent: the events, their places in order, and the bodies. A
/// reader may tell more properties than were sent.
fn same(arrived: &[Message], sent: &[Message]) -> Result<()> {
    ensure!(arrived.len() == sent.len(), "{} instead of {} messages", arrived.len(), sent.len());
    for (arrived, sent) in arrived.iter().zip(sent) {
        ensure!(arrived.place == sent.place, "in {} instead of {}", arrived.place, sent.place);
        for (name, value) in &sent.properties {
            let told = arrived.properties.get(name);
            ensure!(told == Some(value), "`{name}` is {told:?} instead of {value}: {arrived:?}");
        }
        let is_same = arrived.body == sent.body || is_same_json(arrived, sent);
        ensure!(is_same, "{} instead of {}", arrived.text(), sent.text());
    }
    let (arrived, sent) = (arrived::events(arrived)?, arrived::events(sent)?);
    ensure!(arrived == sent, "{arrived:?} instead of {sent:?}");
    Ok(())
}

fn is_same_json(arrived: &Message, sent: &Message) -> bool {
    let parse = |message: &Message| {
        serde_json::from_slice::<serde_json::Value>(&message.body).ok().filter(|it| !it.is_null())
    };
    parse(arrived).is_some_and(|arrived| Some(arrived) == parse(sent))
}

/// The same messages without what their server has no place for.
fn without_properties(messages: &[Message]) -> Vec<Message> {
    let bare = |it: &Message| Message { properties: [].into(), ..it.clone() };
    messages.iter().map(bare).collect()
}
