//! A message of AMQP 1.0 for an event, as CloudEvents' AMQP binding puts it. Pure.

use fe2o3_amqp_types::{
    messaging::{ApplicationProperties, Data, Header, Message, Properties},
    primitives::{Binary, SimpleValue, Symbol},
};
use pluvio_event::AttributeValue;
use pluvio_runtime::Delivered;

use super::config::Settings;
use crate::outbound::message::NO_EVENT;

/// The message for `record`; or why it never will have one.
pub(super) fn message(record: &Delivered, settings: &Settings) -> Result<Message<Data>, String> {
    let event = record.event().ok_or(NO_EVENT)?;
    let message = settings.format.message(record)?;
    let mut properties = Properties { message_id: Some(id(event).into()), ..Properties::default() };
    if let Some(content_type) = message.content_type {
        // A symbol has no other characters, and a media type neither.
        if content_type.is_ascii() {
            properties.content_type = Some(Symbol::from(content_type));
        }
    }
    let mut attributes = ApplicationProperties::default();
    for (name, value) in message.attributes {
        let name = format!("{}{name}", settings.prefix.as_str());
        attributes.0.insert(name, simple(value));
    }
    let mut built = Message::builder()
        .header(Header { durable: settings.durable, ..Header::default() })
        .properties(properties)
        .data(Binary::from(message.body.to_vec()))
        .build();
    built.application_properties = (!attributes.0.is_empty()).then_some(attributes);
    Ok(built)
}

/// The event's source and id with a blank between: what tells it from all others.
fn id(event: &pluvio_event::Event) -> String {
    format!("{} {}", event.source(), event.id())
}

fn simple(value: AttributeValue) -> SimpleValue {
    match value {
        AttributeValue::Boolean(value) => SimpleValue::Bool(value),
        AttributeValue::Integer(value) => SimpleValue::Int(value),
        AttributeValue::String(value) => SimpleValue::String(value),
    }
}
