//! An event as CloudStack's own event bus would have told it: the JSON of an *ActionEvent*, so that
//! whoever consumed that goes on consuming. Pure.
//!
//! | key | from |
//! |---|---|
//! | `event`, `status`, `description` | the row's `type`, `state`, `description` |
//! | `eventDateTime` | `created` as `yyyy-MM-dd HH:mm:ss Z`, in the server's own time zone |
//! | `entity`, `entityuuid`, `<entity>` | resource type and id, when known (4.17) |
//! | `user`, `account` | the ids that the source found for the row's names (`identities`) |
//! | `project` | the row's `projectid` |
//!
//! Source: `ActionEventUtils.publishOnEventBus` and what the Kafka, RabbitMQ and webhook plugins send
//! (gson: absent where there is no value). The bus' other categories (job, usage, alert, state) are not
//! in `listEvents`, and this refuses to make them up.

use bytes::Bytes;
use pluvio_event::{AttributeValue, Data, Event};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Which events are ActionEvents, in CEL: the others have no such form.
pub(crate) const ONLY: &str = "type.startsWith(\"org.apache.cloudstack.\") \
     && type != \"org.apache.cloudstack.usage\" \
     && type != \"org.apache.cloudstack.usagerecord\" \
     && type != \"org.apache.cloudstack.malformed\"";

/// What is taken from the row.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: Option<String>,
    state: Option<String>,
    description: Option<String>,
    projectid: Option<String>,
    created: String,
}

/// The JSON, and the resource's id, which is the key on CloudStack's Kafka bus. `None`: the event is
/// none of CloudStack's.
pub(crate) fn action_event(event: &Event) -> Option<(Bytes, Option<Bytes>)> {
    event.event_type().strip_prefix("org.apache.cloudstack.")?;
    let row: Row = serde_json::from_slice(event.data().map(Data::as_bytes)?).ok()?;
    let mut map = Map::new();
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), Value::from(value));
        }
    };
    let extension = |name: &str| match event.extension(name) {
        Some(AttributeValue::String(value)) => Some(value.as_str()),
        _ => None,
    };
    put("eventDateTime", Some(&date_time(&row.created)?));
    put("event", Some(row.kind.as_deref()?));
    put("status", row.state.as_deref());
    put("description", row.description.as_deref());
    put("user", extension("userid"));
    put("account", extension("accountid"));
    put("project", row.projectid.as_deref());
    let resource = event.subject().and_then(|subject| subject.split_once('/'));
    if let Some((kind, id)) = resource {
        put("entity", Some(kind));
        put("entityuuid", Some(id));
        put(kind, Some(id));
    }
    let key = resource.map(|(_, id)| Bytes::copy_from_slice(id.as_bytes()));
    Some((Value::Object(map).to_string().into(), key))
}

/// `2026-11-20T12:19:53+0100` as `2026-11-20 12:19:53 +0100`.
fn date_time(created: &str) -> Option<String> {
    let (date, rest) = created.split_once('T')?;
    let zone = rest.find(['+', '-', 'Z'])?;
    let (time, zone) = rest.split_at_checked(zone)?;
    let zone = if zone == "Z" { "+0000".to_owned() } else { zone.replace(':', "") };
    Some(format!("{date} {time} {zone}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pluvio_event::AttributeName;
    use serde_json::json;

    use super::*;

    fn event(kind: &str, subject: Option<&str>) -> Event {
        let row = r#"{"id":"1","type":"VM.START","state":"Completed","description":"it = on","projectid":"p1","created":"2026-11-20T12:19:53+0100"}"#;
        let event = Event::builder("1", "https://c/client/api", kind)
            .extension(AttributeName::literal("userid"), "u1")
            .data(Data::json(row).unwrap());
        subject.into_iter().fold(event, pluvio_event::EventBuilder::subject).build().unwrap()
    }

    #[test]
    fn an_event_is_told_as_the_bus_would_have_told_it() {
        let event = event("org.apache.cloudstack.VM.START", Some("VirtualMachine/77aa"));
        let (body, key) = action_event(&event).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({
                "eventDateTime": "2026-11-20 12:19:53 +0100",
                "event": "VM.START",
                "status": "Completed",
                "description": "it = on",
                "user": "u1",
                "project": "p1",
                "entity": "VirtualMachine",
                "entityuuid": "77aa",
                "VirtualMachine": "77aa",
            })
        );
        assert_eq!(key.unwrap(), "77aa");
    }

    #[test]
    fn what_is_not_known_is_left_out_and_other_clouds_have_no_such_form() {
        let (body, key) = action_event(&event("org.apache.cloudstack.VM.START", None)).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body.get("entity").is_none() && body.get("account").is_none() && key.is_none());
        assert_eq!(action_event(&event("com.vmware.vsphere.VmPoweredOnEvent.v0", None)), None);
    }

    #[test]
    fn what_may_come_is_what_has_the_form() {
        let only = pluvio_event::Filter::default().and_expression(ONLY).unwrap();
        assert!(only.matches(&event("org.apache.cloudstack.VM.START", None)));
        for other in ["org.apache.cloudstack.usage", "org.apache.cloudstack.usagerecord", "x"] {
            assert!(!only.matches(&event(other, None)), "{other}");
        }
    }
}
