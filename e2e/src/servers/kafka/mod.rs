//! Apache Kafka itself, one node without ZooKeeper: what Pluvio's Kafka listener is compared with,
//! what the clients of the tests are tried on, and what Pluvio delivers to.
//!
//! Four ports: one in the clear for everybody, one with TLS that wants a login by PLAIN or SCRAM, one
//! with TLS that wants a client's certificate, and one in the clear whose clients are told to come by
//! another address: a proxy's. Guarded, users may only do what they are allowed
//! to, and who comes by the open port may do everything.

mod cluster;
mod properties;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};

pub use cluster::KafkaCluster;
use properties::{Formatted, Node, Ports, advertise};

use super::service::{Ready, Service};
use crate::{
    kafka::{Access, Admin, Identity, Login, Mechanism},
    process::Process,
    stage::Stage,
    tls::Certificates,
    tools::Tool,
};

/// A Java machine on a busy computer.
const START_MAX: Duration = Duration::from_secs(60);

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
    service: Service,
    ports: Ports,
    properties: PathBuf,
    tls: Certificates,
}

impl Kafka {
    /// A user of the secure port.
    pub const USERNAME: &'static str = "reader";
    /// Its password, and the stranger's.
    pub const PASSWORD: &'static str = "umbrella";
    /// Another user of the secure port, to whom nothing is allowed.
    pub const STRANGER: &'static str = "stranger";

    /// Formats its log and starts it; everybody may do everything.
    pub async fn start(stage: &Stage, machine: Machine) -> Result<Self> {
        Self::start_as(stage, machine, false).await
    }

    /// The same, but users may only do what [`Kafka::allow`] says.
    pub async fn guarded(stage: &Stage) -> Result<Self> {
        Self::start_as(stage, Machine::Light, true).await
    }

    async fn start_as(stage: &Stage, machine: Machine, is_guarded: bool) -> Result<Self> {
        let jars = stage.tools.path(Tool::Kafka).await?;
        let ports = Ports::free()?;
        let node = Node { index: 0, all: &[ports], is_guarded };
        let Formatted { broker, properties, tls } = node.format(stage, &jars, machine).await?;
        let ready = Ready::Says("Kafka Server started");
        let service = Service::start(stage, "kafka", broker, ready).await?;
        Ok(Self { service, ports, properties, tls })
    }

    /// To stop it and start it again: what was acknowledged is still there.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Without TLS and login.
    pub fn access(&self) -> Access {
        Access::open(self.ports.open)
    }

    /// Where clients come to from afar, in the clear.
    pub fn distant(&self) -> SocketAddr {
        self.ports.distant
    }

    /// Tells clients of the distant port, from the next start on, to come to `proxy`.
    pub fn advertise(&self, proxy: SocketAddr) -> Result<()> {
        advertise(&self.properties, proxy)
    }

    /// With TLS and a login.
    pub fn secure(&self, mechanism: Mechanism, password: &str) -> Access {
        self.secure_as(Self::USERNAME, mechanism, password)
    }

    /// With TLS and the login of a user.
    pub fn secure_as(&self, user: &str, mechanism: Mechanism, password: &str) -> Access {
        let (user, password) = (user.to_owned(), password.to_owned());
        let authority = Some(self.tls.authority.clone());
        let login = Some(Login { mechanism, user, password });
        Access { login, authority, ..Access::open(self.ports.secure) }
    }

    /// With TLS and a client's certificate, whose user is `CN=client`.
    pub fn mutual(&self) -> Access {
        let authority = Some(self.tls.authority.clone());
        let identity = Some(Identity {
            certificate: self.tls.client_certificate.clone(),
            key: self.tls.client_key.clone(),
        });
        Access { authority, identity, ..Access::open(self.ports.mutual) }
    }

    /// What its certificate is verified with, and a client's.
    pub fn tls(&self) -> &Certificates {
        &self.tls
    }

    /// Makes a topic of one partition.
    pub async fn make_topic(&self, stage: &Stage, topic: &str) -> Result<()> {
        self.make_topic_with(stage, topic, &["--partitions", "1"]).await
    }

    /// Makes a topic as the arguments say.
    pub async fn make_topic_with(&self, stage: &Stage, topic: &str, more: &[&str]) -> Result<()> {
        let arguments = [&["--create", "--topic", topic], more].concat();
        let made = Admin::new(stage, &self.access())?.topics(&arguments).await?;
        made.ok().map(|_| ()).with_context(|| format!("failed to make the topic `{topic}`"))
    }

    /// Allows a user, for example `CN=client`, an operation on a topic, for example `Write`; on a
    /// guarded one.
    pub async fn allow(
        &self,
        stage: &Stage,
        user: &str,
        operation: &str,
        topic: &str,
    ) -> Result<()> {
        let principal = format!("User:{user}");
        let arguments =
            ["--add", "--allow-principal", &principal, "--operation", operation, "--topic", topic];
        let said = Admin::new(stage, &self.access())?.acls(&arguments).await?;
        said.ok().map(|_| ()).with_context(|| format!("failed to allow {user} {operation}"))
    }

    /// The process, for its memory and time.
    pub fn process(&self) -> &Process {
        self.service.process()
    }
}
