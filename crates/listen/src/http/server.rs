//! What all connections of one listener share.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    render::Renderer,
    watch::Admission,
    work::{Budgets, Pool},
};

/// The configuration, resolved: plain values, checked.
pub(super) struct Settings {
    pub(super) watchers_max: usize,
    pub(super) watchers_per_client_max: usize,
    pub(super) connections_max: usize,
    /// Zero: none.
    pub(super) heartbeat: Duration,
    pub(super) cors_origins: Vec<String>,
    /// Names that this server goes by, beside addresses and `localhost`.
    pub(super) hosts: Vec<String>,
    /// Whether everybody on this machine may read, and only they reach the port.
    pub(super) is_open_on_loopback: bool,
}

/// One listener's shared state.
pub(super) struct Server {
    pub(super) context: Context,
    pub(super) settings: Arc<Settings>,
    pub(super) renderer: Renderer,
    pub(super) admission: Arc<Admission>,
    /// Where filters are evaluated.
    pub(super) pool: Pool,
    /// How much of that each client may ask for.
    pub(super) budgets: Budgets,
    pub(super) page_wait: Duration,
    /// Where the grid of heartbeats begins.
    pub(super) epoch: Instant,
    pub(super) started: Timestamp,
    /// Cancelled when watches must end, behind or not.
    pub(super) cut: CancellationToken,
}
