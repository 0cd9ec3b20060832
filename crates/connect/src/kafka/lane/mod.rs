//! What was sent to which partition and may be there, though nobody said so: the memory that outlives a
//! connection. Pure.
//!
//! ```text
//!  lane (topic, partition)  sequence ▼
//!                           ┌─────────┬─────────┬─────────┐
//!      answered for ◀───────│  sent   │ waiting │ waiting │   pieces, by offset
//!                           └─────────┴─────────┴─────────┘
//!                             may be    never was sent
//!                             there
//! ```
//!
//! Only one piece of a lane may be there without an answer. Over the next connection it goes out again
//! with the same bytes, producer and sequence, before anything else, until its fate is known: a broker
//! that has it says so. What waits behind it is forgotten with the connection, for the log has it. A lane
//! whose broker has lost track gets a new producer, which alone may double something.
//!
//! What arrives is answered for at once, and is nothing to remember here: the supervisor's ledger does,
//! which can tell a record from the gap event that has its offset, and so gap events tell of what is not
//! there. Only what arrives while a connection is made is kept until the supervisor asks.
//!
//! It refuses to forget a piece that may be there: the next one would have its sequence, and the broker
//! would take it for the one it has.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use pluvio_log::Offset;
use uuid::Uuid;

use super::producer::{Identity, stamp};

/// Lanes kept though nothing is open in them, each some hundred bytes; beyond, all begin anew.
const LANES_MAX: usize = 10_000;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TopicPartition {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
}

/// Everything that was sent and has no answer.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Which log the offsets are of, and how often an operator had moved the sink.
    log: Option<(Uuid, u64)>,
    /// Of new lanes.
    producer: Option<Identity>,
    is_transactional: bool,
    lanes: BTreeMap<TopicPartition, Lane>,
    /// Have arrived over an earlier connection, as was found out since the supervisor asked last.
    found: Vec<Offset>,
}

#[derive(Debug, Default)]
struct Lane {
    /// `None`: that of new lanes.
    producer: Option<Identity>,
    /// Of the piece that is sent next.
    sequence: i32,
    /// May be there, and goes out again as it is.
    sent: Option<Piece>,
    /// Was never sent.
    waiting: VecDeque<Piece>,
}

/// A record batch for one partition.
#[derive(Debug)]
pub(super) struct Piece {
    /// Of its records; never empty, ascending.
    pub(super) offsets: Vec<Offset>,
    /// As it is sent.
    pub(super) batch: Bytes,
    /// Bytes of its largest record.
    pub(super) largest: usize,
}

impl Lane {
    fn is_open(&self) -> bool {
        self.sent.is_some() || !self.waiting.is_empty()
    }
}

impl Memory {
    /// Offsets are now of this log; those of another one mean nothing. Nor does what was sent before an
    /// operator moved the sink, `seek` times so far: it is to be sent again.
    pub(super) fn of_log(&mut self, log: Uuid, seek: u64) {
        if self.log != Some((log, seek)) {
            *self = Self { log: Some((log, seek)), ..Self::default() };
        }
    }

    /// The producer of new lanes; `None`: there has to be one before anything is sent.
    pub(super) fn producer(&self) -> Option<Identity> {
        self.producer
    }

    /// New lanes, and those that lost theirs, have this producer.
    pub(super) fn produce_as(&mut self, producer: Identity) {
        self.producer = Some(producer);
    }

    /// All begins anew with this producer, whose predecessor was fenced and its transaction ended.
    pub(super) fn transact_as(&mut self, producer: Identity) {
        (self.producer, self.is_transactional) = (Some(producer), true);
        self.lanes.clear();
    }

    /// Forgets lanes if there are too many, and with them their sequences: a new producer has to come.
    pub(super) fn trim(&mut self) {
        if self.lanes.len() > LANES_MAX && !self.is_transactional {
            self.lanes.retain(|_, lane| lane.is_open());
            self.producer = None;
        }
    }

    /// Puts a piece behind all others of its lane.
    pub(super) fn push(&mut self, place: TopicPartition, piece: Piece) {
        self.lanes.entry(place).or_default().waiting.push_back(piece);
    }

    /// What is sent next: the first piece of each lane, as it is sent. From now on it may be there.
    /// `newest`: the producer of new lanes.
    pub(super) fn due(&mut self, newest: Identity) -> Vec<(TopicPartition, Bytes)> {
        let is_transactional = self.is_transactional;
        let due = self.lanes.iter_mut().filter_map(|(place, lane)| {
            let mut piece = lane.sent.take().or_else(|| lane.waiting.pop_front())?;
            let producer = *lane.producer.get_or_insert(newest);
            // One that was sent before gets what it has, unless its broker has lost track.
            piece.batch = stamp(piece.batch, producer, lane.sequence, is_transactional);
            let batch = piece.batch.clone();
            lane.sent = Some(piece);
            Some((place.clone(), batch))
        });
        due.collect()
    }

    /// Where something is to be sent.
    pub(super) fn open(&self) -> impl Iterator<Item = &TopicPartition> {
        self.lanes.iter().filter(|(_, lane)| lane.is_open()).map(|(place, _)| place)
    }

    /// The piece of a lane that was sent is there.
    pub(super) fn arrived(&mut self, place: &TopicPartition) -> Option<Piece> {
        let lane = self.lanes.get_mut(place)?;
        let piece = lane.sent.take()?;
        lane.sequence = following(lane.sequence, piece.offsets.len());
        Some(piece)
    }

    /// The piece of a lane that was sent will never be taken, and was not (unless the broker's limits were
    /// lowered after it took the piece and before it was sent again). Its sequence is free again.
    /// If it is not known which of its records is to blame, those behind it go, too: they come again
    /// in their turn.
    pub(super) fn rejected(&mut self, place: &TopicPartition) -> Option<Piece> {
        let lane = self.lanes.get_mut(place)?;
        let piece = lane.sent.take()?;
        if piece.offsets.len() > 1 {
            lane.waiting.clear();
        }
        Some(piece)
    }

    /// The broker has lost track of a lane: a new producer begins there.
    pub(super) fn lost(&mut self, place: &TopicPartition) {
        self.producer = None;
        if let Some(lane) = self.lanes.get_mut(place) {
            (lane.producer, lane.sequence) = (None, 0);
        }
    }

    /// What was never sent is not to be sent: it comes again, or a gap event tells of it.
    pub(super) fn forget_waiting(&mut self) {
        self.lanes.values_mut().for_each(|lane| lane.waiting.clear());
    }

    /// Partitions are gone, because their topic was deleted and made anew with fewer: what was sent to
    /// them is not there.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&TopicPartition) -> bool) {
        self.lanes.retain(|place, _| !is_gone(place));
    }

    /// These have arrived, and nobody can be told yet.
    pub(super) fn found(&mut self, arrived: Piece) {
        self.found.extend(arrived.offsets);
    }

    /// Gives what has arrived and was not told.
    pub(super) fn take_found(&mut self) -> Vec<Offset> {
        std::mem::take(&mut self.found)
    }

    /// A transaction has ended: with it, whatever was in it.
    pub(super) fn ended(&mut self) {
        for lane in self.lanes.values_mut() {
            (lane.sent, lane.waiting) = (None, VecDeque::new());
        }
    }
}

/// The sequence behind `count` records; it begins at 0 again behind the largest.
fn following(sequence: i32, count: usize) -> i32 {
    ((i64::from(sequence) + count as i64) & i64::from(i32::MAX)) as i32
}
