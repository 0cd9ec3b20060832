//! One event by its offset, which is looked for as a page is: the turn, the read, the filter and the room
//! cost what they cost there, for a batch is read and unpacked whole however little of it is wanted.

use std::sync::Arc;

use pluvio_log::{Offset, ReadLimit};

use super::{Halt, Scan, Wanted};
use crate::http::{limits::PAGE_READ_BYTES, problem::Problem};

/// What is at an offset.
pub(in crate::http) enum One {
    /// An event, as it is sent.
    Event(Vec<u8>),
    /// The filter lets nothing through, or nothing is there; the next record, if the log has one.
    Absent(Option<Offset>),
}

impl Scan<'_> {
    /// What is at `offset`.
    ///
    /// # Errors
    ///
    /// 503 where there is no room for an event as large, and whatever ends a page before it has begun.
    pub(in crate::http) async fn one(&mut self, offset: Offset) -> Result<One, Problem> {
        match self.find(offset).await {
            Ok(Some(one)) => Ok(one),
            Ok(None) => Err(Problem::crowded()),
            Err(halt) => Err(self.problem(offset, halt).await),
        }
    }

    /// The same; `None`: there is no room for it.
    async fn find(&mut self, offset: Offset) -> Result<Option<One>, Halt> {
        let limit = ReadLimit { records_max: 1, bytes_max: 1, ..ReadLimit::default() };
        let piece = Arc::new(self.read(offset, limit).await?);
        let record = match piece.records.first() {
            Some(record) if record.offset == offset => record,
            other => return Ok(Some(One::Absent(other.map(|record| record.offset)))),
        };
        let part = self.server.page_parts.of(&self.client);
        // For the record, and for what is made of it.
        let bytes = PAGE_READ_BYTES + 2 * record.value.len();
        if !self.held.grow_of(bytes, &self.server.pages, &part) {
            return Ok(None);
        }
        let to = offset.following();
        let wanted = Wanted { from: offset, to, events: 1, bytes: usize::MAX, records: 1 };
        let found = self.sift(&piece, wanted).await?.events.pop();
        Ok(Some(found.map_or(One::Absent(None), |event| One::Event(event.json))))
    }
}
