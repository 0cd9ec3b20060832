//! When a batch is ready: by count, bytes or age. Pure: time is told.

use std::time::Duration;

use pluvio_log::Offset;
use tokio::time::Instant;

use crate::Delivered;

/// When a batch is handed to the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Events in a batch, at most; at least 1.
    pub events_max: usize,
    /// Stored bytes in a batch, at most; a single larger event goes alone.
    pub bytes_max: usize,
    /// How long the first event of a batch waits for others. Zero: not at all, what is there goes.
    pub age_max: Duration,
}

impl Default for BatchLimits {
    /// 1,000 events, 1 MiB, no waiting.
    fn default() -> Self {
        Self { events_max: 1000, bytes_max: 1 << 20, age_max: Duration::ZERO }
    }
}

/// Records that go together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Never empty, ascending.
    pub(super) records: Vec<Delivered>,
    /// Where the cursor stands once they have arrived: behind what the filter left out, too.
    pub(super) end: Offset,
}

/// Collects records until a batch is due.
#[derive(Debug)]
pub(super) struct Batcher {
    limits: BatchLimits,
    records: Vec<Delivered>,
    bytes: usize,
    /// When the first of `records` came.
    since: Option<Instant>,
    /// Behind everything that was looked at.
    end: Offset,
}

impl Batcher {
    pub(super) fn new(limits: BatchLimits, from: Offset) -> Self {
        Self { limits, records: Vec::new(), bytes: 0, since: None, end: from }
    }

    /// Whether a record of `bytes` may still come into this batch.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.records.is_empty()
            || self.records.len() < self.limits.events_max
                && self.bytes.saturating_add(bytes) <= self.limits.bytes_max
    }

    /// Takes a record that goes out.
    pub(super) fn push(&mut self, record: Delivered, now: Instant) {
        self.since.get_or_insert(now);
        self.bytes += record.stored().len();
        self.end = record.offset().following();
        self.records.push(record);
    }

    /// Notes that everything before `end` was looked at.
    pub(super) fn pass(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// When what was collected goes out even if nothing comes any more; `None`: nothing was.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_full = !self.has_room(1);
        self.since.map(|since| if is_full { since } else { since + self.limits.age_max })
    }

    /// Gives what was collected.
    pub(super) fn take(&mut self) -> Option<Batch> {
        // The next one will be about as large.
        let room = Vec::with_capacity(self.records.len());
        let records = std::mem::replace(&mut self.records, room);
        (self.bytes, self.since) = (0, None);
        (!records.is_empty()).then_some(Batch { records, end: self.end })
    }

    /// Where the cursor may stand though nothing was handed over: only while nothing waits.
    pub(super) fn idle_at(&self) -> Option<Offset> {
        self.records.is_empty().then_some(self.end)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pluvio_event::Event;

    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    fn record(offset: i64) -> Delivered {
        let event = Event::builder("1", "urn:a", "t").build();
        let event = event.unwrap_or_else(|e| unreachable!("{e}"));
        Delivered::made(at(offset), at(offset), Timestamp::UNIX_EPOCH, &event)
    }

    fn batcher(events_max: usize, bytes_max: usize, age: u64) -> Batcher {
        let age_max = Duration::from_millis(age);
        Batcher::new(BatchLimits { events_max, bytes_max, age_max }, Offset::ZERO)
    }

    #[test]
    fn a_batch_is_full_by_count_or_by_bytes_and_one_event_always_fits() {
        let (now, size) = (Instant::now(), record(1).stored().len());
        let mut by_count = batcher(2, 1 << 20, 50);
        by_count.push(record(1), now);
        assert!(by_count.has_room(size));
        by_count.push(record(2), now);
        assert!(!by_count.has_room(size));
        let mut by_bytes = batcher(10, size * 2 - 1, 50);
        assert!(by_bytes.has_room(size * 100), "alone it goes whatever its size");
        by_bytes.push(record(1), now);
        assert!(!by_bytes.has_room(size));
    }

    #[test]
    fn a_batch_is_due_when_its_first_event_has_waited_or_at_once_when_full() {
        let now = Instant::now();
        let mut batcher = batcher(2, 1 << 20, 50);
        assert_eq!(batcher.due(), None);
        batcher.push(record(1), now);
        let age = Duration::from_millis(50);
        assert_eq!(batcher.due(), Some(now + age));
        batcher.push(record(2), now + age / 2);
        assert_eq!(batcher.due(), Some(now), "full");
        assert!(batcher.take().is_some_and(|batch| batch.records.len() == 2));
        assert_eq!(batcher.due(), None);
    }

    #[test]
    fn what_the_filter_leaves_out_moves_the_cursor_but_not_past_what_waits() {
        let mut batcher = batcher(10, 1 << 20, 50);
        batcher.pass(at(5));
        assert_eq!(batcher.idle_at(), Some(at(5)));
        batcher.push(record(7), Instant::now());
        batcher.pass(at(9));
        assert_eq!(batcher.idle_at(), None);
        let batch = batcher.take();
        assert_eq!(batch.map(|batch| batch.end), Some(at(9)));
        assert_eq!(batcher.idle_at(), Some(at(9)));
    }
}
