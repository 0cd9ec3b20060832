//! The configuration of a node of Kafka, and the command lines that format its log and start it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::{Kafka, Machine, START_MAX};
use crate::{
    kafka::{Mechanism, class_path},
    process::Process,
    servers::{free_address, service::Home},
    stage::Stage,
    tls::Certificates,
};

/// Any 16 bytes in URL-safe base64.
const CLUSTER: &str = "cGx1dmlvLWUyZS1rYWZrYQ";
/// The beginning of what the classes that check logins are called.
const SECURITY: &str = "org.apache.kafka.common.security";

/// The ports of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) open: SocketAddr,
    pub(super) secure: SocketAddr,
    pub(super) mutual: SocketAddr,
    /// In the clear, and told to clients as whatever was last advertised.
    pub(super) distant: SocketAddr,
    controller: SocketAddr,
}

impl Ports {
    pub(super) fn free() -> Result<Self> {
        Ok(Self {
            open: free_address()?,
            secure: free_address()?,
            mutual: free_address()?,
            distant: free_address()?,
            controller: free_address()?,
        })
    }
}

/// What the listener is called that clients come to from afar.
const DISTANT: &str = "DISTANT";

/// A node that can be started.
#[derive(Debug)]
pub(super) struct Formatted {
    pub(super) broker: Command,
    /// Its file of properties, read at each start.
    pub(super) properties: PathBuf,
    pub(super) tls: Certificates,
}

/// Tells clients of the distant port, from the next start on, to come to another address.
pub(super) fn advertise(properties: &Path, address: SocketAddr) -> Result<()> {
    let failed = || format!("failed to change `{}`", properties.display());
    let text = fs::read_to_string(properties).with_context(failed)?;
    let line = |line: &str| match line.split_once(&format!("{DISTANT}://")) {
        Some((before, _)) if line.starts_with("advertised.listeners=") => {
            format!("{before}{DISTANT}://{address}")
        }
        _ => line.to_owned(),
    };
    let lines: Vec<_> = text.lines().map(line).collect();
    fs::write(properties, lines.join("\n") + "\n").with_context(failed)
}

/// One node, of one or more.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// Its place among all.
    pub(super) index: usize,
    pub(super) all: &'a [Ports],
    /// Whether users may only do what they are allowed to.
    pub(super) is_guarded: bool,
}

impl Node<'_> {
    /// Formats its log; gives the command that starts it, and where its certificates are.
    pub(super) async fn format(
        &self,
        stage: &Stage,
        jars: &Path,
        machine: Machine,
    ) -> Result<Formatted> {
        let home = Home::make(&stage.folder, "kafka", self.all[self.index].open.port())?;
        let properties = home.write("kafka.properties", &self.properties(&home))?;
        let mut format = java(jars, machine, "kafka.tools.StorageTool");
        format.args(["format", "-t", CLUSTER, "-c"]).arg(&properties);
        for mechanism in [Mechanism::Scram256, Mechanism::Scram512] {
            for user in [Kafka::USERNAME, Kafka::STRANGER] {
                let (name, password) = (mechanism.name(), Kafka::PASSWORD);
                format.args(["--add-scram", &format!("{name}=[name={user},password={password}]")]);
            }
        }
        let mut formatting = Process::start("kafka-format", &mut format, stage.folder.path())?;
        let status = formatting.end(START_MAX).await?;
        ensure!(status.success(), "Kafka's log was not made: {}", formatting.stderr());
        let mut broker = java(jars, machine, "kafka.Kafka");
        broker.arg(&properties);
        Ok(Formatted { broker, properties, tls: home.tls })
    }

    fn properties(&self, home: &Home) -> String {
        let Ports { open, secure, mutual, distant, controller } = self.all[self.index];
        let copies = self.all.len();
        let voters = (1..).zip(self.all).map(|(id, node)| format!("{id}@{}", node.controller));
        let voters: Vec<String> = voters.collect();
        let clients =
            format!("OPEN://{open},SECURE://{secure},MUTUAL://{mutual},{DISTANT}://{distant}");
        let mut lines = vec![
            format!("node.id={}", self.index + 1),
            "process.roles=broker,controller".to_owned(),
            format!("listeners={clients},CONTROLLER://{controller}"),
            format!("advertised.listeners={clients}"),
            format!(
                "listener.security.protocol.map=OPEN:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL,\
                 {DISTANT}:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "inter.broker.listener.name=OPEN".to_owned(),
            "controller.listener.names=CONTROLLER".to_owned(),
            format!("controller.quorum.voters={}", voters.join(",")),
            format!("log.dirs={}", home.data().display()),
            "auto.create.topics.enable=false".to_owned(),
            format!("default.replication.factor={copies}"),
            format!("min.insync.replicas={}", copies / 2 + 1),
            format!("offsets.topic.replication.factor={copies}"),
            "offsets.topic.num.partitions=1".to_owned(),
            format!("transaction.state.log.replication.factor={copies}"),
            format!("transaction.state.log.min.isr={}", copies / 2 + 1),
            "transaction.state.log.num.partitions=1".to_owned(),
            "group.initial.rebalance.delay.ms=0".to_owned(),
        ];
        lines.extend(security(&home.tls));
        if self.is_guarded {
            // Who comes by the open port is nobody in particular, and so are the nodes themselves.
            let class = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
            lines.push(format!("authorizer.class.name={class}"));
            lines.push("super.users=User:ANONYMOUS".to_owned());
        }
        if copies > 1 {
            // A node's death is noticed in 3 s instead of 9.
            lines.push("broker.session.timeout.ms=3000".to_owned());
            lines.push("broker.heartbeat.interval.ms=500".to_owned());
            lines.push("controller.quorum.election.timeout.ms=1000".to_owned());
            lines.push("controller.quorum.fetch.timeout.ms=1500".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

fn security(tls: &Certificates) -> Vec<String> {
    let password = Kafka::PASSWORD;
    let users = [Kafka::USERNAME, Kafka::STRANGER].map(|it| format!("user_{it}=\"{password}\""));
    let secure = |mechanism: &str, module: &str| {
        let name = format!("listener.name.secure.{mechanism}.sasl.jaas.config");
        format!("{name}={SECURITY}.{module}")
    };
    vec![
        format!("ssl.keystore.type=PEM\nssl.keystore.location={}", tls.pair.display()),
        format!("ssl.truststore.type=PEM\nssl.truststore.location={}", tls.authority.display()),
        "listener.name.mutual.ssl.client.auth=required".to_owned(),
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        secure("plain", &format!("plain.PlainLoginModule required {};", users.join(" "))),
        secure("scram-sha-256", "scram.ScramLoginModule required;"),
        secure("scram-sha-512", "scram.ScramLoginModule required;"),
    ]
}

fn java(jars: &Path, machine: Machine, class: &str) -> Command {
    let mut java = Command::new("java");
    java.args(machine.flags()).arg("-Dorg.slf4j.simpleLogger.logFile=System.out");
    java.arg("-cp").arg(class_path(jars)).arg(class);
    java
}
