//! The log in memory: for trying Pluvio, for tests, and for `VCENTER_*` mode, which kept nothing
//! either.
//!
//! Nothing survives the process: "durable" here means "as long as the process lives". It is the
//! model that every other implementation is compared with, so it stays plain: a mutex a stream, held
//! for microseconds, and a watch channel that wakes the readers.

mod ids;
mod state;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::{
    AppendError, Chunk, Clock, Encoded, Entries, Entry, EventId, Extent, Fetched, Found, Health,
    Log, Offset, OpenError, Position, Positions, ReadError, ReadLimit, Record, Retention, Seek,
    SourceName, Span, StreamName, Table, held::Held, pack, system_clock,
};
use state::State;

/// How a [`Memory`] log behaves.
#[derive(Clone)]
pub struct MemoryConfig {
    /// When records go. The default keeps 64 MiB.
    pub retention: Retention,
    /// Largest record in bytes, encoded: 1 MiB, as Kafka takes by default.
    pub record_bytes_max: usize,
    /// Most streams: each costs its retention in memory.
    pub streams_max: usize,
    /// Most ids that the id index remembers, at about 40 bytes each; the oldest are forgotten first.
    pub ids_max: usize,
    /// Tells the time.
    pub clock: Clock,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            retention: Retention { bytes_max: Some(64 << 20), ..Retention::default() },
            record_bytes_max: 1 << 20,
            streams_max: 1000,
            ids_max: 1_000_000,
            clock: system_clock(),
        }
    }
}

/// A log that lives as long as the process.
pub struct Memory {
    config: MemoryConfig,
    streams: Mutex<BTreeMap<StreamName, Arc<Stream>>>,
    tables: Mutex<BTreeMap<Table, Held>>,
}

/// One stream: its state, and `next` for those who wait for it.
struct Stream {
    state: Mutex<State>,
    next: watch::Sender<Offset>,
}

impl Stream {
    /// Wakes readers. Two appends may come here in the other order than they were given offsets, so
    /// it never goes back.
    fn reached(&self, end: Offset) {
        self.next.send_if_modified(|next| {
            let is_news = *next < end;
            *next = end.max(*next);
            is_news
        });
    }
}

/// Longest wait of one read; a day is for ever.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

impl Memory {
    /// An empty log.
    pub fn new(config: MemoryConfig) -> Self {
        Self { config, streams: Mutex::default(), tables: Mutex::default() }
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
}

impl Log for Memory {
    async fn open(&self, name: &StreamName) -> Result<Extent, OpenError> {
        let mut streams = lock(&self.streams);
        let streams_max = self.config.streams_max;
        if !streams.contains_key(name) && streams.len() >= streams_max {
            return Err(OpenError::TooManyStreams { stream: name.clone(), streams_max });
        }
        let stream = streams.entry(name.clone()).or_insert_with(|| {
            let state = State::new(self.config.ids_max);
            Arc::new(Stream { state: Mutex::new(state), next: watch::Sender::new(Offset::ZERO) })
        });
        Ok(lock(&stream.state).extent())
    }

    fn streams(&self) -> Vec<StreamName> {
        lock(&self.streams).keys().filter(|name| !name.is_internal()).cloned().collect()
    }

    fn encode(&self, s: &StreamName, records: Vec<Record>) -> Result<Encoded, AppendError> {
        pack::encode(s, records, self.config.record_bytes_max)
    }

    async fn append_encoded(&self, s: &StreamName, e: Encoded) -> Result<Span, AppendError> {
        let stream = self.writable(s)?;
        let now = (self.config.clock)();
        let span = {
            let mut state = lock(&stream.state);
            let span = state.append(s, e.0, now)?;
            state.retain(&self.config.retention, now);
            span
        };
        stream.reached(span.end);
        Ok(span)
    }

    async fn checkpoint(
        &self,
        name: &StreamName,
        source: &SourceName,
        position: Position,
    ) -> Result<(), AppendError> {
        lock(&self.writable(name)?.state).checkpoint(source, position);
        Ok(())
    }

    async fn read(&self, s: &StreamName, from: Offset, l: ReadLimit) -> Result<Chunk, ReadError> {
        let stream = self.readable(s)?;
        // Before the first look, so that nothing written between look and wait is missed.
        let mut next = stream.next.subscribe();
        let deadline = Instant::now() + l.wait.min(WAIT_MAX);
        loop {
            next.borrow_and_update();
            let chunk = lock(&stream.state).read(from, &l)?;
            if !chunk.is_empty() || l.wait.is_zero() {
                return Ok(chunk);
            }
            // Appends below a future `from` wake this reader only when it is reached.
            let reached = next.wait_for(|next| *next > from);
            if tokio::time::timeout_at(deadline, reached).await.is_err() {
                return lock(&stream.state).read(from, &l);
            }
        }
    }

    async fn fetch(
        &self,
        s: &StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Result<Fetched, ReadError> {
        let chunk = self.read(s, from, ReadLimit { records_max: usize::MAX, ..l }).await?;
        let pieces = chunk.batches.iter().map(|batch| batch.encoded().clone()).collect();
        Ok(Fetched { from, next: chunk.next, pieces })
    }

    async fn seek(&self, stream: &StreamName, seek: Seek) -> Result<Offset, ReadError> {
        lock(&self.readable(stream)?.state).seek(seek)
    }

    async fn find(
        &self,
        stream: &StreamName,
        ids: &[EventId],
    ) -> Result<Vec<Option<Found>>, ReadError> {
        let stream = self.readable(stream)?;
        let candidates: Vec<_> = {
            let state = lock(&stream.state);
            ids.iter().map(|id| state.candidate(id)).collect()
        };
        let confirmed = |(id, candidate): (&EventId, Option<state::Candidate>)| {
            candidate.and_then(|candidate| candidate.confirmed(id))
        };
        Ok(ids.iter().zip(candidates).map(confirmed).collect())
    }

    async fn trim(&self, stream: &StreamName, before: Offset) -> Result<(), ReadError> {
        let stream = self.readable(stream)?;
        let next = {
            let mut state = lock(&stream.state);
            state.trim(before);
            state.extent().next
        };
        stream.reached(next);
        Ok(())
    }

    async fn positions(&self, stream: &StreamName) -> Result<Positions, ReadError> {
        Ok(lock(&self.readable(stream)?.state).positions().clone())
    }

    async fn put(&self, table: Table, changes: Vec<Entry>) -> Result<(), AppendError> {
        let mut tables = lock(&self.tables);
        let held = tables.entry(table).or_default();
        held.check(table, &changes)?;
        held.apply(changes);
        Ok(())
    }

    async fn entries(&self, table: Table) -> Result<Entries, ReadError> {
        Ok(lock(&self.tables).get(&table).map(|held| held.entries.clone()).unwrap_or_default())
    }

    fn extent(&self, stream: &StreamName) -> Result<Extent, ReadError> {
        Ok(lock(&self.readable(stream)?.state).extent())
    }

    fn health(&self) -> Health {
        Health::default()
    }

    async fn maintain(&self) {
        let streams: Vec<_> = lock(&self.streams).values().cloned().collect();
        let now = (self.config.clock)();
        for stream in streams {
            lock(&stream.state).retain(&self.config.retention, now);
        }
    }
}

/// A panic while a lock was held cannot leave `State` half changed in a way that matters more than
/// serving on: every method finishes its arithmetic before it touches the queue.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
