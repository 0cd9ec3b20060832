//! Where groups are tried: Pluvio, and Apache Kafka itself, so that what is expected of the one is
//! known to be true of the other.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pluvio_e2e::{
    kafka::{Access, Admin},
    servers::{Deployment, Kafka, Machine, Pluvio, Simulator, Source},
    stage::Stage,
    wait,
};
use serde_json::Value;

use super::site::{ARRIVAL_MAX, STREAM, ask};

/// A second stream.
pub(super) const OTHER: &str = "hills";
/// Both streams.
pub(super) const BOTH: [&str; 2] = [STREAM, OTHER];

/// A broker with two topics, and whoever fills them.
pub(super) trait Ground {
    /// How its clients reach it.
    fn access(&self) -> Access;

    /// Adds records to a topic and waits until they are there.
    async fn make(&self, topic: &str, records: usize) -> Result<()>;

    /// The offsets that are in a topic, in order.
    async fn offsets(&self, topic: &str) -> Result<Vec<i64>>;
}

/// Pluvio on two simulated clouds, each with a stream of its own.
pub(super) struct Clouds {
    clouds: BTreeMap<&'static str, Simulator>,
    deployment: Deployment,
    pluvio: Pluvio,
}

impl Clouds {
    pub(super) async fn start(stage: &Stage) -> Result<Self> {
        let clouds = [Simulator::start(stage, 0).await?, Simulator::start(stage, 0).await?];
        let more = format!("stream = \"{OTHER}\"");
        let deployment = Deployment::of(&clouds[0])
            .and(OTHER, Source { more, ..Source::from(&clouds[1]) })
            .kafka()?;
        let pluvio = deployment.start(stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        Ok(Self { clouds: BOTH.into_iter().zip(clouds).collect(), deployment, pluvio })
    }
}

impl Ground for Clouds {
    fn access(&self) -> Access {
        self.deployment.access()
    }

    async fn make(&self, topic: &str, records: usize) -> Result<()> {
        let cloud = self.clouds.get(topic).context("no such stream")?;
        cloud.control(&format!("post?count={records}")).await?;
        let last = cloud.produced().await?.last().context("nothing happened")?.key;
        wait::until(&format!("key {last} in {topic}"), ARRIVAL_MAX, async || {
            let offsets = self.offsets(topic).await?;
            Ok((offsets.last() >= Some(&last)).then_some(()))
        })
        .await
    }

    async fn offsets(&self, topic: &str) -> Result<Vec<i64>> {
        let streams = format!("/api/v1/streams/{topic}");
        let range = ask(&self.pluvio, &format!("{streams}/range")).await?.json::<Value>();
        // No content, as long as the stream is empty.
        let Ok(range) = range else { return Ok(Vec::new()) };
        let mut next = range["earliest"].as_i64().context("no earliest offset")?;
        let latest = range["latest"].as_i64().context("no latest offset")?;
        let mut offsets = Vec::new();
        while next <= latest {
            let page = format!("{streams}/events?limit=1000&offset={next}");
            let page: Vec<Value> = ask(&self.pluvio, &page).await?.json()?;
            let sequences = page.iter().filter_map(|event| event["sequence"].as_str());
            for sequence in sequences {
                offsets.push(sequence.parse().context("no offset")?);
            }
            next = offsets.last().context("a page is empty")? + 1;
        }
        Ok(offsets)
    }
}

/// Apache Kafka.
pub(super) struct Apache<'s> {
    stage: &'s Stage,
    kafka: Kafka,
}

impl<'s> Apache<'s> {
    pub(super) async fn start(stage: &'s Stage) -> Result<Self> {
        let kafka = Kafka::start(stage, Machine::Light).await?;
        for topic in BOTH {
            kafka.make_topic(stage, topic).await?;
        }
        Ok(Self { stage, kafka })
    }
}

impl Ground for Apache<'_> {
    fn access(&self) -> Access {
        self.kafka.access()
    }

    async fn make(&self, topic: &str, records: usize) -> Result<()> {
        let admin = Admin::new(self.stage, &self.kafka.access())?;
        let lines: String = (0..records).map(|number| format!("drop {number}\n")).collect();
        admin.produce_by_kcat(topic, &lines).await?.ok().map(|_| ())
    }

    async fn offsets(&self, topic: &str) -> Result<Vec<i64>> {
        let admin = Admin::new(self.stage, &self.kafka.access())?;
        Ok((0..admin.offset_at(topic, "-1").await?).collect())
    }
}
