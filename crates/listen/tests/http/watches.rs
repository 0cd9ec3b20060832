//! Watches as lines.

use pluvio_event::{Data, Event};
use pluvio_log::{Log, StreamName};

use crate::{
    client::{id, within},
    house::{event, plan, record},
};

#[tokio::test]
async fn a_replay_of_many_pages_from_any_start_is_complete_and_in_order() {
    let house = plan().open().await;
    let events = StreamName::events();
    for batch in [0..1, 1..3, 3..400, 400..1500] {
        let records = batch.map(|id| record(event(id), None)).collect();
        house.log.append(&events, records).await.unwrap();
    }
    for start in [0, 1, 2, 127, 128, 129, 500, 1407, 1408, 1499] {
        let mut watch = house.watch(&format!("&offset={start}")).await;
        let expected: Vec<i64> = (start..1500).collect();
        assert_eq!(watch.ids(expected.len()).await, expected, "from {start}");
    }
    house.append(1500..1503).await;
    assert_eq!(house.watch("&offset=1400").await.ids(103).await, (1400..1503).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_watch_goes_from_replay_to_live_without_a_seam() {
    let house = plan().open().await;
    house.append(0..300).await;
    let mut watches = Vec::new();
    for _ in 0..20 {
        watches.push(house.watch("&offset=earliest").await);
    }
    house.append(300..700).await;
    for watch in &mut watches {
        assert_eq!(watch.ids(700).await, (0..700).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn gaps_are_skipped() {
    let house = plan().open().await;
    let events = StreamName::events();
    let offsets = [5, 130, 1 << 20, (1 << 20) + 127, 1 << 40];
    for offset in offsets {
        house.append_at(&events, event(offset), Some(offset)).await;
    }
    assert_eq!(house.watch("&offset=0").await.ids(5).await, offsets);
    assert_eq!(house.watch("&offset=6").await.ids(4).await, offsets[1..]);
    assert_eq!(house.watch("&offset=latest").await.ids(1).await, [1 << 40]);
}

#[tokio::test]
async fn events_larger_than_a_page_are_sent_whole() {
    let house = plan().open().await;
    let records = (0..8).map(|id| {
        let large = Data::json(format!("\"{}\"", "x".repeat(200_000))).unwrap();
        record(
            Event::builder(id.to_string(), "urn:test", "large").data(large).build().unwrap(),
            None,
        )
    });
    house.log.append(&StreamName::events(), records.collect()).await.unwrap();
    house.append(8..9).await;
    assert_eq!(house.watch("&offset=0").await.ids(9).await, (0..9).collect::<Vec<_>>());
    assert_eq!(house.watch("&offset=5").await.ids(4).await, (5..9).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_with_line_breaks_in_its_data_is_still_one_line() {
    let house = plan().open().await;
    let data = Data::json("{\n  \"a\":\r\n 1, \"b\": \"x\\ny\"\n}").unwrap();
    house.append_event(Event::builder("0", "urn:test", "t").data(data).build().unwrap()).await;
    let event = house.watch("&offset=0").await.event().await.unwrap();
    assert_eq!(event["data"], serde_json::json!({"a": 1, "b": "x\ny"}));
}

#[tokio::test]
async fn a_watch_names_its_framing() {
    let house = plan().open().await;
    let watch = house.watch_with("", &[("accept", "application/x-ndjson")]).await;
    assert_eq!(watch.headers["content-type"], "application/x-ndjson");
    assert_eq!(watch.headers["cache-control"], "no-cache");
    assert_eq!(watch.headers["x-content-type-options"], "nosniff");
    assert!(watch.headers.contains_key("pluvio-log"));
}

#[tokio::test]
async fn a_count_ends_a_watch_cleanly() {
    let house = plan().open().await;
    house.append(0..300).await;
    for parameters in ["&offset=100&count=150", "&offset=100&limit=150"] {
        let events = house.watch(parameters).await.rest().await;
        assert_eq!(events.iter().map(id).collect::<Vec<_>>(), (100..250).collect::<Vec<_>>());
    }
    let events = house.watch("&offset=0&count=2&type=VmPoweredOffEvent").await.rest().await;
    assert_eq!(events.iter().map(id).collect::<Vec<_>>(), [1, 3]);
    for wrong in ["&count=0", "&count=x", "&count=1&limit=1", "&before=3"] {
        assert_eq!(house.get(&format!("/api/v1/events?watch=true{wrong}")).await.problem().0, 400);
    }
}

#[tokio::test]
async fn a_timeout_ends_a_watch_cleanly() {
    let house = plan().open().await;
    house.append(0..2).await;
    let events = house.watch("&offset=0&timeout=100ms").await.rest().await;
    assert_eq!(events.iter().map(id).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn silence_is_broken_by_empty_lines() {
    let house = plan().open().await;
    let mut watch = house.watch("&heartbeat=1").await;
    assert_eq!(watch.line().await.as_deref(), Some(""));
    house.append(0..1).await;
    assert_eq!(watch.ids(1).await, [0]);
    assert_eq!(watch.line().await.as_deref(), Some(""));
    for wrong in ["500ms", "x", "-1"] {
        let reply = house.get(&format!("/api/v1/events?watch=true&heartbeat={wrong}")).await;
        assert_eq!(reply.problem().0, 400);
    }
    assert_eq!(house.watch("&heartbeat=0&timeout=10ms").await.rest().await.len(), 0);
}

#[tokio::test]
async fn bookmarks_tell_where_to_resume_also_while_a_filter_lets_nothing_through() {
    let house = plan().open().await;
    house.append(0..500).await;
    let mut watch = house.watch("&offset=0&type=nothing&bookmarks=true&heartbeat=1s").await;
    let bookmark = watch.event().await.unwrap();
    assert_eq!(bookmark["type"], "pluvio.bookmark.v0");
    assert_eq!(bookmark["specversion"], "1.0");
    assert_eq!(bookmark["data"]["offset"], 500);
    let last = house.watch("&offset=0&count=3&bookmarks=true").await.rest().await;
    assert_eq!(last[3]["type"], "pluvio.bookmark.v0");
    assert_eq!(last[3]["data"]["offset"], 3);
}

#[tokio::test]
async fn a_watch_of_another_log_is_gone() {
    let house = plan().open().await;
    house.append(0..1).await;
    let log = house.get("/api/v1/range").await.header("pluvio-log").unwrap().to_owned();
    assert_eq!(house.watch(&format!("&offset=0&log={log}")).await.ids(1).await, [0]);
    let other = "00000000-0000-4000-8000-000000000000";
    for target in ["range?", "events?", "events/0?", "events?watch=true&offset=99&"] {
        let reply = house.get(&format!("/api/v1/{target}log={other}")).await;
        assert_eq!(reply.problem().0, 410, "{target}");
        assert_eq!(reply.json()["log_id"], log.as_str());
    }
}

#[tokio::test]
async fn a_watch_that_is_closed_is_forgotten() {
    let house = plan().open().await;
    let watch = house.watch("").await;
    let other = house.watch("").await;
    assert_eq!(house.watches().await, 2);
    drop((watch, other));
    within(async { while house.watches().await > 0 {} }).await;
}

#[tokio::test]
async fn heartbeats_of_many_watches_do_not_disturb_their_events() {
    let house = plan().open().await;
    let mut watches = Vec::new();
    for _ in 0..100 {
        watches.push(house.watch("&heartbeat=1").await);
    }
    for watch in &mut watches {
        assert_eq!(watch.line().await.as_deref(), Some(""));
    }
    house.append(0..1).await;
    for watch in &mut watches {
        assert_eq!(watch.ids(1).await, [0]);
    }
}
