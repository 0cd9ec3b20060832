//! The cloud's clock, as far as it is known.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// By how much the clock of a server that does not tell it may be ahead of ours, in seconds: beyond, it
/// would not take our signatures (they hold for 15 minutes).
pub(super) const UNTOLD_S: i64 = 900;

/// A clock that is asked for often and answered seldom: the server's, carried on by ours.
///
/// A server from 4.11 on sends no `Date` (`setSendDateHeader(false)`), unless a proxy before it adds one.
/// Its events then tell what its clock is at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerClock {
    /// Whether the server told it.
    is_told: bool,
    at: Timestamp,
    since: tokio::time::Instant,
}

impl ServerClock {
    /// By our own clock, until the server tells its own.
    pub(super) fn new() -> Self {
        Self { is_told: false, at: Timestamp::now(), since: tokio::time::Instant::now() }
    }

    /// The server said what time it is.
    pub(super) fn set(&mut self, at: Timestamp) {
        (self.is_told, self.at, self.since) = (true, at, tokio::time::Instant::now());
    }

    /// The server dated an event so: it is at least as late there, within what its clock can be ahead.
    pub(super) fn saw(&mut self, created: Timestamp) {
        let ahead_s = created.duration_since(Timestamp::now()).as_secs();
        if !self.is_told && created > self.now() && ahead_s <= UNTOLD_S {
            (self.at, self.since) = (created, tokio::time::Instant::now());
        }
    }

    /// The server's time, if it told it.
    pub(super) fn told(&self) -> Option<Timestamp> {
        self.is_told.then(|| self.now())
    }

    /// The server's time.
    pub(super) fn now(&self) -> Timestamp {
        let passed: Duration = self.since.elapsed();
        SignedDuration::try_from(passed)
            .ok()
            .and_then(|passed| self.at.checked_add(passed).ok())
            .unwrap_or(self.at)
    }
}
