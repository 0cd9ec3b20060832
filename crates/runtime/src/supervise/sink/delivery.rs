//! Hands one batch over, whatever it takes: parts, halves, patience, dead letters.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    Backoff, STALLED_AFTER, Setback, SinkContext, Stop, WRITE_DRAIN_MAX, batcher::Batch,
    brake::Brake, dead, letter::Origin, parts::Parts, place::Place, tell::Teller, tell_setback,
};
use crate::{
    Delivered, Failure as _, Outcome, Rejected, Response, Writer,
    status::{Kind, State},
};

/// What delivering one batch needs.
pub(super) struct Delivery<'a> {
    pub(super) context: &'a SinkContext,
    pub(super) teller: &'a Teller,
    pub(super) drain: &'a CancellationToken,
    pub(super) origin: Origin<'a>,
    pub(super) place: &'a mut Place,
    /// Outlives the batch.
    pub(super) brake: &'a mut Brake,
    /// Set as soon as anything arrives.
    pub(super) has_progressed: &'a mut bool,
}

impl Delivery<'_> {
    /// Until all of the batch has arrived or is buried (`None`), or something ends it.
    pub(super) async fn deliver<W: Writer>(
        &mut self,
        writer: &mut W,
        batch: &Batch,
    ) -> Result<Option<Stop>, Setback<W::Error>> {
        let mut parts = Parts::whole(batch.records.len());
        let mut patience = Backoff::default();
        while let Some(records) = parts.next().and_then(|part| batch.records.get(part)) {
            let Some(records) = self.braked(records).await else {
                return Ok(Some(Stop::Drained));
            };
            let Some(outcome) = self.write(writer, records).await? else {
                return Ok(Some(Stop::Drained));
            };
            let done = match outcome {
                Outcome::AckedTo(offset) => {
                    records.partition_point(|record| record.offset() <= offset)
                }
                Outcome::Rejected(rejected) if dead::are_of(records, &rejected) => {
                    if !self.bury(records, &rejected).await {
                        return Ok(Some(Stop::Drained));
                    }
                    let arrived = records.iter().filter(|record| {
                        rejected.iter().all(|rejected| rejected.offset != record.offset())
                    });
                    self.teller.arrived(arrived);
                    match rejected.len() < records.len() {
                        true => self.brake.release(),
                        false => self.brake.rejected(rejected.len()),
                    }
                    self.progress(&mut parts, batch, records.len());
                    continue;
                }
                Outcome::Rejected(_) => 0,
                Outcome::BatchRejected(reason) => {
                    self.rejected(&mut parts, batch, records, reason).await;
                    continue;
                }
                Outcome::Throttled(wait) => {
                    // A target that asks for patience and not for how much gets ours.
                    let wait = match wait {
                        Duration::ZERO => patience.next(Response::Retry, rand::random()),
                        wait => wait,
                    };
                    self.teller.throttled(wait);
                    if self.drain.run_until_cancelled(sleep(wait)).await.is_none() {
                        return Ok(Some(Stop::Drained));
                    }
                    self.teller.unthrottled();
                    continue;
                }
                Outcome::NotConnected(error) => {
                    self.place.tried(records.iter().map(Delivered::offset));
                    return Err(Setback::Sink(error));
                }
                Outcome::Ended => return Ok(Some(Stop::Ended)),
            };
            if done == 0 {
                return Err(Setback::Confused);
            }
            patience.reset();
            self.brake.release();
            self.teller.arrived(records.iter().take(done));
            self.progress(&mut parts, batch, done);
            self.place.put_if_due(self.context).await;
        }
        Ok(None)
    }

    /// What of `records` is tried next: all, or after a pause the first alone, if nothing has arrived
    /// for long. `None`: drained meanwhile.
    async fn braked<'r>(&mut self, records: &'r [Delivered]) -> Option<&'r [Delivered]> {
        let Some(in_row) = self.brake.suspicious() else {
            return (!self.drain.is_cancelled()).then_some(records);
        };
        let pause = self.brake.pause(rand::random());
        self.teller.braked(in_row, pause);
        self.drain.run_until_cancelled(sleep(pause)).await?;
        self.teller.reporter().update(|status| status.retry_at = None);
        Some(records.get(..1).unwrap_or(records))
    }

    /// The first `done` of the next part need nothing any more.
    fn progress(&mut self, parts: &mut Parts, batch: &Batch, done: usize) {
        *self.has_progressed = true;
        parts.done(done);
        let next = parts.next().and_then(|part| batch.records.get(part.start));
        self.place.advance(next.map_or(batch.end, Delivered::offset));
        self.teller.place(self.place.next());
    }

    /// The target says no to `records`, the next part, as a whole.
    async fn rejected(
        &mut self,
        parts: &mut Parts,
        batch: &Batch,
        records: &[Delivered],
        reason: String,
    ) {
        let [only] = records else {
            self.place.tried(records.iter().map(Delivered::offset));
            parts.halve();
            return;
        };
        let rejected = Rejected { offset: only.offset(), reason };
        if self.bury(records, &[rejected]).await {
            self.brake.rejected(1);
            self.progress(parts, batch, 1);
        }
    }

    /// Writes dead letters, and waits while they cannot be written; `false`: drained meanwhile.
    async fn bury(&mut self, records: &[Delivered], rejected: &[Rejected]) -> bool {
        let mut backoff = Backoff::default();
        let (log, reporter) = (&self.context.log, self.teller.reporter());
        loop {
            let failed = &self.place.failed;
            match dead::write(log, self.origin, records, rejected, failed).await {
                Ok(count) => {
                    self.teller.buried(count, rejected);
                    return true;
                }
                Err(error) => {
                    let wait = backoff.next(error.response(), rand::random());
                    let name = self.context.name.as_str();
                    tell_setback(&error, false, Kind::Sink, reporter, name, wait);
                    if self.drain.run_until_cancelled(sleep(wait)).await.is_none() {
                        return false;
                    }
                    reporter.update(|status| {
                        status.retry_at = None;
                        status.state = State::Running;
                    });
                }
            }
        }
    }

    /// One attempt; `None`: drained, and it did not end in time, so its outcome is unknown.
    async fn write<W: Writer>(
        &mut self,
        writer: &mut W,
        records: &[Delivered],
    ) -> Result<Option<Outcome<W::Error>>, Setback<W::Error>> {
        let write = writer.write(records);
        tokio::pin!(write);
        let (mut is_stalled, mut is_draining) = (false, false);
        let mut until = Instant::now() + STALLED_AFTER;
        loop {
            tokio::select! {
                biased;
                outcome = &mut write => {
                    if is_stalled {
                        self.teller.reporter().state(State::Running);
                    }
                    return Ok(Some(outcome));
                }
                () = self.drain.cancelled(), if !is_draining => {
                    is_draining = true;
                    until = Instant::now() + WRITE_DRAIN_MAX;
                }
                () = sleep_until(until) => {
                    if is_draining {
                        return Ok(None);
                    }
                    if is_stalled {
                        self.place.tried(records.iter().map(Delivered::offset));
                        return Err(Setback::Stalled);
                    }
                    is_stalled = true;
                    until += STALLED_AFTER;
                    self.teller.reporter().state(State::Stalled);
                }
            }
        }
    }
}
