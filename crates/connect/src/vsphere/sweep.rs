//! The sweep: looking a day back for events that became visible late.
//!
//! A vCenter writes events in batches and from several hosts; one can appear with a creation time
//! that the cursor passed long ago. The overlap of a reconnect finds what is a minute late. The
//! sweep lists the last two intervals each interval, and each hour of the day once more before it
//! leaves the day; after a reconnect the whole day once. Everything known is dropped by the ledger,
//! so a sweep costs the vCenter pages and us lookups, never a duplicate.
//!
//! It only decides what to list; the source lists, one page at a time, when the cursor has nothing.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::listing::Listing;

/// How far back the promise reaches (DESIGN §5).
const REACH: SignedDuration = SignedDuration::from_hours(24);
/// The first sweep after a reconnect waits until the catching up is over.
const SETTLE: Duration = Duration::from_secs(60);

/// From and to, both inclusive, by the vCenter's clock.
pub(super) type Slice = (Timestamp, Timestamp);

/// When to sweep, and what is left of the sweep that runs.
#[derive(Debug)]
pub(super) struct Sweep {
    interval: Duration,
    due: Instant,
    is_first: bool,
    slices: VecDeque<Slice>,
    /// The slice that is being listed, and how far.
    pub(super) listing: Option<(Slice, Listing)>,
}

impl Sweep {
    /// `has_past`: something was captured before this connection. `begin`: nothing before it is
    /// ever listed.
    pub(super) fn new(interval: Duration, has_past: bool) -> Self {
        let due = Instant::now() + if has_past { SETTLE.min(interval) } else { interval };
        Self { interval, due, is_first: has_past, slices: VecDeque::new(), listing: None }
    }

    /// Whether a new sweep begins now.
    pub(super) fn is_due(&self) -> bool {
        self.slices.is_empty() && self.listing.is_none() && Instant::now() >= self.due
    }

    /// Plans a sweep at `now`, the vCenter's clock.
    pub(super) fn plan(&mut self, begin: Timestamp, now: Timestamp) {
        self.due = Instant::now() + self.interval;
        self.slices = plan(begin, now, self.interval, self.is_first).into();
        self.is_first = false;
    }

    /// What is left of a slice is listed anew, before the others.
    pub(super) fn again(&mut self, slice: Slice) {
        self.slices.push_front(slice);
    }

    /// The next slice to list.
    pub(super) fn next_slice(&mut self) -> Option<Slice> {
        self.slices.pop_front()
    }
}

fn plan(begin: Timestamp, now: Timestamp, interval: Duration, whole_day: bool) -> Vec<Slice> {
    let two = SignedDuration::try_from(interval * 2).unwrap_or(REACH).min(REACH);
    let before = |span| now.checked_sub(span).unwrap_or(Timestamp::MIN).max(begin);
    let day = before(REACH);
    let slices = if whole_day || two + two >= REACH {
        vec![(day, now)]
    } else {
        vec![(before(two), now), (day, before(REACH - two))]
    };
    slices.into_iter().filter(|(from, to)| from < to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn hours_ago(now: Timestamp, begin_hours: i64, whole_day: bool) -> Vec<(i64, i64)> {
        let begin = now - SignedDuration::from_hours(begin_hours);
        let ago = |time| now.duration_since(time).as_hours();
        let slices = plan(begin, now, HOUR, whole_day);
        slices.into_iter().map(|(from, to)| (ago(from), ago(to))).collect()
    }

    #[test]
    fn a_sweep_lists_the_newest_hours_and_the_hours_that_leave_the_day() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(hours_ago(now, 1000, false), [(2, 0), (24, 22)]);
        assert_eq!(hours_ago(now, 1000, true), [(24, 0)], "all of it after a reconnect");
    }

    #[test]
    fn a_sweep_never_lists_what_was_before_the_beginning() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(hours_ago(now, 1, false), [(1, 0)]);
        assert_eq!(hours_ago(now, 23, false), [(2, 0), (23, 22)]);
        assert_eq!(hours_ago(now, 0, true), []);
    }
}
