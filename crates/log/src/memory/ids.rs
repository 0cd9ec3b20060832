//! The id index: from (source, id) to the newest offset, outliving the record by 25 h.
//!
//! It keeps hashes, not ids: 2 M ids must not cost more than the records they name. A hash may lie,
//! so whoever can looks at the record.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use crate::{EventId, IDS_OUTLIVE, Offset};

pub(super) struct Ids {
    newest: HashMap<u64, (Offset, Option<Timestamp>)>,
    /// In the order of appending, to forget by.
    queue: VecDeque<(Offset, Timestamp, u64)>,
    ids_max: usize,
    /// When the newest id was recorded that had to go although it was not its time.
    pub(super) forgotten_until: Option<Timestamp>,
    /// When the newest id was recorded that went because it was its time.
    pub(super) outlived_until: Option<Timestamp>,
}

impl Ids {
    pub(super) fn new(ids_max: usize) -> Self {
        let (newest, queue) = (HashMap::new(), VecDeque::new());
        Self { newest, queue, ids_max, forgotten_until: None, outlived_until: None }
    }

    /// Adds the event with this hash and this time of its own.
    pub(super) fn insert(
        &mut self,
        (hash, time): (u64, Option<Timestamp>),
        offset: Offset,
        recorded: Timestamp,
    ) {
        self.newest.insert(hash, (offset, time));
        self.queue.push_back((offset, recorded, hash));
        while self.queue.len() > self.ids_max {
            self.forgotten_until = self.queue.front().map(|(_, recorded, _)| *recorded);
            self.forget_oldest();
        }
    }

    /// The newest record's offset and its event's own time.
    pub(super) fn get(&self, id: &EventId) -> Option<(Offset, Option<Timestamp>)> {
        self.newest.get(&id.hash()).copied()
    }

    /// Forgets what lies below `start` and was recorded more than 25 h before `now`.
    pub(super) fn forget(&mut self, start: Offset, now: Timestamp) {
        let is_old = |(offset, recorded, _): &(Offset, Timestamp, u64)| {
            *offset < start && now.duration_since(*recorded) > IDS_OUTLIVE
        };
        while let Some((_, recorded, _)) = self.queue.front().filter(|oldest| is_old(oldest)) {
            self.outlived_until = Some(*recorded);
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((offset, _, hash)) = self.queue.pop_front() else { return };
        if self.newest.get(&hash).is_some_and(|(newest, _)| *newest == offset) {
            self.newest.remove(&hash);
        }
    }
}
