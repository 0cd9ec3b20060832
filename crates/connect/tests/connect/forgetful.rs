//! A log whose index of ids turns out to be damaged when it is asked first.

use std::sync::OnceLock;

use jiff::Timestamp;
use pluvio_log::{
    AppendError, Chunk, Encoded, Entries, Entry, EventId, Extent, Fetched, Found, Health, Log,
    Memory, Offset, OpenError, Position, Positions, ReadError, ReadLimit, Record, Seek, SourceName,
    Span, StreamName, Table,
};

/// As if another source had asked a moment before, and was told of the damage: whoever asks now is not.
pub(crate) struct Forgetful {
    memory: Memory,
    forgotten: OnceLock<Timestamp>,
}

impl Forgetful {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { memory, forgotten: OnceLock::new() }
    }
}

impl Log for Forgetful {
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
    async fn find(&self, _: &StreamName, ids: &[EventId]) -> Result<Vec<Option<Found>>, ReadError> {
        self.forgotten.get_or_init(Timestamp::now);
        Ok(vec![None; ids.len()])
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
        let ids_forgotten_until = self.forgotten.get().copied();
        Ok(Extent { ids_forgotten_until, ..self.memory.extent(stream)? })
    }
    async fn maintain(&self) {
        self.memory.maintain().await;
    }
}
