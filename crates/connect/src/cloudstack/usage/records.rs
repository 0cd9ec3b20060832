//! The usage server's records: which one it is, and the event that it becomes. Pure.
//!
//! | attribute | from |
//! |---|---|
//! | `id` | uuid5 of the source and what makes the record the same if it is written again |
//! | `type` | `org.apache.cloudstack.usagerecord` |
//! | `subject` | `VirtualMachine/<uuid>` and the like, where the usage's type names a resource |
//! | `time` | end of the window |
//! | `account`, `usagetype` | whose, and the type's number |
//! | `data` | the row itself, byte for byte |
//!
//! A record is the same if usage type, resource, account, zone and window are; the amount may differ
//! when a job ran again, and the first one stands. Types without a resource of their own (network
//! offerings) have many records for one account and window, one for each machine: they are told
//! apart by machine, offering, network and description as well, or all but one would be lost.

use pluvio_clouds::cloudstack::{Row as _, UsageRecord};
use pluvio_event::{AttributeName, Event};
use serde::Deserialize;
use uuid::Uuid;

use super::super::map::{MapError, Mapping, bounded, built};

/// The event of a record.
pub(super) fn event(mapping: &Mapping, id: Uuid, record: &UsageRecord) -> Result<Event, MapError> {
    const ACCOUNT: AttributeName = AttributeName::literal("account");
    const USAGE_TYPE: AttributeName = AttributeName::literal("usagetype");
    let id = id.to_string();
    let mut event = mapping
        .start(&id, "org.apache.cloudstack.usagerecord")
        .time(record.end.at)
        .extension(USAGE_TYPE, i32::try_from(record.usage_type).unwrap_or(i32::MAX));
    if let (Some(kind), Some(id)) = (resource_type(record.usage_type), &record.usage_id) {
        event = event.subject(format!("{kind}/{}", bounded(id)));
    }
    if let Some(account) = &record.account {
        event = event.extension(ACCOUNT, bounded(account));
    }
    built(&id, mapping.with_row(event, record.raw()))
}

/// What names a record for ever.
pub(super) fn id(mapping: &Mapping, record: &UsageRecord) -> Uuid {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct More {
        virtualmachineid: Option<String>,
        offeringid: Option<String>,
        networkid: Option<String>,
    }
    let mut name = format!("{} usagerecord {}", mapping.source, record.id());
    if record.usage_id.is_none() {
        let more: More = serde_json::from_str(record.raw().get()).unwrap_or_default();
        let More { virtualmachineid, offeringid, networkid } = more;
        let description = record.description.clone();
        for part in [virtualmachineid, offeringid, networkid, description] {
            name.push('/');
            name.push_str(&part.unwrap_or_default());
        }
    }
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// As CloudStack's events call it; `UsageTypes` has the numbers.
fn resource_type(usage_type: u32) -> Option<&'static str> {
    Some(match usage_type {
        1 | 2 => "VirtualMachine",
        3 => "IpAddress",
        6 => "Volume",
        7 => "Template",
        8 => "Iso",
        9 => "Snapshot",
        25 | 27 => "VmSnapshot",
        28 => "Backup",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::value::RawValue;

    use super::{super::super::redact::Redaction, *};

    fn record(fields: &str) -> UsageRecord {
        let window = r#""accountid":"a","account":"web","zoneid":"z","startdate":"2026-11-19T00:00:00+0000","enddate":"2026-11-19T23:59:59+0000""#;
        let text = format!("{{{fields},{window}}}");
        UsageRecord::read(&RawValue::from_string(text).unwrap()).unwrap()
    }

    fn mapping() -> Mapping {
        Mapping {
            source: "https://c/client/api".into(),
            redaction: Redaction::default(),
            people: Default::default(),
        }
    }

    #[test]
    fn a_record_written_again_with_another_amount_is_the_same() {
        let one = record(r#""usagetype":1,"usageid":"vm","rawusage":"24""#);
        let again = record(r#""usagetype":1,"usageid":"vm","rawusage":"23.5""#);
        let other = record(r#""usagetype":2,"usageid":"vm","rawusage":"24""#);
        assert_eq!(id(&mapping(), &one), id(&mapping(), &again));
        assert_ne!(id(&mapping(), &one), id(&mapping(), &other));
        let event = event(&mapping(), id(&mapping(), &one), &one).unwrap();
        assert_eq!(event.subject(), Some("VirtualMachine/vm"));
        assert_eq!(event.time(), Some("2026-11-19T23:59:59Z".parse().unwrap()));
        assert_eq!(event.extension("usagetype").unwrap().to_string(), "1");
    }

    #[test]
    fn two_machines_on_one_network_offering_are_two_records() {
        let one = record(r#""usagetype":13,"offeringid":"o","virtualmachineid":"vm-1""#);
        let two = record(r#""usagetype":13,"offeringid":"o","virtualmachineid":"vm-2""#);
        assert_ne!(id(&mapping(), &one), id(&mapping(), &two));
    }
}
