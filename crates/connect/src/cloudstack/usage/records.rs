//! The usage server's records: which one it is, and the event that it becomes. Pure.
//!
//! | attribute | from |
//! |---|---|
//! | `id` | of a first event the record's figure; of a revision, uuid5 of the record and its number |
//! | `recordid` | uuid5 of the source and of what makes the record the same if it is written again |
//! | `recordgroup` | uuid5 of the source and of what the record has in common with those that differ by their resource only |
//! | `recordpurged` | `true`: the row names no resource: the server knew it no more |
//! | `revision` | 2 and more: the same record was captured before, with another amount; the newest counts |
//! | `recordfigure` | of a revision: names the record's amount, and is the `id` of a first event with that amount |
//! | `type` | `org.apache.cloudstack.usagerecord` |
//! | `subject` | `VirtualMachine/<uuid>` and the like, where the usage's type names a resource |
//! | `time` | end of the window |
//! | `account`, `usagetype` | whose, and the type's number |
//! | `data` | the row itself, byte for byte |
//!
//! A record is the same if usage type, account, zone, window, resource and the kind of use (offering, size,
//! processors, network, …) are: [`UsageRecord::id`](pluvio_clouds::cloudstack::Row::id). Where several uses may look
//! the same, records that share these are numbered.
//!
//! A job that ran again and counted something else makes a revision of a record: billing must see both figures and
//! know that one takes the place of the other. A revision is named by its number and not by its amount, for a job may count again what
//! it counted first: 24, 23.5 and 24 are three events, and the newest says 24.

use pluvio_clouds::cloudstack::{Row as _, UsageRecord};
use pluvio_event::{AttributeName, Event};
use uuid::Uuid;

use super::super::map::{MapError, Mapping, bounded, built};

/// What names a record, whatever its amount.
pub(super) fn record_id(mapping: &Mapping, record: &UsageRecord) -> Uuid {
    let name = format!("{} usagerecord {}", mapping.source, record.id());
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// What names the `nth` of the records of one resource that look the same.
pub(super) fn shared_id(record_id: Uuid, nth: usize) -> Uuid {
    match nth {
        0 => record_id,
        _ => Uuid::new_v5(&record_id, format!("shared {nth}").as_bytes()),
    }
}

/// What names the `nth` of the records that are alike and whose resources were purged before they were
/// captured. In the order of the list, which is that in which they were written.
pub(super) fn purged_id(mapping: &Mapping, record: &UsageRecord, nth: usize) -> Uuid {
    let name = format!("{} usagerecord {} purged {nth}", mapping.source, record.likeness());
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// What records have in common that are alike. It is told by its event, for `redact` may take it out of the row.
pub(super) fn group(mapping: &Mapping, record: &UsageRecord) -> Uuid {
    let name = format!("{} usagerecord group {}", mapping.source, record.likeness());
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// What names a record's amount: the same amount of the same record has the same. It is the record's name with
/// the [amount's](amount_name) laid over it, so that who knows the record can [tell](amount_in) which of many
/// amounts a figure has without trying each.
pub(super) fn figure(record_id: Uuid, amount: &str) -> Uuid {
    Uuid::from_u128(record_id.as_u128() ^ amount_name(amount))
}

/// What names an amount, whatever record it is of.
pub(super) fn amount_name(amount: &str) -> u128 {
    // The version and the variant stay as they are.
    const FREE_BITS: u128 = !(0xf << 76 | 0b11 << 62);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, amount.as_bytes()).as_u128() & FREE_BITS
}

/// The [name](amount_name) of the amount that a figure of the record has.
pub(super) fn amount_in(record_id: Uuid, figure: Uuid) -> u128 {
    record_id.as_u128() ^ figure.as_u128()
}

/// What names the event of a record's revision, from 1, with this figure.
pub(super) fn event_id(record_id: Uuid, revision: u32, figure: Uuid) -> Uuid {
    match revision {
        0 | 1 => figure,
        _ => Uuid::new_v5(&record_id, format!("revision {revision}").as_bytes()),
    }
}

/// Whether the row names no resource: the server does not know it any more.
pub(super) fn is_purged(record: &UsageRecord) -> bool {
    record.resource().is_none()
}

/// The event of a record.
pub(super) fn event(
    mapping: &Mapping,
    record_id: Uuid,
    revision: u32,
    record: &UsageRecord,
) -> Result<Event, MapError> {
    const ACCOUNT: AttributeName = AttributeName::literal("account");
    const USAGE_TYPE: AttributeName = AttributeName::literal("usagetype");
    let figure = figure(record_id, &record.amount());
    let id = event_id(record_id, revision, figure).to_string();
    let mut event = mapping
        .start(&id, TYPE)
        .time(record.end.at)
        .extension(RECORD_ID, record_id.to_string())
        .extension(RECORD_GROUP, group(mapping, record).to_string())
        .extension(USAGE_TYPE, i32::try_from(record.usage_type).unwrap_or(i32::MAX));
    if is_purged(record) {
        event = event.extension(RECORD_PURGED, true);
    }
    if revision > 1 {
        event = event
            .extension(REVISION, i32::try_from(revision).unwrap_or(i32::MAX))
            .extension(RECORD_FIGURE, figure.to_string());
    }
    if let (Some(kind), Some(id)) = (resource_type(record.usage_type), &record.usage_id) {
        event = event.subject(format!("{kind}/{}", bounded(id)));
    }
    if let Some(account) = &record.account {
        event = event.extension(ACCOUNT, bounded(account));
    }
    built(&id, mapping.with_row(event, record.raw()))
}

/// The type of a record's event.
pub(super) const TYPE: &str = "org.apache.cloudstack.usagerecord";
/// Names the record in all its revisions.
pub(super) const RECORD_ID: AttributeName = AttributeName::literal("recordid");
/// Names what it has in common with others; [`group`].
pub(super) const RECORD_GROUP: AttributeName = AttributeName::literal("recordgroup");
/// Whether it was captured without its resource.
pub(super) const RECORD_PURGED: AttributeName = AttributeName::literal("recordpurged");

/// Which of the record's figures it tells, from 2.
pub(super) const REVISION: AttributeName = AttributeName::literal("revision");
/// Names a revision's amount; [`figure`].
pub(super) const RECORD_FIGURE: AttributeName = AttributeName::literal("recordfigure");

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
        // The id is that of the machine that was backed up.
        28 => "VirtualMachine",
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
    fn a_record_written_again_with_another_amount_is_another_event_of_the_same_record() {
        let one = record(r#""usagetype":1,"usageid":"vm","rawusage":"24""#);
        let again = record(r#""usagetype":1,"usageid":"vm","rawusage":"24.0""#);
        let more = record(r#""usagetype":1,"usageid":"vm","rawusage":"23.5""#);
        let other = record(r#""usagetype":2,"usageid":"vm","rawusage":"24""#);
        let of = |row| record_id(&mapping(), row);
        assert_eq!([of(&again), of(&more)], [of(&one); 2]);
        assert_ne!(of(&one), of(&other));
        let figure = |row: &UsageRecord| figure(record_id(&mapping(), row), &row.amount());
        assert_eq!(figure(&one), figure(&again), "only printed otherwise");
        let comma = record(r#""usagetype":1,"usageid":"vm","rawusage":"23,5""#);
        assert_eq!(figure(&comma), figure(&more), "a server whose language has a decimal comma");
        assert_ne!(figure(&one), figure(&more));
        let first = event(&mapping(), of(&one), 1, &one).unwrap();
        assert_eq!(first.subject(), Some("VirtualMachine/vm"));
        assert_eq!(first.time(), Some("2026-11-19T23:59:59Z".parse().unwrap()));
        assert_eq!(first.extension("usagetype").unwrap().to_string(), "1");
        assert_eq!(first.extension("revision"), None);
        let second = event(&mapping(), of(&more), 2, &more).unwrap();
        assert_eq!(second.extension("recordid"), first.extension("recordid"));
        assert_eq!(second.extension("revision").unwrap().to_string(), "2");
        let back = event(&mapping(), of(&one), 3, &one).unwrap();
        assert_eq!(back.extension("recordfigure").unwrap().to_string(), first.id());
        let ids = std::collections::BTreeSet::from([first.id(), second.id(), back.id()]);
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn what_a_resource_was_used_as_tells_its_records_apart() {
        let rows = [
            r#""usagetype":1,"usageid":"vm","offeringid":"small","cpunumber":1,"memory":1024"#,
            r#""usagetype":1,"usageid":"vm","offeringid":"large","cpunumber":1,"memory":1024"#,
            r#""usagetype":1,"usageid":"vm","offeringid":"large","cpunumber":2,"memory":1024"#,
            r#""usagetype":1,"usageid":"vm","offeringid":"large","cpunumber":2,"memory":2048"#,
            r#""usagetype":1,"usageid":"vm","offeringid":"large","cpunumber":2,"memory":2048,"cpuspeed":500"#,
            r#""usagetype":6,"usageid":"volume","offeringid":"d","size":10"#,
            r#""usagetype":6,"usageid":"volume","offeringid":"d","size":20"#,
            r#""usagetype":6,"usageid":"volume","offeringid":"d","size":20,"virtualmachineid":"vm-1""#,
            r#""usagetype":6,"usageid":"volume","offeringid":"d","size":20,"virtualmachineid":"vm-2""#,
            r#""usagetype":4,"usageid":"router","networkid":"n1""#,
            r#""usagetype":4,"usageid":"router","networkid":"n2""#,
            r#""usagetype":4,"usageid":"router","vpcid":"n2""#,
            r#""usagetype":10,"usageid":"group","virtualmachineid":"vm-1""#,
            r#""usagetype":10,"usageid":"group","virtualmachineid":"vm-2""#,
            r#""usagetype":21,"usageid":"volume","virtualmachineid":"vm-1""#,
            r#""usagetype":21,"usageid":"volume","virtualmachineid":"vm-2""#,
            r#""usagetype":21,"usageid":"other","virtualmachineid":"vm-2""#,
            r#""usagetype":13,"offeringid":"o","virtualmachineid":"vm-1""#,
            r#""usagetype":13,"offeringid":"o","virtualmachineid":"vm-2""#,
            r#""usagetype":28,"usageid":"vm""#,
        ];
        let ids: std::collections::BTreeSet<_> =
            rows.iter().map(|row| record_id(&mapping(), &record(row))).collect();
        assert_eq!(ids.len(), rows.len());
    }

    #[test]
    fn names_and_words_and_what_may_be_gone_do_not_tell_records_of_a_resource_apart() {
        for (one, later) in [
            (
                r#""usagetype":1,"usageid":"vm","description":"web with Small""#,
                r#""usagetype":1,"usageid":"vm","description":"web with Medium""#,
            ),
            (
                r#""usagetype":4,"usageid":"router","networkid":"n","name":"blue""#,
                r#""usagetype":4,"usageid":"router","networkid":"n","name":"green""#,
            ),
            (
                r#""usagetype":13,"offeringid":"o","virtualmachineid":"vm","description":"of web""#,
                r#""usagetype":13,"offeringid":"o","virtualmachineid":"vm","description":"of shop""#,
            ),
            (
                r#""usagetype":28,"usageid":"vm","name":"web","description":"gold of web""#,
                r#""usagetype":28,"usageid":"vm","description":"gold of shop""#,
            ),
        ] {
            let of = |row| record_id(&mapping(), &record(row));
            assert_eq!(of(one), of(later), "{one}");
        }
    }

    #[test]
    fn a_record_whose_resource_was_purged_is_like_it_was() {
        let whole = record(
            r#""usagetype":1,"usageid":"vm","virtualmachineid":"vm","name":"web","offeringid":"o","description":"web (vm) with o""#,
        );
        let purged = r#""usagetype":1,"name":"web","offeringid":"o","description":"with o""#;
        let purged = record(purged);
        assert!(is_purged(&purged) && !is_purged(&whole));
        assert_eq!(purged.likeness(), whole.likeness());
        let snapshot = record(r#""usagetype":25,"usageid":"s","name":"before","offeringid":"o""#);
        let purged = record(r#""usagetype":25,"offeringid":"o""#);
        assert!(is_purged(&purged) && purged.likeness() == snapshot.likeness());
        let machine_gone = record(r#""usagetype":24,"usageid":"volume""#);
        assert!(is_purged(&machine_gone), "which machine's it was is not told any more");
        let rule = record(r#""usagetype":11,"description":"Loadbalancer policy usage ""#);
        assert!(is_purged(&rule));
    }
}
