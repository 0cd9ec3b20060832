//! 380 classes of events, with every field and with none, against the JSON that
//! vsphere-event-streaming prints for the same XML.

use pluvio_clouds::vsphere::{DataFormat, NativeEvent, Redaction, decode_page};

const FULL: &[u8] = include_bytes!("../fixtures/vsphere-events/full.xml");
const FULL_JSON: &str = include_str!("../fixtures/vsphere-events/full.ndjson");
const SPARSE: &[u8] = include_bytes!("../fixtures/vsphere-events/sparse.xml");
const SPARSE_JSON: &str = include_str!("../fixtures/vsphere-events/sparse.ndjson");

fn events(body: &[u8]) -> Vec<NativeEvent> {
    let page = decode_page(body, "returnval").unwrap();
    page.events.into_iter().map(Result::unwrap).collect()
}

const VALUES: &[u8] = include_bytes!("../fixtures/vsphere-events/values.xml");
const VALUES_JSON: &str = include_str!("../fixtures/vsphere-events/values.ndjson");

/// The peer keeps secrets; all that these events carry is one password.
const SECRET: &str = r#""Password":"s-Password""#;
const NO_SECRET: &str = r#""Password":"[redacted]""#;

fn check(body: &[u8], lines: &str) {
    let events = events(body);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!((events.len(), lines.len()), (380, 380));
    for (event, line) in events.iter().zip(lines) {
        assert!(event.known && event.flaws.is_empty(), "{event:?}");
        let rendered = event.render(DataFormat::Govmomi, &Redaction::default());
        assert_eq!(rendered.flaws, [""; 0], "{}", event.class);
        let found = format!(r#"{{"class":"{}","data":{}}}"#, event.class, rendered.json);
        assert_eq!(rendered.redacted, line.matches(SECRET).count(), "{}", event.class);
        assert_eq!(found, line.replace(SECRET, NO_SECRET));
    }
}

#[test]
fn every_field_is_printed_as_the_peer_prints_it() {
    check(FULL, FULL_JSON);
}

#[test]
fn absent_fields_are_printed_as_the_peer_prints_them() {
    check(SPARSE, SPARSE_JSON);
}

#[test]
fn every_kind_of_value_is_printed_as_the_peer_prints_it() {
    let events = events(VALUES);
    assert_eq!(events.len(), VALUES_JSON.lines().count());
    for (event, line) in events.iter().zip(VALUES_JSON.lines()) {
        let rendered = event.render(DataFormat::Govmomi, &Redaction::default());
        assert_eq!(rendered.json, line);
        assert_eq!((rendered.redacted, rendered.flaws.len(), event.flaws.len()), (0, 0, 0));
    }
}
