//! Three nodes of Apache Kafka, for what happens when one of them goes: a topic has a copy on each,
//! and what is acknowledged by all in sync survives the loss of one.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};

use super::{
    Machine,
    properties::{Node, Ports},
};
use crate::{
    kafka::{Access, Admin},
    servers::service::{Ready, Service},
    stage::Stage,
    tools::Tool,
};

/// Nodes: with one gone, two are a majority.
const NODES: usize = 3;

/// Running nodes.
#[derive(Debug)]
pub struct KafkaCluster {
    nodes: Vec<(Service, SocketAddr)>,
}

impl KafkaCluster {
    /// Formats their logs and starts them.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let jars = stage.tools.path(Tool::Kafka).await?;
        let all: Vec<Ports> = (0..NODES).map(|_| Ports::free()).collect::<Result<_>>()?;
        let mut nodes = Vec::new();
        for (index, ports) in all.iter().enumerate() {
            let node = Node { index, all: &all, is_guarded: false };
            let command = node.format(stage, &jars, Machine::Light).await?.broker;
            let ready = Ready::Says("Kafka Server started");
            nodes.push((Service::begin(stage, "kafka", command, ready)?, ports.open));
        }
        for (service, _) in &mut nodes {
            service.until_ready().await?;
        }
        Ok(Self { nodes })
    }

    /// Node 0, 1 or 2: to stop it, kill it or start it again.
    pub fn node(&mut self, index: usize) -> Result<&mut Service> {
        let node = self.nodes.get_mut(index).context("there are three nodes")?;
        Ok(&mut node.0)
    }

    /// Without TLS and login, by one node; a client learns the others from it.
    pub fn access(&self, index: usize) -> Result<Access> {
        let node = self.nodes.get(index).context("there are three nodes")?;
        Ok(Access::open(node.1))
    }

    /// All of them, as a client is told where to begin.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|(_, address)| *address).collect()
    }

    /// Makes a topic of one partition with a copy on each node.
    pub async fn make_topic(&self, stage: &Stage, topic: &str) -> Result<()> {
        let copies = NODES.to_string();
        let arguments =
            ["--create", "--topic", topic, "--partitions", "1", "--replication-factor", &copies];
        let made = Admin::new(stage, &self.access(0)?)?.topics(&arguments).await?;
        made.ok().map(|_| ()).with_context(|| format!("failed to make the topic `{topic}`"))
    }

    /// The node that leads a topic's partition, asked at node `at`; none while there is no leader.
    pub async fn leader(&self, stage: &Stage, at: usize, topic: &str) -> Result<Option<usize>> {
        let admin = Admin::new(stage, &self.access(at)?)?;
        let told = admin.topics(&["--describe", "--topic", topic]).await?.ok()?;
        let (_, rest) =
            told.split_once("Leader: ").with_context(|| format!("no leader: {told}"))?;
        let id = rest.split_whitespace().next().and_then(|id| id.parse::<usize>().ok());
        Ok(id.and_then(|id| id.checked_sub(1)))
    }
}
