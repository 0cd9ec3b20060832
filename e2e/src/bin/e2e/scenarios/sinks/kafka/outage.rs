//! What goes away under load: a broker, a connection, Pluvio, a leader. Nothing is lost, and as long as
//! Pluvio itself lives, or writes in transactions, nothing is doubled.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::{self, Message},
    feed::Seen,
    kafka::{Admin, Client, Reading},
    servers::{Deployment, Kafka, KafkaCluster, Machine, Pluvio, Simulator, Toxiproxy},
    stage::Stage,
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::target::{Broker, TOPIC, lines, message, read};
use crate::{
    report::Counts,
    scenarios::{
        crashes::captured,
        sinks::through::{self, ARRIVAL_MAX, SINK, Target as _, caught_up, delivers},
    },
};

const EVENTS_PER_SECOND: u32 = 500;
const BOUNCES: u32 = 3;
const KILLS: u32 = 12;
const LIFE_MILLIS: std::ops::Range<u64> = 300..1_500;
/// How often `through::cut` goes through its ways.
const CUT_ROUNDS: u32 = 2;

async fn storm(stage: &Stage) -> Result<Simulator> {
    let simulator = Simulator::start(stage, 0).await?;
    simulator.control(&format!("rate?per_second={EVENTS_PER_SECOND}")).await?;
    Ok(simulator)
}

/// Everything that is in the log, once the sink has handed it over; Pluvio ends.
async fn served(mut pluvio: Pluvio, simulator: &Simulator) -> Result<Vec<Seen>> {
    simulator.control("rate?per_second=0").await?;
    let count = captured(&pluvio, simulator).await?;
    caught_up(&pluvio, SINK).await?;
    let collector = pluvio.collect().await?;
    let served = collector.until("the log", ARRIVAL_MAX, |feed| feed.len() >= count).await;
    let feed = collector.seen();
    served?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(feed)
}

/// Each event of the feed is there, once, and those of one key in order.
fn once(feed: &[Seen], messages: &[Message]) -> Result<()> {
    let (mut latest, mut sequences) = (HashMap::new(), HashSet::new());
    for message in messages {
        let [event] = message.events()?.try_into().ok().context("a record is one event")?;
        let sequence = event.sequence.context("an event without its place")?;
        if let Some(key) = &message.key
            && let Some(before) = latest.insert(key.clone(), sequence.clone())
        {
            ensure!(before < sequence, "{sequence} of `{key}` came behind {before}");
        }
        ensure!(sequences.insert(sequence.clone()), "{sequence} is there twice");
    }
    // A login of Pluvio's own at the cloud may have come behind what was looked at.
    let end = feed.last().map(|seen| seen.sequence.clone());
    sequences.retain(|sequence| Some(sequence) <= end.as_ref());
    let missing: Vec<_> = feed.iter().filter(|seen| !sequences.contains(&seen.sequence)).collect();
    ensure!(missing.is_empty(), "{} are missing, first {:?}", missing.len(), missing.first());
    ensure!(sequences.len() == feed.len(), "{} came, {} were sent", sequences.len(), feed.len());
    Ok(())
}

/// Vector's #24193: a broker that goes away under load took events with it.
pub(super) async fn bounce(stage: Arc<Stage>) -> Result<Counts> {
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let mut kafka = Kafka::start(&stage, Machine::Light).await?;
    kafka.make_topic_with(&stage, TOPIC, &["--partitions", "3"]).await?;
    let simulator = storm(&stage).await?;
    let lines = lines(&[kafka.access().address], TOPIC);
    let pluvio = Deployment::of(&simulator).sink(SINK, &lines).start(&stage).await?;
    delivers(&pluvio).await?;
    for number in 0..BOUNCES {
        match number % 2 {
            0 => kafka.service().kill().await?,
            _ => kafka.service().stop().await?,
        }
        wait::a_moment(Duration::from_millis(rng.random_range(LIFE_MILLIS))).await;
        kafka.service().start_again().await?;
        delivers(&pluvio).await.with_context(|| format!("after bounce {number}"))?;
    }
    let feed = served(pluvio, &simulator).await?;
    let count = Admin::new(&stage, &kafka.access())?.ends(TOPIC).await?;
    let reading = Reading::of(TOPIC).group("everything").count(usize::try_from(count)?);
    let records = Client::Confluent.read(&stage, &kafka.access(), &reading).await?;
    let messages: Vec<_> = records.into_iter().map(message).collect();
    once(&feed, &messages)?;
    Ok(counts(&feed).with("bounces", BOUNCES).with("partitions", 3))
}

pub(super) async fn cut(stage: Arc<Stage>) -> Result<Counts> {
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let toxiproxy = Toxiproxy::start(&stage).await?;
    let mut broker = Broker::<false>::start(&stage).await?;
    let proxy = toxiproxy.proxy(broker.address()).await?;
    broker.behind(proxy.address())?;
    broker.service().restart().await?;
    let simulator = storm(&stage).await?;
    let lines = lines(&[proxy.address()], TOPIC);
    let pluvio = Deployment::of(&simulator).sink(SINK, &lines).start(&stage).await?;
    delivers(&pluvio).await?;
    for _ in 0..CUT_ROUNDS {
        through::cut::<Broker<false>>(&proxy, &pluvio, &mut rng).await?;
    }
    let feed = served(pluvio, &simulator).await?;
    once(&feed, &broker.arrived(&stage).await?)?;
    Ok(counts(&feed).with("cuts", CUT_ROUNDS * through::CUTS))
}

pub(super) async fn killed(stage: Arc<Stage>) -> Result<Counts> {
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let mut broker = Broker::<true>::start(&stage).await?;
    let simulator = storm(&stage).await?;
    let lines = format!("{}\ntransactional = true", lines(&[broker.0.access().address], TOPIC));
    let deployment = Deployment::of(&simulator).sink(SINK, &lines);
    for _ in 0..KILLS {
        let mut pluvio = deployment.start(&stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        wait::a_moment(Duration::from_millis(rng.random_range(LIFE_MILLIS))).await;
        pluvio.kill().await?;
    }
    let pluvio = deployment.start(&stage).await?;
    let feed = served(pluvio, &simulator).await?;
    let messages = broker.arrived(&stage).await?;
    once(&feed, &messages)?;
    let events = arrived::events(&messages)?;
    let is_sorted = events.is_sorted_by(|one, other| one.sequence < other.sequence);
    ensure!(is_sorted, "the order of the log is not kept");
    Ok(counts(&feed).with("kills", KILLS))
}

pub(super) async fn leader(stage: Arc<Stage>) -> Result<Counts> {
    let mut kafka = KafkaCluster::start(&stage).await?;
    kafka.make_topic(&stage, TOPIC).await?;
    let simulator = storm(&stage).await?;
    let lines = lines(&kafka.addresses(), TOPIC);
    let pluvio = Deployment::of(&simulator).sink(SINK, &lines).start(&stage).await?;
    delivers(&pluvio).await?;
    let leader = kafka.leader(&stage, 0, TOPIC).await?.context("there is no leader")?;
    let other = (leader + 1) % 3;
    kafka.node(leader)?.kill().await?;
    wait::until("another leader", ARRIVAL_MAX, async || {
        let now = kafka.leader(&stage, other, TOPIC).await?;
        Ok(now.filter(|now| *now != leader))
    })
    .await?;
    delivers(&pluvio).await.context("with another leader")?;
    kafka.node(leader)?.start_again().await?;
    delivers(&pluvio).await.context("with three again")?;
    let feed = served(pluvio, &simulator).await?;
    once(&feed, &read(&stage, &kafka.access(other)?, TOPIC).await?)?;
    Ok(counts(&feed))
}

fn counts(feed: &[Seen]) -> Counts {
    Counts::default().with("events", feed.len()).with("missing", 0).with("twice", 0)
}
