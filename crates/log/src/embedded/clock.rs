//! The time that the log believes: a clock that is set wrong must delete nothing, and must not run ahead
//! with the times of records, which can never go back.
//!
//! The machine's clock is compared with what is known: at a start the newest record and the time at which
//! [`ENDS`](super::ends) was written, afterwards the time that passed by a clock that nobody can set. Up to
//! an hour of difference is believed at once. More is a *doubt*:
//!
//! | the clock is | age, for retention and ids | times of new records |
//! |---|---|---|
//! | ahead | goes on from what is known | go on from what is known, or from a source's clock |
//! | behind | as the clock says: nothing is deleted early | go on from what is known |
//!
//! A doubt ends when it has lasted for an hour of time that passed, or when the clock is set right. For the
//! times of records it also ends when a source's clock agrees: a Pluvio that was stopped over the weekend
//! goes on at the right time as soon as it is connected. For deleting it does not: an hour later is soon
//! enough. While a source's clock says something else by more than a day, it lasts for a day.
//!
//! Without a record, what the clock says at the start is believed: there is nothing to lose.

use std::{fmt, sync::Mutex, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::lock;
use crate::{Clock, ClockDoubt, Passed};

/// A clock this far from what is known was set, or Pluvio was stopped for so long.
const JUMP: SignedDuration = SignedDuration::from_hours(1);
/// A doubt that nobody confirms ends after so long.
const LASTS: Duration = Duration::from_secs(3600);
/// A source's clock that differs by so much contradicts ours: clouds whose clocks differ by less are met.
const CONTRADICTS: SignedDuration = SignedDuration::from_hours(24);
/// A doubt that a source's clock confirms ends after so long: then it is that clock that is wrong.
const LASTS_CONTRADICTED: Duration = Duration::from_secs(86_400);
/// A stop of less than this is told as such; more is told as a warning.
const LONG_STOP: SignedDuration = SignedDuration::from_hours(31 * 24);

pub(super) struct SteadyClock {
    clock: Clock,
    passed: Passed,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Decides what is old.
    keeping: Judge,
    /// Gives records their time.
    recording: Judge,
    /// What a source's clock said, and when.
    source: Option<(Timestamp, Duration)>,
}

/// One look at all clocks.
#[derive(Clone, Copy, Debug)]
struct Look {
    said: Timestamp,
    now: Duration,
    is_contradicted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ahead,
    Behind,
}

/// What is known, and since when the clock says something else.
#[derive(Clone, Copy, Debug)]
struct Judge {
    known: (Timestamp, Duration),
    doubt: Option<(Side, Duration)>,
    /// Whether a clock that is behind is believed at once.
    goes_back: bool,
}

impl Judge {
    fn new(known: (Timestamp, Duration), goes_back: bool) -> Self {
        Self { known, doubt: None, goes_back }
    }

    /// What is known, carried on.
    fn expected(&self, now: Duration) -> Timestamp {
        let (then, at) = self.known;
        let passed = SignedDuration::try_from(now.saturating_sub(at));
        then.saturating_add(passed.unwrap_or(SignedDuration::MAX)).unwrap_or(then)
    }

    /// What to believe.
    fn believed(&mut self, look: Look) -> Timestamp {
        let expected = self.expected(look.now);
        let ahead = look.said.duration_since(expected);
        let side = if ahead.is_negative() { Side::Behind } else { Side::Ahead };
        if ahead.abs() <= JUMP || (side == Side::Behind && self.goes_back) {
            return self.believe(look.said, look.now);
        }
        let since = match self.doubt {
            Some((known, since)) if known == side => since,
            _ => look.now,
        };
        self.doubt = Some((side, since));
        let lasts = if look.is_contradicted { LASTS_CONTRADICTED } else { LASTS };
        if look.now.saturating_sub(since) >= lasts {
            return self.believe(look.said, look.now);
        }
        expected
    }

    fn believe(&mut self, said: Timestamp, now: Duration) -> Timestamp {
        *self = Self { known: (said, now), doubt: None, ..*self };
        said
    }
}

impl SteadyClock {
    pub(super) fn new(clock: Clock, passed: Passed) -> Self {
        let known = (clock(), passed());
        let (keeping, recording) = (Judge::new(known, true), Judge::new(known, false));
        Self { clock, passed, state: Mutex::new(State { keeping, recording, source: None }) }
    }

    /// The newest time that the log knows of, which was before now.
    pub(super) fn start_from(&self, newest: Timestamp) {
        let mut state = lock(&self.state);
        let known = (newest, state.recording.known.1);
        (state.keeping.known, state.recording.known) = (known, known);
        self.look(&mut state);
        let said = (self.clock)();
        let ahead = said.duration_since(newest);
        if ahead > JUMP && ahead <= LONG_STOP {
            tracing::info!(clock = %said, %newest, "the clock is ahead of the newest record: Pluvio was \
                stopped that long, or the clock is wrong; nothing is deleted by age for an hour");
        } else if ahead.abs() > JUMP {
            tracing::warn!(clock = %said, %newest, "the clock is far from the newest record: not believed \
                before a source's clock agrees or an hour has passed; nothing is deleted by age meanwhile");
        }
    }

    /// The time, for whoever asks how old something is.
    pub(super) fn keeping(&self) -> Timestamp {
        self.look(&mut lock(&self.state)).0
    }

    /// The time that a new record gets.
    pub(super) fn recording(&self) -> Timestamp {
        self.look(&mut lock(&self.state)).1
    }

    /// A source's clock says so.
    pub(super) fn heard(&self, source: Timestamp) {
        let mut state = lock(&self.state);
        let (said, now) = ((self.clock)(), (self.passed)());
        state.source = Some((source, now));
        if state.recording.doubt.is_none() {
            return;
        }
        if said.duration_since(source).abs() <= JUMP {
            state.recording.believe(said, now);
            tracing::info!(clock = %said, "a source's clock agrees with ours: it is believed");
            return;
        }
        // Between what is known and what ours says, it is the best there is.
        let expected = state.recording.expected(now);
        let (low, high) = (expected.min(said), expected.max(said));
        if (low..=high).contains(&source) && source > expected {
            state.recording.known = (source, now);
        }
    }

    /// What is wrong with the clock, if it is not believed.
    pub(super) fn doubt(&self) -> Option<ClockDoubt> {
        let mut state = lock(&self.state);
        let (_, believed) = self.look(&mut state);
        let (_, since) = state.recording.doubt?;
        let passed = (self.passed)().saturating_sub(since);
        Some(ClockDoubt { says: (self.clock)(), believed, passed })
    }

    /// What the clock says, whether it is believed or not.
    pub(super) fn says(&self) -> Timestamp {
        (self.clock)()
    }

    /// For age, and for records.
    fn look(&self, state: &mut State) -> (Timestamp, Timestamp) {
        let (said, now) = ((self.clock)(), (self.passed)());
        let is_contradicted = state.source.is_some_and(|(source, at)| {
            let since = now.saturating_sub(at);
            let carried = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
            let source = source.saturating_add(carried).unwrap_or(source);
            since <= LASTS_CONTRADICTED && said.duration_since(source).abs() > CONTRADICTS
        });
        let look = Look { said, now, is_contradicted };
        let before = state.recording.doubt;
        let times = (state.keeping.believed(look), state.recording.believed(look));
        match (before, state.recording.doubt) {
            (None, Some(_)) => {
                tracing::warn!(clock = %said, believed = %times.1, "the clock was set: not believed before \
                    a source's clock agrees or an hour has passed; nothing is deleted by age meanwhile");
            }
            (Some(_), None) => tracing::warn!(clock = %said, "the clock is believed again"),
            _ => {}
        }
        times
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock").field("state", &lock(&self.state)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A machine whose clock anybody sets.
    #[derive(Clone)]
    struct Machine(Arc<Mutex<(Timestamp, Duration)>>);

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    const TEN_YEARS: i64 = 3653 * DAY;

    fn true_time() -> Timestamp {
        Timestamp::from_second(1_795_000_000).unwrap_or_default()
    }

    fn plus(time: Timestamp, seconds: i64) -> Timestamp {
        time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
    }

    impl Machine {
        fn new(ahead: i64) -> Self {
            Self(Arc::new(Mutex::new((plus(true_time(), ahead), Duration::ZERO))))
        }

        fn set(&self, ahead: i64) {
            let mut state = lock(&self.0);
            let passed = state.1.as_secs() as i64;
            state.0 = plus(true_time(), passed + ahead);
        }

        fn pass(&self, seconds: i64) {
            let mut state = lock(&self.0);
            state.0 = plus(state.0, seconds);
            state.1 += Duration::from_secs(seconds.unsigned_abs());
        }

        /// The clock of a log whose newest record was just written.
        fn log(&self) -> SteadyClock {
            let (one, other) = (Arc::clone(&self.0), Arc::clone(&self.0));
            let clock =
                SteadyClock::new(Arc::new(move || lock(&one).0), Arc::new(move || lock(&other).1));
            clock.start_from(true_time());
            clock
        }
    }

    #[test]
    fn a_start_with_a_wrong_clock_changes_no_time() {
        for ahead in [TEN_YEARS, -TEN_YEARS, DAY, -DAY, 2 * HOUR, -2 * HOUR] {
            let machine = Machine::new(ahead);
            let clock = machine.log();
            machine.pass(600);
            assert_eq!(clock.recording(), plus(true_time(), 600), "{ahead}");
            assert!(clock.keeping() <= plus(true_time(), 600), "{ahead}: something looks older");
            assert!(clock.doubt().is_some());
            machine.set(0);
            assert_eq!(clock.recording(), plus(true_time(), 600), "{ahead}");
            assert!(clock.doubt().is_none());
        }
    }

    #[test]
    fn a_clock_that_goes_back_and_forth_is_not_believed() {
        let machine = Machine::new(0);
        let clock = machine.log();
        for ahead in [TEN_YEARS, -TEN_YEARS, DAY, -DAY, TEN_YEARS, 0, -DAY, DAY].repeat(20) {
            machine.set(ahead);
            machine.pass(300);
            let passed = lock(&machine.0).1.as_secs() as i64;
            assert_eq!(clock.recording(), plus(true_time(), passed), "{ahead}");
            assert!(clock.keeping() <= plus(true_time(), passed), "{ahead}");
        }
    }

    #[test]
    fn after_an_hour_it_is_believed() {
        let machine = Machine::new(3 * DAY);
        let clock = machine.log();
        machine.pass(HOUR - 1);
        assert!(clock.doubt().is_some());
        machine.pass(1);
        assert_eq!(clock.recording(), plus(true_time(), 3 * DAY + HOUR));
        assert_eq!(clock.keeping(), plus(true_time(), 3 * DAY + HOUR));
        assert!(clock.doubt().is_none());
    }

    #[test]
    fn a_source_that_agrees_ends_the_doubt_but_deletes_nothing() {
        let machine = Machine::new(3 * DAY);
        let clock = machine.log();
        clock.heard(plus(true_time(), 3 * DAY + 60));
        assert_eq!(clock.recording(), plus(true_time(), 3 * DAY));
        assert_eq!(clock.keeping(), true_time());
        assert!(clock.doubt().is_none());
    }

    #[test]
    fn a_source_that_knows_better_gives_the_time_and_makes_the_doubt_last() {
        let machine = Machine::new(TEN_YEARS);
        let clock = machine.log();
        clock.heard(plus(true_time(), 3 * DAY));
        assert_eq!(clock.recording(), plus(true_time(), 3 * DAY));
        machine.pass(5 * HOUR);
        assert_eq!(clock.recording(), plus(true_time(), 3 * DAY + 5 * HOUR));
        assert_eq!(clock.keeping(), plus(true_time(), 5 * HOUR));
        machine.pass(20 * HOUR);
        assert!(clock.recording() > plus(true_time(), TEN_YEARS), "a day is enough");
    }

    #[test]
    fn a_source_whose_clock_is_absurd_changes_nothing() {
        for ahead in [0, DAY, -DAY] {
            for absurd in [TEN_YEARS, -TEN_YEARS] {
                let machine = Machine::new(ahead);
                let clock = machine.log();
                clock.heard(plus(true_time(), absurd));
                assert_eq!(clock.recording(), true_time(), "{ahead} {absurd}");
                assert!(clock.keeping() <= true_time(), "{ahead} {absurd}");
            }
        }
    }
}
