//! Reading without a group: each client from each place, and places that are not there.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::{Begin, Client, Consumed, Reading},
    servers::{Deployment, Simulator},
    stage::Stage,
    wait,
};
use serde_json::Value;

use super::site::{ARRIVAL_MAX, STREAM, Served, Site, ask, offsets, same};
use crate::{report::Counts, runner::Scenario};

const EVENTS: usize = 400;
/// The promise about SIGTERM.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// A scenario's name for each client.
const SAME: [(Client, &str); 4] = [
    (Client::Kcat, "kafka: kcat sees what HTTP serves, from every place it may begin at"),
    (Client::Confluent, "kafka: confluent-kafka sees what HTTP serves, from every place"),
    (Client::Console, "kafka: Kafka's console consumer sees what HTTP serves, from every place"),
    (Client::Franz, "kafka: franz-go sees what HTTP serves, from every place"),
];

pub(super) fn scenarios() -> Vec<Scenario> {
    let same = SAME.map(|(client, name)| {
        Scenario::new(name, move |stage| same_as_http(stage, client)).needs(&[client.tool()])
    });
    let tools = Client::ALL.map(Client::tool);
    let others = [
        Scenario::new("kafka: a gap in the offsets is passed without trouble", a_gap),
        Scenario::new("kafka: an offset that retention deleted leads to the earliest", deleted),
        Scenario::new("kafka: SIGTERM with consumers connected ends in time", a_drain),
    ];
    same.into_iter().chain(others.map(|scenario| scenario.needs(&tools))).collect()
}

/// From the beginning, an offset, a time, and the end, where it waits for what comes.
async fn same_as_http(stage: Arc<Stage>, client: Client) -> Result<Counts> {
    let site = Site::start(&stage, EVENTS / 2).await?;
    // So that there are two times to tell apart.
    site.make(EVENTS / 2).await?;
    let served = site.served().await?;
    let (count, access) = (served.len(), site.access());
    let read = async |reading: Reading| client.read(&stage, &access, &reading).await;
    let whole = read(Reading::of(STREAM).count(count)).await?;
    same(&whole, &served).context("from the beginning")?;

    let middle = &served[count / 2 + 7];
    let rest: Vec<_> = served.iter().filter(|it| it.offset >= middle.offset).cloned().collect();
    let from = Reading::of(STREAM).from(Begin::Offset(middle.offset)).count(rest.len());
    same(&read(from).await?, &rest).context("from an offset")?;

    let newest = served.last().context("nothing is served")?.recorded;
    let begun = served.partition_point(|it| it.recorded < newest);
    let from = Reading::of(STREAM).from(Begin::Time(newest)).count(count - begun);
    same(&read(from).await?, &served[begun..]).context("from a time")?;

    let at_end = Reading::of(STREAM).from(Begin::End);
    let mut session = client.start(&stage, &access, &at_end).await?;
    site.until_seen(&mut session, 30).await?;
    let served = site.served().await?;
    let last = served.last().context("nothing is served")?.offset;
    let has_last = |seen: &[_]| offsets(seen).last() >= Some(&last);
    let tail = session.until_that("the newest", has_last).await?;
    ensure!(tail[0].offset > served[count - 1].offset, "the end is not the end");
    same(&tail, &served[served.len() - tail.len()..]).context("from the end")?;
    Ok(Counts::default()
        .with("served", served.len())
        .with("whole", whole.len())
        .with("from offset", rest.len())
        .with("from time", count - begun)
        .with("from the end", tail.len()))
}

/// Offsets are the cloud's keys, and a cloud may skip some.
async fn a_gap(stage: Arc<Stage>) -> Result<Counts> {
    let site = Site::start(&stage, 50).await?;
    for hidden in [1, 700, 100_000] {
        site.simulator.control(&format!("faults/key-gap?count={hidden}")).await?;
        site.make(50).await?;
    }
    let served = site.served().await?;
    let ends = served.first().zip(served.last()).context("nothing is served")?;
    let span = ends.1.offset - ends.0.offset + 1;
    ensure!(span > 100_000, "there is no gap: this scenario is none");
    let before = served.iter().rposition(|it| it.offset < ends.1.offset - 60);
    let before = before.context("no event before the gap")?;
    for client in Client::ALL {
        let whole = Reading::of(STREAM).count(served.len());
        let seen = client.read(&stage, &site.access(), &whole).await?;
        same(&seen, &served).with_context(|| format!("{client:?}"))?;
        // An offset in the middle of the gap is none of a record.
        let inside = served[before].offset + 1_000;
        let rest = &served[before + 1..];
        let from = Reading::of(STREAM).from(Begin::Offset(inside)).count(rest.len());
        let seen = client.read(&stage, &site.access(), &from).await?;
        same(&seen, rest).with_context(|| format!("{client:?} from inside the gap"))?;
    }
    Ok(Counts::default().with("events", served.len()).with("offsets between", span))
}

/// In memory, where retention counts records and need not wait for a segment to be full.
async fn deleted(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let log = "type = \"memory\"\nretention_records = 100";
    let deployment = Deployment::of(&simulator).log(log).kafka()?;
    let site = Site::deploy(&stage, simulator, deployment, 200).await?;
    wait::until("events to be deleted", ARRIVAL_MAX, async || {
        site.make(20).await?;
        let range: Value = ask(&site.pluvio, "/api/v1/range").await?.json()?;
        Ok(range["earliest"].as_i64().filter(|earliest| *earliest > 150))
    })
    .await?;
    let served = site.served().await?;
    for client in Client::ALL {
        let from = Reading::of(STREAM).from(Begin::Offset(5)).count(served.len());
        let seen = client.read(&stage, &site.access(), &from).await;
        same(&seen.with_context(|| format!("{client:?}"))?, &served)
            .with_context(|| format!("{client:?}"))?;
    }
    Ok(Counts::default().with("earliest", served[0].offset).with("events", served.len()))
}

/// The newest records, if they lie at the offsets of all that is `served`.
fn newest<'a>(seen: &'a [Consumed], served: &[Served]) -> Option<&'a [Consumed]> {
    let newest = seen.get(seen.len().checked_sub(served.len())?..)?;
    let mut pairs = newest.iter().zip(served);
    pairs.all(|(seen, served)| seen.offset == served.offset).then_some(newest)
}

/// Consumers that wait for more hold up nothing.
async fn a_drain(stage: Arc<Stage>) -> Result<Counts> {
    let mut site = Site::start(&stage, 100).await?;
    let served = site.served().await?;
    let mut sessions = Vec::new();
    for client in Client::ALL {
        let alone = client.start(&stage, &site.access(), &Reading::of(STREAM)).await?;
        let group = Reading::of(STREAM).group(&format!("{client:?}"));
        let member = client.start(&stage, &site.access(), &group).await?;
        sessions.extend([(client, false, alone), (client, true, member)]);
    }
    for (_, _, session) in &mut sessions {
        let seen = session.until(served.len()).await?;
        same(&seen, &served)?;
    }
    let (status, took) = site.pluvio.terminate(DRAIN_MAX * 2).await?;
    ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    ensure!(took <= DRAIN_MAX, "SIGTERM took {:.2}s", took.as_secs_f64());
    let log = site.pluvio.process().stderr();
    ensure!(log.contains("is_clean=true"), "the drain was not clean");
    let consumers = sessions.len();
    // Started again, it is found again by all who look; kcat ends when its last broker is gone.
    sessions.retain(|(client, ..)| *client != Client::Kcat);
    site.pluvio = site.deployment.start(&stage).await?;
    site.pluvio.until_ready(ARRIVAL_MAX).await?;
    site.make(50).await?;
    let served = site.served().await?;
    for (client, is_member, session) in &mut sessions {
        // A member may be sent back to its group's commit, of which there is none here; whoever reads
        // alone never goes back.
        let has_all = |seen: &[Consumed]| newest(seen, &served).is_some();
        let seen = session.until_that("everything in order", has_all).await;
        let seen = seen.with_context(|| format!("{client:?}"))?;
        let went_back = seen.len() > served.len();
        ensure!(*is_member || !went_back, "a consumer went back: {:?}", offsets(&seen));
        same(newest(&seen, &served).unwrap_or_default(), &served).context("after the restart")?;
    }
    Ok(Counts::default().with("consumers", consumers).with("ms to the end", took.as_millis()))
}
