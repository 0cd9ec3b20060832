//! Drives one source: connect, pull, append, and again, until drained.
//!
//! While one pull is being appended, in a task of its own, the next is already asked for, so that
//! the cloud's answer time and the disk's sync time overlap. An append is never dropped half-way:
//! positions are only read again once its outcome is known, or the same events would be appended
//! twice.

use std::{any::Any, collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge};
use pluvio_event::Event;
use pluvio_log::{Log, LogHandle, ReadError, SourceName, StreamName};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Backoff,
    attempt::{
        CLOSE_MAX, FULL_PAUSE, HELD_LONG, STALLED_AFTER, STALLED_REMEDY, UNREADABLE_REMEDY,
        connected_or_drained, tell_setback,
    },
    panic_text,
};
use crate::{
    Connection, Elsewhere, Failure, History, Ingest, IngestError, Pull, Response, Resume, Source,
    status::{ErrorReport, Kind, Reporter, State},
};

/// What a source runs on.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// Where it reads its own past.
    pub log: LogHandle,
    /// The stream it writes to.
    pub stream: StreamName,
    /// Its way in.
    pub ingest: Ingest,
    /// All sources that run on the log, each by its stream and its name: where they stand is theirs.
    pub running: Arc<BTreeSet<(StreamName, SourceName)>>,
}

/// Why an attempt ended.
#[derive(Debug, thiserror::Error)]
enum Setback<E: Failure> {
    #[error(transparent)]
    Source(E),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error("failed to read the source's position")]
    Positions(#[from] ReadError),
    #[error("no answer to a look for new events within {}s", 2 * STALLED_AFTER.as_secs())]
    Stalled,
    #[error("the source panicked: {0}")]
    Panicked(String),
}

impl<E: Failure> Failure for Setback<E> {
    fn response(&self) -> Response {
        match self {
            Self::Source(error) => error.response(),
            // The cloud keeps its history; as soon as there is room it goes on.
            Self::Ingest(error) if error.is_full() => Response::Wait(FULL_PAUSE),
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.remedy(),
            Self::Ingest(error) => error.remedy().map(ToOwned::to_owned),
            Self::Panicked(_) => Some("please report it with this message".to_owned()),
            Self::Positions(_) => Some(UNREADABLE_REMEDY.to_owned()),
            Self::Stalled => Some(STALLED_REMEDY.to_owned()),
        }
    }
}

pub(super) async fn run<S: Source>(
    context: SourceContext,
    reporter: Reporter,
    mut make: impl FnMut() -> S,
    drain: CancellationToken,
) {
    let name = context.ingest.source().clone();
    let mut source = make();
    let mut backoff = Backoff::default();
    while !drain.is_cancelled() {
        reporter.state(State::Connecting);
        let mut life = Life::default();
        let attempt = attempt(&mut source, &context, &reporter, &drain, &mut life);
        let attempt = AssertUnwindSafe(attempt);
        let ended = attempt.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
        let Err(setback) = ended else { break };
        if matches!(setback, Setback::Panicked(_)) {
            source = make();
        }
        // Errors now and then are no reason for longer pauses while events come.
        if life.has_captured || life.connected_at.is_some_and(|at| at.elapsed() >= HELD_LONG) {
            backoff.reset();
        }
        let wait = backoff.next(setback.response(), rand::random());
        let has_worked = life.connected_at.is_some();
        tell_setback(&setback, has_worked, Kind::Source, &reporter, name.as_str(), wait);
        counter!("pluvio_source_failures_total", "source" => name.to_string()).increment(1);
        let _drained = drain.run_until_cancelled(tokio::time::sleep(wait)).await;
        reporter.update(|status| {
            status.retry_at = None;
            status.reconnects += 1;
        });
    }
    reporter.state(State::Stopped);
}

/// What a connection came to.
#[derive(Debug, Default)]
struct Life {
    connected_at: Option<Instant>,
    /// Whether events were stored.
    has_captured: bool,
}

fn panicked<E: Failure>(panic: &(dyn Any + Send)) -> Setback<E> {
    Setback::Panicked(panic_text(panic).to_owned())
}

/// One connection's life. `Ok` means drained.
async fn attempt<S: Source>(
    source: &mut S,
    context: &SourceContext,
    reporter: &Reporter,
    drain: &CancellationToken,
    life: &mut Life,
) -> Result<(), Setback<S::Error>> {
    let name = context.ingest.source();
    let connect = source.connect(resume(context).await?);
    let Some(connected) = connected_or_drained(connect, drain).await else { return Ok(()) };
    let mut connection = connected.map_err(Setback::Source)?;
    life.connected_at = Some(Instant::now());
    reporter.state(State::Running);
    info!(source = %name, "connected");
    let drive = AssertUnwindSafe(drive(&mut connection, context, reporter, drain, life));
    let ended = drive.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
    let close = AssertUnwindSafe(connection.close()).catch_unwind();
    if timeout(CLOSE_MAX, close).await.is_err() {
        debug!(source = %name, "closing took too long");
    }
    ended
}

/// All that the log knows of where the source may stand.
async fn resume(context: &SourceContext) -> Result<Resume, ReadError> {
    let SourceContext { log, stream, ingest, running } = context;
    let mut positions = log.positions(stream).await?;
    let position = positions.remove(ingest.source());
    let others = positions.into_iter().collect();
    let mut elsewhere = Vec::new();
    for stream in log.streams().into_iter().filter(|other| other != stream) {
        let positions = match log.positions(&stream).await {
            Err(ReadError::UnknownStream(_)) => continue,
            positions => positions?,
        };
        for (name, position) in positions {
            if !running.contains(&(stream.clone(), name.clone())) {
                elsewhere.push(Elsewhere { stream: stream.clone(), name, position });
            }
        }
    }
    let history = History::new(log.clone(), stream.clone(), ingest.source().clone());
    Ok(Resume { position, others, elsewhere, history })
}

/// Pulls and appends until drained (`Ok`) or until something fails.
async fn drive<C: Connection>(
    connection: &mut C,
    context: &SourceContext,
    reporter: &Reporter,
    drain: &CancellationToken,
    life: &mut Life,
) -> Result<(), Setback<C::Error>> {
    let (mut storing, mut has_records) = (Storing::none(), false);
    loop {
        if let Some(now) = connection.clock() {
            context.log.heard(now);
        }
        let pull = pull(connection, reporter, drain);
        tokio::pin!(pull);
        let next = tokio::select! {
            biased;
            stored = storing.done() => {
                stored?;
                pull.await
            }
            next = &mut pull => {
                storing.done().await?;
                next
            }
        };
        life.has_captured |= has_records;
        match next? {
            Some(pull) => {
                has_records = !pull.records.is_empty();
                storing = Storing::begin(pull, context, reporter);
                // A worker keeps the task it spawned last for itself; give way so that it runs now.
                tokio::task::yield_now().await;
            }
            None => return Ok(()),
        }
    }
}

/// The append of one pull, in a task of its own: on another core than the next pull, and never
/// dropped half-way.
struct Storing(Option<JoinHandle<Result<(), IngestError>>>);

impl Storing {
    fn none() -> Self {
        Self(None)
    }

    fn begin(pull: Pull, context: &SourceContext, reporter: &Reporter) -> Self {
        let (context, reporter) = (context.clone(), reporter.clone());
        Self(Some(tokio::spawn(async move { store(pull, &context, &reporter).await })))
    }

    /// Its outcome, told once; afterwards, and where there is none, `Ok` at once.
    async fn done<E: Failure>(&mut self) -> Result<(), Setback<E>> {
        let Some(task) = &mut self.0 else { return Ok(()) };
        let ended = task.await;
        self.0 = None;
        match ended {
            Ok(stored) => Ok(stored?),
            Err(error) if error.is_panic() => Err(panicked(&*error.into_panic())),
            Err(_) => Ok(()),
        }
    }
}

/// Asks for more; `None` when drained.
async fn pull<C: Connection>(
    connection: &mut C,
    reporter: &Reporter,
    drain: &CancellationToken,
) -> Result<Option<Pull>, Setback<C::Error>> {
    let next = connection.next();
    tokio::pin!(next);
    let mut stalled = false;
    loop {
        let waited = drain.run_until_cancelled(timeout(STALLED_AFTER, &mut next)).await;
        match waited {
            None => return Ok(None),
            Some(Ok(pull)) => {
                if stalled {
                    reporter.state(State::Running);
                }
                return pull.map(Some).map_err(Setback::Source);
            }
            Some(Err(_)) if stalled => return Err(Setback::Stalled),
            Some(Err(_)) => {
                stalled = true;
                reporter.state(State::Stalled);
            }
        }
    }
}

/// An event that happened this close to now, by our clock, shows that the cloud's clock agrees with ours.
const AGREES: SignedDuration = SignedDuration::from_hours(1);

/// Whether an event that happened at `time` by the cloud's clock says that it is `now`. Not every cloud
/// tells its time in other ways; older events say nothing, for they may be a backlog.
fn is_now(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time).abs() <= AGREES
}

/// Appends what was pulled and tells.
async fn store(
    pull: Pull,
    context: &SourceContext,
    reporter: &Reporter,
) -> Result<(), IngestError> {
    let Pull { records, checkpoint, seen_up_to, flaw } = pull;
    let count = records.len() as u64;
    let latest = records.iter().rev().find_map(|record| record.event.time());
    let position = records.last().map(|record| record.position.clone());
    let position = checkpoint.clone().or(position);
    if let Some(time) = latest.filter(|time| is_now(*time, Timestamp::now())) {
        context.log.heard(time);
    }
    if count > 0 {
        trace_records(context, records.iter().map(|record| &record.event));
        context.ingest.append(records).await?;
    }
    if let Some(checkpoint) = checkpoint {
        context.ingest.checkpoint(checkpoint).await?;
    }
    if let Some(time) = seen_up_to.or(latest) {
        let lag = Timestamp::now().duration_since(time).as_secs_f64().max(0.0);
        gauge!("pluvio_source_lag_seconds", "source" => context.ingest.source().to_string())
            .set(lag);
    }
    reporter.update(|status| {
        status.events += count;
        status.latest_event = latest.or(status.latest_event);
        if let Some(position) = position {
            status.position = Some(position.as_str().to_owned());
        }
        if let Some(message) = flaw {
            status.error = Some(ErrorReport::new(&message, None));
        }
    });
    Ok(())
}

fn trace_records<'a>(context: &SourceContext, events: impl Iterator<Item = &'a Event>) {
    if !tracing::enabled!(tracing::Level::TRACE) {
        return;
    }
    for event in events {
        tracing::trace!(source = %context.ingest.source(), id = event.id(), "captured");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_event_of_the_last_hour_speaks_for_the_clock() {
        let now = Timestamp::UNIX_EPOCH;
        let ago = |hours| now.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
        assert!(is_now(now, now) && is_now(ago(1), now) && is_now(ago(-1), now));
        assert!(!is_now(ago(2), now) && !is_now(ago(-2), now));
    }
}
