//! Whether the last batch that is noted lies where it was written, and what follows where it does not.
//!
//! A segment can be made of whole batches in the right order and still not be what was written: a copy
//! of another log was put in its place, or a batch was taken out. Nothing in it tells; the batch that
//! `ENDS` notes does. If it lies at an earlier byte, bytes before it are gone, and with them at most the
//! offsets that no batch holds. If it is nowhere, what holds its offsets is not what was acknowledged.
//!
//! It refuses to judge a segment that merely ends too early, for nothing is out of place there.

use std::ops::Range;

use super::pieces::{Broken, Piece, Walk, Whole};
use crate::{
    Offset,
    embedded::ends::{End, Last},
};

/// Makes broken ranges of what is not where `noted` says, in the segment at `base`. Leaves a walk alone in which
/// nothing is out of place.
pub(super) fn tell(walk: &mut Walk, base: Offset, noted: &End) {
    let Some(last) = noted.last() else { return };
    let found = walk.batches().find(|whole| whole.is_noted).map(begins);
    let is_covered = walk.batches().any(|whole| bytes(whole).contains(&last.byte));
    let what = match found {
        Some(byte) if byte == last.byte => return,
        Some(byte) => Displaced::Moved { last, byte },
        None if is_covered => Displaced::Gone { last, next: noted.next() },
        None => return,
    };
    let mut telling = Telling {
        what,
        at: 0,
        end: base,
        is_told: false,
        is_broken: false,
        astray: None,
        pieces: Vec::new(),
    };
    for piece in std::mem::take(&mut walk.pieces) {
        telling.piece(piece);
    }
    walk.astray = walk.astray.max(telling.astray);
    (walk.pieces, walk.end) = telling.finish();
}

fn begins(whole: &Whole) -> u64 {
    u64::from(whole.place.at)
}

fn bytes(whole: &Whole) -> Range<u64> {
    begins(whole)..begins(whole) + whole.bytes
}

/// What became of the batch that is noted.
#[derive(Clone, Copy)]
enum Displaced {
    /// It lies at `byte`.
    Moved { last: Last, byte: u64 },
    /// It is nowhere. No offset from `next` on was given out.
    Gone { last: Last, next: Offset },
}

impl Displaced {
    fn reason(&self) -> String {
        match self {
            Self::Moved { last: Last { offset, byte: written, .. }, byte } => {
                format!(
                    "the batch of offset {offset} was written at byte {written} and lies at byte {byte}"
                )
            }
            Self::Gone { last: Last { offset, byte: written, .. }, .. } => {
                format!("the batch of offset {offset}, written at byte {written}, is not there")
            }
        }
    }

    /// Whether offsets from `from` on, which no batch holds, may be those of what is gone.
    fn concerns(&self, from: Offset) -> bool {
        match self {
            Self::Moved { last, byte } => *byte < last.byte && from.get() < last.offset,
            Self::Gone { next, .. } => from < *next,
        }
    }

    /// Whether a batch has offsets of the one that is gone, and is another one.
    fn replaces(&self, whole: &Whole) -> bool {
        match self {
            Self::Moved { .. } => false,
            Self::Gone { last, next } => {
                whole.place.base < *next && last.offset <= whole.place.last().get()
            }
        }
    }
}

/// Pieces of a walk, with what is missing between them.
struct Telling {
    what: Displaced,
    /// The byte and the offset behind the pieces so far.
    at: u64,
    end: Offset,
    /// The last piece is broken: whatever is missing behind it is lost with it.
    is_told: bool,
    /// Something is broken that is no mere torn tail.
    is_broken: bool,
    /// The offset behind the whole batches that are set aside at the end.
    astray: Option<Offset>,
    pieces: Vec<Piece>,
}

impl Telling {
    fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Broken(broken) => {
                self.at = broken.to;
                self.is_told = broken.mended.is_none();
                self.is_broken |= !broken.is_tail;
                if let Some((place, _)) = &broken.mended {
                    self.end = place.last().following();
                }
                self.pieces.push(Piece::Broken(broken));
            }
            Piece::Batch(whole) if self.what.replaces(&whole) => {
                let Range { start: from, end: to } = bytes(&whole);
                let (offset, reason) = (self.end, self.what.reason());
                let (last, mended, is_misplaced, is_tail) = (None, None, true, false);
                let broken =
                    Broken { from, to, offset, last, reason, mended, is_misplaced, is_tail };
                self.pieces.push(Piece::Broken(broken));
                (self.at, self.is_told, self.is_broken) = (to, true, true);
                self.astray = Some(whole.place.last().following());
            }
            Piece::Batch(whole) => {
                let base = whole.place.base;
                let is_hole = self.end < base && !whole.is_word_of_loss;
                if is_hole && !self.is_told && self.what.concerns(self.end) {
                    self.missing(base);
                }
                (self.at, self.end) = (bytes(&whole).end, whole.place.last().following());
                (self.is_told, self.astray) = (false, None);
                self.pieces.push(Piece::Batch(whole));
            }
        }
    }

    /// Records up to `to` may be missing here.
    fn missing(&mut self, to: Offset) {
        let missing = Broken::missing(self.at, self.end, to, self.what.reason());
        self.pieces.push(Piece::Broken(missing));
        self.is_broken = true;
    }

    /// All pieces and the offset behind them. At least one is broken and no mere torn tail, for a start
    /// refuses the segment.
    fn finish(mut self) -> (Vec<Piece>, Offset) {
        let is_tail = |piece: &mut Piece| matches!(piece, Piece::Broken(broken) if broken.is_tail);
        let tail = self.pieces.pop_if(is_tail);
        if let Some(Piece::Broken(tail)) = &tail {
            self.at = tail.from;
        }
        let last = self.pieces.last();
        let is_told = matches!(last, Some(Piece::Broken(broken)) if broken.mended.is_none());
        let is_beyond =
            matches!(self.what, Displaced::Gone { last, .. } if self.end.get() <= last.offset);
        if !is_told && (is_beyond || !self.is_broken) {
            self.missing(self.end);
        }
        self.pieces.extend(tail);
        (self.pieces, self.end)
    }
}
