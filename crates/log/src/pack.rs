//! From events to record batches, in two steps: whoever appends encodes the bodies, beside
//! everybody else; the one writer gives out offsets and puts batches around them.

use std::{iter::Peekable, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_event::{Data, json};

use crate::{
    AppendError, Batch, EventId, Offset, Position, Record, SourceName, StoredRecord, StreamName,
    batch::{self, Builder, Compression, HEADER_BYTES},
};

/// The media type of a stored value (CloudEvents' Kafka binding, §3.3).
pub(crate) const CONTENT_TYPE: (&str, &[u8]) = ("content-type", b"application/cloudevents+json");
/// The header that carries `source=position`.
pub(crate) const POSITION_HEADER: &str = "pluvio-pos";
/// What attributes and headers take in most records.
const AROUND_DATA_BYTES: usize = 640;
/// A batch is closed when it reaches this. Much larger ones would make reading a single event dear,
/// much smaller ones compress worse.
const BATCH_BYTES: usize = 256 << 10;
/// What surrounds a body in a batch, at most.
const RECORD_HEAD_BYTES: usize = 22;

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
pub(crate) fn prepare(
    stream: &StreamName,
    records: Vec<Record>,
    bytes_max: usize,
) -> Result<Vec<Prepared>, AppendError> {
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
    Ok(prepared.collect())
}

/// Puts batches around records, one each time that it is asked: the first can be written while the second
/// is packed.
pub(crate) struct Packer<R: Iterator> {
    compression: Compression,
    recorded: Timestamp,
    records: Peekable<R>,
    /// What is still to come.
    bytes_left: usize,
    records_left: usize,
}

/// Where a record's parts lie in the batch's plain bytes.
#[derive(Debug)]
struct Placed {
    offset: Offset,
    key: Option<(usize, usize)>,
    value: (usize, usize),
}

impl<'r, R: Iterator<Item = (Offset, &'r Prepared)> + Clone> Packer<R> {
    /// Of `records`, whose offsets grow; `recorded` is in whole milliseconds.
    pub(crate) fn new(compression: Compression, recorded: Timestamp, records: R) -> Self {
        let (bytes_left, records_left) = records
            .clone()
            .fold((0, 0), |(bytes, count), (_, record)| (bytes + record.room(), count + 1));
        Self { compression, recorded, records: records.peekable(), bytes_left, records_left }
    }
}

impl<R: Iterator> Packer<R> {
    /// How many records are still to come.
    pub(crate) fn records(&self) -> u64 {
        self.records_left as u64
    }

    /// Whether all that is still to come fits one batch.
    pub(crate) fn is_one_batch(&self) -> bool {
        self.bytes_left + HEADER_BYTES <= BATCH_BYTES
    }

    /// Bytes of all that is still to come, at most: a batch is never larger than its plain bytes.
    pub(crate) fn bytes_at_most(&self) -> u64 {
        // Two batches that follow each other are larger than one may be.
        let batches = 2 * self.bytes_left / BATCH_BYTES + 1;
        (self.bytes_left + batches * HEADER_BYTES) as u64
    }
}

impl<'r, R: Iterator<Item = (Offset, &'r Prepared)>> Iterator for Packer<R> {
    type Item = Arc<Batch>;

    fn next(&mut self) -> Option<Arc<Batch>> {
        let (first, mut record) = self.records.next()?;
        let milliseconds = self.recorded.as_millisecond();
        // Memory is taken once.
        let room = self.bytes_left.min(BATCH_BYTES);
        let share = self.records_left * room / self.bytes_left.max(1);
        let mut builder = Builder::with_room(first.get(), milliseconds, room);
        let (mut placed, mut offset) = (Vec::with_capacity(share + 1), first);
        loop {
            self.bytes_left = self.bytes_left.saturating_sub(record.room());
            self.records_left = self.records_left.saturating_sub(1);
            let start = builder.push(offset.get(), milliseconds, &record.body).start;
            let place = |(from, to): (u32, u32)| (start + from as usize, start + to as usize);
            placed.push(Placed { offset, key: record.key.map(place), value: place(record.value) });
            let fits = |(offset, record): &(Offset, &Prepared)| {
                builder.len() + record.room() <= BATCH_BYTES
                    && offset.get() - first.get() <= i64::from(i32::MAX)
            };
            match self.records.next_if(fits) {
                Some(next) => (offset, record) = next,
                None => break,
            }
        }
        let built = builder.finish(self.compression);
        let slice = |(from, to): (usize, usize)| built.plain.slice(from..to);
        let stored = placed.into_iter().map(|placed| StoredRecord {
            offset: placed.offset,
            recorded: self.recorded,
            key: placed.key.map(slice),
            value: slice(placed.value),
        });
        let (stored, plain_bytes) = (stored.collect(), built.plain.len());
        Batch::new(stored, built.encoded, plain_bytes).map(Arc::new)
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
