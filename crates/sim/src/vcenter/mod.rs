//! A simulated vCenter: SOAP over HTTP, an inventory, a workload, a history of events, and faults.
//!
//! ```text
//!  client ──HTTP──▶ server ──▶ methods ──▶ ┌────────────┐ ◀── ticker (rate)
//!                     │                    │   Cloud    │
//!  test ───────────▶ control / VCenter ──▶ └────────────┘
//!                          inventory · workload · history · sessions · troubles
//! ```
//!
//! A [`Recording`] takes the place of the workload: then the inventory is made of what the recorded events
//! name, and they happen again, each when the cloud's clock reaches it.
//!
//! It is believable where clients of events look: sessions and their faults, collectors with
//! cursors, waiting for updates, filters, keys that behave and keys that do not. It is no vCenter
//! elsewhere: no operation of an administrator exists, the workload alone changes the inventory.

mod clock;
mod cloud;
mod config;
mod control;
mod events;
mod faults;
mod filter;
mod form;
mod history;
mod injection;
mod inventory;
mod methods;
mod moref;
mod recording;
mod scene;
mod selection;
mod server;
mod session;
mod soap;
mod workload;
mod xml;

pub use cloud::Produced;
pub use config::VCenterConfig;
pub use faults::{Fault, Malformation};
pub use injection::{Restart, Status};
pub use recording::{Captured, Recording, Unplayable};

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use crate::error::{Error, check_rate};
use crate::ticker;
use cloud::Cloud;

/// The cloud as tasks share it.
pub(crate) type Shared = crate::shared::Shared<Cloud>;

/// A running simulated vCenter. It stops when it is dropped; [`stop`](Self::stop) also waits.
#[derive(Debug)]
pub struct VCenter {
    address: SocketAddr,
    /// As DER.
    certificate: Option<Vec<u8>>,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    running: DropGuard,
}

impl VCenter {
    /// Makes the backlog, listens, and starts the workload.
    pub async fn start(mut config: VCenterConfig) -> Result<Self, Error> {
        check_rate(config.events_per_second)?;
        let listen = config.listen;
        let refused = |source| Error::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let cloud = match config.recording.take() {
            Some(recording) => Cloud::replay(&config, recording)?,
            None => Cloud::build(&config)?,
        };
        let shared = Arc::new(Shared::new(cloud));
        let tasks = TaskTracker::new();
        let tls = config.tls.map(|tls| tls.prepare(address)).transpose()?;
        let certificate = tls.as_ref().map(|tls| tls.certificate.clone());
        tasks.spawn(crate::http::serve(listener, server::site(&shared, tls), tasks.clone()));
        tasks.spawn(ticker::tick(Arc::clone(&shared)));
        let running = shared.stop.clone().drop_guard();
        Ok(Self { address, certificate, shared, tasks, running })
    }

    /// The URL of the SOAP endpoint.
    pub fn url(&self) -> String {
        format!("{}://{}/sdk", self.scheme(), self.address)
    }

    /// The URL under which faults are injected and the truth is told.
    pub fn control_url(&self) -> String {
        format!("{}://{}/control", self.scheme(), self.address)
    }

    fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// The certificate that it shows, as DER, if it shows one.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the workload make that many events at once; nothing where a recording is played.
    pub fn post(&self, count: usize) {
        ticker::work(&self.shared, count);
    }

    /// Changes how many events the workload makes per second; 0 for none.
    pub fn set_rate(&self, events_per_second: f64) -> Result<(), Error> {
        check_rate(events_per_second)?;
        self.shared.with(|cloud| cloud.events_per_second = events_per_second);
        Ok(())
    }

    /// All events that ever happened, in the order in which they happened.
    pub fn events(&self) -> Vec<Produced> {
        self.shared.with(|cloud| cloud.ledger.clone())
    }

    /// How many events ever happened.
    pub fn event_count(&self) -> usize {
        self.shared.with(|cloud| cloud.ledger.len())
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.shared.with(|cloud| cloud.inject(fault));
    }

    /// Ends every fault that lasts; the clock is right again.
    pub fn clear_faults(&self) {
        self.shared.with(Cloud::clear_faults);
    }

    /// Restarts the cloud: sessions end, and more as asked for.
    pub fn restart(&self, how: Restart) {
        self.shared.with(|cloud| cloud.restart(how));
    }

    /// What the cloud is and does now.
    pub fn status(&self) -> Status {
        self.shared.with(|cloud| cloud.status())
    }

    /// Stops: waiting calls are cancelled, running answers are finished, connections close.
    pub async fn stop(self) {
        let Self { tasks, running, .. } = self;
        drop(running);
        tasks.close();
        tasks.wait().await;
    }
}
