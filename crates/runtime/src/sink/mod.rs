//! What is written to: another system that gets the events.
//!
//! ```text
//!              Failure                      AckedTo · Answered · Rejected · Throttled
//!            ┌────────────────────┐         ┌───────────┐
//!            ▼                    │         ▼           │
//!   sink.connect(standing) ──▶ writer.write(batch) ──▶ write ──▶ … ──▶ close()
//!                                   └─▶ answers: taken, rejected, one by one
//! ```
//!
//! A sink makes one attempt and says what became of it. Which records come next, when a batch is
//! tried again, where the cursor stands and what a rejected record becomes is the supervisor's
//! business. It refuses to filter, to count and to sleep.

mod answers;
mod delivered;
mod format;
mod outcome;

use std::{fmt, future::Future};

use jiff::Timestamp;
use pluvio_log::{InvalidName, Offset, SourceName, StreamName};
use serde::{Deserialize, Serialize};

use crate::Failure;

pub use answers::{Answers, News};
pub use delivered::Delivered;
pub use format::{Format, FormatError};
pub use outcome::{Outcome, Rejected};

/// A system that events are handed to: in order, at least once.
///
/// A sink is its settings; what it holds at the other side is a [`Writer`].
pub trait Sink: Send + 'static {
    /// What is held while connected.
    type Writer: Writer<Error = Self::Error>;
    /// What went wrong and what helps.
    type Error: Failure;

    /// Makes one connection attempt. On failure, releases anything acquired so far.
    fn connect(
        &mut self,
        standing: Standing,
    ) -> impl Future<Output = Result<Connected<Self::Writer>, Self::Error>> + Send;

    /// Checks that the target is reachable and returns a one-line summary, for `pluvio check --connect`. Must not
    /// modify the target.
    /// Changes nothing there.
    fn probe(&mut self) -> impl Future<Output = Result<String, Self::Error>> + Send;
}

/// A connected sink.
pub trait Writer: Send {
    /// What went wrong and what helps.
    type Error: Failure;

    /// Hands over one batch: one attempt. The batch is never empty, its offsets ascend, and nothing
    /// of it was answered for before.
    ///
    /// **Answers.** What the target says to single events is reported to `answers` when it comes; the
    /// outcome says what holds for the rest. A write may take as long as answers come.
    ///
    /// **Order and repetition.** What has no answer comes again, whole or in parts, in the order of the
    /// stream. Nothing that was answered for comes again, over no connection, as long as the process
    /// lives; after a crash, what lies behind the cursor that was put last.
    ///
    /// **Cancel:** may be dropped at any await, when Pluvio drains or when nothing was answered for
    /// [`WRITE_MAX`](crate::supervise::Supervisor::WRITE_MAX); `close` follows.
    fn write(
        &mut self,
        batch: &[Delivered],
        answers: &Answers,
    ) -> impl Future<Output = Outcome<Self::Error>> + Send;

    /// What of earlier writes was found to have arrived while this connection was made: events that were
    /// handed over last and had no answer. Asked once, before the stream is read, so that these do not come
    /// again, and no gap event tells of them, though retention took them meanwhile. For a target that can
    /// be asked, or sent the same again without harm.
    fn arrived(&mut self) -> Vec<Offset> {
        Vec::new()
    }

    /// Gives back what the other side holds for us. Best effort; the caller bounds it in time.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A writer, and what its target remembers.
#[derive(Debug)]
pub struct Connected<W> {
    /// The way to the target.
    pub writer: W,
    /// For a target that keeps a cursor itself, in the same transaction as the events: everything
    /// before it has arrived. It wins over ours. `None`: ours counts.
    pub cursor: Option<TargetCursor>,
}

/// A cursor that a target keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetCursor {
    /// What comes next: everything before it has arrived.
    pub next: Offset,
    /// The last record that has arrived. A log that has another one at its offset was set back, by an older copy
    /// for example, and grew again. `None`: the target does not know.
    pub last: Option<Taken>,
    /// It is of [`Age::BeforeRepeat`]: it does not say where the sink goes on, but where it stood.
    pub is_older: bool,
}

/// A record that a target took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its place.
    pub offset: Offset,
    /// When it was appended, by our clock: no record of a log that was set back has the same offset and time.
    pub recorded: Timestamp,
}

/// Where a sink stands by what Pluvio knows.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its configured name.
    pub sink: SinkName,
    /// The stream that it is handed.
    pub stream: StreamName,
    /// Which incarnation of the stream: offsets of another one mean nothing here, so a target that
    /// keeps a cursor keeps this beside it.
    pub log_id: uuid::Uuid,
    /// What comes next: everything of this incarnation before it was acknowledged or not asked for.
    pub cursor: Offset,
    /// Where the stream ended at the first start that has not heard the target yet, or what was handed over
    /// since ends: no target of this log can have come further. One that holds more is of the same log before
    /// it was set back, by an older copy for example: what comes has offsets that the target has for
    /// something else.
    pub end: Offset,
    /// The places that were decided here and not by the target.
    pub moves: Moves,
    /// Whether another sink of this name may run at the same time, so that whatever may be connected only once
    /// is to be called otherwise.
    pub is_beside: bool,
}

/// The places of a sink that were decided by Pluvio and not by its target: an operator moved the sink, or the log was
/// set back. Each has a number that is higher than those before it; a target that keeps a cursor keeps the number
/// beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// The number of the last one; 0: there was none.
    pub last: u64,
    /// While a stretch is handed over again behind which the sink goes on where it stood: the number that its place
    /// had then. The log may be a moment behind the target, and a cursor with that number or a later one below
    /// `last` tells where that was. `None`: nothing is handed over again.
    pub before: Option<u64>,
}

/// What a cursor of a target says, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Where the sink goes on.
    Current,
    /// Where it stood before the stretch that it is handed again.
    BeforeRepeat,
    /// Nothing: its place was decided since.
    Outdated,
}

impl Moves {
    /// What a cursor with the number `seek` says.
    #[must_use]
    pub fn age(self, seek: u64) -> Age {
        if seek >= self.last {
            Age::Current
        } else if self.before.is_some_and(|before| seek >= before) {
            Age::BeforeRepeat
        } else {
            Age::Outdated
        }
    }
}

/// The configured name of a sink, for example `billing` of `[sinks.billing]`: 1 to 240 letters,
/// digits, `.`, `_` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinkName {
    name: Box<str>,
    writer: SourceName,
}

impl SinkName {
    /// Checks `name`.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        SourceName::new(name)?;
        let writer = SourceName::new(&format!("sink.{name}"))?;
        Ok(Self { name: name.into(), writer })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The name under which the sink appends its dead letters.
    pub(crate) fn writer(&self) -> &SourceName {
        &self.writer
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
