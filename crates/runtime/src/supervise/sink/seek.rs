//! An operator moves a sink: what that means, how many events it concerns, and what it refuses.
//!
//! ```text
//!            to                until        back_to
//!   ─────────┼──── again ────────┼─────────────┼────────▶ stream
//!                                └── jumps to ─┘           `back_to`: where the sink stood
//! ```
//!
//! A move is planned without changing anything, which is all that `--dry-run` does, and is then put
//! into `__cursors` in one entry: where the sink goes on, and, with `until`, where it jumps to once
//! the stretch has been handed over again. So a crash at any instant leaves either the old place or
//! the new one, and the jump is not forgotten.
//!
//! **Moves are numbered.** A target that keeps a cursor itself keeps the number beside it. A cursor with
//! a lower number is older than the operator's word and does not count; but where a stretch is repeated and the
//! number is that of the place before it or a later one, it tells where the sink stood, which the log may not know
//! after a crash.
//!
//! It refuses offsets and times that the stream does not have, `until` where nothing would be handed over
//! again, and what the target does not allow ([`Repeats`]).

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use jiff::Timestamp;
use pluvio_log::{AppendError, Extent, Log as _, Offset, ReadError, ReadLimit, Seek as LogSeek};
use tokio::time::Instant;

use super::{Begin, SinkContext, cursor::Offsets, feed::passes, sink_cursor::SinkCursor};
use crate::{Chain, Delivered, sought::Sought};

/// Counting ends after so long: the sink may be waiting for it, and an operator is.
const COUNT_MAX: Duration = Duration::from_secs(3);

/// Where a sink is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seek {
    /// The place that it goes on from.
    pub to: Begin,
    /// Events from `to` up to this place, not including it, are handed over again; then the sink goes on
    /// where it stood. `None`: it goes on from `to`.
    pub until: Option<Begin>,
}

/// Whether a target can be handed events again. Without a say, it can.
#[derive(Clone, Default)]
pub struct Repeats(Option<Arc<Judge>>);

/// Given whether only a stretch is repeated (`until`): why not, and what helps.
type Judge = dyn Fn(bool) -> Option<String> + Send + Sync;

impl Repeats {
    /// `judge` is given whether only a stretch is handed over again (`until`), and says why that
    /// cannot be; `None`: it can.
    pub fn judged(judge: impl Fn(bool) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(judge)))
    }

    fn refusal(&self, has_until: bool) -> Option<String> {
        self.0.as_ref().and_then(|judge| judge(has_until))
    }
}

impl fmt::Debug for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Repeats").field(&self.0.is_some()).finish()
    }
}

/// Why a sink was not moved. Nothing has changed, unless it says that this is unknown.
#[derive(Debug, thiserror::Error)]
pub enum SeekError {
    /// The stream has no such offset.
    #[error(
        "offset {offset} is out of range: stream `{stream}` has offsets {start} to {next}, where \
         {next} is the end; `earliest` and `latest` are always valid"
    )]
    OutOfRange {
        /// The one asked for.
        offset: Offset,
        /// The stream.
        stream: String,
        /// Its first valid offset.
        start: Offset,
        /// The offset behind its last record.
        next: Offset,
    },
    /// Nothing was stored at or before that time.
    #[error(
        "{time} is out of range: the oldest event of stream `{stream}` was stored at {oldest} and has \
         offset {offset}; `earliest` begins with it"
    )]
    TooEarly {
        /// The one asked for.
        time: Timestamp,
        /// The stream.
        stream: String,
        /// When its first record was stored.
        oldest: Timestamp,
        /// The offset of that.
        offset: Offset,
    },
    /// The future has no events yet.
    #[error("{0} lies in the future; `latest` is the end of what is stored")]
    Future(Timestamp),
    /// There is nothing between the two.
    #[error("`--until` ({until}) must lie behind `--to` ({to})")]
    Empty {
        /// Where it would begin.
        to: Offset,
        /// Where it would end.
        until: Offset,
    },
    /// Nothing would be repeated.
    #[error(
        "`--until` needs a `--to` before the sink's place, which is {place}: {to} is not; leave out \
         `--until` to move the sink ahead"
    )]
    NothingAgain {
        /// Where it would begin.
        to: Offset,
        /// Where the sink stands.
        place: Offset,
    },
    /// The target does not allow it.
    #[error("{0}")]
    Refused(String),
    /// The log cannot be read.
    #[error("failed to read the log")]
    Read(#[from] ReadError),
    /// The new place could not be noted, so what was noted is unknown.
    #[error(
        "failed to note the sink's new place; where it stands is unknown until it is noted again"
    )]
    Put(#[from] AppendError),
    /// There is no such sink.
    #[error("no sink `{name}` is running; there are: {}", known.join(", "))]
    Unknown {
        /// The one asked for.
        name: String,
        /// Those that run.
        known: Vec<String>,
    },
    /// It ended, or Pluvio does.
    #[error("the sink was not moved: it has stopped, or Pluvio is stopping")]
    Stopped,
    /// Whoever asked has gone.
    #[error("the sink was not moved: its last write did not end in time")]
    TooLate,
}

/// Moves the sink of `context`, which does not run, or says what that would do. Durable on return.
pub async fn seek(
    context: &SinkContext,
    seek: Seek,
    is_dry_run: bool,
) -> Result<Sought, SeekError> {
    let mut place = SinkCursor::find(context, None).await?;
    let settled = place.take_settled();
    let sought = plan(context, &place, &settled, seek).await?;
    if !is_dry_run {
        place.seek(context, &sought, &settled).await?;
    }
    Ok(sought)
}

/// What a move would do; changes nothing. `settled`: what is settled behind the sink's cursor.
pub(super) async fn plan(
    context: &SinkContext,
    place: &SinkCursor,
    settled: &Offsets,
    seek: Seek,
) -> Result<Sought, SeekError> {
    let extent = context.log.extent(&context.stream)?;
    let (from, frontier) = (place.next(), place.frontier());
    let to = resolved(context, &extent, seek.to).await?;
    let until = match seek.until {
        None => None,
        Some(until) => Some(resolved(context, &extent, until).await?),
    };
    match until {
        Some(until) if until <= to => return Err(SeekError::Empty { to, until }),
        Some(_) if to >= frontier => {
            return Err(SeekError::NothingAgain { to, place: frontier });
        }
        _ => {}
    }
    // The target may have come further than the log knows, so an end behind the sink's place is one, too.
    if to < frontier
        && let Some(refusal) = context.repeats.refusal(until.is_some())
    {
        return Err(SeekError::Refused(refusal));
    }
    let again = until.unwrap_or(frontier).min(frontier);
    let mut moved_over = Offsets::new();
    let later = frontier.get()..i64::MAX;
    if to > frontier {
        moved_over.extend(settled.gaps(&(frontier.get()..to.get())));
    } else if to < frontier {
        moved_over.insert(to.get()..again.get());
        moved_over.extend(settled.overlapping(&later).filter(|_| until.is_none()).cloned());
    }
    let (mut events, mut is_exact) = (0, true);
    for range in moved_over {
        let [from, to] = [range.start, range.end].map(|it| Offset::new(it).unwrap_or_default());
        let (more, is_all) = count(context, from..to).await;
        (events, is_exact) = (events + more, is_exact && is_all);
    }
    let (repeated_events, skipped_events) = if to < frontier { (events, 0) } else { (0, events) };
    Ok(Sought {
        number: place.next_move(),
        at: Timestamp::now(),
        from: from.get(),
        to: to.get(),
        until: until.map(Offset::get),
        back_to: until.map(|until| until.max(frontier).get()),
        repeated_events,
        skipped_events,
        is_exact,
    })
}

async fn resolved(
    context: &SinkContext,
    extent: &Extent,
    place: Begin,
) -> Result<Offset, SeekError> {
    let (log, stream, start, next) = (&context.log, &context.stream, extent.start, extent.next);
    match place {
        Begin::Earliest => Ok(start),
        Begin::Latest => Ok(next),
        Begin::Offset(offset) if offset < start || offset > next => {
            Err(SeekError::OutOfRange { offset, stream: stream.to_string(), start, next })
        }
        Begin::Offset(offset) => Ok(offset),
        Begin::Time(time) if time > Timestamp::now() => Err(SeekError::Future(time)),
        Begin::Time(time) => {
            let limit = ReadLimit { records_max: 1, bytes_max: 1, wait: Duration::ZERO };
            let chunk = log.read(stream, start, limit).await?;
            match chunk.records().next() {
                Some(first) if time < first.recorded => Err(SeekError::TooEarly {
                    time,
                    stream: stream.to_string(),
                    oldest: first.recorded,
                    offset: first.offset,
                }),
                _ => Ok(log.seek(stream, LogSeek::Time(time)).await?),
            }
        }
    }
}

/// How many events of `range` the sink is handed; `false`: there are more.
async fn count(context: &SinkContext, range: Range<Offset>) -> (u64, bool) {
    let SinkContext { log, stream, filter, .. } = context;
    let (mut events, mut next, until) = (0, range.start, Instant::now() + COUNT_MAX);
    let limit = ReadLimit { wait: Duration::ZERO, ..ReadLimit::default() };
    while next < range.end {
        if Instant::now() >= until {
            return (events, false);
        }
        match log.read(stream, next, limit).await {
            Ok(chunk) if chunk.next == next => break,
            Ok(chunk) => {
                let records = chunk.records().take_while(|record| record.offset < range.end);
                let is_handed = |record: &&pluvio_log::StoredRecord| {
                    filter.passes_all() || passes(filter, &Delivered::new((*record).clone()))
                };
                events += records.filter(is_handed).count() as u64;
                next = chunk.next;
            }
            Err(ReadError::OutOfRange { extent, .. }) => next = extent.start,
            // The sink will meet it as well, and tell it; it is no reason not to move.
            Err(error) => {
                tracing::debug!(error = %Chain(&error), "failed to count the events of a move");
                return (events, false);
            }
        }
        tokio::task::yield_now().await;
    }
    (events, true)
}
