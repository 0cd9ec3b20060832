//! Clocks that are wrong: the vCenter's own, and those of hosts that date events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use pluvio_connect::vsphere::Config;
use pluvio_event::Event;
use pluvio_log::{Log as _, MemoryConfig, Offset, Retention, StreamName};
use pluvio_net::unit::Period;
use pluvio_sim::{Fault, VCenterConfig};

use crate::site::Site;

const DAY_S: i64 = 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_loses_nothing() {
    let mut site = Site::open().await;
    site.until_complete().await;
    site.stop().await;
    site.vcenter.inject(Fault::Skew { seconds: -900 });
    site.vcenter.post(20);
    site.start();
    site.until_complete().await;
}

/// Found by an attack: the position kept the time of the clock that was ahead.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_once_ahead_hides_nothing_of_a_later_downtime() {
    let mut site = Site::open().await;
    for days in [0, 365, 0] {
        site.stop().await;
        site.vcenter.inject(Fault::Skew { seconds: days * DAY_S });
        site.vcenter.post(5);
        site.start();
        site.until_complete().await;
    }
    site.stop().await;
    site.vcenter.post(20);
    site.vcenter.inject(Fault::Skew { seconds: 2 * DAY_S });
    site.start();
    site.until_complete().await;
}

/// A vCenter whose events of three days ago were captured, with more of that time and the newest to come.
async fn three_days_behind(api_version: &str, more: impl FnOnce(&Site)) -> Site {
    let api_version = api_version.to_owned();
    let vcenter = VCenterConfig { api_version, backlog_events: 0, ..Site::quiet() };
    let mut site = Site::stopped(vcenter, MemoryConfig::default(), |_| {}).await;
    site.vcenter.inject(Fault::Skew { seconds: -3 * DAY_S });
    site.vcenter.post(20);
    site.start();
    site.until_complete().await;
    site.stop().await;
    more(&site);
    site.vcenter.inject(Fault::Skew { seconds: 0 });
    site.vcenter.post(10);
    site
}

/// Found by an attack: the listing began anew at the time of the event that was dated ahead, also behind an empty
/// page in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_dated_ahead_hides_nothing_when_catching_up_is_broken_off() {
    for (api_version, empty_pages) in [("8.0.3.0", 0), ("9.0.0.0", 0), ("8.0.3.0", 2)] {
        let mut site = three_days_behind(api_version, |site| {
            site.vcenter.post(500);
            site.vcenter.inject(Fault::Early { seconds: DAY_S as u32, count: 1 });
            site.vcenter.post(12_000);
        })
        .await;
        site.vcenter.inject(Fault::Slow { ms: 100 });
        site.start();
        site.until(|captured| captured.len() > 1200).await;
        if empty_pages > 0 {
            site.vcenter.inject(Fault::EmptyPages { count: empty_pages });
            site.until(|captured| captured.len() > 5200).await;
        }
        site.stop().await;
        assert!(site.captured().await.len() < 12_000, "{api_version}: broken off");
        site.vcenter.inject(Fault::Slow { ms: 0 });
        site.start();
        site.until_complete().await;
    }
}

/// Found while the one before was mended: a sweep shows what the catching up has not come to.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_hides_nothing_when_catching_up_is_broken_off() {
    let mut site = three_days_behind("8.0.3.0", |site| site.vcenter.post(30_000)).await;
    let newest = site.vcenter.events().last().unwrap().created_time;
    site.vcenter.inject(Fault::Slow { ms: 20 });
    site.config.sweep = Period(Duration::from_millis(1));
    site.start();
    site.until(|captured| captured.iter().any(|(_, event)| event.time() == Some(newest))).await;
    site.stop().await;
    assert!(site.captured().await.len() < 30_000, "broken off");
    site.vcenter.inject(Fault::Slow { ms: 0 });
    site.config.sweep = Period(Duration::from_secs(3600));
    site.start();
    site.until_complete().await;
}

/// Found by an attack: the clock that was ahead was put right while Pluvio was away.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_when_pluvio_was_stopped_hides_nothing_of_the_downtime() {
    let mut site = Site::open().await;
    site.until_complete().await;
    site.stop().await;
    site.vcenter.inject(Fault::Skew { seconds: 3 * DAY_S });
    site.vcenter.post(20);
    site.start();
    site.until_complete().await;
    site.stop().await;
    site.vcenter.inject(Fault::Skew { seconds: 0 });
    site.vcenter.post(20);
    site.vcenter.inject(Fault::Skew { seconds: 5 * DAY_S });
    site.start();
    site.until_complete().await;
}

/// Found by an attack: only what came after the connection was read by the clock that was behind.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_under_a_clock_that_was_behind_before_pluvio_connected_is_captured() {
    let vcenter = VCenterConfig { backlog_events: 0, ..Site::quiet() };
    let mut site = Site::stopped(vcenter, MemoryConfig::default(), |_| {}).await;
    for (seconds, minutes_later) in [(-900, 0), (-5 * DAY_S, 10), (0, 0)] {
        site.vcenter.inject(Fault::Skew { seconds });
        site.vcenter.post(20);
        site.vcenter.inject(Fault::Skew { seconds: seconds + minutes_later * 60 });
        site.start();
        site.until_complete().await;
        site.stop().await;
    }
}

/// Found by an attack: the place went back with a clock that was behind, and what the log had forgotten came again.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind_once_doubles_nothing_that_the_log_has_forgotten() {
    let memory = MemoryConfig { ids_max: 50, ..MemoryConfig::default() };
    let mut site = Site::on(memory, |_| {}).await;
    site.until_complete().await;
    for days in [-4, 0] {
        site.stop().await;
        site.vcenter.inject(Fault::Skew { seconds: days * DAY_S });
        site.vcenter.post(5);
        site.start();
        site.until_complete().await;
    }
}

/// Found by an attack: the beginning went back with a clock that was behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind_the_beginning_brings_what_happens_and_no_history() {
    let day = VCenterConfig { backlog_span: Duration::from_secs(86_400), ..Site::quiet() };
    let mut site = Site::at(day, MemoryConfig::default(), |config| {
        config.begin = Period(Duration::from_secs(3600));
    })
    .await;
    let greatest = site.vcenter.events().last().unwrap().key;
    let key = |event: &Event| event.id().parse::<i32>().unwrap();
    site.until(|captured| captured.iter().any(|(_, event)| key(event) >= greatest)).await;
    let first = key(&site.captured().await[0].1);
    assert!(first > 1, "most of the history was not asked for");
    for hours in [-12, 0] {
        site.stop().await;
        site.vcenter.inject(Fault::Skew { seconds: hours * 3600 });
        site.vcenter.post(20);
        site.start();
        let vcenter = &site.vcenter;
        let happened = || vcenter.events().into_iter().map(|it| it.key).filter(|key| *key >= first);
        site.until(|captured| captured.iter().map(|(_, event)| key(event)).eq(happened())).await;
    }
}

/// Found by an attack: nothing told that keys had been given before, because the log had forgotten the events.
#[tokio::test(flavor = "multi_thread")]
async fn a_vcenter_restored_from_a_backup_older_than_the_logs_ids_gives_no_id_twice() {
    let memory = MemoryConfig { ids_max: 20, ..MemoryConfig::default() };
    let site = Site::on(memory, |_| {}).await;
    site.until_complete().await;
    site.vcenter.post(100);
    site.until_complete().await;
    for seconds in [600, 1200] {
        let last = site.vcenter.status().next_key - 1;
        // A restore takes minutes.
        site.vcenter.inject(Fault::Skew { seconds });
        site.vcenter.inject(Fault::Restore { key: last - 90 });
        for _ in 0..2 {
            site.vcenter.post(30);
            site.until_complete().await;
        }
    }
    let epochs = site.position().await["epoch"].as_u64();
    assert_eq!(epochs, Some(3), "an epoch for each restore, and no more");
}

/// A log that keeps five records, and whose clock is so many days behind.
fn short_log(days: &Arc<AtomicI64>) -> MemoryConfig {
    let days = Arc::clone(days);
    let clock = move || {
        let behind = SignedDuration::from_hours(24 * days.load(Ordering::Relaxed));
        Timestamp::now() - behind
    };
    let retention = Retention { records_max: Some(5), ..Retention::default() };
    MemoryConfig { retention, clock: Arc::new(clock), ..MemoryConfig::default() }
}

/// A vCenter with a hundred events three days ago and ten now; the log has forgotten the ids of the first.
async fn three_days_later(change: impl FnOnce(&mut Config)) -> Site {
    let days = Arc::new(AtomicI64::new(3));
    let vcenter = VCenterConfig { backlog_events: 0, ..Site::quiet() };
    let mut site = Site::stopped(vcenter, short_log(&days), change).await;
    site.vcenter.inject(Fault::Skew { seconds: -3 * DAY_S });
    site.vcenter.post(100);
    site.start();
    site.until_stored(102).await;
    days.store(0, Ordering::Relaxed);
    site.vcenter.inject(Fault::Skew { seconds: 0 });
    site.vcenter.post(10);
    site.until_stored(112).await;
    assert_eq!(site.log.extent(&StreamName::events()).unwrap().ids_forgotten_until, None);
    site
}

/// Found by an attack: only ids that a log had lost counted as forgotten, and not those that retention took.
#[tokio::test(flavor = "multi_thread")]
async fn a_vcenter_restored_from_a_backup_older_than_retention_gives_no_id_twice() {
    let site = three_days_later(|_| {}).await;
    site.vcenter.inject(Fault::Skew { seconds: 600 });
    site.vcenter.inject(Fault::Restore { key: 20 });
    site.vcenter.post(30);
    let lives = |captured: &[(Offset, Event)]| {
        captured.iter().filter(|(_, event)| event.id().ends_with("-2")).count()
    };
    // A login is one of them.
    site.until_stored(112 + 31).await;
    assert_eq!(lives(&site.captured().await), 31);
}

/// Found by an attack: Pluvio itself asked for a day that the log had forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_by_days_doubles_nothing_that_retention_took() {
    let site = three_days_later(|config| config.sweep = Period(Duration::from_millis(200))).await;
    for (hours, next) in [(-71, 122), (-70, 132)] {
        site.vcenter.inject(Fault::Skew { seconds: hours * 3600 });
        site.vcenter.post(10);
        site.until_stored(next).await;
    }
    let next = site.log.extent(&StreamName::events()).unwrap().next;
    assert_eq!(next.get(), 132, "an offset is the key of its event");
}

/// Found by an attack: the listing went on where it had begun, and showed nothing of what is dated before that.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_behind_the_beginning_while_it_is_read_loses_nothing() {
    for api_version in ["8.0.3.0", "9.0.0.0"] {
        for ahead_s in [0, 3600] {
            let vcenter = VCenterConfig {
                backlog_events: 0,
                api_version: api_version.to_owned(),
                ..Site::quiet()
            };
            let mut site = Site::stopped(vcenter, MemoryConfig::default(), |config| {
                config.begin = Period(Duration::from_secs(600));
                config.sweep = Period(Duration::from_millis(200));
            })
            .await;
            site.vcenter.inject(Fault::Skew { seconds: ahead_s });
            site.start();
            site.vcenter.post(10);
            site.until_complete().await;
            for seconds in [-7200, 0] {
                site.vcenter.inject(Fault::Skew { seconds });
                site.vcenter.post(10);
                site.until_complete().await;
            }
            site.stop().await;
            site.vcenter.post(10);
            site.start();
            site.until_complete().await;
            assert_eq!(site.gaps().await, 0, "{api_version}, {ahead_s} s ahead");
        }
    }
}

/// Found by an attack: what happened until the clock was right was taken for history, or for forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_vcenter_taken_back_to_a_snapshot_with_its_memory_loses_nothing_that_happens_there() {
    for (hours, ids_max) in [(289, 1000), (289, 20), (49, 20)] {
        let vcenter =
            VCenterConfig { backlog_span: Duration::from_secs(20 * 86_400), ..Site::quiet() };
        let memory = MemoryConfig { ids_max, ..MemoryConfig::default() };
        let mut site = Site::at(vcenter, memory, |config| {
            config.begin = Period(Duration::from_secs(10 * 86_400));
        })
        .await;
        let greatest = site.vcenter.events().last().unwrap().key;
        let key = |event: &Event| -> i32 {
            let key = event.id().split('-').next().unwrap().parse();
            key.unwrap_or_else(|_| unreachable!("{event:?}"))
        };
        site.until(|captured| captured.iter().any(|(_, event)| key(event) >= greatest)).await;
        // Each that happened since there were so many is captured once.
        let until_once = async |site: &Site, since: usize| {
            let happened = site.vcenter.events().split_off(since);
            site.until(|captured| {
                happened.iter().all(|it| {
                    let is_it = |(_, event): &&(Offset, Event)| {
                        key(event) == it.key && event.time() == Some(it.created_time)
                    };
                    captured.iter().filter(is_it).count() == 1
                })
            })
            .await;
        };
        site.stop().await;
        let snapshot = Timestamp::now() - SignedDuration::from_hours(hours);
        let events = site.vcenter.events();
        let last = events.iter().rfind(|event| event.created_time < snapshot).unwrap().key;
        site.vcenter.inject(Fault::Restore { key: last });
        site.vcenter.inject(Fault::Skew { seconds: -hours * 3600 });
        let before = site.vcenter.event_count();
        site.vcenter.post(20);
        site.start();
        // The clock is right in the end; a little later, for two events of one key and second are one event.
        for seconds in [-hours * 3600, 120] {
            site.vcenter.inject(Fault::Skew { seconds });
            site.vcenter.post(20);
            until_once(&site, before).await;
        }
        // And once more within the minute by which events may come late.
        if hours > 240 {
            let seconds = -hours * 3600 - 30;
            site.vcenter.inject(Fault::Skew { seconds });
            site.vcenter.inject(Fault::Restore { key: last });
            let before = site.vcenter.event_count();
            site.vcenter.post(20);
            until_once(&site, before).await;
        }
        let captured = site.captured().await;
        let what = format!("{hours} hours, {ids_max} ids");
        let ids: std::collections::BTreeSet<_> = captured.iter().map(|(_, it)| it.id()).collect();
        assert_eq!(ids.len(), captured.len(), "{what}: an id was given twice");
        assert_eq!(site.gaps().await, 0, "{what}");
    }
}
