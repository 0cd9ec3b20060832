//! Which listed events are new, and what each new one is called.
//!
//! A vCenter's events are listed again and again: a re-list after a reconnect reaches a minute back,
//! a sweep a day. An event is **known** if one with its key *and* its creation time (within a second)
//! is stored. A key alone says little: it is a 32-bit counter that overflows into negative numbers
//! or, from API 9.0 on, ends and begins again, and a restored or restarted vCenter counts from an old
//! value again. When a stored key comes with another creation time, a new **epoch** of keys has begun,
//! and from then on ids read `<key>-<n>`, so that source + id stays unique for ever.
//!
//! An event whose key or time cannot be read is named by a digest of its text instead: it is known if the same
//! text is stored, which a re-list brings again and another life of the keys does not. So it hides no event that
//! has its key, before or after, and none hides it. Only two that agree in every letter are taken for one.
//!
//! What the log may have forgotten cannot be looked up: an event that is as old, and not newer than all that was
//! read, is known as well. One without a time is not: it is stored again under the same id. And one that is newer
//! than all that was read but has an earlier key has a namesake there: an epoch begins with it.
//!
//! Pure: the caller looks ids up in the log between [`Ledger::questions`] and [`Ledger::judge`].

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use pluvio_runtime::supervise::PULLS_ON_THE_WAY;
use uuid::Uuid;

use super::{place::Place, reach::Reach};

/// Two writings of the same creation time may differ by rounding, never by a second.
const SAME_TIME_MS: i64 = 1000;
/// So many keys before the greatest an event may have that becomes visible late.
const LATE_KEYS: i64 = 1000;
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
    /// The same by the machine's clock.
    ours: Timestamp,
    /// What may be stored without the log's knowing it.
    forgotten: Option<Forgotten>,
    /// How far events were read when the listing began that is read on and on.
    read: Read,
    /// What that listing has shown.
    reach: Reach,
    /// Whether events are judged that it may not have come to yet.
    is_sweeping: bool,
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
    /// How much later than others an event may become visible.
    pub(super) overlap: Duration,
}

/// How far events were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    /// The greatest key that a listing has shown in this epoch; in all where it has shown none.
    key: Option<i64>,
    /// The same; `None` where it has shown none.
    own: Option<i64>,
    /// When the last event that was read was created; what is later was not.
    time: Timestamp,
}

impl Read {
    /// The same keys, and as far as another place says.
    pub(super) fn with_time_of(self, place: &Place) -> Self {
        Self { time: self.time.max(Self::up_to(place).time), ..self }
    }

    /// As far as a place says.
    pub(super) fn up_to(place: &Place) -> Self {
        let time = place.last.map_or(place.time, |last| last.max(place.time));
        let own = place.own_key();
        Self { key: own.or(place.key), own, time }
    }
}

impl Forgotten {
    /// An event without a key is told by its time alone.
    fn has(&self, key: Option<i64>, created: Option<Timestamp>) -> bool {
        let Read { key: greatest, time, .. } = self.read;
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
    /// At `place`; `read`: how far events were read, which a place does not say where its filter is new.
    pub(super) fn new(place: Place, read: Read) -> Self {
        let in_flight = VecDeque::from([HashMap::new()]);
        let (now, ours) = (Timestamp::MAX, Timestamp::MAX);
        let (forgotten, reach) = (None, Reach::default());
        Self { place, now, ours, forgotten, read, reach, is_sweeping: false, in_flight }
    }

    /// Tells what may be stored without the log's knowing it, of the events that are judged next.
    pub(super) fn set_forgotten(&mut self, forgotten: Option<Forgotten>) {
        self.forgotten = forgotten;
    }

    /// Tells the time at which no event can have happened yet, by the vCenter's clock and by ours.
    pub(super) fn set_now(&mut self, now: Timestamp, ours: Timestamp) {
        (self.now, self.ours) = (now, ours);
    }

    /// Tells whether the events that are judged next are of a sweep, which shows what the listing has not come to.
    pub(super) fn set_sweeping(&mut self, is_sweeping: bool) {
        self.is_sweeping = is_sweeping;
    }

    /// Takes in when the events of a page were created that the listing has shown, whether they were new or not.
    pub(super) fn has_listed(&mut self, created: &[Timestamp], is_full: bool) {
        // Where the two clocks differ, the later one may be ahead.
        let now = self.now.min(self.ours);
        let times = created.iter().copied().filter(|created| *created <= now);
        self.place.read_up_to(self.reach.page(times, is_full));
    }

    /// Tells that another listing begins, at the place.
    pub(super) fn lists_anew(&mut self) {
        (self.read, self.reach) = (Read::up_to(&self.place), Reach::default());
    }

    /// How far events were read when the listing began that is read on and on.
    pub(super) fn read(&self) -> Read {
        self.read
    }

    /// The ids under which `event` may be stored, oldest epoch first; empty when it cannot be.
    pub(super) fn questions(
        &self,
        key: Option<i64>,
        created: Option<Timestamp>,
        raw_id: impl FnOnce() -> String,
    ) -> Vec<String> {
        let Some((key, _)) = key.zip(created) else { return vec![raw_id()] };
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
        let lookup = |ledger: &Self, id: &str| {
            ledger.in_flight.iter().find_map(|pull| pull.get(id).copied()).or_else(|| stored(id))
        };
        let is_before =
            created.is_some_and(|created| created < self.place.begin) && !self.is_dated_behind(key);
        let is_forgotten = self.forgotten.is_some_and(|forgotten| forgotten.has(key, dated));
        let Some((key, time)) = key.zip(created) else {
            let id = raw_id();
            if is_before {
                return Verdict::Before;
            }
            if lookup(self, &id).is_some() || is_forgotten {
                return Verdict::Known;
            }
            return self.admit(id, None, created);
        };
        let mut is_reused = false;
        for epoch in 1..=self.place.epoch {
            if let Some(stored) = lookup(self, &id(key, epoch)) {
                if is_same(stored, time) {
                    return Verdict::Known;
                }
                is_reused = epoch == self.place.epoch;
            }
        }
        // What was before the beginning has no namesake in this life.
        if is_before && !is_reused {
            return Verdict::Before;
        }
        // Before the keys' lives: a namesake of another life may be all that is left of it.
        if is_forgotten || (!is_reused && self.is_forgotten_and_ahead(key, time)) {
            return Verdict::Known;
        }
        if is_reused || self.has_forgotten_namesake(key, time) {
            self.place.open_epoch();
            // What follows in this listing is of the same life.
            self.read.own = None;
        }
        self.admit(id(key, self.place.epoch), Some(key), created)
    }

    /// Whether an event that is dated later than now may be stored: it is listed again and again until then, and its
    /// time says nothing of when it was stored. It is told by its key.
    fn is_forgotten_and_ahead(&self, key: i64, created: Timestamp) -> bool {
        self.forgotten.is_some()
            && created > self.now
            && self.read.own.is_some_and(|greatest| key <= greatest)
    }

    /// Whether another event must have had this key, which the log has forgotten: keys had passed it when this listing
    /// began, and the event happened after all that was read, by more than events come late.
    fn has_forgotten_namesake(&self, key: i64, created: Timestamp) -> bool {
        let (Some(Forgotten { overlap, .. }), Some(greatest)) = (self.forgotten, self.read.own)
        else {
            return false;
        };
        let behind = |keys: i64| key.saturating_add(keys) <= greatest;
        let late = self.read.time.checked_add(overlap).unwrap_or(Timestamp::MAX);
        let is_late = !behind(LATE_KEYS) && created <= late;
        behind(0) && created > self.read.time && !is_late
    }

    /// Whether an event that is dated before the beginning has happened since, by a clock that is behind or was:
    /// nothing that was captured before this listing has a greater key.
    fn is_dated_behind(&self, key: Option<i64>) -> bool {
        match self.read.own {
            Some(greatest) => key.is_some_and(|key| key > greatest),
            None => self.now < self.place.begin,
        }
    }

    fn admit(&mut self, id: String, key: Option<i64>, created: Stored) -> Verdict {
        let is_said = |created: &Timestamp| *created <= self.now && !self.is_sweeping;
        self.place.pass(key, created.filter(is_said), self.is_sweeping);
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

fn id(key: i64, epoch: u16) -> String {
    if epoch == 1 { key.to_string() } else { format!("{key}-{epoch}") }
}

/// What is stored under a key without a time is another event, for this one has one.
fn is_same(stored: Stored, listed: Timestamp) -> bool {
    stored.is_some_and(|stored| {
        listed.as_millisecond().abs_diff(stored.as_millisecond()) < SAME_TIME_MS.unsigned_abs()
    })
}

/// The id of an event whose key or time cannot be read: by its text, so that a re-list gives the same.
pub(super) fn id_of_text(raw: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, raw.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A ledger and what is stored, as a log would have it.
    struct Book {
        ledger: Ledger,
        stored: BTreeMap<String, Stored>,
    }

    /// A readable event; `None`: what stands for its time is none.
    #[derive(Clone, Debug)]
    struct Shown {
        key: i64,
        second: Option<i64>,
        text: String,
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap_or(Timestamp::MAX)
    }

    fn forgotten(before: i64, read: Read) -> Forgotten {
        Forgotten { before: at(before), read, overlap: Duration::from_secs(60) }
    }

    impl Book {
        fn new() -> Self {
            let place = Place::first("urn:a", "0a1b2c", "uuid".into(), at(0));
            let read = Read::up_to(&place);
            Self { ledger: Ledger::new(place, read), stored: BTreeMap::new() }
        }

        /// Lists (key, second) and gives the ids of the new ones.
        fn list(&mut self, events: &[(i64, i64)]) -> Vec<String> {
            let shown = events.iter().map(|(key, second)| Shown {
                key: *key,
                second: Some(*second),
                text: String::new(),
            });
            self.show(&shown.collect::<Vec<_>>())
        }

        /// The same for events that may have no time. Whether each lookup was foreseen is checked along the way.
        fn show(&mut self, events: &[Shown]) -> Vec<String> {
            let mut new = Vec::new();
            for event in events {
                let (key, time) = (Some(event.key), event.second.map(at));
                let raw_id = || event.text.clone();
                let asked = self.ledger.questions(key, time, raw_id);
                let stored = &self.stored;
                let answer = |id: &str| {
                    asked.iter().any(|a| a == id).then(|| stored.get(id).copied()).flatten()
                };
                if let Verdict::New(id) = self.ledger.judge(key, time, time, raw_id, answer) {
                    assert!(!self.stored.contains_key(&id), "id {id} was given twice");
                    self.stored.insert(id.clone(), time);
                    new.push(id);
                }
            }
            new
        }

        /// Reconnects: what was in flight is stored, the place comes from the log.
        fn reconnect(&mut self) {
            let place = self.ledger.place.clone();
            let read = Read::up_to(&place);
            self.ledger = Ledger::new(place, read);
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
        book.ledger.set_forgotten(Some(forgotten(50, read)));
        assert_eq!(book.list(&[(1, 0), (2, 1), (5, 4), (6, 4), (3, 5), (7, 60)]), ["6", "3", "7"]);
        // By what was read before the listing began, and not by what it has shown meanwhile.
        assert_eq!(book.list(&[(4, 5)]), ["4"]);
        let mut unread =
            |dated| book.ledger.judge(None, None, dated, || "unread".to_owned(), |_| None);
        assert_eq!(unread(Some(at(4))), Verdict::Known, "one that cannot be read has its age");
        assert_eq!(unread(Some(at(60))), Verdict::New("unread".to_owned()));
        book.ledger.set_forgotten(Some(forgotten(4, read)));
        assert_eq!(book.list(&[(1, 0), (5, 4)]), ["5"], "the log knows what is later");

        let mut book = Book::new();
        book.list(&[(1, 0), (2, 86_400), (3, 4)]);
        book.reconnect();
        book.stored.clear();
        book.ledger.set_now(at(60), at(60));
        let read = Read::up_to(&book.ledger.place);
        book.ledger.set_forgotten(Some(forgotten(50, read)));
        let ahead = [(2, 86_400), (4, 86_400)];
        assert_eq!(book.list(&ahead), ["4"], "what is dated ahead is told by its key");

        let mut book = Book::new();
        book.list(&[(1, 0), (2, 1), (1, 50), (2, 51)]);
        book.reconnect();
        book.stored.remove("2");
        let read = Read::up_to(&book.ledger.place);
        book.ledger.set_forgotten(Some(forgotten(10, read)));
        assert!(book.list(&[(1, 0), (2, 1), (2, 51)]).is_empty());
        assert_eq!(book.ledger.place.epoch, 2, "no life of its own");
    }

    #[test]
    fn a_key_that_the_log_has_forgotten_begins_an_epoch_when_it_comes_again() {
        let reused = |listed: &[(i64, i64)]| {
            let mut book = Book::new();
            book.list(&[(1, 0), (2, 1), (9, 4)]);
            book.stored.clear();
            let mut list = || {
                book.reconnect();
                let read = book.ledger.read();
                book.ledger.set_forgotten(Some(forgotten(10, read)));
                book.list(listed)
            };
            let ids = list();
            assert_eq!(list(), [""; 0], "a re-list doubles nothing");
            ids
        };
        // A restore takes longer than events come late.
        assert_eq!(reused(&[(2, 90), (3, 91), (8, 92)]), ["2-2", "3-2", "8-2"]);
        assert_eq!(reused(&[(9, 4), (8, 30), (10, 31)]), ["8", "10"], "it came late");
    }

    #[test]
    fn what_a_sweep_shows_says_nothing_of_what_is_not_caught_up_with() {
        let mut book = Book::new();
        book.list(&[(1, 0), (2, 100), (4, 101)]);
        book.ledger.set_sweeping(true);
        assert_eq!(book.list(&[(900, 90_000)]), ["900"]);
        book.ledger.set_sweeping(false);
        book.reconnect();
        book.stored.clear();
        let read = book.ledger.read();
        book.ledger.set_forgotten(Some(forgotten(80_000, read)));
        let listed = [(2, 100), (4, 101), (5, 99), (6, 70_000), (7, 85_000)];
        assert_eq!(book.list(&listed), ["5", "6", "7"], "in one epoch");
    }

    #[test]
    fn what_a_server_shows_from_before_the_beginning_is_left_out() {
        let mut book = Book::new();
        assert_eq!(book.list(&[(1, -60), (2, 0), (3, 1)]), ["2", "3"]);
    }

    #[test]
    fn an_event_of_tomorrow_is_taken_and_moves_no_place() {
        let mut book = Book::new();
        book.ledger.set_now(at(10), at(10));
        assert_eq!(book.list(&[(1, 5), (2, 86_400), (3, 6)]), ["1", "2", "3"]);
        book.ledger.has_listed(&[at(5), at(86_400), at(6)], true);
        assert_eq!(book.ledger.place.time, at(0), "there may be more");
        book.ledger.has_listed(&[at(5), at(86_400), at(7), at(6)], false);
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

    fn without_time(key: i64, text: &str) -> Shown {
        Shown { key, second: None, text: text.to_owned() }
    }

    fn with_time(key: i64, second: i64) -> Shown {
        Shown { key, second: Some(second), text: String::new() }
    }

    #[test]
    fn an_event_without_a_time_hides_no_later_one_that_is_given_its_key() {
        let mut book = Book::new();
        let old = without_time(12, "12, at noon");
        let first = [with_time(11, 1), old.clone(), with_time(13, 3)];
        assert_eq!(book.show(&first), ["11", "12, at noon", "13"]);
        book.reconnect();
        assert!(book.show(&first).is_empty(), "a re-list doubles nothing");
        let restored = [with_time(11, 61), with_time(12, 62), with_time(13, 63)];
        assert_eq!(book.show(&restored), ["11-2", "12-2", "13-2"]);
        book.reconnect();
        assert!(book.show(&[old]).is_empty() && book.show(&restored).is_empty());
        // Where the key was what such an event was stored under.
        let mut book = Book::new();
        book.list(&[(11, 1), (12, 2)]);
        book.stored.insert("12".to_owned(), None);
        book.reconnect();
        assert_eq!(book.list(&[(11, 1), (12, 62)]), ["12-2"]);
    }

    #[test]
    fn a_later_event_without_a_time_is_not_hidden_by_the_one_that_had_its_key() {
        let mut book = Book::new();
        book.show(&[with_time(11, 1), with_time(12, 2), without_time(13, "13, at noon")]);
        book.reconnect();
        let restored = [with_time(11, 61), without_time(12, "12, at one"), with_time(14, 64)];
        assert_eq!(book.show(&restored), ["11-2", "12, at one", "14-2"]);
        assert_eq!(book.show(&[without_time(13, "13, at two")]), ["13, at two"]);
        book.reconnect();
        assert!(book.show(&restored).is_empty(), "a re-list doubles nothing");
        assert!(book.show(&[without_time(13, "13, at noon")]).is_empty());
    }

    /// What happens to a vCenter and to the connection.
    #[derive(Clone, Debug)]
    enum Happening {
        /// An event, with or without a time.
        Event {
            is_dated: bool,
        },
        /// A restore takes so many events back, of which the vCenter knows nothing any more.
        Restore {
            events: usize,
        },
        Reconnect,
        /// So many of the newest are listed once more.
        ListAgain {
            events: usize,
        },
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            6 => prop::bool::weighted(0.7).prop_map(|is_dated| Happening::Event { is_dated }),
            1 => (1usize..8).prop_map(|events| Happening::Restore { events }),
            1 => Just(Happening::Reconnect),
            2 => (1usize..20).prop_map(|events| Happening::ListAgain { events }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_lives_the_keys_have_each_event_is_new_once(
            happenings in prop::collection::vec(happening(), 1..80)
        ) {
            let (mut book, mut shown) = (Book::new(), Vec::<Shown>::new());
            let (mut second, mut produced) = (0, 0);
            for happening in happenings {
                second += 2;
                match happening {
                    Happening::Event { is_dated } => {
                        let key = shown.last().map_or(1, |last| last.key + 1);
                        let text = format!("{key}, after {second} s");
                        shown.push(Shown { key, second: is_dated.then_some(second), text });
                        produced += 1;
                        let new = book.show(&shown[shown.len() - 1..]);
                        prop_assert_eq!(new.len(), 1, "{:?} is new", shown.last());
                    }
                    Happening::Restore { events } => {
                        shown.truncate(shown.len().saturating_sub(events));
                    }
                    Happening::Reconnect => book.reconnect(),
                    Happening::ListAgain { events } => {
                        let from = shown.len().saturating_sub(events);
                        let new = book.show(&shown[from..]);
                        prop_assert!(new.is_empty(), "{:?} are known", new);
                    }
                }
            }
            prop_assert_eq!(book.stored.len(), produced);
        }
    }
}
