//! A simulated CloudStack management server: signed API, people, a workload, events, and faults.
//!
//! ```text
//!  client ──HTTP──▶ server ──▶ api ──▶ ┌────────────┐ ◀── ticker (rate, jobs, late commits)
//!                     │                │   Cloud    │
//!  test ─────────▶ control / CloudStack ▶└────────────┘
//!                          directory · inventory · life · work · history · troubles
//! ```
//!
//! A [`Recording`] takes the place of the workload: then the people are those whom the recorded rows name,
//! and the events happen again, each when the cloud's clock reaches it.
//!
//! It is believable where clients of events, inventory and orders look: signatures, errors,
//! scoping, paging, jobs, versions, and the many ways in which `listEvents` misleads. Two zones are
//! advanced, a third is basic and has security groups; `listApis` tells all that is taken and
//! answered. It is no CloudStack elsewhere: there is no hypervisor, no quota, no event bus, and
//! people never change.

mod api;
mod cloud;
mod config;
mod control;
mod directory;
mod faults;
mod history;
mod injection;
mod inventory;
mod jobs;
mod life;
mod recording;
mod schema;
mod server;
mod version;
mod work;

pub use cloud::{Calls, Produced};
pub use config::{CloudStackConfig, Throttle};
pub use faults::Fault;
pub use history::{Level, State};
pub use injection::{Emission, Status};
pub use recording::{Captured, Recording, Unplayable};
pub use version::Version;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::error::{Error, check_rate};
use crate::ticker;
use cloud::Cloud;
use server::Door;

/// The cloud as tasks share it.
pub(crate) type Shared = crate::shared::Shared<Cloud>;

/// What a user of the simulated cloud calls it with. Nothing here is a secret: the same values open
/// every simulated cloud and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The user.
    pub user: String,
    /// The user's account.
    pub account: String,
    /// The path of the account's domain, as `ROOT/engineering`.
    pub domain: String,
    /// `Root Admin`, `Domain Admin` or `User`.
    pub role: String,
    /// For `apikey`.
    pub api_key: String,
    /// For signatures.
    pub secret_key: String,
    /// For `login`.
    pub password: String,
}

/// A running simulated CloudStack. It stops when it is dropped; [`stop`](Self::stop) also waits.
#[derive(Debug)]
pub struct CloudStack {
    address: SocketAddr,
    /// As DER.
    certificate: Option<Vec<u8>>,
    integration: Option<SocketAddr>,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    running: DropGuard,
}

impl CloudStack {
    /// Makes the backlog, listens, and starts the workload.
    pub async fn start(mut config: CloudStackConfig) -> Result<Self, Error> {
        check_rate(config.events_per_second)?;
        let (listener, address) = bind(config.listen).await?;
        let open = match config.integration_listen {
            Some(listen) => Some(bind(listen).await?),
            None => None,
        };
        let cloud = match config.recording.take() {
            Some(recording) => Cloud::replay(&config, recording)?,
            None => Cloud::build(&config)?,
        };
        let shared = Arc::new(Shared::new(cloud));
        let tasks = TaskTracker::new();
        let tls = config.tls.map(|tls| tls.prepare(address)).transpose()?;
        let certificate = tls.as_ref().map(|tls| tls.certificate.clone());
        let site = server::site(&shared, Door::Signed, tls);
        tasks.spawn(crate::http::serve(listener, site, tasks.clone()));
        let integration = open.map(|(listener, address)| {
            let site = server::site(&shared, Door::Open, None);
            tasks.spawn(crate::http::serve(listener, site, tasks.clone()));
            address
        });
        tasks.spawn(ticker::tick(Arc::clone(&shared)));
        let running = shared.stop.clone().drop_guard();
        Ok(Self { address, certificate, integration, shared, tasks, running })
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        format!("{}://{}/client/api", self.scheme(), self.address)
    }

    fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// The certificate that it shows, as DER, if it shows one.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// The URL of the API that asks for no signature, if it was asked for.
    pub fn integration_url(&self) -> Option<String> {
        self.integration.map(|address| format!("http://{address}/client/api"))
    }

    /// The URL under which faults are injected and the truth is told.
    pub fn control_url(&self) -> String {
        format!("{}://{}/control", self.scheme(), self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everybody who may call; the root admin comes first.
    pub fn keys(&self) -> Vec<Keys> {
        self.shared.with(|cloud| keys_of(cloud))
    }

    /// Lets the workload make that many events at once; nothing where a recording is played.
    pub fn post(&self, count: usize) {
        ticker::work(&self.shared, count);
    }

    /// Records one event as asked for; returns its identifier.
    pub fn emit(&self, emission: &Emission) -> Uuid {
        self.shared.with(|cloud| cloud.emit(emission))
    }

    /// Records all events of an operation of that type (`VM.CREATE`), first to last.
    pub fn emit_chain(&self, account: &str, kind: &str) -> Vec<Uuid> {
        self.shared.with(|cloud| cloud.emit_chain(account, kind))
    }

    /// Changes how many events the workload makes per second; 0 for none.
    pub fn set_rate(&self, events_per_second: f64) -> Result<(), Error> {
        check_rate(events_per_second)?;
        self.shared.with(|cloud| cloud.events_per_second = events_per_second);
        Ok(())
    }

    /// Moves the clock; jobs end, late events appear, and the workload makes what its rate makes of
    /// that time.
    pub fn advance(&self, by: Duration) {
        self.shared.with(|cloud| cloud.advance(jobs::signed(by)));
    }

    /// The time that the cloud believes it is.
    pub fn now(&self) -> jiff::Timestamp {
        self.shared.with(|cloud| cloud.now())
    }

    /// All events that ever happened, in the order in which they were recorded.
    pub fn events(&self) -> Vec<Produced> {
        self.events_from(0)
    }

    /// As [`events`](Self::events), without the first `from` ones.
    pub fn events_from(&self, from: usize) -> Vec<Produced> {
        self.shared.with(|cloud| cloud.produced(from))
    }

    /// How many events ever happened.
    pub fn event_count(&self) -> usize {
        self.shared.with(|cloud| cloud.history.len())
    }

    /// Waits until that many events have happened since the start, backlog included.
    pub async fn until(&self, events: usize) {
        let mut revisions = self.shared.revisions();
        // The sender lives as long as `self`, so waiting never fails.
        while self.event_count() < events && revisions.changed().await.is_ok() {}
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.shared.with(|cloud| cloud.inject(fault));
    }

    /// Ends every fault that lasts; the clock is right again.
    pub fn clear_faults(&self) {
        self.shared.with(Cloud::clear_faults);
    }

    /// What the cloud is and does now.
    pub fn status(&self) -> Status {
        self.shared.with(|cloud| cloud.status())
    }

    /// How often each command was called, and what that cost.
    pub fn calls(&self) -> BTreeMap<String, Calls> {
        self.shared.with(|cloud| cloud.calls.clone())
    }

    /// Counts calls from zero again.
    pub fn forget_calls(&self) {
        self.shared.with(|cloud| cloud.calls.clear());
    }

    /// Stops: running answers are finished, connections close.
    pub async fn stop(self) {
        let Self { tasks, running, .. } = self;
        drop(running);
        tasks.close();
        tasks.wait().await;
    }
}

async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let refused = |source| Error::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

fn keys_of(cloud: &Cloud) -> Vec<Keys> {
    let directory = &cloud.directory;
    let users = directory.users.iter().filter(|user| user.account != directory::SYSTEM);
    users
        .map(|user| {
            let account = &directory.accounts[user.account];
            Keys {
                user: user.name.clone(),
                account: account.name.clone(),
                domain: directory.domains[account.domain].path.clone(),
                role: account.role.name().to_owned(),
                api_key: user.api_key.clone(),
                secret_key: user.secret_key.clone(),
                password: user.password.clone(),
            }
        })
        .collect()
}
