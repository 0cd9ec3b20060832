//! What Pluvio captured happens again: `pluvio simulate … --from`, read by public clients and captured by
//! a second Pluvio.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    feed::{self, Seen},
    servers::{Deployment, Govc, Pluvio, SimulatedCloudstack, Simulator, Source},
    stage::Stage,
    tools::Tool,
};
use serde_json::Value;

use super::faults::until_feed_is_true;
use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(60);
const BACKLOG: usize = 2_000;
/// A vCenter has no larger page.
const SHOWN_MAX: usize = 1_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a captured day of a vCenter happens again in seconds, for govc and for a second Pluvio",
            a_day_of_a_vcenter,
        ),
        Scenario::new(
            "captured events of a CloudStack happen again, for cs and for a second Pluvio",
            events_of_a_cloudstack,
        )
        .needs(&[Tool::Cloudstack]),
    ]
}

/// Seconds of the recorded day in a second: its last events come while the second Pluvio captures.
const SPEED: &str = "20000";

async fn a_day_of_a_vcenter(stage: Arc<Stage>) -> Result<Counts> {
    let recorded = {
        let simulator = Simulator::start(&stage, BACKLOG).await?;
        let mut pluvio = day_of(&simulator).start(&stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        simulator.control("post?count=500").await?;
        simulator.control("faults/late?seconds=30&count=5").await?;
        let collector = pluvio.collect().await?;
        until_feed_is_true(&simulator, &collector, ARRIVAL_MAX).await?;
        let recorded = collector.seen();
        pluvio.terminate(ARRIVAL_MAX).await?;
        recorded
    };
    feed::in_order_none_twice(&recorded)?;
    let options = ["--speed", SPEED];
    let again = Simulator::of_recording(&stage, Deployment::DATA, &options).await?;
    let second = day_of(&again).log("dir = \"again\"").start(&stage).await?;
    let captured = captured_again(&second, recorded.len()).await?;
    let played = again.until_played(ARRIVAL_MAX).await?;
    ensure!(played as usize == recorded.len(), "{played} of {} events", recorded.len());
    same(&recorded, &captured)?;

    let govc = Govc::of_simulator(&stage, &again).await?;
    let shown = govc.events(SHOWN_MAX).await?;
    ensure!(shown.len() == SHOWN_MAX, "govc shows {} events", shown.len());
    for (shown, recorded) in shown.iter().zip(&recorded[recorded.len() - SHOWN_MAX..]) {
        // Of this class the type's id is not shown.
        let is_named = shown.class == "ExtendedEvent"
            || recorded.kind == format!("com.vmware.vsphere.{}.v0", shown.class);
        let is_same = shown.key.to_string() == recorded.id
            && Some(shown.created_time) == recorded.time
            && is_named;
        ensure!(is_same, "govc shows {shown:?} for {recorded:?}");
    }
    let named = recorded.iter().filter_map(|seen| seen.subject.as_deref());
    let named = feed::bag(named.filter(|subject| subject.starts_with("VirtualMachine/"))).len();
    let machines = govc.machines().await?.len();
    ensure!(machines >= named, "govc finds {machines} machines, and events are about {named}");
    Ok(Counts::default()
        .with("recorded", recorded.len())
        .with("captured again", captured.len())
        .with("shown by govc", shown.len())
        .with("machines", machines))
}

fn day_of(simulator: &Simulator) -> Deployment {
    Deployment::of(Source { more: "begin = \"25h\"".to_owned(), ..Source::from(simulator) })
}

async fn events_of_a_cloudstack(stage: Arc<Stage>) -> Result<Counts> {
    let section = |cloud: &SimulatedCloudstack| cloud.section("cloud", "begin = \"2d\"");
    let recorded = {
        let cloud = SimulatedCloudstack::start(&stage, "4.20", BACKLOG).await?;
        let mut pluvio = Deployment::of_section(section(&cloud)).start(&stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        let recorded = captured_again(&pluvio, cloud.happened().await?.len()).await?;
        pluvio.terminate(ARRIVAL_MAX).await?;
        recorded
    };
    // What a CloudStack has created is not asked for a second time when its time is long past, so all of
    // it happens before somebody asks.
    let options = ["--speed", "1000000"];
    let again = SimulatedCloudstack::of_recording(&stage, Deployment::DATA, &options).await?;
    let played = again.until_played(ARRIVAL_MAX).await?;
    ensure!(played as usize == recorded.len(), "{played} of {} events", recorded.len());
    let deployment = Deployment::of_section(section(&again)).log("dir = \"again\"");
    let second = deployment.start(&stage).await?;
    let captured = captured_again(&second, recorded.len()).await?;
    same(&recorded, &captured)?;

    let listed = again.listed_by_cs(&stage).await?;
    ensure!(listed.len() == recorded.len(), "cs lists {} events", listed.len());
    for seen in &recorded {
        let row: Option<Value> =
            seen.data.as_ref().and_then(|d| serde_json::from_str(d.get()).ok());
        let row = row.with_context(|| format!("{seen:?} is no row"))?;
        ensure!(
            listed.get(&seen.id) == Some(&row),
            "cs lists {:?} for {row}",
            listed.get(&seen.id)
        );
    }
    Ok(Counts::default()
        .with("recorded", recorded.len())
        .with("captured again", captured.len())
        .with("listed by cs", listed.len()))
}

/// Everything that a Pluvio captured, once it is so many events.
async fn captured_again(pluvio: &Pluvio, count: usize) -> Result<Vec<Seen>> {
    let collector = pluvio.collect().await?;
    let has_all = |feed: &[Seen]| feed.len() >= count;
    collector.until(&format!("{count} events"), ARRIVAL_MAX, has_all).await?;
    Ok(collector.seen())
}

/// The same events in the same order, to the byte of their data.
fn same(recorded: &[Seen], captured: &[Seen]) -> Result<()> {
    for (before, after) in recorded.iter().zip(captured) {
        let data = |seen: &Seen| seen.data.as_ref().map(|data| data.get().to_owned());
        let is_same = (&before.id, &before.kind, &before.subject, before.time)
            == (&after.id, &after.kind, &after.subject, after.time)
            && data(before) == data(after);
        ensure!(is_same, "{before:?} was captured again as {after:?}");
    }
    ensure!(recorded.len() == captured.len(), "{} of {}", captured.len(), recorded.len());
    Ok(())
}
