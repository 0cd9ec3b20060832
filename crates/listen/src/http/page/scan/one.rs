//! One event by its offset, which is looked for as a page is: the turn, the read, the filter and the room
//! cost what they cost there, for a batch is read and unpacked whole however little of it is wanted.

use std::sync::Arc;

use pluvio_log::{Offset, ReadLimit};

use super::{Halt, Scan, Wanted};
use crate::http::{
    limits::{PAGE_READ_BYTES, PAGES_BYTES_MAX_CLIENT},
    problem::Problem,
};

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
        let at = piece.records.first().map(|record| record.offset);
        let has_room = match piece.records.first() {
            Some(record) if record.offset == offset => self.has_room_for(record.value.len()),
            _ => true,
        };
        if !has_room && self.passes_all {
            return Ok(None);
        }
        let to = offset.following();
        let wanted = Wanted { from: offset, to, events: 1, bytes: usize::MAX, records: 1 };
        // Also where nothing is there, or no room: how long an answer takes, and which it is, must not tell a
        // gap from what the filter hides.
        match self.sift(&piece, wanted).await?.events.pop() {
            Some(event) if has_room => Ok(Some(One::Event(event.json))),
            Some(_) => Ok(None),
            None => Ok(Some(One::Absent(at.filter(|at| *at > offset)))),
        }
    }

    /// Takes room for a record of `bytes`, and for what is made of it. One that is larger than a client's
    /// part is answered when it has all of that for itself.
    fn has_room_for(&mut self, bytes: usize) -> bool {
        let part = self.server.page_parts.of(&self.client);
        let bytes = (PAGE_READ_BYTES + 2 * bytes).min(PAGES_BYTES_MAX_CLIENT);
        self.held.grow_of(bytes, &self.server.pages, &part)
    }
}
