//! What pulls: a cloud's API that is asked for events.

use std::future::Future;

use jiff::Timestamp;
use pluvio_log::{Position, Record};

use crate::{Failure, Resume};

/// A source of events that is asked.
///
/// ```text
///              Failure
///            ┌────────────────────┐
///            ▼                    │
///   source.connect(resume) ──▶ connection.next() ──▶ next() ──▶ … ──▶ close()
/// ```
///
/// A source is its settings; what it holds at the other side is a [`Connection`]. Where it stands
/// comes from the log (`resume`) with every connection, never from memory, because the last pull may
/// not have been appended.
pub trait Source: Send + 'static {
    /// What is held while connected.
    type Connection: Connection<Error = Self::Error>;
    /// What went wrong and what helps.
    type Error: Failure;

    /// Connects and goes to where `resume` says. One attempt; an attempt that fails half-way gives
    /// back what it held.
    fn connect(
        &mut self,
        resume: Resume,
    ) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Asks the other side and says in one line what was found: what `pluvio check --connect` does.
    /// Changes nothing there.
    fn probe(&mut self) -> impl Future<Output = Result<String, Self::Error>> + Send;
}

/// A connected source.
pub trait Connection: Send {
    /// What went wrong and what helps.
    type Error: Failure;

    /// Gives what is new, in the order it must be stored; waits for something new as long as the
    /// source can do so at no cost, but not longer than about a minute: a pull without records says
    /// "I looked, and there is nothing", which is how a stall is told from silence.
    ///
    /// What the last [`PULLS_ON_THE_WAY`](crate::supervise::PULLS_ON_THE_WAY) pulls brought may not be in the
    /// log yet.
    ///
    /// **Cancel:** may be dropped at any await when Pluvio drains; `close` follows.
    fn next(&mut self) -> impl Future<Output = Result<Pull, Self::Error>> + Send;

    /// The time by the other side's clock, carried on by what passed since it was told; `None` while it was
    /// not told. The log compares its own clock with it.
    fn clock(&self) -> Option<Timestamp> {
        None
    }

    /// Gives back what the other side holds for us (collector, session). Best effort; the caller
    /// bounds it in time.
    fn close(self) -> impl Future<Output = ()> + Send;
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
    /// What could not be captured as it should be though the connection works, in words; told in the status
    /// while the source runs.
    pub flaw: Option<String>,
}
