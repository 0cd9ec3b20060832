//! When a silent watch is due for a heartbeat.
//!
//! All watches beat on one grid of time: a thousand that fell silent at a thousand moments would
//! wake the process a thousand times in each period, on the grid they wake it a few times.

use std::time::Duration;

use tokio::time::Instant;

/// Steps of the grid in one period: silence lasts between three quarters of a period and a whole.
const STEPS: u32 = 4;

/// One watch's next heartbeat.
pub(super) struct Beat {
    epoch: Instant,
    /// Zero: never.
    period: Duration,
    due: Option<Instant>,
}

impl Beat {
    /// `epoch` is where the shared grid begins.
    pub(super) fn new(epoch: Instant, period: Duration) -> Self {
        let mut beat = Self { epoch, period, due: None };
        beat.reset(Instant::now());
        beat
    }

    /// Something was sent at `now`.
    pub(super) fn reset(&mut self, now: Instant) {
        if self.period.is_zero() {
            return;
        }
        let latest = (now + self.period).duration_since(self.epoch).as_millis();
        let step = (self.period / STEPS).as_millis().max(1);
        let millis = u64::try_from(latest - latest % step).unwrap_or(u64::MAX);
        self.due = self.epoch.checked_add(Duration::from_millis(millis));
    }

    /// When to send one, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether one should have been sent by `now`.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_that_fall_silent_at_different_moments_beat_together_and_in_time() {
        let epoch = Instant::now();
        let period = Duration::from_secs(30);
        let mut beat = Beat::new(epoch, period);
        let mut moments = std::collections::BTreeSet::new();
        for millis in 0..30_000 {
            let now = epoch + Duration::from_millis(millis);
            beat.reset(now);
            let silence = beat.due().map(|due| due - now).unwrap_or_default();
            assert!(silence <= period && silence > period * 3 / 4 - Duration::from_millis(1));
            moments.insert(beat.due());
        }
        assert_eq!(moments.len(), 4, "{moments:?}");
    }
}
