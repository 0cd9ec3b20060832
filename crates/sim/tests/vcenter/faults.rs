//! Faults on demand, as a client suffers them.

use pluvio_sim::{Fault, Malformation, Restart, VCenter, VCenterConfig};
use quick_xml::events::Event;

use crate::client::Client;
use crate::{cloud, quiet};

#[tokio::test]
async fn a_lost_session_takes_its_collectors_along() {
    let cloud = cloud(3).await;
    let mut client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    cloud.inject(Fault::SessionLost);
    assert_eq!(client.next(&collector, 1).await.fault(), Some("NotAuthenticated"));
    assert_eq!(client.login("user", "pass").await.fault(), None);
    assert_eq!(client.next(&collector, 1).await.fault(), Some("ManagedObjectNotFound"));
}

#[tokio::test]
async fn empty_pages_hide_events_for_a_while() {
    let cloud = cloud(3).await;
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    cloud.inject(Fault::EmptyPages { count: 2 });
    assert!(client.next(&collector, 10).await.keys().is_empty());
    assert!(client.next(&collector, 10).await.keys().is_empty());
    assert_eq!(client.next(&collector, 10).await.keys(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn short_pages_lose_nothing() {
    let cloud = cloud(20).await;
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    cloud.inject(Fault::ShortPages { events_max: 3 });
    assert_eq!(client.next(&collector, 10).await.keys(), [1, 2, 3]);
    assert_eq!(client.drain(&collector).await, (4..=21).collect::<Vec<_>>());
}

#[tokio::test]
async fn keys_jump_turn_negative_and_overflow() {
    let cloud = cloud(1).await;
    cloud.inject(Fault::KeyGap { count: 10 });
    cloud.post(1);
    cloud.inject(Fault::NextKey { key: i32::MAX });
    cloud.post(2);
    cloud.inject(Fault::NextKey { key: -2 });
    cloud.post(1);
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    assert_eq!(client.drain(&collector).await, [1, 12, i32::MAX, i32::MIN, -2, -1]);
}

#[tokio::test]
async fn a_restore_from_backup_reuses_keys() {
    let cloud = cloud(10).await;
    cloud.inject(Fault::Restore { key: 4 });
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    assert_eq!(client.drain(&collector).await, [1, 2, 3, 4, 5]);
    assert_eq!(cloud.event_count(), 11);
}

#[tokio::test]
async fn a_malformed_event_leaves_the_page_well_formed() {
    for kind in
        [Malformation::Time, Malformation::MissingKey, Malformation::Key, Malformation::Content]
    {
        let page = page_with(kind).await;
        assert!(is_well_formed(&page), "{kind:?}");
    }
}

#[tokio::test]
async fn an_ill_formed_event_breaks_its_page() {
    assert!(!is_well_formed(&page_with(Malformation::IllFormed).await));
}

async fn page_with(kind: Malformation) -> String {
    let cloud = cloud(2).await;
    cloud.inject(Fault::Malformed { kind });
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    let page = client.next(&collector, 10).await;
    assert_eq!(page.classes().len(), 4);
    page.body
}

fn is_well_formed(text: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[tokio::test]
async fn an_unknown_class_comes_with_fields_of_its_own() {
    let cloud = cloud(0).await;
    cloud.inject(Fault::UnknownClass);
    let client = Client::of(&cloud).await;
    let collector = client.collector("").await;
    let page = client.next(&collector, 1).await;
    assert_eq!(page.classes(), ["QuantumEntanglementLostEvent"]);
    assert_eq!(page.body.matches("<sample>").count(), 2);
}

#[tokio::test]
async fn an_unavailable_server_comes_back() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    cloud.inject(Fault::Unavailable { count: 1 });
    assert_eq!(client.call("ServiceInstance", "CurrentTime", "").await.status, 503);
    assert_eq!(client.call("ServiceInstance", "CurrentTime", "").await.status, 200);
}

#[tokio::test]
async fn a_reset_connection_and_a_cut_answer_are_failures() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let service = ("ServiceInstance", "ServiceInstance");
    for fault in [Fault::Reset { count: 1 }, Fault::Cut { count: 1 }] {
        cloud.inject(fault);
        assert!(client.try_call(service, "CurrentTime", "").await.is_err(), "{fault:?}");
        assert!(client.try_call(service, "CurrentTime", "").await.is_ok());
    }
}

#[tokio::test]
async fn a_slow_server_still_answers() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    cloud.inject(Fault::Slow { ms: 30 });
    let before = std::time::Instant::now();
    assert_eq!(client.call("ServiceInstance", "CurrentTime", "").await.fault(), None);
    assert!(before.elapsed().as_millis() >= 30);
}

#[tokio::test]
async fn a_skewed_clock_stamps_events_too() {
    let cloud = cloud(0).await;
    cloud.inject(Fault::Skew { seconds: 3_600 });
    let client = Client::of(&cloud).await;
    let answer = client.call("ServiceInstance", "CurrentTime", "").await;
    let time: jiff::Timestamp = answer.text("returnval").parse().unwrap();
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(50);
    assert!(time > ahead);
    assert!(cloud.events()[0].created_time > ahead);
}

#[tokio::test]
async fn a_stranded_collector_reads_nothing_and_a_new_one_does() {
    let cloud = cloud(2).await;
    let client = Client::of(&cloud).await;
    let stranded = client.collector("").await;
    cloud.inject(Fault::Stranded);
    cloud.post(1);
    assert!(client.next(&stranded, 10).await.keys().is_empty());
    let fresh = client.collector("").await;
    assert_eq!(client.next(&fresh, 10).await.keys(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_late_event_is_older_than_those_before_it() {
    let cloud = cloud(2).await;
    cloud.post(1);
    cloud.inject(Fault::Late { seconds: 30, count: 1 });
    let events = cloud.events();
    assert!(events[3].key > events[2].key);
    assert!(events[3].created_time < events[2].created_time);
}

#[tokio::test]
async fn a_restart_ends_sessions_and_may_change_everything_else() {
    let cloud = VCenter::start(VCenterConfig { first_key: 100, ..quiet() }).await.unwrap();
    let mut client = Client::of(&cloud).await;
    let before = cloud.status().instance_uuid;
    cloud.restart(Restart { new_instance: true, drop_history: true });
    assert_eq!(client.next("any", 1).await.fault(), Some("NotAuthenticated"));
    assert_ne!(cloud.status().instance_uuid, before);
    client.login("user", "pass").await;
    let collector = client.collector("").await;
    assert_eq!(client.drain(&collector).await, [100]);
}
