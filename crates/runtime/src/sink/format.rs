//! The form in which a sink hands an event on.
//!
//! Encodings themselves are `pluvio_event`'s; this is the choice between them, and what "one line"
//! and "one message body" mean for each. It refuses formats of one system: those stand beside their
//! sink.

use pluvio_event::{Data, json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Delivered;

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// CloudEvents 1.0 in structured JSON, with its place as `sequence` and `recordedtime`.
    #[default]
    Cloudevents,
    /// The same exactly as it is stored: without its place.
    CloudeventsStored,
    /// The data alone: the cloud's own record.
    Native,
}

/// A record cannot be written in this form; it never will.
#[derive(Debug, thiserror::Error)]
#[error("the record at offset {offset} cannot be written as {format:?}")]
pub struct FormatError {
    offset: pluvio_log::Offset,
    format: Format,
    source: json::DecodeError,
}

impl Format {
    /// Appends the event as the body of a message. Binary data is written as it is; an event without
    /// data is an empty body in [`Native`](Self::Native).
    pub fn body(self, record: &Delivered, out: &mut Vec<u8>) -> Result<(), FormatError> {
        match self {
            Self::Cloudevents => {
                let sequence = record.offset().get().unsigned_abs();
                json::splice(record.stored(), sequence, &record.recorded().to_string(), out);
            }
            Self::CloudeventsStored => out.extend_from_slice(record.stored()),
            Self::Native => {
                if let Some(data) = self.data(record)? {
                    out.extend_from_slice(data.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// Appends the event as one line of JSON with its line feed. Binary data is written as a string
    /// in base64, and an event without data as `null`, in [`Native`](Self::Native).
    pub fn line(self, record: &Delivered, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let from = out.len();
        match self {
            Self::Native => match self.data(record)? {
                Some(data) => json::encode_data(&data, out),
                None => out.extend_from_slice(b"null"),
            },
            Self::Cloudevents | Self::CloudeventsStored => self.body(record, out)?,
        }
        json::fold_to_line(&mut out[from..]);
        out.push(b'\n');
        Ok(())
    }

    fn data(self, record: &Delivered) -> Result<Option<Data>, FormatError> {
        json::data(record.stored()).map_err(|source| FormatError {
            offset: record.offset(),
            format: self,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use pluvio_event::Event;
    use pluvio_log::Offset;

    use super::*;

    fn record(data: Option<Data>) -> Delivered {
        let event = Event::builder("7", "urn:a", "t");
        let event = data.into_iter().fold(event, pluvio_event::EventBuilder::data);
        let at = "2026-11-20T10:00:00Z".parse().unwrap_or_default();
        let offset = Offset::new(44).unwrap_or_default();
        Delivered::made(offset, offset, at, &event.build().unwrap_or_else(|e| unreachable!("{e}")))
    }

    fn json(text: &str) -> Option<Data> {
        Some(Data::json(text).unwrap_or_else(|e| unreachable!("{e}")))
    }

    fn line(format: Format, data: Option<Data>) -> String {
        let mut out = Vec::new();
        format.line(&record(data), &mut out).unwrap_or_else(|e| unreachable!("{e}"));
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn a_line_carries_its_place_only_where_asked() {
        assert_eq!(
            line(Format::Cloudevents, json("1")),
            "{\"specversion\":\"1.0\",\"sequence\":\"00000000000000000044\",\
             \"recordedtime\":\"2026-11-20T10:00:00Z\",\"id\":\"7\",\"source\":\"urn:a\",\
             \"type\":\"t\",\"data\":1}\n"
        );
        let stored = line(Format::CloudeventsStored, json("1"));
        assert!(!stored.contains("sequence") && stored.starts_with("{\"specversion\""), "{stored}");
    }

    #[test]
    fn native_is_the_data_alone_and_always_one_line() {
        assert_eq!(line(Format::Native, json("{\n \"a\":\r\n 1.00 }")), "{  \"a\":   1.00 }\n");
        assert_eq!(line(Format::Native, None), "null\n");
        let binary = Some(Data::Binary(bytes::Bytes::from_static(b"\x00\xff")));
        assert_eq!(line(Format::Native, binary.clone()), "\"AP8=\"\n");
        let mut body = Vec::new();
        assert!(Format::Native.body(&record(binary), &mut body).is_ok());
        assert_eq!(body, b"\x00\xff");
    }
}
