//! One listener's portion of a gauge of the whole process.
//!
//! There may be several listeners of a kind. If each set the gauge to what it has, the gauge would tell what
//! the last one said; so each adds and takes away what has changed, and takes all of its own away in the end.

use metrics::{Gauge, gauge};

/// What one listener counts in a gauge that all of them share.
pub(crate) struct Portion {
    gauge: Gauge,
    count: usize,
}

impl Portion {
    /// Nothing yet, of the gauge called `name`.
    pub(crate) fn of(name: &'static str) -> Self {
        Self { gauge: gauge!(name), count: 0 }
    }

    /// From now on this listener has `count`.
    pub(crate) fn set(&mut self, count: usize) {
        match count.checked_sub(self.count) {
            Some(more) => self.gauge.increment(more as f64),
            None => self.gauge.decrement((self.count - count) as f64),
        }
        self.count = count;
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[test]
    fn a_gauge_tells_the_sum_of_all_listeners_and_forgets_one_that_ends() {
        let shared = Arc::new(AtomicU64::new(0));
        let portion = || Portion { gauge: Gauge::from_arc(Arc::clone(&shared)), count: 0 };
        let told = || f64::from_bits(shared.load(Ordering::Relaxed));
        let (mut one, mut other) = (portion(), portion());
        one.set(200);
        other.set(1);
        assert_eq!(told(), 201.0);
        one.set(150);
        assert_eq!(told(), 151.0);
        drop(one);
        assert_eq!(told(), 1.0);
    }
}
