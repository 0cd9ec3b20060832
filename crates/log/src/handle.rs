//! The log behind one concrete type, so that no reader or writer is generic over it.
//!
//! The one place where the log's futures are boxed: once a call, beside which a call's own work is
//! large.

use std::{future::Future, pin::Pin, sync::Arc};

use jiff::Timestamp;

use crate::{
    AppendError, Chunk, Encoded, Entries, Entry, EventId, Extent, Fetched, Found, Health, Log,
    Offset, OpenError, Position, Positions, ReadError, ReadLimit, Record, Seek, SourceName, Span,
    StreamName, Table,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A shared handle on any [`Log`]; its methods are the trait's.
#[derive(Clone)]
pub struct LogHandle(Arc<dyn Erased>);

impl std::fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogHandle").field("streams", &self.0.streams()).finish()
    }
}

impl LogHandle {
    /// Puts `log` behind a handle.
    pub fn new(log: impl Log) -> Self {
        Self(Arc::new(log))
    }
}

impl Log for LogHandle {
    async fn open(&self, stream: &StreamName) -> Result<Extent, OpenError> {
        self.0.open(stream).await
    }

    fn streams(&self) -> Vec<StreamName> {
        self.0.streams()
    }

    fn encode(&self, s: &StreamName, records: Vec<Record>) -> Result<Encoded, AppendError> {
        self.0.encode(s, records)
    }

    async fn append_encoded(&self, s: &StreamName, e: Encoded) -> Result<Span, AppendError> {
        self.0.append_encoded(s, e).await
    }

    async fn checkpoint(
        &self,
        stream: &StreamName,
        source: &SourceName,
        position: Position,
    ) -> Result<(), AppendError> {
        self.0.checkpoint(stream, source, position).await
    }

    async fn read(&self, s: &StreamName, from: Offset, l: ReadLimit) -> Result<Chunk, ReadError> {
        self.0.read(s, from, l).await
    }

    async fn fetch(
        &self,
        s: &StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Result<Fetched, ReadError> {
        self.0.fetch(s, from, l).await
    }

    async fn seek(&self, stream: &StreamName, seek: Seek) -> Result<Offset, ReadError> {
        self.0.seek(stream, seek).await
    }

    async fn find(
        &self,
        stream: &StreamName,
        ids: &[EventId],
    ) -> Result<Vec<Option<Found>>, ReadError> {
        self.0.find(stream, ids).await
    }

    async fn trim(&self, stream: &StreamName, before: Offset) -> Result<(), ReadError> {
        self.0.trim(stream, before).await
    }

    async fn positions(&self, stream: &StreamName) -> Result<Positions, ReadError> {
        self.0.positions(stream).await
    }

    async fn put(&self, table: Table, entries: Vec<Entry>) -> Result<(), AppendError> {
        self.0.put(table, entries).await
    }

    async fn entries(&self, table: Table) -> Result<Entries, ReadError> {
        self.0.entries(table).await
    }

    fn extent(&self, stream: &StreamName) -> Result<Extent, ReadError> {
        self.0.extent(stream)
    }

    fn heard(&self, now: Timestamp) {
        self.0.heard(now);
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    async fn maintain(&self) {
        self.0.maintain().await;
    }
}

/// [`Log`] with boxed futures.
trait Erased: Send + Sync {
    fn open<'a>(&'a self, s: &'a StreamName) -> Boxed<'a, Result<Extent, OpenError>>;
    fn streams(&self) -> Vec<StreamName>;
    fn encode(&self, s: &StreamName, r: Vec<Record>) -> Result<Encoded, AppendError>;
    fn append_encoded<'a>(
        &'a self,
        s: &'a StreamName,
        e: Encoded,
    ) -> Boxed<'a, Result<Span, AppendError>>;
    fn checkpoint<'a>(
        &'a self,
        s: &'a StreamName,
        source: &'a SourceName,
        p: Position,
    ) -> Boxed<'a, Result<(), AppendError>>;
    fn read<'a>(
        &'a self,
        s: &'a StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Boxed<'a, Result<Chunk, ReadError>>;
    fn fetch<'a>(
        &'a self,
        s: &'a StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Boxed<'a, Result<Fetched, ReadError>>;
    fn seek<'a>(&'a self, s: &'a StreamName, at: Seek) -> Boxed<'a, Result<Offset, ReadError>>;
    fn find<'a>(
        &'a self,
        s: &'a StreamName,
        ids: &'a [EventId],
    ) -> Boxed<'a, Result<Vec<Option<Found>>, ReadError>>;
    fn trim<'a>(&'a self, s: &'a StreamName, b: Offset) -> Boxed<'a, Result<(), ReadError>>;
    fn positions<'a>(&'a self, s: &'a StreamName) -> Boxed<'a, Result<Positions, ReadError>>;
    fn put(&self, table: Table, entries: Vec<Entry>) -> Boxed<'_, Result<(), AppendError>>;
    fn entries(&self, table: Table) -> Boxed<'_, Result<Entries, ReadError>>;
    fn extent(&self, s: &StreamName) -> Result<Extent, ReadError>;
    fn heard(&self, now: Timestamp);
    fn health(&self) -> Health;
    fn maintain(&self) -> Boxed<'_, ()>;
}

impl<L: Log> Erased for L {
    fn open<'a>(&'a self, s: &'a StreamName) -> Boxed<'a, Result<Extent, OpenError>> {
        Box::pin(Log::open(self, s))
    }
    fn streams(&self) -> Vec<StreamName> {
        Log::streams(self)
    }
    fn encode(&self, s: &StreamName, r: Vec<Record>) -> Result<Encoded, AppendError> {
        Log::encode(self, s, r)
    }
    fn append_encoded<'a>(
        &'a self,
        s: &'a StreamName,
        e: Encoded,
    ) -> Boxed<'a, Result<Span, AppendError>> {
        Box::pin(Log::append_encoded(self, s, e))
    }
    fn checkpoint<'a>(
        &'a self,
        s: &'a StreamName,
        source: &'a SourceName,
        p: Position,
    ) -> Boxed<'a, Result<(), AppendError>> {
        Box::pin(Log::checkpoint(self, s, source, p))
    }
    fn read<'a>(
        &'a self,
        s: &'a StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Boxed<'a, Result<Chunk, ReadError>> {
        Box::pin(Log::read(self, s, from, l))
    }
    fn fetch<'a>(
        &'a self,
        s: &'a StreamName,
        from: Offset,
        l: ReadLimit,
    ) -> Boxed<'a, Result<Fetched, ReadError>> {
        Box::pin(Log::fetch(self, s, from, l))
    }
    fn seek<'a>(&'a self, s: &'a StreamName, at: Seek) -> Boxed<'a, Result<Offset, ReadError>> {
        Box::pin(Log::seek(self, s, at))
    }
    fn find<'a>(
        &'a self,
        s: &'a StreamName,
        ids: &'a [EventId],
    ) -> Boxed<'a, Result<Vec<Option<Found>>, ReadError>> {
        Box::pin(Log::find(self, s, ids))
    }
    fn trim<'a>(&'a self, s: &'a StreamName, b: Offset) -> Boxed<'a, Result<(), ReadError>> {
        Box::pin(Log::trim(self, s, b))
    }
    fn positions<'a>(&'a self, s: &'a StreamName) -> Boxed<'a, Result<Positions, ReadError>> {
        Box::pin(Log::positions(self, s))
    }
    fn put(&self, table: Table, entries: Vec<Entry>) -> Boxed<'_, Result<(), AppendError>> {
        Box::pin(Log::put(self, table, entries))
    }
    fn entries(&self, table: Table) -> Boxed<'_, Result<Entries, ReadError>> {
        Box::pin(Log::entries(self, table))
    }
    fn extent(&self, s: &StreamName) -> Result<Extent, ReadError> {
        Log::extent(self, s)
    }
    fn heard(&self, now: Timestamp) {
        Log::heard(self, now);
    }
    fn health(&self) -> Health {
        Log::health(self)
    }
    fn maintain(&self) -> Boxed<'_, ()> {
        Box::pin(Log::maintain(self))
    }
}
