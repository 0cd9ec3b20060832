//! What a source gave, on its way into the log: one pull is appended, in a task of its own, while the next is
//! encoded in another, and the one behind it is asked for.
//!
//! The order is the source's: a pull is appended only when the one before is durable, so that none is in the
//! log without those before it. An append is never dropped half-way; whoever reads positions waits for
//! [`Storing::all`] first, or the same events would be appended twice.
//!
//! An append that does not end, because the disk does not, is told in the status and the log, and waited for: what
//! was begun may still be written.
//!
//! It refuses to try again: what was not appended is told, what waited behind it is dropped, and the source
//! connects anew from what the log holds.

use jiff::{SignedDuration, Timestamp};
use metrics::gauge;
use pluvio_event::Event;
use pluvio_log::{Log as _, Position};
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use super::{attempt::STALLED_AFTER, source_context::SourceContext};
use crate::{
    IngestError, Pull,
    ingest::Ready,
    status::{ErrorReport, Reporter, State},
};

/// At most so many pulls are on their way into the log when a [`Connection`](crate::Connection) is asked for
/// the next: what they brought cannot be found in the log yet.
pub const PULLS_ON_THE_WAY: usize = 2;

/// An event that happened this close to now, by our clock, shows that the cloud's clock agrees with ours.
const AGREES: SignedDuration = SignedDuration::from_hours(1);

/// What helps when the log does not answer.
const HANGS_REMEDY: &str = "check the disk or the file system that holds `dir` of the section `log`: the system's \
                            log, and whether a file can be written there; capturing goes on when it answers";

/// Why a pull was not stored.
#[derive(Debug)]
pub(super) enum Unstored {
    Ingest(IngestError),
    Panicked(Box<dyn std::any::Any + Send>),
}

/// The pulls of one connection that are on their way.
#[derive(Debug)]
pub(super) struct Storing {
    context: SourceContext,
    reporter: Reporter,
    encoding: Option<JoinHandle<Result<Encoded, IngestError>>>,
    appending: Option<JoinHandle<Result<bool, IngestError>>>,
    /// When that was begun.
    since: Instant,
    /// It was told that the append does not end.
    hangs: bool,
    /// Whether events were stored.
    has_captured: bool,
}

/// A pull whose records are encoded, and what is told when they are stored.
#[derive(Debug)]
struct Encoded {
    ready: Option<Ready>,
    checkpoint: Option<Position>,
    told: Told,
}

#[derive(Debug)]
struct Told {
    count: u64,
    latest: Option<Timestamp>,
    position: Option<Position>,
    seen_up_to: Option<Timestamp>,
    flaw: Option<String>,
}

impl Storing {
    pub(super) fn new(context: &SourceContext, reporter: &Reporter) -> Self {
        let (context, reporter) = (context.clone(), reporter.clone());
        Self {
            context,
            reporter,
            encoding: None,
            appending: None,
            since: Instant::now(),
            hangs: false,
            has_captured: false,
        }
    }

    /// Whether events were stored.
    pub(super) fn has_captured(&self) -> bool {
        self.has_captured
    }

    /// Takes a pull. Call [`room`](Self::room) before.
    pub(super) fn begin(&mut self, pull: Pull) {
        let context = self.context.clone();
        self.encoding = Some(tokio::spawn(async move { encode(pull, &context) }));
    }

    /// Waits until another pull can be taken. **Cancel:** nothing is lost.
    pub(super) async fn room(&mut self) -> Result<(), Unstored> {
        while self.encoding.is_some() {
            self.step().await?;
        }
        Ok(())
    }

    /// Waits until everything is stored. **Cancel:** nothing is lost.
    pub(super) async fn all(&mut self) -> Result<(), Unstored> {
        while self.encoding.is_some() || self.appending.is_some() {
            self.step().await?;
        }
        Ok(())
    }

    /// Waits until the last append is over, and begins the next. A failure is told once, and drops what is
    /// behind it.
    async fn step(&mut self) -> Result<(), Unstored> {
        let stepped = self.try_step().await;
        if stepped.is_err() {
            (self.encoding, self.appending) = (None, None);
        }
        stepped
    }

    async fn try_step(&mut self) -> Result<(), Unstored> {
        if let Some(appended) = self.appended().await {
            self.appending = None;
            let appended = ended(appended)?;
            let Some(has_captured) = appended else {
                // Nobody knows whether it is there, so what is behind it must not be.
                self.encoding = None;
                return Ok(());
            };
            self.has_captured |= has_captured;
        }
        let Some(task) = &mut self.encoding else { return Ok(()) };
        let encoded = ended(task.await)?;
        self.encoding = None;
        if let Some(encoded) = encoded {
            let (context, reporter) = (self.context.clone(), self.reporter.clone());
            let append = async move { append(encoded, &context, &reporter).await };
            (self.appending, self.since) = (Some(tokio::spawn(append)), Instant::now());
        }
        Ok(())
    }

    /// Waits for the append, and tells if it takes longer than any should. **Cancel:** nothing is lost.
    /// `None`: there is none.
    async fn appended(&mut self) -> Option<Result<Result<bool, IngestError>, JoinError>> {
        let task = self.appending.as_mut()?;
        if !self.hangs {
            if let Ok(appended) = timeout_at(self.since + STALLED_AFTER, &mut *task).await {
                return Some(appended);
            }
            self.hangs = true;
            let source = self.context.ingest.source();
            let seconds = STALLED_AFTER.as_secs();
            let message =
                format!("the log has not taken events for {seconds}s: the disk does not answer");
            warn!(%source, "{message}; {HANGS_REMEDY}");
            self.reporter.update(|status| {
                status.state = State::Stalled;
                status.error = Some(ErrorReport::new(&message, Some(HANGS_REMEDY)));
            });
        }
        let appended = task.await;
        self.hangs = false;
        info!(source = %self.context.ingest.source(), "the log takes events again");
        self.reporter.state(State::Running);
        Some(appended)
    }
}

/// What a task came to; `None` where the runtime ended it.
fn ended<T>(ended: Result<Result<T, IngestError>, JoinError>) -> Result<Option<T>, Unstored> {
    match ended {
        Ok(Ok(value)) => Ok(Some(value)),
        Ok(Err(error)) => Err(Unstored::Ingest(error)),
        Err(error) if error.is_panic() => Err(Unstored::Panicked(error.into_panic())),
        Err(_) => Ok(None),
    }
}

fn encode(pull: Pull, context: &SourceContext) -> Result<Encoded, IngestError> {
    let Pull { records, checkpoint, seen_up_to, flaw } = pull;
    let latest = records.iter().rev().find_map(|record| record.event.time());
    let last = records.last().map(|record| record.position.clone());
    let told = Told {
        count: records.len() as u64,
        position: checkpoint.clone().or(last),
        latest,
        seen_up_to,
        flaw,
    };
    trace_events(context, records.iter().map(|record| &record.event));
    let ready = match records.is_empty() {
        true => None,
        false => Some(context.ingest.encode(records)?),
    };
    Ok(Encoded { ready, checkpoint, told })
}

/// Appends what was pulled and tells. Whether there were events.
async fn append(
    encoded: Encoded,
    context: &SourceContext,
    reporter: &Reporter,
) -> Result<bool, IngestError> {
    let Encoded { ready, checkpoint, told } = encoded;
    let Told { count, latest, position, seen_up_to, flaw } = told;
    if let Some(time) = latest.filter(|time| is_now(*time, Timestamp::now())) {
        context.log.heard(time);
    }
    if let Some(ready) = ready {
        context.ingest.append_encoded(ready).await?;
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
    Ok(count > 0)
}

/// Whether an event that happened at `time` by the cloud's clock says that it is `now`. Not every cloud
/// tells its time in other ways; older events say nothing, for they may be a backlog.
fn is_now(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time).abs() <= AGREES
}

fn trace_events<'a>(context: &SourceContext, events: impl Iterator<Item = &'a Event>) {
    if !tracing::enabled!(tracing::Level::TRACE) {
        return;
    }
    for event in events {
        tracing::trace!(source = %context.ingest.source(), id = event.id(), "captured");
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use pluvio_log::{LogHandle, Memory, MemoryConfig, SourceName, StreamName};
    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        Ingest,
        status::{Kind, StatusBoard},
    };

    #[tokio::test(start_paused = true)]
    async fn an_append_that_does_not_end_is_told_until_it_does() {
        let board = StatusBoard::default();
        let reporter = board.add("a", Kind::Source, "scripted");
        reporter.state(State::Running);
        let log = LogHandle::new(Memory::new(MemoryConfig::default()));
        let stream = StreamName::events();
        let Ok(name) = SourceName::new("a") else { unreachable!("it is a name") };
        let ingest = Ingest::new(log.clone(), stream.clone(), name, 1 << 20);
        let context = SourceContext { log, stream, ingest, running: Arc::default() };
        let mut storing = Storing::new(&context, &reporter);
        let (ends, end) = oneshot::channel();
        storing.appending = Some(tokio::spawn(async move { Ok(end.await.is_ok()) }));
        let told = || board.components().remove(0);
        let brief = |seconds| Duration::from_secs(seconds);
        // Whoever waits is asked for something else in between.
        for _ in 0..2 {
            assert!(tokio::time::timeout(brief(100), storing.room()).await.is_ok());
            assert!(tokio::time::timeout(brief(100), storing.all()).await.is_err());
        }
        assert_eq!(told().state, State::Stalled);
        let error = told().error.map(|error| error.message).unwrap_or_default();
        assert!(error.starts_with("the log has not taken events for 150s"), "{error}");
        assert!(ends.send(()).is_ok() && storing.all().await.is_ok());
        assert_eq!(told().state, State::Running);
        assert!(storing.has_captured());
    }

    #[test]
    fn only_an_event_of_the_last_hour_speaks_for_the_clock() {
        let now = Timestamp::UNIX_EPOCH;
        let ago = |hours| now.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
        assert!(is_now(now, now) && is_now(ago(1), now) && is_now(ago(-1), now));
        assert!(!is_now(ago(2), now) && !is_now(ago(-2), now));
    }
}
