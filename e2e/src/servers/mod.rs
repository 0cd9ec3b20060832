//! The servers and tools of a test, one module each: how it is started, asked and stopped.

mod amqp;
mod artemis;
mod broker_j;
mod cloudstack;
mod deployment;
mod ferretdb;
mod fluentd;
mod govc;
mod kafka;
mod mirror;
mod mosquitto;
mod opensearch;
mod pluvio;
mod rabbitmq;
mod service;
mod simulator;
mod toxiproxy;
mod vcsim;
mod versitygw;
mod webhook;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

pub use artemis::Artemis;
pub use broker_j::BrokerJ;
pub use cloudstack::{Happened, Ordered, SimulatedCloudstack};
pub use deployment::Deployment;
pub use ferretdb::FerretDb;
pub use fluentd::{Demand, Fluentd, Packing};
pub use govc::{Govc, GovcEvent};
pub use kafka::{Kafka, KafkaCluster, Machine};
pub use mirror::MirrorMaker;
pub use mosquitto::{Mosquitto, Mqtt};
pub use opensearch::OpenSearch;
pub use pluvio::{Pluvio, Setup, Source, run_pluvio};
pub use rabbitmq::RabbitMq;
pub use service::Service;
pub use simulator::{Produced, Simulator, Visited};
pub use toxiproxy::{Proxy, Toxic, Toxiproxy, Way};
pub use vcsim::{Vcsim, VcsimOptions};
pub use versitygw::VersityGw;
pub use webhook::{Mode, Reply, Webhook};

/// How long a server may take to start on a busy machine.
pub const START_MAX: Duration = Duration::from_secs(30);

/// A port of this machine on which nobody listens.
pub fn free_address() -> Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to find a free port")?;
    listener.local_addr().context("failed to find a free port")
}

/// A Java machine that starts quickly and takes little memory.
fn java() -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java
}

/// The address in `http://[user:password@]ADDRESS/…`.
fn address_of(url: &str) -> Option<SocketAddr> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit('@').next()?.trim().parse().ok()
}
