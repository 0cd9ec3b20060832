//! The control URL.

use std::time::Duration;

use hyper::Method;
use pluvio_sim::VCenter;
use tokio::time::timeout;

use crate::client::{Answer, Client};
use crate::{cloud, quiet};

async fn get(client: &Client, path: &str) -> Answer {
    client.send(Method::GET, path, String::new()).await.unwrap()
}

async fn post(client: &Client, path: &str) -> Answer {
    client.send(Method::POST, path, String::new()).await.unwrap()
}

#[tokio::test]
async fn it_explains_itself() {
    let cloud = cloud(0).await;
    let answer = get(&Client::anonymous(&cloud), "/control").await;
    assert!(answer.body.contains("/control/faults/session-lost"));
    assert!(cloud.control_url().ends_with("/control"));
}

#[tokio::test]
async fn it_tells_what_truly_happened() {
    let cloud = cloud(3).await;
    let client = Client::anonymous(&cloud);
    post(&client, "/control/post?count=2").await;
    let lines = get(&client, "/control/events?from=3").await.body;
    let told: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let truth: Vec<_> = cloud.events()[3..].iter().map(|e| serde_json::json!(e)).collect();
    assert_eq!(told, truth);
    assert_eq!(told[0]["key"], 4);
}

#[tokio::test]
async fn it_injects_faults_and_clears_them() {
    let cloud = cloud(0).await;
    let client = Client::anonymous(&cloud);
    let answer = post(&client, "/control/faults/slow?ms=5").await;
    assert!(answer.body.contains("\"slow_ms\":5"), "{}", answer.body);
    let answer = post(&client, "/control/clear").await;
    assert!(answer.body.contains("\"faults\":{}"), "{}", answer.body);
}

#[tokio::test]
async fn it_restarts_the_cloud() {
    let cloud = cloud(5).await;
    let client = Client::of(&cloud).await;
    let before = cloud.status().instance_uuid;
    let answer = post(&client, "/control/restart?new_instance=true&drop_history=true").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_ne!(cloud.status().instance_uuid, before);
    assert_eq!((cloud.status().sessions, cloud.status().events_remembered), (0, 0));
}

#[tokio::test]
async fn it_refuses_what_it_does_not_understand() {
    let cloud = cloud(0).await;
    let client = Client::anonymous(&cloud);
    for path in [
        "/control/faults/earthquake",
        "/control/faults/slow?seconds=5",
        "/control/rate?per_second=-1",
        "/control/post?count=many",
    ] {
        let answer = post(&client, path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body.contains("error"), "{path}");
    }
}

#[tokio::test]
async fn it_works_while_the_server_does_not() {
    let cloud = cloud(0).await;
    cloud.inject(pluvio_sim::Fault::Unavailable { count: 100 });
    assert_eq!(get(&Client::anonymous(&cloud), "/control/status").await.status, 200);
}

#[tokio::test]
async fn a_rate_makes_events_until_it_is_zero() {
    let cloud = VCenter::start(quiet()).await.unwrap();
    post(&Client::anonymous(&cloud), "/control/rate?per_second=5000").await;
    let enough = async {
        while cloud.event_count() < 500 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), enough).await.unwrap();
    cloud.set_rate(0.0).unwrap();
    assert_eq!(cloud.status().events_per_second, 0.0);
}
