//! The clock that retention believes: one that is set forward for a moment must delete nothing.
//!
//! Compared with the time that passed in this process. A jump ahead of more than an hour counts only
//! when it has lasted for an hour; a clock set back counts at once, for it deletes nothing.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use super::lock;
use crate::Clock;

/// A clock this far ahead of the time that passed was set.
const JUMP: Duration = Duration::from_secs(3600);

pub(super) struct SteadyClock {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    /// What the clock said, and when.
    known: (Timestamp, Instant),
    /// Since when it has been ahead.
    ahead: Option<Instant>,
}

impl SteadyClock {
    pub(super) fn new(clock: Clock) -> Self {
        let known = (clock(), Instant::now());
        Self { clock, state: Mutex::new(State { known, ahead: None }) }
    }

    pub(super) fn now(&self) -> Timestamp {
        let (said, now) = ((self.clock)(), Instant::now());
        let mut state = lock(&self.state);
        let (then, at) = state.known;
        let passed = SignedDuration::try_from(now - at).unwrap_or(SignedDuration::MAX);
        let expected = then.saturating_add(passed).unwrap_or(then);
        let jump = SignedDuration::try_from(JUMP).unwrap_or(SignedDuration::MAX);
        if said.duration_since(expected) <= jump {
            *state = State { known: (said, now), ahead: None };
            return said;
        }
        let since = *state.ahead.get_or_insert(now);
        if now - since >= JUMP {
            *state = State { known: (said, now), ahead: None };
            return said;
        }
        expected
    }
}
