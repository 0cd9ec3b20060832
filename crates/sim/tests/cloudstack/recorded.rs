//! A recording, as clients of the simulated CloudStack see it.

use jiff::Timestamp;
use pluvio_sim::cloudstack::{Captured, Recording, Version};
use pluvio_sim::{CloudStack, CloudStackConfig};
use serde_json::Value;

use crate::client::Client;
use crate::quiet;

/// What an old server said on a Monday: a machine of `web`, a volume of a project, a login.
const ROWS: [&str; 4] = [
    r#"{"id":"101","username":"ops","type":"VM.CREATE","level":"INFO","description":"starting  web-1","account":"web","domainid":"7","domain":"lab","domainpath":"ROOT/lab","resourceid":"r-1","resourcetype":"VirtualMachine","created":"2026-11-23T06:00:00+0100","state":"Started","parentid":"103"}"#,
    r#"{"id":"103","username":"ops","type":"VM.CREATE","level":"INFO","description":"web-1","account":"web","domainid":"7","domain":"lab","domainpath":"ROOT/lab","created":"2026-11-23T06:00:00+0100","state":"Scheduled"}"#,
    r#"{"id":"104","username":"ops","type":"VOLUME.CREATE","level":"ERROR","description":"no \"space\" left","projectid":"9","project":"shop","domainid":"7","domain":"lab","created":"2026-11-23T06:10:00+0100","state":"Completed"}"#,
    r#"{"id": "105", "username": "admin", "type": "USER.LOGIN", "level": "INFO", "account": "admin", "domain": "ROOT", "created": "2026-11-23T07:00:00+0100", "state": "Completed", "unheardof": [1]}"#,
];

fn recording() -> Recording {
    let mut recording = Recording::default();
    for row in ROWS {
        let fields: Value = serde_json::from_str(row).unwrap();
        let created = fields["created"].as_str().unwrap().replace("+0100", "+01:00");
        let time: Timestamp = created.parse().unwrap();
        recording.add(Captured { row, time, account_id: None, user_id: Some("u-1") }).unwrap();
    }
    recording
}

/// A cloud whose clock stands at nearly nothing a second, from that time on.
async fn cloud(begin: &str) -> CloudStack {
    let mut recording = recording();
    (recording.begin, recording.speed) = (Some(begin.parse().unwrap()), 1e-6);
    let config = CloudStackConfig { recording: Some(recording), ..quiet() };
    CloudStack::start(config).await.unwrap()
}

#[tokio::test]
async fn rows_are_answered_as_they_were_recorded() {
    let cloud = cloud("2026-11-23T06:00:00Z").await;
    let admin = Client::of(&cloud, "admin");
    let answer = admin.call("listEvents", "listall=true").await;
    assert_eq!(answer.inner()["count"], 3, "the project's is not among them");
    for row in [ROWS[0], ROWS[1], ROWS[3]] {
        assert!(answer.body.contains(row), "{row}\n{}", answer.body);
    }
    let answer = admin.call("listEvents", "projectid=-1").await;
    assert!(answer.body.contains(ROWS[2]) && answer.inner()["count"] == 1);
}

#[tokio::test]
async fn every_parameter_of_list_events_finds_what_was_recorded() {
    let cloud = cloud("2026-11-23T06:00:00Z").await;
    let admin = Client::of(&cloud, "admin");
    for (parameters, expected) in [
        ("id=103", &["103"][..]),
        ("startid=103", &["101", "103"]),
        ("type=VM.CREATE", &["101", "103"]),
        ("type=VM.STOP", &[]),
        ("keyword=STARTING", &["101"]),
        ("projectid=9&level=error", &["104"]),
        ("resourcetype=virtualmachine&resourceid=r-1", &["101"]),
        ("account=web&domainid=7", &["101", "103"]),
        ("domainid=7&type=VM.CREATE", &["101", "103"]),
        // The wall clock of the server, which is an hour ahead of Greenwich.
        ("startdate=2026-11-23 06:30:00", &["105"]),
        ("enddate=2026-11-23 06:30:00", &["101", "103"]),
        ("page=1&pagesize=1", &["105"]),
    ] {
        let answer = admin.call("listEvents", &format!("listall=true&{parameters}")).await;
        let mut ids = answer.ids();
        ids.sort();
        assert_eq!(ids, expected, "{parameters}: {}", answer.body);
    }
    let unknown = admin.call("listEvents", "id=102").await;
    assert_eq!(unknown.status, 431, "{}", unknown.body);
}

#[tokio::test]
async fn the_people_of_the_rows_are_listed_and_the_kinds_of_its_events() {
    let cloud = cloud("2026-11-23T06:00:00Z").await;
    let admin = Client::of(&cloud, "admin");
    let domains = admin.call("listDomains", "listall=true").await;
    assert_eq!(domains.column("domain", "path"), ["ROOT", "ROOT/lab"]);
    assert_eq!(domains.column("domain", "id")[1], "7");
    let accounts = admin.call("listAccounts", "listall=true&domainid=7").await;
    assert_eq!(accounts.column("account", "name"), ["web"]);
    let users = admin.call("listUsers", "listall=true&username=ops").await;
    assert!(users.column("user", "id").contains(&"u-1".to_owned()), "{}", users.body);
    let projects = admin.call("listProjects", "listall=true").await;
    assert_eq!(projects.column("project", "id"), ["9"]);
    let types = admin.call("listEventTypes", "").await.column("eventtype", "name");
    assert!(types.contains(&"VOLUME.CREATE".to_owned()));
    let machines = admin.call("listVirtualMachines", "listall=true").await;
    assert_eq!(machines.column("virtualmachine", "id"), [""; 0]);
}

#[tokio::test]
async fn what_lies_ahead_happens_when_the_clock_reaches_it_and_nothing_else_does() {
    let cloud = cloud("2026-11-23T05:05:00Z").await;
    let ids = || cloud.events().into_iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(), ["101", "103"]);
    cloud.post(5);
    cloud.advance(std::time::Duration::from_secs(3600));
    assert_eq!(ids(), ["101", "103", "104", "105"]);
    let progress = cloud.status().recording.unwrap();
    assert_eq!((progress.events, progress.played), (4, 4));
}

#[tokio::test]
async fn a_signature_ends_by_the_clock_of_the_client_whatever_time_is_played() {
    let cloud = cloud("2100-01-01T00:00:00Z").await;
    let admin = Client::of(&cloud, "admin");
    let signed = |expires| format!("listall=true&signatureversion=3&expires={expires}");
    let answer = admin.call("listEvents", &signed("2099-01-01T00:00:00+0000")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = admin.call("listEvents", &signed("2020-01-01T00:00:00+0000")).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
}

#[tokio::test]
async fn the_release_is_told_from_the_fields() {
    assert_eq!(recording().release(), Version::V4_22, "nobody knows `unheardof`");
}
