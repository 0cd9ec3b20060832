//! Apache Kafka itself, one node without ZooKeeper: what Pluvio's Kafka listener is compared with,
//! and what the clients of the tests are tried on.
//!
//! Two ports: one in the clear for everybody, one with TLS that wants a login by PLAIN or SCRAM.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::free_address;
use crate::{
    folder::Folder,
    kafka::{Access, Admin, Login, Mechanism, class_path},
    process::Process,
    stage::Stage,
    tls::Certificates,
    tools::Tool,
};

/// A Java machine on a busy computer.
const START_MAX: Duration = Duration::from_secs(60);
/// Any 16 bytes in URL-safe base64.
const CLUSTER: &str = "cGx1dmlvLWUyZS1rYWZrYQ";

/// What the Java machine is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// A quick start and little memory.
    Light,
    /// As Kafka's own start script has it: 1 GiB of heap, G1, both compilers.
    Full,
}

impl Machine {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Light => &["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
            Self::Full => {
                &["-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
            }
        }
    }
}

/// A running broker.
#[derive(Debug)]
pub struct Kafka {
    process: Process,
    open: Access,
    secure: Access,
}

impl Kafka {
    /// The only user of the secure port.
    pub const USERNAME: &'static str = "reader";
    /// Its password.
    pub const PASSWORD: &'static str = "umbrella";

    /// Formats its log and starts it.
    pub async fn start(stage: &Stage, machine: Machine) -> Result<Self> {
        let jars = stage.tools.path(Tool::Kafka).await?;
        let certificates = Certificates::make(&stage.folder)?;
        let (open, secure) = (Access::open(free_address()?), Access::open(free_address()?));
        let secure = Access { authority: Some(certificates.authority.clone()), ..secure };
        let text = properties(&stage.folder, &certificates, [&open, &secure])?;
        let properties = stage.folder.write("kafka.properties", &text)?;
        let java = |class: &str| {
            let mut java = Command::new("java");
            java.args(machine.flags()).arg("-Dorg.slf4j.simpleLogger.logFile=System.out");
            java.arg("-cp").arg(class_path(&jars)).arg(class);
            java
        };
        let mut format = java("kafka.tools.StorageTool");
        format.args(["format", "-t", CLUSTER, "-c"]).arg(&properties);
        for mechanism in [Mechanism::Scram256, Mechanism::Scram512] {
            let (name, user, password) = (mechanism.name(), Self::USERNAME, Self::PASSWORD);
            format.args(["--add-scram", &format!("{name}=[name={user},password={password}]")]);
        }
        let mut formatting = Process::start("kafka-format", &mut format, stage.folder.path())?;
        let status = formatting.end(START_MAX).await?;
        ensure!(status.success(), "Kafka's log was not made: {}", formatting.stderr());
        let mut broker = java("kafka.Kafka");
        let mut process = Process::start("kafka", broker.arg(&properties), stage.folder.path())?;
        let started = |text: &str| text.contains("Kafka Server started").then_some(());
        process.says("Kafka Server started", START_MAX, started).await?;
        Ok(Self { process, open, secure })
    }

    /// Without TLS and login.
    pub fn access(&self) -> Access {
        self.open.clone()
    }

    /// With TLS and a login.
    pub fn secure(&self, mechanism: Mechanism, password: &str) -> Access {
        let (user, password) = (Self::USERNAME.to_owned(), password.to_owned());
        Access { login: Some(Login { mechanism, user, password }), ..self.secure.clone() }
    }

    /// Makes a topic of one partition.
    pub async fn make_topic(&self, stage: &Stage, topic: &str) -> Result<()> {
        let arguments = ["--create", "--topic", topic, "--partitions", "1"];
        let made = Admin::new(stage, &self.open)?.topics(&arguments).await?;
        made.ok().map(|_| ()).with_context(|| format!("failed to make the topic `{topic}`"))
    }

    /// The process, for its memory and time.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// The whole configuration.
fn properties(folder: &Folder, tls: &Certificates, ports: [&Access; 2]) -> Result<String> {
    let [open, secure] = ports.map(|access| access.address);
    let controller = free_address()?;
    let (data, pair) = (folder.path().join(format!("kafka-{}", open.port())), tls.pair.display());
    let (user, password) = (Kafka::USERNAME, Kafka::PASSWORD);
    let lines = [
        "node.id=1".to_owned(),
        "process.roles=broker,controller".to_owned(),
        format!("listeners=OPEN://{open},SECURE://{secure},CONTROLLER://{controller}"),
        format!("advertised.listeners=OPEN://{open},SECURE://{secure}"),
        "listener.security.protocol.map=OPEN:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT"
            .to_owned(),
        "inter.broker.listener.name=OPEN".to_owned(),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("controller.quorum.voters=1@{controller}"),
        format!("log.dirs={}", data.display()),
        "auto.create.topics.enable=false".to_owned(),
        // There is one node to keep copies on.
        "offsets.topic.replication.factor=1".to_owned(),
        "offsets.topic.num.partitions=1".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
        format!("ssl.keystore.type=PEM\nssl.keystore.location={pair}"),
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        format!(
            "listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.\
             PlainLoginModule required user_{user}=\"{password}\";"
        ),
        "listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.\
         scram.ScramLoginModule required;"
            .to_owned(),
        "listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.\
         scram.ScramLoginModule required;"
            .to_owned(),
    ];
    Ok(lines.join("\n") + "\n")
}
