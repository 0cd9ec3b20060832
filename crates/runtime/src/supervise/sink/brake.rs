//! Slows a sink down whose target takes nothing any more: a wrong address or format would otherwise
//! turn a whole stream into dead letters before anybody looks. Pure: it says how long, others wait.

use std::time::Duration;

use super::Backoff;
use crate::{Answers, Response};

/// Consecutive rejections tolerated at full speed; bad records often come in runs.
const REJECTIONS_BEFORE_BRAKING: usize = 20;
/// Upper bound on the pause, so that a repaired target receives the next record within 10 s.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How many records were rejected since one arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Brake {
    in_row: usize,
    backoff: Backoff,
}

impl Brake {
    /// Something arrived: full speed.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }

    /// So many were rejected and nothing arrived with them.
    pub(super) fn rejected(&mut self, count: usize) {
        self.in_row = self.in_row.saturating_add(count);
    }

    /// How many more may be rejected before that is suspicious: of a batch of which nothing was taken,
    /// no more become dead letters at once.
    pub(super) fn allowance(&self) -> usize {
        REJECTIONS_BEFORE_BRAKING.saturating_sub(self.in_row)
    }

    /// The answers to the next write: it ends once as many are refused as may become letters. One that is
    /// tried after a pause may always be sent.
    pub(super) fn answers(&self) -> Answers {
        Answers::with_refusals(self.allowance().max(1), REJECTIONS_BEFORE_BRAKING)
    }

    /// How many were rejected in a row, once that is suspicious: then records go one at a time.
    pub(super) fn suspicious(&self) -> Option<usize> {
        (self.in_row >= REJECTIONS_BEFORE_BRAKING).then_some(self.in_row)
    }

    /// How long to wait before the next record is tried; longer each time. `random` is in `0.0..1.0`.
    pub(super) fn pause(&mut self, random: f64) -> Duration {
        self.backoff.next(Response::Retry, random).min(PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_bad_records_cost_nothing_and_a_long_row_of_them_costs_more_and_more() {
        let mut brake = Brake::default();
        brake.rejected(REJECTIONS_BEFORE_BRAKING - 1);
        assert_eq!((brake.suspicious(), brake.allowance()), (None, 1));
        brake.rejected(1);
        assert_eq!((brake.suspicious(), brake.allowance()), (Some(REJECTIONS_BEFORE_BRAKING), 0));
        let pauses: Vec<_> = (0..6).map(|_| brake.pause(1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn one_that_arrives_ends_it() {
        let mut brake = Brake::default();
        brake.rejected(10 * REJECTIONS_BEFORE_BRAKING);
        let _long = (brake.pause(1.0), brake.pause(1.0));
        brake.release();
        assert_eq!(brake.suspicious(), None);
        brake.rejected(REJECTIONS_BEFORE_BRAKING);
        assert_eq!(brake.pause(1.0), Duration::from_secs(1));
    }
}
