//! One log line a minute about what a stranger can make happen thousands of times a second.

use std::time::Duration;

use tokio::time::Instant;

/// How far apart lines are, at least.
const INTERVAL: Duration = Duration::from_secs(60);

/// Counts what happens, and says when it is time for a line about it.
#[derive(Debug, Default)]
pub struct LineLimit {
    told: Option<Instant>,
    count: u64,
}

impl LineLimit {
    /// It has happened once more. If a line is due: how often since the last line.
    pub fn count(&mut self) -> Option<u64> {
        self.add(1)
    }

    /// It has happened `count` times more, or none: then a line is due only about earlier times that were
    /// not told.
    pub fn add(&mut self, count: u64) -> Option<u64> {
        self.count += count;
        let now = Instant::now();
        if self.count == 0 || self.told.is_some_and(|told| now - told < INTERVAL) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_time_is_told_at_once_and_the_others_together_a_minute_later() {
        let mut limit = LineLimit::default();
        assert_eq!(limit.count(), Some(1));
        assert!((0..1000).all(|_| limit.count().is_none()));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(limit.count(), Some(1001));
        assert_eq!(limit.count(), None);
        tokio::time::advance(INTERVAL).await;
        assert_eq!((limit.add(0), limit.add(0)), (Some(1), None), "what was not told is, once");
    }
}
