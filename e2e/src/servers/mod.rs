//! The servers and tools of a test, one module each: how it is started, asked and stopped.

mod deployment;
mod govc;
mod kafka;
mod pluvio;
mod simulator;
mod vcsim;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context as _, Result};

pub use deployment::Deployment;
pub use govc::{Govc, GovcEvent};
pub use kafka::{Kafka, Machine};
pub use pluvio::{Pluvio, Setup, Source, run_pluvio};
pub use simulator::{Produced, Simulator};
pub use vcsim::{Vcsim, VcsimOptions};

/// How long a server may take to start on a busy machine.
pub const START_MAX: Duration = Duration::from_secs(30);

/// A port of this machine on which nobody listens.
pub fn free_address() -> Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to find a free port")?;
    listener.local_addr().context("failed to find a free port")
}

/// The address in `http://[user:password@]ADDRESS/…`.
fn address_of(url: &str) -> Option<SocketAddr> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit('@').next()?.trim().parse().ok()
}
