//! Retention overtakes a watch: told in the stream, never passed over.

use pluvio_log::{Log, Offset, StreamName};

use crate::{
    client::id,
    house::{House, event, plan, record},
};

/// A house whose watch at offset 0 cannot follow: the socket's buffers are full, then all is purged.
async fn overtaken(accept: &str) -> (House, crate::client::Watching) {
    let house = plan().open().await;
    let events = StreamName::events();
    for _ in 0..40 {
        let records = (0..1000).map(|id| record(event(id), None)).collect();
        house.log.append(&events, records).await.unwrap();
    }
    let watch = house.watch_with("&offset=0", &[("accept", accept)]).await;
    // Its connection fills the buffers while nobody reads; a later request shows that it had time.
    house.append(0..1).await;
    house.log.trim(&events, Offset::new(40_000).unwrap()).await.unwrap();
    (house, watch)
}

#[tokio::test]
async fn a_watch_that_was_overtaken_is_told_and_ended() {
    let (_house, mut watch) = overtaken("application/json").await;
    let mut events = watch.rest().await;
    let error = events.pop().unwrap();
    assert_eq!(error["type"], "pluvio.error.v0", "{error}");
    assert_eq!(error["data"]["code"], 410);
    assert_eq!(error["data"]["start"], 40_000);
    assert_eq!(error["data"]["latest"], 40_000);
    let detail = error["data"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("invalid offset: offset out of range"), "{detail}");
    let sequence = |event: &serde_json::Value| event["sequence"].as_str().unwrap().to_owned();
    let received: Vec<String> = events.iter().map(sequence).collect();
    let expected: Vec<String> = (0..received.len()).map(|n| format!("{n:020}")).collect();
    assert_eq!(received, expected);
    assert_eq!(error["data"]["offset"], received.len());
}

#[tokio::test]
async fn server_sent_events_tell_it_as_an_error_event() {
    let (_house, mut watch) = overtaken("text/event-stream").await;
    let mut last = Vec::new();
    while let Some(block) = watch.block().await {
        last = block;
    }
    assert_eq!(last[0], "event: error");
    assert!(last[1].contains(r#""code":410"#), "{}", last[1]);
}

#[tokio::test]
async fn a_purge_behind_a_watch_does_not_touch_it() {
    let house = plan().open().await;
    house.append(0..200).await;
    let mut watch = house.watch("&offset=150").await;
    assert_eq!(watch.ids(50).await, (150..200).collect::<Vec<_>>());
    house.log.trim(&StreamName::events(), Offset::new(190).unwrap()).await.unwrap();
    house.append(200..201).await;
    assert_eq!(id(&watch.event().await.unwrap()), 200);
    assert_eq!(house.watch("&offset=195").await.ids(6).await, (195..201).collect::<Vec<_>>());
}
