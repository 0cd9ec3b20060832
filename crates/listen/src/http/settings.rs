//! What an operator has set, resolved: plain values that everything here may ask for.
//!
//! It refuses what is not valid yet; that is [`config`](super::config)'s.

use std::time::Duration;

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
