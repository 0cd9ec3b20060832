//! Waiting for the latest page to change.

use std::time::Duration;

use tokio::time::timeout;

use crate::client::{Answer, Client, one};
use crate::cloud;

/// More than any of these tests needs, less than anyone would wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// A property collector that watches the latest page of a new event collector.
async fn watching(client: &Client) -> String {
    let events = client.collector("<maxCount>5</maxCount>").await;
    let default = ("PropertyCollector", "propertyCollector");
    let answer = client.call_on(default, "CreatePropertyCollector", "").await;
    let properties = answer.text("returnval").to_owned();
    let spec = one("EventHistoryCollector", &events, "latestPage");
    let spec = format!("<spec>{spec}</spec><partialUpdates>false</partialUpdates>");
    let on = ("PropertyCollector", properties.as_str());
    assert_eq!(client.call_on(on, "CreateFilter", &spec).await.fault(), None);
    properties
}

async fn wait(client: &Client, properties: &str, version: &str, seconds: Option<u32>) -> Answer {
    let options = seconds
        .map(|s| format!("<options><maxWaitSeconds>{s}</maxWaitSeconds></options>"))
        .unwrap_or_default();
    let parameters = format!("<version>{version}</version>{options}");
    let on = ("PropertyCollector", properties);
    timeout(PATIENCE, client.call_on(on, "WaitForUpdatesEx", &parameters)).await.unwrap()
}

#[tokio::test]
async fn the_first_update_is_the_page_as_it_is() {
    let cloud = cloud(9).await;
    let client = Client::of(&cloud).await;
    let properties = watching(&client).await;
    let first = wait(&client, &properties, "", Some(10)).await;
    assert_eq!((first.text("version"), first.text("kind")), ("1", "enter"));
    assert_eq!(first.keys(), [10, 9, 8, 7, 6]);
}

#[tokio::test]
async fn a_new_event_wakes_the_client_and_versions_grow() {
    let cloud = cloud(9).await;
    let client = Client::of(&cloud).await;
    let properties = watching(&client).await;
    wait(&client, &properties, "", Some(10)).await;
    let (answer, ()) = tokio::join!(wait(&client, &properties, "1", None), async {
        cloud.post(1);
    });
    assert_eq!((answer.text("version"), answer.text("kind")), ("2", "modify"));
    assert_eq!(answer.keys()[0], 11);
}

#[tokio::test]
async fn nothing_comes_back_when_patience_ends() {
    let cloud = cloud(1).await;
    let client = Client::of(&cloud).await;
    let properties = watching(&client).await;
    wait(&client, &properties, "", Some(10)).await;
    let answer = wait(&client, &properties, "1", Some(0)).await;
    assert_eq!(answer.fault(), None);
    assert!(!answer.body.contains("returnval"));
}

#[tokio::test]
async fn a_version_that_was_never_issued_is_refused() {
    let cloud = cloud(1).await;
    let client = Client::of(&cloud).await;
    let properties = watching(&client).await;
    let answer = wait(&client, &properties, "7", Some(10)).await;
    assert_eq!(answer.fault(), Some("InvalidCollectorVersion"));
}

/// Waits without end while `act` is repeated until the wait is over.
async fn interrupted(client: &Client, properties: &str, act: impl AsyncFn()) -> Answer {
    wait(client, properties, "", Some(10)).await;
    let waiting = {
        let (client, properties) = (client.clone(), properties.to_owned());
        tokio::spawn(async move { wait(&client, &properties, "1", None).await })
    };
    while !waiting.is_finished() {
        act().await;
    }
    waiting.await.unwrap()
}

#[tokio::test]
async fn a_wait_can_be_cancelled() {
    let cloud = cloud(1).await;
    let client = Client::of(&cloud).await;
    let properties = watching(&client).await;
    let on = ("PropertyCollector", properties.as_str());
    let answer = interrupted(&client, &properties, async || {
        client.call_on(on, "CancelWaitForUpdates", "").await;
    })
    .await;
    assert_eq!(answer.fault(), Some("RequestCanceled"));
    let destroyed = client.call_on(on, "DestroyPropertyCollector", "").await;
    assert_eq!(destroyed.fault(), None);
}

#[tokio::test]
async fn a_wait_ends_with_its_session() {
    let cloud = cloud(1).await;
    let client = Client::of(&cloud).await;
    let properties = watching(&client).await;
    let answer = interrupted(&client, &properties, async || {
        cloud.inject(pluvio_sim::Fault::SessionLost);
        tokio::task::yield_now().await;
    })
    .await;
    assert_eq!(answer.fault(), Some("NotAuthenticated"));
}

#[tokio::test]
async fn a_wait_does_not_hold_up_the_end() {
    let cloud = cloud(1).await;
    let client = Client::of(&cloud).await;
    let properties = watching(&client).await;
    wait(&client, &properties, "", Some(10)).await;
    let waiting = tokio::spawn(async move {
        let parameters = "<version>1</version>";
        let on = ("PropertyCollector", properties.as_str());
        client.try_call(on, "WaitForUpdatesEx", parameters).await.is_ok()
    });
    tokio::task::yield_now().await;
    timeout(PATIENCE, cloud.stop()).await.unwrap();
    timeout(PATIENCE, waiting).await.unwrap().unwrap();
}
