//! What the binary gives every listener.
//!
//! One type for all protocols, so that adding one adds no wiring. It holds handles and facts, never
//! configuration of a listener.

use std::sync::Arc;

use pluvio_log::{LogHandle, Retention, StreamName};
use pluvio_runtime::{Access, status::StatusBoard};

use crate::Shared;

/// Renders the process's metrics in Prometheus' text format.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// What a listener serves, given by the binary.
#[derive(Clone)]
pub struct Context {
    /// The log.
    pub log: LogHandle,
    /// The default stream: behind `/api/v1/events`, and what names a Kafka cluster.
    pub stream: StreamName,
    /// Who is let in, and how far.
    pub access: Access,
    /// What all components are doing, for `/readyz` and `/api/v1/status`.
    pub status: StatusBoard,
    /// The text of `/metrics`.
    pub metrics: MetricsText,
    /// Pluvio's version, for `/api/v1/status` and `/openapi.json`.
    pub version: &'static str,
    /// How long records stay, for clients that ask.
    pub retention: Retention,
    /// The largest record that the log takes, in bytes, for clients that ask.
    pub record_bytes_max: usize,
    /// What all listeners have together: the same for each of them.
    pub shared: Shared,
}
