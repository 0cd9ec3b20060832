//! From a vCenter's record to an event. Pure.
//!
//! | attribute | from |
//! |---|---|
//! | `id` | the event key; `<key>-<n>` in a later epoch of keys |
//! | `type` | `com.vmware.vsphere.<class or eventTypeId>.v0` |
//! | `source` | the SOAP URL without user info, or as configured |
//! | `subject` | `VirtualMachine/vm-57`: what the event is about, when known |
//! | `time` | `createdTime` |
//! | `eventclass` | `event`, `eventex`, `extendedevent` |
//! | `authtype`, `authid` | who did it: `user` and the name; `system` where there is none |
//! | `severitytext`, `severitynumber` | the vCenter's category of the class, or the EventEx' own |
//! | `pluvioredacted` | how many secret values were replaced, if any |
//! | `pluvioflaw` | what was odd about the record, if anything |
//! | `data` | the record itself, in the configured format |
//!
//! Type, id, source, time and `eventclass` are those of vsphere-event-streaming.

use jiff::Timestamp;
use pluvio_clouds::vsphere::{DataFormat, Malformed, NativeEvent, Redaction};
use pluvio_event::{AttributeName, AttributeValue, Data, Event, EventBuilder, InvalidEvent};
use uuid::Uuid;

/// What does not change from event to event.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    /// The `source` attribute.
    pub(super) source: String,
    /// The JSON that `data` becomes.
    pub(super) format: DataFormat,
    /// What is secret.
    pub(super) redaction: Redaction,
}

/// Why something is no event. Only a server that sends an empty class can bring it about.
#[derive(Debug, thiserror::Error)]
#[error("failed to map event `{id}`")]
pub struct MapError {
    id: String,
    source: InvalidEvent,
}

/// A vCenter's category or an EventEx' severity.
pub(super) type Category<'a> = Option<&'a str>;

impl Mapping {
    /// Maps a record that decoded.
    pub(super) fn event(
        &self,
        id: &str,
        native: &NativeEvent,
        category: Category<'_>,
    ) -> Result<Event, MapError> {
        let rendered = native.render(self.format, &self.redaction);
        let event_type = format!("com.vmware.vsphere.{}.v0", native.type_name());
        let mut event =
            Event::builder(id, &self.source, event_type).datacontenttype("application/json");
        if let Some(subject) = native.subject() {
            event = event.subject(format!("{}/{}", subject.kind, subject.value));
        }
        if let Some(time) = native.created_time {
            event = event.time(time);
        }
        event = extension(event, "eventclass", native.event_class.as_str());
        event = match native.user_name.as_deref() {
            Some(user) if !user.is_empty() => {
                extension(extension(event, "authtype", "user"), "authid", user)
            }
            _ => extension(event, "authtype", "system"),
        };
        if let Some((text, number)) = severity(native.severity.as_deref().or(category)) {
            event = extension(event, "severitytext", text);
            event = extension(event, "severitynumber", number);
        }
        if rendered.redacted > 0 {
            let redacted = i32::try_from(rendered.redacted).unwrap_or(i32::MAX);
            event = extension(event, "pluvioredacted", redacted);
        }
        let flaws: Vec<&str> =
            native.flaws.iter().chain(&rendered.flaws).map(String::as_str).collect();
        if !flaws.is_empty() {
            event = extension(event, "pluvioflaw", flaws.join("; "));
        }
        event = match Data::json(rendered.json) {
            Ok(data) => event.data(data),
            Err(_) => extension(event, "pluvioflaw", "data could not be rendered"),
        };
        built(id, event)
    }

    /// Keeps what cannot be read as text, so that the loss of one record is seen and can be
    /// repaired by a person. Its secrets are unknown, so its text is cut to what was kept.
    pub(super) fn malformed(&self, id: &str, malformed: &Malformed) -> Result<Event, MapError> {
        let event = Event::builder(id, &self.source, "com.vmware.vsphere.malformed.v0")
            .datacontenttype("text/xml")
            .data(Data::Binary(malformed.raw.clone().into()));
        let flaw = match &malformed.reason {
            Some(reason) => format!("{malformed}: {reason}"),
            None => malformed.to_string(),
        };
        built(id, extension(event, "pluvioflaw", flaw))
    }

    /// A loss that is known: records between `from` and `to` were not there when they were asked
    /// for. The same loss has the same id.
    pub(super) fn gap(
        &self,
        from: Timestamp,
        to: Timestamp,
        reason: &str,
    ) -> Result<Event, MapError> {
        let name = format!("{} {from} {to} {reason}", self.source);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string();
        let data = serde_json::json!({ "from": from, "to": to, "reason": reason }).to_string();
        let mut event = Event::builder(&id, &self.source, "pluvio.gap.v0")
            .time(to)
            .datacontenttype("application/json");
        if let Ok(data) = Data::json(data) {
            event = event.data(data);
        }
        event = extension(event, "severitytext", "WARN");
        built(&id, extension(event, "severitynumber", 13))
    }
}

fn built(id: &str, event: EventBuilder) -> Result<Event, MapError> {
    event.build().map_err(|source| MapError { id: id.to_owned(), source })
}

fn extension(event: EventBuilder, name: &str, value: impl Into<AttributeValue>) -> EventBuilder {
    match AttributeName::new(name) {
        Ok(name) => event.extension(name, value),
        Err(_) => event,
    }
}

/// OpenTelemetry's severity text and number for a vCenter's category
/// (CloudEvents severity extension; OpenTelemetry logs data model, SeverityNumber).
fn severity(category: Category<'_>) -> Option<(&'static str, i32)> {
    match category? {
        "error" | "critical" => Some(("ERROR", 17)),
        "warning" => Some(("WARN", 13)),
        "info" | "user" => Some(("INFO", 9)),
        _ => None,
    }
}
