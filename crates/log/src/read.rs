//! What is read: whole batches, shared by all readers of them.

use std::{hash::Hasher as _, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_event::{Event, json};
use twox_hash::XxHash3_64;
use uuid::Uuid;

use crate::Offset;

/// A record as it is stored.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// Its place, for ever.
    pub offset: Offset,
    /// When it was appended, by our clock, in whole milliseconds; never decreases along a stream.
    pub recorded: Timestamp,
    /// The event's subject.
    pub key: Option<Bytes>,
    /// The event in structured JSON, exactly as appended.
    pub value: Bytes,
}

impl StoredRecord {
    /// Decodes the event. A filtering reader does this once a batch, not once a watcher.
    pub fn event(&self) -> Result<Event, json::DecodeError> {
        json::decode(&self.value)
    }
}

/// Records that were appended together: never empty, offsets increasing.
#[derive(Debug)]
pub struct Batch {
    records: Vec<StoredRecord>,
    encoded: Bytes,
    /// Of the batch before compression.
    plain_bytes: usize,
}

impl Batch {
    /// `None` for no records. Offsets must increase; `encoded` is the record batch that holds them,
    /// `plain_bytes` its size before compression.
    pub(crate) fn new(
        records: Vec<StoredRecord>,
        encoded: Bytes,
        plain_bytes: usize,
    ) -> Option<Self> {
        debug_assert!(records.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        if records.is_empty() { None } else { Some(Self { records, encoded, plain_bytes }) }
    }

    /// The record batch as it is stored and sent to Kafka's clients.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// The records, ascending.
    pub fn records(&self) -> &[StoredRecord] {
        &self.records
    }

    /// The smallest offset in it.
    pub fn first(&self) -> Offset {
        self.records.first().map_or(Offset::MAX, |record| record.offset)
    }

    /// The greatest offset in it.
    pub fn last(&self) -> Offset {
        self.records.last().map_or(Offset::ZERO, |record| record.offset)
    }

    /// Bytes of the batch before compression.
    pub fn bytes(&self) -> u64 {
        self.plain_bytes as u64
    }

    /// Bytes of memory that its content takes.
    pub(crate) fn footprint(&self) -> u64 {
        // Without compression, records are slices of what is stored.
        let apart = if self.encoded.len() == self.plain_bytes { 0 } else { self.plain_bytes };
        (self.encoded.len() + apart) as u64
    }
}

/// What one read gave: zero or more whole batches. The first may begin, and the last may end,
/// outside what was asked for; [`records`](Self::records) leaves out what lies before.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Where the read began.
    pub from: Offset,
    /// Where the next read goes on; equals `from` when nothing came within the wait.
    pub next: Offset,
    /// The batches, ascending.
    pub batches: Vec<Arc<Batch>>,
}

impl Chunk {
    /// The records at or after [`from`](Self::from), ascending.
    pub fn records(&self) -> impl Iterator<Item = &StoredRecord> {
        let from = self.from;
        self.batches
            .iter()
            .flat_map(|batch| batch.records())
            .skip_while(move |record| record.offset < from)
    }

    /// Whether nothing came within the wait.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

/// What one fetch gave: zero or more whole record batches.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where the fetch began.
    pub from: Offset,
    /// Where the next one goes on; equals `from` when nothing came within the wait.
    pub next: Offset,
    /// Bytes as they are stored, ascending; each piece holds one or more whole batches.
    pub pieces: Vec<Bytes>,
}

impl Fetched {
    /// Whether nothing came within the wait.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// How much a read may give and how long it may wait for the first record.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimit {
    /// Stop after the batch that reaches this many records.
    pub records_max: usize,
    /// Stop before the batch that would exceed this many bytes; the first batch always comes.
    pub bytes_max: usize,
    /// Wait this long for a record at or after the offset; zero answers at once.
    pub wait: Duration,
}

impl Default for ReadLimit {
    /// 1,000 records or 1 MiB, without waiting.
    fn default() -> Self {
        Self { records_max: 1000, bytes_max: 1 << 20, wait: Duration::ZERO }
    }
}

/// What names an event: CloudEvents' `source` and `id` (§3.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The event's `source` attribute.
    pub source: String,
    /// The event's `id` attribute.
    pub id: String,
}

impl EventId {
    /// The name of `event`.
    pub fn of(event: &Event) -> Self {
        Self { source: event.source().to_owned(), id: event.id().to_owned() }
    }

    /// What the id index keeps in place of the name: XXH3-64 of the source, a zero byte and the id.
    /// Part of the format on disk.
    pub(crate) fn hash_of(source: &str, id: &str) -> u64 {
        let mut hash = XxHash3_64::new();
        hash.write(source.as_bytes());
        hash.write(&[0]);
        hash.write(id.as_bytes());
        hash.finish()
    }

    /// See [`hash_of`](Self::hash_of).
    pub(crate) fn hash(&self) -> u64 {
        Self::hash_of(&self.source, &self.id)
    }
}

/// What the id index knows of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The newest record with this id.
    pub offset: Offset,
    /// The event's own time, also after retention took the record; `None` only for an event that
    /// has none.
    pub time: Option<Timestamp>,
}

/// A place in a stream, told otherwise than by offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The earliest record; [`Extent::next`] in an empty stream.
    Start,
    /// Behind the latest record: what is written from now on.
    End,
    /// The first record appended at this time or later; [`Extent::next`] if there is none yet.
    Time(Timestamp),
    /// The newest record of an event; [`ReadError::NotFound`](crate::ReadError) otherwise.
    Id(EventId),
    /// The n-th newest record; the earliest if there are fewer; [`Extent::next`] for 0.
    Last(usize),
}

/// A stream's bounds at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Names this incarnation of the stream: a wiped and remade stream has another, so a reader
    /// that remembers an offset can tell.
    pub log_id: Uuid,
    /// Below it records were deleted. Never decreases.
    pub start: Offset,
    /// The first record's offset.
    pub earliest: Option<Offset>,
    /// The last record's offset.
    pub latest: Option<Offset>,
    /// The smallest offset that the next record can get. Never decreases.
    pub next: Offset,
    /// How many records there are.
    pub records: u64,
    /// Stored bytes, of whole batches.
    pub bytes: u64,
    /// Ids of events recorded up to then may be forgotten, because there were more than the id index
    /// takes, or because an index of deleted records was damaged, at an earlier start perhaps; `None`: it
    /// remembers all that it should.
    pub ids_forgotten_until: Option<Timestamp>,
    /// Ids of events recorded up to then are forgotten because their time had come, by the clock as it was
    /// then; `None`: none are. If the clock was ahead, that is less than [`IDS_OUTLIVE`](crate::IDS_OUTLIVE) ago.
    pub ids_outlived_until: Option<Timestamp>,
}
