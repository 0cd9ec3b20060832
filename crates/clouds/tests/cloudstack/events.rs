//! Events of old and new servers.

use http::{HeaderMap, StatusCode};
use jiff::tz::Offset;
use pluvio_clouds::cloudstack::{
    Error, EventPage, NativeEvent, Page, ROW_BYTES_MAX, Reply, RowFlaw,
};

use crate::server::NOW;

pub(crate) fn reply(body: &str) -> Reply {
    let headers = HeaderMap::new();
    let received = NOW.parse().unwrap();
    Reply::decode("listEvents", StatusCode::OK, &headers, body.as_bytes(), received).unwrap()
}

fn page(inside: &str) -> Result<EventPage, Error> {
    Page::of(&reply(&format!(r#"{{"listeventsresponse":{inside}}}"#)), "event")
}

fn only(row: &str) -> NativeEvent {
    let mut page = page(&format!(r#"{{"count":1,"event":[{row}]}}"#)).unwrap();
    page.rows.remove(0).unwrap()
}

#[test]
fn an_event_of_a_new_server_is_read_whole() {
    let row = r#"{"id":"5f2c0b0e-1","username":"ann","type":"VM.CREATE","level":"INFO",
        "description":"starting \u003d Vm é","account":"acme","projectid":"p1","project":"web",
        "domainid":"d1","domain":"ROOT","domainpath":"ROOT/acme","resourceid":"r1",
        "resourcetype":"VirtualMachine","resourcename":"web-1","created":"2026-11-20T12:19:53+0100",
        "state":"Completed","parentid":"5f2c0b0e-0","archived":true, "new" : [1]}"#;
    let event = only(row);
    assert_eq!(event.raw().get(), row);
    assert_eq!(event.created.at, "2026-11-20T11:19:53Z".parse().unwrap());
    assert_eq!(event.created.offset, Offset::constant(1));
    let is = |field: &Option<String>, value| assert_eq!(field.as_deref(), Some(value));
    assert_eq!(event.id, "5f2c0b0e-1");
    is(&event.username, "ann");
    is(&event.event_type, "VM.CREATE");
    is(&event.level, "INFO");
    is(&event.account, "acme");
    is(&event.project_id, "p1");
    is(&event.domain_id, "d1");
    is(&event.domain, "ROOT");
    is(&event.resource_id, "r1");
    is(&event.resource_type, "VirtualMachine");
    is(&event.state, "Completed");
    is(&event.parent_id, "5f2c0b0e-0");
    assert_eq!((event.account_id, event.is_archived), (None, true));
}

#[test]
fn an_event_of_an_old_server_is_read_with_its_numbers() {
    let event = only(
        r#"{"id":391,"domainid":1,"parentid":"0","created":"2011-08-25T15:54:55-0500","type":7}"#,
    );
    assert_eq!((event.id.as_str(), event.domain_id.as_deref()), ("391", Some("1")));
    assert_eq!(event.created.at, "2011-08-25T20:54:55Z".parse().unwrap());
    assert_eq!((event.parent_id, event.is_archived), (None, false));
    assert_eq!(event.event_type.as_deref(), Some("7"));
}

#[test]
fn no_parent_is_written_in_four_ways() {
    for parent in ["", r#","parentid":0"#, r#","parentid":"0""#, r#","parentid":"""#] {
        let event = only(&format!(r#"{{"id":1,"created":"2026-11-20T12:00:00Z"{parent}}}"#));
        assert_eq!(event.parent_id, None, "{parent}");
    }
}

#[test]
fn an_odd_field_costs_itself() {
    let event = only(
        r#"{"id":1,"created":"2026-11-20T12:00:00Z","account":{"x":1},"username":null,"level":"\ud800"}"#,
    );
    assert_eq!((event.account, event.username, event.level), (None, None, None));
}

#[test]
fn an_empty_list_is_an_object_without_one() {
    for (inside, count) in [("{}", None), (r#"{"count":7}"#, Some(7)), (r#"{"event":[]}"#, None)] {
        let page = page(inside).unwrap();
        assert!(page.rows.is_empty());
        assert_eq!(page.count, count);
    }
}

#[test]
fn a_list_of_something_else_is_no_empty_list() {
    for inside in [r#"{"count":1,"events":[{}]}"#, r#"{"event":{}}"#, r#"{"event":null}"#] {
        let error = page(inside).unwrap_err();
        let expected = "answer to listEvents holds no valid list `event`; is this a CloudStack?";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_malformed_row_costs_itself() {
    let good = r#"{"id":"1","created":"2026-11-20T12:00:00+0000"}"#;
    let rows = [
        (r#"{"id":"2","created":"yesterday"}"#, RowFlaw::Lacks("created")),
        (r#"{"created":"2026-11-20T12:00:00+0000"}"#, RowFlaw::Lacks("id")),
        (r#"{"id":"","created":"2026-11-20T12:00:00+0000"}"#, RowFlaw::Lacks("id")),
        ("null", RowFlaw::NotAnObject),
        ("[{}]", RowFlaw::NotAnObject),
    ];
    for (row, reason) in rows {
        let page = page(&format!(r#"{{"count":3,"event":[{good},{row},{good}]}}"#)).unwrap();
        assert!(page.rows[0].is_ok() && page.rows[2].is_ok());
        let malformed = page.rows[1].as_ref().unwrap_err();
        assert_eq!((malformed.raw().get(), malformed.reason), (row, reason));
    }
}

#[test]
fn a_huge_row_is_refused_alone() {
    let huge = format!(r#"{{"id":"1","description":"{}"}}"#, "é".repeat(ROW_BYTES_MAX / 2));
    let page = page(&format!(r#"{{"event":[{huge}]}}"#)).unwrap();
    let malformed = page.rows[0].as_ref().unwrap_err();
    assert_eq!((malformed.reason, malformed.bytes), (RowFlaw::TooLarge, huge.len()));
}
