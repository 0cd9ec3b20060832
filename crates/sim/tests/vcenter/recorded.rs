//! A recording, as clients of the simulated vCenter see it.

use jiff::Timestamp;
use pluvio_sim::vcenter::{Captured, Recording};
use pluvio_sim::{Fault, VCenter, VCenterConfig};
use serde_json::{Value, json};

use crate::client::Client;

/// An event about a machine, so many minutes after midnight.
fn add(recording: &mut Recording, minute: i64, class: &str, more: &Value) {
    let time = Timestamp::from_second(1_795_392_000 + minute * 60).unwrap();
    let mut data = json!({
        "Key": minute, "ChainId": minute, "CreatedTime": time, "UserName": "ops",
        "Datacenter": {"Name": "DC", "Datacenter": {"Type": "Datacenter", "Value": "datacenter-3"}},
        "Vm": {"Name": "web", "Vm": {"Type": "VirtualMachine", "Value": format!("vm-{minute}")}},
        "FullFormattedMessage": "it happened",
    });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (data, category) = (data.to_string(), Some("warning"));
    recording.add(Captured { class, category, time, data: &data }).unwrap();
}

/// Four events a minute apart; the clock stands at nearly nothing a second, from the third one on.
async fn cloud() -> VCenter {
    let mut recording = Recording::default();
    add(&mut recording, 1, "VmRenamedEvent", &json!({"OldName": "a", "NewName": "b"}));
    add(
        &mut recording,
        2,
        "EventEx",
        &json!({"EventTypeId": "com.example.a", "Severity": "error"}),
    );
    add(&mut recording, 3, "HostAddedEvent", &json!({}));
    add(&mut recording, 4, "VmRenamedEvent", &json!({}));
    recording.begin = Timestamp::from_second(1_795_392_000 + 180).ok();
    recording.speed = 1e-6;
    let config = VCenterConfig { recording: Some(recording), ..VCenterConfig::default() };
    VCenter::start(config).await.unwrap()
}

#[tokio::test]
async fn every_filter_finds_what_was_recorded() {
    let cloud = cloud().await;
    let client = Client::of(&cloud).await;
    let entity = |kind: &str, id: &str, how: &str| {
        let entity = format!("<entity type=\"{kind}\">{id}</entity>");
        format!("<entity>{entity}<recursion>{how}</recursion></entity>")
    };
    for (filter, expected) in [
        (String::new(), &[1, 2, 3][..]),
        ("<eventTypeId>com.example.a</eventTypeId>".to_owned(), &[2]),
        ("<eventTypeId>VmEvent</eventTypeId>".to_owned(), &[1]),
        ("<category>warning</category>".to_owned(), &[1, 2, 3]),
        ("<time><beginTime>2026-11-23T00:02:00Z</beginTime></time>".to_owned(), &[2, 3]),
        (entity("VirtualMachine", "vm-3", "self"), &[3]),
        (entity("Datacenter", "datacenter-3", "all"), &[1, 2, 3]),
    ] {
        let query = format!("<filter>{filter}</filter>");
        let answer = client.call("EventManager", "QueryEvents", &query).await;
        let mut keys = answer.keys();
        keys.sort_unstable();
        assert_eq!(keys, expected, "{filter}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_clock_and_the_inventory_are_those_of_the_recording() {
    let cloud = cloud().await;
    let client = Client::of(&cloud).await;
    let now = client.call("ServiceInstance", "CurrentTime", "").await;
    assert!(now.text("returnval").starts_with("2026-11-23T00:03:00"), "{}", now.body);
    let path = "<inventoryPath>DC/vm/web</inventoryPath>";
    let found = client.call("SearchIndex", "FindByInventoryPath", path).await;
    assert!(found.body.contains("type=\"VirtualMachine\">vm-1<"), "{}", found.body);
    let status = cloud.status();
    let progress = status.recording.unwrap();
    assert_eq!((progress.events, progress.played, status.machines), (4, 3, 4));
}

#[tokio::test]
async fn faults_work_on_what_was_recorded() {
    let cloud = cloud().await;
    let client = Client::of(&cloud).await;
    cloud.inject(Fault::KeyGap { count: 5 });
    cloud.inject(Fault::Late { seconds: 30, count: 1 });
    let answer = client.call("EventManager", "QueryEvents", "<filter></filter>").await;
    assert!(answer.keys().contains(&9), "{:?}", answer.keys());
    cloud.inject(Fault::SessionLost);
    let answer = client.call("EventManager", "QueryEvents", "<filter></filter>").await;
    assert_eq!(answer.fault(), Some("NotAuthenticated"));
}
