//! MirrorMaker 2, by the recipe that docs/kafka-clients.md gives: it reads Pluvio as a Kafka cluster
//! called `pluvio` and writes into one called `kafka`, where the topic becomes `pluvio.<stream>`.

use std::time::Duration;

use anyhow::Result;

use crate::{
    kafka::{Access, java_of},
    process::Process,
    stage::Stage,
    tools::Tool,
};

/// A running MirrorMaker.
#[derive(Debug)]
pub struct MirrorMaker {
    process: Process,
}

impl MirrorMaker {
    /// How often it looks for groups and translates their offsets.
    const INTERVAL_SECONDS: u64 = 2;
    /// How long it may take to end.
    const STOP_MAX: Duration = Duration::from_secs(30);

    /// Starts to copy `topic`; what it copied before is known in the target.
    pub async fn start(stage: &Stage, from: &Access, to: &Access, topic: &str) -> Result<Self> {
        let properties = stage.folder.write("mirror.properties", &recipe(from, to, topic))?;
        let class = "org.apache.kafka.connect.mirror.MirrorMaker";
        let mut java = java_of(&stage.tools, Tool::MirrorMaker, class).await?;
        java.arg(properties).args(["--clusters", "kafka"]);
        Ok(Self { process: Process::start("mirror", &mut java, stage.folder.path())? })
    }

    /// What it has complained about.
    pub fn errors(&self) -> Vec<String> {
        let said = self.process.stderr();
        said.lines().filter(|line| line.contains(" ERROR ")).map(str::to_owned).collect()
    }

    /// Asks it to end and waits for that.
    pub async fn stop(mut self) -> Result<()> {
        self.process.signal(rustix::process::Signal::TERM)?;
        self.process.end(Self::STOP_MAX).await.map(drop)
    }
}

fn recipe(from: &Access, to: &Access, topic: &str) -> String {
    let (from, to, every) = (from.address, to.address, MirrorMaker::INTERVAL_SECONDS);
    format!(
        "clusters = pluvio, kafka\n\
         pluvio.bootstrap.servers = {from}\n\
         kafka.bootstrap.servers = {to}\n\
         pluvio->kafka.enabled = true\n\
         pluvio->kafka.topics = {topic}\n\
         kafka->pluvio.enabled = false\n\
         offset-syncs.topic.location = target\n\
         sync.topic.acls.enabled = false\n\
         emit.heartbeats.enabled = false\n\
         sync.group.offsets.enabled = true\n\
         refresh.groups.interval.seconds = {every}\n\
         sync.group.offsets.interval.seconds = {every}\n\
         emit.checkpoints.interval.seconds = {every}\n\
         replication.factor = 1\n\
         offset-syncs.topic.replication.factor = 1\n\
         checkpoints.topic.replication.factor = 1\n\
         heartbeats.topic.replication.factor = 1\n\
         offset.storage.replication.factor = 1\n\
         config.storage.replication.factor = 1\n\
         status.storage.replication.factor = 1\n"
    )
}
