//! What was answered for which event, and what that makes of a batch. Pure but for the clock.
//!
//! With several requests in flight, or an event that is refused in the middle, answers do not end
//! where the supervisor can be told: it wants a prefix that arrived, or a batch in which everything
//! is settled. So verdicts are kept until then, and nothing that was answered is asked again while
//! the writer lives. They are of one batch at most.

use std::{collections::BTreeMap, time::Duration};

use pluvio_log::Offset;
use pluvio_runtime::{Delivered, Outcome, Rejected};
use tokio::time::Instant;

use super::{answer::Verdict, error::Error};

/// Answers for events of the batch that is under way.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// `Some`: rejected, and why.
    settled: BTreeMap<Offset, Option<String>>,
    /// The other side asked for patience; `None` within: not for how long.
    patience: Option<Option<Instant>>,
    /// What went wrong at an event.
    failure: Option<Error>,
}

impl Ledger {
    /// Notes an answer.
    pub(super) fn note(&mut self, offset: Offset, verdict: Verdict) {
        match verdict {
            Verdict::Taken => drop(self.settled.insert(offset, None)),
            Verdict::Rejected(reason) => drop(self.settled.insert(offset, Some(reason))),
            Verdict::Throttled(wait) => {
                let until = (!wait.is_zero()).then(|| Instant::now() + wait);
                self.patience = Some(until.max(self.patience.flatten()));
            }
            Verdict::Failed(error) => self.failure = self.failure.take().or(Some(error)),
        }
    }

    /// Whether anything may be sent before the supervisor is told something.
    pub(super) fn may_send(&mut self) -> bool {
        self.patience = self.patience.filter(|until| *until > Some(Instant::now()));
        self.failure.is_none() && self.patience.is_none()
    }

    /// Whether `record` was answered for.
    pub(super) fn is_settled(&self, record: &Delivered) -> bool {
        self.settled.contains_key(&record.offset())
    }

    /// What became of the batch so far. Forgets what the supervisor is told for good.
    pub(super) fn outcome(&mut self, batch: &[Delivered]) -> Outcome<Error> {
        let is_whole = batch.iter().all(|record| self.is_settled(record));
        let is_taken =
            |record: &&Delivered| matches!(self.settled.get(&record.offset()), Some(None));
        let last = match is_whole {
            true => batch.last(),
            false => batch.iter().take_while(is_taken).last(),
        };
        let Some(last) = last.map(Delivered::offset) else { return self.stopped(batch) };
        let rest = self.settled.split_off(&last.following());
        let told = std::mem::replace(&mut self.settled, rest);
        let rejected = told
            .into_iter()
            .filter_map(|(offset, reason)| Some(Rejected { offset, reason: reason? }));
        let rejected: Vec<_> = rejected.collect();
        if rejected.is_empty() { Outcome::AckedTo(last) } else { Outcome::Rejected(rejected) }
    }

    /// Nothing at the batch's beginning has arrived, and not everything is answered for.
    fn stopped(&mut self, batch: &[Delivered]) -> Outcome<Error> {
        if let Some(error) = self.failure.take() {
            return Outcome::NotConnected(error);
        }
        if let Some(until) = self.patience.take() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            return Outcome::Throttled(left.unwrap_or(Duration::ZERO));
        }
        match batch.first().and_then(|record| self.settled.get(&record.offset())) {
            // The first is refused, and time was up before the last: halves are answered from memory.
            Some(Some(reason)) => Outcome::BatchRejected(reason.clone()),
            _ => Outcome::Throttled(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use pluvio_event::Event;
    use pluvio_log::{Offset, StoredRecord};

    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    fn batch(offsets: std::ops::Range<i64>) -> Vec<Delivered> {
        let event = Event::builder("1", "urn:a", "t").build();
        let event = event.unwrap_or_else(|e| unreachable!("{e}"));
        let value: bytes::Bytes = pluvio_event::json::to_vec(&event).into();
        let record = |offset| StoredRecord {
            offset: at(offset),
            recorded: jiff::Timestamp::UNIX_EPOCH,
            key: None,
            value: value.clone(),
        };
        offsets.map(|offset| Delivered::new(record(offset))).collect()
    }

    /// Notes `t`aken, `r`ejected, `w`ait, `f`ailed or `.` nothing for each of `batch`; what is told.
    fn told(ledger: &mut Ledger, batch: &[Delivered], answers: &str) -> String {
        for (record, answer) in batch.iter().zip(answers.chars()) {
            let verdict = match answer {
                't' => Verdict::Taken,
                'r' => Verdict::Rejected("no".to_owned()),
                'w' => Verdict::Throttled(Duration::ZERO),
                'f' => Verdict::Failed(Error::Gone { host: "a".to_owned() }),
                _ => continue,
            };
            ledger.note(record.offset(), verdict);
        }
        match ledger.outcome(batch) {
            Outcome::AckedTo(offset) => format!("to {offset}"),
            Outcome::Rejected(rejected) => {
                let offsets = rejected.iter().map(|rejected| rejected.offset.to_string());
                format!("not {}", offsets.collect::<Vec<_>>().join(" "))
            }
            Outcome::BatchRejected(_) => "halves".to_owned(),
            Outcome::Throttled(_) => "wait".to_owned(),
            Outcome::NotConnected(_) => "failed".to_owned(),
            Outcome::Ended => "ended".to_owned(),
        }
    }

    #[test]
    fn the_supervisor_is_told_what_holds_for_a_prefix_or_for_all() {
        for (answers, outcome) in [
            ("tttt", "to 3"),
            ("tt..", "to 1"),
            ("t.tt", "to 0"),
            ("trtr", "not 1 3"),
            ("rrrr", "not 0 1 2 3"),
            ("trt.", "to 0"),
            ("w...", "wait"),
            ("tw..", "to 0"),
            ("wtf.", "failed"),
            ("rtw.", "wait"),
            ("rt..", "halves"),
        ] {
            let told = told(&mut Ledger::default(), &batch(0..4), answers);
            assert_eq!(told, outcome, "{answers}");
        }
    }

    #[test]
    fn what_was_answered_is_not_asked_again_and_trouble_is_told_when_its_turn_comes() {
        let (mut ledger, all) = (Ledger::default(), batch(0..4));
        assert_eq!(told(&mut ledger, &all, "t.tf"), "to 0");
        let rest = &all[1..];
        assert!(!ledger.may_send(), "the failure is remembered");
        assert!(ledger.is_settled(&rest[1]) && !ledger.is_settled(&rest[0]));
        assert_eq!(told(&mut ledger, rest, ""), "failed");
    }

    #[test]
    fn halves_of_a_batch_whose_first_was_refused_are_answered_from_memory() {
        let (mut ledger, all) = (Ledger::default(), batch(0..4));
        assert_eq!(told(&mut ledger, &all, "rtt."), "halves");
        assert_eq!(told(&mut ledger, &all[..2], ""), "not 0");
        assert_eq!(told(&mut ledger, &all[2..], ""), "to 2");
        assert_eq!(told(&mut ledger, &all[3..], "t"), "to 3");
    }
}
