//! What was answered for behind the cursor, and which event is suspected of ending connections. Pure.
//!
//! It lives as long as the process, over all connections, so that an event is settled once: what was
//! taken or became a dead letter is left out of later writes. Bounded by the batch in flight: what the
//! cursor has passed is forgotten.
//!
//! **Who is to blame for a connection that ends.** Events that were on their way and have no answer
//! are handed over in halves, until one is alone. That it ends connections alone, too, proves little:
//! a target in trouble ends every connection. So the event behind it is tried alone, and if that ends
//! the connection, too, the one behind that, and so on; only if one of them is taken, and the suspect
//! then ends a connection once more, is it the suspect's fault. Three endings alone in all: one may be a
//! restart of the target, another the move of a load balancer. An event that is tried so may arrive
//! before the suspect, if that is innocent.
//!
//! It refuses to blame an event while nothing else is taken, also the newest one of a quiet stream: a target that is down makes no dead
//! letters, however often and in whatever way it ends connections.

use std::collections::BTreeSet;

use pluvio_log::Offset;

use super::parts::Parts;
use crate::Delivered;

/// After so many endings alone, an event behind the suspect is tried.
const ALONE_BEFORE_PROBE: u32 = 2;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Taken or buried, and not passed by the cursor yet.
    settled: BTreeSet<Offset>,
    pub(super) parts: Parts,
    suspect: Option<Suspect>,
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
        self.settled.contains(&record.offset())
    }

    /// It was taken, or is a dead letter. `false`: it was before.
    pub(super) fn settle(&mut self, offset: Offset) -> bool {
        match &mut self.suspect {
            Some(suspect) if suspect.offset == offset => self.suspect = None,
            Some(suspect) => suspect.is_other_taken |= suspect.alone >= ALONE_BEFORE_PROBE,
            None => {}
        }
        self.settled.insert(offset)
    }

    /// The cursor stands at `next`.
    pub(super) fn passed(&mut self, next: Offset) {
        if self.settled.first().is_some_and(|first| *first < next) {
            self.settled = self.settled.split_off(&next);
        }
        if self.suspect.as_ref().is_some_and(|suspect| suspect.offset < next) {
            self.suspect = None;
        }
    }

    /// The target knows better.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    #[test]
    fn an_event_is_to_blame_if_it_ends_connections_alone_and_the_next_one_does_not() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.ended(&[at(1), at(2)], false), Blame::Narrowed);
        assert_eq!(ledger.ended(&[at(1)], false), Blame::Open);
        assert_eq!(ledger.ended(&[at(1)], false), Blame::Open);
        assert!(ledger.settle(at(2)));
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
        assert!(ledger.settle(at(1)) && ledger.settle(at(2)));
        assert!(!ledger.settle(at(2)), "once");
        ledger.passed(at(3));
        assert!(ledger.settled.is_empty() && ledger.suspect.is_none());
    }
}
