//! A cloud's clock, which goes in one of three ways: with the machine's clock, not at all until it is
//! moved, or from a time of its own at a speed of its own, behind the machine's monotonic clock. Each is
//! cut to microseconds, and each may be wrong by a skew. It knows no time zone and never sleeps.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// How a clock goes.
#[derive(Debug, Clone, Copy, Default)]
enum Course {
    /// With the machine's clock.
    #[default]
    Machine,
    /// Not at all, from that time on.
    Stands(Timestamp),
    /// From that time on; it was that time at that instant, and each second counts as `speed` seconds.
    /// Behind `until` it goes as fast as time.
    Runs { from: Timestamp, since: Instant, speed: f64, until: Timestamp },
}

/// A clock that may be wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    course: Course,
    /// How far it was moved since it was made.
    moved: SignedDuration,
    /// How far it runs ahead of the right time.
    pub(crate) skew: SignedDuration,
}

impl Clock {
    /// A clock that stands at that time until it is moved; `None` for one that goes by itself.
    pub(crate) fn new(stands_at: Option<Timestamp>) -> Self {
        Self { course: stands_at.map_or(Course::Machine, Course::Stands), ..Self::default() }
    }

    /// A clock that shows `from` at the instant `since` and goes `speed` times as fast as time until it
    /// shows `until`.
    pub(crate) fn running(from: Timestamp, since: Instant, speed: f64, until: Timestamp) -> Self {
        Self { course: Course::Runs { from, since, speed, until }, ..Self::default() }
    }

    /// The time that the cloud believes it is.
    pub(crate) fn now(&self) -> Timestamp {
        let time = self.right();
        microseconds(time.saturating_add(self.skew).unwrap_or(Timestamp::MAX))
    }

    /// The time without the skew: when things really happen.
    pub(crate) fn right(&self) -> Timestamp {
        self.right_at(Instant::now())
    }

    /// The right time at an instant.
    fn right_at(&self, instant: Instant) -> Timestamp {
        let time = match self.course {
            Course::Machine => Timestamp::now(),
            Course::Stands(time) => time,
            Course::Runs { from, since, speed, until } => {
                let seconds = instant.saturating_duration_since(since).as_secs_f64();
                let fast = until.duration_since(from).as_secs_f64().max(0.0);
                let passed = (seconds * speed).min(fast) + (seconds - fast / speed).max(0.0);
                let passed = SignedDuration::try_from_secs_f64(passed);
                from.saturating_add(passed.unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
            }
        };
        microseconds(time.saturating_add(self.moved).unwrap_or(Timestamp::MAX))
    }

    /// Whether it goes only when it is moved.
    pub(crate) fn stands(&self) -> bool {
        matches!(self.course, Course::Stands(_))
    }

    /// Moves it for good.
    pub(crate) fn advance(&mut self, by: SignedDuration) {
        self.moved = self.moved.saturating_add(by);
    }
}

/// Cuts a time to the precision that protocols carry.
pub(crate) fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jiff::{SignedDuration, Timestamp};

    use super::Clock;

    #[test]
    fn a_standing_clock_moves_only_when_told() {
        let mut clock = Clock::new(Some(Timestamp::UNIX_EPOCH));
        assert_eq!(clock.now(), clock.now());
        clock.advance(SignedDuration::from_secs(5));
        clock.skew = SignedDuration::from_secs(-2);
        assert_eq!(clock.now().as_second(), 3);
    }

    #[test]
    fn at_speed_ten_a_minute_takes_six_seconds() {
        let since = Instant::now();
        let mut clock = Clock::running(Timestamp::UNIX_EPOCH, since, 10.0, Timestamp::MAX);
        let after = |clock: &Clock, seconds| {
            clock.right_at(since + Duration::from_secs(seconds)).as_second()
        };
        assert_eq!((after(&clock, 0), after(&clock, 6)), (0, 60));
        clock.advance(SignedDuration::from_secs(5));
        clock.skew = SignedDuration::from_secs(1000);
        assert_eq!(after(&clock, 6), 65, "a skew is no right time");
    }

    #[test]
    fn behind_its_end_a_fast_clock_goes_as_fast_as_time() {
        let (since, end) = (Instant::now(), Timestamp::from_second(60).unwrap_or_default());
        for (speed, seconds, expected) in [(10.0, 8, 62), (0.5, 200, 140), (1e6, 5, 64)] {
            let clock = Clock::running(Timestamp::UNIX_EPOCH, since, speed, end);
            assert_eq!(clock.right_at(since + Duration::from_secs(seconds)).as_second(), expected);
        }
        let late = Clock::running(end, since, 1e6, Timestamp::UNIX_EPOCH);
        assert_eq!(late.right_at(since + Duration::from_secs(5)).as_second(), 65);
    }
}
