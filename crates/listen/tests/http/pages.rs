//! Paging: each event once, whichever way one goes.

use std::time::Duration;

use pluvio_event::{AttributeName, Data, Event};
use pluvio_log::{Log, StreamName};

use crate::{
    client::Reply,
    house::{House, event, plan, record},
};

/// Follows `relation` from `target` to the end.
async fn follow(house: &House, target: &str, relation: &str) -> Vec<Reply> {
    let mut replies = vec![house.get(target).await];
    while let Some(next) = replies.last().unwrap().link(relation) {
        replies.push(house.get(&next).await);
        assert!(replies.len() < 1000, "links without end");
    }
    replies
}

async fn append_with_gaps(house: &House) -> Vec<i64> {
    let events = StreamName::events();
    let jumps = [0, 1, 2, 50, 51, 1 << 20, (1 << 20) + 1, 1 << 21, 1 << 40];
    for (id, offset) in (0..).zip(jumps) {
        house.append_at(&events, event(id), Some(offset)).await;
    }
    (0..9).collect()
}

#[tokio::test]
async fn pages_forwards_visit_every_event_once() {
    let house = plan().open().await;
    house.append(0..257).await;
    for limit in [1, 7, 50, 256, 257, 1000] {
        let target = format!("/api/v1/events?offset=0&limit={limit}");
        let pages = follow(&house, &target, "next").await;
        let ids: Vec<i64> = pages.iter().flat_map(Reply::ids).collect();
        assert_eq!(ids, (0..257).collect::<Vec<_>>(), "limit {limit}");
        assert_eq!(pages.last().unwrap().header("pluvio-next-offset"), Some("257"));
    }
}

#[tokio::test]
async fn pages_backwards_visit_every_event_once() {
    let house = plan().open().await;
    house.append(0..257).await;
    for limit in [1, 7, 50, 256, 257, 1000] {
        let target = format!("/api/v1/events?limit={limit}");
        let pages = follow(&house, &target, "prev").await;
        let ids: Vec<i64> = pages.iter().rev().flat_map(Reply::ids).collect();
        assert_eq!(ids, (0..257).collect::<Vec<_>>(), "limit {limit}");
    }
}

#[tokio::test]
async fn a_page_before_an_offset_beyond_the_end_is_the_newest_and_ends_where_the_next_event_comes()
{
    let house = plan().open().await;
    house.append(0..7).await;
    let page = house.get("/api/v1/events?before=1000000&limit=3").await;
    assert_eq!((page.ids(), page.link("next")), (vec![4, 5, 6], None));
    let next = page.header("pluvio-next-offset").unwrap();
    assert_eq!(next, "7");
    let mut watch = house.watch(&format!("&offset={next}")).await;
    house.append(7..8).await;
    assert_eq!(watch.ids(1).await, [7]);
}

#[tokio::test]
async fn gaps_of_any_size_are_paged_over() {
    let house = plan().open().await;
    let all = append_with_gaps(&house).await;
    for limit in [1, 2, 50] {
        let pages = follow(&house, &format!("/api/v1/events?limit={limit}"), "prev").await;
        assert_eq!(pages.iter().rev().flat_map(Reply::ids).collect::<Vec<_>>(), all);
        let from_start = format!("/api/v1/events?offset=earliest&limit={limit}");
        let pages = follow(&house, &from_start, "next").await;
        assert_eq!(pages.iter().flat_map(Reply::ids).collect::<Vec<_>>(), all);
    }
}

#[tokio::test]
async fn filtered_pages_visit_every_match_once_and_keep_their_filter() {
    let house = plan().open().await;
    house.append(0..300).await;
    let matching: Vec<i64> = (0..300).filter(|id| id % 2 == 0).collect();
    let forward =
        follow(&house, "/api/v1/events?offset=0&limit=20&type=VmPoweredOn*", "next").await;
    assert_eq!(forward.iter().flat_map(Reply::ids).collect::<Vec<_>>(), matching);
    let backward = follow(&house, "/api/v1/events?type=VmPoweredOnEvent&limit=20", "prev").await;
    assert_eq!(backward.iter().rev().flat_map(Reply::ids).collect::<Vec<_>>(), matching);
    assert_eq!(backward[0].ids(), (260..300).filter(|id| id % 2 == 0).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_looks_at_a_hundred_thousand_records_and_then_links_on() {
    let plan = plan().limits(|limits| limits.page_wait = Duration::from_secs(600));
    let house = plan.open().await;
    let events = StreamName::events();
    for thousand in 0..101 {
        let ids = thousand * 1000..(thousand + 1) * 1000;
        let records = ids.map(|id| record(event(id), None)).collect();
        house.log.append(&events, records).await.unwrap();
    }
    let page = house.get("/api/v1/events?offset=0&subject=VirtualMachine/vm-100500").await;
    assert_eq!(page.text(), "[]");
    assert_eq!(page.header("pluvio-next-offset"), Some("100000"));
    let next = house.get(&page.link("next").unwrap()).await;
    assert_eq!(next.ids(), [100_500]);
    assert_eq!(next.link("next"), None);
    let newest = house.get("/api/v1/events?subject=VirtualMachine/vm-3").await;
    assert_eq!(newest.text(), "[]");
    assert_eq!(house.get(&newest.link("prev").unwrap()).await.ids(), [3]);
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_links_on() {
    let house = plan().open().await;
    for id in 0..12 {
        let large = Data::json(format!("\"{}\"", "x".repeat(600_000))).unwrap();
        let event = Event::builder(id.to_string(), "urn:test", "large").data(large);
        house.append_event(event.build().unwrap()).await;
    }
    let pages = follow(&house, "/api/v1/events?offset=0&limit=1000", "next").await;
    assert_eq!(pages.iter().flat_map(Reply::ids).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    let back = follow(&house, "/api/v1/events?limit=1000", "prev").await;
    assert_eq!(
        back.iter().rev().flat_map(Reply::ids).collect::<Vec<_>>(),
        (0..12).collect::<Vec<_>>()
    );
    assert!(pages.len() > 1 && pages.iter().chain(&back).all(|page| page.body.len() < 5 << 20));
}

#[tokio::test]
async fn a_page_tells_where_it_lies() {
    let house = plan().keeping(20).open().await;
    house.append(0..30).await;
    let page = house.get("/api/v1/events?before=20&limit=5").await;
    assert_eq!(page.ids(), [15, 16, 17, 18, 19]);
    assert_eq!(page.header("pluvio-next-offset"), Some("20"));
    assert_eq!(page.header("pluvio-earliest-offset"), Some("10"));
    assert_eq!(page.header("pluvio-latest-offset"), Some("29"));
    assert_eq!(page.link("prev").as_deref(), Some("/api/v1/events?before=15&limit=5"));
    assert_eq!(page.link("next").as_deref(), Some("/api/v1/events?offset=20&limit=5"));
    assert_eq!(house.get("/api/v1/events?before=3").await.status, 410);
    assert_eq!(house.get("/api/v1/events?offset=latest").await.ids(), [29]);
    assert_eq!(house.get("/api/v1/events?offset=-1&limit=1").await.ids(), [29]);
    assert_eq!(house.get("/api/v1/events?offset=999").await.text(), "[]");
}

#[tokio::test]
async fn a_page_is_limited_between_one_and_a_thousand() {
    let house = plan().open().await;
    for limit in ["0", "1001", "-1", "x", ""] {
        let (status, detail) = house.get(&format!("/api/v1/events?limit={limit}")).await.problem();
        assert_eq!(status, 400);
        assert!(detail.contains("1 to 1000"), "{detail}");
    }
    assert_eq!(house.get("/api/v1/events?offset=1&before=2").await.problem().0, 400);
}

#[tokio::test]
async fn a_gap_names_the_next_event() {
    let house = plan().open().await;
    append_with_gaps(&house).await;
    let reply = house.get("/api/v1/events/3").await;
    assert_eq!(reply.problem().0, 404);
    assert_eq!(reply.json()["next_event"], 50);
    assert!(reply.problem().1.contains("the next is at 50"));
}

#[tokio::test]
async fn every_stream_has_the_same_paths() {
    let house = plan().open().await;
    let bus = StreamName::new("bus").unwrap();
    house.log.open(&bus).await.unwrap();
    house.append(0..1).await;
    house.append_at(&bus, event(7), None).await;
    assert_eq!(house.get("/api/v1/streams/bus/events").await.ids(), [7]);
    assert_eq!(house.get("/api/v1/streams/bus/events/0").await.json()["id"], "7");
    assert_eq!(house.get("/api/v1/streams/bus/range").await.json()["latest"], 0);
    assert_eq!(house.get("/api/v1/streams/events/events").await.ids(), [0]);
    let streams = house.get("/api/v1/streams").await.json();
    let names: Vec<&str> =
        streams.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bus", "events"]);
    for missing in ["nothing", "__positions", "a%2fb"] {
        let reply = house.get(&format!("/api/v1/streams/{missing}/events")).await;
        assert_eq!(reply.problem().0, 404, "{missing}");
    }
}

#[tokio::test]
async fn an_event_is_given_in_the_content_mode_that_is_asked_for() {
    let house = plan().open().await;
    let priority = AttributeName::new("priority").unwrap();
    let data = Data::json("{\"a\":1}").unwrap();
    let event = Event::builder("7", "urn:test", "t ü").extension(priority, 3).data(data);
    house.append_event(event.build().unwrap()).await;
    let structured = [("accept", "application/cloudevents+json")];
    let reply = house.get_with("/api/v1/events/0", &structured).await;
    assert_eq!(reply.header("content-type"), Some("application/cloudevents+json"));
    let reply = house.get("/api/v1/events/0?mode=binary").await;
    assert_eq!(reply.header("ce-id"), Some("7"));
    assert_eq!(reply.header("ce-type"), Some("t%20%C3%BC"));
    assert_eq!(reply.header("ce-priority"), Some("3"));
    assert_eq!(reply.header("ce-sequence"), Some("00000000000000000000"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.text(), "{\"a\":1}");
    assert_eq!(house.get("/api/v1/events/0?mode=x").await.problem().0, 400);
}
