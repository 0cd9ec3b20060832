//! Drives one sink: connect, read, filter, batch, write, and again, until drained.
//!
//! ```text
//!  stream ─▶ feed ─▶ batch ─▶ delivery ─▶ writer       cursor ─▶ __cursors
//!   read     filter  count    parts         │             ▲        once a second
//!            gap     bytes    halves     answers ─ taken ─┤
//!                    age                    │             │
//!                             ledger ◀──────┴─ rejected ─▶ letter ─▶ <stream>.dead
//! ```
//!
//! Answers are taken in while the write goes on: the cursor follows the first event without one, and
//! the ledger remembers what was answered for behind it, over all connections.
//!
//! One batch is in flight: order per stream is the promise, and a sink that wants more at once does
//! that within its batch. A sink has its own task and its own place in the stream, so that a slow or
//! dead one costs nobody else anything; it holds one batch and one read of the log in memory. Reading
//! the next batch while one is written was tried: a quarter slower, because what was just unpacked is
//! no longer in the processor's cache when its turn comes.
//!
//! Between attempts the place is kept in memory, where it is newest; the table is read once. An operator
//! who moves the sink ([`seek()`], [`Seeker`]) ends the attempt; the next one begins at the new place.

mod batcher;
mod brake;
mod cursor;
mod dead;
mod delivery;
mod feed;
mod heard;
mod hearing;
mod ledger;
mod left;
mod letter;
mod meter;
mod parts;
mod seek;
mod seeker;
mod sink_cursor;
mod tell;

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use pluvio_event::Filter;
use pluvio_log::{Log as _, LogHandle, Offset, ReadError, ReadLimit, StoredRecord, StreamName};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Backoff, Exits,
    attempt::{
        CLOSE_MAX, FULL_PAUSE, HELD_LONG, STALLED_AFTER, STALLED_REMEDY, UNREADABLE_REMEDY,
        connected_or_drained, tell_setback,
    },
    panic_text,
};
use crate::{
    Connected, Failure, Moves, Response, Sink, SinkName, Standing, Taken, TargetCursor, Writer,
    status::{ErrorReport, Kind, Reporter, State},
};
use delivery::Delivery;
use feed::FeedError;
use sink_cursor::SinkCursor;
use tell::Teller;

pub use crate::sought::Sought;
pub use batcher::BatchLimits;
pub use cursor::{ExpectError, expect_targets};
pub(crate) use dead::DEAD_SUFFIX;
pub use dead::dead_stream;
pub use left::{Left, Unowned};
pub use letter::{ATTEMPTS, DEAD_LETTER_TYPE, OFFSET, REASON, SINK, STREAM};
pub use seek::{Repeats, Seek, SeekError, seek};
pub(super) use seeker::Asks;
pub use seeker::Seeker;

/// What a sink runs on.
#[derive(Clone, Debug)]
pub struct SinkContext {
    /// Its configured name.
    pub name: SinkName,
    /// Where it reads.
    pub log: LogHandle,
    /// The stream it is handed; open already.
    pub stream: StreamName,
    /// What of it.
    pub filter: Filter,
    /// Where it begins when it is new.
    pub from: Begin,
    /// How events are put together.
    pub limits: BatchLimits,
    /// Whether its target can be handed events again, when an operator moves it back.
    pub repeats: Repeats,
    /// See [`Standing::is_beside`].
    pub is_beside: bool,
}

/// Where a new sink begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// With everything that is stored.
    #[default]
    Earliest,
    /// With what is stored from now on.
    Latest,
    /// With the first record at this offset or behind it.
    Offset(Offset),
    /// With the first record that was stored at this time or later.
    Time(Timestamp),
}

/// How long a drain waits for the batch in flight.
const WRITE_DRAIN_MAX: Duration = Duration::from_millis(1500);

/// Why an attempt ended without failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Pluvio drains.
    Drained,
    /// The reader has closed its end.
    Ended,
    /// The target's cursor was left aside: it is told so when it is connected to anew.
    Anew,
}

/// Why an attempt ended.
#[derive(Debug, thiserror::Error)]
enum Setback<E: Failure> {
    #[error(transparent)]
    Sink(E),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("failed to read the sink's cursor")]
    Cursor(#[from] ReadError),
    #[error("no answer to a batch within {}s", 2 * STALLED_AFTER.as_secs())]
    Stalled,
    #[error("the sink reported an outcome for records outside its batch")]
    InvalidOutcome,
    #[error("the sink panicked: {0}")]
    Panicked(String),
}

impl<E: Failure> Failure for Setback<E> {
    fn response(&self) -> Response {
        match self {
            Self::Sink(error) => error.response(),
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Sink(error) => error.remedy(),
            Self::Panicked(_) | Self::InvalidOutcome | Self::Feed(FeedError::Gap(_)) => {
                Some("please report it with this message".to_owned())
            }
            Self::Feed(FeedError::Read(_)) | Self::Cursor(_) => Some(UNREADABLE_REMEDY.to_owned()),
            Self::Stalled => Some(STALLED_REMEDY.to_owned()),
        }
    }
}

/// What outlives an attempt.
struct Task<'a> {
    context: &'a SinkContext,
    teller: &'a Teller,
    /// Ends the attempt in good order: Pluvio drains, or an operator moves the sink.
    drain: CancellationToken,
    place: Option<SinkCursor>,
    /// Where the stream ended when nothing of this process was stored yet.
    end: Option<Offset>,
    /// As far as a target of this log can have come: where the stream ended when the first process started
    /// that did not hear it, or the end of what was handed over since.
    reach: Offset,
    /// A target's cursor that was left aside. It stays so until the target has another one: what is stored
    /// meanwhile makes it no truer.
    aside: Option<Offset>,
    /// The last record of a target, which was compared with this log's.
    compared: Option<Taken>,
    ledger: ledger::Ledger,
    brake: brake::Brake,
    /// When the attempt connected, and whether anything arrived since.
    connected_at: Option<Instant>,
    has_progressed: bool,
    /// The connection ended, and fewer events may be to blame than before.
    has_narrowed: bool,
}

pub(super) async fn run<S: Sink>(
    context: SinkContext,
    end: Option<Offset>,
    reporter: Reporter,
    make: impl FnMut() -> S,
    drain: CancellationToken,
    exits: watch::Sender<Exits>,
    asks: Asks,
) {
    let teller = Teller::new(&context, reporter, asks.stands());
    tokio::select! {
        stop = keep_up(&context, end, &teller, make, &drain, asks) => {
            if stop == Stop::Ended {
                let mut left = 0;
                exits.send_modify(|exits| {
                    (exits.open, exits.has_ended) = (exits.open.saturating_sub(1), true);
                    left = exits.open;
                });
                ended(&context, &teller, left);
            }
        }
        () = meter::run(&context, &teller) => {}
    }
    teller.reporter().state(State::Stopped);
}

async fn keep_up<S: Sink>(
    context: &SinkContext,
    end: Option<Offset>,
    teller: &Teller,
    mut make: impl FnMut() -> S,
    drain: &CancellationToken,
    mut asks: Asks,
) -> Stop {
    let (mut sink, mut backoff) = (make(), Backoff::default());
    let mut task = Task {
        context,
        teller,
        drain: drain.child_token(),
        place: None,
        end,
        reach: end.unwrap_or_default(),
        aside: None,
        compared: None,
        ledger: ledger::Ledger::default(),
        brake: brake::Brake::default(),
        connected_at: None,
        has_progressed: false,
        has_narrowed: false,
    };
    while !drain.is_cancelled() {
        teller.reporter().state(State::Connecting);
        (task.connected_at, task.has_progressed, task.has_narrowed) = (None, false, false);
        task.drain = drain.child_token();
        let ended = task.attempt_or_asked(&mut sink, &mut asks).await;
        if matches!(ended, Err(Setback::Panicked(_))) {
            sink = make();
        }
        if let Ok(Stop::Ended) = ended {
            return Stop::Ended;
        }
        if task.move_as_asked(&mut asks, drain).await {
            backoff.reset();
            continue;
        }
        let Err(setback) = ended else { continue };
        let has_held = task.connected_at.is_some_and(|at| at.elapsed() >= HELD_LONG);
        let has_worked = has_held || task.has_progressed;
        // Halving comes to an end by itself, so it need not become slower.
        if has_worked || task.has_narrowed {
            backoff.reset();
        }
        let wait = backoff.next(setback.response(), rand::random());
        let name = context.name.as_str();
        tell_setback(&setback, has_worked, Kind::Sink, teller.reporter(), name, wait);
        teller.failed();
        tokio::select! {
            () = drain.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
            () = asks.come() => {
                task.move_as_asked(&mut asks, drain).await;
                backoff.reset();
            }
        }
        teller.reporter().update(|status| {
            status.retry_at = None;
            status.reconnects += 1;
        });
    }
    Stop::Drained
}

/// Reports that the reader has closed its end; `left`: other sinks, which go on.
fn ended(context: &SinkContext, teller: &Teller, left: usize) {
    let sink = context.name.as_str();
    if left == 0 {
        info!(sink, "nobody reads any more");
        return;
    }
    let message = "nobody reads what this sink writes any more: it has ended";
    let remedy = "restart Pluvio with a reader, or remove the sink";
    warn!(sink, remedy, "{message}; what else is configured goes on");
    let error = ErrorReport::new(message, Some(remedy));
    teller.reporter().update(|status| status.error = Some(error));
}

fn panicked<E: Failure>(panic: &(dyn Any + Send)) -> Setback<E> {
    Setback::Panicked(panic_text(panic).to_owned())
}

impl Task<'_> {
    /// One connection's life, which an operator's request ends as a drain would.
    async fn attempt_or_asked<S: Sink>(
        &mut self,
        sink: &mut S,
        asks: &mut Asks,
    ) -> Result<Stop, Setback<S::Error>> {
        let drain = self.drain.clone();
        let attempt = AssertUnwindSafe(self.attempt(sink)).catch_unwind();
        tokio::pin!(attempt);
        let ended = tokio::select! {
            ended = &mut attempt => ended,
            () = asks.come() => {
                drain.cancel();
                attempt.await
            }
        };
        ended.unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    /// Moves the sink, if an operator asked for it; `true`: it was asked for.
    async fn move_as_asked(&mut self, asks: &mut Asks, drain: &CancellationToken) -> bool {
        let mut is_asked = false;
        while let Some(asked) = asks.take() {
            is_asked = true;
            let moved = match drain.is_cancelled() {
                true => Err(SeekError::Stopped),
                false => self.seek(asked.seek, asked.deadline).await,
            };
            // Whoever asked may have gone; the log and the status have it.
            let _nobody_waits = asked.answer.send(moved);
        }
        is_asked
    }

    async fn seek(&mut self, seek: Seek, deadline: Instant) -> Result<Sought, SeekError> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => SinkCursor::find(self.context, self.end).await?,
        };
        let mut settled = self.ledger.settled_from(place.next());
        settled.extend(place.take_settled().iter().cloned());
        let moved = match seek::plan(self.context, &place, &settled, seek).await {
            Ok(_) if Instant::now() >= deadline => Err(SeekError::TooLate),
            Ok(sought) => match place.seek(self.context, &sought, &settled).await {
                Ok(kept) => {
                    self.ledger.clear();
                    settled = kept;
                    Ok(sought)
                }
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        };
        self.ledger.recall(settled);
        if let Ok(sought) = &moved {
            self.brake.release();
            self.teller.sought(sought);
            self.teller.place(place.next());
        }
        self.place = Some(place);
        moved
    }

    /// One connection's life.
    async fn attempt<S: Sink>(&mut self, sink: &mut S) -> Result<Stop, Setback<S::Error>> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => SinkCursor::find(self.context, self.end).await?,
        };
        place.has_jumped();
        let settled = place.take_settled();
        if !settled.is_empty() {
            self.ledger.recall(settled);
        }
        if let Some(end) = self.end.take() {
            self.reach = place.expect_target(end);
        }
        place.put_if_due(self.context, &self.ledger).await;
        self.teller.place(place.next());
        self.teller.recalled(place.sought(), place.next());
        // Back before anything can fail or be dropped: what was acknowledged must not be forgotten.
        let place = self.place.insert(place);
        let SinkContext { name, stream, .. } = self.context;
        let standing = Standing {
            sink: name.clone(),
            stream: stream.clone(),
            log_id: place.log_id(),
            cursor: place.next(),
            end: self.reach.max(place.next()),
            moves: Moves { last: place.moves(), before: place.before() },
            is_beside: self.context.is_beside,
        };
        let connect = sink.connect(standing);
        let Some(connected) = connected_or_drained(connect, &self.drain).await else {
            return Ok(Stop::Drained);
        };
        let Connected { mut writer, cursor } = connected.map_err(Setback::Sink)?;
        self.connected_at = Some(Instant::now());
        let (cursor, older) =
            if cursor.is_some_and(|it| it.is_older) { (None, cursor) } else { (cursor, None) };
        if let Some(older) = older {
            self.stood_at(older).await?;
        }
        let parted = match cursor.and_then(|it| it.last) {
            Some(last) => self.parted_from(last).await?,
            None => None,
        };
        let ended = if let Some(from) = parted {
            self.go_on_from(from);
            Ok(Stop::Anew)
        } else if self.follow(cursor.map(|it| it.next)) {
            if let Some(place) = &mut self.place {
                // Before anything is handed over: from then on the target's cursor may be of that.
                if place.heard() {
                    place.put(self.context, &self.ledger).await;
                }
            }
            self.found(&writer.arrived());
            self.teller.reporter().state(State::Running);
            info!(sink = name.as_str(), "connected");
            let ended = AssertUnwindSafe(self.drive(&mut writer)).catch_unwind().await;
            ended.unwrap_or_else(|panic| Err(panicked(&*panic)))
        } else {
            Ok(Stop::Anew)
        };
        if let Some(place) = &mut self.place {
            place.put(self.context, &self.ledger).await;
        }
        let close = AssertUnwindSafe(writer.close()).catch_unwind();
        if timeout(CLOSE_MAX, close).await.is_err() {
            debug!(sink = name.as_str(), "closing took too long");
        }
        ended
    }

    /// Takes note of where the target says that the sink stood before a stretch that is handed over again, unless
    /// that is of another log. Durable before anything is handed over, for then the target's cursor is another.
    async fn stood_at(&mut self, cursor: TargetCursor) -> Result<(), ReadError> {
        let parted = match cursor.last {
            Some(last) => self.parted_from(last).await?,
            None => None,
        };
        if parted.is_some() || cursor.next > self.reach {
            return Ok(());
        }
        let (sink, next) = (self.context.name.as_str(), cursor.next);
        if let Some(place) = &mut self.place
            && place.stood_at(next)
        {
            info!(sink, %next, "the target had come further than the log knew: the sink goes on there behind what it repeats");
            place.put(self.context, &self.ledger).await;
            self.teller.recalled(place.sought(), place.next());
        }
        Ok(())
    }

    /// Where this log has other records than the target took, which took `last` at its end: it was set back by
    /// an older copy, and has grown since. `None`: it is the same, as far as the log can tell. What was recorded
    /// later than all that the target has is what it lacks.
    ///
    /// ```text
    ///  a machine ended, and the log lost its end        a copy was put back, and grew
    ///  ── older ──┤          ├── later ──▶              ── older ──┤── later ──┤          ├── later ──▶
    ///                  ▲ last                                                        ▲ last
    /// ```
    ///
    /// Offsets have holes, and a last record that lies in one proves nothing by itself. With `fsync = "os"` the log
    /// leaves one where a machine's end may have taken records that a target has. It is that one, or none that
    /// matters, where nothing before it was recorded later than the target's last: the target has all of that.
    async fn parted_from(&mut self, last: Taken) -> Result<Option<Offset>, ReadError> {
        let SinkContext { log, stream, .. } = self.context;
        let extent = log.extent(stream)?;
        // What this log has handed over itself is another record only after a repair. And a target that tells the
        // same record again was left aside for it already: once more would go on for ever.
        let is_ours = self.place.as_ref().is_some_and(|it| !it.is_new() && last.offset < it.next());
        if is_ours || self.compared.replace(last) == Some(last) {
            return Ok(None);
        }
        if last.offset < extent.start || last.offset >= extent.next {
            return Ok(None);
        }
        let limit = ReadLimit { records_max: 1, ..ReadLimit::default() };
        let chunk = match log.read(stream, last.offset, limit).await {
            Ok(chunk) => chunk,
            // What is damaged, or was deleted meanwhile, tells nothing.
            Err(_) => return Ok(None),
        };
        let is_the_same = |record: &StoredRecord| {
            record.offset == last.offset && record.recorded == last.recorded
        };
        let first = chunk.records().next();
        if first.is_some_and(is_the_same) {
            return Ok(None);
        }
        let later = last.recorded + SignedDuration::from_millis(1);
        let later = log.seek(stream, pluvio_log::Seek::Time(later)).await?;
        let is_in_hole = first.is_none_or(|record| record.offset > last.offset);
        Ok((!is_in_hole || later < last.offset).then_some(later))
    }

    /// Goes on here, whatever the target says: what it has is of the log before it was set back. Where the log
    /// remembers the sink, that counts, and what comes may come there again.
    fn go_on_from(&mut self, from: Offset) {
        let Some(place) = &mut self.place else { return };
        if place.is_new() {
            place.set(from);
        }
        let (sink, ours) = (self.context.name.as_str(), place.next());
        warn!(sink, %ours, "the target has other events than this log at the same offsets: the log was set back by an \
             older copy; the target's cursor is left aside");
        place.decide_here();
        self.reach = ours;
        self.teller.place(ours);
    }

    /// Goes to where the target says it stands, unless that lies behind everything that this log has ever
    /// handed over: then the place here counts, for ever. `false`: the target must be told so.
    fn follow(&mut self, cursor: Option<Offset>) -> bool {
        let (Some(cursor), Some(place)) = (cursor, &mut self.place) else { return true };
        let is_aside = self.aside == Some(cursor);
        if cursor > place.next() && (cursor > self.reach || is_aside) {
            let (sink, ours) = (self.context.name.as_str(), place.next());
            if !is_aside {
                warn!(sink, %cursor, %ours, "the target has more than this log: its cursor is of another one, or of this one before it was \
                     set back by an older copy; it is left aside, and what comes may come there again");
                place.decide_here();
            }
            self.aside = Some(cursor);
            self.teller.place(place.next());
            return is_aside;
        }
        self.aside = None;
        place.set(cursor);
        place.has_jumped();
        self.ledger.clear();
        self.teller.place(place.next());
        true
    }

    /// Takes in what has arrived of earlier writes, as connecting has shown.
    fn found(&mut self, arrived: &[Offset]) {
        let Some(place) = &mut self.place else { return };
        let (events, bytes) = self.ledger.found(place.next(), arrived);
        if events == 0 {
            return;
        }
        place.advance(self.ledger.front(place.next()));
        self.ledger.passed(place.next());
        self.brake.release();
        self.has_progressed = true;
        self.teller.arrived(events, bytes);
        self.teller.place(place.next());
    }

    /// Hands over batch after batch until something ends it.
    async fn drive<W: Writer>(&mut self, writer: &mut W) -> Result<Stop, Setback<W::Error>> {
        let (context, teller, drain) = (self.context, self.teller, &self.drain);
        let Some(place) = &mut self.place else { return Ok(Stop::Drained) };
        let SinkContext { name, log, stream, filter, limits, .. } = context;
        let origin = letter::Origin { sink: name, stream, log_id: place.log_id() };
        let feed_at = |place: &SinkCursor| {
            let (until, handed) = (place.until(), place.handed().clone());
            feed::Feed::new(log, origin, filter, *limits, place.next(), until, handed)
        };
        let mut feed = feed_at(place);
        loop {
            let next = feed.next(place.due(&self.ledger), &self.ledger);
            let Some(next) = drain.run_until_cancelled(next).await else {
                return Ok(Stop::Drained);
            };
            match next? {
                Some(batch) => {
                    self.reach = self.reach.max(batch.end);
                    let mut delivery = Delivery {
                        context,
                        teller,
                        drain,
                        origin,
                        place,
                        ledger: &mut self.ledger,
                        brake: &mut self.brake,
                        has_progressed: &mut self.has_progressed,
                        has_narrowed: &mut self.has_narrowed,
                    };
                    if let Some(stop) = delivery.deliver(writer, batch).await? {
                        return Ok(stop);
                    }
                }
                None => place.advance(feed.idle_at().unwrap_or(place.next())),
            }
            teller.filtered(std::mem::take(&mut feed.filtered));
            if place.has_jumped() {
                info!(sink = name.as_str(), to = %place.next(), "handed over again what was asked for");
                feed = feed_at(place);
            }
            teller.place(place.next());
            place.put_if_due(context, &self.ledger).await;
        }
    }
}
