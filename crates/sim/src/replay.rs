//! What was recorded, and how much of it has happened again.
//!
//! An event is due when the clock has reached the largest time of it and all before it: a cloud writes
//! some events down later than they say they happened, and the order in which it did is what a client
//! saw. One that says it happened far behind most that follow it has that from a host whose clock is ahead,
//! and holds up nothing. It knows neither what an event is nor how it is shown.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::error::{Error, SPEED_MAX};

/// Most events that follow one tell how late it is, and those further behind do not.
const FOLLOWING: usize = 16;
/// An event so far behind what follows is dated wrong.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// How far a recording has been played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// How many events there are in the recording.
    pub events: usize,
    /// How many of them have happened.
    pub played: usize,
}

/// A recording while it is played.
#[derive(Debug)]
pub(crate) struct Replay<E> {
    waiting: VecDeque<(Timestamp, E)>,
    events: usize,
    end: Timestamp,
}

impl<E> Replay<E> {
    /// Events with their own times, in the order in which they are to happen.
    pub(crate) fn new(events: impl IntoIterator<Item = (Timestamp, E)>) -> Self {
        let mut waiting: VecDeque<_> = events.into_iter().collect();
        let times: Vec<Timestamp> = waiting.iter().map(|(time, _)| *time).collect();
        let mut latest = times.first().copied().unwrap_or_default();
        for (at, (due, _)) in waiting.iter_mut().enumerate() {
            if !is_dated_wrong(*due, &times[at + 1..]) {
                latest = latest.max(*due);
            }
            *due = latest;
        }
        let end = waiting.back().map(|(due, _)| *due).unwrap_or_default();
        Self { events: waiting.len(), waiting, end }
    }

    /// The next event, if the clock has reached it.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<E> {
        self.waiting.pop_front_if(|(due, _)| *due <= now).map(|(_, event)| event)
    }

    /// Whether the clock has reached the next event.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.waiting.front().is_some_and(|(due, _)| *due <= now)
    }

    /// When the last event is due.
    pub(crate) fn end(&self) -> Timestamp {
        self.end
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { events: self.events, played: self.events - self.waiting.len() }
    }
}

/// Whether most of what follows happened long before.
fn is_dated_wrong(time: Timestamp, following: &[Timestamp]) -> bool {
    let following = &following[..following.len().min(FOLLOWING)];
    let is_long_before = |other: &&Timestamp| time.duration_since(**other) > AHEAD;
    following.len() > 1 && following.iter().filter(is_long_before).count() * 2 > following.len()
}

/// Refuses a speed at which no clock can go.
pub(crate) fn check_speed(speed: f64) -> Result<(), Error> {
    if speed > 0.0 && speed <= SPEED_MAX { Ok(()) } else { Err(Error::Speed(speed)) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Progress, Replay, check_speed};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn what_was_written_down_late_happens_behind_what_was_before_it() {
        let mut replay = Replay::new([(at(10), 'a'), (at(30), 'b'), (at(20), 'c')]);
        assert_eq!((replay.next_due(at(9)), replay.is_due(at(10))), (None, true));
        assert_eq!((replay.next_due(at(29)), replay.next_due(at(29))), (Some('a'), None));
        assert_eq!((replay.next_due(at(30)), replay.next_due(at(30))), (Some('b'), Some('c')));
        assert_eq!(replay.progress(), Progress { events: 3, played: 3 });
    }

    #[test]
    fn an_event_that_is_dated_days_ahead_holds_up_nothing() {
        let (day, hour) = (86_400, 3600);
        let times = [0, hour, 5 * day, 5 * day + 1, 2 * hour, 3 * hour, 4 * hour, 5 * hour];
        let mut replay = Replay::new(times.into_iter().map(|second| (at(second), second)));
        let mut due = |second| std::iter::from_fn(|| replay.next_due(at(second))).count();
        assert_eq!([due(0), due(hour), due(2 * hour), due(5 * hour)], [1, 3, 1, 3]);
    }

    #[test]
    fn a_speed_is_a_number_above_nothing() {
        assert!(check_speed(0.5).is_ok() && check_speed(1e6).is_ok());
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(check_speed(speed).is_err(), "{speed}");
        }
    }
}
