//! The one reader that waits at a stream's end, for all its watchers.
//!
//! It reads nothing for anybody: it learns *that* something was appended and between which offsets,
//! and tells that over one watch channel. Watchers then ask for those pages by themselves, each at
//! its own pace. So an append costs one read of the log, however many watch.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pluvio_log::{Chunk, Log, LogHandle, Offset, ReadError, ReadLimit, StreamName};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{PAGE_BYTES_MAX, PAGE_OFFSETS, Span};

/// How long one read of the log waits; only a stream without watchers notices the end of it.
const WAIT: Duration = Duration::from_secs(300);
/// Cuts remembered before the older half is forgotten; whoever is further behind reads by clips.
const CUTS_MAX: usize = 512;
/// Newest cuts whose pages are made even where there is no room left: at a quarter of a megabyte each,
/// some megabytes.
const LIVE_CUTS: usize = 16;

/// A stream's end as its watchers know it.
#[derive(Clone, Debug)]
pub(in crate::http) struct Bounds {
    /// Everything before it was appended.
    pub(in crate::http) next: Offset,
    /// No more will be told: deliver up to `next` and end.
    pub(in crate::http) is_draining: bool,
    /// Where the newest pages begin, ascending.
    cuts: VecDeque<Offset>,
}

impl Bounds {
    /// The shared page that holds `from`; `None` while nothing was appended there.
    pub(in crate::http) fn span(&self, from: Offset) -> Option<Span> {
        if from >= self.next {
            return None;
        }
        let first = self.cuts.front().copied().unwrap_or(self.next);
        if from >= first {
            let at = self.cuts.partition_point(|cut| *cut <= from);
            let begin = at.checked_sub(1).and_then(|at| self.cuts.get(at)).copied();
            let end = self.cuts.get(at).copied().unwrap_or(self.next);
            return Some(Span { from: begin.unwrap_or(from), to: end });
        }
        let begin = from.get() - from.get() % PAGE_OFFSETS;
        let end = Offset::new(begin.saturating_add(PAGE_OFFSETS)).unwrap_or(Offset::MAX);
        Some(Span { from: Offset::new(begin).unwrap_or(from), to: end.min(first) })
    }

    /// Whether `from` lies before the few pages that all who keep up share.
    pub(in crate::http) fn is_past(&self, from: Offset) -> bool {
        let first = self.cuts.len().saturating_sub(LIVE_CUTS);
        self.cuts.get(first).is_none_or(|first| from < *first)
    }

    /// Adds what was appended: one cut, or several if it is too much for one page.
    fn grow(&mut self, chunk: &Chunk) {
        if self.cuts.len() >= CUTS_MAX {
            self.cuts.drain(..CUTS_MAX / 2);
        }
        let pages = chunk.records().step_by(PAGE_OFFSETS as usize).skip(1);
        self.cuts.push_back(chunk.from);
        self.cuts.extend(pages.map(|record| record.offset));
        self.next = chunk.next;
    }
}

/// A watcher's view of the end; woken when it moves. Closed without `is_draining`: the reader failed.
pub(in crate::http) type Tail = watch::Receiver<Bounds>;

/// The ends of all streams that are watched.
pub(in crate::http) struct Tails {
    log: LogHandle,
    drain: CancellationToken,
    by_stream: Arc<Mutex<Map>>,
}

/// One receiver is kept here; so a reader whose channel has but one receiver reads for nobody.
type Map = HashMap<StreamName, Tail>;

impl Tails {
    pub(super) fn new(log: LogHandle, drain: CancellationToken) -> Self {
        Self { log, drain, by_stream: Arc::default() }
    }

    /// Joins the watchers of `stream`; the first one starts its reader.
    pub(in crate::http) fn join(&self, stream: &StreamName) -> Result<Tail, ReadError> {
        let mut map = lock(&self.by_stream);
        if let Some(tail) = map.get(stream)
            && tail.has_changed().is_ok()
        {
            return Ok(tail.clone());
        }
        let next = self.log.extent(stream)?.next;
        let is_draining = self.drain.is_cancelled();
        let (sender, tail) = watch::channel(Bounds { next, is_draining, cuts: VecDeque::new() });
        map.insert(stream.clone(), tail.clone());
        let reader = Reader {
            log: self.log.clone(),
            stream: stream.clone(),
            drain: self.drain.clone(),
            by_stream: Arc::clone(&self.by_stream),
            sender,
        };
        tokio::spawn(reader.run());
        Ok(tail)
    }
}

struct Reader {
    log: LogHandle,
    stream: StreamName,
    drain: CancellationToken,
    by_stream: Arc<Mutex<Map>>,
    sender: watch::Sender<Bounds>,
}

impl Reader {
    async fn run(self) {
        let limit =
            ReadLimit { records_max: PAGE_OFFSETS as usize, bytes_max: PAGE_BYTES_MAX, wait: WAIT };
        while !self.is_alone() {
            let from = self.sender.borrow().next;
            let chunk = tokio::select! {
                chunk = self.log.read(&self.stream, from, limit) => chunk,
                () = self.drain.cancelled() => return self.finish(from),
            };
            match chunk {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => self.sender.send_modify(|bounds| bounds.grow(&chunk)),
                Err(ReadError::OutOfRange { extent, .. }) => self.sender.send_modify(|bounds| {
                    bounds.cuts.clear();
                    bounds.next = extent.start.max(from);
                }),
                Err(error) => {
                    warn!(stream = %self.stream, %error, "failed to follow stream");
                    return;
                }
            }
            // Whoever appends right now gets a chance to make the next cut larger.
            tokio::task::yield_now().await;
        }
    }

    /// Whether nobody watches; then this reader is off the map, too.
    fn is_alone(&self) -> bool {
        let mut map = lock(&self.by_stream);
        let is_alone = self.sender.receiver_count() <= 1;
        if is_alone {
            map.remove(&self.stream);
        }
        is_alone
    }

    /// Tells the end as it is now, for the last time.
    fn finish(&self, from: Offset) {
        let next = self.log.extent(&self.stream).map_or(from, |extent| extent.next);
        self.sender.send_modify(|bounds| {
            bounds.cuts.push_back(from);
            bounds.next = next;
            bounds.is_draining = true;
        });
    }
}

fn lock(map: &Mutex<Map>) -> MutexGuard<'_, Map> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}
