//! How long to wait before the next attempt.

use std::{ops::Range, time::Duration};

use crate::Response;

/// Exponential back-off with jitter; what a failure asks for decides the range.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Ordinary failures: from about a second to a minute.
    pub const RETRY: Range<Duration> = Duration::from_secs(1)..Duration::from_secs(60);
    /// Refused credentials: directories lock an account after a handful of wrong passwords, usually
    /// counted over some minutes.
    pub const DENIED: Range<Duration> = Duration::from_secs(60)..Duration::from_secs(900);

    /// The wait before the next attempt; longer each time until [`reset`](Self::reset). `random` is
    /// in `0.0..1.0` and spreads it, so that many sources of one cloud do not come back at once.
    pub fn next(&mut self, response: Response, random: f64) -> Duration {
        let range = match response {
            Response::Wait(wait) => return wait,
            Response::Retry => Self::RETRY,
            Response::Denied => Self::DENIED,
        };
        let doubled = range.start.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        let spread = doubled.min(range.end).mul_f64(0.5 + random / 2.0);
        // The floor of `DENIED` is a promise to the account; jitter only lengthens it.
        if response == Response::Denied { spread.max(range.start) } else { spread }
    }

    /// The connection held for a while: begin anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_a_reset() {
        let mut backoff = Backoff::default();
        let next = |b: &mut Backoff| b.next(Response::Retry, 1.0).as_secs();
        let waits: Vec<_> = (0..8).map(|_| next(&mut backoff)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(next(&mut backoff), 1);
    }

    #[test]
    fn a_denied_account_is_left_alone_for_a_minute_or_more() {
        for random in [0.0, 0.5, 0.99] {
            let wait = Backoff::default().next(Response::Denied, random);
            assert!(wait >= Duration::from_secs(60), "{wait:?}");
        }
    }
}
