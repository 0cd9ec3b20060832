//! Kafka's own command line tools on Pluvio: they list and describe, and are refused when they write.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::{Admin, Client, Reading},
    servers::Pluvio,
    stage::Stage,
    tools::Tool,
};

use super::site::{STREAM, Site, ask};
use crate::{report::Counts, runner::Scenario};

const EVENTS: usize = 100;
const GROUP: &str = "gauges";
/// A Java machine on a busy computer.
const PRODUCER_MAX: Duration = Duration::from_secs(60);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("kafka: kafka-topics, -configs and -get-offsets tell of streams", topics)
            .needs(&[Tool::Kafka]),
        Scenario::new(
            "kafka: kafka-consumer-groups tells of groups, their commits and lag",
            groups,
        )
        .needs(&[Tool::Kafka]),
        Scenario::new("kafka: whoever produces is refused, and told why", producing)
            .needs(&[Tool::Kafka, Tool::Kcat]),
        Scenario::new("kafka: a Java producer is told once and does not ask again", producer)
            .needs(&[Tool::Kafka]),
        Scenario::new("kafka: kafka-consumer-groups deletes groups and their commits", deleting)
            .needs(&[Tool::Kafka]),
    ]
}

async fn topics(stage: Arc<Stage>) -> Result<Counts> {
    let site = Site::start(&stage, EVENTS).await?;
    let served = site.served().await?;
    let (first, last) = served.first().zip(served.last()).context("nothing is served")?;
    let admin = Admin::new(&stage, &site.access())?;
    let listed = admin.topics(&["--list"]).await?.ok()?;
    let listed: Vec<&str> = listed.lines().collect();
    ensure!(listed.contains(&STREAM), "listed are {listed:?}");
    let internal = listed.iter().find(|name| name.starts_with("__"));
    ensure!(internal.is_none(), "an internal stream is listed: {internal:?}");
    let described = admin.topics(&["--describe", "--topic", STREAM]).await?.ok()?;
    for part in ["PartitionCount: 1", "Partition: 0", "Leader: ", "Isr: "] {
        ensure!(described.contains(part), "no `{part}` in: {described}");
    }
    let unknown = admin.topics(&["--describe", "--topic", "drought"]).await?;
    ensure!(!unknown.is_success, "a stream that is not there is described: {}", unknown.out);
    let arguments = ["--describe", "--entity-type", "topics", "--entity-name", STREAM, "--all"];
    let configured = admin.configs(&arguments).await?.ok()?;
    ensure!(configured.contains("cleanup.policy=delete"), "configured is {configured}");
    let earliest = admin.offset_at(STREAM, "-2").await?;
    let next = admin.offset_at(STREAM, "-1").await?;
    ensure!(earliest <= first.offset, "the earliest offset is {earliest}");
    ensure!(next == last.offset + 1, "the next offset is {next}, the last was {}", last.offset);
    let newest = admin.offset_at(STREAM, "-3").await?;
    let of_newest = served.iter().find(|it| it.offset == newest).map(|it| it.recorded);
    ensure!(of_newest == Some(last.recorded), "the largest time is told of offset {newest}");
    Ok(Counts::default().with("listed", listed.len()).with("next", next))
}

async fn groups(stage: Arc<Stage>) -> Result<Counts> {
    const READ: usize = 40;
    let site = Site::start(&stage, EVENTS).await?;
    let served = site.served().await?;
    let reading = Reading::of(STREAM).group(GROUP).count(READ);
    Client::Console.read(&stage, &site.access(), &reading).await?;
    let admin = Admin::new(&stage, &site.access())?;
    let listed = admin.groups(&["--list"]).await?.ok()?;
    ensure!(listed.lines().any(|name| name.trim() == GROUP), "listed are {listed}");
    let described = admin.groups(&["--describe", "--group", GROUP]).await?.ok()?;
    let row = described.lines().find(|line| line.split_whitespace().nth(1) == Some(STREAM));
    let row: Vec<&str> = row.with_context(|| described.clone())?.split_whitespace().collect();
    // Group, topic, partition, committed, next, lag, …
    let committed = served[READ].offset;
    let next = served.last().context("nothing is served")?.offset + 1;
    let wanted = [0, committed, next, next - committed].map(|number| number.to_string());
    ensure!(row.get(2..6) == Some(&wanted.each_ref().map(String::as_str)[..]), "{row:?}");

    let member = Reading::of(STREAM).group(GROUP);
    let mut session = Client::Console.start(&stage, &site.access(), &member).await?;
    session.until(served.len() - READ).await?;
    let arguments = ["--describe", "--group", GROUP, "--members", "--state"];
    let state = admin.groups(&arguments[..4]).await?.ok()?;
    ensure!(state.contains(GROUP), "no member is told: {state}");
    let state = admin.groups(&["--describe", "--group", GROUP, "--state"]).await?.ok()?;
    ensure!(state.contains("Stable"), "the state is {state}");
    session.leave().await?;
    Ok(Counts::default().with("committed", committed).with("lag", next - committed))
}

/// It comes later; until then the answer is an error with a reason, and nothing is stored.
async fn producing(stage: Arc<Stage>) -> Result<Counts> {
    let site = Site::start(&stage, EVENTS).await?;
    let before = site.served().await?.len();
    let admin = Admin::new(&stage, &site.access())?;
    let by_kcat = admin.produce_by_kcat(STREAM, "rain\n").await?;
    let said = by_kcat.all();
    let is_told = |said: &str| {
        let said = said.to_lowercase();
        ["authoriz", "not supported", "unsupported", "policy", "invalid"]
            .iter()
            .any(|word| said.contains(word))
    };
    ensure!(is_told(&said), "kcat is not told why: {said}");
    let by_console = admin.produce(STREAM, "rain\n").await?;
    let told = by_console.all();
    ensure!(is_told(&told), "the console producer is not told why: {told}");
    let after = site.served().await?.len();
    ensure!(after == before, "something was stored");
    let word = |said: &str| {
        let line = said.lines().find(|line| is_told(line)).unwrap_or_default();
        line.rsplit(": ").next().unwrap_or_default().to_owned()
    };
    Ok(Counts::default().with("kcat", word(&said)).with("console", word(&told)))
}

/// A producer that was refused its id would ask for it without a pause, for as long as it lives; so it is
/// kept alive until another one has come and gone.
async fn producer(stage: Arc<Stage>) -> Result<Counts> {
    /// Two producers, each with a try or two.
    const ASKED_MAX: u64 = 6;
    let site = Site::start(&stage, EVENTS).await?;
    let admin = Admin::new(&stage, &site.access())?;
    let mut producer = admin.producer(STREAM, "rain\n").await?;
    let told = |text: &str| text.contains("Not authorized to access topics").then_some(());
    producer.says("that it may not produce", PRODUCER_MAX, told).await?;
    let another = admin.produce(STREAM, "rain\n").await?.all();
    ensure!(told(&another).is_some(), "the other producer is not told: {another}");
    ensure!(producer.ended()?.is_none(), "it ended: {}", producer.stderr());
    let ids = asked(&site.pluvio, "init_producer_id").await?;
    let produced = asked(&site.pluvio, "produce").await?;
    ensure!((1..=ASKED_MAX).contains(&ids), "a producer's id was asked for {ids} times");
    ensure!(produced <= ASKED_MAX, "it tried to produce {produced} times");
    Ok(Counts::default().with("ids asked for", ids).with("tries to produce", produced))
}

/// How many requests of one kind Pluvio has had.
pub(super) async fn asked(pluvio: &Pluvio, api: &str) -> Result<u64> {
    let metrics = ask(pluvio, "/metrics").await?.text();
    let name = format!("pluvio_kafka_requests_total{{api=\"{api}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(Ok(0), |count| count.parse().with_context(|| format!("`{count}` is no count")))
}

async fn deleting(stage: Arc<Stage>) -> Result<Counts> {
    let site = Site::start(&stage, EVENTS).await?;
    let admin = Admin::new(&stage, &site.access())?;
    let others = "others";
    for group in [GROUP, others] {
        let reading = Reading::of(STREAM).group(group).count(EVENTS / 2);
        Client::Console.read(&stage, &site.access(), &reading).await?;
    }
    let arguments = ["--delete-offsets", "--group", GROUP, "--topic", STREAM];
    admin.groups(&arguments).await?.ok().context("failed to delete the commits of a group")?;
    let whole = Reading::of(STREAM).group(GROUP).count(1);
    let again = Client::Console.read(&stage, &site.access(), &whole).await?;
    let (first, earliest) = (again.first().map(|it| it.offset), site.served().await?[0].offset);
    ensure!(first == Some(earliest), "without its commit it began at {first:?}, not {earliest}");
    admin
        .groups(&["--delete", "--group", GROUP])
        .await?
        .ok()
        .context("failed to delete a group")?;
    let listed = admin.groups(&["--list"]).await?.ok()?;
    let listed: Vec<&str> = listed.lines().map(str::trim).collect();
    ensure!(listed.contains(&others) && !listed.contains(&GROUP), "listed are {listed:?}");
    let unknown = admin.groups(&["--delete", "--group", "drought"]).await?.all();
    ensure!(unknown.contains("GroupIdNotFound"), "of an unknown group it says: {unknown}");
    Ok(Counts::default().with("left", listed.len()))
}
