//! Faults on demand, as a client suffers them.

use std::collections::HashSet;
use std::time::Duration;

use pluvio_sim::cloudstack::{Fault, Throttle};
use pluvio_sim::{CloudStack, CloudStackConfig};

use crate::client::Client;
use crate::{cloud, quiet};

const ALL: &str = "listall=true&projectid=";

#[tokio::test]
async fn a_late_event_appears_behind_those_that_were_created_after_it() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    cloud.inject(Fault::Late { seconds: 30, percent: 100 });
    let late = cloud.emit_chain("admin", "VOLUME.DELETE")[0].to_string();
    cloud.clear_faults();
    cloud.advance(Duration::from_secs(10));
    let prompt = cloud.emit_chain("admin", "VOLUME.DELETE")[0].to_string();
    assert_eq!(admin.call("listEvents", "").await.ids(), std::slice::from_ref(&prompt));
    assert!(!cloud.events()[0].listed);
    cloud.advance(Duration::from_secs(20));
    let first = admin.call("listEvents", "page=1&pagesize=1").await.ids();
    assert_eq!(first, [prompt]);
    assert_eq!(admin.call("listEvents", "page=2&pagesize=1").await.ids(), [late]);
}

#[tokio::test]
async fn a_skewed_second_server_stamps_its_events_wrongly() {
    let cloud = cloud(0).await;
    cloud.inject(Fault::ServerSkew { seconds: -90 });
    cloud.post(200);
    let created: HashSet<_> = cloud.events().iter().map(|event| event.created).collect();
    assert_eq!(created.len(), 2, "each server has a time of its own");
}

#[tokio::test]
async fn a_skewed_cloud_tells_it_in_its_date_and_refuses_signatures() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    let expires = "signatureversion=3&expires=2026-11-20T12:10:00+0000";
    assert_eq!(admin.call("listZones", expires).await.status, 200);
    cloud.inject(Fault::Skew { seconds: 3600 });
    let refused = admin.call("listZones", expires).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.headers["date"], "Fri, 20 Nov 2026 13:00:00 GMT");
}

#[tokio::test]
async fn rows_shift_while_a_client_pages() {
    let cloud = cloud(100).await;
    let admin = Client::of(&cloud, "admin");
    cloud.inject(Fault::Shift { count: 5 });
    let ids = admin.call("listEvents", &format!("{ALL}&page=1&pagesize=20")).await.ids();
    let next = admin.call("listEvents", &format!("{ALL}&page=2&pagesize=20")).await.ids();
    assert!(ids.iter().any(|id| next.contains(id)), "no row came twice");
    assert_eq!(cloud.event_count(), 110);
}

#[tokio::test]
async fn a_burst_fits_into_one_second() {
    let cloud = cloud(0).await;
    cloud.inject(Fault::Burst { count: 700 });
    let seconds: HashSet<_> = cloud.events().iter().map(|event| event.created).collect();
    assert_eq!((cloud.event_count(), seconds.len()), (700, 1));
}

#[tokio::test]
async fn refusals_have_their_codes_and_texts() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    for (fault, status, text) in [
        (Fault::Throttled { count: 1, retry_ms: 750 }, 429, "retry after [750] ms"),
        (Fault::Unauthorized { count: 1 }, 401, "unable to verify user credentials"),
        (Fault::Unavailable { count: 1 }, 503, "shutting down"),
        (Fault::Internal { count: 1 }, 530, "Internal error"),
    ] {
        cloud.inject(fault);
        let answer = admin.call("listZones", "").await;
        assert_eq!(answer.status, status);
        assert!(answer.error().contains(text), "{}", answer.body);
        assert_eq!(answer.inner()["errorcode"], status);
        assert_eq!(admin.call("listZones", "").await.status, 200);
    }
}

#[tokio::test]
async fn an_account_is_throttled_and_a_root_admin_is_not() {
    let throttle = Throttle { interval: Duration::from_secs(60), calls_max: 2 };
    let config = CloudStackConfig { throttle: Some(throttle), ..quiet() };
    let cloud = CloudStack::start(config).await.unwrap();
    let (admin, web) = (Client::of(&cloud, "admin"), Client::of(&cloud, "web-ops"));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        assert_eq!(admin.call("listZones", "").await.status, 200);
        statuses.push(web.call("listZones", "").await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    let refused = web.call("listZones", "").await;
    assert!(refused.error().contains("retry after [60000] ms"), "{}", refused.body);
    cloud.advance(Duration::from_secs(60));
    assert_eq!(web.call("listZones", "").await.status, 200);
}

#[tokio::test]
async fn a_proxy_answers_in_html_with_any_status() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    for status in [502, 200] {
        cloud.inject(Fault::Proxy { count: 1, status });
        let answer = admin.call("listZones", "").await;
        assert_eq!(answer.status, status);
        assert!(answer.body.starts_with("<html>"));
    }
}

#[tokio::test]
async fn a_reset_connection_and_a_cut_answer_are_failures() {
    let cloud = cloud(0).await;
    let admin = Client::of(&cloud, "admin");
    for fault in [Fault::Reset { count: 1 }, Fault::Cut { count: 1 }] {
        cloud.inject(fault);
        assert!(admin.try_call("listZones", "").await.is_err(), "{fault:?}");
        assert!(admin.try_call("listZones", "").await.is_ok());
    }
}

#[tokio::test]
async fn counts_lie_and_pages_break() {
    let cloud = cloud(50).await;
    let admin = Client::of(&cloud, "admin");
    cloud.inject(Fault::WrongCount { by: 1000 });
    assert!(admin.call("listEvents", ALL).await.inner()["count"].as_u64() > Some(1000));
    cloud.clear_faults();
    cloud.inject(Fault::Malformed { count: 1 });
    let broken = admin.call("listEvents", ALL).await;
    assert_eq!(broken.status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&broken.body).is_err(), "{}", broken.body);
    assert!(!admin.call("listEvents", ALL).await.ids().is_empty());
}

#[tokio::test]
async fn old_events_are_purged_at_once_or_with_the_days() {
    let cloud = cloud(100).await;
    cloud.inject(Fault::Purge { older_than_seconds: 12 * 60 * 60 });
    let listed = cloud.status().events_listed;
    assert!((40..60).contains(&listed), "{listed}");
    assert_eq!(cloud.events().iter().filter(|event| event.listed).count(), listed);
    cloud.advance(Duration::from_secs(16 * 24 * 60 * 60));
    assert_eq!(cloud.status().events_listed, 0);
    assert_eq!(cloud.event_count(), 100);
}
