//! Reading the history through collectors and queries.

use pluvio_sim::{VCenter, VCenterConfig};

use crate::client::{Answer, Client};
use crate::{cloud, quiet};

#[tokio::test]
async fn a_collector_reads_everything_once_in_pages_of_at_most_a_thousand() {
    let cloud = cloud(2_500).await;
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    assert_eq!(client.next(&collector, 5_000).await.keys().len(), 1_000);
    let rest = client.drain(&collector).await;
    // The login itself is the last event.
    assert_eq!(rest, (1_001..=2_501).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_collector_continues_with_new_events() {
    let cloud = cloud(3).await;
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    assert_eq!(client.drain(&collector).await, [1, 2, 3, 4]);
    cloud.post(2);
    assert_eq!(client.drain(&collector).await, [5, 6]);
}

#[tokio::test]
async fn a_collector_moves_both_ways() {
    let cloud = cloud(19).await;
    let client = Client::of(&cloud).await;
    let collector = client.collector("<maxCount>5</maxCount>").await;
    let two = "<maxCount>2</maxCount>";
    assert_eq!(client.next(&collector, 3).await.keys(), [1, 2, 3]);
    assert_eq!(client.on(&collector, "ReadPreviousEvents", two).await.keys(), [3, 2]);
    client.on(&collector, "ResetCollector", "").await;
    assert_eq!(client.on(&collector, "ReadPreviousEvents", two).await.keys(), [15, 14]);
    client.on(&collector, "ResetCollector", "").await;
    assert_eq!(client.drain(&collector).await, [16, 17, 18, 19, 20]);
    client.on(&collector, "RewindCollector", "").await;
    assert_eq!(client.next(&collector, 1).await.keys(), [1]);
}

#[tokio::test]
async fn the_size_of_a_page_has_limits() {
    let cloud = cloud(5).await;
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    for size in ["0", "-1", "1001", "many"] {
        let size = format!("<maxCount>{size}</maxCount>");
        let answer = client.on(&collector, "SetCollectorPageSize", &size).await;
        assert_eq!(answer.fault(), Some("InvalidArgument"), "{size}");
    }
    assert_eq!(client.next(&collector, 0).await.fault(), Some("InvalidArgument"));
}

#[tokio::test]
async fn a_session_holds_thirty_two_collectors_and_takes_them_along() {
    let cloud = cloud(5).await;
    let client = Client::of(&cloud).await;
    for _ in 0..31 {
        client.collector("").await;
    }
    let last = client.collector("").await;
    let one_more = client.call("EventManager", "CreateCollectorForEvents", "<filter/>").await;
    assert_eq!(one_more.fault(), Some("InvalidState"));
    assert_eq!(client.on(&last, "DestroyCollector", "").await.fault(), None);
    assert_eq!(client.next(&last, 1).await.fault(), Some("ManagedObjectNotFound"));
    client.collector("").await;
    client.call("SessionManager", "Logout", "").await;
    assert_eq!(cloud.status().collectors, 0);
}

#[tokio::test]
async fn a_query_returns_the_newest_events_first() {
    let cloud = cloud(9).await;
    let client = Client::of(&cloud).await;
    let filter = "<filter><maxCount>3</maxCount></filter>";
    let answer = client.call("EventManager", "QueryEvents", filter).await;
    assert_eq!(answer.keys(), [10, 9, 8]);
}

#[tokio::test]
async fn a_filter_by_class_shows_only_that_class() {
    let cloud = cloud(300).await;
    let client = Client::of(&cloud).await;
    let filter = "<eventTypeId>VmPoweredOnEvent</eventTypeId>";
    let collector = client.collector(filter).await;
    let answer = client.next(&collector, 1000).await;
    let truth = cloud.events().into_iter().filter(|event| event.class == "VmPoweredOnEvent");
    assert_eq!(answer.keys(), truth.map(|event| event.key).collect::<Vec<_>>());
    assert!(answer.classes().iter().all(|class| *class == "VmPoweredOnEvent"));
}

#[tokio::test]
async fn a_filter_by_time_begins_with_that_time() {
    let cloud = cloud(50).await;
    let client = Client::of(&cloud).await;
    let begin = cloud.events()[20].created_time;
    let filter = format!("<time><beginTime>{begin}</beginTime></time>");
    let collector = client.collector(&filter).await;
    assert_eq!(client.next(&collector, 1).await.keys(), [21]);
}

#[tokio::test]
async fn the_message_can_be_left_out() {
    let cloud = cloud(5).await;
    let client = Client::of(&cloud).await;
    let with = client.collector("<disableFullMessage>false</disableFullMessage>").await;
    let without = client.collector("<disableFullMessage>true</disableFullMessage>").await;
    let (with, without) = (client.next(&with, 9).await, client.next(&without, 9).await);
    assert_eq!(with.body.matches("<fullFormattedMessage>").count(), 6);
    assert_eq!(without.body.matches("<fullFormattedMessage>").count(), 0);
    assert_eq!(with.keys(), without.keys());
}

#[tokio::test]
async fn an_older_version_knows_no_delayed_initialization() {
    let config = VCenterConfig { api_version: "8.0.2.0".to_owned(), ..quiet() };
    let cloud = VCenter::start(config).await.unwrap();
    let client = Client::of(&cloud).await;
    let filter = "<filter><delayedInit>true</delayedInit></filter>";
    let answer = client.call("EventManager", "CreateCollectorForEvents", filter).await;
    assert_eq!(answer.fault(), Some("InvalidRequest"));
}

/// Asks for the events behind an id.
async fn behind(client: &Client, filter: &str, id: &str, is_forward: bool) -> Answer {
    let view = format!(
        "<filter>{filter}</filter><eventViewSpec i:type=\"EventManagerViewByStartId\">\
         <startEventId>{id}</startEventId><isForward>{is_forward}</isForward></eventViewSpec>"
    );
    client.call("EventManager", "QueryEvents", &view).await
}

#[tokio::test]
async fn from_api_9_on_events_are_paged_by_their_ids_in_both_directions() {
    let config = VCenterConfig { api_version: "9.0.0.0".to_owned(), ..quiet() };
    let cloud = VCenter::start(VCenterConfig { backlog_events: 9, ..config }).await.unwrap();
    let client = Client::of(&cloud).await;
    assert_eq!(behind(&client, "<maxCount>3</maxCount>", "2", true).await.keys(), [3, 4, 5]);
    assert_eq!(
        behind(&client, "<maxCount>3</maxCount>", "2147480000", false).await.keys(),
        [10, 9, 8]
    );
    assert_eq!(behind(&client, "", "10", true).await.keys(), [0; 0]);
    for id in ["-1", "many"] {
        assert_eq!(behind(&client, "", id, true).await.fault(), Some("InvalidArgument"), "{id}");
    }
    let older = self::cloud(1).await;
    let client = Client::of(&older).await;
    assert_eq!(
        behind(&client, "", "0", true).await.fault(),
        Some("InvalidRequest"),
        "not before 9.0"
    );
}

#[tokio::test]
async fn from_api_9_1_on_a_posted_event_keeps_its_audit_id_and_is_found_by_it() {
    let ids = async |api_version: &str, filter: &str| {
        let config = VCenterConfig { api_version: api_version.to_owned(), ..quiet() };
        let cloud = VCenter::start(config).await.unwrap();
        let client = Client::of(&cloud).await;
        let event = "<eventToPost i:type=\"EventEx\"><auditId>a-7</auditId>\
                     <eventTypeId>com.example.audit</eventTypeId></eventToPost>";
        client.call("EventManager", "PostEvent", event).await;
        let query = format!("<filter>{filter}</filter>");
        let found = client.call("EventManager", "QueryEvents", &query).await;
        found.fault().map_or_else(|| Ok(found.keys()), |fault| Err(fault.to_owned()))
    };
    assert_eq!(ids("9.1.0.0", "<auditId>a-7</auditId>").await, Ok(vec![2]));
    assert_eq!(ids("9.1.0.0", "<auditable>true</auditable>").await, Ok(vec![2]));
    assert_eq!(ids("9.1.0.0", "<auditId>a-8</auditId>").await, Ok(vec![]));
    assert_eq!(ids("9.0.0.0", "<auditId>a-7</auditId>").await, Err("InvalidRequest".to_owned()));
}

#[tokio::test]
async fn a_posted_event_is_stamped_by_the_server() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let event = "<eventToPost i:type=\"EventEx\"><key>77</key><chainId>7</chainId>\
                 <createdTime>2001-01-01T00:00:00Z</createdTime><userName>nobody</userName>\
                 <eventTypeId>com.example.deploy</eventTypeId><severity>warning</severity>\
                 <message>a &lt; b</message></eventToPost>";
    assert_eq!(client.call("EventManager", "PostEvent", event).await.fault(), None);
    let collector = client.collector("<eventTypeId>com.example.deploy</eventTypeId>").await;
    let answer = client.next(&collector, 10).await;
    assert_eq!(answer.keys(), [2]);
    assert_eq!(answer.text("userName"), "user");
    assert_eq!(answer.text("message"), "a &lt; b");
    assert_eq!(answer.text("severity"), "warning");
}

#[tokio::test]
async fn a_class_that_is_not_for_clients_is_not_posted() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let event = "<eventToPost i:type=\"VmPoweredOnEvent\"/>";
    let answer = client.call("EventManager", "PostEvent", event).await;
    assert_eq!(answer.fault(), Some("InvalidEvent"));
}

#[tokio::test]
async fn a_limited_history_starts_with_what_it_remembers() {
    let config = VCenterConfig { history_events_max: Some(10), ..quiet() };
    let cloud = VCenter::start(VCenterConfig { backlog_events: 30, ..config }).await.unwrap();
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    assert_eq!(client.drain(&collector).await, (22..=31).collect::<Vec<_>>());
    assert_eq!(cloud.event_count(), 31);
}

#[tokio::test]
async fn the_same_seed_tells_the_same_story() {
    let story = async |seed| {
        let config = VCenterConfig { seed, backlog_events: 200, ..quiet() };
        let cloud = VCenter::start(config).await.unwrap();
        cloud.events().into_iter().map(|event| event.class).collect::<Vec<_>>()
    };
    assert_eq!(story(5).await, story(5).await);
    assert_ne!(story(5).await, story(6).await);
}
