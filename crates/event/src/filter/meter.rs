//! How much work evaluating a filter was, and when to stop.
//!
//! Work is counted in *units*. A unit was meant to be in the order of a nanosecond of a release build;
//! how long it takes differs with the expression and the machine, and the ignored test
//! `a_unit_of_work_takes_about_as_long_whatever_the_expression_does` prints it. Counts, not clocks, so
//! that the same filter on the same event always costs the same, and a test can compare the count with
//! the bound that [`cost`](super::cost) worked out.
//!
//! It refuses to limit: what is too much is refused when the filter is read; how much there may be
//! in a second is the caller's business.

/// Work between two looks at whether to stop, in units: some tenths of a millisecond.
const CHECK_UNITS: u64 = 200_000;

/// Counts the work of one evaluation or of many.
pub struct Meter<'s> {
    units: u64,
    check_at: u64,
    stop: Option<&'s (dyn Fn() -> bool + 's)>,
}

/// The evaluation was stopped; whether the event matches is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("evaluating the filter was stopped")]
pub struct Stopped;

impl<'s> Meter<'s> {
    /// Counts, and never stops.
    pub fn counting() -> Self {
        Self { units: 0, check_at: u64::MAX, stop: None }
    }

    /// Asks `stop` after every 200,000 units of work.
    pub fn stopping(stop: &'s (dyn Fn() -> bool + 's)) -> Self {
        Self { units: 0, check_at: CHECK_UNITS, stop: Some(stop) }
    }

    /// The work so far, in units.
    pub fn units(&self) -> u64 {
        self.units
    }

    pub(super) fn charge(&mut self, units: u64) -> Result<(), Stopped> {
        self.units = self.units.saturating_add(units);
        if self.units < self.check_at {
            return Ok(());
        }
        self.check_at = self.units.saturating_add(CHECK_UNITS);
        if self.stop.is_some_and(|stop| stop()) { Err(Stopped) } else { Ok(()) }
    }

    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), Stopped> {
        self.charge(bytes as u64)
    }
}
