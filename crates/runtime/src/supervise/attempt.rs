//! What one attempt of a source and one of a sink have in common: how long things may take, and how a
//! failure is told.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    Chain, Failure,
    status::{ErrorReport, Kind, Reporter, State},
};

/// A pull returns at least each minute, and a write should; after this long it has stalled, and after
/// twice as long it is given up.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(150);
/// A connection that held this long was a good one: the next failure is a new story.
pub(super) const HELD_LONG: Duration = Duration::from_secs(30);
/// Delay before an append that failed because the disk was full is tried again.
pub(super) const FULL_PAUSE: Duration = Duration::from_secs(2);
/// What helps when the log cannot be read.
pub(super) const UNREADABLE_REMEDY: &str =
    "check the disk, and `pluvio log verify`, which names what is damaged";
/// What helps when the other side is silent.
pub(super) const STALLED_REMEDY: &str =
    "check that the server answers others, and what lies between; the connection is made anew";
/// How long `close` may take.
pub(super) const CLOSE_MAX: Duration = Duration::from_secs(1);
/// How long a drain waits for a connection that is being opened.
const CONNECT_DRAIN_MAX: Duration = Duration::from_millis(500);

/// Lets an attempt that is under way finish for a moment when drained, so that a session that was
/// just opened is known and can be closed.
pub(super) async fn connected_or_drained<T>(
    connect: impl Future<Output = T>,
    drain: &CancellationToken,
) -> Option<T> {
    tokio::pin!(connect);
    match drain.run_until_cancelled(&mut connect).await {
        Some(connected) => Some(connected),
        None => timeout(CONNECT_DRAIN_MAX, connect).await.ok(),
    }
}

/// One line for each new trouble; the same trouble again goes to `debug`, the status tells it. After
/// something `has_worked` it is new.
pub(super) fn tell_setback(
    setback: &impl Failure,
    has_worked: bool,
    kind: Kind,
    reporter: &Reporter,
    name: &str,
    wait: Duration,
) {
    let message = Chain(setback).to_string();
    let remedy = setback.remedy();
    let retry_in = format!("{wait:.0?}");
    let mut is_news = true;
    reporter.update(|status| {
        let is_same = status.error.as_ref().is_some_and(|last| last.message == message);
        is_news = has_worked || !is_same;
        status.state = State::Connecting;
        status.retry_at = Timestamp::now().checked_add(wait).ok();
        status.error = Some(ErrorReport::new(&message, remedy.as_deref()));
    });
    // Nothing is better than an empty remedy.
    let remedy = remedy.as_deref();
    if is_news {
        warn!(component = name, error = message, remedy, retry_in, "{kind} failed");
    } else {
        debug!(component = name, error = message, remedy, retry_in, "{kind} failed again");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
    };

    use super::*;
    use crate::{Response, status::StatusBoard};

    #[derive(Debug, thiserror::Error)]
    #[error("failed")]
    struct Failed(Option<&'static str>);

    impl Failure for Failed {
        fn response(&self) -> Response {
            Response::Retry
        }

        fn remedy(&self) -> Option<String> {
            self.0.map(str::to_owned)
        }
    }

    /// The fields of log lines with their values.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<(&'static str, String)>>>);

    impl Visit for Lines {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            fields.push((field.name(), format!("{value:?}")));
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_failure_that_quotes_a_secret_is_shown_without_it() {
        pluvio_secret::note("Status/Token-2026");
        let board = StatusBoard::default();
        let reporter = board.add("x", Kind::Sink, "scripted");
        let failed = Failed(Some("ask for Status/Token-2026"));
        tell_setback(&failed, false, Kind::Sink, &reporter, "x", Duration::from_millis(635));
        let told = board.components().remove(0).error.and_then(|error| error.remedy);
        assert_eq!(told.as_deref(), Some("ask for ***"));
        let error = std::io::Error::other("got status%2ftoken-2026");
        assert_eq!(Chain(&error).to_string(), "got ***");
    }

    #[test]
    fn a_failure_without_a_remedy_shows_none_instead_of_an_empty_one() {
        for (remedy, shown) in [(None, None), (Some("try"), Some("\"try\""))] {
            let (lines, board) = (Lines::default(), StatusBoard::default());
            let reporter = board.add("x", Kind::Sink, "scripted");
            tracing::subscriber::with_default(lines.clone(), || {
                let wait = Duration::from_millis(635);
                tell_setback(&Failed(remedy), false, Kind::Sink, &reporter, "x", wait);
            });
            let fields = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let value = |name| fields.iter().find(|(it, _)| *it == name).map(|(_, v)| v.as_str());
            assert_eq!((value("remedy"), value("retry_in")), (shown, Some("\"635ms\"")));
            let told = board.components().remove(0).error.and_then(|error| error.remedy);
            assert_eq!(told.as_deref(), remedy);
        }
    }
}
