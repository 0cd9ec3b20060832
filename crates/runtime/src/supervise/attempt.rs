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
/// How long somebody waits for room on the disk before it is tried again.
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
        let at = Timestamp::now();
        status.error = Some(ErrorReport { at, message: message.clone(), remedy: remedy.clone() });
    });
    // Nothing is better than an empty remedy.
    let remedy = remedy.as_deref();
    if is_news {
        warn!(component = name, error = message, remedy, retry_in, "{kind} failed");
    } else {
        debug!(component = name, error = message, remedy, retry_in, "{kind} failed again");
    }
}
