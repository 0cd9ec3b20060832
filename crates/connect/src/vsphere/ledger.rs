//! Which listed events are new, and what each new one is called.
//!
//! A vCenter's events are listed again and again: a re-list after a reconnect reaches a minute back,
//! a sweep a day. An event is **known** if one with its key *and* its creation time (within a second)
//! is stored. A key alone says little: it is a 32-bit counter that overflows into negative numbers
//! or, from API 9.0 on, ends and begins again, and a restored or restarted vCenter counts from an old
//! value again. When a stored key comes with another creation time, a new **epoch** of keys has begun,
//! and from then on ids read `<key>-<n>`, so that source + id stays unique for ever.
//!
//! What the log may have forgotten cannot be looked up: an event that is as old, and not newer than all that was
//! read, is known as well.
//!
//! Pure: the caller looks ids up in the log between [`Ledger::questions`] and [`Ledger::judge`].

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use pluvio_runtime::supervise::PULLS_ON_THE_WAY;
use uuid::Uuid;

use super::place::Place;

/// Two writings of the same creation time may differ by rounding, never by a second.
const SAME_TIME_MS: i64 = 1000;
/// Pages whose records may still be on their way into the log: a pull is of at most two pages; the rest is
/// margin.
const PULLS_IN_FLIGHT: usize = 2 * PULLS_ON_THE_WAY + 4;

/// The judge of one connection; made anew with each, because only the log knows what was stored.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) place: Place,
    /// The vCenter's clock and a little: an event from beyond it is taken, and says nothing of how far the
    /// history was read. Hosts date events, and some have a wrong clock.
    now: Timestamp,
    /// What may be stored without the log's knowing it.
    forgotten: Option<Forgotten>,
    /// Ids of the last pulls with their times; the newest last.
    in_flight: VecDeque<HashMap<String, Option<Timestamp>>>,
}

/// Which events are stored, most likely, though the log does not know them any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forgotten {
    /// They were created earlier than this.
    pub(super) before: Timestamp,
    /// And had been read before this listing began.
    pub(super) read: Read,
}

/// How far events were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    /// The greatest key.
    key: Option<i64>,
    time: Timestamp,
}

impl Read {
    /// As far as a place says.
    pub(super) fn up_to(place: &Place) -> Self {
        Self { key: place.key, time: place.time }
    }
}

impl Forgotten {
    /// An event without a key is told by its time alone.
    fn has(&self, key: Option<i64>, created: Option<Timestamp>) -> bool {
        let Read { key: greatest, time } = self.read;
        key.is_none_or(|key| greatest.is_some_and(|greatest| key <= greatest))
            && created.is_some_and(|created| created < self.before && created <= time)
    }
}

/// What a listed event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Stored already, as far as can be told.
    Known,
    /// It happened before the beginning, and was never ours to capture; the server was asked not to show it.
    Before,
    /// To be stored under this id.
    New(String),
}

/// An event's stored namesake.
type Stored = Option<Timestamp>;

impl Ledger {
    pub(super) fn new(place: Place) -> Self {
        let in_flight = VecDeque::from([HashMap::new()]);
        Self { place, now: Timestamp::MAX, forgotten: None, in_flight }
    }

    /// Tells what may be stored without the log's knowing it, of the events that are judged next.
    pub(super) fn set_forgotten(&mut self, forgotten: Option<Forgotten>) {
        self.forgotten = forgotten;
    }

    /// Tells the time at which no event can have happened yet.
    pub(super) fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The ids under which `event` may be stored, oldest epoch first; empty when it cannot be.
    pub(super) fn questions(
        &self,
        key: Option<i64>,
        raw_id: impl FnOnce() -> String,
    ) -> Vec<String> {
        let Some(key) = key else { return vec![raw_id()] };
        if self.place.key.is_none_or(|greatest| key > greatest) {
            return Vec::new();
        }
        (1..=self.place.epoch).map(|epoch| id(key, epoch)).collect()
    }

    /// Judges one event. `created` is told by an event that can be read, `dated` also by another. `stored` answers
    /// for every id of [`questions`](Self::questions): its stored event's time, if it has one.
    pub(super) fn judge(
        &mut self,
        key: Option<i64>,
        created: Option<Timestamp>,
        dated: Option<Timestamp>,
        raw_id: impl FnOnce() -> String,
        stored: impl Fn(&str) -> Option<Stored>,
    ) -> Verdict {
        if created.is_some_and(|created| created < self.place.begin) {
            return Verdict::Before;
        }
        let lookup = |ledger: &Self, id: &str| {
            ledger.in_flight.iter().find_map(|pull| pull.get(id).copied()).or_else(|| stored(id))
        };
        let is_forgotten = self.forgotten.is_some_and(|it| it.has(key, dated));
        let Some(key) = key else {
            let id = raw_id();
            if lookup(self, &id).is_some() || is_forgotten {
                return Verdict::Known;
            }
            return self.admit(id, None, created);
        };
        let mut is_reused = false;
        for epoch in 1..=self.place.epoch {
            if let Some(time) = lookup(self, &id(key, epoch)) {
                if is_same(time, created) {
                    return Verdict::Known;
                }
                is_reused = epoch == self.place.epoch;
            }
        }
        // Before the keys' lives: a namesake of another life may be all that is left of it.
        if is_forgotten {
            return Verdict::Known;
        }
        if is_reused {
            self.place.open_epoch();
        }
        self.admit(id(key, self.place.epoch), Some(key), created)
    }

    fn admit(&mut self, id: String, key: Option<i64>, created: Stored) -> Verdict {
        self.place.pass(key, created.filter(|created| *created <= self.now));
        if let Some(pull) = self.in_flight.back_mut() {
            pull.insert(id.clone(), created);
        }
        Verdict::New(id)
    }

    /// Tells that a pull is complete.
    pub(super) fn close_pull(&mut self) {
        // A page in which all was known brings nothing into flight, and must not push out what is.
        if self.in_flight.back().is_some_and(HashMap::is_empty) {
            return;
        }
        self.in_flight.push_back(HashMap::new());
        while self.in_flight.len() > PULLS_IN_FLIGHT {
            self.in_flight.pop_front();
        }
    }
}

fn id(key: i64, epoch: u32) -> String {
    if epoch == 1 { key.to_string() } else { format!("{key}-{epoch}") }
}

/// Without a time on either side the key must do.
fn is_same(stored: Stored, listed: Stored) -> bool {
    match (stored, listed) {
        (Some(stored), Some(listed)) => {
            listed.as_millisecond().abs_diff(stored.as_millisecond()) < SAME_TIME_MS.unsigned_abs()
        }
        _ => true,
    }
}

/// The id of an event that has no key: by its text, so that a re-list gives the same.
pub(super) fn id_of_text(raw: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, raw.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A ledger and what is stored, as a log would have it.
    struct Book {
        ledger: Ledger,
        stored: BTreeMap<String, Timestamp>,
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap_or(Timestamp::MAX)
    }

    impl Book {
        fn new() -> Self {
            let place = Place::first("urn:a", "0a1b2c", "uuid".into(), at(0));
            Self { ledger: Ledger::new(place), stored: BTreeMap::new() }
        }

        /// Lists (key, second) and gives the ids of the new ones. Whether each lookup was foreseen
        /// is checked along the way.
        fn list(&mut self, events: &[(i64, i64)]) -> Vec<String> {
            let mut new = Vec::new();
            for (key, second) in events {
                let asked = self.ledger.questions(Some(*key), String::new);
                let stored = &self.stored;
                let answer = |id: &str| {
                    asked.iter().any(|a| a == id).then(|| stored.get(id).copied()).flatten()
                };
                let time = at(*second);
                let verdict =
                    self.ledger.judge(Some(*key), Some(time), Some(time), String::new, |id| {
                        answer(id).map(Some)
                    });
                if let Verdict::New(id) = verdict {
                    assert!(!self.stored.contains_key(&id), "id {id} was given twice");
                    self.stored.insert(id.clone(), time);
                    new.push(id);
                }
            }
            new
        }

        /// Reconnects: what was in flight is stored, the place comes from the log.
        fn reconnect(&mut self) {
            self.ledger = Ledger::new(self.ledger.place.clone());
        }
    }

    #[test]
    fn an_overlap_listed_again_gives_nothing_new() {
        let mut book = Book::new();
        assert_eq!(book.list(&[(1, 0), (2, 0), (5, 1)]), ["1", "2", "5"]);
        assert!(book.list(&[(2, 0), (5, 1)]).is_empty(), "on the same connection");
        book.reconnect();
        assert_eq!(book.list(&[(2, 0), (5, 1), (6, 2)]), ["6"]);
    }

    #[test]
    fn a_late_event_with_a_smaller_key_is_new_and_opens_no_epoch() {
        let mut book = Book::new();
        book.list(&[(1, 0), (5, 5)]);
        book.reconnect();
        assert_eq!(book.list(&[(1, 0), (3, 3), (5, 5)]), ["3"]);
        assert_eq!(book.ledger.place.epoch, 1);
    }

    #[test]
    fn negative_keys_are_new_and_open_no_epoch() {
        let mut book = Book::new();
        assert_eq!(book.list(&[(2_147_483_647, 0), (-2_147_483_648, 1)]).len(), 2);
        book.reconnect();
        assert_eq!(book.list(&[(-2_147_483_648, 1), (-2_147_483_647, 2)]), ["-2147483647"]);
        assert_eq!(book.ledger.place.epoch, 1);
    }

    #[test]
    fn a_restarted_vcenter_that_counts_from_1_again_opens_an_epoch_and_loses_nothing() {
        let mut book = Book::new();
        book.list(&[(1, 0), (2, 1), (3, 2)]);
        book.reconnect();
        assert_eq!(
            book.list(&[(1, 100), (2, 101), (3, 102), (4, 103)]),
            ["1-2", "2-2", "3-2", "4-2"]
        );
        book.reconnect();
        assert_eq!(book.list(&[(3, 102), (4, 103), (5, 104)]), ["5-2"]);
        book.reconnect();
        assert_eq!(book.list(&[(1, 200)]), ["1-3"]);
    }

    #[test]
    fn a_vcenter_restored_from_a_backup_shows_old_events_that_are_known_and_new_ones_that_are_not()
    {
        let mut book = Book::new();
        book.list(&[(80, 0), (81, 1), (82, 2)]);
        book.reconnect();
        assert_eq!(book.list(&[(80, 0), (81, 50), (82, 51), (83, 52)]), ["81-2", "82-2", "83-2"]);
        book.reconnect();
        assert!(book.list(&[(80, 0), (81, 50), (83, 52)]).is_empty(), "a sweep finds all known");
    }

    #[test]
    fn events_of_an_earlier_epoch_with_greater_keys_are_known_when_they_are_listed_again() {
        let mut book = Book::new();
        book.list(&[(1, 0), (2, 1), (45, 2), (46, 3)]);
        book.reconnect();
        assert_eq!(book.list(&[(1, 50), (2, 51)]), ["1-2", "2-2"], "keys came back");
        book.reconnect();
        assert_eq!(book.list(&[(45, 2), (46, 3), (2, 51), (3, 52)]), ["3-2"]);
        assert_eq!(book.list(&[(45, 60), (46, 61), (47, 62)]), ["45-2", "46-2", "47-2"]);
    }

    #[test]
    fn what_the_log_may_have_forgotten_is_known_unless_it_is_newer_than_all_that_was_read() {
        let mut book = Book::new();
        book.list(&[(1, 0), (2, 1), (5, 4)]);
        book.reconnect();
        book.stored.clear();
        let read = Read::up_to(&book.ledger.place);
        book.ledger.set_forgotten(Some(Forgotten { before: at(50), read }));
        assert_eq!(book.list(&[(1, 0), (2, 1), (5, 4), (6, 4), (3, 5), (7, 60)]), ["6", "3", "7"]);
        // By what was read before the listing began, and not by what it has shown meanwhile.
        assert_eq!(book.list(&[(4, 5)]), ["4"]);
        let mut unread =
            |dated| book.ledger.judge(None, None, dated, || "unread".to_owned(), |_| None);
        assert_eq!(unread(Some(at(4))), Verdict::Known, "one that cannot be read has its age");
        assert_eq!(unread(Some(at(60))), Verdict::New("unread".to_owned()));
        book.ledger.set_forgotten(Some(Forgotten { before: at(4), read }));
        assert_eq!(book.list(&[(1, 0), (5, 4)]), ["5"], "the log knows what is later");

        let mut book = Book::new();
        book.list(&[(1, 0), (2, 1), (1, 50), (2, 51)]);
        book.reconnect();
        book.stored.remove("2");
        let read = Read::up_to(&book.ledger.place);
        book.ledger.set_forgotten(Some(Forgotten { before: at(10), read }));
        assert!(book.list(&[(1, 0), (2, 1), (2, 51)]).is_empty());
        assert_eq!(book.ledger.place.epoch, 2, "no life of its own");
    }

    #[test]
    fn what_a_server_shows_from_before_the_beginning_is_left_out() {
        let mut book = Book::new();
        assert_eq!(book.list(&[(1, -60), (2, 0), (3, 1)]), ["2", "3"]);
    }

    #[test]
    fn an_event_of_tomorrow_is_taken_and_moves_no_place() {
        let mut book = Book::new();
        book.ledger.set_now(at(10));
        assert_eq!(book.list(&[(1, 5), (2, 86_400), (3, 6)]), ["1", "2", "3"]);
        assert_eq!((book.ledger.place.last, book.ledger.place.time), (Some(at(6)), at(6)));
        assert_eq!(book.ledger.place.key, Some(3));
        book.reconnect();
        assert!(book.list(&[(1, 5), (2, 86_400), (3, 6)]).is_empty(), "it is known like any other");
    }

    #[test]
    fn another_instance_begins_an_epoch_and_old_events_stay_known() {
        let mut book = Book::new();
        book.list(&[(7, 0)]);
        book.reconnect();
        book.ledger.place.open_epoch();
        assert_eq!(book.list(&[(7, 0), (1, 60), (7, 61)]), ["1-2", "7-2"]);
    }
}
