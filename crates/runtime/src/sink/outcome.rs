//! What became of one attempt to write one batch: the end of it, beside the [`Answers`] that came
//! while it went on.
//!
//! ```text
//!  write(batch, answers) ─┬─▶ answers.taken(7)       ┐
//!                         ├─▶ answers.rejected(9, …) ├─ settled: never handed over again
//!                         ├─▶ answers.taken(8)       ┘
//!                         └─▶ Outcome: why the write ended, and what that says of the others
//! ```
//!
//! A sink whose target answers for each event reports each answer when it comes, and ends with
//! [`Answered`](Outcome::Answered), or with what went wrong meanwhile. A sink whose target answers for
//! a batch as one, or keeps the cursor itself, reports nothing and says
//! [`AckedTo`](Outcome::AckedTo) or [`Rejected`](Outcome::Rejected).
//!
//! | the target says | the sink says |
//! |---|---|
//! | this event is stored | `answers.taken` |
//! | this event never will be, and others may | `answers.rejected` |
//! | not now: busy, full, a quota, a memory alarm | `Throttled`, in the target's words |
//! | no to every event: address, permission, index, login | `NotConnected` |
//! | nothing: the connection ended under events without an answer | `Broken` |
//!
//! It refuses to let a sink keep answers for a later write: the supervisor does, for all sinks alike.

use std::time::Duration;

use pluvio_log::Offset;

/// Why a write ended. What was reported to [`Answers`](super::Answers) holds with each of these.
#[derive(Debug)]
pub enum Outcome<E> {
    /// Everything up to and including this offset has arrived for good. The rest of the batch, if
    /// any, comes again.
    AckedTo(Offset),
    /// The target says no to these for ever; all others of the batch have arrived for good.
    Rejected(Vec<Rejected>),
    /// At least one answer was reported. What has none, if anything, comes again at once.
    Answered,
    /// The target says no for ever to one or more of those without an answer, and not to which; none
    /// of these has arrived. They come again in halves, until the ones to blame are alone.
    ///
    /// A target that would say no to *anything*, because an address or a permission is wrong, is
    /// [`NotConnected`](Self::NotConnected): otherwise every event became a dead letter.
    BatchRejected(String),
    /// Not now: what has no answer comes again, and not before.
    Throttled {
        /// How long to wait; zero: the target does not say how long.
        wait: Duration,
        /// Why, in the target's words: it is shown in the status.
        why: String,
    },
    /// The attempt failed, for a reason that no event is to blame for. What has no answer comes again
    /// over a new connection. The writer is closed.
    NotConnected(E),
    /// The attempt failed under events that were on their way and have no answer: the connection
    /// ended, or the target says that it failed. One of these may be the cause, so they come again in
    /// halves, each over a new connection, and the one that ends up alone becomes a dead letter if it
    /// fails again and again while the event behind it is taken. The writer is closed.
    ///
    /// Not for a connection that was not opened, a refused login, or an end that the target explains
    /// by itself (it shuts down): these are [`NotConnected`](Self::NotConnected).
    Broken {
        /// What went wrong.
        error: E,
        /// Events of the batch behind this one were not sent, and so are not suspected.
        sent_to: Offset,
    },
    /// The reader has closed its end (for example, of a pipe). Not an error. The sink ends, and Pluvio with it if no other sink is left and no listener was asked for. Nothing of the batch counts
    /// as arrived.
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
