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
mod monitors;
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
    ops::Range,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::wait;

pub use artemis::Artemis;
pub use broker_j::BrokerJ;
pub use cloudstack::{Happened, Introduction, Ordered, SimulatedCloudstack};
pub use deployment::Deployment;
pub use ferretdb::FerretDb;
pub use fluentd::{Demand, Fluentd, Packing};
pub use govc::{Govc, GovcEvent};
pub use kafka::{Kafka, KafkaCluster, Machine};
pub use mirror::MirrorMaker;
pub use monitors::{Checked, Monitors};
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

/// Ports that no system gives to outgoing connections by itself (Linux begins at 32768), so that nobody takes
/// a server's port before it starts, or while it is down.
const PORTS: Range<u16> = 15_000..32_000;

/// A port of this machine on which nobody listens. Each is given once; another run begins elsewhere.
pub fn free_address() -> Result<SocketAddr> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(397);
    for _ in PORTS {
        let next = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + u16::try_from(next % u32::from(PORTS.end - PORTS.start))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of {PORTS:?} is free")
}

/// A Java machine that starts quickly and takes little memory.
fn java() -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java
}

/// Waits until a simulated cloud has played all of its recording; gives how many events that is.
async fn until_played(
    within: Duration,
    mut status: impl AsyncFnMut() -> Result<Value>,
) -> Result<u64> {
    wait::until("the recording to be played", within, async || {
        let recording = status().await?["recording"].take();
        let count = |name: &str| recording[name].as_u64();
        let (events, played) = (count("events"), count("played"));
        Ok(events.filter(|_| events == played))
    })
    .await
}

/// The address in `http://[user:password@]ADDRESS/…`.
fn address_of(url: &str) -> Option<SocketAddr> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit('@').next()?.trim().parse().ok()
}
