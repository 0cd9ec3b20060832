//! The Kafka binding ([CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md)),
//! as key, headers and value: no Kafka library in sight.
//!
//! The key is the event's subject, so that all that happened to one machine stays in one partition.

use bytes::Bytes;

use crate::{AttributeName, AttributeValue, Event, InvalidEvent, http::with_payload, json};

/// A Kafka message without its place in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The subject, where the event has one.
    pub key: Option<Bytes>,
    /// Header names and UTF-8 values (§3.2.2, §3.3.2).
    pub headers: Vec<(String, Bytes)>,
    /// Structured mode: the event; binary mode: its payload, `None` for none.
    pub value: Option<Bytes>,
}

/// Why a message is no event.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Neither a structured content type nor `ce_specversion` 1.0.
    #[error("message carries neither a CloudEvents content type nor header `ce_specversion` 1.0")]
    NotAnEvent,
    /// Structured value that does not decode.
    #[error("structured value does not decode")]
    Structured(#[from] json::DecodeError),
    /// A header's value is not what its name asks for.
    #[error("header `{0}` is malformed")]
    Header(String),
    /// A required attribute is missing.
    #[error("headers do not make an event")]
    Event(#[from] InvalidEvent),
}

/// Structured mode (§3.3).
pub fn to_structured(event: &Event) -> Message {
    let header = ("content-type".to_owned(), Bytes::from_static(json::MEDIA_TYPE.as_bytes()));
    Message { key: key(event), headers: vec![header], value: Some(json::to_vec(event).into()) }
}

/// Binary mode (§3.2): attributes in `ce_` headers, the payload alone as value.
pub fn to_binary(event: &Event) -> Message {
    let attribute = |(name, value): (&str, AttributeValue)| {
        (format!("ce_{name}"), Bytes::from(value.to_string()))
    };
    let mut headers: Vec<_> = event.attributes().map(attribute).collect();
    if let Some(media_type) = event.content_type() {
        headers.push(("content-type".to_owned(), Bytes::copy_from_slice(media_type.as_bytes())));
    }
    Message { key: key(event), headers, value: event.payload() }
}

/// Reads a message in either mode (§3 decides by `content-type`).
pub fn from_message(message: &Message) -> Result<Event, MessageError> {
    let value = message.value.as_deref().unwrap_or_default();
    let content_type = header(message, "content-type")?;
    if content_type.is_some_and(|media_type| media_type.starts_with("application/cloudevents")) {
        return Ok(json::decode(value)?);
    }
    if header(message, "ce_specversion")? != Some("1.0") {
        return Err(MessageError::NotAnEvent);
    }
    let (mut id, mut source, mut event_type) = (String::new(), String::new(), String::new());
    let mut event = Event::builder("", "", "");
    for (name, _) in &message.headers {
        let Some(attribute) = name.strip_prefix("ce_") else { continue };
        let text = header(message, name)?.unwrap_or_default().to_owned();
        match attribute {
            "specversion" => {}
            "id" => id = text,
            "source" => source = text,
            "type" => event_type = text,
            "subject" => event = event.subject(text),
            "dataschema" => event = event.dataschema(text),
            "time" => {
                let time = json::timestamp(&text);
                event = event.time(time.map_err(|_| MessageError::Header(name.clone()))?);
            }
            _ => {
                let attribute = AttributeName::new(attribute)
                    .map_err(|_| MessageError::Header(name.clone()))?;
                event = event.extension(attribute, text);
            }
        }
    }
    let event = with_payload(event, content_type.map(str::to_owned), value)
        .map_err(|_| MessageError::Header("content-type".to_owned()))?;
    Ok(event.identity(id, source, event_type).build()?)
}

fn key(event: &Event) -> Option<Bytes> {
    event.subject().map(|subject| Bytes::copy_from_slice(subject.as_bytes()))
}

fn header<'a>(message: &'a Message, name: &str) -> Result<Option<&'a str>, MessageError> {
    let found = message.headers.iter().find(|(n, _)| n == name);
    found
        .map(|(_, value)| std::str::from_utf8(value))
        .transpose()
        .map_err(|_| MessageError::Header(name.to_owned()))
}
