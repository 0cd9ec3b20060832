//! Asynchronous jobs: what a command started, and how it ended.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

/// How a job stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Pending,
    Succeeded(Value),
    Failed { code: u16, text: String },
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) account: usize,
    pub(crate) user: usize,
    /// The name of the command in the spelling of its class.
    pub(crate) command: &'static str,
    pub(crate) instance: Option<(&'static str, Uuid)>,
    pub(crate) created: Timestamp,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) outcome: Outcome,
    /// The code and the text of the error if the operation fails.
    pub(crate) failure: (u16, String),
}

/// A duration in the clock's type; too long becomes the longest.
pub(crate) fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
