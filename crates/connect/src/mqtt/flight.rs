//! Which publishes of a batch are on their way, and what became of each. Pure.
//!
//! Packet ids are places in the batch, modulo 65,535: of those on their way, no two share one,
//! because the oldest that has no answer and the newest that was sent are never further apart than
//! the window.

use std::num::NonZeroU16;

use pluvio_log::Offset;
use pluvio_runtime::Rejected;

/// Packet ids are 1 to this.
const IDS: usize = u16::MAX as usize;

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Flight {
    /// What became of each, as far as that is known.
    fates: Vec<Option<Fate>>,
    /// The first without a fate.
    oldest: usize,
    /// The first that was not sent.
    next: usize,
    /// So many may be on their way.
    window: usize,
}

/// What became of one publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The broker has it.
    Taken,
    /// It never will.
    Rejected(String),
    /// Not now.
    Throttled,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// Everything up to here has arrived.
    Acked(Offset),
    /// All but these have arrived.
    Rejected(Vec<Rejected>),
    /// Nothing at its beginning has.
    Throttled,
}

impl Flight {
    pub(super) fn new(count: usize, receive_max: u16) -> Self {
        let window = usize::from(receive_max).max(1);
        Self { fates: vec![None; count], oldest: 0, next: 0, window }
    }

    /// The next to be sent, if one may be.
    pub(super) fn next(&self) -> Option<(usize, NonZeroU16)> {
        let may = self.next < self.fates.len() && self.next - self.oldest < self.window;
        may.then(|| (self.next, id(self.next)))
    }

    /// It is on its way.
    pub(super) fn sent(&mut self) {
        self.next += 1;
    }

    /// It will not be sent.
    pub(super) fn rejected(&mut self, reason: String) {
        let at = self.next;
        self.next += 1;
        self.settle(at, Fate::Rejected(reason));
    }

    /// Nobody will answer: if it was sent, it counts as taken.
    pub(super) fn taken_unless_rejected(&mut self, at: usize) {
        if self.fates.get(at).is_some_and(Option::is_none) {
            self.settle(at, Fate::Taken);
        }
    }

    /// Which one has this id; `None`: none that is on its way.
    pub(super) fn place(&self, id: u16) -> Option<usize> {
        let id = usize::from(id).checked_sub(1)?;
        let at = self.oldest + (id + IDS - self.oldest % IDS) % IDS;
        (at < self.next && self.fates.get(at)?.is_none()).then_some(at)
    }

    /// What became of it.
    pub(super) fn settle(&mut self, at: usize, fate: Fate) {
        if let Some(place) = self.fates.get_mut(at) {
            *place = Some(fate);
        }
        while self.fates.get(self.oldest).is_some_and(Option::is_some) {
            self.oldest += 1;
        }
    }

    /// Whether all have been sent and have a fate.
    pub(super) fn has_landed(&self) -> bool {
        self.oldest == self.fates.len()
    }

    /// What became of all, in the order of `offsets`.
    pub(super) fn landing(self, offsets: &[Offset]) -> Landing {
        let fates: Vec<_> = self.fates.into_iter().zip(offsets).collect();
        let taken = fates.iter().take_while(|(fate, _)| *fate == Some(Fate::Taken)).count();
        if let Some((_, last)) = taken.checked_sub(1).and_then(|last| fates.get(last)) {
            // Those that are rejected behind it come again, at the beginning of a batch.
            if taken == fates.len() || fates.iter().any(|(fate, _)| is_throttled(fate.as_ref())) {
                return Landing::Acked(**last);
            }
        }
        let mut rejected = Vec::new();
        for (fate, offset) in fates {
            match fate {
                Some(Fate::Taken) => (),
                Some(Fate::Rejected(reason)) => rejected.push(Rejected { offset: *offset, reason }),
                Some(Fate::Throttled) | None => return Landing::Throttled,
            }
        }
        Landing::Rejected(rejected)
    }
}

fn is_throttled(fate: Option<&Fate>) -> bool {
    matches!(fate, Some(Fate::Throttled) | None)
}

/// The packet id of a place.
fn id(at: usize) -> NonZeroU16 {
    let id = u16::try_from(at % IDS + 1).unwrap_or(u16::MAX);
    NonZeroU16::new(id).unwrap_or(NonZeroU16::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(count: i64) -> Vec<Offset> {
        (0..count).filter_map(|at| Offset::new(10 + at)).collect()
    }

    fn landing(fates: &[Fate]) -> Landing {
        let mut flight = Flight::new(fates.len(), u16::MAX);
        for fate in fates {
            let at = flight.next().map(|(at, _)| at).unwrap_or_default();
            flight.sent();
            flight.settle(at, fate.clone());
        }
        assert!(flight.has_landed());
        flight.landing(&offsets(i64::try_from(fates.len()).unwrap_or_default()))
    }

    #[test]
    fn no_more_are_on_their_way_than_the_broker_wants() {
        let mut flight = Flight::new(5, 2);
        let send = |flight: &mut Flight| {
            let next = flight.next().map(|(at, _)| at);
            next.inspect(|_| flight.sent())
        };
        assert_eq!(
            [send(&mut flight), send(&mut flight), send(&mut flight)],
            [Some(0), Some(1), None]
        );
        flight.settle(1, Fate::Taken);
        assert_eq!(send(&mut flight), None, "the oldest has no answer");
        flight.settle(0, Fate::Taken);
        assert_eq!(
            [send(&mut flight), send(&mut flight), send(&mut flight)],
            [Some(2), Some(3), None]
        );
    }

    #[test]
    fn an_answer_finds_its_publish_also_behind_65535_of_them() {
        let mut flight = Flight::new(70_000, 10);
        while let Some((at, id)) = flight.next() {
            flight.sent();
            assert_eq!(flight.place(id.get()), Some(at));
            flight.settle(at, Fate::Taken);
            assert_eq!(flight.place(id.get()), None, "one answer is enough");
        }
        assert!(flight.has_landed());
        assert_eq!(flight.place(0), None);
    }

    #[test]
    fn a_batch_lands_where_its_publishes_did() {
        use Fate::{Taken, Throttled};
        let bad = || Fate::Rejected("bad".into());
        let rejected = |at: i64| Rejected {
            offset: Offset::new(at).unwrap_or_default(),
            reason: "bad".into(),
        };
        let acked = |at: i64| Landing::Acked(Offset::new(at).unwrap_or_default());
        for (fates, expected) in [
            (vec![Taken, Taken], acked(11)),
            (vec![Taken, bad(), Taken], Landing::Rejected(vec![rejected(11)])),
            (vec![bad(), bad()], Landing::Rejected(vec![rejected(10), rejected(11)])),
            (vec![Taken, Throttled, Taken], acked(10)),
            (vec![Taken, bad(), Throttled], acked(10)),
            (vec![Throttled, Taken], Landing::Throttled),
            (vec![bad(), Throttled], Landing::Throttled),
        ] {
            assert_eq!(landing(&fates), expected, "{fates:?}");
        }
    }
}
