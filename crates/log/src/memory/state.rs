//! One stream's content. Plain functions on plain data: no lock, no await, no clock.

use std::{collections::VecDeque, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::ids::Ids;
use crate::{
    AppendError, Batch, Chunk, EventId, Extent, Found, Offset, Position, Positions, ReadError,
    ReadLimit, Retention, Seek, SourceName, Span, StoredRecord, StreamName,
    batch::Compression,
    pack::{self, Packer, Prepared},
};

pub(super) struct State {
    log_id: Uuid,
    start: Offset,
    next: Offset,
    /// Ascending; the first may reach below `start`.
    batches: VecDeque<Arc<Batch>>,
    /// Records in `batches`, those below `start` too.
    records: u64,
    bytes: u64,
    recorded: Timestamp,
    positions: Positions,
    ids: Ids,
}

impl State {
    pub(super) fn new(ids_max: usize) -> Self {
        Self {
            log_id: Uuid::new_v4(),
            start: Offset::ZERO,
            next: Offset::ZERO,
            batches: VecDeque::new(),
            records: 0,
            bytes: 0,
            recorded: Timestamp::UNIX_EPOCH,
            positions: Positions::new(),
            ids: Ids::new(ids_max),
        }
    }

    pub(super) fn extent(&self) -> Extent {
        let first = self.batches.front().map(|batch| batch.records());
        let hidden = first.map_or(0, |r| r.partition_point(|r| r.offset < self.start));
        Extent {
            log_id: self.log_id,
            start: self.start,
            earliest: first.and_then(|records| records.get(hidden)).map(|r| r.offset),
            latest: self.batches.back().map(|batch| batch.last()),
            next: self.next,
            records: self.records - hidden as u64,
            bytes: self.bytes,
            ids_forgotten_until: self.ids.forgotten_until,
            ids_outlived_until: self.ids.outlived_until,
        }
    }

    pub(super) fn append(
        &mut self,
        stream: &StreamName,
        records: Vec<Prepared>,
        now: Timestamp,
    ) -> Result<Span, AppendError> {
        let no_offset_left = || AppendError::NoOffsetLeft(stream.clone());
        let offsets = pack::place(self.next, &records).ok_or_else(no_offset_left)?;
        let (Some(start), Some(last)) = (offsets.first(), offsets.last()) else {
            return Ok(Span { start: self.next, end: self.next });
        };
        let span = Span { start: *start, end: last.following() };
        self.recorded = self.recorded.max(pack::whole_milliseconds(now));
        let mut packer = Packer::new(Compression::None, pack::BATCH_BYTES, records.iter());
        for (record, offset) in records.into_iter().zip(offsets) {
            packer.push(offset, self.recorded, &record);
            self.ids.insert((record.id, record.time), offset, self.recorded);
            self.positions.insert(record.source, record.position);
        }
        for batch in packer.finish() {
            self.records += batch.records().len() as u64;
            self.bytes += batch.bytes();
            self.batches.push_back(batch);
        }
        self.next = span.end;
        Ok(span)
    }

    pub(super) fn checkpoint(&mut self, source: &SourceName, position: Position) {
        self.positions.insert(source.clone(), position);
    }

    pub(super) fn positions(&self) -> &Positions {
        &self.positions
    }

    pub(super) fn read(&self, from: Offset, limit: &ReadLimit) -> Result<Chunk, ReadError> {
        if from < self.start {
            return Err(ReadError::OutOfRange { from, extent: self.extent().into() });
        }
        let mut chunk = Chunk { from, next: from, batches: Vec::new() };
        let (mut records, mut bytes) = (0, 0);
        let at = self.batches.partition_point(|batch| batch.last() < from);
        for batch in self.batches.range(at..) {
            let size = usize::try_from(batch.bytes()).unwrap_or(usize::MAX);
            let is_full = records >= limit.records_max || bytes + size > limit.bytes_max;
            if is_full && !chunk.batches.is_empty() {
                break;
            }
            records += batch.records().len();
            bytes += size;
            chunk.next = batch.last().following();
            chunk.batches.push(Arc::clone(batch));
        }
        Ok(chunk)
    }

    pub(super) fn seek(&self, seek: Seek) -> Result<Offset, ReadError> {
        let extent = self.extent();
        let earliest = extent.earliest.unwrap_or(extent.next);
        Ok(match seek {
            Seek::Start => earliest,
            Seek::End => extent.next,
            Seek::Time(time) => {
                let time = pack::whole_milliseconds(time);
                let at = self.batches.partition_point(|batch| recorded(batch) < time);
                self.batches.get(at).map_or(extent.next, |batch| batch.first().max(earliest))
            }
            Seek::Last(count) => self.last(count).unwrap_or(extent.next).max(earliest),
            Seek::Id(id) => match self.find(&id) {
                Some(found) if found.offset >= extent.start => found.offset,
                _ => return Err(ReadError::NotFound(id)),
            },
        })
    }

    /// The offset of the `count`-th newest record, or of the first.
    fn last(&self, count: usize) -> Option<Offset> {
        let mut missing = count;
        for batch in self.batches.iter().rev() {
            let records = batch.records();
            if missing <= records.len() {
                return records.get(records.len() - missing).map(|record| record.offset);
            }
            missing -= records.len();
        }
        Some(Offset::ZERO)
    }

    pub(super) fn find(&self, id: &EventId) -> Option<Found> {
        self.candidate(id)?.confirmed(id)
    }

    /// What the index says of `id`, with the record to confirm it by where that still stands.
    pub(super) fn candidate(&self, id: &EventId) -> Option<Candidate> {
        let (offset, time) = self.ids.get(id)?;
        let record = if offset < self.start { None } else { Some(self.get(offset)?.clone()) };
        Some(Candidate { found: Found { offset, time }, record })
    }

    fn get(&self, offset: Offset) -> Option<&StoredRecord> {
        let at = self.batches.partition_point(|batch| batch.last() < offset);
        let records = self.batches.get(at)?.records();
        let at = records.binary_search_by_key(&offset, |record| record.offset).ok()?;
        records.get(at)
    }

    pub(super) fn trim(&mut self, before: Offset) {
        self.start = self.start.max(before);
        self.next = self.next.max(before);
        while self.batches.front().is_some_and(|batch| batch.last() < before) {
            self.drop_first();
        }
    }

    pub(super) fn retain(&mut self, retention: &Retention, now: Timestamp) {
        while self.batches.len() > 1 && self.is_first_over(retention, now) {
            if let Some(batch) = self.drop_first() {
                self.start = self.start.max(batch.last().following());
            }
        }
        self.ids.forget(self.start, now);
    }

    fn is_first_over(&self, retention: &Retention, now: Timestamp) -> bool {
        let is_old = |age| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            self.batches.front().is_some_and(|batch| now.duration_since(recorded(batch)) > age)
        };
        retention.records_max.is_some_and(|max| self.records > max)
            || retention.bytes_max.is_some_and(|max| self.bytes > max)
            || retention.age.is_some_and(is_old)
    }

    fn drop_first(&mut self) -> Option<Arc<Batch>> {
        let batch = self.batches.pop_front()?;
        self.records -= batch.records().len() as u64;
        self.bytes -= batch.bytes();
        Some(batch)
    }
}

/// A hit of the index, to be confirmed without the lock.
pub(super) struct Candidate {
    found: Found,
    record: Option<StoredRecord>,
}

impl Candidate {
    /// Whether the record, where it stands, is of `id` and not of one with the same hash.
    pub(super) fn confirmed(self, id: &EventId) -> Option<Found> {
        let Some(record) = self.record else { return Some(self.found) };
        let event = record.event().ok()?;
        (event.id() == id.id && event.source() == id.source).then_some(self.found)
    }
}

/// When the batch was recorded: one time for all its records.
fn recorded(batch: &Batch) -> Timestamp {
    batch.records().first().map_or(Timestamp::MAX, |record| record.recorded)
}
