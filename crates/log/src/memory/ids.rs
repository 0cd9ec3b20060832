//! The id index: from (source, id) to the newest offset, outliving the record by 25 h.
//!
//! It keeps hashes, not ids: 2 M ids must not cost more than the records they name. A hash may lie,
//! so whoever can looks at the record.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
};

use jiff::{SignedDuration, Timestamp};

use crate::{EventId, Offset};

/// A day, which is how far back a sweep looks, and an hour for it to take.
const OUTLIVES: SignedDuration = SignedDuration::from_hours(25);

pub(super) struct Ids {
    hasher: RandomState,
    newest: HashMap<u64, Offset>,
    /// In the order of appending, to forget by.
    queue: VecDeque<(Offset, Timestamp, u64)>,
    ids_max: usize,
}

impl Ids {
    pub(super) fn new(ids_max: usize) -> Self {
        let newest = HashMap::new();
        Self { hasher: RandomState::new(), newest, queue: VecDeque::new(), ids_max }
    }

    pub(super) fn insert(&mut self, source: &str, id: &str, offset: Offset, recorded: Timestamp) {
        let hash = self.hash(source, id);
        self.newest.insert(hash, offset);
        self.queue.push_back((offset, recorded, hash));
        while self.queue.len() > self.ids_max {
            self.forget_oldest();
        }
    }

    pub(super) fn get(&self, id: &EventId) -> Option<Offset> {
        self.newest.get(&self.hash(&id.source, &id.id)).copied()
    }

    /// Forgets what lies below `start` and was recorded more than 25 h before `now`.
    pub(super) fn forget(&mut self, start: Offset, now: Timestamp) {
        let is_old = |(offset, recorded, _): &(Offset, Timestamp, u64)| {
            *offset < start && now.duration_since(*recorded) > OUTLIVES
        };
        while self.queue.front().is_some_and(is_old) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((offset, _, hash)) = self.queue.pop_front() else { return };
        if self.newest.get(&hash) == Some(&offset) {
            self.newest.remove(&hash);
        }
    }

    fn hash(&self, source: &str, id: &str) -> u64 {
        self.hasher.hash_one((source, id))
    }
}
