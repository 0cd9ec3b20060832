//! What `listEvents` shows, hides and refuses.

use std::collections::HashSet;
use std::time::Duration;

use pluvio_sim::cloudstack::{Emission, Level, State, Version};
use pluvio_sim::{CloudStack, CloudStackConfig};

use crate::client::Client;
use crate::{cloud, quiet};

const ALL: &str = "listall=true";

#[tokio::test]
async fn pages_hold_every_event_once_and_the_newest_pages_come_first() {
    let cloud = cloud(300).await;
    let admin = Client::of(&cloud, "admin");
    let ids = admin.all_ids(ALL, 50).await;
    let projects = admin.all_ids("projectid=-1", 50).await;
    let captured: HashSet<_> = ids.iter().chain(&projects).cloned().collect();
    let truth: HashSet<_> = cloud.events().iter().map(|event| event.id.to_string()).collect();
    assert_eq!(captured, truth);
    assert_eq!(ids.len() + projects.len(), 300);
    let page = |n| format!("{ALL}&page={n}&pagesize=50");
    let first = admin.call("listEvents", &page(1)).await.column("event", "created");
    let second = admin.call("listEvents", &page(2)).await.column("event", "created");
    assert!(first.iter().min() >= second.iter().max());
    assert!(!first.is_sorted() && !first.is_sorted_by(|a, b| a >= b), "a page has an order");
}

#[tokio::test]
async fn both_ends_of_a_span_are_inside() {
    let cloud = cloud(0).await;
    for second in [10, 11, 12, 13] {
        let created = format!("2026-11-20T11:00:{second}Z").parse().ok();
        cloud.emit(&Emission { created, ..Emission::default() });
    }
    let admin = Client::of(&cloud, "admin");
    for (start, end) in [
        ("2026-11-20 12:00:11", "2026-11-20 12:00:12"),
        ("2026-11-20T11:00:11Z", "2026-11-20T12:00:12+0100"),
    ] {
        let span = format!("startdate={start}&enddate={end}");
        assert_eq!(admin.call("listEvents", &span).await.ids().len(), 2, "{span}");
    }
    let day = "startdate=2026-11-20&enddate=2026-11-20";
    assert_eq!(admin.call("listEvents", day).await.inner()["count"], 4);
}

#[tokio::test]
async fn page_and_page_size_come_together_and_have_a_limit() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    for wrong in ["page=1", "pagesize=10", "page=1&pagesize=501", "page=0&pagesize=5"] {
        let answer = admin.call("listEvents", wrong).await;
        assert_eq!(answer.status, 431, "{wrong}: {}", answer.body);
        assert!(answer.body.starts_with("{\"listeventsresponse\":"), "{}", answer.body);
    }
    assert_eq!(admin.call("listEvents", "page=1&pagesize=500").await.status, 200);
}

#[tokio::test]
async fn behind_the_last_page_old_releases_tell_the_count_and_new_ones_nothing() {
    for (version, past) in [(Version::V4_17, r#"{"count":1}"#), (Version::V4_22, "{}")] {
        let cloud = CloudStack::start(CloudStackConfig { version, ..quiet() }).await.unwrap();
        let admin = Client::of(&cloud, "admin");
        assert_eq!(admin.call("listEvents", "").await.body, r#"{"listeventsresponse":{}}"#);
        cloud.emit(&Emission::default());
        let page = admin.call("listEvents", "page=2&pagesize=10").await;
        assert_eq!(page.body, format!(r#"{{"listeventsresponse":{past}}}"#), "{version}");
    }
}

#[tokio::test]
async fn an_operation_is_found_by_its_first_event() {
    let cloud = cloud(100).await;
    let chain = cloud.emit_chain("web", "VM.CREATE");
    let admin = Client::of(&cloud, "admin");
    let answer = admin.call("listEvents", &format!("{ALL}&startid={}", chain[0])).await;
    let mut states = answer.column("event", "state");
    states.sort();
    assert_eq!(states, ["Completed", "Created", "Scheduled", "Started"]);
    let parents: HashSet<_> = answer.column("event", "parentid").into_iter().collect();
    assert_eq!(parents, HashSet::from([String::new(), chain[0].to_string()]));
}

#[tokio::test]
async fn filters_select_by_type_level_and_words() {
    let cloud = cloud(200).await;
    cloud.emit(&Emission {
        kind: "VM.STOP".to_owned(),
        level: Level::Error,
        description: Some("power \"cut\" in zone".to_owned()),
        ..Emission::default()
    });
    let admin = Client::of(&cloud, "admin");
    let stops = admin.call("listEvents", &format!("{ALL}&type=VM.STOP")).await;
    assert!(stops.column("event", "type").iter().all(|kind| kind == "VM.STOP"));
    let found = admin.call("listEvents", &format!("{ALL}&level=ERROR&keyword=power")).await;
    assert_eq!(found.column("event", "description"), ["power \"cut\" in zone"]);
    assert_eq!(admin.call("listEvents", "type=NO.SUCH").await.inner(), serde_json::json!({}));
    let always = admin.call("listEvents", &format!("{ALL}&entrytime=1&duration=1")).await;
    assert_eq!(always.inner(), serde_json::json!({}), "both together find nothing");
}

#[tokio::test]
async fn events_are_found_by_what_they_are_about() {
    let cloud = cloud(400).await;
    let admin = Client::of(&cloud, "admin");
    let first = admin.call("listEvents", &format!("{ALL}&resourcetype=VirtualMachine")).await;
    let id = first.column("event", "resourceid")[0].clone();
    let about = format!("{ALL}&resourcetype=VirtualMachine&resourceid={id}");
    let found = admin.call("listEvents", &about).await.column("event", "resourceid");
    assert!(!found.is_empty() && found.iter().all(|other| *other == id));
    assert_eq!(admin.call("listEvents", &format!("resourceid={id}")).await.status, 431);
}

#[tokio::test]
async fn archived_events_hide_and_deleted_ones_are_gone() {
    let cloud = cloud(0).await;
    let (old, new) = (cloud.emit(&Emission::default()), cloud.emit(&Emission::default()));
    let admin = Client::of(&cloud, "admin");
    admin.call("archiveEvents", &format!("ids={old}")).await;
    assert_eq!(admin.call("listEvents", "").await.ids(), [new.to_string()]);
    let archived = admin.call("listEvents", "archived=true").await;
    assert_eq!(archived.ids(), [old.to_string()]);
    assert!(archived.body.contains("\"archived\":true"));
    admin.call("deleteEvents", &format!("ids={new}")).await;
    assert_eq!(admin.call("listEvents", "").await.ids(), Vec::<String>::new());
    assert_eq!(cloud.events().len(), 2, "the truth forgets nothing");
}

#[tokio::test]
async fn operations_of_the_workload_are_complete_and_in_order() {
    let config = CloudStackConfig { backlog_events: 2_000, failures_percent: 20, ..quiet() };
    let cloud = CloudStack::start(config).await.unwrap();
    let events = cloud.events();
    assert!(events.iter().any(|e| e.level == Level::Error && e.state == State::Completed));
    for (index, event) in events.iter().enumerate() {
        let Some(parent) = &event.parent else { continue };
        let first = events[..index].iter().find(|other| other.id == *parent).unwrap();
        assert_eq!(first.kind, event.kind);
        assert!(first.created <= event.created && first.state < event.state);
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_history() {
    let (one, two) = (cloud(500).await, cloud(500).await);
    assert_eq!(one.events(), two.events());
    let other = CloudStackConfig { seed: 2, backlog_events: 500, ..quiet() };
    assert_ne!(one.events(), CloudStack::start(other).await.unwrap().events());
}

#[tokio::test]
async fn a_simulated_day_passes_when_the_clock_is_moved() {
    let cloud = CloudStack::start(CloudStackConfig { events_per_second: 0.05, ..quiet() });
    let cloud = cloud.await.unwrap();
    cloud.advance(Duration::from_secs(24 * 60 * 60));
    let events = cloud.events();
    assert_eq!(events.len(), 4_320);
    let span = events.last().unwrap().created.duration_since(events[0].created);
    assert!(span.as_hours() >= 23, "{span}");
}
