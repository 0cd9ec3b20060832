//! What has arrived at a server, told the same way whichever server it is.
//!
//! ```text
//!  queue, topic, index, bucket, … ─▶ Message (place, key, content type, properties, body)
//!                                       └─ events() ─▶ EventId (source, id, sequence)
//! ```
//!
//! A message may hold one event or many: by its properties in CloudEvents' binary mode, by its body
//! as JSON, a JSON array or JSON lines otherwise.
//!
//! It refuses to judge: values are told as text, and whether they are the right ones is asked by the
//! scenario that knows what was sent.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

/// What the attributes of an event are called in properties: by HTTP, by Kafka, by both ways that
/// AMQP has, and by MQTT.
const PREFIXES: [&str; 5] = ["ce-", "ce_", "cloudEvents:", "cloudEvents_", ""];

/// Something that a server holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The queue, topic, collection, index, bucket, tag or path where it is.
    pub place: String,
    /// What the server or the protocol calls it: a message id, a document's or an object's key.
    pub key: Option<String>,
    /// The content type, where the protocol has one.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Headers, application or user properties or metadata, and what else the reader tells.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// The body's bytes; base64 where clients and tests exchange it.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub body: Vec<u8>,
}

/// What tells an event from all others, and where it lay at Pluvio.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The attribute `source`.
    pub source: String,
    /// The attribute `id`.
    pub id: String,
    /// The attribute `sequence`, if there is one.
    pub sequence: Option<String>,
}

impl Message {
    /// A JSON body for a place; the rest is filled in by who needs it.
    pub fn json(place: &str, body: &Value) -> Self {
        let content_type = Some("application/json".to_owned());
        let body = body.to_string().into_bytes();
        Self { place: place.to_owned(), content_type, body, ..Self::default() }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The events that it holds, in order.
    pub fn events(&self) -> Result<Vec<EventId>> {
        let of_properties = PREFIXES.iter().find_map(|prefix| {
            let attribute = |name: &str| self.properties.get(&format!("{prefix}{name}")).cloned();
            let (source, id) = (attribute("source")?, attribute("id")?);
            Some(EventId { source, id, sequence: attribute("sequence") })
        });
        if let Some(event) = of_properties {
            return Ok(vec![event]);
        }
        let mut events = Vec::new();
        for value in serde_json::Deserializer::from_slice(&self.body).into_iter::<Value>() {
            let value = value.with_context(|| format!("no JSON: {}", self.text()))?;
            let many = if let Value::Array(many) = value { many } else { vec![value] };
            for event in many {
                let told = EventId::of(&event);
                events.push(told.with_context(|| format!("neither id nor source: {event}"))?);
            }
        }
        ensure!(!events.is_empty(), "no event in {self:?}");
        Ok(events)
    }
}

impl EventId {
    fn of(event: &Value) -> Option<Self> {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        Some(Self { source: text("source")?, id: text("id")?, sequence: text("sequence") })
    }
}

/// The events of all messages, in order.
pub fn events(messages: &[Message]) -> Result<Vec<EventId>> {
    let events: Result<Vec<_>> = messages.iter().map(Message::events).collect();
    Ok(events?.concat())
}

/// The messages in what a client has printed, or a server written down, so far.
pub(crate) fn parse(text: &str) -> Result<Vec<Message>> {
    // What follows the last line break is still being written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let parse = |line| serde_json::from_str(line).with_context(|| format!("no message: {line}"));
    whole.lines().filter(|line| !line.is_empty()).map(parse).collect()
}

/// The messages in a file; none, if there is no file yet.
pub(crate) fn written(file: &Path) -> Result<Vec<Message>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let bytes = fs::read(file).with_context(|| format!("failed to read `{}`", file.display()))?;
    parse(&String::from_utf8_lossy(&bytes))
}

fn to_base64<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64_STANDARD.encode(body))
}

fn from_base64<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64_STANDARD.decode(text).map_err(|_| D::Error::custom("a body is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(message: &Message) -> Vec<String> {
        let events = message.events().unwrap_or_default();
        events.into_iter().map(|event| format!("{} of {}", event.id, event.source)).collect()
    }

    #[test]
    fn an_event_is_told_by_properties_or_by_the_body_and_there_may_be_many() {
        for prefix in PREFIXES {
            let name = |name: &str, value: &str| (format!("{prefix}{name}"), value.to_owned());
            let properties = [name("id", "7"), name("source", "/sky")].into();
            let message = Message { properties, body: b"rain".to_vec(), ..Message::default() };
            assert_eq!(ids(&message), ["7 of /sky"], "{prefix}");
        }
        let one = r#"{"id":"1","source":"/sky"}"#;
        let two = r#"{"id":"2","source":"/sea","sequence":"9"}"#;
        for body in [format!("[{one},{two}]"), format!("{one}\n{two}\n")] {
            let message = Message { body: body.into_bytes(), ..Message::default() };
            assert_eq!(ids(&message), ["1 of /sky", "2 of /sea"]);
        }
    }

    #[test]
    fn what_is_no_event_is_an_error_and_not_left_out() {
        for body in ["", "rain", r#"{"id":"1"}"#, r#"[{"id":"1","source":"/sky"},{}]"#] {
            let message = Message { body: body.into(), ..Message::default() };
            assert!(message.events().is_err(), "{body}");
        }
    }

    #[test]
    fn a_line_that_is_still_being_written_is_waited_for() -> Result<()> {
        let line = serde_json::to_string(&Message::json("sky", &Value::Null))?;
        assert_eq!(parse(&format!("{line}\n{}", &line[..20]))?.len(), 1);
        Ok(())
    }
}
