//! What a segment turned out to hold: whole batches and broken ranges, in their order.
//!
//! It refuses to find them, and to judge what lies in a wrong place: [`walk`](super::walk) and
//! [`displaced`](super::displaced) do.

use bytes::Bytes;

use crate::{
    Offset,
    embedded::index::{BatchLocation, Id},
};

/// What a segment turned out to hold.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) pieces: Vec<Piece>,
    /// Bytes of the file.
    pub(super) length: u64,
    /// Where zeros begin that go on to the end.
    pub(super) zeros: Option<u64>,
    /// The offset behind all that was read.
    pub(super) end: Offset,
    /// The offset behind whole batches that are set aside and would follow the last one that is kept.
    pub(super) astray: Option<Offset>,
}

#[derive(Debug)]
pub(super) enum Piece {
    Batch(Whole),
    Broken(Broken),
}

/// A batch that is what was written.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) place: BatchLocation,
    pub(super) bytes: u64,
    pub(super) ids: Vec<Id>,
    /// Records that are not what their headers say.
    pub(super) odd: Vec<(Offset, String)>,
    /// It is the last batch that is noted, wherever it lies.
    pub(super) is_noted: bool,
    /// A repair tells with it that the offsets directly before it are lost.
    pub(super) is_word_of_loss: bool,
}

/// A range that is not.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The first offset that may be lost.
    pub(super) offset: Offset,
    /// The last one that is lost, where the index tells.
    pub(super) last: Option<Offset>,
    pub(super) reason: String,
    /// The batch as it was, where that can be known.
    pub(super) mended: Option<(BatchLocation, Bytes)>,
    /// Its checksum is right, and its offset is none that a lost write leaves.
    pub(super) is_misplaced: bool,
    /// No other group lies behind it: a write that never ended.
    pub(super) is_tail: bool,
}

impl Broken {
    /// Nothing lies at byte `at`, and records from `offset` up to `to` lay there.
    pub(super) fn missing(at: u64, offset: Offset, to: Offset, reason: String) -> Self {
        let last = Offset::new(to.get() - 1).filter(|last| *last >= offset);
        let (mended, is_tail) = (None, false);
        Self { from: at, to: at, offset, last, reason, mended, is_misplaced: true, is_tail }
    }

    /// Whether no byte lies there.
    pub(super) fn is_nothing(&self) -> bool {
        self.from == self.to
    }
}

impl Walk {
    pub(super) fn broken(&self) -> impl Iterator<Item = &Broken> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Broken(broken) => Some(broken),
            Piece::Batch(_) => None,
        })
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &Whole> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Batch(whole) => Some(whole),
            Piece::Broken(_) => None,
        })
    }

    /// Time of the last batch.
    pub(super) fn time(&self) -> Option<i64> {
        self.batches().last().map(|whole| whole.place.time)
    }
}
