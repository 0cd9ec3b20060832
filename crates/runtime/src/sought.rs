//! A move of a sink by an operator, as it is noted in `__cursors`, shown in the status and answered.
//!
//! It says what was done and to how many events. How a move is planned and what it refuses is
//! [`seek`](crate::supervise::sink::seek())'s.

use jiff::Timestamp;
use pluvio_log::Offset;
use serde::{Deserialize, Serialize};

/// A sink was moved, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// Numbers the move: greater than all before it. Milliseconds since 1970, unless the clock is behind
    /// the last one.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The offset at which it stood.
    pub from: i64,
    /// The offset from which it goes on.
    pub to: i64,
    /// Handed over again up to this offset, not including it; then it goes on at `back_to`. `None`: it
    /// goes on from `to` without a jump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// The offset at which it goes on behind `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<i64>,
    /// Events that are handed over again; those that the filter leaves out do not count.
    pub repeated_events: u64,
    /// Events that are never handed over, likewise.
    pub skipped_events: u64,
    /// `false`: counting took too long, and there are more.
    pub is_exact: bool,
}

impl Sought {
    /// The place that it goes on from.
    pub(crate) fn to(&self) -> Offset {
        Offset::new(self.to).unwrap_or_default()
    }
}
