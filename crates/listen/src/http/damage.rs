//! Where the log cannot be read, as a client is told: which offsets are concerned, and where it can go on.
//!
//! A client that meets damage decides itself whether it goes on without what is lost there, so nothing is
//! skipped for it in silence. What is wrong with which file is the operator's affair, and in the log lines.

use pluvio_log::{Log, LogHandle, Offset, ReadError, ReadLimit, StreamName};
use tokio::sync::Semaphore;

use super::problem::{Damaged, Kind, Problem};

/// Whether the disk or what lies on it is at fault, and not the offset.
pub(super) fn is_damage(error: &ReadError) -> bool {
    matches!(error, ReadError::Damaged { .. } | ReadError::Disk { .. })
}

/// What is answered to a client that wanted to read at `at` and met `error` there. `reads`: the places of those
/// that read the log at a time.
pub(super) async fn problem(
    log: &LogHandle,
    reads: &Semaphore,
    stream: &StreamName,
    at: Offset,
    error: ReadError,
) -> Problem {
    let first = match &error {
        ReadError::Damaged { offset, .. } => at.min(*offset),
        ReadError::Disk { .. } => at,
        _ => return error.into(),
    };
    // Tells it in the log line, too.
    let told = Problem::from(error);
    match next_readable(log, reads, stream, at).await {
        Ok(next) => {
            let last = Offset::new(next.get() - 1).unwrap_or(first).max(first);
            let detail = format!(
                "the log cannot be read from offset {first} to {last}; it can be read on with \
                 `offset={next}` and backwards with `before={first}`; the server's log says why"
            );
            Problem::new(Kind::Damaged, detail).damaged(Damaged { first, last, next })
        }
        Err(_) => told,
    }
}

/// The first offset behind `at` from which can be read, found by steps that double, then by halving: the
/// nearest one, unless whole and damaged places take turns. At the latest the end of the stream.
async fn next_readable(
    log: &LogHandle,
    reads: &Semaphore,
    stream: &StreamName,
    at: Offset,
) -> Result<Offset, ReadError> {
    let end = log.extent(stream)?.next;
    let (mut unreadable, mut step) = (at, 1_i64);
    let mut readable = loop {
        let ahead = Offset::new(unreadable.get().saturating_add(step)).unwrap_or(end);
        if ahead >= end {
            break end;
        }
        if can_read(log, reads, stream, ahead).await? {
            break ahead;
        }
        (unreadable, step) = (ahead, step.saturating_mul(2));
    };
    while unreadable.following() < readable {
        let middle = unreadable.get() + (readable.get() - unreadable.get()) / 2;
        let middle = Offset::new(middle).unwrap_or(unreadable).max(unreadable.following());
        if can_read(log, reads, stream, middle).await? {
            readable = middle;
        } else {
            unreadable = middle;
        }
    }
    Ok(readable)
}

async fn can_read(
    log: &LogHandle,
    reads: &Semaphore,
    stream: &StreamName,
    at: Offset,
) -> Result<bool, ReadError> {
    let one = ReadLimit { records_max: 1, bytes_max: 1, ..ReadLimit::default() };
    let _turn = reads.acquire().await.ok();
    match log.read(stream, at, one).await {
        Ok(_) => Ok(true),
        Err(error) if is_damage(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
