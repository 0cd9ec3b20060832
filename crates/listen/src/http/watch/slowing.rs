//! When a watch that waits for its client's budget tells so.
//!
//! It refuses to tell of every wait: a replay at full speed waits a little all the time, and an event
//! a second about it would be noise.

use std::time::Duration;

use pluvio_log::Offset;
use tokio::time::Instant;

use super::inband::Slowed;

/// Waiting that is worth telling.
const WAITED_MIN: Duration = Duration::from_secs(1);
/// Pause between two messages of one watch.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What one watch waited for and used since it told last.
#[derive(Default)]
pub(super) struct Slowing {
    waited: Duration,
    units: u64,
    told: Option<Instant>,
}

impl Slowing {
    /// A slice cost so much.
    pub(super) fn used(&mut self, units: u64) {
        self.units = self.units.saturating_add(units);
    }

    /// The watch waited for its budget.
    pub(super) fn waited(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
    }

    /// What to tell now, if it is time.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        from: Offset,
        units_per_second: u64,
    ) -> Option<Slowed> {
        let is_early = self.told.is_some_and(|told| now < told + TELL_EVERY);
        if is_early || self.waited < WAITED_MIN {
            return None;
        }
        let slowed = Slowed {
            offset: from.get(),
            waited_ms: u64::try_from(self.waited.as_millis()).unwrap_or(u64::MAX),
            units: self.units,
            units_per_second,
            reason: "the filters of this client cost more than it may use; the watch goes on, slower",
        };
        *self = Self { told: Some(now), ..Self::default() };
        Some(slowed)
    }
}
