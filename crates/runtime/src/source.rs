//! What pulls: a cloud's API that is asked for events.

use std::future::Future;

use jiff::Timestamp;
use pluvio_log::{Position, Record};

use crate::{Failure, Resume};

/// A source of events that is asked. `connect`, then `next` again and again, then `close`.
///
/// ```text
///            ┌────────── Failure ──────────┐
///            ▼                             │
///   new ─ connect ──▶ next ──▶ next ──▶ next ──▶ close
/// ```
///
/// After a failure of either method, `close` is called and then `connect` on the same value: what
/// it keeps between connections is its own, but **where it stands comes from the log** (`resume`),
/// never from memory, because the last pull may not have been appended.
pub trait Source: Send + 'static {
    /// What went wrong and what helps.
    type Error: Failure;

    /// Connects and goes to where `resume` says. One attempt.
    fn connect(&mut self, resume: Resume) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Gives what is new, in the order it must be stored; waits for something new as long as the
    /// source can do so at no cost, but not longer than about a minute: a pull without records says
    /// "I looked, and there is nothing", which is how a stall is told from silence.
    ///
    /// **Cancel:** may be dropped at any await when Pluvio drains; `close` follows.
    fn next(&mut self) -> impl Future<Output = Result<Pull, Self::Error>> + Send;

    /// Gives back what the other side holds for us (collector, session). Best effort, bounded by
    /// the drain; also called before anything was connected.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// What one look gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pull {
    /// New records, oldest first. Positions never go back along them.
    pub records: Vec<Record>,
    /// Where the source stands though no record says so: it looked and found nothing new.
    pub checkpoint: Option<Position>,
    /// The source's own clock at the newest thing seen, for the lag that status tells.
    pub seen_up_to: Option<Timestamp>,
}
