//! Evaluating clients' filters: on threads of its own, in short turns, and within a budget.
//!
//! ```text
//!  page ──┐ one slice at a time    ┌──────┐   thread 1: slice, slice, …
//!  watch ─┼──────────────────────▶ │ pool │ ─▶        each ≤ 2 ms
//!  watch ─┘ ◀── what it cost ───── └──────┘   thread n
//!      └─ allowance: a share of the client's budget, waited for when it is used up
//! ```
//!
//! A worker that answers requests never evaluates an expression: whatever a filter costs, `/livez`
//! and the watches without one go on. A reader has one slice queued at a time, and clients take turns. What
//! a client's filters may cost in a second is bounded; beyond it they are slowed, never ended. Who needs
//! little waits for nobody who needs more ([`pool`]).
//!
//! It refuses to bound a single evaluation: that was done when the filter was read
//! ([`pluvio_event::filter`]).

mod budget;
mod pool;

pub(super) use budget::{Allowance, Budgets};
pub(super) use pool::{Lane, Pool, Turn};

use std::time::{Duration, Instant};

use pluvio_event::{
    Event,
    filter::{Conjunction, Meter, Stopped},
};
use rustix::time::{ClockId, clock_gettime};

/// Longest turn of one reader, but for [`pool::LIGHT_MAX`]; an evaluation that has begun is finished.
const SLICE: Duration = Duration::from_millis(2);
/// Records between two offers of the core, when their filter is too cheap for the meter to ask: at some
/// microseconds each, a tenth of a millisecond.
const RECORDS_BETWEEN: u64 = 16;
/// What looking at one record costs a client, in units, whatever the record is: so the budget does
/// not tell how large hidden events are.
const RECORD_UNITS: u64 = 500;

/// One turn of one reader.
pub(super) struct Slice<'s> {
    began: Instant,
    longest: Duration,
    /// What the thread had taken of its core.
    before: Duration,
    hidden: Meter<'s>,
    meter: Meter<'s>,
    records: u64,
}

impl<'s> Slice<'s> {
    /// Begins a turn in `lane` that ends when `is_left` says that nobody waits for it.
    pub(super) fn begin(lane: Lane, is_left: &'s dyn Fn() -> bool) -> Self {
        Self {
            began: Instant::now(),
            // Who turns out to need more goes on in another lane.
            longest: if lane == Lane::Light { pool::LIGHT_MAX } else { SLICE },
            before: thread_time(),
            hidden: Meter::stopping(is_left),
            meter: Meter::stopping(is_left),
            records: 0,
        }
    }

    /// Whether `event` passes; a record that is no event passes no filter.
    pub(super) fn passes(
        &mut self,
        filter: &Conjunction,
        event: Option<&Event>,
    ) -> Result<bool, Stopped> {
        self.records += 1;
        if self.records.is_multiple_of(RECORDS_BETWEEN) {
            pool::breathe();
        }
        match event {
            Some(event) => filter.matches_metered(event, &mut self.hidden, &mut self.meter),
            None => Ok(false),
        }
    }

    /// Whether it is another reader's turn.
    pub(super) fn is_over(&self) -> bool {
        self.began.elapsed() >= self.longest
    }

    /// The lane that this turn puts its reader in: by what it took, not by how long it waited for a core.
    pub(super) fn lane(&self) -> Lane {
        Lane::of(thread_time().saturating_sub(self.before))
    }

    /// What the turn costs the client: not what its mandatory filter did.
    pub(super) fn units(&self) -> u64 {
        self.meter.units().saturating_add(self.records.saturating_mul(RECORD_UNITS))
    }
}

/// How long this thread has had a core so far.
fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
