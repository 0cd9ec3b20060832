//! The rows of `docs/access.md` that other files have no test for: what a principal with a mandatory
//! filter gets for everything that it can ask.

use std::{collections::BTreeSet, sync::Arc};

use pluvio_event::{AttributeName, Data, Event, Filter, Pattern, json, known::DEAD_LETTER_TYPE};
use pluvio_log::{Log, StreamName, disk::SimulatedDisk};
use pluvio_runtime::{AccessTable, Principal, Streams, Verb};

use crate::house::{House, event, on_disk, plan};

const TENANT: (&str, &str) = ("authorization", "Bearer tenant");

/// A tenant that is shown all but `globex`, and holds every verb.
async fn house() -> House {
    house_with(Streams::All).await
}

async fn house_with(streams: Streams) -> House {
    let filter = Filter::default().and_expression("account != 'globex'").unwrap();
    let verbs = BTreeSet::from([Verb::Read, Verb::Status]);
    let tenant = Principal { name: "tenant".into(), streams, verbs, filter };
    let mut table = AccessTable::closed();
    table.add_bearer("tenant", Arc::new(tenant)).unwrap();
    let house = plan().access(table).open().await;
    house.append(0..9).await;
    house
}

fn own(kind: &str, id: &str) -> pluvio_event::EventBuilder {
    Event::builder(id, "pluvio:/streams/events", kind)
}

#[tokio::test]
async fn a_dead_letter_is_judged_by_the_event_inside_on_every_way() {
    let named = ["events", "events.dead"].map(Pattern::new);
    let house = house_with(Streams::Matching(named.to_vec())).await;
    let dead = StreamName::new("events.dead").unwrap();
    house.log.open(&dead).await.unwrap();
    for id in 0..6 {
        let original = String::from_utf8(json::to_vec(&event(id))).unwrap();
        let letter = own(DEAD_LETTER_TYPE, &id.to_string()).data(Data::json(original).unwrap());
        house.append_at(&dead, letter.build().unwrap(), None).await;
    }
    let raw = own(DEAD_LETTER_TYPE, "6").data(Data::Binary("globex".into())).build().unwrap();
    house.append_at(&dead, raw, None).await;
    let page = house.get_with("/api/v1/streams/events.dead/events", &[TENANT]).await;
    assert_eq!(page.ids(), [0, 2, 3, 5], "1 and 4 are globex', 6 cannot be told");
    assert!(!page.text().contains("globex"));
    for (offset, status) in [(0, 200), (1, 404), (6, 404)] {
        let target = format!("/api/v1/streams/events.dead/events/{offset}");
        assert_eq!(house.get_with(&target, &[TENANT]).await.status, status, "{offset}");
    }
}

/// They name sinks, their targets, and what these said of whatever they hold.
#[tokio::test]
async fn dead_letters_are_hidden_from_the_filtered_unless_their_stream_is_named() {
    for streams in [Streams::All, Streams::Matching(vec![Pattern::new("*")])] {
        let house = house_with(streams).await;
        house.log.open(&StreamName::new("events.dead").unwrap()).await.unwrap();
        for target in ["/events", "/events/0", "/events?watch=true&timeout=0", "/range"] {
            let target = format!("/api/v1/streams/events.dead{target}");
            assert_eq!(house.get_with(&target, &[TENANT]).await.status, 404, "{target}");
        }
        let all = house.get_with("/api/v1/streams", &[TENANT]).await;
        assert!(all.status == 200 && !all.text().contains("dead"), "{}", all.text());
    }
}

#[tokio::test]
async fn a_gap_has_no_account_and_passes_what_excludes_one() {
    let house = house().await;
    house.append_event(own("pluvio.gap.v0", "99").build().unwrap()).await;
    assert_eq!(house.get_with("/api/v1/events?limit=1", &[TENANT]).await.ids(), [99]);
}

#[tokio::test]
async fn status_and_metrics_count_all_events_and_are_not_for_the_filtered() {
    let house = house().await;
    house.status.add("secret-name", pluvio_runtime::status::Kind::Source, "vsphere");
    for target in ["/api/v1/status", "/metrics"] {
        let (status, detail) = house.get_with(target, &[TENANT]).await.problem();
        assert_eq!(status, 403);
        assert!(detail.contains("a principal with a `filter`"), "{detail}");
    }
    assert!(!house.get_with("/readyz?verbose", &[TENANT]).await.text().contains("secret-name"));
}

/// `reader` holds every verb, for some streams; `scraper` only `status`, for all; `operator` reads all.
fn held() -> AccessTable {
    let mut table = AccessTable::closed();
    let some = Streams::Matching(vec![Pattern::parse("tenant-*").unwrap()]);
    for (name, streams, verbs) in [
        ("reader", some, BTreeSet::from([Verb::Read, Verb::Status])),
        ("scraper", Streams::All, BTreeSet::from([Verb::Status])),
        ("operator", Streams::All, BTreeSet::from([Verb::Read])),
    ] {
        let principal = Principal { name: name.into(), streams, verbs, filter: Filter::default() };
        table.add_bearer(name, Arc::new(principal)).unwrap();
    }
    table
}

#[tokio::test]
async fn a_principal_of_some_streams_learns_nothing_of_others_by_status_metrics_or_readiness() {
    let (disk, ahead) = (SimulatedDisk::new(1), Arc::default());
    let house = plan().access(held()).over(on_disk(&disk, &ahead)).await;
    house.append(0..3).await;
    house.status.add("secret-name", pluvio_runtime::status::Kind::Source, "vsphere");
    let reader = ("authorization", "Bearer reader");
    for target in ["/api/v1/status", "/metrics"] {
        let (status, detail) = house.get_with(target, &[reader]).await.problem();
        assert_eq!(status, 403);
        assert!(detail.contains("some `streams` only"), "{detail}");
    }
    assert!(disk.flip("/log/events/00000000000000000001.log", 90, 1));
    let operator = ("authorization", "Bearer operator");
    let damaged = house.get_with("/api/v1/events?offset=1&limit=1", &[operator]).await;
    assert_eq!(damaged.status, 500);
    for headers in [&[reader][..], &[]] {
        let told = house.get_with("/readyz?verbose", headers).await.text();
        assert!(told.contains("a stream is damaged at offset 1"), "{told}");
        assert!(!told.contains("`events`") && !told.contains("secret-name"), "{told}");
    }
}

#[tokio::test]
async fn a_principal_that_only_holds_status_sees_the_status_of_all_and_no_event() {
    let house = plan().access(held()).open().await;
    house.append(0..3).await;
    let scraper = ("authorization", "Bearer scraper");
    let status = house.get_with("/api/v1/status", &[scraper]).await.json();
    assert_eq!(status["streams"][0]["records"], 3);
    assert_eq!(house.get_with("/metrics", &[scraper]).await.status, 200);
    assert_eq!(house.get_with("/api/v1/events", &[scraper]).await.status, 404);
}

#[tokio::test]
async fn bounds_and_errors_are_those_of_the_stream_and_name_no_event() {
    let house = house().await;
    let range = house.get_with("/api/v1/range", &[TENANT]).await.json();
    assert_eq!((&range["earliest"], &range["latest"]), (&0.into(), &8.into()));
    assert!(range.get("records").is_none());
    let page = house.get_with("/api/v1/events?offset=4&limit=1", &[TENANT]).await;
    assert_eq!(page.ids(), [5]);
    assert_eq!(page.header("pluvio-next-offset"), Some("6"));
    let (status, detail) = house.get_with("/api/v1/events/4", &[TENANT]).await.problem();
    assert_eq!((status, detail.as_str()), (404, "invalid offset: no event at 4"));
}

#[tokio::test]
async fn the_budget_does_not_depend_on_what_is_hidden() {
    let hidden = AttributeName::new("account").unwrap();
    let large = format!("{{\"Text\":\"{}\"}}", "x".repeat(50_000));
    let small = Event::builder("1", "urn:x", "t").extension(hidden.clone(), "globex");
    let large = Event::builder("1", "urn:x", "t")
        .extension(hidden, "globex")
        .data(Data::json(large).unwrap())
        .build()
        .unwrap();
    let mandatory = Filter::default().and_expression("account != 'globex'").unwrap();
    let own = Filter::default().and_expression("data.Text.contains('y')").unwrap();
    let both = mandatory.and(own);
    for event in [small.build().unwrap(), large] {
        let mut hidden = pluvio_event::filter::Meter::counting();
        let mut meter = pluvio_event::filter::Meter::counting();
        assert_eq!(both.matches_metered(&event, &mut hidden, &mut meter), Ok(false));
        assert_eq!(meter.units(), 0);
    }
}

#[tokio::test]
async fn a_last_event_id_that_cannot_be_read_is_refused_and_echoes_are_short() {
    let house = house().await;
    let sse = ("accept", "text/event-stream");
    let target = "/api/v1/events?watch=true";
    for id in ["é", "x", "1.5"] {
        let reply = house.get_with(target, &[TENANT, sse, ("last-event-id", id)]).await;
        assert_eq!(reply.problem().0, 400, "{id}");
    }
    let long = "x".repeat(10_000);
    for parameter in ["log", "offset", "since", "watch", "limit"] {
        let reply = house.get_with(&format!("/api/v1/events?{parameter}={long}"), &[TENANT]).await;
        assert!(reply.text().len() < 1000, "{parameter}");
        assert!(!reply.text().contains(&"x".repeat(101)), "{parameter}");
    }
}
