//! The HTTP binding ([CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md)),
//! as header pairs and a body: no HTTP library in sight, so that clients and servers share it.
//!
//! Structured mode is [`json`](crate::json) under its media type. Binary mode puts attributes into
//! `ce-` headers (§3.1) and is what this file is about.

use bytes::Bytes;

use crate::{
    AttributeName, AttributeNameError, AttributeValue, Data, DataError, Event, EventBuilder,
    InvalidEvent, json::timestamp,
};

/// A message in binary mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Header names in lower case with their encoded values; `content-type` among them.
    pub headers: Vec<(String, String)>,
    /// The payload alone.
    pub body: Bytes,
}

/// Why headers and body are no event in binary mode.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// `ce-specversion` is absent or not 1.0.
    #[error("header `ce-specversion` must be `1.0`")]
    Version,
    /// A value's percent-encoding does not give UTF-8.
    #[error("header `{0}` is not percent-encoded UTF-8")]
    Encoding(String),
    /// `ce-time` is no RFC 3339 time.
    #[error("header `ce-time` is no RFC 3339 time")]
    Time(#[source] jiff::Error),
    /// A `ce-` header whose rest is no attribute name.
    #[error("header `{header}` names no attribute")]
    Name {
        /// The header as it came.
        header: String,
        /// What is wrong with the name.
        source: AttributeNameError,
    },
    /// The content type says JSON and the body is none.
    #[error("body does not match its content type")]
    Body(#[source] DataError),
    /// A required attribute is missing.
    #[error("headers do not make an event")]
    Event(#[from] InvalidEvent),
}

/// Gives `event` in binary mode.
pub fn to_binary(event: &Event) -> Binary {
    let attribute =
        |(name, value): (&str, AttributeValue)| (format!("ce-{name}"), percent(&value.to_string()));
    let mut headers: Vec<_> = event.attributes().map(attribute).collect();
    if let Some(media_type) = event.content_type() {
        headers.push(("content-type".to_owned(), media_type.to_owned()));
    }
    Binary { headers, body: event.payload().unwrap_or_default() }
}

/// Reads an event in binary mode. Header names are compared without case; extension values come
/// back as text, for a header carries no type.
pub fn from_binary<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) -> Result<Event, BinaryError> {
    let (mut id, mut source, mut event_type) = (String::new(), String::new(), String::new());
    let (mut is_version_1, mut media_type) = (false, None);
    let mut event = Event::builder("", "", "");
    for (header, value) in headers {
        let header = header.to_ascii_lowercase();
        if header == "content-type" {
            media_type = Some(value.to_owned());
            continue;
        }
        let Some(name) = header.strip_prefix("ce-") else { continue };
        let value = unpercent(value).ok_or_else(|| BinaryError::Encoding(header.clone()))?;
        match name {
            "specversion" => is_version_1 = value == "1.0",
            "id" => id = value,
            "source" => source = value,
            "type" => event_type = value,
            "subject" => event = event.subject(value),
            "dataschema" => event = event.dataschema(value),
            "time" => event = event.time(timestamp(&value).map_err(BinaryError::Time)?),
            _ => {
                let attribute = AttributeName::new(name)
                    .map_err(|source| BinaryError::Name { header: header.clone(), source })?;
                event = event.extension(attribute, value);
            }
        }
    }
    if !is_version_1 {
        return Err(BinaryError::Version);
    }
    event = with_payload(event, media_type, body).map_err(BinaryError::Body)?;
    Ok(event.identity(id, source, event_type).build()?)
}

/// Puts a body of `media_type` into an event; shared with the Kafka binding.
pub(crate) fn with_payload(
    event: EventBuilder,
    media_type: Option<String>,
    body: &[u8],
) -> Result<EventBuilder, DataError> {
    let is_json = media_type.as_deref().is_none_or(is_json);
    let event = match media_type {
        Some(media_type) => event.datacontenttype(media_type),
        None => event,
    };
    if body.is_empty() {
        return Ok(event);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_json => Data::json(text).map(|data| event.data(data)),
        _ => Ok(event.data(Data::Binary(Bytes::copy_from_slice(body)))),
    }
}

/// `application/json`, `text/json` or any `+json`, parameters aside (JSON format §3.1).
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// Percent-encodes what a header may not carry (HTTP binding §3.1.3.2).
fn percent(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => out.push_str(&format!("%{byte:02X}")),
            0x21..=0x7e => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes [`percent`]; a `%` that no two hex digits follow stands for itself (§3.1.3.2).
fn unpercent(value: &str) -> Option<String> {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        out.push(hex.unwrap_or(*byte));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok()
}
