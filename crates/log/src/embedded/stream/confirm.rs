//! Whether the record that an index tells is of the id that was asked for, and not of one with the same hash.
//!
//! A sweep asks for thousands of ids of long ago, which lie in a few batches. Who asks in the order of offsets
//! has each batch read and decoded once. It refuses to put what it reads into the cache: nobody else wants the
//! events of a day ago, and what readers want now would have to go for them (18 MB of 41 MB in use during a
//! sweep over two million ids).

use std::sync::Arc;

use jiff::Timestamp;

use super::Stream;
use crate::{Batch, EventId, Found, Offset, ReadError, StoredRecord, embedded::index::Id};

/// Confirms hits of an index.
pub(super) struct Confirm<'s> {
    stream: &'s Stream,
    /// What the last hit lay in.
    batch: Option<Arc<Batch>>,
}

impl<'s> Confirm<'s> {
    pub(super) fn new(stream: &'s Stream) -> Self {
        Self { stream, batch: None }
    }

    /// `hit`, if the record there is of `id`. Of a record that cannot be read, or is gone, the index alone is
    /// believed: a source that lists it again goes on, and stores it no second time.
    pub(super) fn found(&mut self, id: &EventId, hit: Id) -> Result<Option<Found>, ReadError> {
        let time = hit.time.and_then(|time| Timestamp::from_microsecond(time).ok());
        let told = Some(Found { offset: hit.offset, time });
        if hit.offset < self.stream.extent().start {
            return Ok(told);
        }
        let record = match self.record(hit.offset) {
            Ok(record) => record,
            Err(
                ReadError::OutOfRange { .. } | ReadError::Damaged { .. } | ReadError::Disk { .. },
            ) => return Ok(told),
            Err(error) => return Err(error),
        };
        let Some(Ok(event)) = record.map(|record| record.event()) else { return Ok(None) };
        let is_it = event.id() == id.id && event.source() == id.source;
        Ok(is_it.then(|| Found { offset: hit.offset, time: event.time() }))
    }

    /// The record at exactly `offset`.
    fn record(&mut self, offset: Offset) -> Result<Option<StoredRecord>, ReadError> {
        let holds = |batch: &Batch| {
            let at = batch.records().binary_search_by_key(&offset, |record| record.offset);
            at.ok().and_then(|at| batch.records().get(at)).cloned()
        };
        if let Some(record) = self.batch.as_deref().and_then(holds) {
            return Ok(Some(record));
        }
        let Some(run) = self.stream.run_at(offset)? else { return Ok(None) };
        self.batch = self.stream.peek(&run)?;
        Ok(self.batch.as_deref().and_then(holds))
    }
}
