//! Looking through the log for the events of one page, forwards or backwards.
//!
//! The log reads forwards only. Backwards is done in windows: find the latest record before a
//! bound, read the window that ends with it, take from its end. Offsets may leave gaps of any size
//! (after a crash 2^20), so the latest record is found by steps that double, then by halving.

use std::collections::VecDeque;

use pluvio_event::{filter::Conjunction, json};
use pluvio_log::{Log, LogHandle, Offset, ReadError, ReadLimit, StoredRecord, StreamName};

use crate::http::{
    limits::{PAGE_BYTES_MAX, PAGE_SCAN_RECORDS_MAX},
    render::{Recorded, append_json},
};

/// First window when reading backwards, in offsets; each next one is twice as wide.
const WINDOW_OFFSETS_MIN: i64 = 64;
/// Widest window: what one step backwards may read in vain.
const WINDOW_OFFSETS_MAX: i64 = 4096;

/// The events of a page: all that match in `begin .. end`.
pub(super) struct Found {
    pub(super) begin: Offset,
    pub(super) end: Offset,
    events: VecDeque<Event>,
    bytes: usize,
}

/// An event as it is sent.
struct Event {
    offset: Offset,
    json: Vec<u8>,
}

impl Found {
    fn new(begin: Offset, end: Offset) -> Self {
        Self { begin, end, events: VecDeque::new(), bytes: 0 }
    }

    /// The page's body.
    pub(super) fn array(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes + self.events.len() + 2);
        out.push(b'[');
        for (at, event) in self.events.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&event.json);
        }
        out.push(b']');
        out
    }

    fn push(&mut self, event: Event) {
        self.bytes += event.json.len();
        self.events.push_back(event);
    }

    fn is_full(&self, limit: usize) -> bool {
        self.events.len() >= limit || self.bytes >= PAGE_BYTES_MAX
    }

    /// Puts an earlier window's events before these, the newest first, until the page is full.
    fn prepend(&mut self, window: Found, limit: usize) {
        self.begin = window.begin;
        for event in window.events.into_iter().rev() {
            if self.is_full(limit) {
                self.begin = self.events.front().map_or(self.begin, |first| first.offset);
                return;
            }
            self.bytes += event.json.len();
            self.events.push_front(event);
        }
    }
}

pub(super) struct Scan<'a> {
    log: &'a LogHandle,
    stream: &'a StreamName,
    filter: &'a Conjunction,
    passes_all: bool,
    recorded: Recorded,
    scanned: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(log: &'a LogHandle, stream: &'a StreamName, filter: &'a Conjunction) -> Self {
        let passes_all = filter.passes_all();
        Self { log, stream, filter, passes_all, recorded: Recorded::default(), scanned: 0 }
    }

    /// Up to `limit` events from `from` on.
    pub(super) async fn forward(&mut self, from: Offset, limit: usize) -> Result<Found, ReadError> {
        let mut found = Found::new(from, from);
        let read = self.read_limit(limit);
        loop {
            let chunk = self.log.read(self.stream, found.end, read).await?;
            if chunk.is_empty() {
                return Ok(found);
            }
            for record in chunk.records() {
                found.end = record.offset.following();
                if let Some(event) = self.look(record) {
                    found.push(event);
                }
                if found.is_full(limit) || self.scanned >= PAGE_SCAN_RECORDS_MAX {
                    return Ok(found);
                }
            }
            found.end = chunk.next;
            tokio::task::yield_now().await;
        }
    }

    /// The newest `limit` events before `before`, ascending.
    pub(super) async fn backward(
        &mut self,
        before: Offset,
        start: Offset,
        limit: usize,
    ) -> Result<Found, ReadError> {
        let mut found = Found::new(before, before);
        let mut width = WINDOW_OFFSETS_MIN.max(i64::try_from(limit).unwrap_or(i64::MAX));
        while !found.is_full(limit) && self.scanned < PAGE_SCAN_RECORDS_MAX {
            let Some(last) = self.latest_before(found.begin, start).await? else {
                found.begin = start;
                break;
            };
            let end = last.following();
            // A window of so many offsets has at most so many records.
            let rest = PAGE_SCAN_RECORDS_MAX.saturating_sub(self.scanned);
            let width_now = width.min(i64::try_from(rest).unwrap_or(i64::MAX));
            let begin = Offset::new(end.get() - width_now).unwrap_or(Offset::ZERO).max(start);
            let Some(window) = self.window(begin, end, limit).await? else { break };
            found.prepend(window, limit);
            width = (width * 2).min(WINDOW_OFFSETS_MAX);
            tokio::task::yield_now().await;
        }
        Ok(found)
    }

    /// The newest events of `begin .. end`, as many as a page may need. `None`: purged meanwhile.
    async fn window(
        &mut self,
        begin: Offset,
        end: Offset,
        limit: usize,
    ) -> Result<Option<Found>, ReadError> {
        let mut window = Found::new(begin, end);
        let mut at = begin;
        let read = self.read_limit(usize::MAX);
        while at < end {
            let chunk = match self.log.read(self.stream, at, read).await {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => chunk,
                Err(ReadError::OutOfRange { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            for record in chunk.records().take_while(|record| record.offset < end) {
                let Some(event) = self.look(record) else { continue };
                window.push(event);
                // What will not fit is let go at once, so that a window is no larger than a page.
                while window.events.len() > limit
                    || (window.bytes > PAGE_BYTES_MAX && window.events.len() > 1)
                {
                    let first = window.events.pop_front();
                    window.bytes -= first.map_or(0, |event| event.json.len());
                    window.begin = window.events.front().map_or(end, |event| event.offset);
                }
            }
            at = chunk.next;
        }
        Ok(Some(window))
    }

    /// The offset of the latest record before `bound`.
    async fn latest_before(
        &self,
        bound: Offset,
        start: Offset,
    ) -> Result<Option<Offset>, ReadError> {
        let (mut step, mut upper) = (1_i64, bound);
        let mut last = loop {
            let low = Offset::new(bound.get().saturating_sub(step)).unwrap_or(Offset::ZERO);
            let low = low.max(start);
            match self.first_at(low).await? {
                Some(found) if found < bound => break found,
                _ if low <= start => return Ok(None),
                _ => (upper, step) = (low, step.saturating_mul(2)),
            }
        };
        while last.following() < upper {
            let middle = last.get() + (upper.get() - last.get()) / 2;
            let middle = Offset::new(middle).unwrap_or(last).max(last.following());
            match self.first_at(middle).await? {
                Some(found) if found < upper => last = found,
                _ => upper = middle,
            }
        }
        Ok(Some(last))
    }

    /// The first record at or after `offset`; `None` also if it was purged meanwhile.
    async fn first_at(&self, offset: Offset) -> Result<Option<Offset>, ReadError> {
        let one = ReadLimit { records_max: 1, bytes_max: 1, ..ReadLimit::default() };
        match self.log.read(self.stream, offset, one).await {
            Ok(chunk) => Ok(chunk.records().next().map(|record| record.offset)),
            Err(ReadError::OutOfRange { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renders `record` and gives it if the filter lets it through.
    fn look(&mut self, record: &StoredRecord) -> Option<Event> {
        self.scanned += 1;
        let mut text = Vec::with_capacity(record.value.len() + 96);
        append_json(record, &mut self.recorded, &mut text);
        let is_match =
            self.passes_all || json::decode(&text).is_ok_and(|event| self.filter.matches(&event));
        is_match.then_some(Event { offset: record.offset, json: text })
    }

    fn read_limit(&self, limit: usize) -> ReadLimit {
        let default = ReadLimit::default();
        let records_max =
            if self.passes_all { limit.min(default.records_max) } else { default.records_max };
        ReadLimit { records_max, ..default }
    }
}
