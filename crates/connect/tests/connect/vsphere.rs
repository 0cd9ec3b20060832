//! A vCenter has a bad day.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use pluvio_connect::{
    component::{SourceConfig as _, SourceSlot},
    vsphere::Config,
};
use pluvio_event::Event;
use pluvio_log::{Log as _, MemoryConfig, Offset, Retention, StreamName};
use pluvio_net::unit::Period;
use pluvio_net::{Thumbprint, TlsOptions};
use pluvio_runtime::{Chain, Source as _, status::State};
use pluvio_secret::SecretSource;
use pluvio_sim::{Fault, Malformation, Restart, Tls, VCenter, VCenterConfig};

use crate::site::{Site, is_gap};

#[tokio::test(flavor = "multi_thread")]
async fn a_vcenters_history_and_what_comes_after_are_captured_once() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.post(500);
    site.until_complete().await;
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vcenter_with_a_certificate_of_its_own_making_is_trusted_by_its_thumbprint() {
    let config = VCenterConfig { tls: Some(Tls::Made), machines: 5, ..VCenterConfig::default() };
    let vcenter = VCenter::start(config).await.unwrap();
    let probe = async |thumbprint: Option<Thumbprint>| {
        let mut config = Config::new(vcenter.url());
        config.username = SecretSource::literal("user");
        config.password = SecretSource::literal("secret");
        config.tls = TlsOptions { thumbprint, ..TlsOptions::default() };
        let mut source = config.build(SourceSlot { is_alone: true }).unwrap();
        source.probe().await.map_err(|error| Chain(&error).to_string())
    };
    let shown = Thumbprint::sha256_of(vcenter.certificate().unwrap());
    assert!(probe(Some(shown)).await.is_ok());
    for thumbprint in [None, Some(Thumbprint::sha256_of(b"another"))] {
        let refused = probe(thumbprint).await.unwrap_err();
        assert!(refused.contains(&shown.to_string()), "it tells what was seen: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_events_offset_is_its_key_as_long_as_keys_grow() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.inject(Fault::KeyGap { count: 50 });
    site.vcenter.post(20);
    site.until_complete().await;
    for (offset, event) in site.captured().await {
        assert_eq!(offset.to_string(), event.id());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_source_resumes_without_loss_or_duplicate() {
    let mut site = Site::open().await;
    site.until_complete().await;
    for _ in 0..3 {
        site.stop().await;
        assert_eq!(site.vcenter.status().sessions, 0, "logged out");
        assert_eq!(site.vcenter.status().collectors, 0, "collectors destroyed");
        site.vcenter.post(300);
        site.start();
        site.until_complete().await;
    }
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_that_was_renamed_goes_on_where_it_was_and_captures_nothing_twice() {
    let mut site = Site::open().await;
    site.until_complete().await;
    for name in ["renamed", "vcenter", "renamed"] {
        site.stop().await;
        site.vcenter.post(50);
        site.name = name;
        site.start();
        site.until_complete().await;
    }
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_vcenter_under_a_sections_old_name_is_captured_from_its_own_beginning() {
    let mut site = Site::open().await;
    site.until_complete().await;
    site.stop().await;
    site.replace(VCenterConfig { seed: 5, ..Site::quiet() }).await;
    site.start();
    let source = site.vcenter.url();
    let of = |captured: &[(Offset, Event)]| {
        let of = captured.iter().filter(|(_, event)| event.source() == source);
        of.map(|(_, event)| event.id().to_owned()).collect::<Vec<_>>()
    };
    site.until(|captured| of(captured).len() >= site.vcenter.events().len()).await;
    let captured = of(&site.captured().await);
    assert_eq!((captured.len(), site.gaps().await), (site.vcenter.events().len(), 0));
    assert!(captured.iter().all(|id| !id.contains('-')), "keys of a first life: {captured:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_attribute_misses_nothing_tells_no_loss_and_may_be_taken_back() {
    let mut site = Site::with(|config| config.source = Some("urn:1".to_owned())).await;
    site.until_complete().await;
    site.stop().await;
    site.vcenter.post(50);
    site.config.begin = Period(Duration::ZERO);
    site.config.source = Some("urn:2".to_owned());
    site.start();
    let missed = site.vcenter.events().split_off(101);
    site.until(|captured| {
        let ids: Vec<_> = captured.iter().map(|(_, event)| (event.source(), event.id())).collect();
        missed.iter().all(|event| ids.contains(&("urn:2", &event.key.to_string())))
    })
    .await;
    site.stop().await;
    site.vcenter.post(50);
    site.config.source = Some("urn:1".to_owned());
    site.start();
    site.until(|captured| {
        let of = captured.iter().filter(|(_, event)| event.source() == "urn:1");
        of.count() >= site.vcenter.events().len()
    })
    .await;
    let captured = site.captured().await;
    let ids: BTreeSet<_> = captured.iter().map(|(_, it)| (it.source(), it.id())).collect();
    assert_eq!((ids.len(), site.gaps().await), (captured.len(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_given_another_stream_goes_on_there_and_back_again() {
    let mut site = Site::with(|config| config.overlap = Period(Duration::ZERO)).await;
    site.until_complete().await;
    site.config.begin = Period(Duration::ZERO);
    let (events, clouds) = (StreamName::events(), StreamName::new("clouds").unwrap());
    site.log.open(&clouds).await.unwrap();
    let before = site.captured().await.len();
    for stream in [&clouds, &events] {
        site.stop().await;
        site.vcenter.post(50);
        site.stream = stream.clone();
        site.start();
        site.until_nothing_is_missing().await;
        // Those that were posted together happened at one time, and are listed together.
        site.vcenter.post(1);
        site.until_nothing_is_missing().await;
    }
    let counts = (site.captured().await.len() - before, site.captured_in(&clouds).await.len());
    // The event that was captured last may stand in both, and logins of ours are events.
    assert!((51..56).contains(&counts.0) && (51..56).contains(&counts.1), "{counts:?}");
    let gaps = site.captured_in(&clouds).await.iter().filter(|(_, it)| is_gap(it)).count();
    assert_eq!((site.gaps().await, gaps), (0, 0));
}

/// A class of events, other than that of the newest one.
fn another_class(captured: &[(Offset, Event)]) -> String {
    let class = |event: &Event| {
        let class = event.event_type().strip_prefix("com.vmware.vsphere.").unwrap();
        class.strip_suffix(".v0").unwrap().to_owned()
    };
    let newest = class(&captured.last().unwrap().1);
    let mut classes = captured.iter().rev().map(|(_, event)| class(event));
    classes.find(|class| *class != newest && class.starts_with("Vm")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_not_asked_for_any_more_are_no_loss() {
    let mut site = Site::with(|config| config.overlap = Period(Duration::ZERO)).await;
    site.until_complete().await;
    site.stop().await;
    let captured = site.captured().await;
    let class = another_class(&captured);
    site.config.event_types = vec![class.clone()];
    site.start();
    let is_of = |event: &Event| event.event_type() == format!("com.vmware.vsphere.{class}.v0");
    let before = captured.iter().filter(|(_, event)| is_of(event)).count();
    site.vcenter.post(1000);
    site.until(|captured| captured.iter().filter(|(_, event)| is_of(event)).count() > before).await;
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vcenter_9_is_read_by_keys_without_a_collector() {
    let mut site = Site::of_version("9.0.0.0").await;
    site.until_complete().await;
    for fault in
        [Fault::SessionLost, Fault::CutWhole { count: 1 }, Fault::ShortPages { events_max: 7 }]
    {
        site.vcenter.inject(fault);
        site.vcenter.post(300);
        site.until_complete().await;
        assert_eq!(site.vcenter.status().collectors, 0);
    }
    site.stop().await;
    site.vcenter.post(2500);
    site.start();
    site.until_complete().await;
    assert_eq!((site.gaps().await, site.vcenter.status().collectors), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_vcenter_9_that_begin_again_lead_back_to_a_collector_and_lose_nothing() {
    let site = Site::of_version("9.0.0.0").await;
    site.until_complete().await;
    // As if its greatest key were configured: nothing announces it.
    site.vcenter.inject(Fault::NextKey { key: 1 });
    site.vcenter.inject(Fault::SessionLost);
    site.vcenter.post(40);
    site.until_complete().await;
    assert_eq!(site.vcenter.status().collectors, 1);
    let site = Site::of_version("9.0.0.0").await;
    site.until_complete().await;
    site.vcenter.inject(Fault::NextKey { key: 2_147_480_000 - 5 });
    site.vcenter.post(20);
    site.until_complete().await;
    assert_eq!((site.gaps().await, site.vcenter.status().collectors), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vcenter_9_sends_without_a_key_is_captured_once_and_hides_nothing() {
    let site = Site::of_version("9.0.0.0").await;
    site.until_complete().await;
    let before = site.captured().await.len();
    for kind in [Malformation::MissingKey, Malformation::IllFormed] {
        site.vcenter.inject(Fault::Malformed { kind });
        site.vcenter.post(10);
    }
    site.until(|captured| captured.len() >= before + 22).await;
    assert_eq!((site.captured().await.len(), site.gaps().await), (before + 22, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_session_is_opened_again_and_nothing_is_lost() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.inject(Fault::SessionLost);
    site.vcenter.post(100);
    site.until_complete().await;
    assert!(site.source_status().reconnects >= 1);
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_and_empty_pages_hide_nothing() {
    let site = Site::open().await;
    site.vcenter.inject(Fault::ShortPages { events_max: 7 });
    site.until_complete().await;
    site.vcenter.inject(Fault::EmptyPages { count: 5 });
    site.vcenter.post(100);
    site.until_complete().await;
}

/// The source's collector reads nothing any more, while events go on for a while.
async fn goes_deaf_and_busy(site: &Site) {
    site.vcenter.inject(Fault::Stranded);
    site.vcenter.post(3);
    site.vcenter.set_rate(20.0).unwrap();
    site.until(|captured| captured.len() > 120).await;
    site.vcenter.set_rate(0.0).unwrap();
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_went_deaf_is_replaced() {
    let site = Site::open().await;
    site.until_complete().await;
    goes_deaf_and_busy(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_answer_holds_behind_a_deaf_collector_is_read_all_the_same() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.inject(Fault::Stranded);
    site.vcenter.post(2500);
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_cost_a_reconnect_and_no_event() {
    for fault in [
        Fault::Unavailable { count: 3 },
        Fault::Reset { count: 2 },
        Fault::Cut { count: 2 },
        Fault::CutWhole { count: 2 },
        Fault::Slow { ms: 100 },
    ] {
        let site = Site::open().await;
        site.until_complete().await;
        site.vcenter.inject(fault);
        site.vcenter.post(100);
        site.until_complete().await;
        assert_eq!(site.gaps().await, 0, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_cut_on_its_way_is_asked_for_again_and_nothing_of_it_is_called_malformed() {
    let site = Site::open().await;
    site.until_complete().await;
    for _ in 0..2 {
        // The source waits for news; what it asks next are the events.
        site.vcenter.inject(Fault::CutWhole { count: 1 });
        site.vcenter.post(50);
        site.until_complete().await;
    }
    let events = site.captured().await;
    assert!(events.iter().all(|(_, event)| !event.event_type().contains("malformed")));
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_cut_again_and_again_cost_no_standstill_no_gap_and_no_fragment() {
    for version in ["8.0.3.0", "9.0.0.0"] {
        let site = Site::of_version(version).await;
        site.until_complete().await;
        for _ in 0..25 {
            site.vcenter.inject(Fault::CutWhole { count: 1 });
            site.vcenter.post(40);
            site.vcenter.post(40);
        }
        site.until_complete().await;
        for _ in 0..10 {
            site.vcenter.inject(Fault::CutWhole { count: 1 });
            site.vcenter.post(1);
            site.until_complete().await;
        }
        let events = site.captured().await;
        assert!(events.iter().all(|(_, event)| !event.event_type().contains("malformed")));
        assert_eq!(site.gaps().await, 0, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_tomorrow_makes_no_gap_when_the_collector_goes_deaf() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.inject(Fault::Early { seconds: 86_400, count: 2 });
    site.vcenter.post(3);
    site.until_complete().await;
    goes_deaf_and_busy(&site).await;
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vcenter_shows_from_before_the_beginning_is_not_captured() {
    let site = Site::with(|config| config.begin = Period(Duration::from_secs(300))).await;
    let begin = site.position().await["begin"].as_str().unwrap().parse::<Timestamp>().unwrap();
    site.vcenter.inject(Fault::BeginIgnored);
    site.vcenter.inject(Fault::SessionLost);
    site.vcenter.post(10);
    let newest = i64::from(site.vcenter.status().next_key) - 1;
    site.until(|captured| captured.iter().any(|(_, event)| event.id() == newest.to_string())).await;
    let events = site.captured().await;
    assert!(events.len() < 100, "{} of 110 events", events.len());
    assert!(events.iter().all(|(_, event)| event.time().is_some_and(|time| time >= begin)));
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_vcenter_uses_keys_again_and_both_lives_are_kept() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.post(50);
    site.until_complete().await;
    let last = site.vcenter.status().next_key - 1;
    site.vcenter.inject(Fault::Restore { key: last - 30 });
    // A restore takes minutes; here it must at least take longer than two writings of one time differ.
    site.vcenter.inject(Fault::Skew { seconds: 120 });
    site.vcenter.post(60);
    site.until_complete().await;
    let second_life = site.captured().await.iter().filter(|(_, e)| e.id().ends_with("-2")).count();
    assert!(second_life >= 60, "{second_life} ids of the second life");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_vcenters_events_are_captured_though_namesakes_have_no_readable_time() {
    let mut site = Site::open().await;
    let until_all = async |site: &Site| {
        let produced = site.vcenter.event_count();
        site.until(|captured| captured.len() >= produced).await;
    };
    until_all(&site).await;
    let restored_to = site.vcenter.status().next_key - 1;
    // The first life: one event that has no time is followed by one that has one.
    site.vcenter.inject(Fault::Malformed { kind: Malformation::Time });
    site.vcenter.post(3);
    until_all(&site).await;
    site.vcenter.inject(Fault::Restore { key: restored_to });
    site.vcenter.inject(Fault::Skew { seconds: 120 });
    // The second one: it is the other way round.
    site.vcenter.post(1);
    site.vcenter.inject(Fault::Malformed { kind: Malformation::Time });
    site.vcenter.post(3);
    until_all(&site).await;
    // All that there is to list again is known.
    site.stop().await;
    site.start();
    site.vcenter.post(1);
    until_all(&site).await;
    let captured = site.captured().await;
    assert_eq!(captured.len(), site.vcenter.event_count());
    let ids: std::collections::BTreeSet<_> = captured.iter().map(|(_, it)| it.id()).collect();
    assert_eq!(ids.len(), captured.len());
    let has_no_time = captured.iter().filter(|(_, event)| event.time().is_none());
    assert_eq!(has_no_time.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_vcenter_that_forgot_everything_leaves_a_gap_event() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.restart(Restart { new_instance: false, drop_history: true });
    site.vcenter.post(40);
    site.until_complete().await;
    assert_eq!(site.gaps().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_vcenter_at_the_same_address_begins_an_epoch() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.restart(Restart { new_instance: true, drop_history: true });
    site.vcenter.post(40);
    site.until_complete().await;
    let captured = site.captured().await;
    assert!(captured.iter().any(|(_, event)| event.id() == "1-2"), "ids of the second life");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_overflow_or_go_back_are_captured() {
    let site = Site::open().await;
    site.until_complete().await;
    site.vcenter.inject(Fault::NextKey { key: i32::MAX - 5 });
    site.vcenter.post(20);
    site.until_complete().await;
    site.vcenter.inject(Fault::SessionLost);
    site.vcenter.post(20);
    site.until_complete().await;
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_or_unknown_event_costs_no_other_and_is_kept_with_a_flag() {
    let site = Site::open().await;
    site.until_complete().await;
    let before = site.captured().await.len();
    for kind in [
        Malformation::Time,
        Malformation::MissingKey,
        Malformation::Key,
        Malformation::Content,
        Malformation::IllFormed,
    ] {
        site.vcenter.inject(Fault::Malformed { kind });
        site.vcenter.post(10);
    }
    site.vcenter.inject(Fault::UnknownClass);
    site.vcenter.post(10);
    let produced = site.vcenter.event_count();
    site.until(|captured| captured.len() >= produced).await;
    let captured = site.captured().await;
    assert_eq!(captured.len(), produced);
    let flagged = captured[before..].iter().filter(|(_, e)| e.extension("pluvioflaw").is_some());
    assert!(flagged.count() >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_events_are_not_captured_again_after_a_reconnect() {
    let mut site = Site::open().await;
    site.vcenter.inject(Fault::Malformed { kind: Malformation::MissingKey });
    site.vcenter.inject(Fault::Malformed { kind: Malformation::Time });
    site.vcenter.post(10);
    site.until(|captured| captured.len() >= site.vcenter.event_count()).await;
    site.stop().await;
    site.start();
    site.vcenter.post(1);
    site.until(|captured| captured.len() >= site.vcenter.event_count()).await;
    let captured = site.captured().await;
    assert_eq!(captured.len(), site.vcenter.event_count());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_appears_late_is_found_by_the_next_reconnect() {
    let mut site = Site::open().await;
    site.until_complete().await;
    site.stop().await;
    site.vcenter.inject(Fault::Late { seconds: 30, count: 5 });
    site.start();
    site.until_complete().await;
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_appears_hours_late_is_found_by_the_sweep() {
    let mut site = Site::with(|config| {
        config.sweep = pluvio_net::unit::Period(std::time::Duration::from_millis(500));
    })
    .await;
    site.until_complete().await;
    site.stop().await;
    site.vcenter.inject(Fault::Late { seconds: 3000, count: 5 });
    site.start();
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_not_tried_again_at_once() {
    let site =
        Site::with(|config| config.password = pluvio_secret::SecretSource::literal("")).await;
    let told = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while site.source_status().error.is_none() {
            tokio::task::yield_now().await;
        }
    });
    told.await.unwrap();
    let status = site.source_status();
    assert_eq!(status.state, State::Connecting);
    let error = status.error.unwrap();
    assert!(error.message.contains("Login was refused"), "{}", error.message);
    assert!(error.remedy.unwrap().contains("check username and password"));
    let wait = status.retry_at.unwrap().duration_since(jiff::Timestamp::now());
    assert!(wait.as_secs() >= 58, "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_for_is_captured() {
    let site = Site::with(|config| config.event_types = vec!["VmPoweredOnEvent".to_owned()]).await;
    let produced = site.vcenter.events();
    let expected = produced.iter().filter(|event| event.class == "VmPoweredOnEvent").count();
    site.until(|captured| captured.len() >= expected).await;
    let captured = site.captured().await;
    let is_asked = |event: &pluvio_event::Event| event.event_type().contains("VmPoweredOnEvent");
    assert!(captured.iter().all(|(_, event)| is_asked(event)));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_used_again_after_retention_took_their_events_are_captured() {
    let retention = Retention { records_max: Some(10), ..Retention::default() };
    let memory = MemoryConfig { retention, ..MemoryConfig::default() };
    let site = Site::on(memory, |_| {}).await;
    let offsets =
        |captured: &[(Offset, Event)]| captured.last().map_or(0, |(offset, _)| offset.get());
    site.until(|captured| offsets(captured) >= 100).await;
    site.vcenter.restart(Restart { new_instance: false, drop_history: true });
    site.vcenter.inject(Fault::Skew { seconds: 120 });
    site.vcenter.post(40);
    // The login of the second life is one event more, and what went before is told as a gap.
    site.until(|captured| offsets(captured) >= 141).await;
    let captured = site.captured().await;
    assert!(captured.last().unwrap().1.id().ends_with("-2"), "ids of the second life");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_stores_nothing_twice_when_there_are_more_events_than_the_index_remembers() {
    let memory = MemoryConfig { ids_max: 50, ..MemoryConfig::default() };
    let mut site = Site::on(memory, |config| {
        config.sweep = pluvio_net::unit::Period(std::time::Duration::from_millis(200));
    })
    .await;
    site.until_complete().await;
    site.stop().await;
    site.start();
    site.vcenter.post(1);
    site.until_complete().await;
    // Three sweeps later there is still nothing twice.
    site.vcenter.set_rate(10.0).unwrap();
    site.until(|captured| captured.len() > 110).await;
    site.vcenter.set_rate(0.0).unwrap();
    site.until_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_listing_after_a_restart_stores_nothing_twice_that_the_log_has_forgotten() {
    for api_version in ["7.0.3.0", "9.0.0.0"] {
        let vcenter = VCenterConfig { api_version: api_version.to_owned(), ..Site::quiet() };
        let memory = MemoryConfig { ids_max: 50, ..MemoryConfig::default() };
        let mut site = Site::at(vcenter, memory, |config| {
            // All that has happened is listed again.
            config.overlap = pluvio_net::unit::Period(std::time::Duration::from_secs(900));
        })
        .await;
        site.until_complete().await;
        site.stop().await;
        site.vcenter.post(20);
        site.start();
        site.until(|captured| captured.len() > 120).await;
        site.vcenter.post(1);
        site.until_complete().await;
        assert_eq!(site.gaps().await, 0, "{api_version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_page_after_a_reconnect_is_no_gap() {
    let mut site = Site::open().await;
    site.until_complete().await;
    site.stop().await;
    site.vcenter.inject(Fault::EmptyPages { count: 1 });
    site.start();
    site.vcenter.post(5);
    site.until_complete().await;
    assert_eq!(site.gaps().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_first_connection_is_lost_is_captured_whatever_begin_says() {
    let mut site = Site::with(|config| {
        config.begin = pluvio_net::unit::Period(std::time::Duration::from_secs(1));
        config.event_types = vec!["com.example.none".to_owned()];
    })
    .await;
    // Noted though nothing was captured: the next connection begins there and not a second ago.
    let noted = site.position().await;
    assert_eq!(noted["time"], noted["begin"], "before the first look, not after a quiet minute");
    site.stop().await;
    site.start();
    assert_eq!(site.position().await["begin"], noted["begin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vcenter_that_is_never_quiet_is_swept_all_the_same() {
    let mut site = Site::with(|config| {
        config.sweep = pluvio_net::unit::Period(std::time::Duration::from_millis(300));
    })
    .await;
    site.until_complete().await;
    site.stop().await;
    site.vcenter.inject(Fault::Late { seconds: 3000, count: 5 });
    let late = site.vcenter.events().len() - 5;
    let late: Vec<_> = site.vcenter.events()[late..].iter().map(|e| e.created_time).collect();
    // Each answer takes longer than the next event, so that no page is ever empty.
    site.vcenter.set_rate(500.0).unwrap();
    site.vcenter.inject(Fault::Slow { ms: 20 });
    site.start();
    site.until(|captured| {
        let count = captured.iter().filter(|(_, e)| e.time().is_some_and(|t| late.contains(&t)));
        count.count() == late.len()
    })
    .await;
}

/// Found by an attack: the keys of what was captured under another filter were forgotten on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_section_that_returns_to_a_vcenter_with_another_filter_captures_nothing_twice() {
    let mut site = Site::open().await;
    site.until_complete().await;
    site.stop().await;
    let class = another_class(&site.captured().await);
    let other = VCenter::start(VCenterConfig { seed: 5, ..Site::quiet() }).await.unwrap();
    let (here, there) = (site.config.url.clone(), other.url());
    site.config.url = there.clone();
    site.start();
    let is_of = |event: &Event, url: &str| event.source().starts_with(url);
    site.until(|captured| captured.iter().any(|(_, event)| is_of(event, &there))).await;
    site.stop().await;
    site.config.url = here.clone();
    site.config.event_types = vec![class.clone()];
    let before = site.vcenter.event_count();
    while !site.vcenter.events()[before..].iter().any(|event| event.class == class) {
        site.vcenter.post(10);
    }
    let posted = site.vcenter.events().into_iter().rfind(|event| event.class == class).unwrap();
    site.start();
    let newest = posted.key.to_string();
    site.until(|captured| {
        captured.iter().any(|(_, event)| is_of(event, &here) && event.id() == newest)
    })
    .await;
    let captured = site.captured().await;
    let ids: BTreeSet<_> = captured.iter().map(|(_, it)| (it.source(), it.id())).collect();
    assert_eq!(ids.len(), captured.len());
}
