//! Structured JSON ([JSON event format](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md)):
//! how an event is stored, and how most readers get it.
//!
//! Attributes come first and `data` last, so that a person who looks at a long line sees what it is
//! before the payload begins. [`splice`] adds `sequence` and `recordedtime` to stored bytes on read
//! without parsing them: where a record lies is not part of the record.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{
    Deserialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{AttributeName, AttributeValue, Data, Event, EventBuilder, InvalidEvent};

/// Media type of one event in this encoding.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// Media type of a JSON array of events.
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";

/// Every line that [`encode`] writes begins with this; [`splice`] counts on it only for beauty.
const PREFIX: &[u8] = br#"{"specversion":"1.0""#;

/// The bytes are no event in this encoding.
#[derive(Debug, thiserror::Error)]
#[error("not a CloudEvents 1.0 event in structured JSON")]
pub struct DecodeError(#[source] serde_json::Error);

/// Appends `event` to `out` as one JSON object without line breaks between attributes.
///
/// Line breaks inside `data` stay: they are the cloud's. A reader that frames by line must check
/// with [`is_single_line`], which is true of all that Pluvio's own sources write.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(PREFIX);
    text(out, "id", event.id());
    text(out, "source", event.source());
    text(out, "type", event.event_type());
    let optional = [
        ("subject", event.subject()),
        ("datacontenttype", event.datacontenttype()),
        ("dataschema", event.dataschema()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            text(out, name, value);
        }
    }
    if let Some(time) = event.time() {
        text(out, "time", &time.to_string());
    }
    for (name, value) in event.extensions() {
        match value {
            AttributeValue::String(value) => text(out, name.as_str(), value),
            AttributeValue::Boolean(_) | AttributeValue::Integer(_) => {
                key(out, name.as_str());
                out.extend_from_slice(value.to_string().as_bytes());
            }
        }
    }
    if let Some(data) = event.data() {
        let name = if matches!(data, Data::Json(_)) { "data" } else { "data_base64" };
        key(out, name);
        encode_data(data, out);
    }
    out.push(b'}');
}

/// Appends the payload as one JSON value: JSON as it is, other bytes as a string in base64.
pub fn encode_data(data: &Data, out: &mut Vec<u8>) {
    match data {
        Data::Json(raw) => out.extend_from_slice(raw.get().as_bytes()),
        Data::Binary(bytes) => escape(out, &BASE64_STANDARD.encode(bytes)),
    }
}

/// [`encode`] into a buffer of its own.
pub fn to_vec(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + event.data().map_or(0, Data::len));
    encode(event, &mut out);
    out
}

/// Reads one event. `data` is kept as the bytes stand there.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    serde_json::from_slice::<Decoded>(bytes).map(|decoded| decoded.0).map_err(DecodeError)
}

/// Reads the payload of an event alone: its attributes are passed over and not checked.
pub fn data(bytes: &[u8]) -> Result<Option<Data>, DecodeError> {
    #[derive(Deserialize)]
    struct Payload<'a> {
        #[serde(borrow)]
        data: Option<&'a RawValue>,
        data_base64: Option<String>,
    }
    let payload: Payload<'_> = serde_json::from_slice(bytes).map_err(DecodeError)?;
    let binary = payload.data_base64.map(|text| BASE64_STANDARD.decode(text)).transpose();
    let binary = binary.map_err(|error| DecodeError(serde_json::Error::custom(error)))?;
    let binary = binary.map(|bytes| Data::Binary(Bytes::from(bytes)));
    Ok(payload.data.map(|value| Data::Json(value.into())).or(binary))
}

/// Appends the stored event `json` to `out` with `sequence` and `recordedtime` added.
///
/// `sequence` is the offset, zero-padded to 20 digits so that it sorts as text
/// ([sequence extension](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/sequence.md)).
pub fn splice(json: &[u8], sequence: u64, recorded: &str, out: &mut Vec<u8>) {
    let (head, tail) = match json.strip_prefix(PREFIX) {
        Some(tail) => (PREFIX, tail),
        None => json.split_at(json.len().min(1)),
    };
    out.extend_from_slice(head);
    if head.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(br#""sequence":""#);
    out.extend_from_slice(&padded(sequence));
    out.extend_from_slice(br#"","recordedtime":""#);
    out.extend_from_slice(recorded.as_bytes());
    out.push(b'"');
    if head.len() == 1 {
        out.push(b',');
    }
    out.extend_from_slice(tail);
}

/// Whether the bytes begin as everything does that [`encode`] writes: cheap, and enough for bytes that
/// nobody else can have written.
pub fn is_encoded(json: &[u8]) -> bool {
    json.starts_with(PREFIX)
}

/// Whether the encoded event can be a line of its own (NDJSON, Server-Sent Events).
pub fn is_single_line(json: &[u8]) -> bool {
    !json.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Makes JSON one line, in place: a line break outside a string is white space, and inside one it
/// cannot stand (RFC 8259 §7).
pub fn fold_to_line(json: &mut [u8]) {
    for byte in json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

fn padded(mut number: u64) -> [u8; 20] {
    let mut digits = [b'0'; 20];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    escape(out, value);
}

/// A JSON string literal (RFC 8259 §7), the shortest form.
fn escape(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    let bytes = value.as_bytes();
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut plain_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => Some(*byte),
            b'\n' => Some(b'n'),
            b'\r' => Some(b'r'),
            b'\t' => Some(b't'),
            0..=0x1f => None,
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain_from..at]);
        plain_from = at + 1;
        match short {
            Some(letter) => out.extend_from_slice(&[b'\\', letter]),
            None => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[plain_from..]);
    out.push(b'"');
}

/// Whether nothing needs an escape. Most values need none, and blocks without a way out in their middle are
/// compared many bytes at a time.
fn is_plain(bytes: &[u8]) -> bool {
    let needs = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let (blocks, rest) = bytes.as_chunks::<16>();
    let any = |block: &[u8]| block.iter().fold(false, |any, byte| any | needs(byte));
    !blocks.iter().any(|block| any(block)) && !any(rest)
}

struct Decoded(Event);

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Attributes).map(Self)
    }
}

/// Reads the object's members in any order. Absent and `null` are the same (JSON format §2.2).
struct Attributes;

impl<'de> Visitor<'de> for Attributes {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with the attributes of an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut event = Event::builder("", "", "");
        let (mut id, mut source, mut event_type, mut version) = (None, None, None, None);
        let mut has_data = false;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "specversion" => once(&mut version, &name, map.next_value()?)?,
                "id" => once(&mut id, &name, map.next_value()?)?,
                "source" => once(&mut source, &name, map.next_value()?)?,
                "type" => once(&mut event_type, &name, map.next_value()?)?,
                "subject" => event = set(event, map.next_value()?, EventBuilder::subject),
                "datacontenttype" => {
                    event = set(event, map.next_value()?, EventBuilder::datacontenttype);
                }
                "dataschema" => event = set(event, map.next_value()?, EventBuilder::dataschema),
                "time" => {
                    if let Some(text) = map.next_value::<Option<String>>()? {
                        event = event.time(timestamp(&text).map_err(A::Error::custom)?);
                    }
                }
                "data" | "data_base64" if has_data => {
                    return Err(A::Error::custom("`data` is given twice"));
                }
                "data" => {
                    let value = map.next_value::<Box<RawValue>>()?;
                    event = event.data(Data::Json((&*value).into()));
                    has_data = true;
                }
                "data_base64" => {
                    if let Some(text) = map.next_value::<Option<String>>()? {
                        let bytes = BASE64_STANDARD.decode(text).map_err(A::Error::custom)?;
                        event = event.data(Data::Binary(Bytes::from(bytes)));
                        has_data = true;
                    }
                }
                _ => {
                    let attribute = AttributeName::new(&name).map_err(A::Error::custom)?;
                    if let Some(value) = map.next_value::<Scalar>()?.0 {
                        event = event.extension(attribute, value);
                    }
                }
            }
        }
        match version.as_deref() {
            Some("1.0") => {}
            Some(other) => {
                return Err(A::Error::custom(format!("specversion is `{other}`, not `1.0`")));
            }
            None => return Err(A::Error::custom(InvalidEvent::Missing("specversion"))),
        }
        let required = |value: Option<String>| value.unwrap_or_default();
        event
            .identity(required(id), required(source), required(event_type))
            .build()
            .map_err(A::Error::custom)
    }
}

fn once<E: serde::de::Error>(
    slot: &mut Option<String>,
    name: &str,
    value: Option<String>,
) -> Result<(), E> {
    if slot.is_some() {
        return Err(E::custom(format!("`{name}` is given twice")));
    }
    *slot = value;
    Ok(())
}

fn set(
    event: EventBuilder,
    value: Option<String>,
    with: impl Fn(EventBuilder, String) -> EventBuilder,
) -> EventBuilder {
    match value {
        Some(value) => with(event, value),
        None => event,
    }
}

/// RFC 3339 with any offset, kept in UTC.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, jiff::Error> {
    text.parse()
}

/// An extension's value; `null` is as good as absent.
struct Scalar(Option<AttributeValue>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value;
        let value = match Value::deserialize(deserializer)? {
            Value::Null => None,
            Value::Bool(value) => Some(AttributeValue::Boolean(value)),
            Value::String(value) => Some(AttributeValue::String(value)),
            Value::Number(number) => Some(
                number
                    .as_i64()
                    .and_then(|value| i32::try_from(value).ok())
                    .map_or_else(|| number.to_string().into(), AttributeValue::Integer),
            ),
            Value::Array(_) | Value::Object(_) => {
                return Err(D::Error::custom("an extension attribute must be a scalar"));
            }
        };
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(json: &str) -> String {
        let mut out = Vec::new();
        splice(json.as_bytes(), 44, "2026-11-20T10:00:00Z", &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_read_event_tells_its_offset_and_when_it_was_recorded() {
        assert_eq!(
            spliced(r#"{"specversion":"1.0","id":"7"}"#),
            r#"{"specversion":"1.0","sequence":"00000000000000000044","recordedtime":"2026-11-20T10:00:00Z","id":"7"}"#
        );
        assert_eq!(
            spliced(r#"{"id":"7","specversion":"1.0"}"#),
            r#"{"sequence":"00000000000000000044","recordedtime":"2026-11-20T10:00:00Z","id":"7","specversion":"1.0"}"#
        );
    }
}
