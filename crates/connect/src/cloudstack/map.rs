//! From a CloudStack's row to an event. Pure.
//!
//! | attribute | from |
//! |---|---|
//! | `id` | the event's id: a uuid, or a number from old servers |
//! | `type` | `org.apache.cloudstack.<type>`, as `org.apache.cloudstack.VM.CREATE` |
//! | `source` | the API's URL, or as configured |
//! | `subject` | `VirtualMachine/<uuid>`: `resourcetype` and `resourceid`, when known (4.17) |
//! | `time` | `created`; whole seconds |
//! | `account`, `domain` | names: whose resource it is about; projects have no `account` |
//! | `accountid`, `userid` | ids of `account` and `username`, where they could be listed |
//! | `level`, `state`, `parentid` | as they are |
//! | `authtype`, `authid` | who did it: `user` and `username`; `system` where there is none |
//! | `severitytext`, `severitynumber` | from `level` |
//! | `pluvioredacted` | how many secret values were replaced, if any |
//! | `pluvioflaw` | what was odd about the row, if anything |
//! | `data` | the row itself, byte for byte |

use jiff::Timestamp;
use pluvio_clouds::cloudstack::NativeEvent;
use pluvio_event::{AttributeName, Data, Event, EventBuilder, InvalidEvent, Json};
use uuid::Uuid;

use super::{people::People, redact::Redaction, unread::Unread};

/// What does not change from event to event.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    /// The `source` attribute.
    pub(super) source: String,
    /// What is secret.
    pub(super) redaction: Redaction,
    /// Whose ids are known.
    pub(super) people: People,
}

/// Why a row is no event: a required attribute is empty. No row that decodes is known to bring it
/// about.
#[derive(Debug, thiserror::Error)]
#[error("failed to map `{id}`")]
pub struct MapError {
    id: String,
    source: InvalidEvent,
}

const AUTH_TYPE: AttributeName = AttributeName::literal("authtype");
const ACCOUNT_ID: AttributeName = AttributeName::literal("accountid");
const USER_ID: AttributeName = AttributeName::literal("userid");
const AUTH_ID: AttributeName = AttributeName::literal("authid");
const SEVERITY_TEXT: AttributeName = AttributeName::literal("severitytext");
const SEVERITY_NUMBER: AttributeName = AttributeName::literal("severitynumber");
const REDACTED: AttributeName = AttributeName::literal("pluvioredacted");
/// What was odd about a record.
pub(super) const FLAW: AttributeName = AttributeName::literal("pluvioflaw");

/// Longest attribute taken from a row, in bytes: names in CloudStack end at 255 characters.
const ATTRIBUTE_BYTES_MAX: usize = 1024;
/// As many as an event has at most.
const EXTENSIONS: usize = 13;

impl Mapping {
    /// Maps a row that was read. What its fields hold moves into the event, for a long past has millions.
    pub(super) fn event(&self, mut native: NativeEvent) -> Result<Event, MapError> {
        let ids = self.people.ids(&native);
        let kind = native.event_type.as_deref().unwrap_or("unknown");
        let event_type = ["org.apache.cloudstack.", bounded(kind)].concat();
        let id = std::mem::take(&mut native.id);
        let mut event = self.start(id.as_str(), event_type).time(native.created.at);
        if let (Some(kind), Some(id)) = (&native.resource_type, &native.resource_id) {
            event = event.subject([bounded(kind), "/", bounded(id)].concat());
        }
        let mut extensions = Vec::with_capacity(EXTENSIONS);
        let severity = severity(native.level.as_deref());
        let user = native.username.take().filter(|user| user != "system");
        let auth_type = if user.is_some() { "user" } else { "system" };
        for (name, value) in [
            (const { AttributeName::literal("account") }, native.account.take()),
            (const { AttributeName::literal("domain") }, native.domain.take()),
            (const { AttributeName::literal("level") }, native.level.take()),
            (const { AttributeName::literal("state") }, native.state.take()),
            (const { AttributeName::literal("parentid") }, native.parent_id.take()),
            (AUTH_TYPE, Some(auth_type.to_owned())),
            (AUTH_ID, user),
            (ACCOUNT_ID, ids.account),
            (USER_ID, ids.user),
        ] {
            if let Some(value) = value {
                extensions.push((name, cut(value).into()));
            }
        }
        if let Some((text, number)) = severity {
            extensions.extend([(SEVERITY_TEXT, text.into()), (SEVERITY_NUMBER, number.into())]);
        }
        if native.event_type.is_none() {
            extensions.push((FLAW, "it has no valid `type`".into()));
        }
        let event = event.extensions(extensions);
        let event = match native.has_only_known_fields() && self.redaction.is_default() {
            // None of their names tells of a secret.
            true => event.data(Data::Json(native.into_raw().into())),
            false => self.with_row(event, native.raw()),
        };
        built(&id, event)
    }

    /// Keeps what cannot be read as text.
    pub(super) fn malformed(&self, unread: &Unread) -> Result<Event, MapError> {
        let Unread { id, text, redacted, flaw, .. } = unread;
        let mut event = Event::builder(id, &self.source, "org.apache.cloudstack.malformed")
            .datacontenttype("text/plain")
            .extension(FLAW, bounded(flaw))
            .data(Data::Binary(text.clone().into_bytes().into()));
        if *redacted > 0 {
            event = event.extension(REDACTED, *redacted);
        }
        built(id, event)
    }

    /// A loss that is known: what happened between `from` and `to` was not there when it was asked
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
        let event = self
            .start(&id, pluvio_event::known::GAP_TYPE)
            .time(to)
            .extension(SEVERITY_TEXT, "WARN")
            .extension(SEVERITY_NUMBER, 13)
            .data(Data::Json(Json::as_written(data)));
        built(&id, event)
    }

    /// An event with JSON inside.
    pub(super) fn start(
        &self,
        id: impl Into<String>,
        event_type: impl Into<String>,
    ) -> EventBuilder {
        Event::builder(id, &self.source, event_type).datacontenttype("application/json")
    }

    /// Puts a row into an event, without its secrets.
    pub(super) fn with_row(
        &self,
        mut event: EventBuilder,
        raw: &serde_json::value::RawValue,
    ) -> EventBuilder {
        let redacted = self.redaction.apply(raw);
        if redacted.count > 0 {
            event = event.extension(REDACTED, redacted.count);
        }
        event.data(Data::Json(redacted.json))
    }
}

/// The beginning of a text that is longer than an attribute may be.
pub(super) fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(ATTRIBUTE_BYTES_MAX)).unwrap_or(text)
}

/// The same of a text that is not needed whole.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(ATTRIBUTE_BYTES_MAX));
    text
}

/// Finishes an event.
pub(super) fn built(id: &str, event: EventBuilder) -> Result<Event, MapError> {
    event.build().map_err(|source| MapError { id: id.to_owned(), source })
}

/// OpenTelemetry's severity text and number for a level (CloudEvents severity extension).
fn severity(level: Option<&str>) -> Option<(&'static str, i32)> {
    match level? {
        "ERROR" => Some(("ERROR", 17)),
        "WARN" => Some(("WARN", 13)),
        "INFO" => Some(("INFO", 9)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pluvio_clouds::cloudstack::Row as _;
    use pluvio_event::json;
    use serde_json::value::RawValue;

    use super::*;

    fn mapping() -> Mapping {
        let source = "https://cloud.example.org/client/api".to_owned();
        Mapping { source, redaction: Redaction::default(), people: People::default() }
    }

    fn mapped(row: &str) -> serde_json::Value {
        let raw = RawValue::from_string(row.to_owned()).unwrap();
        let event = mapping().event(NativeEvent::read(&raw).unwrap()).unwrap();
        serde_json::from_slice(&json::to_vec(&event)).unwrap()
    }

    #[test]
    fn an_event_has_the_attributes_that_the_design_names() {
        let row = r#"{"id":"4b1f","username":"anna","type":"VM.CREATE","level":"ERROR","description":"x","account":"web","domainid":"d","domain":"engineering","domainpath":"ROOT/engineering","resourceid":"77aa","resourcetype":"VirtualMachine","created":"2026-11-20T12:19:53+0100","state":"Completed","parentid":"aa00"}"#;
        let event = mapped(row);
        for (attribute, expected) in [
            ("id", "4b1f"),
            ("source", "https://cloud.example.org/client/api"),
            ("type", "org.apache.cloudstack.VM.CREATE"),
            ("subject", "VirtualMachine/77aa"),
            ("time", "2026-11-20T11:19:53Z"),
            ("datacontenttype", "application/json"),
            ("account", "web"),
            ("domain", "engineering"),
            ("level", "ERROR"),
            ("state", "Completed"),
            ("parentid", "aa00"),
            ("authtype", "user"),
            ("authid", "anna"),
            ("severitytext", "ERROR"),
        ] {
            assert_eq!(event[attribute], expected, "{attribute}");
        }
        assert_eq!(event["severitynumber"], 17);
        assert_eq!(event["data"].to_string(), row, "byte for byte");
    }

    #[test]
    fn a_field_that_nobody_knows_is_looked_at_for_secrets_and_no_known_one_needs_to_be() {
        let known = r#"{"id":"1","username":"a","type":"a","level":"a","description":"a","account":"a","accountid":"a","projectid":"a","project":"a","domainid":"a","domain":"a","domainpath":"a","resourceid":"a","resourcetype":"a","resourcename":"a","created":"2026-11-20T12:19:53+0100","state":"a","parentid":"a","archived":true}"#;
        let raw = RawValue::from_string(known.to_owned()).unwrap();
        assert!(NativeEvent::read(&raw).unwrap().has_only_known_fields());
        assert_eq!(mapping().redaction.apply(&raw).count, 0);
        for secret in [r#""vncpassword":"x""#, r#""description":{"password":"x"}"#] {
            let event = mapped(&known.replace(r#""description":"a""#, secret));
            assert_eq!(event["pluvioredacted"], 1, "{secret}");
        }
        let mapping = Mapping { redaction: Redaction::with(&["username".to_owned()]), ..mapping() };
        let event = mapping.event(NativeEvent::read(&raw).unwrap()).unwrap();
        assert_eq!(event.extension("pluvioredacted").unwrap().to_string(), "1");
    }

    #[test]
    fn an_event_of_an_old_server_has_a_number_for_an_id_and_no_parent() {
        let event = mapped(r#"{"id":391,"created":"2011-11-05T12:19:53+0100","parentid":0}"#);
        assert_eq!(event["id"], "391");
        assert_eq!(event["type"], "org.apache.cloudstack.unknown");
        assert_eq!(event["pluvioflaw"], "it has no valid `type`");
        assert_eq!(event["authtype"], "system");
        assert_eq!(event.get("parentid"), None);
        assert_eq!(event.get("subject"), None);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_kept_with_a_flag_and_its_secrets_are_counted() {
        let unread = |redacted| Unread {
            id: "4b1f".into(),
            text: "{}".into(),
            redacted,
            flaw: "failed to read a row of 2 bytes".into(),
            created: None,
        };
        let event = mapping().malformed(&unread(2)).unwrap();
        assert_eq!(
            (event.id(), event.extension("pluvioredacted").unwrap().to_string().as_str()),
            ("4b1f", "2")
        );
        let flaw = event.extension("pluvioflaw").unwrap().to_string();
        assert_eq!(flaw, "failed to read a row of 2 bytes");
        assert!(mapping().malformed(&unread(0)).unwrap().extension("pluvioredacted").is_none());
    }

    #[test]
    fn a_name_of_a_megabyte_is_cut_so_that_the_event_fits_into_the_log() {
        let name = "x".repeat(200_000);
        let row = format!(r#"{{"id":"1","created":"2026-11-20T12:19:53+0100","type":"{name}"}}"#);
        assert!(mapped(&row)["type"].as_str().unwrap().len() < 2000);
    }
}
