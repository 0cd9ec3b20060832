//! A crowd of watches costs the log about what one of them costs.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use pluvio_log::{
    AppendError, Chunk, Entries, Entry, EventId, Extent, Fetched, Found, Health, Log, LogHandle,
    Memory, MemoryConfig, Offset, OpenError, Position, Positions, ReadError, ReadLimit, Record,
    Seek, SourceName, Span, StreamName, Table,
};

use crate::house::plan;

/// A memory log that counts its reads.
struct Counting {
    memory: Memory,
    reads: Arc<AtomicUsize>,
}

impl Log for Counting {
    async fn open(&self, stream: &StreamName) -> Result<Extent, OpenError> {
        self.memory.open(stream).await
    }
    fn streams(&self) -> Vec<StreamName> {
        self.memory.streams()
    }
    async fn append(&self, s: &StreamName, records: Vec<Record>) -> Result<Span, AppendError> {
        self.memory.append(s, records).await
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
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.memory.read(s, from, l).await
    }
    async fn fetch(
        &self,
        s: &StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Result<Fetched, ReadError> {
        self.memory.fetch(s, from, l).await
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

#[tokio::test]
async fn a_page_is_read_once_for_all_watches_in_replay_and_live() {
    let reads = Arc::new(AtomicUsize::new(0));
    let memory = Memory::new(MemoryConfig::default());
    let counting = Counting { memory, reads: Arc::clone(&reads) };
    let house = plan().over(LogHandle::new(counting)).await;
    house.append(0..1280).await;
    let mut watches = Vec::new();
    for start in 0..100 {
        watches.push(house.watch(&format!("&offset={start}")).await);
    }
    for (start, watch) in (0..).zip(&mut watches) {
        let expected: Vec<i64> = (start..1280).collect();
        assert_eq!(watch.ids(expected.len()).await, expected);
    }
    let replay = reads.swap(0, Ordering::Relaxed);
    assert!(replay <= 12, "ten pages were read {replay} times");
    house.append(1280..1300).await;
    for watch in &mut watches {
        assert_eq!(watch.ids(20).await, (1280..1300).collect::<Vec<_>>());
    }
    let live = reads.load(Ordering::Relaxed);
    assert!(live <= 2 * 20 + 1, "twenty events were read {live} times");
}
