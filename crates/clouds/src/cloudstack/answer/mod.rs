//! The parts of an HTTP answer: fields, an error of CloudStack, and what is no answer of CloudStack's.
//!
//! Each is a value of its own, so that both [`Reply`](super::Reply) and [`Error`](super::Error) are made of them.
//! It refuses to decide which of them an answer is; that is [`reply`](super::reply)'s.

mod broken;
mod fault;
mod fields;
mod foreign;

use http::header::DATE;
use http::{HeaderMap, StatusCode};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

pub use self::broken::{BrokenAnswer, Flaw};
pub use self::fault::{Fault, FaultKind};
pub(super) use self::fields::{Fields, flag, text};
pub use self::foreign::ForeignAnswer;
pub(super) use self::foreign::retry_after;

/// What the header `Date` of an answer said. A proxy may have written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerDate {
    /// The server's time when it answered; whole seconds.
    pub at: Timestamp,
    /// The server's clock minus ours, within a second and the time the answer took.
    pub skew: SignedDuration,
}

/// What came back, before it is understood.
pub(super) struct Raw<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// Our clock when it came.
    pub(super) received: Timestamp,
}

impl Raw<'_> {
    /// What the header `Date` said, if it is a date.
    pub(super) fn server_date(&self) -> Option<ServerDate> {
        let text = self.headers.get(DATE)?.to_str().ok()?;
        let at = DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(ServerDate { at, skew: at.duration_since(self.received) })
    }
}
