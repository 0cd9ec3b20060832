//! From events to record batches, in two steps: whoever appends encodes the bodies, beside
//! everybody else; the one writer gives out offsets and puts batches around them.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_event::{Data, json};

use crate::{
    AppendError, Batch, EventId, Offset, Position, Record, SourceName, StoredRecord, StreamName,
    batch::{self, Builder, Compression, Packing},
};

/// The media type of a stored value (CloudEvents' Kafka binding, §3.3).
pub(crate) const CONTENT_TYPE: (&str, &[u8]) = ("content-type", b"application/cloudevents+json");
/// The header that carries `source=position`.
pub(crate) const POSITION_HEADER: &str = "pluvio-pos";
/// What attributes and headers take in most records; too little, and megabytes are copied once more.
const AROUND_DATA_BYTES: usize = 960;
/// A batch is closed when it reaches this. Much larger ones would make reading a single event dear,
/// much smaller ones compress worse.
pub(crate) const BATCH_BYTES: usize = 256 << 10;
/// What surrounds a body in a batch, at most.
const RECORD_HEAD_BYTES: usize = 22;

/// Records whose bodies are encoded, and that have no places yet; from [`Log::encode`](crate::Log::encode).
#[derive(Debug)]
pub struct Encoded(pub(crate) Vec<Prepared>);

/// A record, encoded but for its place.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) at_least: Option<Offset>,
    pub(crate) source: SourceName,
    pub(crate) position: Position,
    /// The hash of the event's id, and its time, for the id index.
    pub(crate) id: u64,
    pub(crate) time: Option<Timestamp>,
    pub(crate) body: Bytes,
    /// How the body is cut: the key's length, and where the value lies.
    key: Option<(u32, u32)>,
    value: (u32, u32),
}

impl Prepared {
    /// Bytes that it takes in a batch, at most.
    pub(crate) fn room(&self) -> usize {
        self.body.len() + RECORD_HEAD_BYTES
    }
}

/// Encodes `records`; refused if one is larger than `bytes_max`.
pub(crate) fn encode(
    stream: &StreamName,
    records: Vec<Record>,
    bytes_max: usize,
) -> Result<Encoded, AppendError> {
    // One piece of memory for all: a thousand small ones cost an allocation each.
    let expected = |record: &Record| AROUND_DATA_BYTES + record.event.data().map_or(0, Data::len);
    let mut bodies = Vec::with_capacity(records.iter().map(expected).sum());
    let mut cuts = Vec::with_capacity(records.len());
    let (mut value, mut position) = (Vec::new(), Vec::new());
    for (index, record) in records.iter().enumerate() {
        value.clear();
        json::encode(&record.event, &mut value);
        if value.len() > bytes_max {
            let (stream, bytes) = (stream.clone(), value.len());
            return Err(AppendError::RecordTooLarge { stream, index, bytes, bytes_max });
        }
        position.clear();
        position.extend_from_slice(record.source.as_str().as_bytes());
        position.push(b'=');
        position.extend_from_slice(record.position.as_str().as_bytes());
        let key = record.event.subject().map(str::as_bytes);
        let headers = [CONTENT_TYPE, (POSITION_HEADER, position.as_slice())];
        let start = bodies.len();
        let places = batch::body(&mut bodies, key, &value, &headers);
        cuts.push((start, bodies.len(), places));
    }
    let bodies = Bytes::from(bodies);
    let prepared = records.into_iter().zip(cuts).map(|(record, (start, end, places))| {
        let Record { event, source, position, at_least } = record;
        let within = |range: std::ops::Range<usize>| {
            ((range.start - start) as u32, (range.end - start) as u32)
        };
        Prepared {
            at_least,
            source,
            position,
            id: EventId::hash_of(event.source(), event.id()),
            time: event.time(),
            body: bodies.slice(start..end),
            key: places.key.map(within),
            value: within(places.value),
        }
    });
    Ok(Encoded(prepared.collect()))
}

/// Puts batches around records.
#[derive(Debug)]
pub(crate) struct Packer {
    compression: Compression,
    packing: Packing,
    batch_bytes: usize,
    /// What is still to come.
    bytes_left: usize,
    records_left: usize,
    finished: Vec<Arc<Batch>>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    builder: Builder,
    first: Offset,
    records: Vec<Placed>,
}

/// Where a record's parts lie in the batch's plain bytes.
#[derive(Debug)]
struct Placed {
    offset: Offset,
    recorded: Timestamp,
    key: Option<(usize, usize)>,
    value: (usize, usize),
}

impl Packer {
    /// Batches are closed at `batch_bytes`. `records` is what will be pushed, so that memory is taken once.
    pub(crate) fn new<'a>(
        compression: Compression,
        batch_bytes: usize,
        records: impl Iterator<Item = &'a Prepared>,
    ) -> Self {
        let (bytes_left, records_left) =
            records.fold((0, 0), |(bytes, count), record| (bytes + record.room(), count + 1));
        let finished = Vec::new();
        let packing = Packing::default();
        Self { compression, packing, batch_bytes, bytes_left, records_left, finished, open: None }
    }

    /// Adds a record. Offsets grow; `recorded` is in whole milliseconds and does not decrease.
    pub(crate) fn push(&mut self, offset: Offset, recorded: Timestamp, record: &Prepared) {
        let bytes = record.room();
        let is_full = |open: &Open| {
            open.builder.len() + bytes > self.batch_bytes
                || offset.get() - open.first.get() > i64::from(i32::MAX)
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.close();
        }
        let milliseconds = recorded.as_millisecond();
        let (bytes_left, records_left) = (self.bytes_left, self.records_left);
        let batch_bytes = self.batch_bytes;
        let open = self.open.get_or_insert_with(|| {
            let room = bytes_left.min(batch_bytes);
            let share = records_left * room / bytes_left.max(1);
            Open {
                builder: Builder::with_room(offset.get(), milliseconds, room),
                first: offset,
                records: Vec::with_capacity(share + 1),
            }
        });
        self.bytes_left = bytes_left.saturating_sub(bytes);
        self.records_left = records_left.saturating_sub(1);
        let start = open.builder.push(offset.get(), milliseconds, &record.body).start;
        let place = |(from, to): (u32, u32)| (start + from as usize, start + to as usize);
        let (key, value) = (record.key.map(place), place(record.value));
        open.records.push(Placed { offset, recorded, key, value });
    }

    /// The batches, in order.
    pub(crate) fn finish(mut self) -> Vec<Arc<Batch>> {
        self.close();
        self.finished
    }

    fn close(&mut self) {
        let Some(Open { builder, records, .. }) = self.open.take() else { return };
        let built = match i32::try_from(self.finished.len()) {
            Ok(nth @ 1..) => builder.following(nth),
            _ => builder,
        };
        let built = built.finish_with(self.compression, &mut self.packing);
        let slice = |(from, to): (usize, usize)| built.plain.slice(from..to);
        let stored = records.into_iter().map(|placed| StoredRecord {
            offset: placed.offset,
            recorded: placed.recorded,
            key: placed.key.map(slice),
            value: slice(placed.value),
        });
        let (stored, plain_bytes) = (stored.collect(), built.plain.len());
        self.finished.extend(Batch::new(stored, built.encoded, plain_bytes).map(Arc::new));
    }
}

/// Gives out offsets: the next free one, or the one asked for if that is greater. `None` when they
/// are used up.
pub(crate) fn place(next: Offset, records: &[Prepared]) -> Option<Vec<Offset>> {
    let mut next = next;
    let offsets = records
        .iter()
        .map(|record| {
            let offset = record.at_least.map_or(next, |wished| wished.max(next));
            next = offset.following();
            offset
        })
        .collect();
    if next == Offset::MAX { None } else { Some(offsets) }
}

/// Kafka's record timestamps are milliseconds; all implementations agree on that.
pub(crate) fn whole_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
