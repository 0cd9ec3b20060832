//! The log on disk: what it has acknowledged survives kill -9, power loss, a full disk, and is never
//! served wrong from a rotten sector.
//!
//! ```text
//!   append ─▶ stream ─▶ segment ─▶ Disk          one batch a sync; answers only behind it
//!   read   ◀─ cache ◀── segment                  a batch is checked and decoded once
//!             positions ─▶ __positions           before each roll: a restart reads one segment
//! ```
//!
//! Files are Kafka record batches one after the other ([`batch`](crate::batch)), everything else can
//! be made again from them. The disk is a trait, so that power can be cut a hundred thousand times
//! ([`SimulatedDisk`](crate::disk::SimulatedDisk)).
//!
//! It refuses to retry: a full disk, or no file left to open, is told to whoever appends; a failed sync
//! stops the stream until a restart. It has no replica, no compaction, no thread of its own.

mod active;
mod cache;
mod clock;
mod cursors;
mod ends;
mod filters;
mod hold;
mod index;
pub mod inspect;
pub(crate) mod layout;
mod manifest;
mod positions;
mod recover;
mod scan;
mod stream;
mod table;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rustix::io::Errno;

use crate::{
    AppendError, Chunk, Clock, Encoded, Entries, Entry, EventId, Extent, Fetched, Found, Health,
    Log, Offset, OpenError, Passed, Position, Positions, ReadError, ReadLimit, Record, Recovery,
    Retention, Seek, Shortage, SourceName, Span, StreamHealth, StreamName, Table, Trouble,
    batch::Compression,
    disk::{Disk, Lock, RealDisk},
    own_file, pack, system_clock, system_passed,
};
use clock::SteadyClock;
use ends::Ends;
use hold::Hold;
use stream::Stream;
use table::TableLog;

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Behind an `fdatasync`: survives power loss.
    #[default]
    Always,
    /// As soon as the operating system has it: survives the end of the process, not of the machine.
    Os,
}

/// How an [`Embedded`] log behaves.
#[derive(Clone)]
pub struct EmbeddedConfig {
    /// Where everything lies.
    pub folder: PathBuf,
    /// The disk it lies on.
    pub disk: Arc<dyn Disk>,
    /// When an append is acknowledged.
    pub fsync: Fsync,
    /// How batches are packed.
    pub compression: Compression,
    /// When segments go. The default keeps 30 days and 10 GiB.
    pub retention: Retention,
    /// A batch is closed before it grows beyond this, unless a single record is larger.
    pub batch_bytes_max: usize,
    /// A segment is sealed before it grows beyond this.
    pub segment_bytes_max: u64,
    /// Largest record in bytes, encoded: 1 MiB, as Kafka takes by default; never more than
    /// [`RECORD_BYTES_LIMIT`](Self::RECORD_BYTES_LIMIT).
    pub record_bytes_max: usize,
    /// Most streams: each has a folder, an open file and its ids in memory.
    pub streams_max: usize,
    /// Most bytes of decoded batches in memory.
    pub cache_bytes_max: u64,
    /// Bytes that stay free on the disk: nothing is appended that would take them.
    pub reserve_bytes: u64,
    /// Tells the time.
    pub clock: Clock,
    /// Tells how much of it passed, whatever the clock says.
    pub passed: Passed,
}

impl EmbeddedConfig {
    /// No record is larger, whatever is configured: a batch with it must be read back in one piece.
    pub const RECORD_BYTES_LIMIT: usize = 16 << 20;

    /// The defaults, in `folder` on the machine's disk.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            disk: Arc::new(RealDisk),
            fsync: Fsync::Always,
            compression: Compression::Lz4,
            retention: Retention {
                age: Some(Duration::from_secs(30 * 86_400)),
                bytes_max: Some(10 << 30),
                records_max: None,
            },
            batch_bytes_max: pack::BATCH_BYTES,
            segment_bytes_max: 128 << 20,
            record_bytes_max: 1 << 20,
            streams_max: 1000,
            cache_bytes_max: 16 << 20,
            reserve_bytes: 64 << 20,
            clock: system_clock(),
            passed: system_passed(),
        }
    }
}

/// A log in a folder.
pub struct Embedded {
    context: Arc<Context>,
    streams: Mutex<BTreeMap<StreamName, Arc<Stream>>>,
    tables: BTreeMap<Table, Arc<TableLog>>,
    recovery: Recovery,
    /// Given back when nothing can write any more: see `drop`.
    _lock: Arc<dyn Lock>,
}

/// What all streams share.
struct Context {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    config: EmbeddedConfig,
    positions: Arc<TableLog>,
    /// Where sinks stood at the start.
    cursors: Entries,
    ends: Arc<Ends>,
    hold: Arc<Hold>,
    batches: cache::Batches,
    places: cache::Places,
    files: cache::Files,
    filters: filters::Filters,
    clock: SteadyClock,
}

/// Longest wait of one read; a day is for ever.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

impl Embedded {
    /// Opens the log in a folder, making it where there is none, and recovers every stream. Blocks.
    pub fn open(config: EmbeddedConfig) -> Result<Self, OpenError> {
        let begun = Instant::now();
        let mut config = config;
        config.record_bytes_max = config.record_bytes_max.min(EmbeddedConfig::RECORD_BYTES_LIMIT);
        let (disk, folder) = (Arc::clone(&config.disk), config.folder.clone());
        let told = |operation| {
            let folder = folder.clone();
            move |source| OpenError::disk(operation, folder, source)
        };
        if disk.list(&folder).is_err() {
            disk.create_folder(&folder).map_err(told("make"))?;
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
            disk.sync_folder(above.unwrap_or(Path::new("."))).map_err(told("make"))?;
        }
        let lock = hold::take(&*disk, &folder)?;
        let hold = Arc::new(Hold::new(&lock));
        let listed = disk.list(&folder).map_err(told("list"))?;
        let lost = listed.iter().any(|entry| entry.name == own_file::UNSYNCED);
        let ends = Arc::new(Ends::open(Arc::clone(&disk), folder.clone(), Arc::clone(&hold)));
        ends.all_there(&listed)?;
        let mut found = stream::Found::default();
        let table = |name: &str, limit: Option<Table>, cut: &mut u64| {
            let name = StreamName::new(name).unwrap_or_else(|_| StreamName::events());
            let folder = folder.join(name.as_str());
            TableLog::open(Arc::clone(&disk), name, folder, limit, (&ends, &hold), cut)
                .map(Arc::new)
        };
        let positions = table(layout::POSITIONS, None, &mut found.cut_bytes)?;
        let mut tables = BTreeMap::new();
        for which in Table::ALL {
            tables.insert(which, table(which.name(), Some(which), &mut found.cut_bytes)?);
        }
        let context = Arc::new(Context {
            folder: folder.clone(),
            disk: Arc::clone(&disk),
            cursors: tables.get(&Table::Cursors).map(|table| table.entries()).unwrap_or_default(),
            positions,
            ends,
            hold,
            batches: cache::batches(config.cache_bytes_max),
            places: cache::places(),
            filters: filters::Filters::new(),
            files: cache::files(),
            clock: SteadyClock::new(Arc::clone(&config.clock), Arc::clone(&config.passed)),
            config,
        });
        let mut streams = BTreeMap::new();
        let names = listed.iter().filter(|entry| entry.bytes.is_none());
        let names = names.filter_map(|entry| StreamName::new(&entry.name).ok());
        for name in names.filter(|name| !name.is_internal()) {
            let stream = Stream::open(&context, &name, lost, &mut found)?;
            streams.insert(name, Arc::new(stream));
        }
        let newest = streams.values().filter_map(|stream: &Arc<Stream>| stream.newest()).max();
        if let Some(newest) = newest.max(context.ends.noted_at()) {
            context.clock.start_from(newest);
        }
        mark_unsynced(&context, lost)?;
        context.ends.note(context.clock.recording());
        let recovery = Recovery {
            at: context.clock.recording(),
            took: begun.elapsed(),
            read_bytes: found.read_bytes,
            cut_bytes: found.cut_bytes,
            indexes_rebuilt: found.indexes_rebuilt,
            may_have_lost: lost,
        };
        if let Err(error) = note_recovery(&context, &recovery) {
            tracing::warn!(%error, "failed to note what recovery found");
        }
        Ok(Self { context, streams: Mutex::new(streams), tables, recovery, _lock: lock })
    }

    fn stream(&self, name: &StreamName) -> Option<Arc<Stream>> {
        lock(&self.streams).get(name).cloned()
    }

    fn readable(&self, name: &StreamName) -> Result<Arc<Stream>, ReadError> {
        self.stream(name).ok_or_else(|| ReadError::UnknownStream(name.clone()))
    }

    fn writable(&self, name: &StreamName) -> Result<Arc<Stream>, AppendError> {
        self.stream(name).ok_or_else(|| AppendError::UnknownStream(name.clone()))
    }

    fn all(&self) -> Vec<Arc<Stream>> {
        lock(&self.streams).values().cloned().collect()
    }
}

/// Writes down what recovery found, for `pluvio log info`. Nothing depends on it, so it is not synced.
fn note_recovery(context: &Context, recovery: &Recovery) -> io::Result<()> {
    let (disk, path) = (&*context.disk, context.folder.join(own_file::RECOVERY));
    match disk.remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    disk.create(&path)?.write_at(&serde_json::to_vec(recovery)?, 0)
}

/// Keeps the marker of a process that writes without syncing as long as there is one.
fn mark_unsynced(context: &Context, is_there: bool) -> Result<(), OpenError> {
    let path = context.folder.join(own_file::UNSYNCED);
    let disk = &*context.disk;
    let marked = match (context.config.fsync, is_there) {
        (Fsync::Always, false) | (Fsync::Os, true) => return Ok(()),
        (Fsync::Always, true) => disk.remove(&path),
        (Fsync::Os, false) => disk.create(&path).map(|_| ()),
    };
    let marked = marked.and_then(|()| disk.sync_folder(&context.folder));
    marked.map_err(|source| OpenError::disk("mark", path, source))
}

impl Log for Embedded {
    async fn open(&self, name: &StreamName) -> Result<Extent, OpenError> {
        if let Some(stream) = self.stream(name) {
            return Ok(stream.extent());
        }
        let mut streams = lock(&self.streams);
        if let Some(stream) = streams.get(name) {
            return Ok(stream.extent());
        }
        let streams_max = self.context.config.streams_max;
        if streams.len() >= streams_max {
            return Err(OpenError::TooManyStreams { stream: name.clone(), streams_max });
        }
        // Rare and short: a folder and two small files.
        let stream = Stream::open(&self.context, name, false, &mut stream::Found::default())?;
        let extent = stream.extent();
        streams.insert(name.clone(), Arc::new(stream));
        self.context.ends.note(self.context.clock.recording());
        Ok(extent)
    }

    fn streams(&self) -> Vec<StreamName> {
        lock(&self.streams).keys().cloned().collect()
    }

    fn encode(&self, s: &StreamName, records: Vec<Record>) -> Result<Encoded, AppendError> {
        pack::encode(s, records, self.context.config.record_bytes_max)
    }

    async fn append_encoded(&self, s: &StreamName, e: Encoded) -> Result<Span, AppendError> {
        self.writable(s)?.append(e).await
    }

    async fn checkpoint(
        &self,
        name: &StreamName,
        source: &SourceName,
        position: Position,
    ) -> Result<(), AppendError> {
        let (stream, source) = (self.writable(name)?, source.clone());
        appending(name, move || stream.checkpoint(&source, position)).await
    }

    async fn read(&self, s: &StreamName, from: Offset, l: ReadLimit) -> Result<Chunk, ReadError> {
        self.readable(s)?.read(from, l).await
    }

    async fn fetch(
        &self,
        s: &StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Result<Fetched, ReadError> {
        self.readable(s)?.fetch(from, l).await
    }

    async fn seek(&self, stream: &StreamName, seek: Seek) -> Result<Offset, ReadError> {
        self.readable(stream)?.seek(seek).await
    }

    async fn find(
        &self,
        stream: &StreamName,
        ids: &[EventId],
    ) -> Result<Vec<Option<Found>>, ReadError> {
        self.readable(stream)?.find(ids).await
    }

    async fn trim(&self, stream: &StreamName, before: Offset) -> Result<(), ReadError> {
        let stream = self.readable(stream)?;
        match tokio::task::spawn_blocking(move || stream.trim(before)).await {
            Ok(trimmed) => trimmed,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {
                let (path, source) = (self.context.folder.clone(), given_up());
                Err(ReadError::Disk { path, source })
            }
        }
    }

    async fn positions(&self, stream: &StreamName) -> Result<Positions, ReadError> {
        Ok(self.readable(stream)?.positions())
    }

    async fn put(&self, table: Table, changes: Vec<Entry>) -> Result<(), AppendError> {
        let Some(log) = self.tables.get(&table).cloned() else { return Ok(()) };
        let name = log.name.clone();
        appending(&name, move || log.put(changes)).await
    }

    async fn entries(&self, table: Table) -> Result<Entries, ReadError> {
        Ok(self.tables.get(&table).map(|log| log.entries()).unwrap_or_default())
    }

    fn extent(&self, stream: &StreamName) -> Result<Extent, ReadError> {
        Ok(self.readable(stream)?.extent())
    }

    fn heard(&self, now: Timestamp) {
        self.context.clock.heard(now);
    }

    fn health(&self) -> Health {
        let context = &self.context;
        let mut streams: Vec<StreamHealth> = self.all().iter().map(|s| s.health()).collect();
        for table in self.tables.values().chain([&context.positions]) {
            let trouble = table.stopped_by().map(|error| Trouble::Stopped(error.to_string()));
            let stream = table.name.clone();
            let (damage, recorded_ahead) = (None, None);
            streams.push(StreamHealth { stream, segments: 1, trouble, damage, recorded_ahead });
        }
        Health {
            streams,
            free_bytes: context.disk.free_bytes(&context.folder).ok(),
            recovery: Some(self.recovery.clone()),
            clock: context.clock.doubt(),
            unnoted: context.ends.failure(),
        }
    }

    async fn maintain(&self) {
        let (streams, context) = (self.all(), Arc::clone(&self.context));
        let mut tables: Vec<_> = self.tables.values().cloned().collect();
        tables.push(Arc::clone(&context.positions));
        let maintained = tokio::task::spawn_blocking(move || {
            for stream in streams {
                stream.maintain();
            }
            for table in tables {
                table.check();
            }
            context.ends.note(context.clock.recording());
        });
        // The task fails only by panicking, and the panic hook has already reported that.
        let _ended = maintained.await;
    }
}

/// Runs what writes where it may block. It goes on when nobody waits for it any more.
async fn appending(
    stream: &StreamName,
    work: impl FnOnce() -> Result<(), AppendError> + Send + 'static,
) -> Result<(), AppendError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime ends: it never began.
        Err(_) => {
            let source = Arc::new(given_up());
            Err(AppendError::Stopped { stream: stream.clone(), source })
        }
    }
}

fn given_up() -> io::Error {
    io::Error::other("the process ends")
}

/// Why a closed log takes nothing.
fn closed() -> Arc<io::Error> {
    Arc::new(io::Error::other("the log is closed"))
}

/// What is used up, if that is all that is wrong: room on the disk or in a quota, or open files.
fn shortage(
    error: &io::Error,
    disk: &dyn Disk,
    folder: &Path,
    reserve_bytes: u64,
) -> Option<Shortage> {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        let free_bytes = disk.free_bytes(folder).unwrap_or(0);
        return Some(Shortage::Room { free_bytes, reserve_bytes });
    }
    // Only what opens a file is told this, before it does anything.
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
        .then_some(Shortage::Files)
}

/// A lock that a panic left is used on: an append that panics stops its stream by itself, and what is
/// guarded is changed only behind what can fail.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Embedded {
    /// Waits for what is being written, and takes nothing more; then others may have the folder. The
    /// end of a process that wrote without syncing is a good one if all is synced here.
    fn drop(&mut self) {
        let context = &self.context;
        let closed: Vec<_> = self.all().iter().map(|stream| stream.close()).collect();
        for table in self.tables.values().chain([&context.positions]) {
            table.close();
        }
        if let Err(error) = context.ends.write(context.clock.recording()) {
            tracing::warn!(%error, "failed to note where the streams end");
        }
        if context.config.fsync == Fsync::Os {
            let path = context.folder.join(own_file::UNSYNCED);
            let synced: io::Result<()> = closed.into_iter().collect();
            let marked = synced.and_then(|()| context.disk.remove(&path));
            if let Err(error) = marked.and_then(|()| context.disk.sync_folder(&context.folder)) {
                tracing::warn!(%error, "the log was not synced at its end");
            }
        }
    }
}
