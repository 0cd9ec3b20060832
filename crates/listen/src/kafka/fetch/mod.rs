//! Fetch: whole batches as they are stored, and a wait at the tail that costs nothing.
//!
//! ```text
//!            ┌──────────── collect: what is there, within the limits ◀────────┐
//!  request ─▶┤                                                                │ a record came
//!            └─ enough? an error? ── no ─▶ wait: all partitions at once ──────┘
//!                       │ yes, or time is up, or the listener drains
//!                       ▼
//!                     again, if it waited with something in hand: of that only the size was kept
//!                       ▼
//!                     encode: heads by hand, batches spliced in, not copied
//! ```
//!
//! The answer is written by hand and not by the codec, because the codec copies: here the bytes of a
//! batch go from the log to the socket without being touched. Plain TCP then costs what the kernel
//! takes.
//!
//! Fetch sessions are declined, as the protocol allows: every request says all that it wants.
//!
//! It refuses to look into a batch. The first one may begin before the offset asked for; clients
//! skip what they did not ask for.

mod encode;
mod wanted;

use std::{cmp::Ordering, collections::HashSet, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use kafka_protocol::ResponseError;
use metrics::counter;
use pluvio_log::{Log as _, Offset, ReadLimit, StreamName};
use tokio::time::{Instant, timeout_at};

use super::{
    caller::Caller,
    error,
    limits::{FETCH_BYTES_MAX, FETCH_BYTES_SINGLE, FETCH_ROOM_WAIT, FETCH_WAIT_MAX},
    meter,
    server::Server,
    topics::{PARTITION, check_epoch},
    turn::{Pace, Turn},
};
use crate::{holder::Holder, room::Held};
pub(super) use wanted::Wanted;
use wanted::{Partition, Topic};

/// An answer's pieces, and what holds their place in the memory that all answers share.
pub(super) struct Sending {
    pub(super) pieces: Vec<Bytes>,
    pub(super) held: Option<Held>,
}

/// Where one partition of a request stands.
struct Part {
    stream: StreamName,
    /// Where it was asked from.
    from: Offset,
    /// Where to go on reading.
    next: Offset,
    bytes_max: usize,
    bytes: usize,
    pieces: Vec<Bytes>,
}

type Outcome = Result<Part, ResponseError>;

/// Answers `Fetch`. Its turn ends before it reads.
pub(super) async fn answer(caller: &Caller<'_>, request: Wanted, turn: Turn) -> Sending {
    if let Err(error) = check_session(&request) {
        return Sending { pieces: encode::refused(error, caller.version), held: None };
    }
    let outcomes = parts(caller, &request).await;
    drop(turn);
    let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0).min(FETCH_BYTES_MAX);
    let (server, holder) = (caller.server, caller.holder);
    let mut fetch =
        Fetch { server, holder, outcomes, bytes_max, bytes: 0, is_full: false, held: None };
    let bytes_min = usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let wait = wait.min(FETCH_WAIT_MAX);
    fetch.run(bytes_min, wait).await;
    let extents = |stream: &StreamName| caller.server.context.log.extent(stream).ok();
    let pieces = encode::answer(&request, fetch.outcomes, extents, caller.version);
    Sending { pieces, held: fetch.held }
}

/// What is asked for, partition for partition. One that is asked for twice is refused the second
/// time: it would be read again.
async fn parts(caller: &Caller<'_>, request: &Wanted) -> Vec<Outcome> {
    let mut asked = HashSet::new();
    let mut part = |topic: &Topic, wanted: &Partition| {
        let found = match caller.version {
            13.. => caller.topic_of(topic.id),
            _ => caller.topic(&topic.name),
        }?;
        if wanted.index != PARTITION {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        check_epoch(wanted.epoch)?;
        let next = Offset::new(wanted.offset).ok_or(ResponseError::OffsetOutOfRange)?;
        if !asked.insert(found.stream.clone()) {
            return Err(ResponseError::InvalidRequest);
        }
        let bytes_max = usize::try_from(wanted.bytes_max).unwrap_or(0);
        let stream = found.stream;
        Ok(Part { stream, from: next, next, bytes_max, bytes: 0, pieces: Vec::new() })
    };
    let (mut parts, mut pace) = (Vec::new(), Pace::default());
    for topic in &request.topics {
        for wanted in &topic.partitions {
            pace.step().await;
            parts.push(part(topic, wanted));
        }
    }
    parts
}

/// Sessions are never opened, so that nobody can be in the middle of one.
fn check_session(request: &Wanted) -> Result<(), ResponseError> {
    match (request.session_id, request.session_epoch.cmp(&0)) {
        (_, Ordering::Less | Ordering::Equal) => Ok(()),
        (0, Ordering::Greater) => Err(ResponseError::InvalidFetchSessionEpoch),
        (_, Ordering::Greater) => Err(ResponseError::FetchSessionIdNotFound),
    }
}

struct Fetch<'a> {
    server: &'a Server,
    /// Who asks.
    holder: &'a Holder,
    outcomes: Vec<Outcome>,
    bytes_max: usize,
    bytes: usize,
    /// A batch did not fit any more: reading further ones would be for nothing.
    is_full: bool,
    held: Option<Held>,
}

impl Fetch<'_> {
    /// Collects until there is enough, something is wrong, or waiting is over.
    ///
    /// While it waits, it keeps of what it found how much that is, and no more: others need the room. What there
    /// is in the end is read once more.
    async fn run(&mut self, bytes_min: usize, wait: Duration) {
        let deadline = Instant::now() + wait;
        self.collect().await;
        let (mut has_waited, mut has_let_go) = (false, false);
        while self.bytes < bytes_min && !self.is_full && self.outcomes.iter().all(Result::is_ok) {
            if !has_waited {
                counter!(meter::FETCH_WAITS).increment(1);
                has_waited = true;
            }
            has_let_go |= self.let_go();
            if !self.wait(deadline).await {
                break;
            }
            self.collect().await;
        }
        if has_let_go {
            self.begin_again();
            self.collect().await;
        }
    }

    /// Keeps nothing of what was found but its size; whether there was something.
    fn let_go(&mut self) -> bool {
        for part in self.outcomes.iter_mut().flatten() {
            part.pieces = Vec::new();
        }
        self.held.take().is_some()
    }

    /// As if nothing had been read yet.
    fn begin_again(&mut self) {
        self.let_go();
        (self.bytes, self.is_full) = (0, false);
        for part in self.outcomes.iter_mut().flatten() {
            (part.next, part.bytes) = (part.from, 0);
        }
    }

    /// Reads what is there, in the order asked for, without waiting.
    async fn collect(&mut self) {
        for index in 0..self.outcomes.len() {
            let Some(Ok(part)) = self.outcomes.get(index) else { continue };
            let (stream, from, wish) = (part.stream.clone(), part.next, part.room());
            let log = &self.server.context.log;
            let extent = match log.extent(&stream) {
                Ok(extent) => extent,
                Err(failed) => {
                    self.fail(index, error::of_read(&stream, &failed));
                    continue;
                }
            };
            match from.cmp(&extent.next) {
                Ordering::Greater => self.fail(index, ResponseError::OffsetOutOfRange),
                // Nothing there, but below `start` that is for the log to say.
                Ordering::Equal if from >= extent.start => {}
                _ if self.is_full || (self.bytes > 0 && (self.room() == 0 || wish == 0)) => {}
                _ => self.read(index, &stream, from, wish).await,
            }
        }
    }

    async fn read(&mut self, index: usize, stream: &StreamName, from: Offset, wish: usize) {
        let (room, part) = (&self.server.room, self.server.parts.of(self.holder));
        // However little is asked for, a batch is whole.
        let wanted = wish.min(self.room()).max(FETCH_BYTES_SINGLE);
        let held = match room.try_take_some_of(&part, wanted, FETCH_BYTES_SINGLE) {
            None if self.bytes == 0 => {
                room.take_of(&part, FETCH_BYTES_SINGLE, FETCH_ROOM_WAIT).await
            }
            held => held,
        };
        let Some(held) = held else {
            self.is_full = true;
            return;
        };
        let bytes_max = held.bytes();
        let limit = ReadLimit {
            records_max: usize::MAX,
            bytes_max: bytes_max.min(wish).min(self.room()).max(1),
            wait: Duration::ZERO,
        };
        match self.server.context.log.fetch(stream, from, limit).await {
            Ok(fetched) => {
                let bytes = fetched.pieces.iter().map(Bytes::len).sum();
                // The log gives a first batch of any size; an answer takes one such only.
                if bytes <= self.room() || self.bytes == 0 {
                    self.keep(held, bytes);
                    self.take(index, fetched.pieces, bytes, fetched.next);
                } else {
                    self.is_full = true;
                }
            }
            Err(failed) => self.fail(index, error::of_read(stream, &failed)),
        }
    }

    /// Waits for the first record behind any partition; whether one came before the deadline. It is read again
    /// when it has a place: others may have all the room by then.
    async fn wait(&mut self, deadline: Instant) -> bool {
        let log = &self.server.context.log;
        let wait = deadline.saturating_duration_since(Instant::now());
        let limit = ReadLimit { records_max: 1, bytes_max: 1, wait };
        let waits: FuturesUnordered<_> = self
            .outcomes
            .iter()
            .enumerate()
            .filter_map(|(index, outcome)| outcome.as_ref().ok().map(|part| (index, part)))
            .filter(|(_, part)| part.room() > 0 || self.bytes == 0)
            .map(|(index, part)| {
                let (stream, from) = (part.stream.clone(), part.next);
                async move {
                    let fetched = log.fetch(&stream, from, limit).await;
                    (index, stream, fetched)
                }
            })
            .collect();
        let came = |(_, _, fetched): &(_, _, Result<pluvio_log::Fetched, _>)| {
            std::future::ready(fetched.as_ref().map_or(true, |fetched| !fetched.is_empty()))
        };
        let mut waits = waits.filter(came);
        let first = self.server.drain.run_until_cancelled(timeout_at(deadline, waits.next()));
        let first = first.await;
        drop(waits);
        match first {
            Some(Ok(Some((_, _, Ok(_))))) => true,
            Some(Ok(Some((index, stream, Err(failed))))) => {
                self.fail(index, error::of_read(&stream, &failed));
                true
            }
            Some(Ok(None) | Err(_)) | None => false,
        }
    }

    fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes)
    }

    fn take(&mut self, index: usize, pieces: Vec<Bytes>, bytes: usize, next: Offset) {
        if let Some(Ok(part)) = self.outcomes.get_mut(index) {
            self.bytes += bytes;
            part.bytes += bytes;
            part.next = next;
            part.pieces.extend(pieces);
        }
    }

    fn fail(&mut self, index: usize, error: ResponseError) {
        if let Some(outcome) = self.outcomes.get_mut(index) {
            *outcome = Err(error);
        }
    }

    /// Keeps as much of a place as was used.
    fn keep(&mut self, held: Held, bytes: usize) {
        let used = held.shrunk(bytes);
        match &mut self.held {
            Some(held) => held.merge(used),
            none => *none = Some(used),
        }
    }
}

impl Part {
    fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::FetchRequest;

    use super::*;

    #[test]
    fn a_session_that_was_never_opened_cannot_be_continued() {
        let check = |id, epoch| {
            let request = FetchRequest::default().with_session_id(id).with_session_epoch(epoch);
            check_session(&Wanted::of(&request))
        };
        assert_eq!(check(0, -1), Ok(()));
        assert_eq!(check(0, 0), Ok(()));
        assert_eq!(check(7, 0), Ok(()), "closed, and a new one asked for");
        assert_eq!(check(7, -1), Ok(()), "closed");
        assert_eq!(check(7, 1), Err(ResponseError::FetchSessionIdNotFound));
        assert_eq!(check(0, 1), Err(ResponseError::InvalidFetchSessionEpoch));
    }
}
