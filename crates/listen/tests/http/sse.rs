//! Watches as Server-Sent Events (WHATWG HTML §9.2).

use crate::{
    client::Watching,
    house::{House, event, plan},
};

const SSE: (&str, &str) = ("accept", "text/event-stream");

async fn sse(house: &House, parameters: &str) -> Watching {
    let mut watch = house.watch_with(parameters, &[SSE]).await;
    assert_eq!(watch.block().await.unwrap(), ["retry: 2000"]);
    watch
}

fn id(block: &[String]) -> &str {
    block[0].strip_prefix("id: ").unwrap()
}

#[tokio::test]
async fn an_event_is_framed_with_its_offset_and_type() {
    let house = plan().open().await;
    house.append(0..2).await;
    let mut watch = sse(&house, "&offset=1").await;
    assert_eq!(watch.headers["content-type"], "text/event-stream");
    assert_eq!(watch.headers["cache-control"], "no-cache");
    assert_eq!(watch.headers["x-accel-buffering"], "no");
    let block = watch.block().await.unwrap();
    assert_eq!(block[..2], ["id: 1", "event: com.vmware.vsphere.VmPoweredOffEvent.v0"]);
    let data: serde_json::Value =
        serde_json::from_str(block[2].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&data["id"], &data["data"]["Key"]), (&"1".into(), &1.into()));
    assert_eq!(block.len(), 3);
}

#[tokio::test]
async fn a_reconnect_goes_on_behind_the_last_event_whatever_the_offset_says() {
    let house = plan().open().await;
    house.append(0..10).await;
    let headers = [SSE, ("last-event-id", "6")];
    let mut watch = house.watch_with("&offset=0", &headers).await;
    watch.block().await.unwrap();
    assert_eq!(id(&watch.block().await.unwrap()), "7");
    let reply = house.get_with("/api/v1/events?watch=true", &[SSE, ("last-event-id", "x")]).await;
    assert_eq!(reply.problem().0, 400);
}

#[tokio::test]
async fn a_reconnect_behind_a_purge_is_gone() {
    let house = plan().keeping(10).open().await;
    house.append(0..20).await;
    let reply = house.get_with("/api/v1/events?watch=true", &[SSE, ("last-event-id", "3")]).await;
    assert_eq!(reply.problem().0, 410);
    let mut last = house.watch_with("", &[SSE, ("last-event-id", "9")]).await;
    last.block().await.unwrap();
    assert_eq!(id(&last.block().await.unwrap()), "10");
}

#[tokio::test]
async fn silence_is_broken_by_comments() {
    let house = plan().open().await;
    let mut watch = sse(&house, "&heartbeat=1").await;
    assert_eq!(watch.block().await.unwrap(), [":"]);
}

#[tokio::test]
async fn a_bookmark_moves_the_id_so_that_a_browser_resumes_there() {
    let house = plan().open().await;
    house.append(0..5).await;
    let mut watch = sse(&house, "&offset=0&type=nothing&bookmarks=true&heartbeat=1").await;
    let block = watch.block().await.unwrap();
    assert_eq!(block[..2], ["id: 4", "event: bookmark"]);
    assert!(block[2].contains(r#""data":{"offset":5}"#), "{}", block[2]);
    let empty = plan().open().await;
    let mut watch = sse(&empty, "&bookmarks=true&heartbeat=1").await;
    assert_eq!(watch.block().await.unwrap()[0], "event: bookmark");
}

#[tokio::test]
async fn filters_and_counts_hold_as_for_lines() {
    let house = plan().open().await;
    house.append(0..300).await;
    let mut watch = sse(&house, "&offset=0&type=VmPoweredOffEvent&count=3").await;
    let mut ids = Vec::new();
    while let Some(block) = watch.block().await {
        ids.push(id(&block).to_owned());
    }
    assert_eq!(ids, ["1", "3", "5"]);
}

#[tokio::test]
async fn a_type_cannot_forge_a_field() {
    let house = plan().open().await;
    let forged = pluvio_event::Event::builder("0", "urn:test", "t\ndata: forged");
    house.append_event(forged.build().unwrap()).await;
    house.append_event(event(1)).await;
    let block = sse(&house, "&offset=0").await.block().await.unwrap();
    assert_eq!(block[..2], ["id: 0", "event: tdata: forged"]);
}
