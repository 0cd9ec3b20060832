//! Consumer groups: who reads what, what was committed, and what survives.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::{Client, Consumed, Reading, Session},
    stage::Stage,
    tools::Tool,
    wait,
};

use super::{
    ground::{Apache, BOTH, Clouds, Ground, OTHER},
    site::{ARRIVAL_MAX, STREAM, Site, offsets, same},
};
use crate::{report::Counts, runner::Scenario};

const GROUP: &str = "gauges";

const RESUME: [(Client, &str); 4] = [
    (Client::Kcat, "kafka: kcat resumes behind its commit, whoever was restarted or killed"),
    (Client::Confluent, "kafka: confluent-kafka resumes behind its commit, whoever restarted"),
    (Client::Console, "kafka: Kafka's console consumer resumes behind its commit"),
    (Client::Franz, "kafka: franz-go resumes behind its commit, whoever was restarted or killed"),
];
const TAKE_OVER: [(Client, &str); 2] = [
    (Client::Confluent, "kafka: of two confluent-kafka one reads, the other takes over"),
    (Client::Franz, "kafka: of two franz-go one reads, the other takes over"),
];
const SHARE: [(Client, &str); 2] = [
    (Client::Confluent, "kafka: two confluent-kafka get one of two streams each"),
    (Client::Franz, "kafka: two franz-go get one of two streams each"),
];

pub(super) fn scenarios() -> Vec<Scenario> {
    let resume = RESUME.map(|(client, name)| {
        Scenario::new(name, move |stage| resume(stage, client)).needs(&[client.tool()])
    });
    let take_over = TAKE_OVER.map(|(client, name)| {
        let run = move |stage: Arc<Stage>| async move {
            take_over(&stage, client, &Clouds::start(&stage).await?).await
        };
        Scenario::new(name, run).needs(&[client.tool()])
    });
    let share = SHARE.map(|(client, name)| {
        let run = move |stage: Arc<Stage>| async move {
            share(&stage, client, &Clouds::start(&stage).await?).await
        };
        Scenario::new(name, run).needs(&[client.tool()])
    });
    let apache = Scenario::new("kafka: groups do the same on Apache Kafka", on_apache).needs(&[
        Tool::Kafka,
        Tool::Kcat,
        Tool::Confluent,
        Tool::Franz,
    ]);
    resume.into_iter().chain(take_over).chain(share).chain([apache]).collect()
}

/// What is expected of Pluvio's groups, expected of Kafka's.
async fn on_apache(stage: Arc<Stage>) -> Result<Counts> {
    let ground = Apache::start(&stage).await?;
    for client in [Client::Confluent, Client::Franz] {
        share(&stage, client, &ground).await.with_context(|| format!("{client:?} share"))?;
        take_over(&stage, client, &ground).await.with_context(|| format!("{client:?}"))?;
    }
    Ok(Counts::default().with("clients", 2))
}

/// Four members after each other; between them nothing happens, Pluvio is restarted, and Pluvio is
/// killed. Together they read everything once.
async fn resume(stage: Arc<Stage>, client: Client) -> Result<Counts> {
    const SHARE: usize = 60;
    let mut site = Site::start(&stage, 4 * SHARE).await?;
    let served = site.served().await?;
    let reading = Reading::of(STREAM).group(GROUP).count(SHARE);
    let mut seen = client.read(&stage, &site.access(), &reading).await.context("the first")?;
    seen.extend(client.read(&stage, &site.access(), &reading).await.context("the second")?);
    same(&seen, &served[..2 * SHARE]).context("after a restart of the consumer")?;

    site.pluvio.terminate(ARRIVAL_MAX).await?;
    site.pluvio = site.deployment.start(&stage).await?;
    seen.extend(client.read(&stage, &site.access(), &reading).await.context("the third")?);
    same(&seen, &served[..3 * SHARE]).context("after a restart of Pluvio")?;

    site.pluvio.kill().await?;
    site.pluvio = site.deployment.start(&stage).await?;
    seen.extend(client.read(&stage, &site.access(), &reading).await.context("the fourth")?);
    same(&seen, &served[..4 * SHARE]).context("after the death of Pluvio")?;
    Ok(Counts::default().with("members", 4).with("read", seen.len()).with("twice", 0))
}

/// There is one partition: one member has it, until it leaves or dies.
async fn take_over(stage: &Stage, client: Client, ground: &impl Ground) -> Result<Counts> {
    let access = ground.access();
    ground.make(STREAM, 100).await?;
    let member = Reading::of(STREAM).group(&format!("{GROUP}-{client:?}"));
    let start = async || client.start(stage, &access, &member).await;
    let mut first = start().await?;
    first.until(ground.offsets(STREAM).await?.len()).await?;
    let mut second = start().await?;
    // Whichever of the two has it now.
    second.until_that_assigned("something or nothing", |_| true).await?;
    let mut read = first.leave().await?;
    let of_first = read.len();
    second.until_assigned(&[STREAM]).await.context("after the first left")?;
    let of_second = until_newest(ground, &mut second).await?;
    read.extend(of_second);
    read.sort_by_key(|record| record.offset);
    let all = ground.offsets(STREAM).await?;
    ensure!(offsets(&read) == all, "the first and the second read {:?}", offsets(&read));

    let mut third = start().await?;
    third.until_that_assigned("something or nothing", |_| true).await?;
    let of_second = second.kill().await?.len();
    third.until_assigned(&[STREAM]).await.context("after the second died")?;
    let of_third = offsets(&until_newest(ground, &mut third).await?);
    let all = ground.offsets(STREAM).await?;
    let begun = all.len() - of_third.len();
    ensure!(of_third == all[begun..], "the third read {of_third:?}");
    ensure!(begun <= read.len(), "nobody read {} records", begun - read.len());
    ensure!(begun >= of_first, "what the first committed was read again");
    third.leave().await?;
    Ok(Counts::default()
        .with("first", of_first)
        .with("second", of_second)
        .with("third", of_third.len()))
}

/// Makes records and waits until a member has the newest; gives all that it read.
async fn until_newest(ground: &impl Ground, member: &mut Session) -> Result<Vec<Consumed>> {
    ground.make(STREAM, 100).await?;
    let newest = ground.offsets(STREAM).await?.last().copied();
    member.until_that("the newest", |seen| offsets(seen).last().copied() == newest).await
}

/// Two streams, two members: one each; when one leaves, the other has both.
async fn share(stage: &Stage, client: Client, ground: &impl Ground) -> Result<Counts> {
    let access = ground.access();
    for topic in BOTH {
        ground.make(topic, 100).await?;
    }
    let topics = BOTH.map(str::to_owned).to_vec();
    let group = format!("{GROUP}-{client:?}-of-two");
    let member = Reading { topics, ..Reading::of(STREAM) }.group(&group);
    let mut first = client.start(stage, &access, &member).await?;
    first.until_assigned(&BOTH).await?;
    let mut second = client.start(stage, &access, &member).await?;
    second.until_that_assigned("one of two streams", |topics| topics.len() == 1).await?;
    first.until_that_assigned("the other stream", |topics| topics.len() == 1).await?;
    let (one, two) = (first.assigned()?, second.assigned()?);
    ensure!(one != two, "both have {one:?}");
    let mut counts = Counts::default();
    for topic in BOTH {
        ground.make(topic, 100).await?;
        let all = ground.offsets(topic).await?;
        wait::until(&format!("{topic} to be read"), ARRIVAL_MAX, async || {
            let mut seen = [first.records()?, second.records()?].concat();
            seen.retain(|record| record.topic == topic);
            let mut read = offsets(&seen);
            read.sort_unstable();
            let is_once = read.windows(2).all(|pair| pair[0] < pair[1]);
            ensure!(is_once, "{topic} was read twice: {read:?}");
            Ok((read == all).then_some(()))
        })
        .await?;
        counts = counts.with(if topic == OTHER { "of hills" } else { "of events" }, all.len());
    }
    first.leave().await?;
    second.until_assigned(&BOTH).await?;
    second.leave().await?;
    Ok(counts)
}
