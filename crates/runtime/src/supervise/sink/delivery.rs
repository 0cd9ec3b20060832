//! Hands one batch over, whatever it takes: parts, halves, patience, dead letters.

use std::{ops::Range, time::Duration};

use pluvio_log::Offset;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    Backoff, STALLED_AFTER, Setback, SinkContext, Stop, WRITE_DRAIN_MAX,
    batcher::Batch,
    brake::Brake,
    dead,
    heard::{Heard, Part},
    ledger::{Blame, Ledger},
    letter::Origin,
    sink_cursor::SinkCursor,
    tell::Teller,
};
use crate::{Chain, Delivered, Failure, News, Outcome, Rejected, Response, Writer, status::State};

/// What delivering one batch needs.
pub(super) struct Delivery<'a> {
    pub(super) context: &'a SinkContext,
    pub(super) teller: &'a Teller,
    pub(super) drain: &'a CancellationToken,
    pub(super) origin: Origin<'a>,
    pub(super) place: &'a mut SinkCursor,
    /// Outlive the batch and the connection.
    pub(super) ledger: &'a mut Ledger,
    pub(super) brake: &'a mut Brake,
    /// Set as soon as anything is settled.
    pub(super) has_progressed: &'a mut bool,
    /// Set when the connection ends, and fewer events may be to blame than before.
    pub(super) has_narrowed: &'a mut bool,
}

/// What a write leaves to be done.
enum Next {
    /// What is open is written.
    Write,
    /// The same after a wait; why, in the target's words.
    Wait(Duration, String),
    Stop(Stop),
}

impl Delivery<'_> {
    /// Until all of the batch has arrived or is buried (`None`), or something ends it.
    pub(super) async fn deliver<W: Writer>(
        &mut self,
        writer: &mut W,
        batch: Batch,
    ) -> Result<Option<Stop>, Setback<W::Error>> {
        let Batch { records: mut open, end } = batch;
        self.ledger.give(&open, end);
        let mut patience = Backoff::default();
        loop {
            open.retain(|record| !self.is_done(record));
            self.go_to(open.first().map_or(end, Delivered::begins));
            self.place.put_if_due(self.context, self.ledger).await;
            if open.is_empty() {
                return Ok(None);
            }
            let range = self.ledger.next(&open);
            let Some(range) = self.braked(range).await else {
                return Ok(Some(Stop::Drained));
            };
            let (part, mut heard) = (Part { open: &open, range, end }, Heard::default());
            let Some(outcome) = self.write(writer, &part, &mut heard).await? else {
                return Ok(Some(Stop::Drained));
            };
            let next = self.ended(outcome, &part, &mut heard).await;
            if heard.has_taken {
                self.teller.wrote();
            }
            if heard.has_answers {
                patience.reset();
            }
            match next? {
                Next::Write if heard.is_confused => return Err(Setback::InvalidOutcome),
                Next::Write => {}
                Next::Wait(wait, why) => {
                    // A target that asks for patience and not for how much gets ours.
                    let wait = match wait {
                        Duration::ZERO => patience.next(Response::Retry, rand::random()),
                        wait => wait,
                    };
                    self.teller.throttled(wait, &why);
                    if !self.rest(wait).await {
                        return Ok(Some(Stop::Drained));
                    }
                    self.teller.unthrottled();
                }
                Next::Stop(stop) => return Ok(Some(stop)),
            }
        }
    }

    /// Waits, and notes meanwhile what was settled. `false`: drained.
    async fn rest(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            let due = self.place.due(self.ledger).unwrap_or(until);
            let waited = self.drain.run_until_cancelled(sleep_until(due.min(until))).await;
            if waited.is_none() {
                return false;
            }
            self.place.put_if_due(self.context, self.ledger).await;
        }
        true
    }

    /// What is tried next: all of `range`, or after a pause the first alone, if nothing has arrived for
    /// long. `None`: drained meanwhile.
    async fn braked(&mut self, range: Range<usize>) -> Option<Range<usize>> {
        let Some(in_row) = self.brake.suspicious() else {
            return (!self.drain.is_cancelled()).then_some(range);
        };
        let pause = self.brake.pause(rand::random());
        self.teller.braked(in_row, pause);
        self.drain.run_until_cancelled(sleep(pause)).await?;
        self.teller.reporter().update(|status| status.retry_at = None);
        Some(range.start..range.end.min(range.start + 1))
    }

    /// Everything before `next` is settled.
    pub(super) fn go_to(&mut self, next: Offset) {
        self.place.advance(next);
        self.ledger.passed(self.place.next());
        self.teller.place(self.place.next());
    }

    /// The write is over; what that means for what it leaves open.
    async fn ended<E: Failure>(
        &mut self,
        outcome: Outcome<E>,
        part: &Part<'_>,
        heard: &mut Heard,
    ) -> Result<Next, Setback<E>> {
        let next = match outcome {
            Outcome::AckedTo(offset) => {
                let count = part.records().partition_point(|record| record.offset() <= offset);
                self.acked(part, heard, count);
                heard.is_confused |= count == 0;
                Ok(Next::Write)
            }
            Outcome::Rejected(rejected) if dead::are_of(part.records(), &rejected) => {
                let is_taken = |offset: &Offset| rejected.iter().all(|it| it.offset != *offset);
                let taken = part.records().iter().map(Delivered::offset).filter(is_taken).collect();
                self.hear(part, heard, News { taken, rejected }).await;
                Ok(Next::Write)
            }
            Outcome::Rejected(_) => {
                heard.is_confused = true;
                Ok(Next::Write)
            }
            Outcome::Answered => {
                // While Pluvio drains, a write may end before anything was sent.
                heard.is_confused |= !heard.has_answers && !self.drain.is_cancelled();
                Ok(Next::Write)
            }
            Outcome::BatchRejected(reason) => {
                self.batch_rejected(part, heard, reason);
                Ok(Next::Write)
            }
            Outcome::Throttled { wait, why } => Ok(Next::Wait(wait, why)),
            Outcome::NotConnected(error) => {
                self.tried(part, heard);
                Err(Setback::Sink(error))
            }
            Outcome::Broken { error, sent_to } => {
                self.tried(part, heard);
                self.broken(part, heard, sent_to, &error);
                Err(Setback::Sink(error))
            }
            Outcome::Ended => Ok(Next::Stop(Stop::Ended)),
        };
        if !self.bury(part, heard).await {
            return Ok(Next::Stop(Stop::Drained));
        }
        next
    }

    /// Those of the part that have no answer.
    fn unanswered(&self, part: &Part<'_>, heard: &Heard) -> Vec<Offset> {
        let is_refused = |offset| heard.refused.iter().any(|refused| refused.offset == offset);
        let open = part.records().iter().filter(|record| !self.is_done(record));
        open.map(Delivered::offset).filter(|offset| !is_refused(*offset)).collect()
    }

    fn tried(&mut self, part: &Part<'_>, heard: &Heard) {
        let unanswered = self.unanswered(part, heard);
        self.place.tried(unanswered.into_iter());
    }

    /// The target says no to what has no answer, as a whole.
    fn batch_rejected(&mut self, part: &Part<'_>, heard: &mut Heard, reason: String) {
        let unanswered = self.unanswered(part, heard);
        match unanswered[..] {
            [] => heard.is_confused |= !heard.has_answers,
            [offset] => {
                heard.refused.push(Rejected { offset, reason });
                heard.has_answers = true;
            }
            _ => {
                self.ledger.parts.halve(&unanswered);
                self.place.tried(unanswered.into_iter());
            }
        }
    }

    /// The connection ended under what has no answer.
    fn broken<E: Failure>(
        &mut self,
        part: &Part<'_>,
        heard: &mut Heard,
        sent_to: Offset,
        error: &E,
    ) {
        let mut suspects = self.unanswered(part, heard);
        suspects.retain(|offset| *offset <= sent_to);
        match self.ledger.ended(&suspects, heard.has_answers) {
            Blame::Open => {}
            Blame::Narrowed => *self.has_narrowed = true,
            Blame::Guilty(offset) => {
                let reason = format!(
                    "each time that it was sent alone, this happened, and not with the event \
                     behind it: {}",
                    Chain(error)
                );
                heard.refused.push(Rejected { offset, reason });
            }
        }
    }

    /// One attempt; `None`: drained, and it did not end in time, so its outcome is unknown.
    async fn write<W: Writer>(
        &mut self,
        writer: &mut W,
        part: &Part<'_>,
        heard: &mut Heard,
    ) -> Result<Option<Outcome<W::Error>>, Setback<W::Error>> {
        let answers = self.brake.answers();
        let write = writer.write(part.records(), &answers);
        tokio::pin!(write);
        let (mut is_stalled, mut is_draining) = (false, false);
        let mut until = Instant::now() + STALLED_AFTER;
        let ended = loop {
            let due = self.place.due(self.ledger);
            tokio::select! {
                biased;
                outcome = &mut write => break Ok(Some(outcome)),
                () = answers.came() => {
                    self.hear(part, heard, answers.take()).await;
                    if !is_draining {
                        until = Instant::now() + STALLED_AFTER;
                    }
                    if std::mem::take(&mut is_stalled) {
                        self.teller.reporter().state(State::Running);
                    }
                }
                // Also while the last answers are waited for: what is settled behind them is noted.
                () = sleep_until(due.unwrap_or(until)), if due.is_some() => {
                    self.place.put_if_due(self.context, self.ledger).await;
                }
                () = self.drain.cancelled(), if !is_draining => {
                    is_draining = true;
                    answers.end();
                    until = Instant::now() + WRITE_DRAIN_MAX;
                }
                () = sleep_until(until) => {
                    if is_draining {
                        break Ok(None);
                    }
                    if is_stalled {
                        break Err(Setback::Stalled);
                    }
                    is_stalled = true;
                    until += STALLED_AFTER;
                    self.teller.reporter().state(State::Stalled);
                }
            }
        };
        self.hear(part, heard, answers.take()).await;
        match &ended {
            Ok(_) if is_stalled => self.teller.reporter().state(State::Running),
            Ok(_) => {}
            Err(_) => {
                self.tried(part, heard);
                self.bury(part, heard).await;
            }
        }
        ended
    }
}
