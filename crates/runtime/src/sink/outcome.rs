//! What became of one attempt to write one batch.

use std::time::Duration;

use pluvio_log::Offset;

/// What became of a batch.
#[derive(Debug)]
pub enum Outcome<E> {
    /// Everything up to and including this offset has arrived for good. The rest of the batch, if
    /// any, comes again.
    AckedTo(Offset),
    /// The target says no to these for ever; all others of the batch have arrived for good.
    Rejected(Vec<Rejected>),
    /// The target says no to the batch for ever, and not to which of its records; none of it has
    /// arrived. It comes again in halves, until the ones to blame are alone.
    ///
    /// A target that would say no to *anything*, because an address or a permission is wrong, is
    /// [`NotConnected`](Self::NotConnected): otherwise every event became a dead letter.
    BatchRejected(String),
    /// Not now: the same batch comes again, not before.
    Throttled(Duration),
    /// The attempt failed, or its outcome is unknown. The writer is closed.
    NotConnected(E),
    /// Nobody is there to be written to any more, and that is no failure: the pipe's reader has
    /// ended. Pluvio drains and ends. Nothing of the batch counts as arrived.
    Ended,
}

/// A record that the target will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which one of the batch.
    pub offset: Offset,
    /// Why, in the target's words.
    pub reason: String,
}
