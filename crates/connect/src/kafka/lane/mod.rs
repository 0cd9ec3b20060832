//! What was sent to which partition and is not acknowledged yet: the memory that outlives a
//! connection. Pure.
//!
//! ```text
//!  lane (topic, partition)   sequence ▼
//!   ┌─────────┬─────────┬─────────┬─────────┐
//!   │ arrived │ arrived │  open   │  open   │   pieces, by offset
//!   └─────────┴─────────┴─────────┴─────────┘
//!    not sent again       may have  never sent
//!                         been sent
//! ```
//!
//! Only the first open piece of a lane may have been sent. It goes out again with the same bytes,
//! producer and sequence until its fate is known, and nothing overtakes it: a broker that has it says
//! so. A lane whose broker has lost track gets a new producer, which alone may double something.
//!
//! It refuses to forget an open piece that may have been sent: the next one would have its sequence,
//! and the broker would take it for the one it has.

#[cfg(test)]
mod model;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use pluvio_log::Offset;
use uuid::Uuid;

use super::encode::stamp;

/// Lanes kept though nothing is open in them, each some hundred bytes; beyond, all begin anew.
const LANES_MAX: usize = 10_000;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
}

/// An idempotent or transactional producer, as the cluster knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// Everything that was sent and is not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Which log the offsets are of, and how often an operator had moved the sink.
    log: Option<(Uuid, u64)>,
    /// Of new lanes.
    producer: Option<Identity>,
    is_transactional: bool,
    lanes: BTreeMap<Place, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    producer: Option<Identity>,
    /// Of the first open piece.
    sequence: i32,
    pieces: VecDeque<Piece>,
}

/// A record batch for one partition.
#[derive(Debug)]
pub(super) struct Piece {
    /// Of its records; never empty, ascending.
    pub(super) offsets: Vec<Offset>,
    /// As it is sent; empty once it has arrived.
    pub(super) batch: Bytes,
    /// Bytes of its largest record.
    pub(super) largest: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Without a producer yet.
    Fresh,
    /// May have been sent as it is.
    Stamped,
    Arrived,
}

impl Piece {
    pub(super) fn new(offsets: Vec<Offset>, batch: Bytes, largest: usize) -> Self {
        Self { offsets, batch, largest, state: State::Fresh }
    }

    fn is_open(&self) -> bool {
        self.state != State::Arrived
    }
}

impl Memory {
    /// Offsets are now of this log; those of another one mean nothing. Nor does what had arrived before
    /// an operator moved the sink, `seek` times so far: it is to be sent again.
    pub(super) fn of_log(&mut self, log: Uuid, seek: u64) {
        if self.log != Some((log, seek)) {
            *self = Self { log: Some((log, seek)), ..Self::default() };
        }
    }

    /// Whether new lanes lack a producer.
    pub(super) fn lacks_producer(&self) -> bool {
        self.producer.is_none()
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

    /// Everything before `first` was acknowledged.
    pub(super) fn settle(&mut self, first: Offset) {
        for lane in self.lanes.values_mut() {
            let is_settled = |piece: &Piece| {
                !piece.is_open() && piece.offsets.last().is_none_or(|last| *last < first)
            };
            while lane.pieces.front().is_some_and(is_settled) {
                lane.pieces.pop_front();
            }
        }
        if self.lanes.len() > LANES_MAX && !self.is_transactional {
            self.lanes.retain(|_, lane| !lane.pieces.is_empty());
            // Of the lanes that are gone, the sequences are, too.
            self.producer = None;
        }
    }

    /// The offsets that need not be encoded again, ascending.
    pub(super) fn known(&self) -> Vec<Offset> {
        let pieces = self.lanes.values().flat_map(|lane| &lane.pieces);
        let mut known: Vec<_> = pieces.flat_map(|piece| piece.offsets.iter().copied()).collect();
        known.sort_unstable();
        known
    }

    /// Puts a piece behind all others of its lane.
    pub(super) fn push(&mut self, place: Place, piece: Piece) {
        self.lanes.entry(place).or_default().pieces.push_back(piece);
    }

    /// What is sent next: the first open piece of each lane, as it is sent.
    pub(super) fn due(&mut self) -> Vec<(Place, Bytes)> {
        let Some(newest) = self.producer else { return Vec::new() };
        let mut due = Vec::new();
        for (place, lane) in &mut self.lanes {
            let (sequence, producer) = (lane.sequence, lane.producer.get_or_insert(newest));
            let Some(piece) = lane.pieces.iter_mut().find(|piece| piece.is_open()) else {
                continue;
            };
            if piece.state == State::Fresh {
                let batch = std::mem::take(&mut piece.batch);
                piece.batch = stamp(batch, *producer, sequence, self.is_transactional);
                piece.state = State::Stamped;
            }
            due.push((place.clone(), piece.batch.clone()));
        }
        due
    }

    /// Where something is open.
    pub(super) fn open(&self) -> impl Iterator<Item = &Place> {
        let is_open = |lane: &Lane| lane.pieces.iter().any(Piece::is_open);
        self.lanes.iter().filter(move |(_, lane)| is_open(lane)).map(|(place, _)| place)
    }

    /// The first open piece of a lane is there.
    pub(super) fn arrived(&mut self, place: &Place) {
        let Some(lane) = self.lanes.get_mut(place) else { return };
        let Some(piece) = lane.pieces.iter_mut().find(|piece| piece.is_open()) else { return };
        (piece.state, piece.batch) = (State::Arrived, Bytes::new());
        lane.sequence = following(lane.sequence, piece.offsets.len());
    }

    /// The first open piece of a lane will never be taken, and was not. Its sequence is free again.
    /// If it is not known which of its records is to blame, those behind it go, too: they come again
    /// in their turn.
    pub(super) fn rejected(&mut self, place: &Place) -> Option<Piece> {
        let lane = self.lanes.get_mut(place)?;
        let at = lane.pieces.iter().position(Piece::is_open)?;
        let piece = lane.pieces.remove(at)?;
        if piece.offsets.len() > 1 {
            lane.pieces.truncate(at);
        }
        Some(piece)
    }

    /// The broker has lost track of a lane: a new producer begins there.
    pub(super) fn lost(&mut self, place: &Place) {
        self.producer = None;
        let Some(lane) = self.lanes.get_mut(place) else { return };
        (lane.producer, lane.sequence) = (None, 0);
        lane.pieces.iter_mut().filter(|piece| piece.is_open()).for_each(|piece| {
            piece.state = State::Fresh;
        });
    }

    /// Partitions are gone, because their topic was deleted and made anew with fewer: what is open for
    /// them is encoded again, for partitions that are there.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&Place) -> bool) {
        self.lanes.retain(|place, _| !is_gone(place));
    }

    /// A transaction has ended: with it, whatever was in it.
    pub(super) fn ended(&mut self) {
        self.lanes.values_mut().for_each(|lane| lane.pieces.clear());
    }
}

/// The sequence behind `count` records; it begins at 0 again behind the largest.
fn following(sequence: i32, count: usize) -> i32 {
    ((i64::from(sequence) + count as i64) & i64::from(i32::MAX)) as i32
}
