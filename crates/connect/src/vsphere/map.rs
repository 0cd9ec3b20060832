//! From a vCenter's record to an event. Pure.
//!
//! | attribute | from |
//! |---|---|
//! | `id` | the event key; `<key>-<n>` in a later epoch of keys; uuid5 of the text where key or time cannot be read |
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
use pluvio_event::{AttributeName, Data, Event, EventBuilder, InvalidEvent, Json};
use uuid::Uuid;

/// What stands before the class or id in an event's `type`.
pub(super) const TYPE_PREFIX: &str = "com.vmware.vsphere.";
/// What stands behind it.
pub(super) const TYPE_SUFFIX: &str = ".v0";

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

/// Why a record is no event: a required attribute is empty. No record that decodes is known to bring
/// it about.
#[derive(Debug, thiserror::Error)]
#[error("failed to map event `{id}`")]
pub struct MapError {
    id: String,
    source: InvalidEvent,
}

const EVENT_CLASS: AttributeName = AttributeName::literal("eventclass");
const AUTH_TYPE: AttributeName = AttributeName::literal("authtype");
const AUTH_ID: AttributeName = AttributeName::literal("authid");
const SEVERITY_TEXT: AttributeName = AttributeName::literal("severitytext");
const SEVERITY_NUMBER: AttributeName = AttributeName::literal("severitynumber");
const REDACTED: AttributeName = AttributeName::literal("pluvioredacted");
const FLAW: AttributeName = AttributeName::literal("pluvioflaw");

/// Longest attribute taken from a record, in bytes. Whoever may post an EventEx chooses its type's
/// name; a megabyte of it must not make the event too large for the log.
const ATTRIBUTE_BYTES_MAX: usize = 1024;

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
        let event_type = format!("{TYPE_PREFIX}{}{TYPE_SUFFIX}", bounded(native.type_name()));
        let mut event =
            Event::builder(id, &self.source, event_type).datacontenttype("application/json");
        if let Some(subject) = native.subject() {
            event =
                event.subject(format!("{}/{}", bounded(&subject.kind), bounded(&subject.value)));
        }
        if let Some(time) = native.created_time {
            event = event.time(time);
        }
        event = event.extension(EVENT_CLASS, native.event_class.as_str());
        event = match native.user_name.as_deref() {
            Some(user) if !user.is_empty() => {
                event.extension(AUTH_TYPE, "user").extension(AUTH_ID, bounded(user))
            }
            _ => event.extension(AUTH_TYPE, "system"),
        };
        if let Some((text, number)) = severity(native.severity.as_deref().or(category)) {
            event = event.extension(SEVERITY_TEXT, text).extension(SEVERITY_NUMBER, number);
        }
        if rendered.redacted > 0 {
            let redacted = i32::try_from(rendered.redacted).unwrap_or(i32::MAX);
            event = event.extension(REDACTED, redacted);
        }
        let flaws: Vec<&str> =
            native.flaws.iter().chain(&rendered.flaws).map(String::as_str).collect();
        if !flaws.is_empty() {
            event = event.extension(FLAW, bounded(&flaws.join("; ")));
        }
        built(id, event.data(Data::Json(Json::as_written(rendered.json))))
    }

    /// Keeps the beginning of what cannot be read as text, without its secrets, so that the loss of one
    /// record is seen and can be repaired by a person.
    pub(super) fn malformed(&self, id: &str, malformed: &Malformed) -> Result<Event, MapError> {
        let kept = malformed.kept(&self.redaction);
        let mut event = Event::builder(id, &self.source, "com.vmware.vsphere.malformed.v0")
            .datacontenttype("text/xml")
            .data(Data::Binary(kept.text.into()));
        if kept.redacted > 0 {
            event = event.extension(REDACTED, i32::try_from(kept.redacted).unwrap_or(i32::MAX));
        }
        let flaw = match &malformed.reason {
            Some(reason) => format!("{malformed}: {reason}"),
            None => malformed.to_string(),
        };
        built(id, event.extension(FLAW, bounded(&flaw)))
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
        let event = Event::builder(&id, &self.source, pluvio_event::known::GAP_TYPE)
            .time(to)
            .datacontenttype("application/json")
            .extension(SEVERITY_TEXT, "WARN")
            .extension(SEVERITY_NUMBER, 13)
            .data(Data::Json(Json::as_written(data)));
        built(&id, event)
    }
}

/// The beginning of a text that is longer than an attribute may be.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(ATTRIBUTE_BYTES_MAX)).unwrap_or(text)
}

fn built(id: &str, event: EventBuilder) -> Result<Event, MapError> {
    event.build().map_err(|source| MapError { id: id.to_owned(), source })
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pluvio_clouds::vsphere::{EVENT_BYTES_MAX, decode_page};
    use pluvio_event::json;

    use super::*;

    const HEAD: &str = "<key>63</key><chainId>63</chainId>\
        <createdTime>2026-11-20T04:17:06.007764Z</createdTime>\
        <userName>VSPHERE.LOCAL\\Administrator</userName>";

    fn mapping() -> Mapping {
        Mapping {
            source: "https://vc.example.org/sdk".into(),
            format: DataFormat::Govmomi,
            redaction: Redaction::default(),
        }
    }

    /// The event of class `class` with `rest` behind the common fields, as it is stored.
    fn mapped(class: &str, rest: &str, category: Category<'_>) -> serde_json::Value {
        let xml = format!(
            "<R xmlns=\"urn:vim25\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
             <returnval xsi:type=\"{class}\">{HEAD}{rest}</returnval></R>"
        );
        let page = decode_page(xml.as_bytes(), "returnval").unwrap();
        let event = mapping().event("63", page.events[0].as_ref().unwrap(), category).unwrap();
        serde_json::from_slice(&json::to_vec(&event)).unwrap()
    }

    #[test]
    fn an_event_has_the_attributes_that_readers_of_vsphere_event_streaming_know_and_more() {
        let vm = "<vm><name>web-1</name><vm type=\"VirtualMachine\">vm-57</vm></vm>";
        let event = mapped("VmPoweredOnEvent", vm, Some("info"));
        for (attribute, expected) in [
            ("specversion", "1.0"),
            ("id", "63"),
            ("source", "https://vc.example.org/sdk"),
            ("type", "com.vmware.vsphere.VmPoweredOnEvent.v0"),
            ("datacontenttype", "application/json"),
            ("time", "2026-11-20T04:17:06.007764Z"),
            ("eventclass", "event"),
            ("subject", "VirtualMachine/vm-57"),
            ("authtype", "user"),
            ("authid", "VSPHERE.LOCAL\\Administrator"),
            ("severitytext", "INFO"),
        ] {
            assert_eq!(event[attribute], expected, "{attribute}");
        }
        assert_eq!(event["severitynumber"], 9);
        assert_eq!(event["data"]["Vm"]["Vm"]["Value"], "vm-57");
        assert_eq!(event["data"]["Template"], false, "zero values are present");
    }

    #[test]
    fn an_extended_event_is_named_by_its_type_id_and_carries_its_own_severity() {
        let rest =
            "<eventTypeId>com.vmware.vc.ha.VmRestarted</eventTypeId><severity>error</severity>";
        let event = mapped("EventEx", rest, Some("info"));
        assert_eq!(event["type"], "com.vmware.vsphere.com.vmware.vc.ha.VmRestarted.v0");
        assert_eq!(event["eventclass"], "eventex");
        assert_eq!(event["severitynumber"], 17);
    }

    #[test]
    fn a_secret_in_a_record_is_replaced_and_counted() {
        let rest =
            "<spec xsi:type=\"HostAccountSpec\"><id>x</id><password>hunter2</password></spec>";
        let event = mapped("AccountCreatedEvent", rest, None);
        assert!(!event.to_string().contains("hunter2"));
        assert_eq!(event["pluvioredacted"], 1);
    }

    #[test]
    fn what_cannot_be_read_is_kept_without_its_secrets_which_are_counted() {
        let mapping = Mapping { redaction: Redaction::with(["userName"]), ..mapping() };
        let secrets = "<userName>ann</userName><privateKey><data>hunter2</data></privateKey>\
            <arg><key>vnc.password</key><value>hunter3</value></arg>";
        let huge = "x".repeat(EVENT_BYTES_MAX);
        let user = "<returnval><key>1</key><userName>[redacted]</userName>";
        let rest = "<privateKey>[redacted]</privateKey><arg><key>vnc.password</key>\
            <value>[redacted]</value></arg>";
        for (last, kept, redacted) in [
            (format!("<message>{huge}</message>"), format!("{user}{rest}<message>xxx"), "3"),
            ("<a></b>".to_owned(), user.to_owned(), "1"),
        ] {
            let xml = format!("<R><returnval><key>1</key>{secrets}{last}</returnval></R>");
            let page = decode_page(xml.as_bytes(), "returnval").unwrap();
            let malformed = page.events[0].as_ref().unwrap_err();
            let event = mapping.malformed("1", malformed).unwrap();
            assert_eq!(event.extension("pluvioredacted").unwrap().to_string(), redacted);
            let expected = |data: &Data| matches!(data, Data::Binary(text) if text.starts_with(kept.as_bytes()));
            assert!(event.data().is_some_and(expected), "{event:?}");
        }
    }

    #[test]
    fn a_name_of_a_megabyte_is_cut_so_that_the_event_fits_into_the_log() {
        let rest = format!("<eventTypeId>{}</eventTypeId>", "x".repeat(200_000));
        let event = mapped("EventEx", &rest, None);
        assert!(event["type"].as_str().unwrap().len() < 2100);
    }

    #[test]
    fn the_same_loss_has_the_same_id() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let id = |to| mapping().gap(at(1), at(to), "why").unwrap().id().to_owned();
        assert_eq!(id(2), id(2));
        assert_ne!(id(2), id(3));
    }
}
