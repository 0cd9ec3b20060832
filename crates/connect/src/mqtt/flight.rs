//! Which publishes of a batch are on their way, and what became of each. Pure.
//!
//! Packet ids are places in the batch, modulo 65,535: of those on their way, no two share one,
//! because the oldest that has no answer and the newest that was sent are never further apart than
//! the window.

use std::num::NonZeroU16;

use crate::fate::Fate;

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

    /// What became of all, in order.
    pub(super) fn fates(self) -> Vec<Option<Fate>> {
        self.fates
    }
}

/// The packet id of a place.
fn id(at: usize) -> NonZeroU16 {
    let id = u16::try_from(at % IDS + 1).unwrap_or(u16::MAX);
    NonZeroU16::new(id).unwrap_or(NonZeroU16::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
