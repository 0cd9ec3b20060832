//! What a sink is handed next: read, filtered, batched.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use pluvio_event::{Filter, InvalidEvent};
use pluvio_log::{Log as _, LogHandle, Offset, ReadError, ReadLimit, StoredRecord};
use tokio::time::Instant;
use tracing::warn;

use super::{
    BatchLimits,
    batcher::{Batch, Batcher},
    cursor::Offsets,
    ledger::Ledger,
    letter::Origin,
};
use crate::Delivered;

/// One read waits for a record at most this long.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Bytes of one read; a batch of the log may be larger.
const READ_BYTES_MAX: usize = 1 << 20;

/// Reads one stream for one sink.
pub(super) struct Feed<'a> {
    log: &'a LogHandle,
    origin: Origin<'a>,
    filter: &'a Filter,
    batcher: Batcher,
    /// Stand for what retention took; they go before `waiting`.
    gaps: VecDeque<Delivered>,
    /// Read, and not looked at yet: at most what one read gives.
    waiting: VecDeque<StoredRecord>,
    /// Where the next read begins.
    next: Offset,
    /// Nothing from there on is handed over; `None`: the stream has no end.
    until: Option<Offset>,
    /// What was handed over before an operator moved the sink.
    handed: Offsets,
    /// Last offset reported to the caller.
    told: Offset,
    /// Records that the filter left out.
    pub(super) filtered: u64,
}

/// Why there is nothing to hand over.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    #[error("failed to read the stream")]
    Read(#[from] ReadError),
    #[error("failed to make a gap event")]
    Gap(#[from] InvalidEvent),
}

impl<'a> Feed<'a> {
    pub(super) fn new(
        log: &'a LogHandle,
        origin: Origin<'a>,
        filter: &'a Filter,
        limits: BatchLimits,
        from: Offset,
        until: Option<Offset>,
        handed: Offsets,
    ) -> Self {
        let batcher = Batcher::new(limits, from);
        Self {
            log,
            origin,
            filter,
            batcher,
            gaps: VecDeque::new(),
            waiting: VecDeque::new(),
            next: from,
            until,
            handed,
            told: from,
            filtered: 0,
        }
    }

    /// The next batch; `None`: there was none until `until`, or [`idle_at`](Self::idle_at) moved without
    /// one, or the feed is at its end. `ledger` knows what was settled of what retention took. Cancel safe:
    /// what was read stays.
    pub(super) async fn next(
        &mut self,
        until: Option<Instant>,
        ledger: &Ledger,
    ) -> Result<Option<Batch>, FeedError> {
        loop {
            let is_full = self.sort();
            let now = Instant::now();
            let due = self.batcher.due();
            if is_full || due.is_some_and(|due| due <= now) {
                let batch = self.batcher.take();
                self.told = batch.as_ref().map_or(self.told, |batch| batch.end);
                return Ok(batch);
            }
            let has_moved = self.idle_at().is_some_and(|at| at > self.told);
            if has_moved || until.is_some_and(|until| until <= now) {
                self.told = self.idle_at().unwrap_or(self.told);
                return Ok(None);
            }
            let wake = due.into_iter().chain(until).min();
            let wait = wake.map_or(WAIT_MAX, |wake| wake.duration_since(now).min(WAIT_MAX));
            self.read(wait, ledger).await?;
            // A long filtered stretch must not keep other tasks of this worker from running.
            tokio::task::yield_now().await;
        }
    }

    /// Where the cursor may stand though nothing was handed over.
    pub(super) fn idle_at(&self) -> Option<Offset> {
        self.batcher.idle_at()
    }

    /// Moves what was read into the batch; `true`: no more goes in.
    fn sort(&mut self) -> bool {
        let now = Instant::now();
        while let Some(gap) = self.gaps.pop_front() {
            if !self.batcher.has_room(gap.stored().len()) {
                self.gaps.push_front(gap);
                return true;
            }
            self.batcher.push(gap, now);
        }
        while let Some(record) = self.waiting.pop_front() {
            if !self.batcher.has_room(record.value.len()) {
                self.waiting.push_front(record);
                return true;
            }
            let record = Delivered::new(record);
            if passes(self.filter, &record) {
                self.batcher.push(record, now);
            } else {
                self.filtered += 1;
                self.batcher.pass(record.offset().following());
            }
        }
        self.batcher.pass(self.next);
        let is_over = self.until.is_some_and(|until| self.next >= until);
        is_over || !self.batcher.has_room(1)
    }

    async fn read(&mut self, wait: Duration, ledger: &Ledger) -> Result<(), FeedError> {
        let limit = ReadLimit { bytes_max: READ_BYTES_MAX, wait, ..ReadLimit::default() };
        match self.log.read(self.origin.stream, self.next, limit).await {
            Ok(chunk) => {
                let until = self.until.unwrap_or(Offset::MAX);
                let records = chunk.records().take_while(|record| record.offset < until);
                self.waiting.extend(records.cloned());
                self.next = chunk.next.min(until);
                Ok(())
            }
            Err(ReadError::OutOfRange { from, extent }) => {
                let at = self.recorded_at(extent.start).await.unwrap_or_else(Timestamp::now);
                // What lies behind a stretch that is handed over again was settled, or is read later.
                let start = self.until.map_or(extent.start, |until| until.min(extent.start));
                self.lose(from, start, at, ledger)?;
                self.next = start;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts gaps in place of what was not settled from `from` on, all before `start`.
    fn lose(
        &mut self,
        from: Offset,
        start: Offset,
        at: Timestamp,
        ledger: &Ledger,
    ) -> Result<(), FeedError> {
        self.gaps.clear();
        let all = from.get()..start.get();
        if all.is_empty() {
            return Ok(());
        }
        let again = self.handed.overlapping(&all).map(|it| (it.clone(), true));
        let anew = self.handed.gaps(&all).map(|it| (it, false));
        let parts: BTreeMap<_, _> = again
            .chain(anew)
            .map(|(it, is_again)| (it.start.max(all.start), (it.end.min(all.end), is_again)))
            .collect();
        for (from, (to, is_again)) in parts {
            let [from, to] = [from, to].map(|it| Offset::new(it).unwrap_or(start));
            let lost = ledger.unsettled(from, to);
            for lost in &lost {
                self.gaps.push_back(self.origin.gap(lost, is_again, at)?);
            }
            if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
                let (sink, gaps) = (self.origin.sink.as_str(), lost.len());
                let (from, to) = (first.start(), last.end());
                warn!(sink, %from, %to, gaps, is_again, "retention deleted records before the sink was handed them");
            }
        }
        Ok(())
    }

    /// When the first record from an offset on was recorded. A gap before it has that time, so that a batch with
    /// it that is sent again is the same.
    async fn recorded_at(&self, from: Offset) -> Option<Timestamp> {
        let limit = ReadLimit { records_max: 1, ..ReadLimit::default() };
        let chunk = self.log.read(self.origin.stream, from, limit).await.ok()?;
        chunk.records().next().map(|record| record.recorded)
    }
}

/// What is no event cannot match a filter. It sees an event as it is sent, with its place in the stream.
pub(super) fn passes(filter: &Filter, record: &Delivered) -> bool {
    filter.passes_all() || record.placed().is_some_and(|event| filter.matches(&event))
}
