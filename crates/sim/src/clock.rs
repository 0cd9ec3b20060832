//! A cloud's clock: the machine's in microseconds, or one that stands until it is moved, and either
//! of them wrong by a skew. It knows no time zone and never sleeps.

use jiff::{SignedDuration, Timestamp};

/// A clock that may be wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    /// The time at which it stands; `None` if it goes with the machine's clock.
    stands_at: Option<Timestamp>,
    /// How far it was moved since it was made.
    moved: SignedDuration,
    /// How far it runs ahead of the right time.
    pub(crate) skew: SignedDuration,
}

impl Clock {
    /// A clock that stands at that time until it is moved; `None` for one that goes by itself.
    pub(crate) fn new(stands_at: Option<Timestamp>) -> Self {
        Self { stands_at, ..Self::default() }
    }

    /// The time that the cloud believes it is.
    pub(crate) fn now(&self) -> Timestamp {
        let time = self.stands_at.unwrap_or_else(Timestamp::now);
        let ahead = self.moved.saturating_add(self.skew);
        microseconds(time.saturating_add(ahead).unwrap_or(Timestamp::MAX))
    }

    /// Whether it goes only when it is moved.
    pub(crate) fn stands(&self) -> bool {
        self.stands_at.is_some()
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
}
