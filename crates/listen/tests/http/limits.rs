//! What protects the process from its clients.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    access::{ACME, OPERATOR},
    client::{Reply, send, within},
    house::{House, plan},
};

/// Sends raw bytes and reads until the server closes.
async fn raw(house: &House, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_url_of_a_megabyte_is_too_long() {
    let house = plan().open().await;
    let request = format!(
        "GET /api/v1/events?type={} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let answer = raw(&house, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 414 "), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"], 414);
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let target = format!("/api/v1/events?type={}", "x".repeat(20_000));
    assert_eq!(house.get(&target).await.problem().0, 414);
}

#[tokio::test]
async fn headers_of_a_megabyte_are_too_large() {
    let house = plan().open().await;
    let request = format!(
        "GET /livez HTTP/1.1\r\nhost: localhost\r\ncookie: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let answer = raw(&house, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_and_others_are_served() {
    let house = plan().limits(|limits| limits.head = Duration::from_millis(50)).open().await;
    let slow = raw(&house, b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-").await;
    assert!(!slow.contains("200 OK"), "{slow}");
    assert_eq!(raw(&house, b"").await, "");
    assert_eq!(house.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped() {
    let house = plan().limits(|limits| limits.stall = Duration::from_millis(100)).open().await;
    house.append(0..20_000).await;
    let stuck = house.watch("&offset=0").await;
    let idle = house.watch("").await;
    within(async { while house.watches().await > 1 {} }).await;
    drop((stuck, idle));
}

#[tokio::test]
async fn an_idle_watch_is_no_stalled_reader() {
    let house = plan().limits(|limits| limits.stall = Duration::from_millis(20)).open().await;
    let mut watch = house.watch("&heartbeat=1").await;
    assert_eq!(watch.line().await.as_deref(), Some(""));
    house.append(0..1).await;
    assert_eq!(watch.ids(1).await, [0]);
}

#[tokio::test]
async fn one_connection_too_many_is_told_to_come_back() {
    let plan = plan().access(crate::access::table());
    let house = plan.config(|config| config.connections_max = Some(3)).open().await;
    let first = house.watch_with("", &[ACME]).await;
    let second = house.watch_with("", &[ACME]).await;
    let third = house.watch_with("", &[OPERATOR]).await;
    let reply = house.get("/livez").await;
    assert_eq!(reply.problem().0, 503);
    assert_eq!(reply.header("retry-after"), Some("5"));
    drop((first, second, third));
    within(async { while house.get("/livez").await.status != 200 {} }).await;
}

#[tokio::test]
async fn a_client_that_holds_all_the_connections_it_can_keeps_nobody_else_out() {
    let plan = plan().access(crate::access::table());
    let house = plan.config(|config| config.connections_max = Some(32)).open().await;
    let mut watches = Vec::new();
    for _ in 0..30 {
        watches.push(house.watch_with("", &[ACME]).await);
    }
    let reply = house.get_with("/api/v1/range", &[ACME]).await;
    let (status, detail) = reply.problem();
    assert_eq!(status, 429);
    assert!(detail.starts_with("at most 30 connections of one client"), "{detail}");
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(reply.header("retry-after"), Some("5"));
    // Others are served, and so are probes, whoever sends them.
    assert_eq!(house.get_with("/api/v1/range", &[OPERATOR]).await.status, 204);
    assert_eq!(house.get("/livez").await.status, 200);
    assert_eq!(house.get_with("/livez", &[ACME]).await.status, 200);
    // Those that it has are its own, and one that ends makes place for another.
    watches.pop();
    within(async { while house.get_with("/api/v1/range", &[ACME]).await.status != 204 {} }).await;
}

#[tokio::test]
async fn connections_that_ask_for_nothing_keep_nobody_out() {
    let house = plan().config(|config| config.connections_max = Some(20)).open().await;
    let mut watch = house.watch("").await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        let mut stream = within(TcpStream::connect(house.address)).await.unwrap();
        // Half a head is nothing, too.
        within(stream.write_all(b"GET /livez HTTP/1.1\r\nx-")).await.unwrap();
        silent.push(stream);
    }
    assert_eq!(house.get("/livez").await.status, 200);
    let mut answer = Vec::new();
    let closed = within(silent[0].read_to_end(&mut answer)).await;
    assert!(closed.is_err() || answer.is_empty(), "the oldest went without an answer");
    house.append(0..1).await;
    assert_eq!(watch.ids(1).await, [0], "who had asked stays");
}

#[tokio::test]
async fn strangers_that_ask_for_what_everybody_may_see_keep_nobody_out() {
    let plan = plan().access(crate::access::table());
    let house = plan.config(|config| config.connections_max = Some(20)).open().await;
    let mut strangers = Vec::new();
    for _ in 0..50 {
        let mut client = house.client().await;
        if strangers.len() < 20 {
            assert_eq!(client.get_with("/livez", &[]).await.status, 200);
        }
        strangers.push(client);
    }
    let mut known = house.client().await;
    assert_eq!(known.get_with("/api/v1/range", &[ACME]).await.status, 204);
}

#[tokio::test]
async fn one_watch_too_many_is_refused_and_everything_else_is_served() {
    let house = plan().config(|config| config.watchers_max = 2).open().await;
    let watches = [house.watch("").await, house.watch("").await];
    let reply = house.get("/api/v1/events?watch=true").await;
    assert_eq!(reply.problem().0, 503);
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert_eq!(house.get("/api/v1/range").await.status, 204);
    drop(watches);
    within(async { while house.watches().await > 0 {} }).await;
    assert_eq!(house.watch("").await.status, 200);
}

#[tokio::test]
async fn one_client_cannot_take_all_watches() {
    let house = plan().config(|config| config.watchers_per_client_max = 1).open().await;
    let _watch = house.watch("").await;
    let reply = house.get("/api/v1/events?watch=true").await;
    assert_eq!(reply.problem().0, 429);
    assert_eq!(reply.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn a_panic_costs_one_connection_and_no_other() {
    let house = plan().metrics(panic_at_midnight).open().await;
    let mut watch = house.watch("").await;
    assert_eq!(raw(&house, b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await, "");
    house.append(0..1).await;
    assert_eq!(watch.ids(1).await, [0]);
}

fn panic_at_midnight() -> String {
    "no number".parse::<u8>().unwrap().to_string()
}

#[tokio::test]
async fn the_body_of_a_request_is_ignored() {
    let house = plan().open().await;
    let answer = raw(
        &house,
        b"GET /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn nonsense_is_a_bad_request() {
    let house = plan().open().await;
    assert!(
        raw(&house, b"\x16\x03\x01\x02\x00 nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400")
    );
    let response = send(house.address, "GET", "/livez", &[]).await;
    assert_eq!(Reply::of(response).await.status, 200);
}
