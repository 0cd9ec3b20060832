//! A log that counts its reads, and lets them through a gate.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use pluvio_log::{
    AppendError, Chunk, Encoded, Entries, Entry, EventId, Extent, Fetched, Found, Health, Log,
    LogHandle, Memory, MemoryConfig, Offset, OpenError, Position, Positions, ReadError, ReadLimit,
    Record, Seek, SourceName, Span, StreamName, Table,
};
use tokio::sync::Semaphore;

/// A memory log that counts its reads.
struct Counting {
    memory: Memory,
    reads: Arc<Reads>,
}

/// How many there were, and what they wait for.
pub(crate) struct Reads {
    pub(crate) all: AtomicUsize,
    pub(crate) under_way: AtomicUsize,
    /// Most that were under way at a time.
    pub(crate) most: AtomicUsize,
    /// Fetches that wait for records.
    pub(crate) waiting: AtomicUsize,
    /// Each read takes a permit, which comes back.
    pub(crate) gate: Semaphore,
}

impl Reads {
    pub(crate) fn with_gate(permits: usize) -> Arc<Self> {
        let [all, under_way, most, waiting] = [0; 4].map(AtomicUsize::new);
        Arc::new(Self { all, under_way, most, waiting, gate: Semaphore::new(permits) })
    }

    /// An empty log that counts here.
    pub(crate) fn of_a_log(self: &Arc<Self>) -> LogHandle {
        let memory = Memory::new(MemoryConfig::default());
        LogHandle::new(Counting { memory, reads: Arc::clone(self) })
    }
}

impl Log for Counting {
    async fn open(&self, stream: &StreamName) -> Result<Extent, OpenError> {
        self.memory.open(stream).await
    }
    fn streams(&self) -> Vec<StreamName> {
        self.memory.streams()
    }
    fn encode(&self, s: &StreamName, records: Vec<Record>) -> Result<Encoded, AppendError> {
        self.memory.encode(s, records)
    }
    async fn append_encoded(&self, s: &StreamName, e: Encoded) -> Result<Span, AppendError> {
        self.memory.append_encoded(s, e).await
    }
    async fn checkpoint(
        &self,
        stream: &StreamName,
        source: &SourceName,
        position: Position,
    ) -> Result<(), AppendError> {
        self.memory.checkpoint(stream, source, position).await
    }
    async fn read(&self, s: &StreamName, from: Offset, l: ReadLimit) -> Result<Chunk, ReadError> {
        self.reads.all.fetch_add(1, Ordering::Relaxed);
        let under_way = 1 + self.reads.under_way.fetch_add(1, Ordering::Relaxed);
        self.reads.most.fetch_max(under_way, Ordering::Relaxed);
        let passed = self.reads.gate.acquire().await.unwrap();
        let chunk = self.memory.read(s, from, l).await;
        drop(passed);
        self.reads.under_way.fetch_sub(1, Ordering::Relaxed);
        chunk
    }
    async fn fetch(
        &self,
        s: &StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Result<Fetched, ReadError> {
        let waits = usize::from(!l.wait.is_zero());
        self.reads.waiting.fetch_add(waits, Ordering::Relaxed);
        let fetched = self.memory.fetch(s, from, l).await;
        self.reads.waiting.fetch_sub(waits, Ordering::Relaxed);
        fetched
    }
    async fn seek(&self, stream: &StreamName, seek: Seek) -> Result<Offset, ReadError> {
        self.memory.seek(stream, seek).await
    }
    async fn find(
        &self,
        stream: &StreamName,
        ids: &[EventId],
    ) -> Result<Vec<Option<Found>>, ReadError> {
        self.memory.find(stream, ids).await
    }
    async fn trim(&self, stream: &StreamName, before: Offset) -> Result<(), ReadError> {
        self.memory.trim(stream, before).await
    }
    async fn positions(&self, stream: &StreamName) -> Result<Positions, ReadError> {
        self.memory.positions(stream).await
    }
    async fn put(&self, table: Table, entries: Vec<Entry>) -> Result<(), AppendError> {
        self.memory.put(table, entries).await
    }
    async fn entries(&self, table: Table) -> Result<Entries, ReadError> {
        self.memory.entries(table).await
    }
    fn health(&self) -> Health {
        self.memory.health()
    }
    fn extent(&self, stream: &StreamName) -> Result<Extent, ReadError> {
        self.memory.extent(stream)
    }
    async fn maintain(&self) {
        self.memory.maintain().await;
    }
}
