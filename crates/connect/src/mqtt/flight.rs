//! Which publishes of a batch are on their way, and which have an answer. Pure.
//!
//! Packet ids are counted through the whole connection, 1 to 65,535 and around: an answer that comes
//! twice, or after its write has ended, names an id that no publish on its way has, and is not taken for
//! the answer to another. Of those on their way no two share one, because the oldest that has no answer
//! and the newest that was sent are never further apart than the window.

use std::{num::NonZeroU16, ops::Range};

/// Packet ids are 1 to this.
const IDS: usize = u16::MAX as usize;

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Flight {
    /// Of those that were sent or never will be: how large the packet is that waits for an answer;
    /// `None`: it waits for none.
    open: Vec<Option<usize>>,
    /// The first without an answer.
    oldest: usize,
    count: usize,
    /// Maximum number of unacknowledged publishes.
    window: usize,
    /// The packet id of the first place.
    first_id: NonZeroU16,
}

impl Flight {
    /// Of `count` publishes; `first_id` is the packet id that follows the last one of the connection.
    pub(super) fn new(count: usize, receive_max: u16, first_id: NonZeroU16) -> Self {
        let window = usize::from(receive_max).max(1);
        Self { open: Vec::with_capacity(count), oldest: 0, count, window, first_id }
    }

    /// The next to be sent, if one may be.
    pub(super) fn next(&self) -> Option<(usize, NonZeroU16)> {
        let next = self.open.len();
        let may = next < self.count && next - self.oldest < self.window;
        may.then(|| (next, self.id(next)))
    }

    /// The packet id that follows the last one that was used.
    pub(super) fn next_id(&self) -> NonZeroU16 {
        self.id(self.open.len())
    }

    /// It is on its way, in a packet of so many bytes.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.open.push(Some(bytes));
    }

    /// It will not be sent.
    pub(super) fn left_out(&mut self) {
        self.open.push(None);
        self.settle(self.open.len() - 1);
    }

    /// Which one has this id; `None`: none that is on its way.
    pub(super) fn place(&self, id: u16) -> Option<usize> {
        let id = usize::from(NonZeroU16::new(id)?.get());
        let place = (id + IDS - usize::from(self.first_id.get())) % IDS;
        let at = self.oldest + (place + IDS - self.oldest % IDS) % IDS;
        self.open.get(at)?.is_some().then_some(at)
    }

    /// It has its answer.
    pub(super) fn settle(&mut self, at: usize) {
        if let Some(open) = self.open.get_mut(at) {
            *open = None;
        }
        while self.open.get(self.oldest).is_some_and(Option::is_none) {
            self.oldest += 1;
        }
    }

    /// Whether all that were sent have their answers.
    pub(super) fn has_landed(&self) -> bool {
        self.oldest == self.open.len()
    }

    /// Whether there is none left to be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.open.len() == self.count
    }

    /// Where those lie that may be on their way.
    pub(super) fn underway(&self) -> Range<usize> {
        self.oldest..self.open.len()
    }

    /// Whether it waits for an answer.
    pub(super) fn is_open(&self, at: usize) -> bool {
        self.open.get(at).is_some_and(Option::is_some)
    }

    /// The largest packet on its way, and its bytes.
    pub(super) fn largest(&self) -> Option<(usize, usize)> {
        let open = self.underway().filter_map(|at| Some((at, (*self.open.get(at)?)?)));
        open.max_by_key(|(_, bytes)| *bytes)
    }

    /// The packet id of a place.
    fn id(&self, at: usize) -> NonZeroU16 {
        let before = usize::from(self.first_id.get() - 1);
        let id = u16::try_from((before + at) % IDS + 1).unwrap_or(u16::MAX);
        NonZeroU16::new(id).unwrap_or(NonZeroU16::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_on_their_way_than_the_broker_wants() {
        let mut flight = Flight::new(5, 2, NonZeroU16::MIN);
        let send = |flight: &mut Flight| {
            let next = flight.next().map(|(at, _)| at);
            next.inspect(|at| flight.sent(*at))
        };
        assert_eq!(
            [send(&mut flight), send(&mut flight), send(&mut flight)],
            [Some(0), Some(1), None]
        );
        flight.settle(1);
        assert_eq!(send(&mut flight), None, "the oldest has no answer");
        assert_eq!((flight.is_open(0), flight.is_open(1)), (true, false));
        flight.settle(0);
        assert_eq!(
            [send(&mut flight), send(&mut flight), send(&mut flight)],
            [Some(2), Some(3), None]
        );
        assert_eq!(flight.largest(), Some((3, 3)));
    }

    #[test]
    fn an_answer_finds_its_publish_also_behind_65535_of_them() {
        for first_id in [NonZeroU16::MIN, NonZeroU16::MAX] {
            let mut flight = Flight::new(70_000, 10, first_id);
            while let Some((at, id)) = flight.next() {
                flight.sent(1);
                assert_eq!(flight.place(id.get()), Some(at));
                flight.settle(at);
                assert_eq!(flight.place(id.get()), None, "one answer is enough");
            }
            assert!(flight.has_landed() && flight.is_sent());
            assert_eq!(flight.place(0), None);
        }
    }

    #[test]
    fn as_many_as_there_are_packet_ids_are_on_their_way_and_no_two_share_one() {
        let first_id = NonZeroU16::new(40_000).unwrap_or(NonZeroU16::MIN);
        let mut flight = Flight::new(70_000, u16::MAX, first_id);
        let mut ids = std::collections::BTreeSet::new();
        while let Some((_, id)) = flight.next() {
            flight.sent(1);
            assert!(ids.insert(id));
        }
        assert_eq!(ids.len(), IDS);
        assert!(ids.into_iter().all(|id| flight.place(id.get()).is_some()));
    }

    #[test]
    fn an_answer_to_an_earlier_batch_finds_nothing() {
        let mut id = NonZeroU16::MIN;
        for _ in 0..70_000 {
            let mut flight = Flight::new(1, 10, id);
            flight.sent(1);
            let before = if id.get() == 1 { u16::MAX } else { id.get() - 1 };
            assert_eq!((flight.place(id.get()), flight.place(before)), (Some(0), None), "{id}");
            id = flight.next_id();
        }
    }
}
