//! Drives one source: connect, pull, append, and again, until drained.
//!
//! While one pull is appended and another encoded ([`storing`](super::storing)), the next is already asked
//! for, so that the cloud's answer time, the processor's and the disk's sync time overlap. Positions are only
//! read again once the outcome of each append is known, or the same events would be appended twice.

use std::{any::Any, panic::AssertUnwindSafe};

use futures::FutureExt as _;
use metrics::counter;
use pluvio_log::{Log, ReadError};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Backoff,
    attempt::{
        CLOSE_MAX, FULL_PAUSE, HELD_LONG, STALLED_AFTER, STALLED_REMEDY, UNREADABLE_REMEDY,
        connected_or_drained, tell_setback,
    },
    panic_text,
    source_context::SourceContext,
    storing::{Storing, Unstored},
};
use crate::{
    Connection, Elsewhere, Failure, History, IngestError, Pull, Response, Resume, Source,
    status::{Kind, Reporter, State},
};

/// Why an attempt ended.
#[derive(Debug, thiserror::Error)]
enum Setback<E: Failure> {
    #[error(transparent)]
    Source(E),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error("failed to read the source's position")]
    Positions(#[from] ReadError),
    #[error("the source did not return from polling for new events within {}s", 2 * STALLED_AFTER.as_secs())]
    Stalled,
    #[error("the source panicked: {0}")]
    Panicked(String),
}

impl<E: Failure> From<Unstored> for Setback<E> {
    fn from(unstored: Unstored) -> Self {
        match unstored {
            Unstored::Ingest(error) => error.into(),
            Unstored::Panicked(panic) => panicked(&*panic),
        }
    }
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
    let mut storing = Storing::new(context, reporter);
    let drive = AssertUnwindSafe(drive(&mut connection, context, reporter, drain, &mut storing));
    let ended = drive.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
    // After a panic there may be something on its way.
    let stored = storing.all().await;
    life.has_captured = storing.has_captured();
    let ended = ended.and(stored.map_err(Setback::from));
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
    storing: &mut Storing,
) -> Result<(), Setback<C::Error>> {
    loop {
        if let Some(now) = connection.clock() {
            context.log.heard(now);
        }
        let pull = pull(connection, reporter, drain);
        tokio::pin!(pull);
        let next = tokio::select! {
            biased;
            stored = storing.all() => {
                stored?;
                pull.await
            }
            next = &mut pull => next,
        };
        let Ok(Some(next)) = next else {
            storing.all().await?;
            return next.map(drop);
        };
        storing.room().await?;
        storing.begin(next);
        // A worker keeps the task it spawned last for itself; give way so that it runs now.
        tokio::task::yield_now().await;
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
