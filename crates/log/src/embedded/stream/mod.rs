//! One stream: its segments, what readers see of them, and the queue of the one writer.

mod commit;
mod confirm;
mod damage;
mod find;
mod open;
mod read;
mod retain;

pub(super) use open::{Found, replay};

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use uuid::Uuid;

use super::{
    Context, Fsync,
    active::Active,
    closed,
    ends::{End, Last},
    index::{BatchLocation, Id, Summary},
    lock,
    manifest::Manifest,
};
use crate::{
    AppendError, Extent, Offset, Positions, ReadError, Shortage, Span, StreamHealth, StreamName,
    Trouble,
    disk::{File, Lock},
    pack::Prepared,
};

/// A stream of an [`Embedded`](super::Embedded) log.
pub(super) struct Stream {
    context: Arc<Context>,
    name: StreamName,
    folder: PathBuf,
    log_id: Uuid,
    shared: Mutex<Shared>,
    next: watch::Sender<Offset>,
    writer: Mutex<Writer>,
    queue: Mutex<Queue>,
    /// Held by whoever reads the ids of the active segment.
    reading_ids: Mutex<()>,
    /// Bytes that may wait to be written.
    room: Arc<Semaphore>,
    damages: damage::Damages,
}

/// What readers look at: only what is as durable as the policy says. Locked for moments.
struct Shared {
    start: Offset,
    next: Offset,
    earliest: Option<Offset>,
    latest: Option<Offset>,
    /// Records of the first batch that lie below `start`.
    hidden: u64,
    sealed: VecDeque<Arc<Sealed>>,
    active: View,
    positions: Positions,
    ids: ActiveIds,
    /// Indexes of segments that are gone, kept for their ids.
    ghosts: VecDeque<Ghost>,
    /// Ids of events recorded up to then are lost with a damaged index; the manifest says the same.
    ids_forgotten_until: Option<Timestamp>,
    /// Ids of events recorded up to then are forgotten as planned; the manifest says the same.
    ids_outlived_until: Option<Timestamp>,
    stopped: Option<Arc<io::Error>>,
    /// What the last append found used up.
    short: Option<Shortage>,
}

/// A segment that nothing is appended to any more.
#[derive(Debug)]
struct Sealed {
    /// Names it in the caches.
    uid: u64,
    base: Offset,
    summary: Summary,
}

/// What readers see of the active segment.
struct View {
    uid: u64,
    base: Offset,
    file: Arc<dyn File>,
    places: Vec<BatchLocation>,
    records: u64,
    bytes: u64,
}

/// The ids of the active segment. Only whoever looks for one puts them into the map: most streams
/// append far more than they are searched.
#[derive(Default)]
struct ActiveIds {
    /// Oldest first.
    entries: Vec<Id>,
    /// From a hash to the newest entry, of the first `mapped` entries.
    newest: HashMap<u64, u32>,
    mapped: usize,
    /// Batches found at recovery and not looked into yet.
    unread: Vec<BatchLocation>,
}

impl ActiveIds {
    /// Puts up to `most` more entries into the map. Whether all are there.
    fn map(&mut self, most: usize) -> bool {
        let unmapped = self.entries.iter().enumerate().skip(self.mapped).take(most);
        self.newest.extend(unmapped.map(|(at, id)| (id.hash, at as u32)));
        self.mapped = self.entries.len().min(self.mapped + most);
        self.mapped == self.entries.len()
    }

    /// The newest entry of that hash, of those that are mapped.
    fn newest(&self, hash: u64) -> Option<Id> {
        self.entries.get(*self.newest.get(&hash)? as usize).copied()
    }

    /// Adds those that are older than all that are here.
    fn prepend(&mut self, older: Vec<Id>) {
        self.entries.splice(..0, older);
        (self.newest, self.mapped) = (HashMap::new(), 0);
    }
}

/// Ids that outlive their records.
#[derive(Clone, Copy, Debug)]
struct Ghost {
    base: Offset,
    /// Of its newest record, in milliseconds since 1970.
    time: i64,
}

impl Ghost {
    fn recorded(self) -> Timestamp {
        Timestamp::from_millisecond(self.time).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Held by whoever changes files.
struct Writer {
    active: Active,
    manifest: Manifest,
    /// Of the newest batch.
    recorded: Timestamp,
    /// The active segment's last batch.
    last: Option<Last>,
    /// When the active segment got its first batch.
    begun: Option<Timestamp>,
    /// Bytes of the active segment that the last mark covers.
    marked: u64,
    /// Whether a segment was sealed since retention was looked at.
    has_rolled: bool,
    /// Of the folder, until nothing is written any more.
    lock: Option<Box<dyn Lock>>,
}

/// Appends that wait for the writer.
#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    /// Whether somebody is writing and will look here again.
    is_led: bool,
}

struct Request {
    records: Vec<Prepared>,
    reply: oneshot::Sender<Result<Written, AppendError>>,
    _room: OwnedSemaphorePermit,
}

/// The good answer to an append.
struct Written {
    span: Span,
    /// Not needed any more. Whoever made them frees them, beside the next group's sync: freeing what
    /// another thread allocated costs the leader as much as packing it.
    _records: Vec<Prepared>,
}

/// Bytes of bodies that may wait to be written; more, and appends wait.
const QUEUE_BYTES_MAX: usize = 16 << 20;
/// A segment has at most this many records, which bounds what its ids take in memory.
const SEGMENT_RECORDS_MAX: u64 = 1 << 18;

/// Recorded times that are so far ahead of the clock are told.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

static UID: AtomicU64 = AtomicU64::new(0);

fn uid() -> u64 {
    UID.fetch_add(1, Ordering::Relaxed)
}

impl Stream {
    pub(super) fn extent(&self) -> Extent {
        self.extent_of(&lock(&self.shared))
    }

    fn extent_of(&self, shared: &Shared) -> Extent {
        let sealed = shared.sealed.iter();
        let (records, bytes) = sealed.fold((0, 0), |(records, bytes), segment| {
            (records + segment.summary.records, bytes + segment.summary.bytes)
        });
        Extent {
            log_id: self.log_id,
            start: shared.start,
            earliest: shared.earliest,
            latest: shared.latest,
            next: shared.next,
            records: records + shared.active.records - shared.hidden,
            bytes: bytes + shared.active.bytes,
            ids_forgotten_until: shared.ids_forgotten_until,
            ids_outlived_until: shared.ids_outlived_until,
        }
    }

    /// Takes nothing from now on; what is being written comes to its end before, and is synced where
    /// that was not done. Blocks.
    pub(super) fn close(&self) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        let closed = self.close_files(&writer);
        writer.active.release();
        writer.lock = None;
        closed
    }

    fn close_files(&self, writer: &Writer) -> io::Result<()> {
        // A disk that failed is not asked again: what it says then proves nothing.
        let stopped = lock(&self.shared).stopped.clone();
        if let Some(error) = stopped {
            return Err(io::Error::other(error));
        }
        let synced = match self.context.config.fsync {
            Fsync::Always => Ok(()),
            Fsync::Os => writer.active.sync(),
        };
        lock(&self.shared).stopped = Some(closed());
        if synced.is_ok() {
            self.ends(writer);
        }
        synced
    }

    /// When its newest record was recorded.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let recorded = lock(&self.writer).recorded;
        (recorded > Timestamp::UNIX_EPOCH).then_some(recorded)
    }

    /// Tells where the stream ends, when all of it is synced.
    fn ends(&self, writer: &Writer) {
        let next = lock(&self.shared).next;
        let end = End::new(writer.active.base, writer.active.end, next, writer.last);
        self.context.ends.set(&self.name, end);
    }

    /// Refused where nothing is written any more.
    fn check_open(&self) -> Result<(), AppendError> {
        match &lock(&self.shared).stopped {
            Some(error) => Err(self.stopped(error)),
            None => Ok(()),
        }
    }

    pub(super) fn positions(&self) -> Positions {
        lock(&self.shared).positions.clone()
    }

    pub(super) fn health(&self) -> StreamHealth {
        let shared = lock(&self.shared);
        let stopped = shared.stopped.as_ref().map(|error| Trouble::Stopped(error.to_string()));
        let short = shared.short.map(|shortage| match shortage {
            Shortage::Room { free_bytes, reserve_bytes } => {
                Trouble::Full { free_bytes, reserve_bytes }
            }
            Shortage::Files => Trouble::NoFiles,
        });
        let newest = shared.active.places.last().map(|place| place.time);
        let newest = newest.or(shared.sealed.back().map(|segment| segment.summary.time));
        let newest = newest.and_then(|time| Timestamp::from_millisecond(time).ok());
        let says = self.context.clock.says();
        StreamHealth {
            stream: self.name.clone(),
            segments: shared.sealed.len() + 1,
            trouble: stopped.or(short),
            damage: self.damaged(shared.start),
            recorded_ahead: newest.filter(|newest| newest.duration_since(says) > AHEAD),
        }
    }

    /// Wakes readers; never goes back.
    fn reached(&self, end: Offset) {
        self.next.send_if_modified(|next| {
            let is_news = *next < end;
            *next = end.max(*next);
            is_news
        });
    }

    fn stopped(&self, error: &Arc<io::Error>) -> AppendError {
        AppendError::Stopped { stream: self.name.clone(), source: Arc::clone(error) }
    }

    fn unreadable(&self, base: Offset, source: io::Error) -> ReadError {
        ReadError::Disk { path: super::layout::segment(&self.folder, base), source }
    }
}
