//! Which records a segment has lost.
//!
//! The plan of a repair names them and the gap events tell of them, so both ask here: an operator who
//! reads the plan must find the same offsets in the stream afterwards. It reads no file.

use std::fmt;

use super::pieces::{Piece, Walk};
use crate::Offset;

/// Records that were lost together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// The first offset that may be concerned.
    pub(super) from: Offset,
    /// The last one.
    pub(super) last: Offset,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.last)
    }
}

impl Lost {
    /// Everything from `from` on that lies before `to`, or up to `last` where that is known. `None`: there
    /// is no offset between them.
    pub(super) fn before(to: Offset, from: Offset, last: Option<Offset>) -> Option<Self> {
        let known = last.filter(|last| (from..to).contains(last));
        let before = Offset::new(to.get() - 1).unwrap_or_default();
        (from < to).then(|| Self { from, last: known.unwrap_or(before) })
    }
}

/// What the segment at `base` has lost. `to`: how far it must reach, if that is known; `limit`: where the
/// next segment begins.
pub(super) fn of(
    walk: &Walk,
    base: Offset,
    to: Option<Offset>,
    limit: Option<Offset>,
) -> Vec<Lost> {
    let (mut lost, mut end) = (Vec::new(), base);
    // A broken range whose end is not met yet, and its last offset where that is known.
    let mut open: Option<Option<Offset>> = None;
    for piece in &walk.pieces {
        let place = match piece {
            Piece::Batch(whole) => &whole.place,
            Piece::Broken(broken) => match &broken.mended {
                Some((place, _)) => place,
                None => {
                    open = Some(broken.last);
                    continue;
                }
            },
        };
        if let Some(last) = open.take() {
            lost.extend(Lost::before(place.base, end, last));
        }
        end = place.last().following();
    }
    if let Some(to) = to.or(limit.filter(|_| open.is_some())) {
        lost.extend(Lost::before(to, end, None));
    }
    lost
}
