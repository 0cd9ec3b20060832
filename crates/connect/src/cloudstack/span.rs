//! A span of time as CloudStack lists it: whole seconds, both ends inside.
//!
//! **Wall clocks.** Servers before 4.18 or so read dates as wall clock in their own zone. Spans are then
//! written with one offset for the whole connection, so they tile the server's wall clock rather
//! than time itself, up to an hour apart from it after summer time began or ended. In the hour that
//! occurs twice the server takes the later of two instants. A span whose end lies in that hour
//! therefore reaches over both, and nothing is skipped as long as no span *begins* exactly with it;
//! hours repeat at full quarters, so no span begins at one.

use jiff::Timestamp;

/// Clocks change on quarter hours; spans never start on one, so a repeated hour is never skipped.
const QUARTER_S: i64 = 900;

/// Seconds since 1970, `from` and `to` included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    /// `None` if it would hold no second.
    pub(super) fn new(from: i64, to: i64) -> Option<Self> {
        (from <= to).then_some(Self { from, to })
    }

    /// The earlier and the later half; `None` if it cannot be divided.
    pub(super) fn halves(self) -> Option<(Self, Self)> {
        let middle = self.from + (self.to - self.from) / 2 + 1;
        let cut = if is_quarter(middle) { middle + 1 } else { middle };
        let cut = if cut > self.to { middle - 1 } else { cut };
        let (before, after) = (Self::new(self.from, cut - 1)?, Self::new(cut, self.to)?);
        (!is_quarter(cut)).then_some((before, after))
    }

    /// How many it has; at least one.
    pub(super) fn seconds(self) -> u64 {
        self.to.abs_diff(self.from).saturating_add(1)
    }

    /// Wider by so many seconds at each end.
    pub(super) fn widened(self, seconds: i64) -> Self {
        Self { from: self.from.saturating_sub(seconds), to: self.to.saturating_add(seconds) }
    }

    /// Whether the instant lies in one of its seconds.
    pub(super) fn holds(self, instant: Timestamp) -> bool {
        (self.from..=self.to).contains(&instant.as_second())
    }

    pub(super) fn start(self) -> Timestamp {
        at(self.from)
    }

    pub(super) fn end(self) -> Timestamp {
        at(self.to)
    }
}

/// A span may begin here or a second later.
pub(super) fn beginning(second: i64) -> i64 {
    if is_quarter(second) { second + 1 } else { second }
}

/// The instant; the nearest there is.
pub(super) fn at(second: i64) -> Timestamp {
    let nearest = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(second).unwrap_or(nearest)
}

fn is_quarter(second: i64) -> bool {
    second.rem_euclid(QUARTER_S) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn halves_make_the_whole_and_none_begins_with_an_hour_that_repeats(
            from in 0_i64..10_000,
            seconds in 0_i64..4000,
        ) {
            let span = Span { from, to: from + seconds };
            match span.halves() {
                Some((before, after)) => {
                    prop_assert_eq!((before.from, after.to), (span.from, span.to));
                    prop_assert_eq!(before.to + 1, after.from);
                    prop_assert!(before.from <= before.to && after.from <= after.to);
                    prop_assert!(after.from % QUARTER_S != 0);
                }
                None => prop_assert!(seconds <= 1, "{span:?}"),
            }
        }
    }
}
