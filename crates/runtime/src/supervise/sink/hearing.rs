//! What a write reports, taken in: the cursor follows, letters are written, the rest is remembered.
//!
//! Letters are written while the write goes on as far as the brake allows, and tried once: a disk that
//! is full must not keep the connection waiting. When the write is over, they are waited for. It
//! refuses answers for records that the write was not given.

use tokio::time::sleep;

use super::{
    Backoff, dead,
    delivery::Delivery,
    heard::{Heard, Part},
    tell_setback,
};
use crate::{
    Delivered, Failure as _, News,
    status::{Kind, State},
};

impl Delivery<'_> {
    /// Takes in what came while the write goes on.
    pub(super) async fn hear(&mut self, part: &Part<'_>, heard: &mut Heard, news: News) {
        let News { taken, rejected } = news;
        let mut arrived = Vec::with_capacity(taken.len());
        for offset in taken {
            let Some(record) = part.find(offset) else {
                heard.is_confused = true;
                continue;
            };
            if !self.is_done(record) && self.ledger.settle(record) {
                heard.refused.retain(|rejected| rejected.offset != offset);
                arrived.push(record);
            }
        }
        for rejected in rejected {
            match part.find(rejected.offset) {
                None => heard.is_confused = true,
                Some(record) if self.is_done(record) => {}
                Some(record) => {
                    heard.refused.retain(|other| other.offset != record.offset());
                    heard.refused.push(rejected);
                }
            }
        }
        heard.has_answers |= !(arrived.is_empty() && heard.refused.is_empty());
        self.arrived(heard, arrived.into_iter());
        if !heard.is_stuck && !heard.refused.is_empty() {
            heard.is_stuck = !self.bury_some(part, heard, 0).await;
        }
        self.follow(part, heard);
        self.place.put_if_due(self.context, self.ledger).await;
    }

    /// The first `count` of the part have arrived, whatever was heard of them.
    pub(super) fn acked(&mut self, part: &Part<'_>, heard: &mut Heard, count: usize) {
        let records = part.records().get(..count).unwrap_or_default();
        let arrived: Vec<_> = records.iter().filter(|record| !self.is_done(record)).collect();
        heard.has_answers = true;
        match part.range.start {
            // The common case, without a note for each: the cursor passes them.
            0 => heard.front = heard.front.max(count),
            _ => {
                for record in &arrived {
                    self.ledger.settle(record);
                }
            }
        }
        self.arrived(heard, arrived.into_iter());
        self.follow(part, heard);
    }

    fn arrived<'r>(
        &mut self,
        heard: &mut Heard,
        records: impl ExactSizeIterator<Item = &'r Delivered>,
    ) {
        let events = records.len() as u64;
        if events == 0 {
            return;
        }
        self.brake.release();
        heard.trusted = heard.refused.len();
        (heard.has_taken, *self.has_progressed) = (true, true);
        self.teller.arrived(events, records.map(|record| record.stored().len() as u64).sum());
    }

    /// Whether the record needs nothing any more.
    pub(super) fn is_done(&self, record: &Delivered) -> bool {
        record.offset() < self.place.next() || self.ledger.is_settled(record)
    }

    /// The cursor goes to the first record that is not settled.
    fn follow(&mut self, part: &Part<'_>, heard: &mut Heard) {
        while part.open.get(heard.front).is_some_and(|it| self.ledger.is_settled(it)) {
            heard.front += 1;
        }
        self.go_to(part.open.get(heard.front).map_or(part.end, Delivered::begins));
    }

    /// The write is over: what was refused is buried, as far as the brake allows. `false`: drained
    /// while letters could not be written.
    pub(super) async fn bury(&mut self, part: &Part<'_>, heard: &mut Heard) -> bool {
        let mut backoff = Backoff::default();
        if heard.has_taken {
            self.brake.release();
            heard.trusted = heard.refused.len();
        }
        // The one that is tried alone, and after a pause if that is due, is believed.
        let least = usize::from(part.range.len() == 1);
        while !heard.refused.is_empty() {
            let (log, reporter) = (&self.context.log, self.teller.reporter());
            let count = self.count_to_bury(heard, least);
            let rejected = heard.refused.get(..count).unwrap_or_default();
            let failed = &self.place.failed;
            match dead::write(log, self.origin, part.open, rejected, failed).await {
                Ok(new) => {
                    self.buried(part, heard, count, new);
                    break;
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
        // More than the brake lets through: they are handed over again, slowly.
        self.place.tried(heard.refused.drain(..).map(|rejected| rejected.offset));
        self.follow(part, heard);
        true
    }

    /// Writes letters once; `false`: it failed.
    async fn bury_some(&mut self, part: &Part<'_>, heard: &mut Heard, least: usize) -> bool {
        let count = self.count_to_bury(heard, least);
        let rejected = heard.refused.get(..count).unwrap_or_default();
        if rejected.is_empty() {
            return true;
        }
        let (log, failed) = (&self.context.log, &self.place.failed);
        let written = dead::write(log, self.origin, part.open, rejected, failed).await;
        if let Ok(new) = written {
            self.buried(part, heard, count, new);
        }
        written.is_ok()
    }

    /// How many of the refused may become letters now.
    fn count_to_bury(&self, heard: &Heard, least: usize) -> usize {
        (heard.trusted + self.brake.allowance()).max(least).min(heard.refused.len())
    }

    /// The first `count` of the refused are letters, `new` of them new.
    fn buried(&mut self, part: &Part<'_>, heard: &mut Heard, count: usize, new: usize) {
        let letters: Vec<_> = heard.refused.drain(..count).collect();
        for record in letters.iter().filter_map(|letter| part.find(letter.offset)) {
            self.ledger.settle(record);
        }
        self.brake.rejected(count.saturating_sub(heard.trusted));
        heard.trusted = heard.trusted.saturating_sub(count);
        *self.has_progressed |= count > 0;
        self.teller.buried(new, &letters);
    }
}
