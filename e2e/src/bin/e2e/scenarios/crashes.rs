//! kill -9, again and again, in the middle of a storm: in the end the log holds exactly what the
//! cloud produced.
//!
//! The storm does not wait: the simulated vCenter makes 2,000 events a second all the time, and Pluvio
//! must catch up after each death. A life ends at a random instant, a quarter of them before Pluvio
//! serves at all, which is in the middle of its recovery.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    feed::{self, Seen},
    kafka::{Client, Reading},
    process::Process,
    servers::{Deployment, Pluvio, Simulator},
    stage::Stage,
    tools::{NotRun, Tool},
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::Instant;

use super::kafka::{STREAM, same};
use crate::{
    report::Counts,
    runner::{Lane, Scenario},
};

const EVENTS_PER_SECOND: u32 = 2_000;
/// How long a life lasts at most, once it serves.
const LIFE_MILLIS_MAX: u64 = 1_200;
/// How long one lasts at most that is to end before it serves.
const BIRTH_MILLIS_MAX: u64 = 40;
/// Catching up and reading everything in the end.
const ARRIVAL_MAX: Duration = Duration::from_secs(90);

/// `kills` is how often it is killed.
pub(crate) fn scenarios(kills: u32) -> Vec<Scenario> {
    let limit = Duration::from_secs(200) + Duration::from_secs(3) * kills;
    vec![
        Scenario::new(
            "killed again and again in a storm, the log holds exactly what the cloud produced",
            move |stage| killed_in_a_storm(stage, kills),
        )
        .needs(&[Tool::Kcat])
        .within(limit)
        .lane(Lane::Alone),
    ]
}

async fn killed_in_a_storm(stage: Arc<Stage>, kills: u32) -> Result<Counts> {
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let simulator = Simulator::start(&stage, 0).await?;
    let deployment = Deployment::of(&simulator);
    simulator.control(&format!("rate?per_second={EVENTS_PER_SECOND}")).await?;
    let (mut births, mut worst) = (0, Duration::ZERO);
    for _ in 0..kills {
        if rng.random_range(0..4) == 0 {
            let mut command = Pluvio::command(&stage, &deployment.setup())?;
            let mut process = Process::start("pluvio", &mut command, stage.folder.path())?;
            wait::a_moment(Duration::from_millis(rng.random_range(0..BIRTH_MILLIS_MAX))).await;
            // It may have refused to live: then this says why.
            let killed = process.kill().await;
            killed.with_context(|| process.stderr())?;
            births += 1;
            continue;
        }
        let begun = Instant::now();
        let mut pluvio = deployment.start(&stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        worst = worst.max(begun.elapsed());
        wait::a_moment(Duration::from_millis(rng.random_range(0..LIFE_MILLIS_MAX))).await;
        pluvio.kill().await?;
    }
    simulator.control("rate?per_second=0").await?;
    let mut pluvio = deployment.start(&stage).await?;
    let captured = captured(&pluvio, &simulator).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let by_kafka = by_kafka(&stage, &deployment.kafka()?).await?;
    Ok(Counts::default()
        .with("kills", kills)
        .with("before it served", births)
        .with("by HTTP", captured)
        .with("by Kafka", by_kafka)
        .with("missing", 0)
        .with("twice", 0)
        .with("worst start ms", worst.as_millis()))
}

/// Waits until all that has happened so far is watched, and compares one by one; gives how many.
pub(super) async fn captured(pluvio: &Pluvio, simulator: &Simulator) -> Result<usize> {
    let collector = pluvio.collect().await?;
    let last = simulator.produced().await?.last().context("nothing was produced")?.key;
    let has_last = |feed: &[Seen]| feed.last().and_then(Seen::key) >= Some((last, 1));
    let arrived = collector.until(&format!("key {last}"), ARRIVAL_MAX, has_last).await;
    let feed = collector.seen();
    // A login is an event, too, so that there may be more than before.
    let produced = simulator.produced().await?;
    feed::in_order_none_twice(&feed)?;
    let keys = feed::keys_of_life(&feed, 1);
    let newest = keys.last().copied().unwrap_or_default();
    feed::keys_are_contiguous(&keys, produced[0].key, newest)?;
    arrived?;
    ensure!(feed.len() <= produced.len(), "{} of {} watched", feed.len(), produced.len());
    for (seen, produced) in feed.iter().zip(&produced) {
        let kind = format!("com.vmware.vsphere.{}.v0", produced.class);
        // These two are called by what they say of themselves.
        let is_named_so = ["EventEx", "ExtendedEvent"].contains(&produced.class.as_str());
        let is_same = seen.id == produced.key.to_string()
            && seen.time == Some(produced.created_time)
            && (seen.kind == kind || is_named_so);
        ensure!(is_same, "{produced:?} was watched as {seen:?}");
    }
    Ok(feed.len())
}

/// A Kafka client sees the same, byte for byte; or why none was asked.
async fn by_kafka(stage: &Stage, deployment: &Deployment) -> Result<String> {
    let pluvio = deployment.start(stage).await?;
    let served = super::kafka::served(&pluvio).await?;
    let reading = Reading::of(STREAM).count(served.len());
    match Client::Kcat.read(stage, &deployment.access(), &reading).await {
        Ok(seen) => same(&seen, &served).map(|()| seen.len().to_string()),
        Err(error) if error.is::<NotRun>() => Ok("not run".to_owned()),
        Err(error) => Err(error),
    }
}
