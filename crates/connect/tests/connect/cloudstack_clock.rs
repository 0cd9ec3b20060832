//! A CloudStack whose clock was, or becomes, wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use pluvio_event::Event;
use pluvio_log::{Log as _, MemoryConfig, Position, Record, Retention, SourceName, StreamName};
use pluvio_sim::{
    CloudStackConfig,
    cloudstack::{Emission, Fault, Produced},
};

use crate::cloudstack_site::{CloudSite, period, quiet};

/// A cloud with a history of some seconds ago, whose events from now on are captured.
async fn from_now_on() -> CloudSite {
    let mut site = CloudSite::stopped(quiet()).await;
    site.cloud.advance(Duration::from_secs(15));
    site.config.begin = period("0s");
    site
}

fn skewed(site: &CloudSite, seconds: i64) {
    site.cloud.inject(Fault::Skew { seconds });
}

/// How many of these are captured, and whether each is once.
fn of(captured: &[Event], produced: &[Produced]) -> (usize, bool) {
    let often = |id: String| captured.iter().filter(|event| event.id() == id).count();
    let often: Vec<_> = produced.iter().map(|event| often(event.id.to_string())).collect();
    (often.iter().filter(|times| **times > 0).count(), often.iter().all(|times| *times < 2))
}

/// Waits until all that happened since `first` is captured.
async fn until_all_since(site: &CloudSite, first: usize, what: &str) {
    let produced = site.cloud.events_from(first);
    let all = (produced.len(), true);
    site.until(what, |captured| of(captured, &produced) == all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_at_the_first_start_and_is_put_right_while_connected_costs_no_event()
{
    let mut site = from_now_on().await;
    let before = site.cloud.event_count();
    skewed(&site, 240);
    site.start();
    site.until_begun().await;
    site.cloud.post(20);
    until_all_since(&site, before, "by the clock that is ahead").await;
    skewed(&site, 0);
    for _ in 0..2 {
        site.cloud.post(20);
        until_all_since(&site, before, "by the clock that is right").await;
    }
    assert_eq!(site.source_status().reconnects, 0);
    site.stop().await;
    site.cloud.post(20);
    site.start();
    until_all_since(&site, before, "after a restart").await;
    assert_eq!(site.captured().await.len(), site.cloud.event_count() - before, "and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_a_wrong_clock_was_put_right_in_steps_and_since_then_is_captured() {
    let mut site = from_now_on().await;
    let before = site.cloud.event_count();
    skewed(&site, 240);
    site.start();
    site.until_begun().await;
    for seconds in [160, 80, 0, -80] {
        skewed(&site, seconds);
        site.cloud.post(20);
    }
    let last = site.cloud.events_from(before + 60);
    let all = (last.len(), true);
    site.until("the last step", |captured| of(captured, &last) == all).await;
    // Whatever a clock dates ahead is listed when that time comes.
    site.cloud.advance(Duration::from_secs(240 + 80));
    until_all_since(&site, before, "all steps").await;
    assert_eq!(site.captured().await.len(), site.cloud.event_count() - before, "and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_before_a_restart_by_a_clock_that_was_put_right_while_nobody_read_is_captured()
 {
    let mut site = from_now_on().await;
    let before = site.cloud.event_count();
    skewed(&site, 240);
    site.start();
    site.until_begun().await;
    site.stop().await;
    skewed(&site, 0);
    site.cloud.post(20);
    site.start();
    until_all_since(&site, before, "what happened meanwhile").await;
    assert_eq!(site.captured().await.len(), 20, "and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_falls_behind_the_first_start_for_a_while_costs_no_event_and_brings_no_history()
 {
    let mut site = from_now_on().await;
    // History to come, by the clock that is behind.
    for seconds in [5, 30, 100, 170] {
        let created = site.cloud.now().checked_sub(SignedDuration::from_secs(seconds)).ok();
        site.cloud.emit(&Emission { created, ..Emission::default() });
    }
    let before = site.cloud.event_count();
    site.start();
    site.until_begun().await;
    site.cloud.post(20);
    until_all_since(&site, before, "by the clock that is right").await;
    skewed(&site, -180);
    for _ in 0..4 {
        site.cloud.post(5);
        until_all_since(&site, before, "by the clock that is behind").await;
        site.cloud.advance(Duration::from_secs(20));
    }
    skewed(&site, 0);
    site.cloud.post(20);
    until_all_since(&site, before, "by the clock that is right again").await;
    assert_eq!(site.captured().await.len(), site.cloud.event_count() - before, "and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_years_behind_for_a_while_brings_no_history_once_it_is_right() {
    let mut site = from_now_on().await;
    let before = site.cloud.event_count();
    site.start();
    site.until_begun().await;
    site.cloud.post(20);
    until_all_since(&site, before, "by the clock that is right").await;
    const YEARS_S: i64 = 6 * 365 * 86_400;
    skewed(&site, -YEARS_S);
    let told = site.error().await.0;
    assert!(told.contains("far behind the first start"), "{told}");
    site.stop().await;
    site.start();
    site.until_begun().await;
    skewed(&site, 0);
    let again = site.cloud.event_count();
    site.cloud.post(20);
    until_all_since(&site, again, "by the clock that is right again").await;
    assert_eq!(site.captured().await.len(), site.cloud.event_count() - before, "and no other");
}

/// Found by an attack: only ids that a log had lost counted as forgotten, and not those that retention took.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_retention_doubles_no_more_than_its_last_second_and_tells_no_loss() {
    outage(72, 0).await;
}

/// Found by an attack: when ids are forgotten is told by our clock, and the rows have the cloud's.
#[tokio::test(flavor = "multi_thread")]
async fn such_an_outage_of_a_cloud_whose_clock_is_ahead_doubles_no_more_and_tells_no_loss() {
    outage(27, 6).await;
}

/// The cloud, whose clock is `ahead` hours ahead of ours, is away for so many hours. Retention takes all meanwhile.
async fn outage(hours: i64, ahead: i64) {
    let clock_is_behind = Arc::new(AtomicI64::new(hours));
    let behind = Arc::clone(&clock_is_behind);
    let clock =
        move || Timestamp::now() - SignedDuration::from_hours(behind.load(Ordering::Relaxed));
    let retention = Retention { records_max: Some(5), ..Retention::default() };
    let memory = MemoryConfig { retention, clock: Arc::new(clock), ..MemoryConfig::default() };
    let cloud = CloudStackConfig { backlog_events: 0, ..quiet() };
    let mut site = CloudSite::on(cloud, memory).await;
    skewed(&site, (ahead - hours) * 3600);
    site.cloud.post(39);
    site.cloud.advance(Duration::from_secs(10));
    site.cloud.post(1);
    site.start();
    site.until_stored(40).await;
    site.stop().await;
    clock_is_behind.store(0, Ordering::Relaxed);
    skewed(&site, ahead * 3600);
    // Other sources went on.
    let other = Record {
        event: Event::builder("1", "urn:other", "t").build().unwrap(),
        source: SourceName::new("other").unwrap(),
        position: Position::new("1").unwrap(),
        at_least: None,
    };
    for _ in 0..10 {
        site.log.append(&StreamName::events(), vec![other.clone()]).await.unwrap();
    }
    assert_eq!(site.log.extent(&StreamName::events()).unwrap().ids_forgotten_until, None);
    site.cloud.post(10);
    site.start();
    site.until_stored(60).await;
    let newest = site.cloud.events().last().unwrap().id.to_string();
    site.until("the newest", |captured| captured.iter().any(|it| it.id() == newest)).await;
    // The stop came before a look that found nothing: more may have happened in the last second.
    assert_eq!(site.log.extent(&StreamName::events()).unwrap().next.get(), 61);
    assert_eq!(site.gaps().await, 0);
}
