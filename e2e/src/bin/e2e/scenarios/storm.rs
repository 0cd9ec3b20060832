//! More events than usual, and trouble in the middle of them.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use pluvio_e2e::{
    feed::{self, Seen},
    servers::{Pluvio, Setup, Vcsim, VcsimOptions},
    soap::Soap,
    stage::Stage,
    wait,
};
use rustix::process::Signal;
use tokio::{task::JoinHandle, time::interval};

use crate::{
    report::Counts,
    runner::{Lane, Scenario},
};

const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// For what only a quiet minute uncovers.
const WATCHDOG_MAX: Duration = Duration::from_secs(150);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a storm of power operations over several connections is captured in order",
            a_storm_of_power_operations,
        )
        .lane(Lane::Alone),
        Scenario::new(
            "a session that another client ends mid-stream costs no event and doubles none",
            a_session_that_another_client_ends,
        ),
        Scenario::new(
            "Pluvio killed mid-storm and started again captures from `begin` on",
            pluvio_killed_mid_storm,
        ),
        Scenario::new(
            "events that vcsim forgot before Pluvio could read them become one gap event",
            what_vcsim_forgot,
        )
        .lane(Lane::Patient),
    ]
}

/// vcsim keeps 1,000 unread events only, so that falling behind for half a second is loss.
async fn a_storm_of_power_operations(stage: Arc<Stage>) -> Result<Counts> {
    const EVENTS_PER_SECOND: f64 = 2_400.0;
    const DURATION: Duration = Duration::from_secs(6);
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 20, tls: false }).await?;
    let pluvio = Pluvio::capture(&stage, &vcsim).await?;
    let collector = pluvio.collect().await?;
    let begun = Timestamp::now();
    let storm = vcsim.storm(EVENTS_PER_SECOND, DURATION).run().await?;
    let mut soap = vcsim.login().await?;
    let last = soap.newest_event().await?.key;
    collector.until(&format!("key {last}"), ARRIVAL_MAX, |feed| has(feed, last)).await?;
    let feed = collector.seen();
    feed::in_order_none_twice(&feed)?;
    // A switch that was answered may still make its events when the newest one is asked for.
    let keys = feed::keys_of_life(&feed, 1);
    let last = keys.last().map_or(last, |seen| last.max(*seen));
    feed::keys_are_contiguous(&keys, 1, last)?;
    Ok(Counts::default()
        .with("events/s", storm.events_per_second().round())
        .with("in the storm", storm.events)
        .with("switches refused", storm.refused)
        .with("longest way ms", feed::longest_way(&feed, begun).as_millis())
        .with("watched", feed.len())
        .with("missing", 0))
}

async fn a_session_that_another_client_ends(stage: Arc<Stage>) -> Result<Counts> {
    const TIMES: u64 = 3;
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: false }).await?;
    let pluvio = Pluvio::capture(&stage, &vcsim).await?;
    let collector = pluvio.collect().await?;
    let poster = vcsim.login().await?;
    let spared = [poster.session().to_owned()];
    let posting = post(poster, 1_000, 150);
    let mut other = vcsim.login().await?;
    for time in 0..TIMES {
        let ended = other.terminate_others(&spared).await?;
        ensure!(ended == 1, "{ended} sessions were ended, but Pluvio has one");
        pluvio.until_reconnected(time, ARRIVAL_MAX).await?;
    }
    let last = end(posting).await?;
    collector.until(&format!("key {last}"), ARRIVAL_MAX, |feed| has(feed, last)).await?;
    let feed = collector.seen();
    feed::in_order_none_twice(&feed)?;
    feed::keys_are_contiguous(&feed::keys_of_life(&feed, 1), 1, last)?;
    let gaps = feed.iter().filter(|seen| seen.is_gap()).count();
    ensure!(gaps == 0, "{gaps} gap events, although nothing was lost");
    Ok(Counts::default()
        .with("sessions ended", TIMES)
        .with("watched", feed.len())
        .with("missing", 0))
}

/// Pluvio sleeps while more events happen than vcsim remembers: those in between are lost to
/// everybody, and the feed says so between the last event before and the first one after.
async fn what_vcsim_forgot(stage: Arc<Stage>) -> Result<Counts> {
    const POSTED: u32 = 2_500;
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: false }).await?;
    let mut pluvio = Pluvio::capture(&stage, &vcsim).await?;
    let collector = pluvio.collect().await?;
    let mut soap = vcsim.login().await?;
    let before = soap.newest_event().await?.key;
    collector.until(&format!("key {before}"), ARRIVAL_MAX, |feed| has(feed, before)).await?;
    pluvio.process().signal(Signal::STOP)?;
    for number in 0..POSTED {
        soap.post_event("com.example.drop", &format!("drop {number}")).await?;
    }
    pluvio.process().signal(Signal::CONT)?;
    let last = soap.newest_event().await?.key;
    collector.until(&format!("key {last}"), WATCHDOG_MAX, |feed| has(feed, last)).await?;
    let feed = collector.seen();
    feed::in_order_none_twice(&feed)?;
    let keys = feed::keys_of_life(&feed, 1);
    let lost = last - i64::try_from(keys.len())?;
    ensure!(lost > 0, "nothing was lost: this scenario is none");
    let gaps: Vec<usize> = (0..feed.len()).filter(|at| feed[*at].is_gap()).collect();
    let [gap] = gaps[..] else { bail!("{lost} events are lost, and gap events are at {gaps:?}") };
    let (old, new) = feed.split_at(gap);
    let (old, new) = (feed::keys_of_life(old, 1), feed::keys_of_life(new, 1));
    let first_new = last + 1 - i64::try_from(new.len())?;
    feed::keys_are_contiguous(&old, 1, i64::try_from(old.len())?)?;
    feed::keys_are_contiguous(&new, first_new, last)?;
    Ok(Counts::default()
        .with("happened", last)
        .with("watched", keys.len())
        .with("lost", lost)
        .with("gap events", gaps.len()))
}

/// Three lives: the second begins where the first did, the third two seconds before its start. The
/// storm stays below the thousand events that vcsim remembers.
async fn pluvio_killed_mid_storm(stage: Arc<Stage>) -> Result<Counts> {
    const BEGIN: SignedDuration = SignedDuration::from_secs(2);
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 4, tls: false }).await?;
    stage.folder.write("username", Vcsim::USERNAME)?;
    stage.folder.write("password", Vcsim::PASSWORD)?;
    let setup = |begin: &str| {
        let begin = ("VCENTER_STREAM_BEGIN", begin.to_owned());
        Setup::Environment(vec![("VCENTER_URL", vcsim.url()), begin])
    };
    let mut first = Pluvio::start(&stage, &setup("10m")).await?;
    first.until_ready(ARRIVAL_MAX).await?;
    let collector = first.collect().await?;
    let posting = post(vcsim.login().await?, 800, 160);
    collector.until("200 events", ARRIVAL_MAX, |feed| feed.len() > 200).await?;
    first.kill().await?;
    let first_feed = collector.seen();
    feed::in_order_none_twice(&first_feed)?;
    feed::keys_are_contiguous(
        &feed::keys_of_life(&first_feed, 1),
        1,
        i64::try_from(first_feed.len())?,
    )?;

    let second = Pluvio::start(&stage, &setup("10m")).await?;
    second.until_ready(ARRIVAL_MAX).await?;
    let collector = second.collect().await?;
    let last = end(posting).await?;
    ensure!(last <= Vcsim::EVENTS_MAX, "{last} events are more than vcsim remembers");
    collector.until(&format!("key {last}"), ARRIVAL_MAX, |feed| has(feed, last)).await?;
    let second_feed = collector.seen();
    feed::in_order_none_twice(&second_feed)?;
    feed::keys_are_contiguous(&feed::keys_of_life(&second_feed, 1), 1, last)?;

    let third_feed = third_life(&stage, &setup("2s"), BEGIN, &second_feed).await?;
    Ok(Counts::default()
        .with("first life", first_feed.len())
        .with("second life", second_feed.len())
        .with("third life, begin 2s", third_feed)
        .with("missing", 0))
}

/// A life that begins `begin` before its start shows exactly what happened since, of what the
/// `whole` feed has.
async fn third_life(
    stage: &Stage,
    setup: &Setup,
    begin: SignedDuration,
    whole: &[Seen],
) -> Result<usize> {
    let earliest = Timestamp::now() - begin;
    let third = Pluvio::start(stage, setup).await?;
    third.until_ready(ARRIVAL_MAX).await?;
    let latest = Timestamp::now() - begin;
    let collector = third.collect().await?;
    let last = whole.last().context("nothing was captured")?.id.clone();
    let has_last = |feed: &[Seen]| feed.iter().any(|seen| seen.id == last);
    collector.until(&format!("key {last}"), ARRIVAL_MAX, has_last).await?;
    let feed = collector.seen();
    feed::in_order_none_twice(&feed)?;
    let too_old = feed.iter().find(|seen| seen.time < Some(earliest));
    ensure!(too_old.is_none(), "an event from before `begin` was captured: {too_old:?}");
    for seen in whole.iter().filter(|seen| seen.time >= Some(latest)) {
        let is_there = feed.iter().any(|other| other.id == seen.id);
        ensure!(is_there, "an event from after `begin` is missing: {seen:?}");
    }
    ensure!(feed.len() < whole.len(), "`begin` left nothing out");
    Ok(feed.len())
}

/// Posts events at a steady rate, then one that says that it was the last; gives the session back.
fn post(mut soap: Soap, count: u32, per_second: u32) -> JoinHandle<Result<Soap>> {
    tokio::spawn(async move {
        let mut pace = interval(Duration::from_secs(1) / per_second);
        for number in 0..count {
            pace.tick().await;
            soap.post_event("com.example.drop", &format!("drop {number}")).await?;
        }
        Ok(soap)
    })
}

/// Waits for the poster and gives the key of the newest event.
async fn end(posting: JoinHandle<Result<Soap>>) -> Result<i64> {
    let mut soap = wait::at_most("posting", ARRIVAL_MAX, async { posting.await? }).await?;
    Ok(soap.newest_event().await?.key)
}

fn has(feed: &[Seen], key: i64) -> bool {
    feed.iter().rev().any(|seen| seen.key() == Some((key, 1)))
}
