//! An event as one message, whatever carries it: body, content type, and attributes beside the body.
//!
//! ```text
//!   cloudevents          body: the event in JSON           attributes: none
//!   cloudevents-binary   body: the data                    attributes: id, source, type, …
//!   native               body: the data                    attributes: none
//!   cloudstack-bus       body: what CloudStack's own bus would have sent
//! ```
//!
//! Each binding of CloudEvents puts attributes elsewhere and under another prefix (`ce-`, `ce_`,
//! `cloudEvents:`, none): that is the sink's part. It refuses lines and files, see
//! [`Format`].

use bytes::Bytes;
use pluvio_event::{AttributeValue, json};
use pluvio_runtime::{Chain, Delivered, Format};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outbound::cloudstack_bus;

/// What a message holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageFormat {
    /// The whole event as JSON, with its offset as `sequence`: CloudEvents' structured mode.
    #[default]
    Cloudevents,
    /// The data as it is, everything else beside it: CloudEvents' binary mode.
    CloudeventsBinary,
    /// The data alone: the cloud's own record.
    Native,
    /// The JSON that CloudStack's own event bus sends for an action, for whoever consumes that today.
    /// Events of other clouds, usage and everything else that is none are left out.
    CloudstackBus,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What events that belong together share: the subject; on CloudStack's bus the resource's id.
    pub key: Option<Bytes>,
    /// Media type of the body, if there is one.
    pub content_type: Option<String>,
    /// Context attributes by their plain names, `specversion` first; none unless in binary mode.
    pub attributes: Vec<(String, AttributeValue)>,
    /// The body; empty for an event without data in binary mode.
    pub body: Bytes,
}

impl MessageFormat {
    /// Which events have this form, in CEL; `None`: all.
    pub fn only(self) -> Option<&'static str> {
        (self == Self::CloudstackBus).then_some(cloudstack_bus::ONLY)
    }

    /// The record as a message; or why it never will be one, in words for a dead letter.
    pub fn message(self, record: &Delivered) -> Result<Message, String> {
        let key = record.key().cloned();
        match self {
            Self::Cloudevents => {
                // A structured message that is no event would be a lie about its content type.
                if !record.is_event() {
                    return Err(NO_EVENT.to_owned());
                }
                let content_type = Some(json::MEDIA_TYPE.to_owned());
                let body = body(Format::Cloudevents, record)?;
                Ok(Message { key, content_type, attributes: Vec::new(), body })
            }
            Self::CloudeventsBinary => {
                let event = record.placed().ok_or(NO_EVENT)?;
                let owned = |(name, value): (&str, AttributeValue)| (name.to_owned(), value);
                Ok(Message {
                    key,
                    content_type: event.content_type().map(str::to_owned),
                    attributes: event.attributes().map(owned).collect(),
                    body: event.payload().unwrap_or_default(),
                })
            }
            Self::Native => {
                let event = record.event().ok_or(NO_EVENT)?;
                let content_type = event.content_type().map(str::to_owned);
                let body = body(Format::Native, record)?;
                Ok(Message { key, content_type, attributes: Vec::new(), body })
            }
            Self::CloudstackBus => {
                let event = record.event().ok_or(NO_EVENT)?;
                let told = cloudstack_bus::action_event(event);
                let (body, key) = told.ok_or("the event is no action of a CloudStack")?;
                let content_type = Some("application/json".to_owned());
                Ok(Message { key, content_type, attributes: Vec::new(), body })
            }
        }
    }
}

/// What a dead letter says of a record that is no event.
pub const NO_EVENT: &str = "the record is no event";

fn body(format: Format, record: &Delivered) -> Result<Bytes, String> {
    let mut body = Vec::with_capacity(record.stored().len() + 128);
    format.body(record, &mut body).map_err(|error| Chain(&error).to_string())?;
    Ok(body.into())
}
