//! Which publishes are on their way over a channel, and what the broker says to each. Pure.
//!
//! It belongs to the connection and not to a write: a broker that blocks publishers confirms what it
//! has when it goes on, maybe after the write has ended, and what is confirmed then was not lost.
//!
//! A message without a queue comes back before it is confirmed, and without its tag. It is found by
//! its routing key, its id and its size; publishes come back in the order in which they were sent. It
//! refuses to guess: a message that comes back and is none of these is an error.

use std::collections::{BTreeMap, BTreeSet};

use pluvio_log::Offset;

use super::said::Refusal;

/// A publish on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) offset: Offset,
    pub(super) routing_key: String,
    pub(super) message_id: String,
    /// Of the body.
    pub(super) bytes: u64,
}

/// What the broker says to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Every queue has it.
    Taken,
    /// A queue did not take it.
    Nacked,
    /// There is no queue for it.
    Unroutable { routing_key: String, refusal: Refusal },
}

/// All that are on their way.
#[derive(Debug, Default)]
pub(super) struct Underway {
    /// By delivery tag.
    open: BTreeMap<u64, Sent>,
    /// Those that came back and are not confirmed yet.
    returned: BTreeMap<u64, Refusal>,
    /// The header of the message follows.
    coming_back: Option<(String, Refusal)>,
    answered: Vec<(Offset, Answer)>,
}

impl Underway {
    /// It was sent.
    pub(super) fn sent(&mut self, tag: u64, sent: Sent) {
        self.open.insert(tag, sent);
    }

    /// A publish, or all up to it, is confirmed or not.
    pub(super) fn confirmed(&mut self, tag: u64, is_multiple: bool, is_taken: bool) {
        let done = if is_multiple {
            // A tag of 0 means all.
            let rest =
                tag.checked_add(1).filter(|_| tag > 0).map(|next| self.open.split_off(&next));
            std::mem::replace(&mut self.open, rest.unwrap_or_default())
        } else {
            self.open.remove_entry(&tag).into_iter().collect()
        };
        for (tag, sent) in done {
            let answer = match (self.returned.remove(&tag), is_taken) {
                (Some(refusal), true) => {
                    Answer::Unroutable { routing_key: sent.routing_key, refusal }
                }
                (_, true) => Answer::Taken,
                (_, false) => Answer::Nacked,
            };
            self.answered.push((sent.offset, answer));
        }
    }

    /// A message comes back.
    pub(super) fn returned(&mut self, routing_key: String, refusal: Refusal) {
        self.coming_back = Some((routing_key, refusal));
    }

    /// Its header; `false`: it is none of ours.
    pub(super) fn header(&mut self, message_id: Option<&str>, bytes: u64) -> bool {
        let Some((routing_key, refusal)) = self.coming_back.take() else { return true };
        let is_it = |(tag, sent): &(&u64, &Sent)| {
            sent.routing_key == routing_key
                && Some(sent.message_id.as_str()) == message_id
                && sent.bytes == bytes
                && !self.returned.contains_key(*tag)
        };
        match self.open.iter().find(is_it) {
            Some((tag, _)) => self.returned.insert(*tag, refusal).is_none(),
            None => false,
        }
    }

    /// What was said since the last call.
    pub(super) fn answered(&mut self) -> Vec<(Offset, Answer)> {
        std::mem::take(&mut self.answered)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Those that wait for an answer.
    pub(super) fn offsets(&self) -> BTreeSet<Offset> {
        self.open.values().map(|sent| sent.offset).collect()
    }

    /// The one with the largest body that waits for an answer.
    pub(super) fn largest(&self) -> Option<&Sent> {
        self.open.values().max_by_key(|sent| sent.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    fn underway(count: i64) -> Underway {
        let mut underway = Underway::default();
        for (tag, number) in (1..).zip(0..count) {
            let (routing_key, message_id) = (format!("k{}", number % 2), number.to_string());
            let bytes = number.unsigned_abs();
            underway.sent(tag, Sent { offset: at(number), routing_key, message_id, bytes });
        }
        underway
    }

    #[test]
    fn confirms_of_one_and_of_many_find_their_publishes() {
        let mut underway = underway(5);
        underway.confirmed(2, false, false);
        underway.confirmed(3, true, true);
        let (taken, nacked) = (Answer::Taken, Answer::Nacked);
        let answered = underway.answered();
        assert_eq!(answered, [(at(1), nacked), (at(0), taken.clone()), (at(2), taken.clone())]);
        assert_eq!(underway.largest().map(|sent| sent.offset), Some(at(4)));
        underway.confirmed(0, true, true);
        assert_eq!(underway.answered(), [(at(3), taken.clone()), (at(4), taken)]);
        underway.confirmed(9, true, true);
        assert!(underway.is_empty() && underway.answered().is_empty());
    }

    #[test]
    fn what_comes_back_is_found_by_its_key_its_id_and_its_size_and_is_not_taken() {
        let mut underway = underway(3);
        let refusal = Refusal { code: 312, text: "NO_ROUTE".to_owned() };
        underway.returned("k1".to_owned(), refusal.clone());
        assert!(underway.header(Some("1"), 1));
        underway.confirmed(3, true, true);
        let unroutable = Answer::Unroutable { routing_key: "k1".to_owned(), refusal };
        let answered = underway.answered();
        assert_eq!(answered, [(at(0), Answer::Taken), (at(1), unroutable), (at(2), Answer::Taken)]);
    }

    #[test]
    fn what_comes_back_and_was_not_sent_is_an_error() {
        let mut underway = underway(1);
        let refusal = Refusal { code: 312, text: "NO_ROUTE".to_owned() };
        underway.returned("k0".to_owned(), refusal);
        assert!(!underway.header(Some("0"), 77));
    }
}
