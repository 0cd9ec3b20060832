//! What was answered for behind the cursor, and which event is suspected of ending connections. Pure.
//!
//! It lives as long as the process, over all connections, so that an event is settled once: what was
//! taken or became a dead letter is left out of later writes. Bounded by the batch in flight: what the
//! cursor has passed is forgotten. What is settled behind the cursor is noted beside it, once a second and at a
//! clean stop, and recalled by the next process.
//!
//! **What was lost.** A record that waits for its answer may be taken by retention while those behind it were
//! settled long ago. So the ledger also knows what was handed over, and tells which of it was not settled:
//! that, and nothing else, a gap event stands for. A gap has the offset of the last record that it stands
//! for, and is known as a gap: that this record was settled would not settle the gap.
//!
//! **Who is to blame for a connection that ends.** Events that were on their way and have no answer
//! are handed over in halves, until one is alone. That it ends connections alone, too, proves little:
//! a target in trouble ends every connection. So the event behind it is tried alone, and if that ends
//! the connection, too, the one behind that, and so on; only if one of them is taken, and the suspect
//! then ends a connection once more, is it the suspect's fault. Three endings alone in all: one may be a
//! restart of the target, another the move of a load balancer. An event that is tried so may arrive
//! before the suspect, if that is innocent.
//!
//! It refuses to blame an event while nothing else is taken, also the newest one of a quiet stream: a
//! target that is down makes no dead letters, however often and in whatever way it ends connections.

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeInclusive},
};

use pluvio_event::known::GAP_TYPE;
use pluvio_log::Offset;

use super::{cursor::Offsets, parts::Parts};
use crate::Delivered;

/// After so many endings alone, an event behind the suspect is tried.
const ALONE_BEFORE_PROBE: u32 = 2;

/// Stretches that are noted beside a cursor; what is settled behind them may come again after a restart. So an
/// entry of `__cursors` stays below some 50 KB.
const NOTED_MAX: usize = 1000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Taken or buried, and not passed by the cursor yet; whether it is a gap.
    settled: BTreeMap<Offset, bool>,
    /// Where an earlier process settled everything.
    recalled: Offsets,
    /// How often anything was settled.
    count: u64,
    /// What was handed over last, ascending, and what was before and lies behind that.
    given: Vec<Given>,
    /// Whatever lies before it was in a batch, or is nothing that the sink is handed.
    given_to: Offset,
    pub(super) parts: Parts,
    suspect: Option<Suspect>,
}

/// A record that was handed over, or a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Given {
    begins: Offset,
    offset: Offset,
    is_gap: bool,
    /// As it is stored.
    bytes: u64,
}

#[derive(Debug)]
struct Suspect {
    offset: Offset,
    /// How often a connection ended under it alone.
    alone: u32,
    /// How many events behind it ended a connection alone, too.
    vain: usize,
    /// Another event was answered for after that.
    is_other_taken: bool,
}

/// What an ending of a connection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Fewer are suspected than before: it is worth going on at once.
    Narrowed,
    /// Nothing is known.
    Open,
    /// This event is to blame.
    Guilty(Offset),
}

impl Ledger {
    /// Whether it needs nothing any more.
    pub(super) fn is_settled(&self, record: &Delivered) -> bool {
        self.is_settled_as(record.offset(), record.is_gap())
    }

    fn is_settled_as(&self, offset: Offset, is_gap: bool) -> bool {
        self.settled.get(&offset) == Some(&is_gap)
            || (!is_gap && self.recalled.contains(&offset.get()))
    }

    /// There everything was settled before this process, or before an operator moved the sink.
    pub(super) fn recall(&mut self, settled: Offsets) {
        self.recalled = settled;
    }

    /// How often anything was settled: [`settled_from`](Self::settled_from) is the same as long as this is.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The first stretches from `next` on in which everything that the sink is handed is settled.
    pub(super) fn settled_from(&self, next: Offset) -> Offsets {
        let mut settled = Offsets::new();
        let mut begun = None;
        for it in self.given.iter().filter(|it| it.offset >= next) {
            if self.is_settled_as(it.offset, it.is_gap) {
                // What lies between two that are settled is nothing that the sink is handed.
                let from = *begun.get_or_insert(it.begins.max(next).get());
                settled.insert(from..it.offset.following().get());
            } else {
                begun = None;
            }
        }
        let later = self.given_to.max(next).get()..i64::MAX;
        settled
            .extend(self.recalled.overlapping(&later).map(|it| it.start.max(later.start)..it.end));
        settled.iter().take(NOTED_MAX).cloned().collect()
    }

    /// These are handed over; everything before `end` is among them, or nothing that the sink is handed.
    pub(super) fn give(&mut self, records: &[Delivered], end: Offset) {
        let suspect = self.suspect.as_ref().map(|suspect| suspect.offset);
        let find = |given: &[Given]| given.iter().find(|it| Some(it.offset) == suspect).copied();
        let before = find(&self.given);
        // A repair may have put a gap event where the last of the records was that it tells of.
        for record in records {
            let offset = record.offset();
            let is_recalled = self.recalled.contains(&offset.get());
            if is_recalled && record.event().is_some_and(|it| it.event_type() == GAP_TYPE) {
                self.recalled.remove(offset.get()..offset.following().get());
            }
        }
        // An earlier batch may have reached further.
        let behind = self.given.partition_point(|it| it.offset < end);
        let given = records.iter().map(|record| Given {
            begins: record.begins(),
            offset: record.offset(),
            is_gap: record.is_gap(),
            bytes: record.stored().len() as u64,
        });
        self.given.splice(..behind, given);
        self.given_to = self.given_to.max(end);
        // The record that ended connections is gone, and the gap in its place has ended none yet.
        if suspect.is_some() && find(&self.given) != before {
            self.suspect = None;
        }
    }

    /// What was not settled of all from `from` on and before `start`: of what was handed over each stretch
    /// with nothing settled in it, and what was not.
    pub(super) fn unsettled(&self, from: Offset, start: Offset) -> Vec<RangeInclusive<Offset>> {
        let open = self.open_from(from).take_while(|it| it.offset < start);
        let mut stretches: Vec<_> = open.map(|it| it.begins.max(from)..=it.offset).collect();
        let mut unread = from.max(self.given_to);
        if unread < start {
            for run in self.recalled.overlapping(&(unread.get()..start.get())) {
                let [begins, ends] =
                    [run.start, run.end].map(|it| Offset::new(it).unwrap_or(start));
                stretches.extend(before(unread, begins));
                unread = unread.max(ends);
            }
        }
        stretches.extend(before(unread, start));
        stretches.into_iter().fold(Vec::new(), |mut lost: Vec<RangeInclusive<Offset>>, next| {
            match lost.last_mut() {
                Some(last) if !self.is_any_settled(*last.end(), *next.start()) => {
                    *last = *last.start()..=*next.end();
                }
                _ => lost.push(next),
            }
            lost
        })
    }

    /// Whether anything between the two was settled.
    fn is_any_settled(&self, after: Offset, before: Offset) -> bool {
        let between = (Bound::Excluded(after), Bound::Excluded(before));
        let is_recalled = || {
            self.recalled.overlaps(&(after.following().get()..before.get().max(after.get() + 2)))
        };
        after < before && (self.settled.range(between).next().is_some() || is_recalled())
    }

    /// It was taken, or is a dead letter. `false`: it was before.
    pub(super) fn settle(&mut self, record: &Delivered) -> bool {
        self.settle_as(record.offset(), record.is_gap())
    }

    /// Those of what was handed over last, from `next` on, that have arrived, as was found out later. Gives
    /// how many of them were not settled, and their bytes.
    pub(super) fn found(&mut self, next: Offset, arrived: &[Offset]) -> (u64, u64) {
        let (mut events, mut bytes) = (0, 0);
        for offset in arrived.iter().filter(|offset| **offset >= next) {
            let at = self.given.binary_search_by_key(offset, |it| it.offset);
            let Some(given) = at.ok().and_then(|at| self.given.get(at)).copied() else { continue };
            if self.settle_as(given.offset, given.is_gap) {
                (events, bytes) = (events + 1, bytes + given.bytes);
            }
        }
        (events, bytes)
    }

    /// Where the first begins, of what was handed over last from `next` on, that is not settled.
    pub(super) fn front(&self, next: Offset) -> Offset {
        self.open_from(next).next().map_or(self.given_to, |it| it.begins).max(next)
    }

    /// What was handed over last, from `from` on, and is not settled.
    fn open_from(&self, from: Offset) -> impl Iterator<Item = &Given> {
        let is_open = |it: &&Given| !self.is_settled_as(it.offset, it.is_gap);
        self.given.iter().filter(move |it| it.offset >= from).filter(is_open)
    }

    fn settle_as(&mut self, offset: Offset, is_gap: bool) -> bool {
        match &mut self.suspect {
            Some(suspect) if suspect.offset == offset => self.suspect = None,
            Some(suspect) => suspect.is_other_taken |= suspect.alone >= ALONE_BEFORE_PROBE,
            None => {}
        }
        let is_new = !self.is_settled_as(offset, is_gap);
        if is_new {
            self.settled.insert(offset, is_gap);
            self.count += 1;
        }
        is_new
    }

    /// The cursor stands at `next`.
    pub(super) fn passed(&mut self, next: Offset) {
        if self.settled.first_key_value().is_some_and(|(first, _)| *first < next) {
            self.settled = self.settled.split_off(&next);
        }
        self.recalled.remove(i64::MIN..next.get());
        if self.suspect.as_ref().is_some_and(|suspect| suspect.offset < next) {
            self.suspect = None;
        }
    }

    /// The target knows better.
    pub(super) fn clear(&mut self) {
        *self = Self { count: self.count + 1, ..Self::default() };
    }

    /// Which of `records`, none of them settled, are written next.
    pub(super) fn next(&mut self, records: &[Delivered]) -> std::ops::Range<usize> {
        let is_first = |suspect: &&Suspect| {
            records.first().is_some_and(|first| first.offset() == suspect.offset)
        };
        match self.suspect.as_ref().filter(is_first) {
            Some(it) if it.alone >= ALONE_BEFORE_PROBE && !it.is_other_taken => {
                // If there is none behind it, the suspect waits for one.
                let behind = records.len() - 1;
                let at = it.vain.checked_rem(behind).map_or(0, |vain| vain + 1);
                at..at + 1
            }
            Some(_) => 0..1,
            None => 0..self.parts.next(records),
        }
    }

    /// A connection ended under `suspects`, which were on their way and have no answer;
    /// `has_progressed`: others were answered for before, over the same connection.
    pub(super) fn ended(&mut self, suspects: &[Offset], has_progressed: bool) -> Blame {
        match suspects {
            [] => Blame::Open,
            [alone] => self.ended_alone(*alone),
            // The next connection begins with another event.
            _ if has_progressed => Blame::Open,
            several => {
                self.parts.halve(several);
                Blame::Narrowed
            }
        }
    }

    fn ended_alone(&mut self, offset: Offset) -> Blame {
        match &mut self.suspect {
            Some(suspect) if suspect.offset == offset => {
                suspect.alone += 1;
                if suspect.is_other_taken {
                    self.suspect = None;
                    return Blame::Guilty(offset);
                }
            }
            // One behind the suspect ends connections, too: so far, it is the target.
            Some(suspect) if suspect.offset < offset => {
                suspect.vain += 1;
                suspect.alone = ALONE_BEFORE_PROBE - 1;
            }
            _ => self.suspect = Some(Suspect { offset, alone: 1, vain: 0, is_other_taken: false }),
        }
        Blame::Open
    }
}

/// All from `from` on and before `to`.
fn before(from: Offset, to: Offset) -> Option<RangeInclusive<Offset>> {
    let last = Offset::new(to.get() - 1)?;
    (from <= last).then_some(from..=last)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;
    use pluvio_event::Event;
    use pluvio_log::StoredRecord;

    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    fn record(offset: i64) -> Delivered {
        Delivered::new(StoredRecord {
            offset: at(offset),
            recorded: Timestamp::UNIX_EPOCH,
            key: None,
            value: Bytes::new(),
        })
    }

    fn gap(begins: i64, offset: i64) -> Delivered {
        let event = Event::builder("gap", "urn:a", "t").build();
        let event = event.unwrap_or_else(|e| unreachable!("{e}"));
        Delivered::made(at(begins), at(offset), Timestamp::UNIX_EPOCH, &event)
    }

    #[test]
    fn an_event_is_to_blame_if_it_ends_connections_alone_and_the_next_one_does_not() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.ended(&[at(1), at(2)], false), Blame::Narrowed);
        assert_eq!(ledger.ended(&[at(1)], false), Blame::Open);
        assert_eq!(ledger.ended(&[at(1)], false), Blame::Open);
        assert!(ledger.settle(&record(2)));
        assert_eq!(ledger.ended(&[at(1)], false), Blame::Guilty(at(1)));
    }

    #[test]
    fn a_target_that_ends_every_connection_blames_nobody() {
        let mut ledger = Ledger::default();
        for round in 0..100 {
            let alone = if round % 3 == 2 { at(2) } else { at(1) };
            assert_eq!(ledger.ended(&[alone], false), Blame::Open, "round {round}");
        }
    }

    #[test]
    fn a_suspect_that_is_taken_is_none_and_what_the_cursor_passed_is_forgotten() {
        let mut ledger = Ledger::default();
        for _ in 0..2 {
            assert_eq!(ledger.ended(&[at(1)], false), Blame::Open);
        }
        assert!(ledger.settle(&record(1)) && ledger.settle(&record(2)));
        assert!(!ledger.settle(&record(2)), "once");
        ledger.passed(at(3));
        assert!(ledger.settled.is_empty() && ledger.suspect.is_none());
    }

    #[test]
    fn a_gap_is_not_settled_because_the_record_that_had_its_offset_was() {
        let mut ledger = Ledger::default();
        assert!(ledger.settle(&record(9)));
        assert!(ledger.is_settled(&record(9)) && !ledger.is_settled(&gap(5, 9)));
        assert!(ledger.settle(&gap(5, 9)) && !ledger.settle(&gap(5, 9)));
        assert!(ledger.is_settled(&gap(5, 9)));
    }

    #[test]
    fn what_was_settled_behind_one_that_waits_is_not_lost_and_what_was_not_looked_at_is() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.unsettled(at(3), at(20)), [at(3)..=at(19)], "nothing is known");
        // The filter left out 6, and there is no 8.
        ledger.give(&[3, 4, 5, 7, 9, 10].map(record), at(12));
        [4, 9].map(record).iter().for_each(|taken| assert!(ledger.settle(taken)));
        let lost = |start| ledger.unsettled(at(3), at(start));
        assert_eq!(lost(5), [at(3)..=at(3)]);
        assert_eq!(lost(10), [at(3)..=at(3), at(5)..=at(7)]);
        assert_eq!(lost(20), [at(3)..=at(3), at(5)..=at(7), at(10)..=at(19)]);
        // A shorter batch makes nothing unknown that was known.
        ledger.give(&[record(3)], at(4));
        assert_eq!(ledger.unsettled(at(3), at(9)), [at(3)..=at(3), at(5)..=at(7)]);
    }

    #[test]
    fn a_gap_that_waits_is_told_again_with_what_was_lost_since_and_without_what_was_taken() {
        let mut ledger = Ledger::default();
        ledger.give(&[gap(3, 9), record(10), record(11), record(12)], at(13));
        [11, 12].map(record).iter().for_each(|taken| assert!(ledger.settle(taken)));
        let lost = |ledger: &Ledger, start| ledger.unsettled(at(3), at(start));
        assert_eq!(lost(&ledger, 10), [at(3)..=at(9)], "the same");
        assert_eq!(lost(&ledger, 12), [at(3)..=at(10)]);
        assert_eq!(lost(&ledger, 30), [at(3)..=at(10), at(13)..=at(29)]);
        ledger.give(&[gap(3, 10), gap(13, 29), record(30)], at(31));
        assert!(ledger.settle(&gap(13, 29)));
        assert_eq!(lost(&ledger, 40), [at(3)..=at(10), at(30)..=at(39)]);
    }

    #[test]
    fn what_is_found_to_have_arrived_is_settled_as_what_was_handed_over_there() {
        let mut ledger = Ledger::default();
        ledger.give(&[gap(3, 9), record(10), record(11), record(14)], at(16));
        let bytes = gap(3, 9).stored().len() as u64;
        assert_eq!(ledger.found(at(3), &[11, 9, 12].map(at)), (2, bytes), "12 was not handed over");
        assert_eq!(ledger.found(at(3), &[9, 11].map(at)), (0, 0), "once");
        assert!(ledger.is_settled(&gap(3, 9)) && !ledger.is_settled(&record(9)));
        assert_eq!(ledger.front(at(3)), at(10));
        assert_eq!(ledger.unsettled(at(3), at(14)), [at(10)..=at(10)]);
        ledger.passed(at(11));
        assert_eq!(ledger.found(at(11), &[9, 10].map(at)), (0, 0), "the cursor has passed them");
        assert_eq!(ledger.found(at(11), &[at(14)]), (1, 0));
        assert_eq!(ledger.front(at(11)), at(16));
    }

    #[test]
    fn a_gap_is_not_suspected_of_what_the_record_in_its_place_did() {
        let mut ledger = Ledger::default();
        ledger.give(&[1, 2].map(record), at(3));
        assert_eq!(ledger.ended(&[at(1)], false), Blame::Open);
        ledger.give(&[1, 2].map(record), at(3));
        assert!(ledger.suspect.is_some());
        ledger.give(&[gap(1, 1), record(2)], at(3));
        assert!(ledger.suspect.is_none());
    }
}
