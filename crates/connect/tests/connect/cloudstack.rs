//! A CloudStack has a bad day.

use std::time::Duration;

use pluvio_clouds::cloudstack::{Method, Params};
use pluvio_connect::component::{SourceConfig as _, SourceSlot};
use pluvio_event::{Data, Event};
use pluvio_log::{Log as _, StreamName};
use pluvio_runtime::Source as _;
use pluvio_secret::SecretSource;
use pluvio_sim::{
    CloudStackConfig,
    cloudstack::{Emission, Fault, Version},
};

use crate::{
    cloudstack_site::{CloudSite, is_gap, period, quiet},
    http_peer::Peer,
};

#[tokio::test(flavor = "multi_thread")]
async fn history_and_what_comes_after_are_captured_once_from_every_version() {
    for version in Version::ALL {
        let mut site = CloudSite::with(CloudStackConfig { version, ..quiet() }, |_, _| {}).await;
        site.until_complete().await;
        site.cloud.post(50);
        site.until_complete().await;
        site.stop().await;
        site.cloud.post(50);
        site.start();
        site.until_complete().await;
        assert_eq!(site.gaps().await, 0, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_whose_day_has_just_begun_is_understood_by_each_connection() {
    let backlog_events = 0;
    let config = CloudStackConfig { version: Version::V4_9, backlog_events, ..quiet() };
    let mut site = CloudSite::stopped(config).await;
    // In Europe the next day has begun, by UTC it has not; and all events are of that day.
    let until = (23 * 3600 + 600 - site.cloud.now().as_second()).rem_euclid(86_400);
    site.cloud.advance(Duration::from_secs(until.unsigned_abs()));
    for _ in 0..3 {
        site.cloud.post(50);
        site.start();
        site.until_complete().await;
        site.stop().await;
    }
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_that_was_renamed_goes_on_where_it_was() {
    let mut site = CloudSite::open().await;
    site.until_complete().await;
    site.stop().await;
    site.cloud.post(50);
    site.name = "renamed";
    site.start();
    site.until_complete().await;
    let begins = site.begins().await;
    assert!(begins.len() == 2 && begins[0].1 == begins[1].1, "{begins:?}");
}

/// How many events of a `source` attribute there are.
fn of(captured: &[Event], source: &str) -> usize {
    captured.iter().filter(|event| event.source() == source && !is_gap(event)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cloud_under_a_sections_old_name_is_captured_from_its_own_beginning() {
    let mut site = CloudSite::open().await;
    site.until_complete().await;
    site.stop().await;
    let other = CloudSite::stopped(CloudStackConfig { seed: 5, ..quiet() }).await;
    (site.cloud, site.config) = (other.cloud, other.config);
    site.start();
    let source = site.cloud.url();
    let expected = site.cloud.events().len();
    site.until("all of the other", |captured| of(captured, &source) >= expected).await;
    let captured = site.captured().await;
    assert_eq!((of(&captured, &source), site.gaps().await), (expected, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_attribute_misses_nothing_tells_no_loss_and_may_be_taken_back() {
    let mut site = CloudSite::with(quiet(), |_, config| {
        (config.source, config.overlap) = (Some("urn:1".to_owned()), period("1s"));
    })
    .await;
    site.until_complete().await;
    site.stop().await;
    site.cloud.advance(Duration::from_secs(300));
    site.cloud.post(20);
    site.cloud.advance(Duration::from_secs(300));
    (site.config.begin, site.config.source) = (period("0s"), Some("urn:2".to_owned()));
    site.start();
    site.until("what was missed", |captured| of(captured, "urn:2") >= 20).await;
    site.stop().await;
    site.config.source = Some("urn:1".to_owned());
    site.start();
    site.until("all of the first", |captured| of(captured, "urn:1") >= 120).await;
    let captured = site.captured().await;
    // The newest event of before lies in the overlap.
    assert!((20..=22).contains(&of(&captured, "urn:2")), "{}", of(&captured, "urn:2"));
    assert_eq!((of(&captured, "urn:1"), site.gaps().await), (120, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_given_another_stream_goes_on_there_and_back_again() {
    let mut site = CloudSite::with(quiet(), |_, config| config.overlap = period("1s")).await;
    site.until_complete().await;
    site.config.begin = period("0s");
    let (events, clouds) = (StreamName::events(), StreamName::new("clouds").unwrap());
    site.log.open(&clouds).await.unwrap();
    for (stream, expected) in [(&clouds, 21), (&events, 121), (&clouds, 42)] {
        site.stop().await;
        site.cloud.advance(Duration::from_secs(300));
        site.cloud.post(20);
        site.cloud.advance(Duration::from_secs(300));
        site.cloud.post(1);
        site.stream = stream.clone();
        site.start();
        site.until("what happened meanwhile", |captured| captured.len() >= expected).await;
        // The newest event of before lies in the overlap, so it may stand in both.
        let captured = site.captured().await;
        assert!((expected..expected + 3).contains(&captured.len()), "{}", captured.len());
        assert_eq!(site.gaps().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_another_account_cannot_see_are_no_loss() {
    let cloud = CloudStackConfig { backlog_events: 0, ..quiet() };
    let mut site = CloudSite::with(cloud, |_, _| {}).await;
    site.cloud.emit(&Emission { account: "web".to_owned(), ..Emission::default() });
    site.until_complete().await;
    site.stop().await;
    let keys = site.cloud.keys().into_iter().find(|keys| keys.user == "lab-deploy").unwrap();
    site.config.api_key = Some(SecretSource::literal(keys.api_key));
    site.config.secret_key = Some(SecretSource::literal(keys.secret_key));
    site.cloud.emit(&Emission { account: "lab".to_owned(), ..Emission::default() });
    site.start();
    site.until("what it sees", |captured| captured.len() >= 2).await;
    assert_eq!((site.captured().await.len(), site.gaps().await), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tells_what_happened_to_what_and_who_did_it() {
    let site = CloudSite::open().await;
    site.until_complete().await;
    let captured = site.captured().await;
    let is_about_a_machine =
        |event: &&Event| event.subject().is_some_and(|it| it.starts_with("VirtualMachine/"));
    let event = captured.iter().find(is_about_a_machine).unwrap();
    assert!(event.event_type().starts_with("org.apache.cloudstack.VM."));
    assert_eq!(event.source(), site.cloud.url());
    for name in ["level", "state", "authid", "severitynumber", "userid", "accountid"] {
        assert!(event.extension(name).is_some(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_cost_at_most_a_reconnect_and_no_event() {
    for fault in [
        Fault::Throttled { count: 2, retry_ms: 50 },
        Fault::Unavailable { count: 2 },
        Fault::Internal { count: 1 },
        Fault::Proxy { count: 1, status: 502 },
        Fault::Proxy { count: 1, status: 200 },
        Fault::Reset { count: 1 },
        Fault::Cut { count: 2 },
        Fault::Malformed { count: 3 },
        Fault::Slow { ms: 50 },
        Fault::WrongCount { by: -3 },
        Fault::WrongCount { by: 3 },
        Fault::Shift { count: 1 },
    ] {
        let site = CloudSite::open().await;
        site.until_complete().await;
        site.cloud.inject(fault);
        site.cloud.post(100);
        site.until("the fault to be met", |captured| captured.len() >= 200).await;
        if matches!(fault, Fault::Shift { .. }) {
            site.cloud.clear_faults();
        }
        site.until_complete().await;
        assert_eq!(site.gaps().await, 0, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_answer_that_is_a_race_needs_no_reconnect() {
    let site = CloudSite::open().await;
    site.until_complete().await;
    site.cloud.inject(Fault::Malformed { count: 2 });
    site.cloud.post(10);
    site.until_complete().await;
    assert_eq!(site.source_status().reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_within_a_second_is_captured() {
    let site = CloudSite::open().await;
    site.until_complete().await;
    site.cloud.inject(Fault::Burst { count: 3000 });
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_catching_up_goes_on_where_it_was() {
    let cloud = CloudStackConfig {
        backlog_events: 12_000,
        backlog_span: Duration::from_secs(3000),
        ..quiet()
    };
    let mut site = CloudSite::with(cloud, |_, _| {}).await;
    for part in [1000, 5000] {
        site.until("a part", |captured| captured.len() >= part).await;
        site.stop().await;
        site.start();
    }
    site.until_complete().await;
    let captured = site.captured().await;
    assert!(captured.is_sorted_by_key(Event::time), "oldest first");
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_passed_us_leaves_a_gap_event() {
    let mut site = CloudSite::open().await;
    site.until_complete().await;
    site.stop().await;
    site.cloud.advance(Duration::from_secs(100));
    site.cloud.inject(Fault::Purge { older_than_seconds: 50 });
    site.cloud.post(10);
    site.start();
    site.until("a gap and what followed", |captured| captured.len() == 111).await;
    let captured = site.captured().await;
    assert!(is_gap(&captured[100]), "before what followed");
    site.stop().await;
    site.start();
    site.cloud.post(5);
    site.until("no other gap", |captured| captured.len() == 116).await;
    assert_eq!(site.gaps().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_archived_before_they_were_read_are_captured() {
    let mut site = CloudSite::open().await;
    site.until_complete().await;
    site.stop().await;
    site.cloud.post(20);
    let ids: Vec<_> =
        site.cloud.events_from(100).iter().map(|event| event.id.to_string()).collect();
    let params = Params::new().with("ids", ids.join(","));
    site.client().await.call("archiveEvents", params, Method::Post).await.unwrap();
    site.start();
    site.until_complete().await;
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_appears_late_is_found_by_the_next_check() {
    let site = CloudSite::with(quiet(), |_, config| config.overlap = period("20s")).await;
    site.until_complete().await;
    site.cloud.inject(Fault::Late { seconds: 8, percent: 50 });
    site.cloud.post(20);
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_appears_hours_late_is_found_by_the_sweep() {
    let mut site = CloudSite::with(quiet(), |_, config| config.sweep = period("1s")).await;
    site.until_complete().await;
    site.stop().await;
    site.start();
    site.cloud.post(1);
    site.until_complete().await;
    let created = site.cloud.now().checked_sub(jiff::SignedDuration::from_mins(50)).ok();
    site.cloud.emit(&Emission { created, ..Emission::default() });
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_with_a_wrong_clock_loses_nothing() {
    let mut site = CloudSite::open().await;
    site.until_complete().await;
    for seconds in [-90, 30] {
        site.cloud.inject(Fault::ServerSkew { seconds });
        site.cloud.post(40);
        site.stop().await;
        site.cloud.advance(Duration::from_secs(40));
        site.start();
        site.until_complete().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_whose_clock_is_an_hour_ahead_or_behind_is_read_by_its_clock() {
    for seconds in [3600, -3600] {
        let config = CloudStackConfig { backlog_events: 0, ..quiet() };
        let mut site = CloudSite::stopped(config).await;
        site.cloud.inject(Fault::Skew { seconds });
        site.cloud.post(20);
        site.start();
        site.until_complete().await;
        site.cloud.post(20);
        site.until_complete().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_tell_its_clock_is_read_from_the_start_and_at_once_whoever_is_ahead()
{
    // A history from before the clock was set back would not be one of that clock.
    for (seconds, backlog_events) in [(0, 0), (0, 50), (300, 0), (300, 50), (-300, 0)] {
        let config = CloudStackConfig { backlog_events, sends_date: false, ..quiet() };
        let mut site = CloudSite::stopped(config).await;
        site.config.begin = period("0s");
        site.cloud.inject(Fault::Skew { seconds });
        site.start();
        site.until_begun().await;
        // Whoever waits until its own clock is as far waits for longer than a test does; a check comes each minute.
        site.cloud.post(20);
        site.until("what happened first", |captured| captured.len() >= 20).await;
        site.cloud.post(20);
        site.until("what happened then", |captured| captured.len() >= 40).await;
        let captured = site.captured().await.len();
        // Those of the newest second there was may be among them.
        assert!(captured <= 46, "{captured} of 40, {seconds} s, {backlog_events} before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_under_a_clock_that_is_ahead_does_not_keep_out_what_happens_before_that_time()
{
    let config = CloudStackConfig { backlog_events: 0, ..quiet() };
    let mut site = CloudSite::stopped(config).await;
    site.cloud.inject(Fault::Skew { seconds: 26 * 3600 });
    site.start();
    site.until_begun().await;
    site.stop().await;
    site.cloud.inject(Fault::Skew { seconds: 0 });
    site.start();
    site.cloud.post(20);
    site.until("all that happened", |captured| captured.len() >= 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_is_captured_once_without_what_the_section_calls_secret() {
    let row = r#"{"description":"x","password":"Hunter2, then \"Geheim99\"","pin":998877}"#;
    let peer = Peer::start(move |asked| {
        let capabilities = r#"{"r":{"capability":{"cloudstackversion":"4.19.0"}}}"#.to_owned();
        let body = match asked.line.as_str() {
            line if line.contains("command=listCapabilities") => capabilities,
            line if line.contains("command=listEvents") && line.contains("page=1&") => {
                format!(r#"{{"r":{{"count":1,"event":[{row}]}}}}"#)
            }
            _ => r#"{"r":{}}"#.to_owned(),
        };
        ("HTTP/1.1 200 x\r\n".to_owned(), body)
    })
    .await;
    let mut site = CloudSite::stopped(quiet()).await;
    site.config.url = format!("{}/client/api", peer.url);
    site.config.redact = vec!["PIN".to_owned()];
    site.start();
    site.until("the row", |captured| !captured.is_empty()).await;
    let asked = peer.asked().len();
    site.until("more polls", |_| peer.asked().len() > asked + 12).await;
    let [event] = &*site.captured().await else { unreachable!("it was captured again") };
    assert_eq!(event.event_type(), "org.apache.cloudstack.malformed");
    assert_eq!(event.extension("pluvioredacted").unwrap().to_string(), "2");
    let kept = r#"{"description":"x","password":"[redacted]","pin":"[redacted]"}"#;
    assert!(matches!(event.data(), Some(Data::Binary(text)) if text == kept), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_told_and_not_tried_again_at_once() {
    let site = CloudSite::with(quiet(), |_, config| {
        config.secret_key = Some(SecretSource::literal("wrong"));
    })
    .await;
    let (message, remedy) = site.error().await;
    assert!(message.contains("listCapabilities was refused"), "{message}");
    assert!(remedy.contains("check keys"), "{remedy}");
    let wait = site.source_status().retry_at.unwrap().duration_since(jiff::Timestamp::now());
    assert!(wait.as_secs() >= 58, "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_at_a_wrong_clock_is_told_with_the_clock() {
    let mut site = CloudSite::stopped(quiet()).await;
    site.config.secret_key = Some(SecretSource::literal("wrong"));
    site.cloud.inject(Fault::Skew { seconds: 3600 });
    site.start();
    let (message, remedy) = site.error().await;
    assert!(message.starts_with("cloud's clock is 60 min ahead of ours"), "{message}");
    assert!(remedy.contains("NTP"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_does_where_there_are_no_keys_and_a_lost_session_is_opened_again() {
    let site = CloudSite::with(quiet(), |cloud, config| {
        let admin = cloud.keys().remove(0);
        (config.api_key, config.secret_key) = (None, None);
        config.username = Some(SecretSource::literal(admin.user));
        config.password = Some(SecretSource::literal(admin.password));
    })
    .await;
    site.until_complete().await;
    site.cloud.inject(Fault::SessionLost);
    site.cloud.post(20);
    site.until_complete().await;
    assert!(site.source_status().reconnects >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_larger_than_the_server_allows_becomes_smaller() {
    let cloud = CloudStackConfig { page_rows_max: 30, ..quiet() };
    let site = CloudSite::with(cloud, |_, _| {}).await;
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_says_what_the_cloud_tells() {
    let site = CloudSite::stopped(quiet()).await;
    let mut source = site.config.clone().build(SourceSlot { is_alone: true }).unwrap();
    let found = source.probe().await.unwrap();
    assert!(found.starts_with("CloudStack 4.20.1"), "{found}");
    assert!(found.contains("100 events in the last hour"), "{found}");
    assert!(found.contains("clock "), "{found}");
    assert!(found.ends_with("listall works"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_begins_now_and_what_it_missed_while_away_is_captured() {
    let mut site = CloudSite::with(quiet(), |_, config| config.begin = period("0s")).await;
    site.until("a beginning", |_| site.source_status().position.is_some()).await;
    site.cloud.advance(Duration::from_secs(5));
    site.cloud.post(10);
    site.until("what came after", |captured| captured.len() == 10).await;
    site.stop().await;
    site.cloud.post(10);
    site.start();
    site.until("what came meanwhile", |captured| captured.len() == 20).await;
    assert_eq!(site.captured().await.len(), 20, "nothing from before");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_without_any_event_tells_no_time_zone_and_is_read_all_the_same() {
    let cloud =
        CloudStackConfig { version: Version::V4_9, backlog_events: 0, machines: 0, ..quiet() };
    let site = CloudSite::with(cloud, |_, _| {}).await;
    site.until("a beginning", |_| site.source_status().position.is_some()).await;
    for _ in 0..3 {
        site.cloud.post(30);
        site.until_complete().await;
    }
    assert_eq!(site.source_status().reconnects, 0);
}
