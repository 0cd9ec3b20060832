//! A sink's place in its stream: found at the start, moved by what arrives and by operators, put now
//! and then.

use jiff::Timestamp;
use pluvio_log::{AppendError, Log as _, Offset, ReadError, Seek, Table};
use tokio::time::Instant;
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    Begin, SinkContext,
    cursor::{self, Again, Cursor, Offsets, Recalled, Stored},
    dead::Failed,
    ledger::Ledger,
    left,
};
use crate::{Chain, sought::Sought};

/// Where a sink stands, and what it has tried in vain there.
pub(super) struct SinkCursor {
    log_id: Uuid,
    cursor: Cursor,
    /// How often records behind the cursor were tried.
    pub(super) failed: Failed,
    /// The last put failed, and that was told.
    is_failing: bool,
    /// The last move by an operator.
    sought: Option<Sought>,
    /// What is being handed over again before the sink jumps.
    again: Option<Again>,
    /// Where the sink began, or was moved to last.
    began: Offset,
    /// What was handed over before moves by operators.
    handed: Offsets,
    /// What an earlier process noted as settled behind the cursor.
    settled: Offsets,
    /// The sink's filter, by which that is so.
    filter: Uuid,
    /// What the ledger had to say when the cursor was put last.
    noted: u64,
    /// Numbers the last place that was decided here and not by the target.
    moves: u64,
    /// Where the stream ended when the first process started that has not heard the target yet.
    reach: Option<Offset>,
    /// The log knew nothing of the sink.
    is_new: bool,
}

impl SinkCursor {
    /// Looks up where the sink stood; a new one begins where its configuration says. `end`: where the
    /// stream ended when nothing of this process was stored yet; `None`: it ends there now.
    pub(super) async fn find(
        context: &SinkContext,
        end: Option<Offset>,
    ) -> Result<Self, ReadError> {
        let SinkContext { name, log, stream, .. } = context;
        let extent = log.extent(stream)?;
        let end = end.unwrap_or(extent.next);
        let entries = log.entries(Table::Cursors).await?;
        let recalled = cursor::recall(&entries, name, stream, extent.log_id);
        let sink = name.as_str();
        match &recalled {
            Recalled::Elsewhere(before) => {
                warn!(sink, "{}", left::moved(sink, before, stream.as_str()));
            }
            Recalled::Foreign => {
                let stream = stream.as_str();
                warn!(sink, stream, "the sink's cursor is of another log: the sink starts anew");
            }
            Recalled::New | Recalled::At(..) => {}
        }
        let (next, durable, stored) = match recalled {
            // A copy of the log whose cursors are newer than its streams, for example. What comes will
            // have the offsets that the cursor has passed.
            Recalled::At(next, stored) if stored.furthest() > end => {
                let (stream, furthest) = (stream.as_str(), stored.furthest());
                let next = next.min(end);
                warn!(
                    sink, stream, %furthest, %end, %next,
                    "the sink was handed events behind the end of its stream, which once reached further: \
                     the sink takes what is stored there from now on as new"
                );
                (next, None, Some(Box::new(stored.ending_at(end))))
            }
            Recalled::At(next, stored) => (next, Some(next), Some(stored)),
            Recalled::New | Recalled::Elsewhere(_) | Recalled::Foreign => {
                (begin(context, extent.start).await?, None, None)
            }
        };
        let reach = stored.as_ref().and_then(|it| Offset::new(it.reach?));
        let is_new = stored.is_none();
        let stored = stored.map_or_else(|| Stored::new("", extent.log_id, next), |stored| *stored);
        let Stored { sought, again, began, handed, settled, settled_by, .. } = stored;
        let filter = Uuid::new_v5(&Uuid::NAMESPACE_OID, context.filter.text().as_bytes());
        let settled = if settled_by == Some(filter) { settled } else { Vec::new() };
        Ok(Self {
            log_id: extent.log_id,
            cursor: Cursor::new(next, durable, Instant::now()),
            failed: Failed::new(),
            is_failing: false,
            sought,
            again,
            began: Offset::new(began).unwrap_or_default().min(next),
            handed: offsets(handed),
            settled: offsets(settled),
            filter,
            noted: 0,
            moves: cursor::moves(&entries, name),
            reach,
            is_new,
        })
    }

    /// What an earlier process noted as settled behind the cursor; once.
    pub(super) fn take_settled(&mut self) -> Offsets {
        std::mem::take(&mut self.settled)
    }

    /// What was handed over before moves by operators, whether it is handed over again now or not.
    pub(super) fn handed(&self) -> &Offsets {
        &self.handed
    }

    /// The same, and what was handed over since the last one.
    fn handed_so_far(&self) -> Offsets {
        let (mut handed, began, next) = (self.handed.clone(), self.began.get(), self.next().get());
        if began < next {
            handed.insert(began..next);
        }
        handed
    }

    /// Notes that a process started at which the stream ended at `end`, and has not heard the target yet.
    /// Gives how far the target can have come: what was stored since an earlier start that did not hear it
    /// either makes a cursor no truer.
    pub(super) fn expect_target(&mut self, end: Offset) -> Offset {
        let reach = self.reach.map_or(end, |reach| reach.min(end));
        if self.reach != Some(reach) {
            self.reach = Some(reach);
            self.cursor.unknown();
        }
        reach
    }

    /// Notes that the target was heard: from now on what is handed over moves its cursor. `true`: that is to be
    /// put.
    pub(super) fn heard(&mut self) -> bool {
        let is_first = self.reach.take().is_some();
        if is_first {
            self.cursor.unknown();
        }
        is_first
    }

    /// Notes that the place here counts and no cursor that the target has by now, whatever is stored later.
    pub(super) fn decide_here(&mut self) {
        self.moves = self.next_move();
        self.cursor.unknown();
    }

    /// What numbers the next place that is decided here: greater than all before, also than those that a target
    /// remembers and the log no more, as the clock sees to.
    pub(super) fn next_move(&self) -> u64 {
        let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
        now.max(self.moves + 1)
    }

    /// Whether the log knew nothing of the sink when its place was looked up.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(super) fn log_id(&self) -> Uuid {
        self.log_id
    }

    pub(super) fn next(&self) -> Offset {
        self.cursor.next()
    }

    /// The last move by an operator.
    pub(super) fn sought(&self) -> Option<&Sought> {
        self.sought.as_ref()
    }

    /// Numbers the last place that was decided here and not by the target; 0: there was none.
    pub(super) fn moves(&self) -> u64 {
        self.moves
    }

    /// Everything before it was settled, whatever is being handed over again.
    pub(super) fn frontier(&self) -> Offset {
        let back_to = self.again.and_then(|again| Offset::new(again.back_to));
        back_to.map_or(self.next(), |back_to| back_to.max(self.next()))
    }

    /// The number of a cursor that tells where the sink goes on behind what is handed over again.
    pub(super) fn before(&self) -> Option<u64> {
        self.again.map(|again| again.before)
    }

    /// Goes on there behind what is handed over again: the target says that it had come so far. `true`: that is
    /// further than was known, and is to be put.
    pub(super) fn stood_at(&mut self, next: Offset) -> bool {
        let again = self.again.as_mut().filter(|again| again.back_to < next.get());
        let is_further = again.is_some();
        if let Some(again) = again {
            self.handed.insert(again.back_to..next.get());
            again.back_to = next.get();
            self.cursor.unknown();
            if let Some(sought) = &mut self.sought {
                sought.back_to = Some(next.get());
            }
        }
        is_further
    }

    /// Where what is handed over again ends.
    pub(super) fn until(&self) -> Option<Offset> {
        self.again.and_then(|again| Offset::new(again.until))
    }

    /// Goes on where it stood once the stretch was handed over again; `true`: just now.
    pub(super) fn has_jumped(&mut self) -> bool {
        let is_over = self.until().is_some_and(|until| until <= self.next());
        if is_over {
            let frontier = self.frontier();
            self.handed = self.handed_so_far();
            self.again = None;
            self.cursor.set(frontier);
            self.began = frontier;
        }
        is_over
    }

    /// Goes where an operator says. `settled`: what is settled behind the cursor; gives what of it stays so. Durable on
    /// return; after an error it is where it was.
    pub(super) async fn seek(
        &mut self,
        context: &SinkContext,
        sought: &Sought,
        settled: &Offsets,
    ) -> Result<Offsets, AppendError> {
        let to = sought.to();
        // Of two moves with a stretch each the place is kept at which it stood before the first.
        let before = self.again.map_or(self.moves, |again| again.before);
        let mut handed = self.handed_so_far();
        handed.extend(settled.iter().cloned());
        // Nothing of it is handed over again where the sink comes back to it, or does not go back at all.
        let mut kept = Offsets::new();
        if sought.until.is_some() || to >= self.frontier() {
            kept = settled.clone();
            kept.remove(i64::MIN..to.max(self.frontier()).get());
        }
        // No move leads before what is left.
        if let Ok(extent) = context.log.extent(&context.stream) {
            handed.remove(i64::MIN..extent.start.get());
        }
        let stored = Stored {
            sought: Some(sought.clone()),
            again: Again::of(sought, before),
            moves: sought.number,
            handed: stretches(&handed),
            settled: stretches(&kept),
            settled_by: (!kept.is_empty()).then_some(self.filter),
            reach: self.reach.map(Offset::get),
            ..Stored::new(context.stream.as_str(), self.log_id, to)
        };
        let stored = stored.with_furthest();
        if let Err(error) = cursor::store(&context.log, &context.name, &stored).await {
            self.cursor.unknown();
            return Err(error);
        }
        (self.sought, self.again, self.moves) = (stored.sought, stored.again, stored.moves);
        (self.began, self.handed, self.settled) = (to, handed, Offsets::new());
        self.failed.clear();
        self.cursor.set(to);
        self.cursor.put(to, true, Instant::now());
        Ok(kept)
    }

    /// When the cursor wants to be put, or what is settled behind it.
    pub(super) fn due(&self, ledger: &Ledger) -> Option<Instant> {
        self.cursor
            .due()
            .or_else(|| (ledger.count() != self.noted).then(|| self.cursor.put_after()))
    }

    /// Everything before `next` was acknowledged, buried or left out.
    pub(super) fn advance(&mut self, next: Offset) {
        self.cursor.advance(next);
        if !self.failed.is_empty() {
            self.failed = self.failed.split_off(&next);
        }
    }

    /// Goes to where the target says.
    pub(super) fn set(&mut self, next: Offset) {
        self.cursor.set(next);
        self.began = self.began.min(next);
    }

    /// Notes that these were tried in vain.
    pub(super) fn tried(&mut self, offsets: impl Iterator<Item = Offset>) {
        for offset in offsets {
            let count = self.failed.entry(offset).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Puts the cursor, and what is settled behind it, if that is due and the last put is a moment ago.
    pub(super) async fn put_if_due(&mut self, context: &SinkContext, ledger: &Ledger) {
        if self.due(ledger).is_some_and(|due| due <= Instant::now()) {
            self.put(context, ledger).await;
        }
    }

    /// Puts the cursor, and what is settled behind it, if either changed. One that cannot be put stops nothing:
    /// after a crash events are repeated, and none is lost.
    pub(super) async fn put(&mut self, context: &SinkContext, ledger: &Ledger) {
        if self.due(ledger).is_none() {
            return;
        }
        let (sink, next) = (&context.name, self.next());
        let extent = context.log.extent(&context.stream);
        if extent.is_ok_and(|extent| next > extent.next) {
            // It waits for records that are to come: a cursor there would say that they were taken.
            return self.cursor.put(next, false, Instant::now());
        }
        let (count, settled) = (ledger.count(), ledger.settled_from(next));
        let stored = Stored {
            sought: self.sought.clone(),
            again: self.again,
            moves: self.moves,
            reach: self.reach.map(Offset::get),
            began: self.began.get(),
            handed: stretches(&self.handed),
            settled_by: (!settled.is_empty()).then_some(self.filter),
            settled: stretches(&settled),
            ..Stored::new(context.stream.as_str(), self.log_id, next)
        };
        let put = cursor::store(&context.log, sink, &stored.with_furthest()).await;
        self.cursor.put(next, put.is_ok(), Instant::now());
        if put.is_ok() {
            self.noted = count;
        }
        let has_failed = put.is_err();
        if let Err(error) = put {
            let (sink, error) = (sink.as_str(), Chain(&error).to_string());
            if self.is_failing {
                debug!(sink, error, "failed to note the sink's cursor again");
            } else {
                warn!(sink, error, "failed to note the sink's cursor: a crash would repeat events");
            }
        }
        self.is_failing = has_failed;
    }
}

fn offsets(stretches: Vec<(i64, i64)>) -> Offsets {
    stretches.into_iter().filter(|(from, to)| from < to).map(|(from, to)| from..to).collect()
}

fn stretches(offsets: &Offsets) -> Vec<(i64, i64)> {
    offsets.iter().map(|stretch| (stretch.start, stretch.end)).collect()
}

/// Where a new sink begins. Records that are gone already are no loss to it.
async fn begin(context: &SinkContext, start: Offset) -> Result<Offset, ReadError> {
    let seek = match context.from {
        Begin::Earliest => Seek::Start,
        Begin::Latest => Seek::End,
        Begin::Time(time) => Seek::Time(time),
        Begin::Offset(offset) => return Ok(offset.max(start)),
    };
    context.log.seek(&context.stream, seek).await
}
