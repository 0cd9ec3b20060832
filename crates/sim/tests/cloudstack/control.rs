//! The control URL and the handle.

use std::time::Duration;

use hyper::Method;
use pluvio_sim::cloudstack::Fault;
use pluvio_sim::{CloudStack, CloudStackConfig};
use tokio::time::timeout;

use crate::client::{Answer, Client};
use crate::{cloud, quiet};

async fn get(client: &Client, path: &str) -> Answer {
    client.send(Method::GET, path, "", "").await.unwrap()
}

async fn post(client: &Client, path: &str) -> Answer {
    client.send(Method::POST, path, "", "").await.unwrap()
}

#[tokio::test]
async fn it_explains_itself_and_tells_the_keys() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud, "admin");
    assert!(get(&client, "/control").await.body.contains("/control/faults/late"));
    assert!(get(&client, "/control/keys").await.body.contains("simulated-api-key-admin"));
    assert!(cloud.control_url().ends_with("/control"));
}

#[tokio::test]
async fn it_tells_what_truly_happened() {
    let cloud = cloud(3).await;
    let client = Client::of(&cloud, "admin");
    post(&client, "/control/emit?account=web&kind=VM.STOP&level=ERROR&late_seconds=9").await;
    post(&client, "/control/chain?account=web&kind=VM.START").await;
    let lines = get(&client, "/control/events?from=3").await.body;
    let told: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let truth: Vec<_> = cloud.events_from(3).iter().map(|e| serde_json::json!(e)).collect();
    assert_eq!(told, truth);
    assert_eq!((&told[0]["level"], &told[0]["listed"]), (&"ERROR".into(), &false.into()));
    assert_eq!(told.len(), 4);
}

#[tokio::test]
async fn it_injects_faults_and_clears_them() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud, "admin");
    let answer = post(&client, "/control/faults/slow?ms=5").await;
    assert!(answer.body.contains("\"slow_ms\":5"), "{}", answer.body);
    let answer = post(&client, "/control/clear").await;
    assert!(answer.body.contains("\"faults\":{}"), "{}", answer.body);
}

#[tokio::test]
async fn it_refuses_what_it_does_not_understand() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud, "admin");
    for path in [
        "/control/faults/earthquake",
        "/control/faults/slow?seconds=5",
        "/control/rate?per_second=-1",
        "/control/post?count=many",
        "/control/emit?colour=red",
    ] {
        let answer = post(&client, path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body.contains("error") || answer.body.contains("unknown"), "{path}");
    }
}

#[tokio::test]
async fn it_works_while_the_server_does_not() {
    let cloud = cloud(0).await;
    cloud.inject(Fault::Proxy { count: 100, status: 502 });
    assert_eq!(get(&Client::of(&cloud, "admin"), "/control/status").await.status, 200);
}

#[tokio::test]
async fn calls_rows_and_bytes_are_counted_by_command() {
    let cloud = cloud(30).await;
    let admin = Client::of(&cloud, "admin");
    let page = admin.call("listEvents", "listall=true&page=1&pagesize=10").await;
    admin.call("listEvents", "page=1").await;
    let calls = cloud.calls()["listEvents"];
    assert_eq!((calls.calls, calls.errors, calls.rows), (2, 1, 10));
    assert!(calls.bytes > page.body.len() as u64);
    cloud.forget_calls();
    assert!(cloud.calls().is_empty());
}

#[tokio::test]
async fn a_clock_that_goes_makes_events_at_the_rate() {
    let config = CloudStackConfig { starts_at: None, events_per_second: 5_000.0, ..quiet() };
    let cloud = CloudStack::start(config).await.unwrap();
    timeout(Duration::from_secs(20), cloud.until(500)).await.unwrap();
    cloud.set_rate(0.0).unwrap();
    assert_eq!(cloud.status().events_per_second, 0.0);
    cloud.stop().await;
}
